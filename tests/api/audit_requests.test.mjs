// Each row of the audit trail has the Id of the request that made it: the X-Request-Id of the reply (docs/http.md). What
// no request did has none.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId } from '../lib/ids.mjs';
import { run, Server } from '../lib/server.mjs';
import { createPerson, password } from '../lib/users.mjs';

const server = await Server.start(['--lockout-attempts', '2']);
const token = await server.admin();
const call = (method, path, body, headers = {}) =>
    server.call(method, path, { token, body, headers });
const person = (more) => createPerson(server, token, 'traced', more);
const search = async (filter) => {
    const { status, json, text } = await call(
        'GET',
        `/api/sys/audittrailentries?size=1000&orderBy=Id&${filter}`,
    );
    assert.equal(status, 200, text);
    return json.Records;
};
const idOf = ({ headers }) => headers.get('x-request-id');
// The rows that the request of a reply made, as "User 7 Active".
async function rowsOf(reply) {
    const id = idOf(reply),
        rows = await search(`AuditTrailEntry_RequestId=${encodeURIComponent(id)}`);
    for (const row of rows) assert.equal(row.RequestId, id);
    return rows.map((row) => `${row.Description} ${row.PropertyName}`).sort();
}
const grant = (username, secret, more = {}, headers = {}) =>
    server.grant({ grant_type: 'password', username, password: secret, ...more }, headers);

test('a create, an update and a delete: the Id that the client chose, or else the one that was made', async () => {
    const { id } = await person(),
        own = { 'X-Request-Id': 'Trace-1_a.b:c=d+e/f@g' };
    const update = await call(
        'PATCH',
        `/api/sys/users/${id}`,
        { FullName: 'Traced', Active: false },
        own,
    );
    assert.equal(idOf(update), own['X-Request-Id']);
    assert.deepEqual(await rowsOf(update), [`User ${id} Active`, `User ${id} FullName`]);
    const tooLong = await call(
        'PATCH',
        `/api/sys/users/${id}`,
        { FullName: 'Traced again' },
        { 'X-Request-Id': 'x'.repeat(65) },
    );
    assert.match(idOf(tooLong), /^[0-9a-f]{16}$/);
    assert.deepEqual(await rowsOf(tooLong), [`User ${id} FullName`]);
    const role = await call(
        'POST',
        '/api/security/userroles',
        { BusinessId: businessId, Name: 'Traced', Users: [id] },
        { 'X-Request-Id': 'x'.repeat(64) },
    );
    assert.equal(role.status, 200, role.text);
    assert.deepEqual(
        await rowsOf(role),
        [`User ${id} UserRoles`, `UserRole ${role.json.Value.Id} null`],
        'also the row of the other side',
    );
    const gone = await call('DELETE', `/api/sys/users/${id}`);
    assert.ok((await rowsOf(gone)).includes(`User ${id} null`), await rowsOf(gone));
});

test('a command on many, an import and a revert have one Id for all their rows', async () => {
    const people = [await person(), await person()];
    const command = await call('POST', '/api/sys/users/runcommand', {
        Key: 'deactivate',
        Ids: people.map(({ id }) => id),
    });
    assert.deepEqual(
        await rowsOf(command),
        people.map(({ id }) => `User ${id} Active`).sort(),
        command.text,
    );
    const rows = Array.from({ length: 250 }, (_, i) => `import${i}@example.com,Import ${i}`);
    const load = await call(
        'POST',
        '/api/sys/users/import',
        ['Email,FullName', ...rows].join('\n'),
        { 'Content-Type': 'text/csv', 'X-Request-Id': 'nightly-import' },
    );
    assert.equal((await rowsOf(load)).length, 250, 'over several transactions');
    const changed = (await search(`AuditTrailEntry_EntityId=${people[0].id}`)).find(
        ({ PropertyName }) => PropertyName === 'Active',
    );
    const revert = await call('POST', '/api/sys/audittrailentries/revert', { Ids: [changed.Id] });
    assert.deepEqual(await rowsOf(revert), [`User ${people[0].id} Active`], revert.text);
});

test('sign-ins: a new client, the failure that locks, a stolen token, a reset, tokens for others', async () => {
    const who = await person();
    const first = await grant(who.email, password, { client_id: 'phone' });
    assert.deepEqual(await rowsOf(first), [`User ${who.id} SignIn`]);
    const refresh = (client_id) =>
        server.grant({
            grant_type: 'refresh_token',
            refresh_token: first.json.refresh_token,
            client_id,
        });
    assert.deepEqual(await rowsOf(await refresh('phone')), []);
    assert.deepEqual(await rowsOf(await refresh('thief')), [`User ${who.id} RefreshTokens`]);
    const oneTime = await call('POST', `/api/sys/users/${who.id}/token/refresh`);
    assert.deepEqual(await rowsOf(oneTime), [`User ${who.id} OneTimeToken`], oneTime.text);
    const exchange = await server.call(
        'POST',
        `/api/sys/users/exchange?token=${oneTime.json.Value}`,
    );
    assert.deepEqual(await rowsOf(exchange), [`User ${who.id} SignIn`], exchange.text);
    await call('POST', '/api/sys/users/runcommand', {
        Key: 'require-password-reset',
        Ids: [who.id],
    });
    const due = await grant(who.email, password);
    assert.deepEqual(await rowsOf(due), [`User ${who.id} PasswordReset`]);
    const reset = await server.call('POST', '/api/auth/resetpassword', {
        body: { Token: due.json.error_description, NewPassword: 'another-one-of-hers' },
    });
    assert.ok((await rowsOf(reset)).includes(`User ${who.id} PasswordReset`), reset.text);
    assert.deepEqual(await rowsOf(await grant(who.email, 'wrong')), []);
    const locks = await grant(who.email, 'wrong', {}, { 'X-Request-Id': 'the-last-straw' });
    assert.deepEqual(await rowsOf(locks), [`User ${who.id} LockOut`]);
});

test('the row of what an operator did has none', async () => {
    const { id } = await person(),
        disable = ['user', 'disable', String(id), ...server.where];
    assert.equal((await run(disable)).code, 0);
    const rows = await search(`AuditTrailEntry_EntityId=${id}`);
    assert.deepEqual(
        rows.map(({ PropertyName, RequestId }) => [PropertyName, RequestId === null]),
        [
            [null, false],
            ['Active', true],
        ],
    );
});
