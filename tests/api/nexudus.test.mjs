// compatibility = nexudus changes exactly what is listed, each beside the default.
import test from 'node:test';
import assert from 'node:assert/strict';
import { fieldTable } from '../lib/database.mjs';
import { businessId, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { addNeighbours } from '../lib/world.mjs';

const roster = await Server.start();
const nexudus = await Server.start(['--compatibility', 'nexudus', '--rate-limits', 'off']);
await Promise.all([roster, nexudus].map(addNeighbours));

test('a lacking role is 401 with an empty body (default: 403 with the envelope)', async () => {
    const ask = async (server) =>
        server.call('GET', `/api/sys/users/${userId}`, {
            token: await server.token('lister@example.com'),
        });
    assertFailure(await ask(roster), 403);
    const reply = await ask(nexudus);
    assert.deepEqual([reply.status, reply.text], [401, '']);
});

test('a bad token is 401 with an empty body (default: with the envelope)', async () => {
    assertFailure(await roster.call('GET', `/api/sys/users/${userId}`, { token: 'x' }), 401);
    const reply = await nexudus.call('GET', `/api/sys/users/${userId}`, { token: 'x' });
    assert.deepEqual([reply.status, reply.text], [401, '']);
    assert.match(reply.headers.get('www-authenticate'), /invalid_token/);
});

test('an unknown Id is the JSON string "Not found" (default: the envelope)', async () => {
    for (const [method, path, body] of [
        ['GET', '/api/sys/users/5'],
        ['PUT', '/api/sys/users', { Id: 5 }],
    ]) {
        assertFailure(await roster.call(method, path, { token: await roster.admin(), body }), 404);
        const reply = await nexudus.call(method, path, { token: await nexudus.admin(), body });
        assert.deepEqual([reply.status, reply.text], [404, '"Not found"']);
    }
});

test('Language 0 is taken (default: refused)', async () => {
    assertInvalid(await roster.update(userId, { Language: 0 }), 'Language', /must be one of/);
    assert.equal((await nexudus.update(userId, { Language: 0 })).status, 200);
    assert.equal((await nexudus.get(userId)).Language, 0);
    await nexudus.update(userId, { Language: 1 });
});

test('omitted optional fields are reset, but credentials, collections and SystemId (default: all are kept)', async () => {
    const full = {
        PreferredLanguageId: 601,
        ApplicationId: 701,
        Active: true,
        APIAccess: true,
        LastAccess: '2025-01-15T10:30:00Z',
        Devices: 'phone',
        OnNewEmail: true,
        EmailCallBackGuid: '01234567-89ab-cdef-0123-456789abcdef',
        Businesses: [businessId],
        UserRoles: [402],
        SystemId: 'mine',
        SupportTeamUserEmail: 'help@example.com',
        NewPassword: 'quite-good-pass',
        TwoFactorSecret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
    };
    for (const server of [roster, nexudus]) {
        assert.equal((await server.update(userId, full)).status, 200);
        assert.equal((await server.update(userId, {})).status, 200);
    }
    const kept = await roster.get(userId),
        reset = await nexudus.get(userId);
    for (const field of fieldTable().filter(
        ({ name }) => name in full && name !== 'NewPassword' && name !== 'TwoFactorSecret',
    )) {
        const sticky = field.flags.includes('STICKY');
        assert.deepEqual(kept[field.name], full[field.name], field.name);
        assert.deepEqual(
            reset[field.name],
            sticky ? full[field.name] : field.type === 'boolean' ? false : null,
            field.name,
        );
    }
    assert.equal(reset.TwoFactorEnabled, true);
    await nexudus.update(userId, { TwoFactorSecret: '', Active: true, APIAccess: true });
    assert.equal((await nexudus.token(reset.Email, 'quite-good-pass')).length, 43);
});
