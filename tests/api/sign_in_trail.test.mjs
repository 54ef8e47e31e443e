// The records of sign-ins: rows of the audit trail (docs/api.md, "evidence") and lines of the log
// (docs/operations.md). They have the true reason, which no reply has, and nothing that a client
// typed.
import test from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ask } from '../lib/tls.mjs';
import { staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, required, totp } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start(['--lockout-attempts', '3', '--address-attempts', '40']);
const admin = await server.admin();
const call = (method, path, body, token = admin, headers = {}) =>
    server.call(method, path, { token, body, headers });
const trail = async (id, property) =>
    (
        await call(
            'GET',
            `/api/sys/audittrailentries?size=1000&orderBy=Id&AuditTrailEntry_EntityShortName=User&AuditTrailEntry_EntityId=${id}&AuditTrailEntry_PropertyName=${property}`,
        )
    ).json.Records.map(({ NewValue, ActionBy }) => [NewValue, ActionBy]);
const typed = [
    'typed-Wrong-Password-1',
    'nobody.typed@example.com',
    'typed-Client-2',
    '123456',
    'typed.one.time.token',
];

let people = 0;
async function person(more = {}) {
    const email = `evident${++people}@example.com`;
    const made = await call('POST', '/api/sys/users', {
        ...required(await server.get(userId)),
        FullName: 'Evident',
        Email: email,
        Active: true,
        APIAccess: true,
        NewPassword: 'seen-by-nobody',
        ...more,
    });
    assert.equal(made.status, 200, made.text);
    return { id: made.json.Value.Id, email };
}
const form = (fields) => new URLSearchParams(fields).toString();
// A sign-in from an address of this machine.
const from = (localAddress, fields, headers = {}) =>
    ask({
        host: server.host,
        port: server.port,
        localAddress,
        method: 'POST',
        path: '/api/token',
        body: form({ grant_type: 'password', ...fields }),
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    });
const grant = (username, secret = 'seen-by-nobody', more = {}) =>
    server.grant({ grant_type: 'password', username, password: secret, ...more });
const run = (Key, id) => call('POST', '/api/sys/users/runcommand', { Key, Ids: [id] });

// The events that the log has of a reason, counts included.
function told(reason, user, address = '127\\.0\\.0\\.1', on = server) {
    const line = new RegExp(
        `info: sign-in: ${reason}; ${user ? `user ${user}` : 'no user'}, from ${address}, request [0-9a-f]{16}(?:, and (\\d+) more before)?$`,
        'gm',
    );
    return [...on.stderr.matchAll(line)].reduce((sum, [, more]) => sum + 1 + Number(more ?? 0), 0);
}
const untilTold = (count, ...what) =>
    until(
        () => `${told(...what)} of ${count}: ${what}\n${server.stderr}`,
        () => told(...what) === count,
    );

// ---- The audit trail ----

test('a sign-in from a client that is new to the user is a row, and no other', async () => {
    const who = await person();
    for (const client_id of ['phone', 'phone', undefined, 'phone', 'desk', who.email])
        assert.equal(
            (await grant(who.email, undefined, client_id ? { client_id } : {})).status,
            200,
        );
    assert.deepEqual(
        await trail(who.id, 'SignIn'),
        ['phone', who.email, 'desk'].map((client) => [client, who.email]),
    );
    const oneTime = (
        await call('POST', '/api/sys/users/token', { email: who.email, password: 'seen-by-nobody' })
    ).json.Value;
    assert.equal(
        (await server.call('POST', `/api/sys/users/exchange?token=${oneTime}`)).status,
        200,
    );
    assert.deepEqual((await trail(who.id, 'SignIn')).at(-1), ['one-time', who.email]);
    await run('revoke-tokens', who.id);
    assert.equal((await grant(who.email, undefined, { client_id: 'phone' })).status, 200);
    assert.equal(
        (await trail(who.id, 'SignIn')).length,
        5,
        'where nothing is left of a client it is new',
    );
});

test('sign-ins as ever new clients do not fill the trail', async () => {
    const who = await person();
    for (let i = 0; i < 60; i++)
        assert.equal((await grant(who.email, undefined, { client_id: `client ${i}` })).status, 200);
    assert.equal((await trail(who.id, 'SignIn')).length, 50);
});

test('the failure that locks an account is a row, once for each time that it is locked', async () => {
    const who = await person();
    for (let i = 0; i < 5; i++) assert.equal((await grant(who.email, typed[0])).status, 400);
    assert.deepEqual(await trail(who.id, 'LockOut'), [['after 3 failures', 'unknown']]);
    await run('unlock', who.id);
    await Promise.all(Array.from({ length: 5 }, () => grant(who.email, typed[0])));
    assert.equal((await trail(who.id, 'LockOut')).length, 2, 'also where they come at once');
    await untilTold(2, 'the account was locked', who.id);
    await untilTold(6, 'refused, wrong password', who.id);
    await untilTold(4, 'refused, the account is locked', who.id);
});

test('codes that lock are failures too', async () => {
    const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
        who = await person({ TwoFactorSecret: secret });
    const wrong = totp(secret, 1) === typed[3] ? '654321' : typed[3];
    assert.equal((await grant(who.email)).json.error, 'two_factor_auth_check');
    for (let i = 0; i < 3; i++)
        assert.equal(
            (await grant(who.email, undefined, { totp: wrong })).json.error,
            'two_factor_auth_check',
        );
    assert.deepEqual(await trail(who.id, 'LockOut'), [['after 3 failures', 'unknown']]);
    await untilTold(1, 'refused, a one-time password is due', who.id);
    await untilTold(3, 'refused, wrong one-time password', who.id);
});

test('a reset that is demanded, and one that is used, are a row each', async () => {
    const who = await person();
    await run('require-password-reset', who.id);
    const { json } = await grant(who.email);
    assert.equal(json.error, 'must_reset_password');
    const { json: again } = await grant(who.email);
    assert.deepEqual(
        await trail(who.id, 'PasswordReset'),
        [['demanded', who.email]],
        'the second token takes the place of the first',
    );
    const reset = (Token) =>
        server.call('POST', '/api/auth/resetpassword', {
            body: { Token, NewPassword: 'another-one-of-hers' },
        });
    assert.equal((await reset(json.error_description)).status, 400);
    assert.equal((await reset(again.error_description)).status, 200);
    assert.deepEqual(await trail(who.id, 'PasswordReset'), [
        ['demanded', who.email],
        ['used', who.email],
    ]);
    assert.equal((await reset(again.error_description)).status, 400);
    await untilTold(2, 'refused, a new password is due', who.id);
    await untilTold(1, 'a new password was set by a reset token', who.id);
    await untilTold(2, 'refused, no such reset token', 0);
    for (const token of [json.error_description, again.error_description])
        assert.ok(!server.stderr.includes(token));
});

test('a refresh token that comes again later, or from elsewhere, is a row and a line', async () => {
    const who = await person(),
        { json } = await grant(who.email, undefined, { client_id: 'phone' });
    const refresh = (client_id) =>
        server.grant({ grant_type: 'refresh_token', refresh_token: json.refresh_token, client_id });
    assert.equal((await refresh('phone')).status, 200);
    assert.equal((await refresh('thief')).status, 400);
    assert.equal((await refresh('thief')).status, 400);
    assert.deepEqual(await trail(who.id, 'RefreshTokens'), [['used again', 'unknown']]);
    await untilTold(1, 'a refresh token came again, and its sessions were ended', who.id);
    assert.ok(!server.stderr.includes(json.refresh_token));
});

test('the server detects a stolen refresh token after any number of refreshes', async () => {
    const who = await person(),
        { json: stolen } = await grant(who.email, undefined, { client_id: 'phone' });
    const refresh = (refresh_token, client_id = 'phone') =>
        server.grant({ grant_type: 'refresh_token', refresh_token, client_id });
    let thief = stolen;
    for (let i = 0; i < 120; i++) thief = (await refresh(thief.refresh_token)).json;
    assert.equal((await refresh(stolen.refresh_token, 'another')).status, 400); // of the same it may be a repetition, for 10 s
    assert.deepEqual(await trail(who.id, 'RefreshTokens'), [['used again', 'unknown']]);
    assert.equal((await refresh(thief.refresh_token)).status, 400);
    assert.equal(
        (await server.call('GET', '/api/auth/me', { token: thief.access_token })).status,
        401,
    );
});

test('a session is refreshed 5,000 times, then it ends, with a row and a line; what was spent goes with it, or with the next sign-in', async () => {
    const who = await person();
    const sql = (text) => server.sql(text);
    const spent = () =>
        Number(sql(`SELECT count(*) FROM tokens WHERE user_id = ${who.id} AND kind = 2`));
    const refresh = (pair) =>
        server.grant({
            grant_type: 'refresh_token',
            refresh_token: pair.refresh_token,
            client_id: 'phone',
        });
    let { json: pair } = await grant(who.email, undefined, { client_id: 'phone' });
    ({ json: pair } = await refresh(pair));
    ({ json: pair } = await grant(who.email, undefined, { client_id: 'phone' }));
    assert.equal(spent(), 0);
    const hashes = Array.from({ length: 4999 }, () => `(${server.bytes(randomBytes(32))})`);
    sql(`INSERT INTO tokens (hash, kind, user_id, client_id, issued_ms, expires_ms, id, family, parent, ends_ms)
        SELECT made.column1, 2, user_id, client_id, issued_ms, expires_ms, NULL, family, parent, ends_ms FROM tokens,
        (VALUES ${hashes}) AS made WHERE user_id = ${who.id} AND kind = 1`);
    const last = await refresh(pair);
    assert.equal(last.status, 200, last.text);
    assert.equal((await refresh(last.json)).status, 400);
    assert.equal(
        (await server.call('GET', '/api/auth/me', { token: last.json.access_token })).status,
        401,
    );
    assert.equal(spent(), 0);
    assert.deepEqual(await trail(who.id, 'RefreshTokens'), [['used too often', 'unknown']]);
    await untilTold(1, 'sessions were refreshed 5,000 times, and ended', who.id);
});

test('a one-time token that is made for somebody else is a row, the own is none', async () => {
    const who = await person();
    assert.equal((await call('GET', `/api/sys/users/${who.id}/token/refresh`)).status, 200);
    assert.deepEqual(await trail(who.id, 'OneTimeToken'), [['issued', adminEmail]]);
    const { json } = await grant(who.email);
    assert.equal(
        (await call('POST', '/api/sys/users/token/refresh', undefined, json.access_token)).status,
        200,
    );
    assert.equal((await trail(who.id, 'OneTimeToken')).length, 1);
});

// ---- The log ----

test('each refused sign-in is logged with its address, the user and the true reason, whichever way it came', async () => {
    const idle = await person({ Active: false }),
        open = await person();
    const basic = (email, secret) =>
        server.call('GET', '/api/auth/me', {
            headers: { Authorization: `Basic ${btoa(`${email}:${secret}`)}` },
        });
    assert.equal((await from('127.0.0.2', { username: typed[1], password: typed[0] })).status, 400);
    assert.equal(
        (await from('127.0.0.3', { username: idle.email, password: 'seen-by-nobody' })).status,
        400,
    );
    assert.equal(
        (await from('127.0.0.4', { username: open.email, password: typed[0], client_id: typed[2] }))
            .status,
        400,
    );
    assert.equal((await basic(open.email, typed[0])).status, 401);
    assert.equal(
        (await server.call('POST', '/api/sys/users/exchange?token=' + typed[4])).status,
        401,
    );
    await untilTold(1, 'refused, there is no such user', 0, '127\\.0\\.0\\.2');
    await untilTold(1, 'refused, the user may not sign in', idle.id, '127\\.0\\.0\\.3');
    await untilTold(1, 'refused, wrong password', open.id, '127\\.0\\.0\\.4');
    await untilTold(1, 'refused, wrong password', open.id);
    await untilTold(1, 'refused, no such one-time token', 0);
    assert.equal((await grant(open.email)).status, 200);
    const before = server.stderr;
    assert.equal((await grant(open.email)).status, 200);
    assertFailure(await server.call('GET', '/api/auth/me'), 401);
    assert.equal(server.stderr, before, 'who gets in, or asks for nothing, is no line');
});

test('an address that is throttled is logged, with the count of its attempts within a second', async () => {
    const at = '127.0.0.9',
        pattern = '127\\.0\\.0\\.9';
    for (let i = 0; i < 40; i++)
        assert.equal((await from(at, { username: typed[1], password: typed[0] })).status, 400);
    for (let i = 0; i < 300; i++)
        assert.equal((await from(at, { username: typed[1], password: typed[0] })).status, 429);
    await untilTold(300, 'refused, too many from this address failed', 0, pattern);
    await untilTold(40, 'refused, there is no such user', 0, pattern);
});

test('no password, token or e-mail address is in the log', async () => {
    const hidden = [
        ...typed,
        'seen-by-nobody',
        password,
        'another-one-of-hers',
        adminEmail,
        'evident',
        'example.com',
        admin,
        ...Object.keys(staff),
    ];
    assert.match(server.stderr, /sign-in: refused/);
    assert.deepEqual(
        hidden.filter((word) => server.stderr.toLowerCase().includes(word.toLowerCase())),
        [],
    );
});

test('attempts that were counted but not logged are logged when the server stops', async () => {
    const own = await Server.start();
    for (let i = 0; i < 3; i++)
        assert.equal(
            (await own.grant({ grant_type: 'password', username: typed[1], password: typed[0] }))
                .status,
            400,
        );
    await own.stop();
    assert.equal(told('refused, there is no such user', 0, undefined, own), 3, own.stderr);
});
