// A change that the audit trail has is reverted by an update like any other: by its rules, with a row of its own, not
// over a later change unless asked, and never from a value that the trail does not have.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { createPerson, password } from '../lib/users.mjs';
import { addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
const token = await server.admin();
const as = async (who) => ({ token: await server.token(`${who}@example.com`) });
const revert = (Ids, more = {}, options = {}) =>
    server.call('POST', '/api/sys/audittrailentries/revert', {
        token,
        body: { Ids, ...more },
        ...options,
    });
const person = async (more) => (await createPerson(server, token, 'reverted', more)).id;
const patch = async (id, body, path = '/api/sys/users') => {
    const { status, text } = await server.call('PATCH', `${path}/${id}`, { token, body });
    assert.equal(status, 200, text);
};
// The rows of a record, the newest first.
const trail = async (id, entity = 'User') =>
    (
        await server.call(
            'GET',
            `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${id}&AuditTrailEntry_EntityShortName=${entity}&dir=desc&orderBy=UpdatedOn&size=100`,
            { token },
        )
    ).json.Records;
const rowOf = async (id, property, entity) =>
    (await trail(id, entity)).find((row) => row.PropertyName === property);

test('each type of field gets back the value that it had, in one update with rows of its own', async () => {
    const before = {
        FullName: 'As It Was',
        Email: 'as.it.was@example.com',
        Active: true,
        Language: 2,
        OnNewEmail: false,
        LastAccess: '2025-01-15T10:30:00.250Z',
        ApplicationId: null,
        SystemId: 'sys-1',
        UserRoles: [401, 402],
        Businesses: [],
        InvalidLoginAttempts: 3,
        Devices: 'one\ntwo\t"three"',
    };
    const id = await person(before);
    const stored = await server.get(id);
    await patch(id, {
        FullName: 'As It Is',
        Email: 'as.it.is@example.com',
        Active: false,
        Language: 1,
        OnNewEmail: true,
        LastAccess: null,
        ApplicationId: 701,
        SystemId: null,
        UserRoles: [],
        Businesses: [301, 302],
        InvalidLoginAttempts: 0,
        Devices: null,
    });
    const changed = (await trail(id)).filter((row) => row.PropertyName in before);
    assert.deepEqual(changed.map((row) => row.PropertyName).sort(), Object.keys(before).sort());
    const reply = await revert(changed.map((row) => row.Id));
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual([reply.json.Value.Id, reply.json.WasSuccessful], [id, true]);
    const now = await server.get(id);
    for (const name of Object.keys(before)) assert.deepEqual(now[name], stored[name], name);
    assert.equal(
        reply.headers.get('etag'),
        (await server.call('GET', `/api/sys/users/${id}`, { token })).headers.get('etag'),
    );
    const back = await rowOf(id, 'FullName');
    assert.deepEqual(
        [back.OldValue, back.NewValue, back.ActionBy],
        ['As It Is', 'As It Was', 'admin@example.com'],
    );
    assert.equal((await revert([back.Id])).status, 200, 'the revert is reverted like any change');
    assert.equal((await server.get(id)).FullName, 'As It Is');
});

test('records of another kind are reverted by the same request', async () => {
    await patch(501, { Name: 'The Great Hall' }, '/api/support/chatrooms');
    const row = await rowOf(501, 'Name', 'ChatRoom');
    assert.equal((await revert([row.Id])).status, 200);
    const { json } = await server.call('GET', '/api/support/chatrooms/501', { token });
    assert.equal(json.Name, 'Hall');
});

test('a field that somebody has changed since is 412 and keeps its value, unless Overwrite says otherwise', async () => {
    const id = await person({ FullName: 'First', SystemId: 'a' });
    await patch(id, { FullName: 'Second', SystemId: 'b' });
    const [name, system] = [await rowOf(id, 'FullName'), await rowOf(id, 'SystemId')];
    await patch(id, { FullName: 'Third' });
    const refused = await revert([system.Id, name.Id]);
    assertFailure(refused, 412);
    assert.match(refused.json.Message, /^FullName has been changed since\. .*Overwrite/);
    const same = await server.get(id);
    assert.deepEqual([same.FullName, same.SystemId], ['Third', 'b'], 'neither of the two');
    assert.equal((await revert([system.Id])).status, 200, 'nobody has changed this one');
    assert.equal((await revert([name.Id], { Overwrite: true })).status, 200);
    assert.equal((await server.get(id)).FullName, 'First');
    const again = await server.call('GET', `/api/sys/users/${id}`, { token });
    const late = { token, headers: { 'If-Match': '"1-1"' } };
    assertFailure(await revert([name.Id], { Overwrite: true }, late), 412);
    const known = { token, headers: { 'If-Match': again.headers.get('etag') } };
    assert.equal((await revert([name.Id], { Overwrite: true }, known)).status, 200);
});

test('of two reverts of one change at once, one is made', async () => {
    const id = await person({ SystemId: 'a' });
    await patch(id, { SystemId: 'b' });
    const { Id } = await rowOf(id, 'SystemId');
    const statuses = (await Promise.all([revert([Id]), revert([Id]), revert([Id])])).map(
        ({ status }) => status,
    );
    assert.deepEqual(statuses.sort(), [200, 412, 412]);
    assert.equal((await trail(id)).filter((row) => row.PropertyName === 'SystemId').length, 2);
});

test('what the trail has no value of is refused with the reason, and nothing is changed', async () => {
    const id = await person({ Devices: 'd'.repeat(1025) });
    const other = await person({ SystemId: 'a' });
    await patch(id, { Devices: 'short', NewPassword: 'correct horse battery', SystemId: 'x' });
    await patch(id, { SystemId: 'y' });
    await patch(other, { SystemId: 'b' });
    const rows = await trail(id);
    const named = (name) => rows.filter((row) => row.PropertyName === name).map((row) => row.Id);
    const created = rows.find((row) => row.AuditType === 1).Id;
    await server.call('POST', '/api/sys/users/runcommand', {
        token,
        body: { Key: 'revoke-tokens', Ids: [id] },
    });
    const before = (await trail(id)).length;
    const refused = async (ids, message) => {
        const error = assertInvalid(await revert(ids), 'Ids', message);
        assert.equal(`${error.AttemptedValue}`, `${ids.at(-1)}`);
    };
    await refused(named('Devices'), /only the length and the hash/);
    await refused(named('Password'), /secret/);
    await refused([created], /whole record/);
    await refused([(await rowOf(id, 'RefreshTokens')).Id], /cannot set/);
    await refused(named('SystemId'), /same property/);
    await refused([named('SystemId')[0], (await rowOf(other, 'SystemId')).Id], /another record/);
    assertInvalid(await revert([999999999]), 'Ids', /no audit trail entry with Id 999999999/);
    assertInvalid(await revert([]), 'Ids', /required/);
    const many = Array.from({ length: 129 }, (_, i) => i + 1);
    assertInvalid(await revert(many), 'Ids', /at most 128/);
    assert.equal((await trail(id)).length, before);
    const both = await revert([named('Devices')[0], named('Password')[0]]);
    assert.equal(both.json.Errors.length, 2, 'each row that cannot be reverted is named');
});

test('the rules of any update hold: an address that is taken, a role that is gone, a user who is gone', async () => {
    const id = await person({ Email: 'wanted@example.com' });
    await patch(id, { Email: 'moved@example.com' });
    const address = await rowOf(id, 'Email');
    await person({ Email: 'wanted@example.com' });
    assertInvalid(await revert([address.Id]), 'Email', /already used/);
    const role = (
        await server.call('POST', '/api/security/userroles', {
            token,
            body: { BusinessId: 301, Name: 'Passing', Roles: [1] },
        })
    ).json.Value.Id;
    await patch(id, { UserRoles: [role] });
    await patch(id, { UserRoles: [] });
    const taken = await rowOf(id, 'UserRoles');
    await server.call('DELETE', `/api/security/userroles/${role}`, { token });
    assertInvalid(await revert([taken.Id]), 'UserRoles', new RegExp(`Id ${role} exists`));
    await server.call('DELETE', `/api/sys/users/${id}`, { token });
    assertFailure(await revert([address.Id]), 404);
});

test('whoever may not make the update may not revert it', async () => {
    await patch(userId, { SystemId: 'a' });
    await patch(userId, { SystemId: 'b', UserRoles: [401] });
    const [system, roles] = [await rowOf(userId, 'SystemId'), await rowOf(userId, 'UserRoles')];
    assertFailure(await revert([system.Id], {}, await as('reader')), 403);
    const auditor = (
        await server.call('POST', '/api/security/userroles', {
            token,
            body: { BusinessId: 301, Name: 'Auditor', Roles: [2, 36, 37] },
        })
    ).json.Value.Id;
    await patch(staff.frontdesk, { UserRoles: [auditor] });
    const only = await revert([system.Id], {}, await as('frontdesk'));
    assert.match(assertFailure(only, 403).Message, /User-Edit/);
    await patch(staff.frontdesk, { UserRoles: [auditor, 404] });
    const desk = await as('frontdesk');
    assert.equal((await revert([system.Id], {}, desk)).status, 200);
    await patch(adminId, { SystemId: 'admin-1' });
    const admins = await rowOf(adminId, 'SystemId');
    const refused = await revert([admins.Id], {}, desk);
    assert.equal(refused.status, 403, 'nobody edits an unrestricted administrator');
    const none = await server.call('POST', '/api/sys/audittrailentries/revert', {
        body: { Ids: [roles.Id] },
    });
    assert.equal(none.status, 401);
    assert.ok(!server.stderr.includes(password));
});
