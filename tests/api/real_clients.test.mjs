// Requests that real clients send, and replies that they rely on, from reports about other servers.
// Each promise is in docs/api.md.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { password, required, totp, userBody } from '../lib/users.mjs';
import { totpStep, withinOneStep } from '../lib/wait.mjs';

const server = await Server.start(['--lockout-attempts', '3']);
const token = await server.admin();
const user = `/api/sys/users/${userId}`;
const ask = (method, path, body, more) => server.call(method, path, { token, body, ...more });
const patch = (id, body, more) => ask('PATCH', `/api/sys/users/${id}`, body, more);
const signIn = (username, secret, more = {}) =>
    server.grant({ grant_type: 'password', username, password: secret, ...more });
const basic = (email, secret) => ({
    headers: { Authorization: `Basic ${Buffer.from(`${email}:${secret}`).toString('base64')}` },
});
const me = async (more) => (await server.call('GET', '/api/auth/me', more)).status;
const statuses = async (replies) => (await Promise.all(replies)).map(({ status }) => status).sort();
const plain = userBody({ FullName: 'Somebody', Active: true, APIAccess: true });
let number = 0;

async function newUser(more = {}) {
    const Email = `person${++number}@example.org`;
    const reply = await ask('POST', '/api/sys/users', {
        ...plain,
        Email,
        NewPassword: 'correct horse 9',
        ...more,
    });
    assert.equal(reply.status, 200, reply.text);
    return { Email, Id: reply.json.Value.Id };
}

// ---- Records ----

test('a client that reads a record, changes one member and writes all of it back changes nothing else', async () => {
    const { Email, Id } = await newUser({ AccessToken: 'abc' });
    const record = await server.get(Id);
    assert.equal((await server.put({ ...record, FullName: 'Changed' })).status, 200);
    const { UpdatedOn, ToStringText, ...rest } = await server.get(Id);
    assert.deepEqual(rest, {
        ...Object.fromEntries(Object.entries(record).filter(([name]) => name in rest)),
        FullName: 'Changed',
    });
    assert.notEqual(UpdatedOn, record.UpdatedOn);
    assert.equal(ToStringText, `Changed - ${Email}`);
    assert.equal((await signIn(Email, 'correct horse 9')).status, 200);
});

test('members that an update leaves out stay as they are, Active too', async () => {
    const { Id } = await newUser({ Businesses: [businessId], Devices: 'one' });
    assert.equal((await server.update(Id, { FullName: 'Changed' })).status, 200);
    const { Active, APIAccess, Businesses, Devices } = await server.get(Id);
    assert.deepEqual([Active, APIAccess, Businesses, Devices], [true, true, [301], 'one']);
});

test('an address is no conflict with itself: it can be repeated, and the case of its letters corrected', async () => {
    const { Email, Id } = await newUser();
    for (const same of [Email, Email.toUpperCase(), `"${Email.split('@')[0]}"@example.org`])
        assert.equal((await patch(Id, { Email: same })).status, 200, same);
    assert.equal((await patch(Id, { Email: Email.toUpperCase() })).status, 200);
    assert.equal((await server.get(Id)).Email, Email.toUpperCase());
});

test('concurrent creates with spellings of one address make one user, and the others are 400', async () => {
    const spellings = [
        'réz@example.net',
        'RÉZ@EXAMPLE.net',
        're\u0301z@example.net',
        '"réz"@example.net',
        'réz@exam\u200bple.net',
        'réz@ｅxample.net',
    ];
    const replies = await statuses(
        [...spellings, ...spellings].map((Email) =>
            ask('POST', '/api/sys/users', { ...plain, Email }),
        ),
    );
    assert.deepEqual(replies, [200, ...Array(11).fill(400)]);
});

test('clients that each change one field at once lose nothing', async () => {
    const { Id } = await newUser();
    const changes = {
        FullName: 'Together',
        LastHelpVisited: 7,
        Devices: 'phone',
        OnNewEmail: true,
        LastAccess: '2031-05-06T07:08:09Z',
        Language: 2,
    };
    assert.deepEqual(
        await statuses(
            Object.entries(changes).map(([name, value]) => patch(Id, { [name]: value })),
        ),
        Array(6).fill(200),
    );
    const record = await server.get(Id);
    assert.deepEqual(
        Object.fromEntries(Object.keys(changes).map((name) => [name, record[name]])),
        changes,
    );
});

test('a search from the moment that a record was changed finds that record, with the offset written either way', async () => {
    const { Id } = await newUser();
    const { UpdatedOn } = await server.get(Id);
    for (const timestamp of [
        UpdatedOn,
        UpdatedOn.replace('Z', '%2B00:00'),
        UpdatedOn.replace('Z', '+00:00'),
    ]) {
        const { Records } = (
            await ask('GET', `/api/sys/users?size=1000&from_User_UpdatedOn=${timestamp}`)
        ).json;
        assert.ok(
            Records.some((one) => one.Id === Id),
            timestamp,
        );
        assert.ok(
            Records.every((one) => Date.parse(one.UpdatedOn) >= Date.parse(UpdatedOn)),
            timestamp,
        );
    }
});

test('a body in another encoding, and a list of operations, are 400 on Body and change nothing', async () => {
    const before = await server.get(userId);
    const text = '{"FullName":"Zoë"}',
        operations = [{ op: 'replace', path: '/FullName', value: 'Zoë' }];
    for (const body of [
        Buffer.from(text, 'latin1'),
        Buffer.from(text, 'utf16le'),
        Buffer.from(`\ufeff${text}`, 'utf16le'),
        Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
    ])
        assertInvalid(await patch(userId, body), 'Body', /UTF-8|UTF-16|not valid JSON/);
    assertInvalid(
        await patch(userId, operations, {
            headers: { 'Content-Type': 'application/json-patch+json' },
        }),
        'Body',
        /must be a JSON object/,
    );
    assert.deepEqual(await server.get(userId), before);
});

// ---- Heads ----

test('no header makes a request another one than its first line says', async () => {
    for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
        assertFailure(await ask('POST', user, {}, { headers: { [name]: 'DELETE' } }), 405);
        const put = await ask('PUT', '/api/sys/users', required(await server.get(userId)), {
            headers: { [name]: 'DELETE' },
        });
        assert.equal(put.status, 200, put.text);
    }
    assertFailure(await ask('POST', `${user}?_method=DELETE`, {}), 405);
    assert.equal((await server.get(userId)).Id, userId);
});

test('no header of a proxy makes another path or another caller', async () => {
    const foreign = {
        'X-Original-URL': '/healthz',
        'X-Rewrite-URL': '/healthz',
        'X-Forwarded-Prefix': '/healthz',
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-User': 'admin@example.com',
        'X-Remote-User': 'admin@example.com',
        Forwarded: 'for=127.0.0.1;host=evil.example',
        'X-Forwarded-For': '127.0.0.1',
    };
    assertFailure(await server.call('GET', user, { headers: foreign }), 401);
    const reply = await ask('GET', user, undefined, { headers: foreign });
    assert.equal(reply.json.Id, userId);
    assert.ok(![...reply.headers].join().includes('evil.example'));
    const { WebAddress } = (
        await server.call('GET', '/api/sys/businesses/getByHost?host=x', { headers: foreign })
    ).json;
    assert.equal(WebAddress, server.url);
});

// ---- Sign-ins ----

test('a password with colons, blanks at its ends, or of any script signs in by the form and by Basic; one with a NUL is refused', async () => {
    for (const secret of [
        'a:b::c d:e:',
        '  edges of it  ',
        'p+l&u=s % #;"\\',
        'пароль наоборот',
        '密码真的很难猜到呢',
        '🔑 and 👩‍👩‍👧 too',
        Array.from({ length: 256 }, (_, i) => String.fromCodePoint(0x3b1 + ((i * 7) % 24))).join(
            '',
        ),
    ]) {
        const { Email } = await newUser({ NewPassword: secret });
        assert.equal((await signIn(Email, secret)).status, 200, secret);
        assert.equal(await me(basic(Email, secret)), 200, secret);
        assert.equal((await signIn(Email, secret.trim().slice(0, -1))).status, 400);
    }
    assertInvalid(
        await patch(userId, { NewPassword: 'nul\u0000nul\u0000nul' }),
        'NewPassword',
        /NUL/,
    );
});

test('the form of a sign-in is read under any Content-Type', async () => {
    const { Email } = await newUser({ NewPassword: 'p+a&s%s =wörd' });
    const body = new URLSearchParams({
        grant_type: 'password',
        username: Email,
        password: 'p+a&s%s =wörd',
    }).toString();
    for (const type of [
        'application/x-www-form-urlencoded; charset=UTF-8',
        'APPLICATION/X-WWW-FORM-URLENCODED',
        'text/plain',
        'application/json',
    ]) {
        const reply = await server.call('POST', '/api/token', {
            body,
            headers: { 'Content-Type': type },
        });
        assert.equal(reply.status, 200, `${type}: ${reply.text}`);
    }
});

test('a NUL in any parameter of a sign-in is 400 in JSON', async () => {
    const byPassword = {
        grant_type: 'password',
        username: 'admin@example.com',
        password,
        client_id: 'x',
    };
    const byToken = {
        grant_type: 'refresh_token',
        refresh_token: (await signIn('admin@example.com', password)).json.refresh_token,
        client_id: 'admin@example.com',
    };
    for (const form of [byPassword, byToken]) {
        for (const name of Object.keys(form)) {
            const reply = await server.grant({ ...form, [name]: `${form[name]}\0` });
            assert.equal(reply.status, 400, `${name}: ${reply.text}`);
            assert.equal(typeof reply.json.error, 'string');
        }
        assert.equal((await server.grant(form)).status, 200, 'without it');
    }
});

test('a changed address leaves the tokens that there are, and signs in', async () => {
    const { Email, Id } = await newUser();
    const { access_token, refresh_token } = (await signIn(Email, 'correct horse 9')).json;
    assert.equal((await patch(Id, { Email: `moved.${Email}` })).status, 200);
    assert.equal(await me({ token: access_token }), 200);
    assert.equal((await server.grant({ grant_type: 'refresh_token', refresh_token })).status, 200);
    assert.equal((await signIn(`moved.${Email}`, 'correct horse 9')).status, 200);
    assert.equal((await signIn(Email, 'correct horse 9')).json.error, 'invalid_grant');
});

const doors = {
    token: (email, secret) => signIn(email, secret),
    Basic: (email, secret) => server.call('GET', '/api/auth/me', basic(email, secret)),
    validate: (Email, Password) => ask('POST', '/api/sys/users/validate', { Email, Password }),
    'users/token': (email, secret) =>
        server.call('POST', '/api/sys/users/token', { body: { email, password: secret } }),
};

test('wrong passwords count together wherever they are tried, and however the address is spelled', async () => {
    const { Email, Id } = await newUser();
    const attempts = async () => (await server.get(Id)).InvalidLoginAttempts;
    for (const [name, door] of Object.entries(doors)) {
        await patch(Id, { InvalidLoginAttempts: 0 });
        await door(Email.toUpperCase(), 'a guess');
        assert.equal(await attempts(), 1, name);
    }
    await doors.token(Email, 'a guess');
    await doors.Basic(Email, 'a guess');
    assert.equal(await attempts(), 3);
    for (const [name, door] of Object.entries(doors)) {
        const { status, json } = await door(Email, 'correct horse 9');
        assert.ok(status !== 200 || json.WasSuccessful === false, `${name}: locked`);
    }
});

test('when a lock-out is over one more wrong password does not lock again, whichever way it comes', async () => {
    const { Email, Id } = await newUser();
    for (const [name, door] of Object.entries(doors)) {
        await patch(Id, { InvalidLoginAttempts: 3, LastLoginAttempt: '2020-01-01T00:00:00Z' });
        await door(Email, 'a guess');
        assert.equal((await server.get(Id)).InvalidLoginAttempts, 1, name);
        assert.equal((await signIn(Email, 'correct horse 9')).status, 200, name);
    }
});

test('a new password by a reset token ends a lock-out, too', async () => {
    const { Email, Id } = await newUser({ MustResetPassword: true });
    const Token = (await signIn(Email, 'correct horse 9')).json.error_description;
    for (let i = 0; i < 3; i++) await signIn(Email, 'a guess');
    assert.equal((await server.get(Id)).InvalidLoginAttempts, 3);
    assert.equal(
        (
            await server.call('POST', '/api/auth/resetpassword', {
                body: { Token, NewPassword: 'fresh password 7' },
            })
        ).status,
        200,
    );
    assert.equal((await signIn(Email, 'fresh password 7')).status, 200);
});

// ---- What is good for once ----

test('one code that is sent six times at once, in two spellings, signs in once', () =>
    withinOneStep(async () => {
        const TwoFactorSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
        const { Email } = await newUser({ TwoFactorSecret });
        const code = totp(TwoFactorSecret, totpStep()),
            spaced = `${code.slice(0, 3)} ${code.slice(3)}`;
        const replies = await statuses(
            [code, spaced, code, spaced, code, spaced].map((one) =>
                signIn(Email, 'correct horse 9', { totp: one }),
            ),
        );
        assert.deepEqual(replies, [200, ...Array(5).fill(400)]);
    }));

test('one reset token that is sent with five passwords at once sets one of them', async () => {
    const { Email } = await newUser({ MustResetPassword: true });
    const Token = (await signIn(Email, 'correct horse 9')).json.error_description;
    const secrets = ['one', 'two', 'three', 'four', 'five'].map((one) => `fresh password ${one}`);
    const replies = await Promise.all(
        secrets.map((NewPassword) =>
            server.call('POST', '/api/auth/resetpassword', { body: { Token, NewPassword } }),
        ),
    );
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 400, 400, 400, 400]);
    const winner = replies.findIndex(({ status }) => status === 200);
    const losers = secrets.filter((_, i) => i !== winner);
    assert.equal(await me(basic(Email, secrets[winner])), 200); // first, since three wrong passwords lock the account
    for (const loser of losers.slice(0, 2)) assert.equal(await me(basic(Email, loser)), 401);
});

test('a one-time token that was tampered with is never traded, and the right one once', async () => {
    const jwt = (
        await server.call('POST', '/api/sys/users/token', {
            body: { email: 'editor@example.com', password },
        })
    ).json.Value;
    const [head, claims, signature] = jwt.split('.'),
        encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const exchange = (text) =>
        server.call('POST', `/api/sys/users/exchange?token=${encodeURIComponent(text)}`);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const sibling = alphabet[alphabet.indexOf(signature.at(-1)) ^ 1]; // the same bytes to a lax decoder
    const claimed = (more) => encode({ ...JSON.parse(Buffer.from(claims, 'base64url')), ...more });
    for (const bad of [
        `${encode({ alg: 'none', typ: 'JWT' })}.${claims}.`,
        `${encode({ alg: 'none' })}.${claims}.${signature}`,
        `${head}.${claims}.`,
        `${head}.${claims}`,
        `${encode({ typ: 'JWT', alg: 'HS256' })}.${claims}.${signature}`,
        `${head}.${claims}.${signature.slice(0, -1)}${sibling}`,
        `${jwt}=`,
        `${jwt} `,
        ` ${jwt}`,
        `${jwt}\0`,
        `${jwt}.x`,
        `${head}.${claimed({ email: 'admin@example.com' })}.${signature}`,
        `${head}.${claimed({ exp: 4102444800 })}.${signature}`,
        '..',
        jwt.toLowerCase(),
    ])
        assertFailure(await exchange(bad), 401);
    const { status, json } = await exchange(jwt);
    assert.equal(status, 200);
    assert.equal(
        (await server.call('GET', '/api/auth/me', { token: json.access_token })).json.Id,
        staff.editor,
    );
    assertFailure(await exchange(jwt), 401);
});
