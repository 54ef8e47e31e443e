// Credentials: passwords, their hashes, second factors, lock-outs and resets (docs/api.md).
import test from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { fieldTable } from '../lib/database.mjs';
import { staff } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { password, totp, userBody } from '../lib/users.mjs';
import { timestampText, totpStep, within } from '../lib/wait.mjs';

const server = await Server.start(['--demo', '--metrics']);
const signIn = (username, secret, more = {}) =>
    server.grant({ grant_type: 'password', username, password: secret, ...more });
let number = 0;

// A new user with API access; `more` are members of the body.
async function newUser(more = {}) {
    const Email = `person${++number}@example.org`;
    const reply = await server.call('POST', '/api/sys/users', {
        token: await server.admin(),
        body: userBody({
            FullName: `Person ${number}`,
            Email,
            Active: true,
            APIAccess: true,
            ...more,
        }),
    });
    return { Email, Id: reply.json?.Value?.Id, reply };
}
const patch = async (id, body, token) =>
    server.call('PATCH', `/api/sys/users/${id}`, { token: token ?? (await server.admin()), body });

async function assertIn(email, secret, more) {
    const reply = await signIn(email, secret, more);
    assert.equal(reply.status, 200, `${secret}: ${reply.text}`);
    return reply.json;
}

async function assertOut(email, secret, error = 'invalid_grant', more = {}) {
    const reply = await signIn(email, secret, more);
    assert.equal(reply.status, 400, `${secret} signs in`);
    assert.equal(reply.json.error, error);
    return reply.json;
}

// ---- Imported hashes ----

const bcrypt = '$2b$05$abcdefghijklmnopqrstuul1OVtVSjASWUPZ4XiCtJgGngBJv7IjW'; // of 'Tr0ub4dor&3 x'
const argon2 =
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'; // of 'password'

test('a hash with white space around it, or with the padding of base64, is imported as that hash', async () => {
    for (const [Password, secret] of [
        [`${bcrypt}\n`, 'Tr0ub4dor&3 x'],
        [` \t${bcrypt}\r\n`, 'Tr0ub4dor&3 x'],
        [argon2.replace('c29tZXNhbHQ', 'c29tZXNhbHQ=').concat('='), 'password'],
    ]) {
        const { Email, reply } = await newUser({ Password });
        assert.equal(reply.status, 200, reply.text);
        await assertOut(Email, Password);
        await assertIn(Email, secret);
        await assertIn(Email, secret);
    }
});

test('a hash of a kind that cannot be imported is refused by the name of its kind, never taken for a password', async () => {
    for (const [Password, said] of [
        [bcrypt.slice(0, -1), /malformed hash \(bcrypt\)/],
        [`${bcrypt}a`, /malformed hash \(bcrypt\)/],
        ['$2b$05$abcdefghijklmnopqrstuu', /malformed hash \(bcrypt\)/],
        [bcrypt.replace('$05$', '$03$'), /malformed hash \(bcrypt\)/],
        [argon2.replace('v=19$', ''), /malformed hash \(argon2id\)/],
        [argon2.replace('m=65536,t=2', 't=2,m=65536'), /malformed hash \(argon2id\)/],
        [
            '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2',
            /malformed hash \(SHA-512 crypt\)/,
        ],
        [bcrypt.replace('$2b$05$', '$2b$14$'), /too expensive/],
        [argon2.replace('m=65536,t=2', 'm=262144,t=10'), /too expensive/],
        [
            '$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M',
            /cannot be imported \(PBKDF2\)/,
        ],
        [
            'pbkdf2_sha256$20000$H0dPx8NeajVu$GiC4k5kqbbR9qWBlsRgDywNqC2vd9kqfk7zdorEnNas=',
            /cannot be imported \(PBKDF2\)/,
        ],
        [
            '{SSHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng==',
            /cannot be imported \(LDAP's \{SSHA\}\)/,
        ],
        [`!${bcrypt}`, /cannot be imported \(locked entry of a shadow file\)/],
        [`b'${bcrypt}'`, /cannot be imported \(hash with something around it\)/],
        ['b89eaac7e61417341b710b727768294d0e6a277b', /cannot be imported \(SHA-1\)/],
    ]) {
        const { reply } = await newUser({ Password });
        const error = assertInvalid(reply, 'Password', said);
        assert.equal(error.AttemptedValue, null);
        assert.ok(!reply.text.includes(Password));
        assertInvalid(await patch(staff.creator, { Password }), 'Password', said);
        assertInvalid(await server.update(staff.creator, { Password }), 'Password', said);
    }
});

test('a hash in NewPassword is taken as a password', async () => {
    const { Email } = await newUser({ NewPassword: bcrypt });
    await assertIn(Email, bcrypt);
});

// ---- Sign-ins ----

// The figures of /metrics that a test counts.
async function figures(of = server) {
    const { text } = await of.call('GET', '/metrics');
    const figure = (name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
    return { own: figure('roster_passwords_total'), dear: figure('roster_dear_passwords_total') };
}

async function costs(attempt, of = server) {
    const before = await figures(of);
    await attempt();
    const after = await figures(of);
    return { own: after.own - before.own, dear: after.dear - before.dear };
}

const dearHash = '$2b$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';

test('a hash that is dearer than our own has a queue of its own, and a locked account costs what our own does', async () => {
    const { Email, Id } = await newUser({ Password: dearHash });
    assert.deepEqual(await costs(() => assertOut(Email, 'a guess')), { own: 0, dear: 1 });
    assert.deepEqual(await costs(() => assertOut('nobody@example.org', 'a guess')), {
        own: 1,
        dear: 0,
    });
    await patch(Id, { InvalidLoginAttempts: 10, LastLoginAttempt: timestampText() });
    assert.deepEqual(await costs(() => assertOut(Email, 'a guess')), { own: 1, dear: 0 }, 'locked');
    await patch(Id, { InvalidLoginAttempts: 0 });
    assert.deepEqual(
        await costs(() => assertOut(Email, 'a guess')),
        { own: 0, dear: 1 },
        'unlocked',
    );
});

test("a user name of more than 254 characters is nobody's, in the words and at the cost of a wrong password", async () => {
    const [wrong] = [await assertOut('nobody@example.org', 'a guess')];
    const { Email } = await newUser({ NewPassword: 'correct horse 9' });
    for (const name of [
        'a'.repeat(255),
        'α'.repeat(255),
        `${'α'.repeat(250)}@example.org`,
        `${'é'.repeat(2500)}@example.org`,
    ])
        assert.deepEqual(
            await costs(async () => assert.deepEqual(await assertOut(name, 'a guess'), wrong)),
            { own: 1, dear: 0 },
        );
    await assertIn(`${' '.repeat(300)}${Email}`, 'correct horse 9'); // white space around a name is none of it
    const basic = Buffer.from(`${'α'.repeat(255)}:a guess`).toString('base64');
    assert.equal(
        (await server.call('GET', '/api/auth/me', { headers: { Authorization: `Basic ${basic}` } }))
            .status,
        401,
    );
});

test("passwords are in Unicode's NFC: what was set decomposed signs in composed, by Basic too", async () => {
    const composed = 'élève météo',
        decomposed = composed.normalize('NFD');
    for (const [set, given] of [
        [decomposed, composed],
        [composed, decomposed],
        [decomposed, decomposed],
    ]) {
        const { Email } = await newUser({ NewPassword: set });
        await assertIn(Email, given);
        const basic = Buffer.from(`${Email}:${given}`).toString('base64');
        assert.equal(
            (
                await server.call('GET', '/api/auth/me', {
                    headers: { Authorization: `Basic ${basic}` },
                })
            ).status,
            200,
        );
    }
});

test('two who sign in at once with a password whose hash is renewed both get in', async () => {
    for (let round = 0; round < 5; round++) {
        const { Email, Id } = await newUser({ Password: bcrypt });
        const replies = await Promise.all(
            Array.from({ length: 6 }, () => signIn(Email, 'Tr0ub4dor&3 x')),
        );
        assert.deepEqual(
            replies.map(({ status }) => status),
            Array(6).fill(200),
        );
        assert.equal((await server.get(Id)).InvalidLoginAttempts, 0);
    }
});

test('characters after the 72 bytes that bcrypt reads never become part of the password', async () => {
    const start = 'x'.repeat(72);
    const { Email } = await newUser({
        Password: '$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q',
    });
    await assertIn(Email, `${start}mistyped`);
    await assertIn(Email, `${start}12345678`);
    await assertIn(Email, start); // bcrypt saw the whole of it: this one is renewed from
    await assertOut(Email, `${start}mistyped`);
    await assertIn(Email, start);
});

// ---- Clients ----

test('without a client_id the client is the stored Email, however the user name was spelled', async () => {
    const { Email } = await newUser({ NewPassword: 'correct horse 9' });
    const clients = async () =>
        (
            await server.call('GET', `/api/sys/refreshtokens?RefreshToken_Subject=${Email}`, {
                token: await server.admin(),
            })
        ).json.Records.map(({ ClientId }) => ClientId);
    for (const name of [Email, Email.toUpperCase(), ` ${Email}`, `${' '.repeat(2000)}${Email}\n`])
        await assertIn(name, 'correct horse 9');
    assert.deepEqual(await clients(), [Email]);
});

test('a client_id that cannot be kept, or of which two sources say different things, is invalid_request', async () => {
    const { Email } = await newUser({ NewPassword: 'correct horse 9' });
    const basic = (name) => ({
        Authorization: `Basic ${Buffer.from(`${name}:`).toString('base64')}`,
    });
    const ask = (form, headers = {}) =>
        server.grant(
            { grant_type: 'password', username: Email, password: 'correct horse 9', ...form },
            headers,
        );
    const long = 'c'.repeat(256),
        sources = [
            (id) => [{ client_id: id }],
            (id) => [{}, { client_id: id }],
            (id) => [{}, basic(id)],
        ];
    for (const of of sources) {
        assert.equal((await ask(...of('phone'))).status, 200);
        assert.equal((await ask(...of('c'.repeat(255)))).status, 200);
        assert.equal((await ask(...of(long))).json.error, 'invalid_request');
    }
    for (const id of ['a\nb', 'a\x7fb', 'a\u0085b'])
        assert.equal((await ask({ client_id: id })).json.error, 'invalid_request');
    for (const [form, headers] of [
        [{ client_id: 'a' }, { client_id: 'b' }],
        [{ client_id: 'a' }, basic('b')],
        [{}, { client_id: 'a', ...basic('b') }],
        [{ client_id: 'a' }, { client_id: 'a', ...basic('b') }],
    ])
        assert.equal((await ask(form, headers)).json.error, 'invalid_request');
    const form = new URLSearchParams({
        grant_type: 'password',
        username: Email,
        password: 'correct horse 9',
    }).toString();
    for (const second of ['a', 'b', ''])
        assert.match(
            await server.raw(
                `POST /api/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${form.length}\r\n` +
                    `client_id: a\r\nclient_id: ${second}\r\n\r\n${form}`,
            ),
            /^HTTP\/1.1 400 [^]*"invalid_request"/,
            'the header twice',
        );
    for (const [form, headers] of [
        [{ client_id: 'a' }, { client_id: 'a', ...basic('a') }],
        [{ client_id: '' }, { client_id: 'a' }],
        [{ client_id: 'a' }, basic('')],
    ]) {
        const { json } = await ask(form, headers);
        const refresh = (more) =>
            server.grant({
                grant_type: 'refresh_token',
                refresh_token: json.refresh_token,
                ...more,
            });
        assert.equal((await refresh({ client_id: 'b' })).json.error, 'invalid_grant');
        assert.equal((await refresh({ client_id: 'a' })).status, 200);
    }
});

// ---- Second factors ----

const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
    otherSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const wrongCode = (of) =>
    ['000000', '111111', '222222', '333333'].find((code) =>
        [-2, -1, 0, 1, 2].every((drift) => code !== totp(of, totpStep() + drift)),
    );

test('a wrong code counts for the account, and after as many as lock it the right one is refused', async () => {
    const { Email, Id } = await newUser({
        NewPassword: 'correct horse 9',
        TwoFactorSecret: secret,
    });
    const attempts = async () => (await server.get(Id)).InvalidLoginAttempts;
    await assertOut(Email, 'correct horse 9', 'two_factor_auth_check');
    assert.equal(await attempts(), 0, 'none was given');
    await assertOut(Email, 'correct horse 9', 'two_factor_auth_check', { totp: '   ' });
    assert.equal(await attempts(), 0, 'nor was this one');
    for (let i = 1; i <= 10; i++) {
        await assertOut(Email, 'correct horse 9', 'two_factor_auth_check', {
            totp: wrongCode(secret),
        });
        assert.equal(await attempts(), i);
    }
    await assertOut(Email, 'correct horse 9', 'invalid_grant', { totp: totp(secret) });
});

test('a used code stays used, whatever becomes of its secret; a code of another secret is not touched by it', async () => {
    const { Email, Id } = await newUser({
        NewPassword: 'correct horse 9',
        TwoFactorSecret: secret,
    });
    const set = async (TwoFactorSecret) =>
        assert.equal((await patch(Id, { TwoFactorSecret })).status, 200);
    const step = totpStep() + 1,
        code = totp(secret, step); // good for a minute and a half from here
    await assertIn(Email, 'correct horse 9', { totp: code });
    for (const again of [
        [secret],
        [secret.toLowerCase()],
        [`${secret}====`],
        ['', secret],
        [otherSecret, secret],
    ]) {
        for (const one of again) await set(one);
        await assertOut(Email, 'correct horse 9', 'two_factor_auth_check', { totp: code });
    }
    await set(otherSecret);
    await assertIn(Email, 'correct horse 9', { totp: totp(otherSecret) });
});

test('setting the same second factor again, however it is spelled, changes nothing', async () => {
    const { Id } = await newUser({ TwoFactorSecret: secret });
    const changes = async () =>
        (
            await server.call(
                'GET',
                `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${Id}&AuditTrailEntry_PropertyName=TwoFactorSecret`,
                { token: await server.admin() },
            )
        ).json.TotalItems;
    const before = await changes();
    for (const one of [
        secret,
        secret.toLowerCase(),
        `${secret}====`,
        ` ${secret.slice(0, 4)} ${secret.slice(4)}`,
    ]) {
        assert.equal((await patch(Id, { TwoFactorSecret: one })).status, 200);
        assert.equal((await server.update(Id, { TwoFactorSecret: one })).status, 200);
        assert.equal(await changes(), before, one);
    }
    assert.equal((await patch(Id, { TwoFactorSecret: otherSecret })).status, 200);
    assert.equal(await changes(), before + 1);
});

test('a secret of 80 to 512 bits of any length and spelling that is taken works, and its codes may have blanks', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
    const { Email, Id } = await newUser({ NewPassword: 'correct horse 9' });
    for (let bytes = 8; bytes <= 66; bytes += 1) {
        const digits = Math.ceil((bytes * 8) / 5);
        const plain = `${Array.from({ length: digits - 1 }, (_, i) => alphabet[(i * 7 + bytes) % 32]).join('')}A`;
        const grouped = `${plain
            .toLowerCase()
            .match(/.{1,4}/g)
            .join([' ', '\u00a0', '\u202f'][bytes % 3])}${'='.repeat(bytes % 7)}\n`;
        const reply = await patch(Id, { TwoFactorSecret: bytes % 2 ? plain : grouped });
        if (bytes < 10 || bytes > 64) {
            assertInvalid(reply, 'TwoFactorSecret', /80 to 512 bits/);
            continue;
        }
        assert.equal(reply.status, 200, reply.text);
        const code = totp(plain);
        await assertIn(Email, 'correct horse 9', {
            totp: bytes % 2 ? code : `${code.slice(0, 3)}\u00a0${code.slice(3)}\n`,
        });
    }
});

// ---- Lock-outs ----

test('a new password ends a lock-out and sets InvalidLoginAttempts to 0, unless the same body changes it', async () => {
    const { Email, Id } = await newUser({ NewPassword: 'correct horse 9' });
    const lock = async () => {
        for (let i = 0; i < 10; i++) await assertOut(Email, 'wrong');
        await assertOut(Email, 'fresh password 7');
    };
    const attempts = async () => (await server.get(Id)).InvalidLoginAttempts;
    await lock();
    assert.equal((await patch(Id, { NewPassword: 'fresh password 7' })).status, 200);
    assert.equal(await attempts(), 0);
    await assertIn(Email, 'fresh password 7');
    await lock();
    assert.equal(
        (await server.update(Id, { NewPassword: 'fresh password 8' })).status,
        200,
        'a whole record, with the 10 that it read',
    );
    assert.equal(await attempts(), 0);
    await assertIn(Email, 'fresh password 8');
    await lock();
    assert.equal((await patch(Id, { Password: bcrypt })).status, 200, 'an imported one');
    await assertIn(Email, 'Tr0ub4dor&3 x');
    await lock();
    assert.equal(
        (await patch(Id, { NewPassword: 'fresh password 9', InvalidLoginAttempts: 7 })).status,
        200,
    );
    assert.equal(await attempts(), 7);
    assert.equal((await patch(Id, { FullName: 'Another Name' })).status, 200);
    assert.equal(await attempts(), 7, 'all else leaves it');
});

test('a lock-out also ends a Basic password that is remembered, on every thread', async () => {
    const threads = await Server.start(['--demo', '--io-threads', '4', '--lockout-attempts', '3']);
    const Authorization = `Basic ${Buffer.from(`reader@example.com:${password}`).toString('base64')}`;
    const ask = async () =>
        (
            await threads.call('GET', '/api/auth/me', {
                headers: { Authorization, Connection: 'close' },
            })
        ).status;
    for (
        let i = 0;
        i < 24;
        i++ // enough connections for each thread to have seen some
    )
        assert.equal(await ask(), 200);
    for (let i = 0; i < 3; i++)
        await threads.grant({
            grant_type: 'password',
            username: 'reader@example.com',
            password: 'wrong',
        });
    for (let i = 0; i < 24; i++) assert.equal(await ask(), 401);
    await threads.update(staff.reader, { InvalidLoginAttempts: 0 });
    for (let i = 0; i < 24; i++) assert.equal(await ask(), 200);
    await threads.update(staff.reader, {
        InvalidLoginAttempts: 3,
        LastLoginAttempt: timestampText(),
    });
    for (let i = 0; i < 24; i++) assert.equal(await ask(), 401, 'by an administrator');
});

// ---- Whose secrets they are ----

test('only an unrestricted administrator changes or removes a secret of another user', async () => {
    const editor = await server.token('editor@example.com');
    const { Email, Id } = await newUser({
        NewPassword: 'correct horse 9',
        TwoFactorSecret: secret,
        AccessToken: 'abc',
    });
    const secrets = fieldTable()
        .filter(({ type }) => ['password', 'totp', 'sealed'].includes(type))
        .map(({ name }) => name);
    assert.deepEqual(secrets.sort(), ['AccessToken', 'NewPassword', 'Password', 'TwoFactorSecret']);
    for (const name of secrets) {
        const values = name.endsWith('Password') ? ['fresh password 7'] : [otherSecret, '']; // an empty password is none
        for (const value of values) {
            const reply = await patch(Id, { [name]: value }, editor);
            assert.deepEqual(
                assertFailure(reply, 403).Errors.map(({ PropertyName }) => PropertyName),
                [name],
            );
            assertFailure(await server.update(Id, { [name]: value }, { token: editor }), 403);
        }
        assert.equal((await patch(Id, { [name]: null }, editor)).status, 200, 'null changes none');
    }
    assert.equal((await server.get(Id)).TwoFactorEnabled, true);
    await assertOut(Email, 'correct horse 9', 'two_factor_auth_check');
    assert.equal(
        (await patch(staff.editor, { TwoFactorSecret: otherSecret }, editor)).status,
        200,
        'the own one',
    );
    assert.equal((await patch(staff.editor, { TwoFactorSecret: '' })).status, 200);
    assert.equal((await patch(Id, { TwoFactorSecret: '' })).status, 200, 'of who lost it');
    await assertIn(Email, 'correct horse 9');
});

// ---- New passwords ----

test('a password is not the e-mail address or the name that the record will have, in a PATCH either', async () => {
    const { Email, Id } = await newUser({
        NewPassword: 'correct horse 9',
        FullName: 'Persephone Quill',
    });
    const personal = /e-mail address or name/;
    for (const name of ['NewPassword', 'Password'])
        for (const value of [Email, Email.toUpperCase(), 'Persephone Quill', 'persephone quill']) {
            assertInvalid(await patch(Id, { [name]: value }), name, personal);
            assertInvalid(await server.update(Id, { [name]: value }), name, personal);
        }
    assertInvalid(
        await patch(Id, { FullName: 'Somebody Else', NewPassword: 'somebody else' }),
        'NewPassword',
        personal,
    );
    assertInvalid(
        await patch(Id, { Email: 'somebody.else@example.org', Password: 'Somebody.Else' }),
        'Password',
        personal,
    );
    const idn = await newUser({ NewPassword: 'correct horse 9' });
    assert.equal((await patch(idn.Id, { Email: 'quill@bücher.example' })).status, 200);
    for (const spelled of [
        'quill@xn--bcher-kva.example',
        'QUILL@XN--BCHER-KVA.example',
        '"quill"@bücher.example',
        ' quill@bu\u0308cher.example ',
    ])
        assertInvalid(await patch(idn.Id, { NewPassword: spelled }), 'NewPassword', personal);
    assertInvalid(
        (await newUser({ FullName: 'Orpheus Quill', NewPassword: 'orpheus quill' })).reply,
        'NewPassword',
        personal,
    );
    await assertIn(Email, 'correct horse 9');
    assert.equal(
        (await patch(Id, { FullName: 'Somebody Else', NewPassword: 'persephone quill' })).status,
        200,
        'nobody is called so any more',
    );
    await assertIn(Email, 'persephone quill');
});

test('common passwords are refused: those of other languages, and what falls within a million guesses', async () => {
    const { Id } = await newUser();
    for (const name of ['NewPassword', 'Password'])
        for (const common of [
            'Welcome1!',
            'admin123!',
            'Summer2026!',
            'Changeme123',
            'q1w2e3r4t5',
            '147258369',
            'motdepasse',
            'azertyuiop',
            'contrasena',
            'contraseña',
            'hallo123',
            'schatz123',
            'benvenuto1',
            'minhasenha',
            'a'.repeat(200),
        ])
            assertInvalid(await patch(Id, { [name]: common }), name, /commonly used/);
});

// ---- A password that has to be changed ----

const reset = (Token, NewPassword) =>
    server.call('POST', '/api/auth/resetpassword', { body: { Token, NewPassword } });
const demand = (id) =>
    server
        .admin()
        .then((token) =>
            server.call('POST', '/api/sys/users/runcommand', {
                token,
                body: { Key: 'require-password-reset', Ids: [id] },
            }),
        );

test('a password that has to be changed is not changed to itself, by whoever it is', async () => {
    for (const [made, first] of [
        [{ NewPassword: 'correct horse 9' }, 'correct horse 9'],
        [{ Password: bcrypt }, 'Tr0ub4dor&3 x'],
        [{ NewPassword: 'élève météo' }, 'élève météo'],
    ]) {
        const { Email, Id } = await newUser({ ...made, MustResetPassword: true });
        const Token = (await assertOut(Email, first, 'must_reset_password')).error_description;
        for (const same of [first, first.normalize('NFD')])
            assertInvalid(await reset(Token, same), 'NewPassword', /must differ/);
        assertInvalid(await patch(Id, { NewPassword: first }), 'NewPassword', /must differ/);
        assertInvalid(await patch(Id, { Password: first }), 'Password', /must differ/);
        assert.equal((await server.get(Id)).MustResetPassword, true);
        assert.equal(
            (await reset(Token, 'fresh password 7')).status,
            200,
            'the token is still good',
        );
        await assertIn(Email, 'fresh password 7');
        assert.equal(
            (await patch(Id, { NewPassword: 'fresh password 7' })).status,
            200,
            'nobody asked for a change',
        );
    }
    const { Id } = await newUser({ NewPassword: 'correct horse 9', MustResetPassword: true });
    assert.equal(
        (await patch(Id, { NewPassword: 'correct horse 9', MustResetPassword: true })).status,
        200,
        'the change is still asked for',
    );
});

test('the demand for a new password ends all tokens at once, by the command and by MustResetPassword', async () => {
    const { Email, Id } = await newUser({ NewPassword: 'correct horse 9' });
    const me = async (token) => (await server.call('GET', '/api/auth/me', { token })).status;
    for (const ask of [
        () => demand(Id),
        () => patch(Id, { MustResetPassword: true }),
        () => server.update(Id, { MustResetPassword: true }),
    ]) {
        const { access_token, refresh_token } = await assertIn(Email, 'correct horse 9');
        const jwt = (
            await server.call('POST', '/api/sys/users/token/refresh', { token: access_token })
        ).json.Value;
        assert.equal(await me(access_token), 200);
        assert.equal((await ask()).status, 200);
        assert.equal(await me(access_token), 401);
        const taken = async () => {
            assert.equal(
                (await server.grant({ grant_type: 'refresh_token', refresh_token })).json.error,
                'invalid_grant',
            );
            assertFailure(await server.call('POST', `/api/sys/users/exchange?token=${jwt}`), 401);
        };
        await taken();
        assert.equal((await patch(Id, { MustResetPassword: false })).status, 200);
        assert.equal(await me(access_token), 401, 'and they stay so');
        await taken();
    }
});

test('a user has one valid reset token, which ends with the demand for a new password', async () => {
    const { Email, Id } = await newUser({
        NewPassword: 'correct horse 9',
        MustResetPassword: true,
    });
    const ask = async () =>
        (await assertOut(Email, 'correct horse 9', 'must_reset_password')).error_description;
    const [first, second] = [await ask(), await ask()];
    assertInvalid(await reset(first, 'fresh password 7'), 'Token', /not a valid reset token/);
    assert.equal((await patch(Id, { FullName: 'Another Name' })).status, 200, 'all else leaves it');
    assertInvalid(await reset(second, 'short'), 'NewPassword', /at least 8/);
    assert.equal((await patch(Id, { MustResetPassword: false })).status, 200);
    assertInvalid(await reset(second, 'fresh password 7'), 'Token', /not a valid reset token/);
    assert.equal((await demand(Id)).status, 200);
    assertInvalid(await reset(second, 'fresh password 7'), 'Token', /not a valid reset token/);
    assert.equal((await reset(await ask(), 'fresh password 7')).status, 200);
    await assertIn(Email, 'fresh password 7');
});

test('a demand that is taken back while the new password is hashed keeps the old one', async () => {
    for (let round = 0; round < 10; round++) {
        const { Email, Id } = await newUser({
            NewPassword: 'correct horse 9',
            MustResetPassword: true,
        });
        const Token = (await assertOut(Email, 'correct horse 9', 'must_reset_password'))
            .error_description;
        const [given, taken] = await Promise.all([
            reset(Token, 'fresh password 7'),
            patch(Id, { MustResetPassword: false }),
        ]);
        assert.equal(taken.status, 200);
        assert.ok([200, 400].includes(given.status), given.text);
        await assertIn(Email, given.status === 200 ? 'fresh password 7' : 'correct horse 9');
    }
});

// ---- A refresh that comes twice ----

const refresh = (refresh_token, more = {}, of = server) =>
    of.grant({ grant_type: 'refresh_token', refresh_token, ...more });

// A test of a promise that holds for 10 s after the first use.
const testSoon = (name, attempt) => test(name, () => within(9000, attempt));

testSoon(
    'a refresh that its client repeats, at once or soon after, has the same new pair, and no session ends',
    async () => {
        const { Email } = await newUser({ NewPassword: 'correct horse 9' });
        const first = await assertIn(Email, 'correct horse 9', { client_id: 'phone' });
        const replies = await Promise.all(
            Array.from({ length: 12 }, (_, i) =>
                refresh(first.refresh_token, i % 2 ? { client_id: 'phone' } : {}),
            ),
        );
        const pair = ({ access_token, refresh_token }) => ({ access_token, refresh_token });
        for (const { status, json } of replies) {
            assert.equal(status, 200);
            assert.deepEqual(pair(json), pair(replies[0].json));
            assert.ok(json.expires_in > 604000 && json.expires_in <= 604799, `${json.expires_in}`);
        }
        const next = replies[0].json;
        assert.match(next.access_token, /^[\w-]{43}$/);
        assert.equal(
            new Set([
                first.access_token,
                first.refresh_token,
                next.access_token,
                next.refresh_token,
            ]).size,
            4,
        );
        for (const token of [first.access_token, next.access_token])
            assert.equal((await server.call('GET', '/api/auth/me', { token })).status, 200);
        const third = (await refresh(next.refresh_token)).json;
        assert.deepEqual(
            pair((await refresh(first.refresh_token)).json),
            pair(next),
            'also when that was used meanwhile',
        );
        assert.deepEqual(pair((await refresh(next.refresh_token)).json), pair(third));
        assert.equal(
            (await server.call('GET', '/api/auth/me', { token: third.access_token })).status,
            200,
        );
    },
);

testSoon(
    'the pair is the same after a restart, and neither it nor what it is made of is in the database',
    async () => {
        const own = await Server.start(['--demo']);
        const first = (
            await own.grant({ grant_type: 'password', username: 'reader@example.com', password })
        ).json;
        const next = (await refresh(first.refresh_token, {}, own)).json;
        await own.restart('SIGKILL');
        const again = (await refresh(first.refresh_token, {}, own)).json;
        assert.deepEqual(
            [again.access_token, again.refresh_token],
            [next.access_token, next.refresh_token],
        );
        const tokens = [first, next].flatMap(({ access_token, refresh_token }) => [
            access_token,
            refresh_token,
        ]);
        assert.deepEqual(
            own.found(tokens.flatMap((token) => [token, Buffer.from(token, 'base64url')])),
            [],
        );
    },
);

test('two servers with different keys make different tokens of one', async () => {
    const { Email } = await newUser({ NewPassword: 'correct horse 9' });
    const first = await assertIn(Email, 'correct horse 9'),
        next = (await refresh(first.refresh_token)).json;
    const derived = (kind) =>
        createHash('blake2b512')
            .update(`token ${kind} that follows ${first.refresh_token}`)
            .digest()
            .subarray(0, 32)
            .toString('base64url');
    assert.ok(
        ![0, 1]
            .map(derived)
            .some((token) => [next.access_token, next.refresh_token].includes(token)),
        'not without the key',
    );
});

test('a spent refresh token that another client sends ends the family, and so do a lost right and a revocation', async () => {
    const { Email, Id } = await newUser({ NewPassword: 'correct horse 9' });
    const me = async (token) => (await server.call('GET', '/api/auth/me', { token })).status;
    const first = await assertIn(Email, 'correct horse 9', { client_id: 'phone' }),
        next = (await refresh(first.refresh_token)).json;
    assert.equal(
        (await refresh(first.refresh_token, { client_id: 'laptop' })).json.error,
        'invalid_grant',
    );
    assert.deepEqual([await me(first.access_token), await me(next.access_token)], [401, 401]);
    assert.equal(
        (await refresh(first.refresh_token)).json.error,
        'invalid_grant',
        'and there is no pair any more',
    );
    for (const [end, restore] of [
        [{ NewPassword: 'fresh password 7' }, { NewPassword: 'correct horse 9' }],
        [{ Active: false }, { Active: true }],
        [{ APIAccess: false }, { APIAccess: true }],
        [{ MustResetPassword: true }, { MustResetPassword: false }],
    ]) {
        const session = await assertIn(Email, 'correct horse 9');
        assert.equal((await refresh(session.refresh_token)).status, 200);
        assert.equal((await patch(Id, end)).status, 200);
        assert.equal(
            (await refresh(session.refresh_token)).json.error,
            'invalid_grant',
            JSON.stringify(end),
        );
        assert.equal((await patch(Id, restore)).status, 200);
    }
});
