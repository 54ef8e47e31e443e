// POST, DELETE and PATCH of users (docs/contract.md section 3.1, docs/api.md "The other operations").
import test from 'node:test';
import assert from 'node:assert/strict';
import { fieldTable } from '../lib/database.mjs';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { actionMembers, assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { password, userBody } from '../lib/users.mjs';
import { addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
const token = await server.admin();
const call = (method, path, options) =>
    server.call(method, `/api/sys/users${path}`, { token, ...options });
let made = 0;
const body = (more = {}) =>
    userBody({ FullName: 'New Person', Email: `new.${++made}@example.com`, ...more });
const post = (more, options) => call('POST', '', { body: body(more), ...options });
const create = async (more) => {
    const reply = await post(more);
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value.Id;
};

test('create answers with the action envelope and the new Id', async () => {
    const reply = await post();
    assert.deepEqual(Object.keys(reply.json), actionMembers);
    assert.equal(reply.json.Message, 'User was successfully created.');
    assert.deepEqual(Object.keys(reply.json.Value), ['Id']);
    assert.equal(reply.headers.get('etag'), `"${reply.json.Value.Id}-1"`);
    const user = await server.get(reply.json.Value.Id);
    assert.equal(user.CreatedOn, user.UpdatedOn);
    assert.equal(user.UpdatedOn, reply.json.UpdatedOn);
    assert.match(user.UniqueId, /^[0-9a-f-]{36}$/);
    assert.equal(user.ToStringText, `New Person - ${user.Email}`);
});

test('members that a create leaves out are null, false or empty', async () => {
    const user = await server.get(await create());
    for (const { name, type, flags } of fieldTable()) {
        if (
            [
                'FullName',
                'Email',
                'Language',
                'PasswordSalt',
                'LastHelpVisited',
                'InvalidLoginAttempts',
                'Id',
                'UpdatedOn',
                'CreatedOn',
                'UniqueId',
                'UpdatedBy',
                'ToStringText',
            ].includes(name) ||
            ['added', 'removed'].includes(type)
        )
            continue;
        const empty = flags.includes('TRANSIENT')
            ? null
            : type === 'links'
              ? []
              : ['boolean', 'no'].includes(type)
                ? false
                : null;
        assert.deepEqual(user[name], empty, name);
    }
});

test('create takes every writable field, and an Id is ignored', async () => {
    const id = await create({
        Id: 5,
        Active: true,
        APIAccess: true,
        Businesses: [businessId],
        AddedBusinesses: [302],
        RemovedBusinesses: [businessId],
        UserRoles: [402],
        NewPassword: 'correct horse battery',
        TwoFactorSecret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
        SystemId: 'abc',
        PreferredLanguageId: 602,
    });
    assert.notEqual(id, 5);
    const user = await server.get(id);
    assert.deepEqual(
        [
            user.Businesses,
            user.UserRoles,
            user.DefaultBusinessId,
            user.SystemId,
            user.PreferredLanguageId,
            user.TwoFactorEnabled,
        ],
        [[302], [402], 302, 'abc', 602, true],
    );
    assert.deepEqual([user.NewPassword, user.TwoFactorSecret], [null, null]);
    const signIn = await server.grant({
        grant_type: 'password',
        username: user.Email,
        password: 'correct horse battery',
    });
    assert.equal(signIn.json.error, 'two_factor_auth_check', signIn.text);
});

test('create takes the same rules as update, all errors at once', async () => {
    const reply = await call('POST', '', {
        body: { Email: 'no address', Language: 9, Businesses: [999] },
    });
    for (const [name, message] of [
        ['FullName', /required/],
        ['Email', /valid e-mail/],
        ['Language', /must be one of/],
        ['PasswordSalt', /required/],
        ['LastHelpVisited', /required/],
        ['InvalidLoginAttempts', /required/],
        ['Businesses', /no business with Id 999/],
    ])
        assertInvalid(reply, name, message);
    assertInvalid(await post({ Email: 'ADMIN@example.com' }), 'Email', /already used/);
    assertInvalid(await call('POST', '', { body: '[' }), 'Body', /line 1/);
});

test('ids are never given twice', async () => {
    const first = await create();
    assert.equal((await call('DELETE', `/${first}`)).status, 200);
    assert.ok((await create()) > first);
});

test('two creates of one address at once: one is made', async () => {
    const same = body();
    const replies = await Promise.all(
        Array.from({ length: 8 }, () => call('POST', '', { body: same })),
    );
    assert.deepEqual(
        replies.map((reply) => reply.status).sort(),
        [200, 400, 400, 400, 400, 400, 400, 400],
    );
});

test('a caller who is no administrator creates no administrator and grants no more than he has', async () => {
    const creator = await server.token('creator@example.com');
    assert.equal((await post({}, { token: creator })).status, 200);
    assert.equal(
        assertFailure(await post({ IsAdmin: true }, { token: creator }), 403).Errors[0]
            .PropertyName,
        'IsAdmin',
    );
    assert.equal(
        assertFailure(await post({ UserRoles: [404] }, { token: creator }), 403).Errors[0]
            .PropertyName,
        'UserRoles',
    );
});

test('delete answers with the envelope; then the user is gone', async () => {
    const id = await create({
        Active: true,
        APIAccess: true,
        Businesses: [businessId],
        NewPassword: 'correct horse battery',
    });
    const { Email } = await server.get(id);
    const own = await server.token(Email, 'correct horse battery');
    const reply = await call('DELETE', `/${id}`);
    assert.deepEqual(Object.keys(reply.json), actionMembers);
    assert.deepEqual(
        [reply.json.Message, reply.json.Value],
        ['User was successfully deleted.', { Id: id }],
    );
    assertFailure(await call('GET', `/${id}`), 404);
    assertFailure(await call('DELETE', `/${id}`), 404);
    assertFailure(await call('GET', `/${id}`, { token: own }), 401);
    assert.equal((await call('GET', `?User_Email=${Email}`)).json.TotalItems, 0);
    assert.equal(
        (await call('POST', '', { body: body({ Email }) })).status,
        200,
        'the address is free again',
    );
});

// A record that is about to be created has no ETag yet (RFC 9110 section 13.1.1).
test('create under If-Match is 412, creates nothing, and the next change is taken', async () => {
    const body = userBody({ FullName: 'Not Yet', Email: 'not.yet@example.com' });
    for (const match of ['"1-1"', '*', 'x, "2-2"', '*il":"ada@example,.com"'])
        assertFailure(await call('POST', '', { body, headers: { 'If-Match': match } }), 412);
    assert.equal((await call('GET', '?User_Email=not.yet@example.com')).json.TotalItems, 0);
    const made = await call('POST', '', { body });
    assert.equal(made.status, 200, made.text);
    assert.equal((await call('DELETE', `/${made.json.Value.Id}`)).status, 200);
});

test('delete under If-Match', async () => {
    const id = await create();
    assertFailure(await call('DELETE', `/${id}`, { headers: { 'If-Match': '"1-1"' } }), 412);
    assert.equal(
        (await call('DELETE', `/${id}`, { headers: { 'If-Match': `"${id}-1"` } })).status,
        200,
    );
});

test('the last administrator cannot be deleted, an administrator only by another one', async () => {
    assertInvalid(
        await call('DELETE', `/${adminId}`),
        'Id',
        /last active unrestricted administrator/,
    );
    const deleter = await server.token('deleter@example.com');
    const reply = await call('DELETE', `/${adminId}`, { token: deleter });
    assert.equal(reply.status, 403);
    assert.equal(reply.json.Errors[0].PropertyName, 'Id');
    const other = await create({ IsAdmin: true, Active: true });
    assert.equal((await call('DELETE', `/${other}`)).status, 200);
});

test('patch changes what it names and keeps the rest (RFC 7396)', async () => {
    const before = await server.get(userId);
    const reply = await call('PATCH', `/${userId}`, {
        body: { FullName: 'Patched', OnNewEmail: true, Devices: null },
        headers: { 'Content-Type': 'application/merge-patch+json' },
    });
    assert.equal(reply.json.Message, 'User was successfully updated.');
    const { UpdatedOn, UpdatedBy, ToStringText, ...after } = await server.get(userId);
    const expected = { ...before, FullName: 'Patched', OnNewEmail: true, Devices: null };
    for (const name of ['UpdatedOn', 'UpdatedBy', 'ToStringText']) delete expected[name];
    assert.deepEqual(after, expected);
});

test('patch: a required field cannot be cleared, another Id is refused, an empty patch is fine', async () => {
    assertInvalid(
        await call('PATCH', `/${userId}`, { body: { FullName: null } }),
        'FullName',
        /required/,
    );
    assertInvalid(
        await call('PATCH', `/${userId}`, { body: { Id: 5 } }),
        'Id',
        /must be the Id in the path/,
    );
    assert.equal((await call('PATCH', `/${userId}`, { body: { Id: userId } })).status, 200);
    assert.equal((await call('PATCH', `/${userId}`, { body: {} })).status, 200);
    assertFailure(await call('PATCH', '/5', { body: {} }), 404);
    assertInvalid(await call('PATCH', `/${userId}`, { body: '"x"' }), 'Body', /object/);
});

test('patch keeps what is omitted under compatibility = nexudus too', async () => {
    const other = await Server.start(['--compatibility', 'nexudus', '--rate-limits', 'off']);
    const before = await other.get(staff.editor);
    const reply = await other.call('PATCH', `/api/sys/users/${staff.editor}`, {
        token: await other.admin(),
        body: { FullName: 'Kept' },
    });
    assert.equal(reply.status, 200, reply.text);
    assert.equal((await other.get(staff.editor)).Active, before.Active);
});

test('each write is in the audit trail once committed', async () => {
    const id = await create();
    await call('PATCH', `/${id}`, {
        body: { FullName: 'Audited', NewPassword: 'correct horse battery' },
    });
    await call('DELETE', `/${id}`);
    const { json } = await server.call(
        'GET',
        `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${id}&size=100`,
        { token },
    );
    assert.deepEqual(
        json.Records.map((row) => [row.AuditType, row.PropertyName, row.NewValue]).filter(
            ([type]) => type !== 2,
        ),
        [
            [1, null, null],
            [3, null, null],
        ],
    );
    assert.ok(
        json.Records.some(
            (row) =>
                row.PropertyName === 'FullName' &&
                row.OldValue === 'New Person' &&
                row.NewValue === 'Audited',
        ),
    );
    assert.ok(
        !JSON.stringify(json).includes('argon2id') && !JSON.stringify(json).includes(password),
    );
});
