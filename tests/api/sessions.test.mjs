// A family of tokens ends as a whole: the tokens of one sign-in, those that were made with them,
// and so on.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, staff } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, createPerson, password } from '../lib/users.mjs';
import { assertEndsWithin, assertRecent } from '../lib/wait.mjs';

const server = await Server.start(['--trusted-proxies', '127.0.0.1']);
const admin = await server.admin();
const call = (method, path, options) => server.call(method, path, { token: admin, ...options });
const signIn = async (username, client_id = 'phone', secret = password) => {
    const { status, json, text } = await server.grant({
        grant_type: 'password',
        username,
        password: secret,
        client_id,
    });
    assert.equal(status, 200, text);
    return json;
};
const refresh = (refresh_token, more = {}) =>
    server.grant({ grant_type: 'refresh_token', refresh_token, ...more });
const steal = (refresh_token) => refresh(refresh_token, { client_id: 'thief' }); // a spent one: its own client may come twice
const works = async ({ access_token: token }) =>
    (await call('GET', '/api/auth/me', { token })).status === 200;
const lives = async (session) => [
    await works(session),
    (await refresh(session.refresh_token)).status === 200,
];
const basic = (email, secret) => ({
    token: undefined,
    headers: { Authorization: `Basic ${btoa(`${email}:${secret}`)}` },
});

// A one-time token, for oneself or for somebody else, and the session that it is traded for.
const own = async (options) =>
    (await call('POST', '/api/sys/users/token/refresh', options)).json.Value;
const of = async (id, options) =>
    (await call('GET', `/api/sys/users/${id}/token/refresh`, options)).json.Value;
const exchange = (jwt, more = '') =>
    call('POST', `/api/sys/users/exchange?token=${jwt}${more}`, { token: undefined });
const trade = async (jwt, more) => {
    const { status, json, text } = await exchange(jwt, more);
    assert.equal(status, 200, text);
    return json;
};

const person = (more) => createPerson(server, admin, 'session', more);
const tokensOf = async ({ id }) =>
    (await call('GET', `/api/sys/refreshtokens?RefreshToken_UserId=${id}`)).json.Records;

// ---- What a session tells ----

const from = (address) => ({ 'X-Forwarded-For': address });
const told = ({ ClientId, ClientAddress, SignedInOn }) => ({ ClientId, ClientAddress, SignedInOn });
// As if all had happened an hour ago. Readers look again after a change that the server made.
const age = async (id) => {
    server.sql(`UPDATE tokens SET issued_ms = issued_ms - 3600000,
        signed_in_ms = signed_in_ms - 3600000 WHERE user_id = ${id}`);
    await person();
};
const kept = (address) =>
    server.sql(`SELECT count(*) FROM tokens WHERE client_address = '${address}'`);
const enter = async (username, address) =>
    (
        await server.grant(
            { grant_type: 'password', username, password, client_id: 'phone' },
            from(address),
        )
    ).json;

test('a session tells since when it lasts, when it was last refreshed, and where its client was then', async () => {
    const { id, email } = await person(),
        session = await enter(email, '192.0.2.71'),
        [fresh] = await tokensOf({ id });
    assertRecent(fresh.SignedInOn);
    await age(id);
    const [begun] = await tokensOf({ id });
    assert.ok(begun.SignedInOn < fresh.SignedInOn && begun.UpdatedOn < fresh.UpdatedOn);
    assert.deepEqual([begun.ClientId, begun.ClientAddress], ['phone', '192.0.2.71']);

    const asked = await call('GET', '/api/auth/me', {
        token: session.access_token,
        headers: from('192.0.2.72'),
    });
    assert.equal(asked.status, 200, asked.text);
    assert.deepEqual(await tokensOf({ id }), [begun], 'a request changes nothing of it');

    const form = { grant_type: 'refresh_token', refresh_token: session.refresh_token },
        next = await server.grant(form, from('2001:db8::73'));
    assert.equal(next.status, 200, next.text);
    const [refreshed, ...more] = await tokensOf({ id });
    assert.deepEqual(more, []);
    assert.deepEqual(told(refreshed), {
        ClientId: 'phone',
        ClientAddress: '2001:db8::73',
        SignedInOn: begun.SignedInOn,
    });
    assertRecent(refreshed.UpdatedOn);
    assert.deepEqual(
        ['192.0.2.71', '2001:db8::73'].map((address) => `${kept(address)}`),
        ['0', '1'],
        'a spent token has no address',
    );

    const again = await server.grant(form, from('192.0.2.74'));
    assert.equal(again.json.refresh_token, next.json.refresh_token);
    assert.deepEqual(await tokensOf({ id }), [refreshed], 'the same pair again is no refresh');

    await enter(email, '192.0.2.75');
    const [anew, ...others] = await tokensOf({ id });
    assert.deepEqual([anew.ClientAddress, others], ['192.0.2.75', []]);
    assertRecent(anew.SignedInOn, 'a new sign-in begins a new session');
});

test('sessions of browsers, and those that one-time tokens were traded for, tell it too', async () => {
    const { id, email } = await person(),
        session = await enter(email, '192.0.2.81');
    const jwt = await own({ token: session.access_token });
    const traded = await call('POST', `/api/sys/users/exchange?token=${jwt}`, {
        token: undefined,
        headers: from('192.0.2.82'),
    });
    assert.equal(traded.status, 200, traded.text);
    const browser = await server.call('POST', '/api/auth/session', {
        headers: { 'Roster-Session': 'http', ...from('192.0.2.83') },
        body: { Email: email, Password: password },
    });
    assert.equal(browser.json.State, 'SignedIn', browser.text);
    const rows = await tokensOf({ id });
    assert.deepEqual(
        rows.map(({ ClientId, ClientAddress }) => `${ClientId} ${ClientAddress}`).sort(),
        ['browser 192.0.2.83', 'one-time 192.0.2.82', 'phone 192.0.2.81'],
    );
    for (const { SignedInOn } of rows) assertRecent(SignedInOn);
    const found = await call('GET', '/api/sys/refreshtokens?RefreshToken_ClientAddress=192.0.2.82');
    assert.deepEqual(
        found.json.Records.map(({ UserId, ClientId }) => [UserId, ClientId]),
        [[id, 'one-time']],
    );
});

// ---- How a session ends ----

// How a family ends, given its first session; `later` is one that came of it by a refresh.
const ends = {
    'its refresh token being used twice': async ({ first }) =>
        assert.equal((await steal(first.refresh_token)).status, 400),
    'its refresh token being deleted': async ({ id }) => {
        const [{ Id }] = (await tokensOf({ id })).filter(({ ClientId }) => ClientId === 'phone');
        assert.equal((await call('DELETE', `/api/sys/refreshtokens/${Id}`)).status, 200);
    },
    'revoke-tokens': async ({ id }) =>
        call('POST', '/api/sys/users/runcommand', { body: { Key: 'revoke-tokens', Ids: [id] } }),
    'a new password': async ({ id }) =>
        call('PATCH', `/api/sys/users/${id}`, { body: { NewPassword: 'correct horse battery' } }),
    deactivation: async ({ id }) =>
        call('PATCH', `/api/sys/users/${id}`, { body: { Active: false } }),
    demotion: async ({ id }) => call('PATCH', `/api/sys/users/${id}`, { body: { IsAdmin: false } }),
    deletion: async ({ id }) => call('DELETE', `/api/sys/users/${id}`),
};

for (const [name, end] of Object.entries(ends)) {
    test(`${name} ends all that came of the sign-in, and nothing else`, async () => {
        const maker = await person({ IsAdmin: true }),
            member = await person(),
            further = await person({ IsAdmin: true }),
            last = await person();
        const first = await signIn(maker.email),
            later = (await refresh(first.refresh_token)).json;
        const made = {
            own: await trade(await own({ token: later.access_token })),
            'own, by the token before': await trade(await own({ token: first.access_token })),
            'of another': await trade(await of(member.id, { token: later.access_token })),
        };
        made['own, of the derived one'] = await trade(await own({ token: made.own.access_token }));
        made['of another administrator'] = await trade(
            await of(further.id, { token: first.access_token }),
        );
        made['of another by another'] = await trade(
            await of(last.id, { token: made['of another administrator'].access_token }),
        );
        const waiting = [
            await own({ token: later.access_token }),
            await of(member.id, { token: later.access_token }),
        ];
        const others = [
            await signIn(member.email),
            await signIn(further.email),
            await signIn(last.email),
            await trade(await of(last.id)),
        ];
        for (const [what, session] of Object.entries({ first, later, ...made }))
            assert.ok(await works(session), `before: ${what}`);
        await end({ id: maker.id, first });
        for (const [what, session] of Object.entries({ later, ...made }))
            assert.deepEqual(await lives(session), [false, false], what);
        assert.equal(await works(first), false);
        for (const jwt of waiting) assertFailure(await exchange(jwt), 401);
        for (const session of others.slice(0, 3))
            assert.deepEqual(
                await lives(session),
                [true, true],
                'who signed in on their own stays',
            );
        assert.ok(await works(others[3]), 'so does what somebody else made');
    });
}

test('one-time tokens and sessions that a session made end with it', async () => {
    const maker = await person({ IsAdmin: true }),
        member = await person();
    const session = await signIn(maker.email),
        given = await trade(await of(member.id, { token: session.access_token }));
    const next = (await refresh(given.refresh_token)).json;
    assertFailure(await call('GET', '/api/sys/users/1', { token: next.access_token }), 403);
    assert.equal((await steal(given.refresh_token)).status, 400, 'used twice');
    assert.equal(await works(next), false);
    assert.deepEqual(await lives(session), [true, true], 'whoever gave it keeps his own');
});

test('a second sign-in is a family of its own', async () => {
    const { email } = await person(),
        first = await signIn(email, 'phone'),
        other = await signIn(email, 'laptop');
    await refresh(first.refresh_token);
    await steal(first.refresh_token);
    assert.equal(await works(first), false);
    assert.deepEqual(await lives(other), [true, true]);
});

test('deleting a refresh token ends what its client still has of earlier sign-ins', async () => {
    const { id, email } = await person(),
        before = await signIn(email),
        now = await signIn(email),
        other = await signIn(email, 'laptop');
    await ends['its refresh token being deleted']({ id });
    assert.deepEqual(
        [await works(before), await works(now), await works(other)],
        [false, false, true],
    );
});

test('tokens made with Basic end with the password', async () => {
    const maker = await person({ IsAdmin: true }),
        member = await person(),
        by = basic(maker.email, password);
    const made = [await trade(await own(by)), await trade(await of(member.id, by))];
    const waiting = await of(member.id, by),
        other = await signIn(member.email);
    assert.deepEqual(await Promise.all(made.map(works)), [true, true]);
    await call('PATCH', `/api/sys/users/${maker.id}`, {
        body: { NewPassword: 'correct horse battery' },
    });
    for (const session of made) assert.deepEqual(await lives(session), [false, false]);
    assertFailure(await exchange(waiting), 401);
    assert.deepEqual(await lives(other), [true, true]);
});

test('validForInMinutes bounds all that comes of an exchange', async () => {
    const { email } = await person(),
        jwt = async () =>
            (
                await call('POST', '/api/sys/users/token', {
                    token: undefined,
                    body: { email, password },
                })
            ).json.Value;
    const bounded = await trade(await jwt(), '&validForInMinutes=10');
    assert.ok(bounded.expires_in <= 600 && bounded.expires_in > 0, `${bounded.expires_in}`);
    const next = (await refresh(bounded.refresh_token)).json;
    assert.ok(next.expires_in <= 600 && next.expires_in > 0, `${next.expires_in}`);
    const derived = await trade(await own({ token: next.access_token }));
    assert.ok(derived.expires_in <= 600 && derived.expires_in > 0, `${derived.expires_in}`);
    assert.ok((await refresh(derived.refresh_token)).json.expires_in <= 600);
    const free = await trade(await jwt());
    assert.equal(free.expires_in, 86400);
    assert.equal((await refresh(free.refresh_token)).json.expires_in, 604799);
});

test('tokens that a token made end when it does', async () => {
    const { id, email } = await person({ IsAdmin: true }),
        session = await signIn(email);
    const short = await trade(await own({ token: session.access_token }), '&validForInMinutes=5');
    const exp = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url')).exp;
    for (const jwt of [
        await own({ token: short.access_token }),
        await of(staff.reader, { token: short.access_token }),
    ]) {
        assertEndsWithin(1000 * exp(jwt), 300000, 'no 30 minutes');
        const made = await trade(jwt, '&validForInMinutes=10080');
        assert.ok(made.expires_in <= 300, `${made.expires_in}`);
        assert.ok((await refresh(made.refresh_token)).json.expires_in <= 300);
    }
    const made = (await tokensOf({ id })).filter(({ ClientId }) => ClientId === 'one-time');
    assert.equal(made.length, 1);
    assertEndsWithin(made[0].ExpiresOn, 300000);
});

test('only a one-time token is traded at exchange: 401 to refresh, access and reset tokens', async () => {
    const { id, email } = await person(),
        session = await signIn(email);
    for (const token of [session.refresh_token, session.access_token])
        assertFailure(await exchange(token), 401);
    assert.deepEqual(await lives(session), [true, true], 'nothing came of it');
    await call('PATCH', `/api/sys/users/${id}`, { body: { MustResetPassword: true } });
    const reset = (await server.grant({ grant_type: 'password', username: email, password })).json
        .error_description;
    assertFailure(await exchange(reset), 401);
    assert.equal(
        (
            await call('POST', '/api/auth/resetpassword', {
                token: undefined,
                body: { Token: reset, NewPassword: 'correct horse battery' },
            })
        ).status,
        200,
    );
});

test('only a refresh token refreshes: invalid_grant to access, one-time and reset tokens', async () => {
    const { id, email } = await person(),
        session = await signIn(email),
        jwt = await own({ token: session.access_token });
    const refuse = async (token) =>
        assert.equal((await refresh(token)).json.error, 'invalid_grant');
    for (const token of [session.access_token, jwt]) await refuse(token);
    assert.ok(await works(await trade(jwt)), 'nothing came of it');
    assert.deepEqual(await lives(session), [true, true]);
    await call('PATCH', `/api/sys/users/${id}`, { body: { MustResetPassword: true } });
    const Token = (await server.grant({ grant_type: 'password', username: email, password })).json
        .error_description;
    await refuse(Token);
    assert.equal(
        (
            await call('POST', '/api/auth/resetpassword', {
                token: undefined,
                body: { Token, NewPassword: 'correct horse battery' },
            })
        ).status,
        200,
    );
});

test('a user with a due password reset gets nothing by a refresh or an exchange', async () => {
    for (const demand of [
        (id) =>
            call('POST', '/api/sys/users/runcommand', {
                body: { Key: 'require-password-reset', Ids: [id] },
            }),
        (id) => call('PATCH', `/api/sys/users/${id}`, { body: { MustResetPassword: true } }),
    ]) {
        const { id, email } = await person(),
            session = await signIn(email),
            jwt = await own({ token: session.access_token });
        assert.equal((await demand(id)).status, 200);
        const reply = await refresh(session.refresh_token);
        assert.deepEqual([reply.status, reply.json.error], [400, 'invalid_grant']);
        assertFailure(await exchange(jwt), 401);
        assertFailure(await call('GET', '/api/auth/me', basic(email, password)), 401);
    }
});

test('a user who lost APIAccess gets nothing by a one-time or refresh token', async () => {
    const { id, email } = await person(),
        session = await signIn(email),
        jwt = await own({ token: session.access_token });
    const allow = (APIAccess) => call('PATCH', `/api/sys/users/${id}`, { body: { APIAccess } });
    await allow(false);
    assertFailure(await exchange(jwt), 401);
    assert.equal((await refresh(session.refresh_token)).json.error, 'invalid_grant');
    assert.deepEqual(
        (await tokensOf({ id })).map(({ ClientId }) => ClientId),
        ['phone'],
        'nothing came of it',
    );
    await allow(true);
    assert.ok(await works(await trade(jwt)), 'neither was used up');
    assert.deepEqual(await lives(session), [true, true]);
});

// Rows of a version that ended no tokens when it asked for a new password, or did not ask any more.
test('a demand for a new password by an older version, which left tokens, refuses refresh and exchange; without a demand no reset token is valid', async () => {
    const { id, email } = await person(),
        session = await signIn(email),
        jwt = await own({ token: session.access_token });
    const other = await person({ MustResetPassword: true });
    const Token = (await server.grant({ grant_type: 'password', username: other.email, password }))
        .json.error_description;
    const set = (of, MustResetPassword) => {
        const user = { ...server.storedUsers(`Id = ${of}`).get(of), MustResetPassword };
        server.sql(`UPDATE users SET Members = ${server.packed(user)} WHERE Id = ${of}`);
    };
    await server.stop();
    set(id, true);
    set(other.id, false);
    await server.spawn();
    assertFailure(await exchange(jwt), 401);
    assert.equal((await refresh(session.refresh_token)).json.error, 'invalid_grant');
    assertInvalid(
        await call('POST', '/api/auth/resetpassword', {
            token: undefined,
            body: { Token, NewPassword: 'correct horse battery' },
        }),
        'Token',
        /not a valid reset token/,
    );
});

test('the administrator who did all this is signed in', async () => {
    assert.equal((await server.get(adminId)).Email, adminEmail);
    assert.ok(await works({ access_token: admin }));
});
