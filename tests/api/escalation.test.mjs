// What one may not do, learn or break by the ways around the front door.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';

const server = await Server.start();
const token = await server.admin();
const call = (method, path, options) => server.call(method, path, { token, ...options });
const auditOf = async (id, property) => (await call('GET',
    `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${id}&AuditTrailEntry_PropertyName=${property}&size=100`)).json.Records;

// A user with a role of just these permissions, and a token.
async function userWith(name, ...permissions) {
    const roles = (await call('GET', '/api/security/roles?size=200')).json.Records;
    const ids = permissions.map((permission) => roles.find((role) => role.Name === permission).Id);
    const role = (await call('POST', '/api/security/userroles', { body: { BusinessId: businessId, Name: name, Roles: ids } })).json.Value.Id;
    const email = `${name}@example.com`;
    const user = await call('POST', '/api/sys/users', { body: userBody({ FullName: name, Email: email, NewPassword: password, Active: true, APIAccess: true, UserRoles: [role], Businesses: [businessId] }) });
    assert.equal(user.status, 200, user.text);
    return { id: user.json.Value.Id, role, email, token: await server.token(email) };
}

test('with RefreshToken-Delete alone nobody signs an unrestricted administrator out', async () => {
    const revoker = await userWith('revoker', 'RefreshToken-Delete', 'RefreshToken-List');
    const all = (await call('GET', '/api/sys/refreshtokens?size=200')).json.Records;
    const administrators = all.find((entry) => entry.Subject === adminEmail);
    assertFailure(await call('DELETE', `/api/sys/refreshtokens/${administrators.Id}`, { token: revoker.token }), 403);
    assert.equal((await call('GET', `/api/sys/users/${userId}`)).status, 200, 'still signed in');
    await server.token('lister@example.com');
    const other = (await call('GET', '/api/sys/refreshtokens?size=200')).json.Records.find((entry) => entry.Subject === 'lister@example.com');
    assert.equal((await call('DELETE', `/api/sys/refreshtokens/${other.Id}`, { token: revoker.token })).status, 200);
    const rows = await auditOf(staff.lister, 'RefreshTokens');
    assert.deepEqual(rows.map((row) => [row.NewValue, row.ActionBy]), [['revoked', 'revoker@example.com']]);
});

test('the revoke-tokens command and a one-time token for somebody else leave an audit row', async () => {
    await call('POST', '/api/sys/users/runcommand', { body: { Key: 'revoke-tokens', Ids: [staff.deleter] } });
    assert.deepEqual((await auditOf(staff.deleter, 'RefreshTokens')).map((row) => [row.NewValue, row.ActionBy]), [['revoked', adminEmail]]);
    await call('GET', `/api/sys/users/${staff.deleter}/token/refresh`);
    assert.deepEqual((await auditOf(staff.deleter, 'OneTimeToken')).map((row) => [row.NewValue, row.ActionBy]), [['issued', adminEmail]]);
    await call('POST', '/api/sys/users/token/refresh');
    assert.deepEqual(await auditOf(adminId, 'OneTimeToken'), [], 'one of his own is a sign-in');
});

test('a refused deletion names users only to those who may read them', async () => {
    const eraser = await userWith('eraser', 'Business-Delete');
    const business = (await call('GET', '/api/sys/businesses/301')).json;
    const own = (await call('POST', '/api/sys/businesses', { body: { ...business, Id: undefined, Name: 'Own' } })).json.Value.Id;
    await server.update(userId, { AddedBusinesses: [own] });
    const told = await call('DELETE', `/api/sys/businesses/${own}`);
    assertFailure(told, 409);
    assert.match(told.json.Message, /used by 1 user: Ada Lovelace .*\(87654321\)/);
    const reply = await call('DELETE', `/api/sys/businesses/${own}`, { token: eraser.token });
    assertFailure(reply, 409);
    assert.match(reply.json.Message, /still used by 1 user: 87654321\./);
    assert.doesNotMatch(reply.json.Message, /Lovelace/);
});

test('client_id has at most 255 characters, and none that do not print', async () => {
    const form = { grant_type: 'password', username: adminEmail, password };
    for (const client_id of ['x'.repeat(256), 'a\nb', 'a\u0000b', 'a\u007fb']) {
        const reply = await server.grant({ ...form, client_id });
        assert.equal(reply.status, 400);
        assert.equal(reply.json.error, 'invalid_request');
        assert.match(reply.json.error_description, /client_id/);
    }
    const invalid = await server.call('POST', '/api/token', { body: `${new URLSearchParams(form)}&client_id=%ff`,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    assert.equal(invalid.json.error, 'invalid_request');
    assert.equal((await server.grant({ ...form, client_id: 'é'.repeat(255) })).status, 200);
});

test('an exchange leaves the tokens of the user\'s other clients alone', async () => {
    const first = (await server.grant({ grant_type: 'password', username: 'manager@example.com', password })).json;
    const jwt = (await call('GET', `/api/sys/users/${staff.manager}/token/refresh`)).json.Value;
    assert.equal((await server.call('POST', `/api/sys/users/exchange?token=${jwt}`)).status, 200);
    const again = await server.grant({ grant_type: 'refresh_token', refresh_token: first.refresh_token, client_id: 'manager@example.com' });
    assert.equal(again.status, 200, again.text);
});

test('what is ignored is named in a header that stays short', async () => {
    const query = Array.from({ length: 90 }, (_, i) => `unknown_parameter_${i}=1`).join('&');
    const reply = await call('GET', `/api/sys/users?${query}`);
    assert.equal(reply.status, 200);
    const header = reply.headers.get('x-ignored-parameters');
    assert.ok(header.length <= 1024, `${header.length} characters`);
    assert.match(header, /^unknown_parameter_0, (unknown_parameter_\d+, )+\.\.\.$/);
});

test('names that are no UTF-8 are refused in a reply that is', async () => {
    for (const query of ['%ff%fe=1', 'User_FullName=%ff', 'a%00b=1']) {
        const reply = await call('GET', `/api/sys/users?${query}`, { headers: { Prefer: 'handling=strict' } });
        assert.equal(reply.status, 400, query);
        assert.ok(reply.json, reply.text);
        assert.doesNotMatch(reply.text, /\ufffd/);
    }
});

test('an unchanged Roles list of a user role needs no more than UserRole-Edit', async () => {
    const keeper = await userWith('keeper', 'UserRole-Edit', 'UserRole-Read');
    const other = await userWith('richer', 'User-Delete', 'User-Edit');
    const put = (Roles, Name) => call('PUT', '/api/security/userroles', { token: keeper.token, body: { Id: other.role, BusinessId: businessId, Name, Roles } });
    const { Roles } = (await call('GET', `/api/security/userroles/${other.role}`)).json;
    const renamed = await put(Roles, 'renamed');
    assert.equal(renamed.status, 200, renamed.text);
    assert.equal((await put(Roles.slice(0, 1), 'renamed')).status, 200, 'less may be given');
    assertFailure(await put(Roles, 'renamed'), 403);
});

test('commands say for each record what became of it', async () => {
    const editor = await server.token('editor@example.com');
    const reply = await call('POST', '/api/sys/users/runcommand', { token: editor,
        body: { Key: 'revoke-tokens', Ids: [adminId, staff.lister, 5] } });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json.Errors.map((error) => error.AttemptedValue), [adminId, 5]);
    assert.match(reply.json.Message, /1 of 3 done/);
});

test('a thousand failing records are all told of', async () => {
    const Ids = Array.from({ length: 999 }, (_, i) => 700000000 + i);
    const reply = await call('POST', '/api/sys/users/runcommand', { body: { Key: 'unlock', Ids: [...Ids, userId] } });
    assert.equal(reply.status, 200, reply.text.slice(0, 300));
    assert.equal(reply.json.Errors.length, Ids.length);
});
