// Every operation and every kind of caller, from the server's own description: a new route cannot escape.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Server, adminId, assertFailure, password } from './harness.mjs';

const server = await Server.start();
const token = await server.admin();
const { json: doc } = await server.call('GET', '/api/openapi.json');
const operations = Object.entries(doc.paths).flatMap(([path, item]) => Object.entries(item).map(([method, one]) => ({
    method: method.toUpperCase(), path, needs: /Needs the roles? ([\w-]+)(?: and ([\w-]+))?\./.exec(one.description ?? '')?.slice(1).filter(Boolean) ?? [], open: one.security?.length === 0,
})));
const roles = (await server.call('GET', '/api/security/roles?size=100', { token })).json.Records;

// No operation finds anything to do: the Id is nobody's, and the bodies lack all that is required.
const ask = ({ method, path }, bearer, id = 999999999) => server.call(method, path.replace('{id}', id), {
    token: bearer, body: ['POST', 'PUT', 'PATCH'].includes(method) ? {} : undefined });
const call = (method, path, body) => server.call(method, path, { token, body });

async function person(name, more = {}) {
    const userRole = (await call('POST', '/api/security/userroles', { BusinessId: 301, Name: name, Roles: [] })).json.Value.Id;
    const email = `${name}@example.com`;
    const reply = await call('POST', '/api/sys/users', { FullName: 'Matrix Person', Email: email, Language: 1, PasswordSalt: '', LastHelpVisited: 0,
        InvalidLoginAttempts: 0, Active: true, APIAccess: true, NewPassword: 'correct horse battery', UserRoles: [userRole], ...more });
    assert.equal(reply.status, 200, reply.text);
    const bearer = await server.token(email, 'correct horse battery');
    return { id: reply.json.Value.Id, bearer, grant: (ids) => call('PATCH', `/api/security/userroles/${userRole}`, { Roles: ids }) };
}

test('the matrix knows every operation', () => {
    assert.ok(operations.length >= 75, `${operations.length}`);
    assert.deepEqual(operations.filter((one) => one.open).map((one) => `${one.method} ${one.path}`).sort(), [
        'GET /api/docs', 'GET /api/openapi.json', 'GET /api/sys/users/getavatar/{id}', 'GET /healthz', 'GET /metrics', 'GET /readyz',
        'POST /api/auth/resetpassword', 'POST /api/sys/users/exchange', 'POST /api/sys/users/token', 'POST /api/token'],
    'whatever is open to all is so on purpose');
});

test('without credentials, or with bad ones, everything that is not open is 401', async () => {
    const gone = await person('gone'), idle = await person('idle'), locked = await person('locked');
    await call('DELETE', `/api/sys/users/${gone.id}`);
    await call('PATCH', `/api/sys/users/${idle.id}`, { Active: false });
    await call('PATCH', `/api/sys/users/${locked.id}`, { APIAccess: false });
    for (const one of operations.filter(({ open }) => !open))
        for (const bearer of [undefined, 'x', 'A'.repeat(43), gone.bearer, idle.bearer, locked.bearer])
            assertFailure(await ask(one, bearer), 401);
});

test('each operation with a role: refused with all others, let through with those it needs alone', async () => {
    const only = await person('only'), others = await person('others');
    const guarded = operations.filter(({ needs }) => needs.length);
    assert.ok(guarded.length >= 60);
    for (const role of roles) {
        await others.grant(roles.map((one) => one.Id).filter((id) => id !== role.Id));
        for (const one of guarded.filter((operation) => operation.needs.includes(role.Name))) {
            await only.grant(roles.filter(({ Name }) => one.needs.includes(Name)).map(({ Id }) => Id));
            const refused = await ask(one, others.bearer);
            assert.equal(refused.status, 403, `${one.method} ${one.path} without ${role.Name}: ${refused.text}`);
            const passed = await ask(one, only.bearer);
            assert.ok(![401, 403].includes(passed.status), `${one.method} ${one.path} with ${role.Name}: ${passed.text}`);
        }
    }
});

test('an unrestricted administrator passes every check', async () => {
    const admin = await person('boss', { IsAdmin: true });
    for (const one of operations.filter(({ open }) => !open))
        assert.ok(![401, 403].includes((await ask(one, admin.bearer)).status), `${one.method} ${one.path}`);
});

test('who has every role but is no administrator cannot touch one, nor become one', async () => {
    const all = await person('all');
    await all.grant(roles.map((one) => one.Id));
    const before = await server.get(adminId);
    const as = (method, path, body) => server.call(method, path, { token: all.bearer, body });
    const own = await server.get(all.id);
    for (const [method, path, body] of [
        ['PUT', '/api/sys/users', { ...before, FullName: 'Overtaken' }], ['PATCH', `/api/sys/users/${adminId}`, { FullName: 'Overtaken' }],
        ['PATCH', `/api/sys/users/${adminId}`, { NewPassword: 'correct horse battery' }], ['DELETE', `/api/sys/users/${adminId}`],
        ['PATCH', `/api/sys/users/${all.id}`, { IsAdmin: true }], ['PUT', '/api/sys/users', { ...own, IsAdmin: true }],
        ['POST', '/api/sys/users', { FullName: 'Puppet', Email: 'puppet@example.com', Language: 1, PasswordSalt: '', LastHelpVisited: 0,
            InvalidLoginAttempts: 0, IsAdmin: true, NewPassword: 'correct horse battery' }],
        ['GET', `/api/sys/users/${adminId}/token/refresh`]])
        assertFailure(await as(method, path, body), 403);
    for (const Key of ['revoke-tokens', 'deactivate', 'require-password-reset', 'unlock'])
        assert.equal((await as('POST', '/api/sys/users/runcommand', { Key, Ids: [adminId] })).json.WasSuccessful, false, Key);
    assert.deepEqual(await server.get(adminId), before);
    assert.equal((await server.grant({ grant_type: 'password', username: 'admin@example.com', password })).status, 200);
    assert.equal((await server.get(all.id)).IsAdmin, false);
});
