// Ways around permissions: what a user without one could otherwise do or learn through another operation.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';

const server = await Server.start();
const token = await server.admin();
const call = (method, path, options) => server.call(method, path, { token, ...options });
const auditOf = async (id, property) =>
    (
        await call(
            'GET',
            `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${id}&AuditTrailEntry_PropertyName=${property}&size=100`,
        )
    ).json.Records;

// A user with a role of just these permissions, and a token.
async function userWith(name, ...permissions) {
    const roles = (await call('GET', '/api/security/roles?size=200')).json.Records;
    const ids = permissions.map((permission) => roles.find((role) => role.Name === permission).Id);
    const role = (
        await call('POST', '/api/security/userroles', {
            body: { BusinessId: businessId, Name: name, Roles: ids },
        })
    ).json.Value.Id;
    const email = `${name}@example.com`;
    const user = await call('POST', '/api/sys/users', {
        body: userBody({
            FullName: name,
            Email: email,
            NewPassword: password,
            Active: true,
            APIAccess: true,
            UserRoles: [role],
            Businesses: [businessId],
        }),
    });
    assert.equal(user.status, 200, user.text);
    return { id: user.json.Value.Id, role, email, token: await server.token(email) };
}

test('RefreshToken-Delete alone does not sign an unrestricted administrator out', async () => {
    const revoker = await userWith('revoker', 'RefreshToken-Delete', 'RefreshToken-List');
    const all = (await call('GET', '/api/sys/refreshtokens?size=200')).json.Records;
    const administrators = all.find((entry) => entry.Subject === adminEmail);
    assertFailure(
        await call('DELETE', `/api/sys/refreshtokens/${administrators.Id}`, {
            token: revoker.token,
        }),
        403,
    );
    assert.equal((await call('GET', `/api/sys/users/${userId}`)).status, 200, 'still signed in');
    await server.token('lister@example.com');
    const other = (await call('GET', '/api/sys/refreshtokens?size=200')).json.Records.find(
        (entry) => entry.Subject === 'lister@example.com',
    );
    assert.equal(
        (await call('DELETE', `/api/sys/refreshtokens/${other.Id}`, { token: revoker.token }))
            .status,
        200,
    );
    const rows = await auditOf(staff.lister, 'RefreshTokens');
    assert.deepEqual(
        rows.map((row) => [row.NewValue, row.ActionBy]),
        [['revoked', 'revoker@example.com']],
    );
});

test('the revoke-tokens command and a one-time token for somebody else leave an audit row', async () => {
    await call('POST', '/api/sys/users/runcommand', {
        body: { Key: 'revoke-tokens', Ids: [staff.deleter] },
    });
    assert.deepEqual(
        (await auditOf(staff.deleter, 'RefreshTokens')).map((row) => [row.NewValue, row.ActionBy]),
        [['revoked', adminEmail]],
    );
    await call('GET', `/api/sys/users/${staff.deleter}/token/refresh`);
    assert.deepEqual(
        (await auditOf(staff.deleter, 'OneTimeToken')).map((row) => [row.NewValue, row.ActionBy]),
        [['issued', adminEmail]],
    );
    await call('POST', '/api/sys/users/token/refresh');
    assert.deepEqual(await auditOf(adminId, 'OneTimeToken'), [], 'one of his own is a sign-in');
});

test('a refused deletion names users only to those who may read them', async () => {
    const eraser = await userWith('eraser', 'Business-Delete');
    const business = (await call('GET', '/api/sys/businesses/301')).json;
    const own = (
        await call('POST', '/api/sys/businesses', {
            body: { ...business, Id: undefined, Name: 'Own' },
        })
    ).json.Value.Id;
    await server.update(userId, { AddedBusinesses: [own] });
    const told = await call('DELETE', `/api/sys/businesses/${own}`);
    assertFailure(told, 409);
    assert.match(told.json.Message, /used by 1 user: Ada Lovelace .*\(87654321\)/);
    const reply = await call('DELETE', `/api/sys/businesses/${own}`, { token: eraser.token });
    assertFailure(reply, 409);
    assert.match(reply.json.Message, /still used by 1 user: 87654321\./);
    assert.doesNotMatch(reply.json.Message, /Lovelace/);
});

test('an unchanged Roles list of a user role needs no more than UserRole-Edit', async () => {
    const keeper = await userWith('keeper', 'UserRole-Edit', 'UserRole-Read');
    const other = await userWith('richer', 'User-Delete', 'User-Edit');
    const put = (Roles, Name) =>
        call('PUT', '/api/security/userroles', {
            token: keeper.token,
            body: { Id: other.role, BusinessId: businessId, Name, Roles },
        });
    const { Roles } = (await call('GET', `/api/security/userroles/${other.role}`)).json;
    const renamed = await put(Roles, 'renamed');
    assert.equal(renamed.status, 200, renamed.text);
    assert.equal((await put(Roles.slice(0, 1), 'renamed')).status, 200, 'less may be given');
    assertFailure(await put(Roles, 'renamed'), 403);
});
