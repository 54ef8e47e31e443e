// Operations of users on their own account (docs/contract.md section 6.6), and resets by
// must_reset_password.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, staff } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { assertRecent } from '../lib/wait.mjs';

const server = await Server.start();
const token = await server.admin();
const signIn = (username, secret) =>
    server.grant({ grant_type: 'password', username, password: secret });
const reset = (Token, NewPassword) =>
    server.call('POST', '/api/auth/resetpassword', { body: { Token, NewPassword } });

test("GET /api/auth/me is the calling user's record with the names of its defaults", async () => {
    const bearer = await server.token('editor@example.com');
    const { json } = await server.call('GET', '/api/auth/me', { token: bearer });
    const record = await server.get(staff.editor);
    for (const [name, value] of Object.entries(record)) assert.deepEqual(json[name], value, name);
    const business = (
        await server.call('GET', `/api/sys/businesses/${record.DefaultBusinessId}`, { token })
    ).json;
    assert.equal(json.DefaultBusinessName, business.Name);
    assert.deepEqual(
        [json.DefaultCurrencyCode, json.NewPasswordConfirm, json.OldPassword],
        [null, null, null],
    );
    assertFailure(await server.call('GET', '/api/auth/me'), 401);
});

test('POST /api/sys/users/validate says whether a password is right', async () => {
    const ask = (body, options) =>
        server.call('POST', '/api/sys/users/validate', { token, body, ...options });
    const right = await ask({ Email: 'EDITOR@example.com', Password: password });
    const { Value, UpdatedOn, ...rest } = right.json;
    const members = Object.keys(
        (await server.call('PATCH', `/api/sys/users/${staff.editor}`, { token, body: {} })).json,
    );
    assert.equal(members.length, 11);
    assert.deepEqual(Object.keys(right.json), members);
    assert.deepEqual(rest, {
        Status: 200,
        Message: null,
        OpenInDialog: false,
        OpenInWindow: false,
        RedirectURL: null,
        JavaScript: null,
        UpdatedBy: 'admin@example.com',
        Errors: null,
        WasSuccessful: true,
    });
    assert.equal(Value.Id, staff.editor);
    assertRecent(UpdatedOn);
    for (const body of [
        { Email: 'editor@example.com', Password: 'wrong' },
        { Email: 'nobody@example.com', Password: 'wrong' },
    ]) {
        const { json } = await ask(body);
        assert.deepEqual(Object.keys(json), members);
        assert.deepEqual(
            [json.Status, json.Message, json.Value, json.WasSuccessful],
            [500, 'The email address or password you entered is not valid.', null, false],
        );
    }
    assertInvalid(await ask({ Email: 'editor@example.com' }), 'Password', /required/);
    assertFailure(
        await ask(
            { Email: 'a', Password: 'b' },
            { token: await server.token('lister@example.com') },
        ),
        403,
    );
});

test('must_reset_password hands out a token that sets a new password, once', async () => {
    const bearer = await server.token('frontdesk@example.com');
    await server.update(staff.frontdesk, { MustResetPassword: true });
    const refused = await signIn('frontdesk@example.com', password);
    assert.equal(refused.json.error, 'must_reset_password');
    const resetToken = refused.json.error_description;
    assertInvalid(await reset(resetToken, 'short'), 'NewPassword', /at least 8/);
    assertInvalid(
        await reset(resetToken, 'frontdesk@example.com'),
        'NewPassword',
        /e-mail address or name/,
    );
    const replies = await Promise.all(
        [1, 2, 3].map(() => reset(resetToken, 'correct horse battery')),
    );
    assert.deepEqual(replies.map((reply) => reply.status).sort(), [200, 400, 400]);
    assertInvalid(
        await reset(resetToken, 'another horse battery'),
        'Token',
        /not a valid reset token/,
    );
    assert.equal((await signIn('frontdesk@example.com', 'correct horse battery')).status, 200);
    assert.equal((await signIn('frontdesk@example.com', password)).json.error, 'invalid_grant');
    assertFailure(await server.call('GET', '/api/auth/me', { token: bearer }), 401);
    const user = await server.get(staff.frontdesk);
    assert.deepEqual([user.MustResetPassword, user.UpdatedBy], [false, 'frontdesk@example.com']);
});

test('validate says that a new password is due, and other uses of the old one leave the reset token valid', async () => {
    await server.update(staff.manager, { MustResetPassword: true });
    const { error_description } = (await signIn('manager@example.com', password)).json;
    const validated = await server.call('POST', '/api/sys/users/validate', {
        token,
        body: { Email: 'manager@example.com', Password: password },
    });
    assert.deepEqual(
        [validated.json.Status, validated.json.Value.Id, validated.json.Value.MustResetPassword],
        [200, staff.manager, true],
    );
    const basic = { Authorization: `Basic ${btoa(`manager@example.com:${password}`)}` };
    assertFailure(await server.call('GET', '/api/auth/me', { headers: basic }), 401);
    assert.equal(
        (
            await server.call('POST', '/api/sys/users/token', {
                body: { email: 'manager@example.com', password },
            })
        ).json.Value,
        null,
    );
    assert.equal((await reset(error_description, 'correct horse battery')).status, 200);
    await server.update(staff.manager, { NewPassword: password });
});

test('an access token resets nothing, and a reset token is no bearer', async () => {
    assertInvalid(await reset(token, 'correct horse battery'), 'Token', /not a valid reset token/);
    assertInvalid(await reset('', 'correct horse battery'), 'Token', /required/);
    await server.update(staff.manager, { MustResetPassword: true });
    const { json } = await signIn('manager@example.com', password);
    assertFailure(await server.call('GET', '/api/auth/me', { token: json.error_description }), 401);
    await server.call('POST', '/api/sys/users/runcommand', {
        token,
        body: { Key: 'deactivate', Ids: [staff.manager] },
    });
    assertInvalid(
        await reset(json.error_description, 'correct horse battery'),
        'Token',
        /not a valid reset token/,
    );
    assert.equal((await server.get(adminId)).MustResetPassword, false);
});

// ---- One-time tokens ----

const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
const exchange = (jwt, more = '') =>
    server.call('POST', `/api/sys/users/exchange?token=${jwt}${more}`);
const oneTime = (method, path, bearer = token) =>
    server.call(method, `/api/sys/users${path}`, { token: bearer });

test('POST /api/sys/users/token gives a one-time JWT for a password', async () => {
    const { json } = await server.call('POST', '/api/sys/users/token', {
        body: { email: 'editor@example.com', password, validityInMinutes: 5 },
    });
    assert.deepEqual([json.Status, json.WasSuccessful], [200, true]);
    assert.deepEqual(JSON.parse(Buffer.from(json.Value.split('.')[0], 'base64url')), {
        alg: 'HS256',
        typ: 'JWT',
    });
    const { email, iss, aud, exp, nbf } = claims(json.Value);
    assert.deepEqual([email, iss, aud, exp - nbf], ['editor@example.com', 'self', 'roster', 300]);
    const wrong = await server.call('POST', '/api/sys/users/token', {
        body: { email: 'editor@example.com', password: 'wrong' },
    });
    assert.deepEqual(
        [wrong.json.Status, wrong.json.Value, wrong.json.WasSuccessful],
        [500, null, false],
    );
    assertInvalid(
        await server.call('POST', '/api/sys/users/token', { body: { email: 'a@example.com' } }),
        'password',
        /required/,
    );
});

test('a password gives no one-time token to a user with a second factor, with a due reset or without APIAccess', async () => {
    const patch = (body) => server.call('PATCH', `/api/sys/users/${staff.reader}`, { token, body });
    const ask = async () =>
        (
            await server.call('POST', '/api/sys/users/token', {
                body: { email: 'reader@example.com', password },
            })
        ).json;
    for (const [change, back] of [
        [{ TwoFactorSecret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' }, { TwoFactorSecret: '' }],
        [{ MustResetPassword: true }, { MustResetPassword: false }],
        [{ APIAccess: false }, { APIAccess: true }],
    ]) {
        assert.equal((await patch(change)).status, 200);
        const { Status, Value, WasSuccessful } = await ask();
        assert.deepEqual(
            [Status, Value, WasSuccessful],
            [500, null, false],
            JSON.stringify(change),
        );
        assert.equal((await patch(back)).status, 200);
        assert.ok((await ask()).Value);
    }
});

test('a one-time token is traded for a pair of tokens, once, with the lifetime that was asked for', async () => {
    const jwt = (await oneTime('POST', '/token/refresh', await server.token('reader@example.com')))
        .json.Value;
    assertFailure(await server.call('GET', '/api/auth/me', { token: jwt }), 401);
    const replies = await Promise.all([1, 2, 3].map(() => exchange(jwt, '&validForInMinutes=60')));
    assert.deepEqual(replies.map((reply) => reply.status).sort(), [200, 401, 401]);
    const { json } = replies.find((reply) => reply.status === 200);
    assert.equal(json.token_type, 'bearer');
    assert.ok(json.expires_in <= 3600 && json.expires_in > 0, `${json.expires_in}`);
    assert.equal(
        (await server.call('GET', '/api/auth/me', { token: json.access_token })).json.Id,
        staff.reader,
    );
    assertFailure(await exchange(`${jwt}x`), 401);
    assertFailure(await exchange(''), 401);
    for (const minutes of ['0', '-1', '10081', '1.5', 'x', '', '%zz', '0&validForInMinutes=5'])
        assertInvalid(
            await exchange(jwt, `&validForInMinutes=${minutes}`),
            'validForInMinutes',
            /from 1 to 10080/,
        );
    const misspelled = await exchange('', '&validityInMinutes=5&ValidForInMinutes=5');
    assert.equal(
        misspelled.headers.get('x-ignored-parameters'),
        'validityInMinutes',
        'a bound that is none is not taken in silence',
    );
    const again = (await oneTime('POST', '/token/refresh')).json.Value;
    assert.equal((await exchange(again)).json.expires_in, 86400);
    for (const minutes of [1, 10080]) {
        const { status, json: bounded } = await exchange(
            (await oneTime('POST', '/token/refresh')).json.Value,
            `&validForInMinutes=${minutes}`,
        );
        assert.ok(
            status === 200 && bounded.expires_in <= minutes * 60,
            `${minutes}: ${bounded.expires_in}`,
        );
    }
});

test('only an unrestricted administrator signs in as somebody else', async () => {
    const editor = await server.token('editor@example.com');
    assertFailure(await oneTime('GET', `/${adminId}/token/refresh`, editor), 403);
    assertFailure(await oneTime('GET', `/${staff.deleter}/token/refresh`, editor), 403);
    assert.equal((await oneTime('GET', `/${staff.editor}/token/refresh`, editor)).status, 200);
    const jwt = (await oneTime('GET', `/${staff.lister}/token/refresh`)).json.Value;
    assert.equal(claims(jwt).email, 'lister@example.com');
    await server.call('POST', '/api/sys/users/runcommand', {
        token,
        body: { Key: 'deactivate', Ids: [staff.lister] },
    });
    assertFailure(await exchange(jwt), 401);
    assertFailure(await oneTime('GET', `/${staff.lister}/token/refresh`), 409);
    for (const id of [staff.lister, 5])
        assertFailure(await oneTime('GET', `/${id}/token/refresh`, editor), 403); // the reply does not say which of the two it is
    assertFailure(await oneTime('GET', '/5/token/refresh'), 404);
});

test('a one-time token does not get around a due password reset', async () => {
    const bearer = await server.token('creator@example.com');
    const before = (await oneTime('POST', '/token/refresh', bearer)).json.Value;
    await server.call('POST', '/api/sys/users/runcommand', {
        token,
        body: { Key: 'require-password-reset', Ids: [staff.creator] },
    });
    assertFailure(await oneTime('POST', '/token/refresh', bearer), 401);
    assertFailure(await oneTime('GET', `/${staff.creator}/token/refresh`), 409);
    assertFailure(await exchange(before), 401);
});

test('an exchange gives no more time than a sign-in does', async () => {
    const brief = await Server.start(['--token-lifetime', '3600']);
    const byToken = () => brief.call('POST', '/api/sys/users/token/refresh', { token: adminToken });
    const byPassword = () =>
        brief.call('POST', '/api/sys/users/token', { body: { email: adminEmail, password } });
    const adminToken = await brief.admin();
    for (const ask of [byToken, byPassword])
        for (const more of ['', '&validForInMinutes=10080']) {
            const given = (
                await brief.call(
                    'POST',
                    `/api/sys/users/exchange?token=${(await ask()).json.Value}${more}`,
                )
            ).json.expires_in;
            assert.ok(given > 0 && given <= 3600, `${given}`);
        }
});

test('a new password does not undo what an administrator changes meanwhile', async () => {
    await server.update(staff.deleter, { MustResetPassword: true });
    const resetToken = (await signIn('deleter@example.com', password)).json.error_description;
    const [reply] = await Promise.all([
        reset(resetToken, 'correct horse battery'),
        server.call('PATCH', `/api/sys/users/${staff.deleter}`, {
            token,
            body: { FullName: 'Renamed Meanwhile' },
        }),
    ]);
    assert.equal(reply.status, 200, reply.text);
    assert.equal((await server.get(staff.deleter)).FullName, 'Renamed Meanwhile');
});

test("an exchange leaves the tokens of the user's other clients alone", async () => {
    const first = (await signIn('editor@example.com', password)).json;
    const jwt = (
        await server.call('GET', `/api/sys/users/${staff.editor}/token/refresh`, { token })
    ).json.Value;
    assert.equal((await exchange(jwt)).status, 200);
    const again = await server.grant({
        grant_type: 'refresh_token',
        refresh_token: first.refresh_token,
        client_id: 'editor@example.com',
    });
    assert.equal(again.status, 200, again.text);
});
