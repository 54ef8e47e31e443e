// POST /api/token, and what its tokens are good for.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { adminId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, totp } from '../lib/users.mjs';
import { assertRecent, totpStep, until, withinOneStep } from '../lib/wait.mjs';

const server = await Server.start(['--lockout-attempts', '3']);
const passwordGrant = (username, secret = password, more = {}, headers = {}) =>
    server.grant({ grant_type: 'password', username, password: secret, ...more }, headers);
const refreshGrant = (refresh_token, more = {}, headers = {}) =>
    server.grant({ grant_type: 'refresh_token', refresh_token, ...more }, headers);
const status = async (token) =>
    (await server.call('GET', `/api/sys/users/${userId}`, { token })).status;

function assertError(reply, error, description) {
    assert.equal(reply.status, 400, reply.text);
    assert.equal(reply.json.error, error);
    if (description !== undefined) assert.equal(reply.json.error_description, description);
}
const wrongText = 'The user name or password is incorrect.';

test('the password grant gives a pair of opaque tokens', async () => {
    const reply = await passwordGrant(adminEmail);
    assert.equal(reply.status, 200);
    assert.deepEqual(Object.keys(reply.json), [
        'access_token',
        'token_type',
        'expires_in',
        'refresh_token',
    ]);
    assert.equal(reply.json.token_type, 'bearer');
    assert.equal(reply.json.expires_in, 604799);
    assert.match(reply.json.access_token, /^[\w-]{43}$/);
    assert.match(reply.json.refresh_token, /^[\w-]{43}$/);
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.equal(await status(reply.json.access_token), 200);
    assert.equal(await status(reply.json.refresh_token), 401, 'a refresh token is no access token');
});

test('the e-mail is taken in any case, an empty totp as absent', async () => {
    assert.equal(
        (await passwordGrant(adminEmail.toUpperCase(), password, { totp: '' })).status,
        200,
    );
});

test('tokens are stored only as hashes', async () => {
    const { json } = await passwordGrant(adminEmail);
    const tokens = [json.access_token, json.refresh_token];
    assert.deepEqual(
        server.found(tokens.flatMap((one) => [one, Buffer.from(one, 'base64url')])),
        [],
    );
});

test('a wrong password, an unknown user and a user without access get the same answer', async () => {
    assertError(
        await passwordGrant('deleter@example.com', 'wrong-password'),
        'invalid_grant',
        wrongText,
    );
    assertError(await passwordGrant('nobody@example.com'), 'invalid_grant', wrongText);
    const member = (await server.get(userId)).Email;
    assert.equal((await server.update(userId, { NewPassword: 'quite-good-pass' })).status, 200);
    assertError(await passwordGrant(member, 'quite-good-pass'), 'invalid_grant', wrongText);
    await server.update(userId, { APIAccess: true });
    assert.equal((await passwordGrant(member, 'quite-good-pass')).status, 200);
    await server.update(userId, { Active: false });
    assertError(await passwordGrant(member, 'quite-good-pass'), 'invalid_grant', wrongText);
    await server.update(userId, { Active: true });
});

test('an unrestricted administrator needs no APIAccess', async () => {
    assert.equal(
        (await server.update(staff.manager, { IsAdmin: true, APIAccess: false })).status,
        200,
    );
    const { access_token } = (await passwordGrant('manager@example.com')).json;
    assert.equal(await status(access_token), 200);
    await server.update(staff.manager, { IsAdmin: false });
    assertError(await passwordGrant('manager@example.com'), 'invalid_grant', wrongText);
    await server.update(staff.manager, { APIAccess: true });
});

test('other grants, a JSON body and a malformed form are refused as OAuth says', async () => {
    assertError(await server.grant({ grant_type: 'client_credentials' }), 'unsupported_grant_type');
    assertError(await server.grant({}), 'unsupported_grant_type');
    assertError(
        await server.call('POST', '/api/token', { body: { grant_type: 'password' } }),
        'unsupported_grant_type',
    );
    assertError(
        await server.grant({ grant_type: 'password', username: adminEmail }),
        'invalid_request',
    );
    assertError(
        await server.call('POST', '/api/token', {
            body: 'grant_type=password&grant_type=password',
        }),
        'invalid_request',
    );
    assertError(
        await server.call('POST', '/api/token', { body: 'grant_type=%zz' }),
        'invalid_request',
    );
    const form = new URLSearchParams({
        grant_type: 'password',
        username: adminEmail,
        password,
    }).toString();
    assert.equal((await server.call('POST', '/api/token', { body: form })).status, 200);
    for (const twice of [
        'grant_type=password',
        `username=${adminEmail}`,
        `password=${password}`,
        'totp=&totp=',
        'client_id=a&client_id=a',
    ])
        assertError(
            await server.call('POST', '/api/token', { body: `${form}&${twice}` }),
            'invalid_request',
        );
    assertError(await server.grant({ grant_type: 'refresh_token' }), 'invalid_request');
});

test("a refresh token that is used again by another client takes its client's tokens with it", async () => {
    const first = (await passwordGrant('lister@example.com', password, { client_id: 'phone' }))
        .json;
    const other = (await passwordGrant('reader@example.com', password, { client_id: 'phone' }))
        .json;
    const second = (await refreshGrant(first.refresh_token)).json;
    assert.match(second.access_token, /^[\w-]{43}$/);
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(await status(first.access_token), 403, 'still valid, only without the role');
    assertError(await refreshGrant(first.refresh_token, { client_id: 'thief' }), 'invalid_grant');
    assertError(await refreshGrant(second.refresh_token), 'invalid_grant');
    assert.equal(await status(first.access_token), 401);
    assert.equal(await status(second.access_token), 401);
    assert.equal(await status(other.access_token), 200, "another user's client of that name stays");
});

test('a new password grant for the same client replaces its refresh token and leaves others', async () => {
    const one = (await passwordGrant('reader@example.com', password, { client_id: 'a' })).json;
    const two = (await passwordGrant('reader@example.com', password, { client_id: 'b' })).json;
    await passwordGrant('reader@example.com', password, { client_id: 'a' });
    assertError(await refreshGrant(one.refresh_token), 'invalid_grant');
    assert.equal(await status(one.access_token), 200);
    assert.equal((await refreshGrant(two.refresh_token)).status, 200);
});

test('client_id may come as header, in the form or as the user of Basic; a different one is refused', async () => {
    for (const [form, headers] of [
        [{ client_id: 'x' }, {}],
        [{}, { client_id: 'x' }],
        [{}, { Authorization: `Basic ${Buffer.from('x:').toString('base64')}` }],
    ]) {
        const { json } = await passwordGrant('reader@example.com', password, form, headers);
        assertError(await refreshGrant(json.refresh_token, { client_id: 'y' }), 'invalid_grant');
        assert.equal((await refreshGrant(json.refresh_token, form, headers)).status, 200);
    }
    const { json } = await passwordGrant('reader@example.com');
    assert.equal(
        (await refreshGrant(json.refresh_token, { client_id: 'reader@example.com' })).status,
        200,
        'the default is the e-mail',
    );
});

test('an unknown, short or overlong token is 401 invalid_token', async () => {
    for (const token of ['x', 'A'.repeat(43), 'A'.repeat(5000)]) {
        const reply = await server.call('GET', `/api/sys/users/${userId}`, { token });
        assertFailure(reply, 401);
        assert.match(reply.headers.get('www-authenticate'), /^Bearer error="invalid_token"/);
    }
    assertFailure(
        await server.call('GET', `/api/sys/users/${userId}`, {
            headers: { Authorization: 'Digest x' },
        }),
        401,
    );
});

test('the account is locked after wrong passwords in a row, says nothing of it, and a PUT unlocks it', async () => {
    const email = 'creator@example.com';
    for (let i = 0; i < 3; i++)
        assertError(await passwordGrant(email, 'wrong-password'), 'invalid_grant', wrongText);
    const locked = await server.get(staff.creator);
    assert.equal(locked.InvalidLoginAttempts, 3);
    assertRecent(locked.LastLoginAttempt);
    assertError(await passwordGrant(email), 'invalid_grant', wrongText);
    assert.deepEqual(await server.get(staff.creator), locked, 'neither counter nor time move');
    assert.equal((await server.update(staff.creator, { InvalidLoginAttempts: 0 })).status, 200);
    assert.equal((await passwordGrant(email)).status, 200);
    const after = await server.get(staff.creator);
    assert.equal(after.InvalidLoginAttempts, 0);
    assertRecent(after.LastAccess);
});

// The time shows nothing either: each of them pays for a commit.
test('a sign-in writes whoever it is: a known user, a locked one or nobody', async () => {
    const sql = (text) => Number(server.sql(text));
    const written = () =>
        sql(
            `SELECT (SELECT sum(sign_ins) FROM unknown_logins) + (SELECT Version FROM users WHERE Id = ${staff.creator})`,
        );
    await server.update(staff.creator, { InvalidLoginAttempts: 0 });
    for (const email of [
        'nobody@example.com',
        'x'.repeat(300),
        ...Array(5).fill('creator@example.com'),
    ]) {
        // locked after three
        const before = written();
        assertError(await passwordGrant(email, 'wrong-password'), 'invalid_grant', wrongText);
        assert.equal(written(), before + 1, email);
    }
    await server.update(staff.creator, { InvalidLoginAttempts: 0 });
});

test('success sets the counter to 0', async () => {
    await passwordGrant('creator@example.com', 'wrong-password');
    assert.equal((await server.get(staff.creator)).InvalidLoginAttempts, 1);
    await passwordGrant('creator@example.com');
    assert.equal((await server.get(staff.creator)).InvalidLoginAttempts, 0);
});

// All codes are of one step, and a code that was used is one of this secret alone.
const secrets = ['', 'A', 'B', 'C', 'D', 'E', 'F', 'G'].map(
    (end) => `JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PX${end || 'P'}`,
);
test('a second factor asks for a code, which works once, with one step of drift', () =>
    withinOneStep(async () => {
        const secret = secrets.shift(),
            email = 'frontdesk@example.com';
        await server.update(staff.frontdesk, { TwoFactorSecret: secret, InvalidLoginAttempts: 0 });
        assertError(await passwordGrant(email), 'two_factor_auth_check');
        assertError(
            await passwordGrant(email, password, {
                totp: '000000' === totp(secret) ? '111111' : '000000',
            }),
            'two_factor_auth_check',
        );
        assertError(
            await passwordGrant(email, 'wrong-password', { totp: totp(secret) }),
            'invalid_grant',
        );
        const step = totpStep();
        assertError(
            await passwordGrant(email, password, { totp: totp(secret, step - 3) }),
            'two_factor_auth_check',
        );
        await server.update(staff.frontdesk, { InvalidLoginAttempts: 0 });
        assert.equal(
            (await passwordGrant(email, password, { totp: totp(secret, step - 1) })).status,
            200,
        );
        assert.equal((await passwordGrant(email, password, { totp: totp(secret) })).status, 200);
        assertError(
            await passwordGrant(email, password, { totp: totp(secret) }),
            'two_factor_auth_check',
        );
        const basic = {
            Authorization: `Basic ${Buffer.from(`${email}:${password}`).toString('base64')}`,
        };
        assertFailure(
            await server.call('GET', `/api/sys/users/${userId}`, { headers: basic }),
            401,
        );
        await server.update(staff.frontdesk, { TwoFactorSecret: '', InvalidLoginAttempts: 0 });
        assert.equal((await passwordGrant(email)).status, 200);
    }, secrets.length));

test('a user who must reset the password gets a reset token that opens nothing else', async () => {
    await server.update(staff.deleter, { MustResetPassword: true, InvalidLoginAttempts: 0 });
    const reply = await passwordGrant('deleter@example.com');
    assertError(reply, 'must_reset_password');
    assert.match(reply.json.error_description, /^[\w-]{43}$/);
    assert.equal(await status(reply.json.error_description), 401);
    await server.update(staff.deleter, { NewPassword: 'brand-new-pass' });
    assert.equal((await server.get(staff.deleter)).MustResetPassword, false);
    assert.equal((await passwordGrant('deleter@example.com', 'brand-new-pass')).status, 200);
    await server.update(staff.deleter, { NewPassword: password, MustResetPassword: true });
    assert.equal(
        (await server.get(staff.deleter)).MustResetPassword,
        true,
        'unless the same PUT says so',
    );
    await server.update(staff.deleter, { MustResetPassword: false });
});

for (const [what, changes, restore] of [
    ['a new password', { NewPassword: 'another-good-one' }, { NewPassword: password }],
    [
        'an imported hash',
        {
            Password:
                '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/',
        },
        { NewPassword: password },
    ],
    ['deactivation', { Active: false }, { Active: true }],
]) {
    test(`${what} revokes the user's tokens at once`, async () => {
        const { access_token, refresh_token } = (await passwordGrant('manager@example.com')).json;
        assert.equal(await status(access_token), 200);
        assert.equal((await server.update(staff.manager, changes)).status, 200);
        assert.equal(await status(access_token), 401);
        assertError(await refreshGrant(refresh_token), 'invalid_grant');
        await server.update(staff.manager, restore);
        assert.equal(await status(access_token), 401, 'and they stay so');
    });
}

test('demotion revokes tokens; losing APIAccess or a role is seen by the next request', async () => {
    await server.update(staff.manager, { IsAdmin: true });
    const { access_token } = (await passwordGrant('manager@example.com')).json;
    assert.equal(await status(access_token), 200);
    await server.update(staff.manager, { IsAdmin: false });
    assert.equal(await status(access_token), 401);
    const next = (await passwordGrant('manager@example.com')).json.access_token;
    await server.update(staff.manager, { UserRoles: [] });
    assert.equal(await status(next), 403);
    await server.update(staff.manager, { UserRoles: [407] });
    assert.equal(await status(next), 200);
    await server.update(staff.manager, { APIAccess: false });
    assert.equal(await status(next), 401);
    await server.update(staff.manager, { APIAccess: true });
});

test('an imported hash verifies at sign-in and becomes argon2id', async () => {
    const hash = execFileSync('openssl', ['passwd', '-6', 'imported-password'], {
        encoding: 'utf8',
    }).trim();
    await server.update(staff.creator, { Password: hash });
    const stored = () => server.sql(`SELECT Password FROM users WHERE Id = ${staff.creator}`);
    assert.equal(stored(), hash);
    assert.equal((await passwordGrant('creator@example.com', 'imported-password')).status, 200);
    assert.match(stored(), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    assert.equal((await passwordGrant('creator@example.com', 'imported-password')).status, 200);
});

test('a hash that costs too much is refused; what is no hash is a plain password; NewPassword wins', async () => {
    assertInvalid(
        await server.update(staff.creator, { Password: `$2b$20$${'a'.repeat(53)}` }),
        'Password',
        /too expensive/,
    );
    await server.update(staff.creator, { Password: 'plain-old-password' });
    assert.equal((await passwordGrant('creator@example.com', 'plain-old-password')).status, 200);
    await server.update(staff.creator, {
        Password: 'the-losing-one',
        NewPassword: 'the-winning-one',
    });
    assert.equal((await passwordGrant('creator@example.com', 'the-winning-one')).status, 200);
    await server.update(staff.creator, { NewPassword: '', Password: '' });
    assert.equal(
        (await passwordGrant('creator@example.com', 'the-winning-one')).status,
        200,
        'empty keeps',
    );
});

test('Basic needs what the password grant needs', async () => {
    const basic = (email, secret) =>
        server.call('GET', `/api/sys/users/${userId}`, {
            headers: {
                Authorization: `Basic ${Buffer.from(`${email}:${secret}`).toString('base64')}`,
            },
        });
    assert.equal((await basic('reader@example.com', password)).status, 200);
    assert.equal((await basic('reader@example.com', password)).status, 200, 'remembered');
    assertFailure(await basic('reader@example.com', 'wrong-password'), 401);
    assertFailure(await basic('lister@example.com', password), 403);
    await server.update(staff.reader, { NewPassword: 'changed-my-mind' });
    assertFailure(await basic('reader@example.com', password), 401);
    assert.equal((await basic('reader@example.com', 'changed-my-mind')).status, 200);
    for (const bad of ['Basic', 'Basic !!!', `Basic ${Buffer.from('nocolon').toString('base64')}`])
        assertFailure(
            await server.call('GET', `/api/sys/users/${userId}`, {
                headers: { Authorization: bad },
            }),
            401,
        );
});

test('tokens survive a restart', async () => {
    const token = await server.token();
    await server.restart();
    assert.equal(await status(token), 200);
});

test('no secret reached the log', () => {
    for (const secret of [password, 'wrong-password', 'brand-new-pass', 'JBSWY3DP', '$argon2id'])
        assert.ok(!server.stderr.includes(secret), secret);
    assert.equal(adminId, 100000001);
});

test('an expired token is refused', async () => {
    const short = await Server.start(['--token-lifetime', '1', '--refresh-lifetime', '1']);
    const { json } = await short.grant({ grant_type: 'password', username: adminEmail, password });
    assert.equal(json.expires_in, 1);
    await until(
        'the end of the token',
        async () =>
            (await short.call('GET', `/api/sys/users/${userId}`, { token: json.access_token }))
                .status === 401,
    );
    const refreshed = await short.grant({
        grant_type: 'refresh_token',
        refresh_token: json.refresh_token,
    });
    assertError(refreshed, 'invalid_grant');
});

test('client_id has at most 255 characters, and none that do not print', async () => {
    const form = { grant_type: 'password', username: adminEmail, password };
    for (const client_id of ['x'.repeat(256), 'a\nb', 'a\u0000b', 'a\u007fb']) {
        const reply = await server.grant({ ...form, client_id });
        assert.equal(reply.status, 400);
        assert.equal(reply.json.error, 'invalid_request');
        assert.match(reply.json.error_description, /client_id/);
    }
    const invalid = await server.call('POST', '/api/token', {
        body: `${new URLSearchParams(form)}&client_id=%ff`,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    assert.equal(invalid.json.error, 'invalid_request');
    assert.equal((await server.grant({ ...form, client_id: 'é'.repeat(255) })).status, 200);
});
