// What lets somebody in: passwords, their hashes, second factors, lock-outs and resets (docs/api.md).
import test from 'node:test';
import assert from 'node:assert/strict';
import { Server, assertInvalid, staff } from './harness.mjs';

const server = await Server.start(['--demo', '--metrics']);
const signIn = (username, secret, more = {}) => server.grant({ grant_type: 'password', username, password: secret, ...more });
let number = 0;

// A new user with API access; `more` are members of the body.
async function newUser(more = {}) {
    const Email = `person${++number}@example.org`;
    const reply = await server.call('POST', '/api/sys/users', { token: await server.admin(), body: { FullName: `Person ${number}`, Email, Language: 1,
        PasswordSalt: '', LastHelpVisited: 0, InvalidLoginAttempts: 0, Active: true, APIAccess: true, ...more } });
    return { Email, Id: reply.json?.Value?.Id, reply };
}
const patch = async (id, body, token) => server.call('PATCH', `/api/sys/users/${id}`, { token: token ?? await server.admin(), body });

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
const argon2 = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'; // of 'password'

test('a hash with white space around it, or with the padding of base64, is imported as that hash', async () => {
    for (const [Password, secret] of [[`${bcrypt}\n`, 'Tr0ub4dor&3 x'], [` \t${bcrypt}\r\n`, 'Tr0ub4dor&3 x'],
        [argon2.replace('c29tZXNhbHQ', 'c29tZXNhbHQ=').concat('='), 'password']]) {
        const { Email, reply } = await newUser({ Password });
        assert.equal(reply.status, 200, reply.text);
        await assertOut(Email, Password);
        await assertIn(Email, secret);
        await assertIn(Email, secret);
    }
});

test('what has the form of a hash and cannot be imported is refused by the name of its kind, never taken for a password', async () => {
    for (const [Password, said] of [
        [bcrypt.slice(0, -1), /damaged hash \(bcrypt\)/],
        [`${bcrypt}a`, /damaged hash \(bcrypt\)/],
        ['$2b$05$abcdefghijklmnopqrstuu', /damaged hash \(bcrypt\)/],
        [bcrypt.replace('$05$', '$03$'), /damaged hash \(bcrypt\)/],
        [argon2.replace('v=19$', ''), /damaged hash \(argon2id\)/],
        [argon2.replace('m=65536,t=2', 't=2,m=65536'), /damaged hash \(argon2id\)/],
        ['$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2', /damaged hash \(SHA-512 crypt\)/],
        [bcrypt.replace('$2b$05$', '$2b$14$'), /costs too much/],
        [argon2.replace('m=65536,t=2', 'm=262144,t=10'), /costs too much/],
        ['$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M', /cannot be imported \(PBKDF2\)/],
        ['pbkdf2_sha256$20000$H0dPx8NeajVu$GiC4k5kqbbR9qWBlsRgDywNqC2vd9kqfk7zdorEnNas=', /cannot be imported \(PBKDF2\)/],
        ['{SSHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng==', /cannot be imported \(LDAP's \{SSHA\}\)/],
        [`!${bcrypt}`, /cannot be imported \(locked entry of a shadow file\)/],
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

test('as NewPassword a hash is what it looks like: a password', async () => {
    const { Email } = await newUser({ NewPassword: bcrypt });
    await assertIn(Email, bcrypt);
});
