// Default lifetimes: tokens, locks and keys are valid until their end, and not longer.
import test from 'node:test';
import assert from 'node:assert/strict';
import { staff } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { adminEmail, password, totp } from '../lib/users.mjs';
import { Server } from '../lib/server.mjs';
import { Faults } from './faults.mjs';
import { totpStep } from '../lib/wait.mjs';

const faults = new Faults();
const server = await faults.start(['--demo', '--io-threads', '1']); // what one request leaves in memory the next one finds
const minute = 60 * 1000,
    hour = 60 * minute,
    day = 24 * hour;
const signIn = async (client_id) =>
    (await server.grant({ grant_type: 'password', username: adminEmail, password }, { client_id }))
        .json;

// Runs `use` when all but a minute of a time has passed, then `late` a minute after it.
async function around(time, use, late) {
    faults.setClock(time - minute);
    await use();
    faults.setClock(time + minute);
    await late();
    faults.setClock(0);
}

test('an access token is good for 7 days, less a second', async () => {
    const { access_token: token, expires_in } = await signIn('access');
    assert.equal(expires_in, 604799);
    const status = async () => (await server.call('GET', '/api/auth/me', { token })).status;
    await around(
        7 * day,
        async () => assert.equal(await status(), 200),
        async () => assert.equal(await status(), 401),
    );
});

test('a refresh token is good for 15 days', async () => {
    const early = await signIn('early'),
        late = await signIn('late');
    const refresh = (grant) =>
        server.grant({ grant_type: 'refresh_token', refresh_token: grant.refresh_token });
    await around(
        15 * day,
        async () => assert.equal((await refresh(early)).status, 200),
        async () => assert.equal((await refresh(late)).json.error, 'invalid_grant'),
    );
});

test('a refresh that comes twice has the same pair within 10 seconds, and ends its family later', async () => {
    const refresh = (grant) =>
        server.grant({ grant_type: 'refresh_token', refresh_token: grant.refresh_token });
    const me = async ({ access_token: token }) =>
        (await server.call('GET', '/api/auth/me', { token })).status;
    // The clock stands apart by less and by more than 10 s. A slow machine adds to it, so the first ones are set back.
    for (const [later, same] of [
        [-8000, true],
        [11000, false],
        [-minute, false],
    ]) {
        const first = await signIn(`twice ${later}`),
            next = (await refresh(first)).json;
        assert.equal(await me(next), 200);
        faults.setClock(later);
        const again = await refresh(first);
        assert.equal(
            again.json.access_token,
            same ? next.access_token : undefined,
            `${later} ms: ${again.text}`,
        );
        assert.equal(await me(next), same ? 200 : 401);
        assert.equal(await me(first), same ? 200 : 401);
        faults.setClock(0);
    }
});

test('a reset token is good for an hour', async () => {
    const token = (await signIn('demands')).access_token;
    const ask = async () => {
        const { json } = await server.grant({
            grant_type: 'password',
            username: 'deleter@example.com',
            password,
        });
        assert.equal(json.error, 'must_reset_password');
        return json.error_description;
    };
    const reset = (Token) =>
        server.call('POST', '/api/auth/resetpassword', {
            body: { Token, NewPassword: 'correct horse 9' },
        });
    assert.equal(
        (
            await server.call('PATCH', `/api/sys/users/${staff.deleter}`, {
                token,
                body: { MustResetPassword: true },
            })
        ).status,
        200,
    );
    let Token = await ask();
    faults.setClock(hour + minute);
    assertInvalid(await reset(Token), 'Token', /not a valid reset token/);
    faults.setClock(0);
    Token = await ask();
    faults.setClock(hour - minute);
    assert.equal((await reset(Token)).status, 200);
    faults.setClock(0);
});

test('after a lock-out counting starts again at 0, and a right password without its code does not lock the account again', async () => {
    const token = (await signIn('lock-outs')).access_token,
        username = 'creator@example.com',
        secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
    const tryIt = async (attempt, more = {}) =>
        (await server.grant({ grant_type: 'password', username, password: attempt, ...more })).json
            .error;
    const attempts = async () =>
        (await server.call('GET', `/api/sys/users/${staff.creator}`, { token })).json
            .InvalidLoginAttempts;
    const lock = async () => {
        for (let i = 0; i < 10; i++) assert.equal(await tryIt('wrong'), 'invalid_grant');
        assert.equal(await attempts(), 10);
    };
    await lock();
    await around(
        15 * minute,
        async () => assert.equal(await tryIt(password), 'invalid_grant', 'still locked'),
        async () => {
            assert.equal(await tryIt('wrong'), 'invalid_grant');
            assert.equal(await attempts(), 1);
            assert.equal(await tryIt(password), undefined);
            assert.equal(await attempts(), 0);
        },
    );
    assert.equal(
        (
            await server.call('PATCH', `/api/sys/users/${staff.creator}`, {
                token,
                body: { TwoFactorSecret: secret },
            })
        ).status,
        200,
    );
    await lock();
    await around(
        15 * minute,
        async () => {},
        async () => {
            assert.equal(await tryIt(password), 'two_factor_auth_check', 'no code yet');
            assert.equal(await attempts(), 0);
            const step = totpStep() + 2 * 16;
            assert.equal(await tryIt(password, { totp: totp(secret, step) }), undefined);
        },
    );
});

test('a one-time token is good for 30 minutes, or for as long as was asked', async () => {
    const token = (await signIn('issuer')).access_token;
    const own = async () =>
        (await server.call('POST', '/api/sys/users/token/refresh', { token })).json.Value;
    const byPassword = async (more) =>
        (
            await server.call('POST', '/api/sys/users/token', {
                body: { email: 'editor@example.com', password, ...more },
            })
        ).json.Value;
    const of = async () =>
        (await server.call('GET', `/api/sys/users/${staff.reader}/token/refresh`, { token })).json
            .Value;
    const exchange = async (jwt) =>
        (await server.call('POST', `/api/sys/users/exchange?token=${jwt}`)).status;
    for (const issue of [own, byPassword, of]) {
        const [early, late] = [await issue(), await issue()];
        await around(
            30 * minute,
            async () => assert.equal(await exchange(early), 200),
            async () => assert.equal(await exchange(late), 401),
        );
    }
    const [early, late] = [
        await byPassword({ validityInMinutes: 1440 }),
        await byPassword({ validityInMinutes: 1440 }),
    ];
    await around(
        day,
        async () => assert.equal(await exchange(early), 200),
        async () => assert.equal(await exchange(late), 401),
    );
});

test('an exchange gives access for a day', async () => {
    const {
        json: { Value },
    } = await server.call('POST', '/api/sys/users/token/refresh', {
        token: (await signIn('for a day')).access_token,
    });
    const {
        json: { access_token: token, expires_in },
    } = await server.call('POST', `/api/sys/users/exchange?token=${Value}`);
    assert.equal(expires_in, 86400);
    const me = () => server.call('GET', '/api/auth/me', { token });
    await around(
        day,
        async () => assert.equal((await me()).status, 200),
        async () => assertFailure(await me(), 401),
    );
});

test('validForInMinutes ends the session, however it was prolonged', async () => {
    const jwt = async () =>
        (
            await server.call('POST', '/api/sys/users/token', {
                body: { email: 'editor@example.com', password },
            })
        ).json.Value;
    const refresh = (refresh_token) => server.grant({ grant_type: 'refresh_token', refresh_token });
    const me = async (token) => (await server.call('GET', '/api/auth/me', { token })).status;
    const trade = async (token) =>
        (await server.call('POST', `/api/sys/users/exchange?token=${token}&validForInMinutes=60`))
            .json;
    const first = await trade(await jwt()),
        later = (await refresh(first.refresh_token)).json;
    const derived = await trade(
        (await server.call('POST', '/api/sys/users/token/refresh', { token: later.access_token }))
            .json.Value,
    );
    await around(
        hour,
        async () => {
            for (const { access_token: token } of [first, later, derived])
                assert.equal(await me(token), 200);
        },
        async () => {
            for (const { access_token: token } of [first, later, derived])
                assert.equal(await me(token), 401);
            for (const { refresh_token } of [later, derived])
                assert.equal((await refresh(refresh_token)).json.error, 'invalid_grant');
        },
    );
});

test('a one-time token that an access token made ends with it', async () => {
    const session = await signIn('derives');
    const made = (
        await server.call(
            'POST',
            `/api/sys/users/exchange?token=${(await server.call('POST', '/api/sys/users/token/refresh', { token: session.access_token })).json.Value}`,
        )
    ).json;
    const refresh = () =>
        server.grant({ grant_type: 'refresh_token', refresh_token: made.refresh_token });
    faults.setClock(7 * day + minute);
    assert.equal((await refresh()).json.error, 'invalid_grant', 'its access token is over');
    faults.setClock(7 * day - minute);
    const next = await refresh();
    assert.ok(next.json.expires_in <= 60, next.text);
    faults.setClock(0);
});

test('an Idempotency-Key is remembered for 24 hours', async () => {
    const token = (await signIn('keys')).access_token;
    const post = (Name, key) =>
        server.call('POST', '/api/sys/businesses', {
            token,
            body: { Name },
            headers: { 'Idempotency-Key': key },
        });
    const first = await post('Once', 'a key');
    assert.equal(first.status, 200, first.text);
    await around(
        day,
        async () => {
            assert.equal((await post('Once', 'a key')).text, first.text);
            assertFailure(await post('Twice', 'a key'), 422);
        },
        async () => {
            const next = await post('Twice', 'a key');
            assert.equal(next.status, 200, next.text);
            assert.notEqual(next.json.Value.Id, first.json.Value.Id);
            assert.equal(
                (await post('Twice', 'a key')).text,
                next.text,
                'and from then on for as long again',
            );
        },
    );
});

test('a start deletes what has expired, and nothing that has not', async () => {
    const own = await faults.start([]),
        sql = (text) => own.sql(text);
    const { access_token: token } = (
        await own.grant(
            { grant_type: 'password', username: adminEmail, password },
            { client_id: 'passes' },
        )
    ).json;
    assert.equal(
        (
            await own.call('POST', '/api/sys/businesses', {
                token,
                body: { Name: 'Kept' },
                headers: { 'Idempotency-Key': 'passes' },
            })
        ).status,
        200,
    );
    for (const [time, keys, access, refresh] of [
        [0, 1, 1, 1],
        [day - hour, 1, 1, 1],
        [day + hour, 0, 1, 1],
        [7 * day - hour, 0, 1, 1],
        [7 * day + hour, 0, 0, 1],
        [15 * day - hour, 0, 0, 1],
        [15 * day + hour, 0, 0, 0],
    ]) {
        faults.setClock(time);
        await own.restart();
        assert.equal(
            sql(
                `SELECT (SELECT count(*) FROM idempotency_keys), sum(kind = 0), sum(kind = 1) FROM (SELECT kind FROM tokens WHERE client_id = 'passes' UNION ALL SELECT 9)`,
            ),
            `${keys}|${access}|${refresh}`,
            `${time} ms`,
        );
    }
    faults.setClock(0);
});

test('the link for the first administrator is good for an hour', async () => {
    const fresh = await Server.startNew([], faults.env);
    const [, Secret] = /#\/first\/(\S+)/.exec(fresh.stdout);
    const make = (NewPassword) =>
        fresh.call('POST', '/api/auth/firstadministrator', {
            body: { Secret, FullName: 'Bea Boss', Email: 'bea@example.org', NewPassword },
        });
    faults.setClock(hour + minute);
    assertFailure(await make('a-word-of-ours'), 403);
    faults.setClock(hour - minute);
    assertInvalid(await make('short'), 'NewPassword', /at least 8/);
    assert.equal((await make('a-word-of-ours')).status, 200);
    faults.setClock(0);
});
