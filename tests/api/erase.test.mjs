// The command `erase` (docs/api.md, "erase"): nothing of an erased user is left, in what is shown and in the files.
import test from 'node:test';
import assert from 'node:assert/strict';
import { assertRecent, until } from '../lib/wait.mjs';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';

const server = await Server.start(['--trusted-proxies', '127.0.0.1']);
const admin = await server.admin();
const call = (method, path, body, token = admin, headers = {}) =>
    server.call(method, path, { token, body, headers });
const erase = (...Ids) => call('POST', '/api/sys/users/runcommand', { Key: 'erase', Ids });
const records = async (path, query) =>
    (await call('GET', `/api/sys/${path}?size=1000&${query}`)).json.Records;
const trail = (id) =>
    records(
        'audittrailentries',
        `AuditTrailEntry_EntityShortName=User&AuditTrailEntry_EntityId=${id}&orderBy=Id`,
    );

// Which of these are in the database; the part of an address before the @ stands backwards in an index.
function found(words) {
    const backwards = (word) => [...word].reverse().join('');
    const there = new Set(server.found([...words, ...words.map(backwards)]));
    return words.filter((word) => there.has(word) || there.has(backwards(word)));
}
const nothingLeft = (words) =>
    until(
        () => `${found(words)} in the database`,
        () => found(words).length === 0,
    );

let count = 0;
// Somebody of whom there is a lot, and the words that are nobody else's.
async function somebody({ email } = {}) {
    const mark = `qz${(++count).toString(36)}x${Math.floor(Math.random() * 1e9).toString(36)}`;
    const words = ['name', 'former', 'salt', 'device', 'system', 'client', 'support', 'trace'].map(
            (what) => `${mark}${what}`,
        ),
        [name, former, salt, device, system, client, support, trace] = words;
    const address = email ?? `${name}@example.com`,
        from = `2001:db8:${count.toString(16)}::${Math.floor(1 + Math.random() * 65535).toString(16)}`;
    const made = await call('POST', '/api/sys/users', {
        FullName: `${former} Doe`,
        Email: `${former}@example.com`,
        Language: 1,
        PasswordSalt: salt,
        LastHelpVisited: 0,
        InvalidLoginAttempts: 0,
        IsAdmin: true,
        Active: true,
        NewPassword: 'to-be-forgotten',
        Devices: `${device} one`,
        SystemId: `${system}1`,
        SupportTeamUserEmail: `${support}@example.com`,
        Businesses: [businessId],
    });
    assert.equal(made.status, 200, made.text);
    const id = made.json.Value.Id,
        path = `/api/sys/users/${id}`;
    for (const change of [
        { FullName: `${name} Doe` },
        { Email: address },
        { Devices: `${device} two` },
        { SystemId: `${system}2` },
        { PasswordSalt: `${salt}2` },
    ])
        assert.equal(
            (await call('PATCH', path, change, admin, { 'X-Request-Id': `${trace}-1` })).status,
            200,
        );
    const { json } = await server.grant(
        {
            grant_type: 'password',
            username: address,
            password: 'to-be-forgotten',
            client_id: client,
        },
        { 'X-Request-Id': `${trace}-2`, 'X-Forwarded-For': from },
    );
    return {
        from,
        id,
        path,
        email: address,
        former: `${former}@example.com`,
        words: email ? words.slice(1) : words,
        token: json.access_token,
        refresh: json.refresh_token,
    };
}

// Traces of the user: a role and a webhook that he made, a user that he changed, an idempotency key
// that he used.
async function works(who, on) {
    const role = await call(
        'POST',
        '/api/security/userroles',
        { BusinessId: businessId, Name: `Of ${who.id}`, Roles: [1] },
        who.token,
        { 'Idempotency-Key': `of ${who.id}` },
    );
    assert.equal(role.status, 200, role.text);
    assert.equal(
        (
            await call(
                'PATCH',
                `/api/sys/users/${on}`,
                { FullName: `Changed by ${who.id}` },
                who.token,
                { 'X-Request-Id': `${who.words.at(-1)}-3` },
            )
        ).status,
        200,
    );
    return role.json.Value.Id;
}

test('erase leaves nothing of a user in any record, the trail, deliveries or the files', async () => {
    const hook = async (Action, URL) =>
        (
            await call('POST', '/api/sys/webhooks', {
                BusinessId: businessId,
                Name: 'Told',
                Action,
                URL,
                Active: true,
            })
        ).json.Value.Id;
    const hooks = [
        await hook(1001, 'https://example.invalid/'),
        await hook(1002, 'https://example.invalid/'),
        await hook(1003, 'https://example.invalid/'),
    ];
    const who = await somebody(),
        role = await works(who, userId);
    assert.equal((await trail(who.id)).length > 5, true);
    assert.deepEqual(
        found([0, 1, 3, 5, 7].map((i) => who.words[i])).length,
        5,
        'all of it was there',
    );
    assert.deepEqual(found([who.from]), [who.from], 'where he signed in from, too');

    const reply = await erase(who.id);
    assert.deepEqual(
        [reply.json.WasSuccessful, reply.json.Message],
        [true, 'Erase: 1 of 1 done.'],
        reply.text,
    );
    assertFailure(await call('GET', who.path), 404);
    assert.equal((await call('GET', '/api/auth/me', undefined, who.token)).status, 401);
    assert.deepEqual(await records('refreshtokens', `RefreshToken_UserId=${who.id}`), []);
    await nothingLeft([...who.words, who.from]);

    const rows = await trail(who.id);
    assert.deepEqual(
        [...new Set(rows.map(({ OldValue, NewValue }) => `${OldValue} ${NewValue}`))].sort(),
        ['null erased', 'null null'],
    );
    const says = rows.filter(({ PropertyName }) => PropertyName === 'Erased');
    assert.deepEqual(
        says.map(({ AuditType, NewValue, ActionBy, EntityId, RequestId }) => [
            AuditType,
            NewValue,
            ActionBy,
            EntityId,
            RequestId,
        ]),
        [[3, 'erased', adminEmail, who.id, reply.headers.get('x-request-id')]],
        'by whom, and when',
    );
    assertRecent(says[0].UpdatedOn);
    assert.deepEqual(
        (
            await records(
                'audittrailentries',
                `AuditTrailEntry_EntityShortName=UserRole&AuditTrailEntry_EntityId=${role}`,
            )
        ).map(({ ActionBy }) => ActionBy),
        ['erased user'],
    );
    assert.equal(
        (await call('GET', `/api/security/userroles/${role}`)).json.UpdatedBy,
        'erased user',
    );
    assert.deepEqual(
        ((user) => [user.FullName, user.UpdatedBy])(await server.get(userId)),
        [`Changed by ${who.id}`, 'erased user'],
        'what he changed stays',
    );
    const deliveries = await records('webhookdeliveries', `WebHookDelivery_EntityId=${who.id}`);
    assert.ok(deliveries.length >= 7 && deliveries.some(({ Action }) => Action === 1003));
    for (const { Payload } of deliveries) assert.equal(Payload, `[{"Id":${who.id}}]`);
    const others = (await records('webhookdeliveries', `WebHookDelivery_EntityId=${userId}`)).map(
        ({ Payload }) => JSON.parse(Payload)[0],
    );
    assert.deepEqual(
        others.map(({ FullName, UpdatedBy }) => [FullName, UpdatedBy]),
        [[`Changed by ${who.id}`, 'erased user']],
    );
    for (const id of hooks) await call('DELETE', `/api/sys/webhooks/${id}`);
    await server.restart();
    assert.deepEqual(found(who.words), [], 'nor after a restart');
    await server.assertWhole();
});

test('several users are erased at once, each with an outcome of its own', async () => {
    const people = [await somebody(), await somebody()],
        words = people.flatMap((one) => one.words);
    const reply = await erase(people[0].id, 999999999, people[1].id, adminId + 500000);
    assert.equal(reply.json.Message, 'Erase: 2 of 4 done.');
    assert.deepEqual(
        reply.json.Errors.map(({ AttemptedValue }) => AttemptedValue),
        [999999999, adminId + 500000],
    );
    await nothingLeft(words);
    assert.deepEqual(
        await trail(999999999),
        [],
        'of who never was, nothing says that he was erased',
    );
});

test('a user who was deleted before can still be erased', async () => {
    const who = await somebody();
    assert.equal((await call('DELETE', who.path)).status, 200);
    assert.ok(found(who.words).length > 0, 'the trail has his values');
    assert.equal((await erase(who.id)).json.WasSuccessful, true);
    await nothingLeft(who.words);
    assert.equal((await trail(who.id)).at(-1).PropertyName, 'Erased');
});

test('an address that has passed to another user stays there', async () => {
    const who = await somebody();
    const heir = await call('POST', '/api/sys/users', {
        ...required(await server.get(userId)),
        FullName: 'Heir',
        Email: who.former,
    });
    assert.equal(heir.status, 200, heir.text);
    assert.equal((await erase(who.id)).json.WasSuccessful, true);
    await nothingLeft(who.words.filter((word) => !who.former.startsWith(word)));
    assert.equal((await server.get(heir.json.Value.Id)).Email, who.former);
});

test('only unrestricted administrators erase, though others may delete', async () => {
    const roles = (await call('GET', '/api/security/roles?size=1000')).json.Records.map(
        ({ Id }) => Id,
    );
    const role = (
        await call('POST', '/api/security/userroles', {
            BusinessId: businessId,
            Name: 'Everything',
            Roles: roles,
        })
    ).json.Value.Id;
    assert.equal(
        (await call('PATCH', `/api/sys/users/${staff.manager}`, { UserRoles: [role] })).status,
        200,
    );
    const who = await somebody(),
        token = await server.token('manager@example.com'),
        before = await trail(who.id);
    for (const id of [who.id, staff.manager, 999999998]) {
        const { json } = await call(
            'POST',
            '/api/sys/users/runcommand',
            { Key: 'erase', Ids: [id] },
            token,
        );
        assert.deepEqual(
            [json.WasSuccessful, json.Errors[0].Message],
            [false, 'can only be erased by an unrestricted administrator'],
        );
    }
    assert.equal((await call('GET', who.path)).status, 200);
    assert.deepEqual(await trail(who.id), before);
});

test('a user who may not be deleted is not erased, and the reply gives the reason', async () => {
    const who = await somebody();
    const application = await call('POST', '/api/apps/applications', {
        DeveloperId: who.id,
        Name: 'Gates',
        ShortDescription: 'Opens',
        InstallUrl: 'https://gates.example.com/',
    });
    const before = await trail(who.id),
        reply = await erase(who.id);
    assert.match(reply.json.Errors[0].Message, /still used by 1 application: .*Gates/);
    assert.deepEqual(await trail(who.id), before, 'nothing of him was blanked');
    assert.equal(
        (await call('DELETE', `/api/apps/applications/${application.json.Value.Id}`)).status,
        200,
    );
    assert.equal((await erase(who.id)).json.WasSuccessful, true);
    const alone = await Server.startNew([], { ROSTER_ADMIN_PASSWORD: password });
    const own = await alone.token('admin@localhost');
    const { json } = await alone.call('POST', '/api/sys/users/runcommand', {
        token: own,
        body: { Key: 'erase', Ids: [adminId] },
    });
    assert.match(json.Errors[0].Message, /last active unrestricted administrator/);
});

test('an administrator who erases himself leaves no name either', async () => {
    const who = await somebody();
    await works(who, userId);
    const { json } = await call(
        'POST',
        '/api/sys/users/runcommand',
        { Key: 'erase', Ids: [who.id] },
        who.token,
    );
    assert.equal(json.WasSuccessful, true);
    await nothingLeft(who.words);
    assert.equal((await trail(who.id)).at(-1).ActionBy, 'erased user');
});

test('changes, sign-ins and refreshes in the same commits as the erasure leave nothing', async () => {
    for (let round = 0; round < 8; round++) {
        const who = await somebody(),
            late = `${who.words[0]}late`;
        const changes = (n) =>
            call('PATCH', who.path, {
                FullName: `${late}${n}`,
                Devices: `${late} ${n}`,
                Email: `${late}${n}@example.com`,
            });
        const refresh = () =>
            server.grant({
                grant_type: 'refresh_token',
                refresh_token: who.refresh,
                client_id: who.words[5],
            });
        const signIn = () =>
            server.grant({
                grant_type: 'password',
                username: who.email,
                password: 'to-be-forgotten',
                client_id: `${late}client`,
            });
        const work = [
            changes(0),
            signIn(),
            changes(1),
            refresh(),
            works(who, userId).catch(() => {}),
            changes(2),
        ];
        const erased = erase(who.id);
        work.push(
            changes(3),
            refresh(),
            signIn(),
            changes(4),
            call('GET', '/api/auth/me', undefined, who.token),
            changes(5),
        );
        assert.equal((await erased).json.WasSuccessful, true);
        for (const reply of await Promise.all(work))
            assert.ok(!reply?.status || reply.status < 500, reply?.text);
        assertFailure(await call('GET', who.path), 404);
        await nothingLeft([...who.words, late]);
    }
    await server.assertWhole();
});
