// Secrets that a server received or made are searched for wherever it leaves bytes: its log, its
// files and their backup, its replies, its memory, its command line and environment. None may be
// there in clear. rosterd-faulty lets its own user read its memory (interpose.c).
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { closeSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { adminId } from '../lib/ids.mjs';
import { assertInvalid } from '../lib/replies.mjs';
import { required, userBody } from '../lib/users.mjs';
import { Faults } from './faults.mjs';
import { totpStep, until } from '../lib/wait.mjs';

const totpBytes = 'abcdefghijklmnoprsu4'; // as the authenticator has it
const secrets = {
    'the first password': 'first-Password-of-the-boss-1',
    'a new password': 'new-Password-of-the-boss-2',
    'a refused password': 'short-7',
    'a wrong password': 'wrong-Password-nobody-has-3',
    'a password in Basic': 'basic-Password-nobody-has-4',
    'a right password in Basic': 'basic-Password-of-a-clerk-6',
    'a password set by a reset token': 'reset-Password-of-a-clerk-8',
    'an access token field': 'stored-Access-Token-field-5',
    'a TOTP secret': base32(totpBytes),
    'a TOTP secret, decoded': totpBytes,
    'a refused TOTP secret': 'JBSWY3DP!',
    'a shared secret of a webhook': 'shared-Secret-of-a-webhook-9',
    'a password as hash':
        '$6$rounds=5000$saltstringOfOurs$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz10',
};
const keptAsHash = new Set(['a password as hash']); // what is stored is the hash itself

function base32(text) {
    const bits = [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    return bits
        .match(/.{5}/g)
        .map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[parseInt(five, 2)])
        .join('');
}

// RFC 6238, of now.
function codeOf(key) {
    const step = Buffer.alloc(8);
    step.writeBigUInt64BE(BigInt(totpStep()));
    const mac = createHmac('sha1', key).update(step).digest();
    return `${(mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000}`.padStart(6, '0');
}

const signatures = [];
const receiver = http.createServer((request, reply) => {
    request.resume();
    signatures.push(request.headers['x-nexudus-hook-signature']);
    reply.end();
});
await new Promise((ready) => {
    receiver.listen(0, '127.0.0.1', ready);
});
after(() => {
    receiver.close();
    receiver.closeAllConnections();
});
const host = `127.0.0.1:${receiver.address().port}`;

const boss = 'boss@example.org',
    clerk = 'clerk@example.org',
    faults = new Faults();
process.umask(0); // the server's own care is what counts
const server = await faults.start(
    ['--log-level', 'debug', '--access-log', '--admin-email', boss, '--webhook-hosts', host],
    { ROSTER_ADMIN_PASSWORD: secrets['the first password'] },
);
const data = join(server.folder, 'data');
const replies = [];
let log = '';

async function call(...request) {
    const reply = await server.call(...request);
    replies.push([...reply.headers].join('\n') + reply.text);
    return reply;
}

const put = (token, body) => call('PUT', '/api/sys/users', { token, body });
const grant = (form) => server.grant(form); // hands tokens out: that is what it is for
const base64 = (text) => Buffer.from(text).toString('base64');
const basic = (name, secret) => ({ Authorization: `Basic ${base64(`${name}:${secret}`)}` });

test('each kind of secret is sent to the server and used', async () => {
    const first = (
        await grant({
            grant_type: 'password',
            username: boss,
            password: secrets['the first password'],
        })
    ).json;
    secrets['an access token'] = first.access_token;
    secrets['a refresh token'] = first.refresh_token;
    const refreshed = (
        await grant({ grant_type: 'refresh_token', refresh_token: first.refresh_token })
    ).json;
    secrets['a refreshed access token'] = refreshed.access_token;
    secrets['a refreshed refresh token'] = refreshed.refresh_token;
    const body = required(
        (await call('GET', `/api/sys/users/${adminId}`, { token: refreshed.access_token })).json,
    );

    assertInvalid(
        await put(refreshed.access_token, { ...body, NewPassword: secrets['a refused password'] }),
        'NewPassword',
        /8/,
    );
    assertInvalid(
        await put(refreshed.access_token, {
            ...body,
            TwoFactorSecret: secrets['a refused TOTP secret'],
        }),
        'TwoFactorSecret',
        /base32/,
    );
    assert.equal(
        (
            await put(refreshed.access_token, {
                ...body,
                AccessToken: secrets['an access token field'],
            })
        ).status,
        200,
    );
    assert.equal(
        (await put(refreshed.access_token, { ...body, NewPassword: secrets['a new password'] }))
            .status,
        200,
    );
    const form = { grant_type: 'password', username: boss, password: secrets['a new password'] };
    const second = (await grant(form)).json,
        token = second.access_token;
    secrets['a second access token'] = token;
    secrets['a second refresh token'] = second.refresh_token;

    const business = (await call('POST', '/api/sys/businesses', { token, body: { Name: 'Here' } }))
        .json.Value.Id;
    assert.equal(
        (
            await call('POST', '/api/sys/webhooks', {
                token,
                body: {
                    BusinessId: business,
                    Name: 'Told',
                    Action: 1001,
                    Active: true,
                    URL: `http://${host}/`,
                    SharedSecret: secrets['a shared secret of a webhook'],
                },
            })
        ).status,
        200,
    );
    const made = await call('POST', '/api/sys/users', {
        token,
        body: userBody({
            FullName: 'A Clerk',
            Email: clerk,
            Active: true,
            APIAccess: true,
            NewPassword: secrets['a right password in Basic'],
        }),
    });
    assert.equal(made.status, 200, made.text);
    const { Id } = made.json.Value;
    assert.equal(
        (
            await call('GET', '/api/auth/me', {
                headers: basic(clerk, secrets['a right password in Basic']),
            })
        ).json.Id,
        Id,
    );
    secrets['a one-time token'] = (
        await server.call('GET', `/api/sys/users/${Id}/token/refresh`, { token })
    ).json.Value;
    const traded = (
        await server.call('POST', `/api/sys/users/exchange?token=${secrets['a one-time token']}`)
    ).json;
    secrets['an access token by a one-time token'] = traded.access_token;
    secrets['a one-time token by a password'] = (
        await server.call('POST', '/api/sys/users/token', {
            body: { email: clerk, password: secrets['a right password in Basic'] },
        })
    ).json.Value;
    assert.equal(
        (await call('PATCH', `/api/sys/users/${Id}`, { token, body: { MustResetPassword: true } }))
            .status,
        200,
    );
    secrets['a reset token'] = (
        await grant({
            grant_type: 'password',
            username: clerk,
            password: secrets['a right password in Basic'],
        })
    ).json.error_description;
    assert.equal(
        (
            await call('POST', '/api/auth/resetpassword', {
                body: {
                    Token: secrets['a reset token'],
                    NewPassword: secrets['a password set by a reset token'],
                },
            })
        ).status,
        200,
    );
    await until('a delivery is signed', () => signatures.length);
    assert.match(signatures[0], /^[0-9a-f]{64}$/i, 'the shared secret was used');

    assert.equal(
        (await put(token, { ...body, TwoFactorSecret: secrets['a TOTP secret'] })).status,
        200,
    );
    const third = (await grant({ ...form, totp: codeOf(totpBytes) })).json;
    secrets['an access token by a code'] = third.access_token;
    const wrongForm = new URLSearchParams({
        ...form,
        password: secrets['a wrong password'],
    }).toString();
    await call('POST', '/api/token', { body: wrongForm });
    await call('GET', `/api/sys/users/${adminId}`, {
        headers: basic(boss, secrets['a password in Basic']),
    });
    await call('GET', `/api/sys/users/${adminId}?access_token=${third.access_token}`, {
        token: third.access_token,
    });
    await call('PUT', '/api/sys/users', {
        token: third.access_token,
        body: `{"NewPassword":"${secrets['a new password']}`,
    });
    assert.equal(
        (await call('GET', `/api/sys/users/${adminId}`, { token: third.access_token })).json
            .Password,
        null,
    );
    await call('GET', '/api/sys/webhooks', { token: third.access_token });
    await call('GET', '/api/sys/refreshtokens', { token: third.access_token });
    assert.equal(
        (
            await call('PATCH', `/api/sys/users/${Id}`, {
                token: third.access_token,
                body: { Password: secrets['a password as hash'] },
            })
        ).status,
        200,
    );
    const { Records } = (
        await call('GET', '/api/sys/audittrailentries?size=1000', { token: third.access_token })
    ).json;
    for (const property of ['Password', 'AccessToken', 'TwoFactorSecret'])
        assert.ok(
            Records.some(({ PropertyName }) => PropertyName === property),
            `the audit trail has a row about ${property}`,
        );
    assert.ok(
        Object.values(secrets).every((secret) => typeof secret === 'string' && secret.length >= 7),
    );
});

// The letters of base64 that are the secret's alone, after `before` bytes of something else.
const aligned = (secret, before) =>
    base64('.'.repeat(before) + secret).slice(
        Math.ceil((before * 8) / 6),
        Math.floor(((before + secret.length) * 8) / 6),
    );

// Also as they would look in another coding.
function spellings(secret) {
    return [
        secret,
        ...[0, 1, 2].map((before) => aligned(secret, before)),
        Buffer.from(secret).toString('hex'),
        encodeURIComponent(secret),
        JSON.stringify(secret).slice(1, -1),
    ];
}

test('the search for secrets finds one, also in the middle of another', () => {
    const secret = secrets['a password in Basic'];
    for (const bytes of [
        secret,
        base64(`${boss}:${secret}`),
        base64(`x${boss}:${secret}!`),
        base64(`xx${boss}:${secret}!!`),
        Buffer.from(secret).toString('hex'),
    ])
        assert.throws(
            () => assertFree(Buffer.from(`before ${bytes} after`), 'this'),
            /this has a password in Basic/,
        );
});

function assertFree(bytes, where, but = new Set()) {
    for (const [what, secret] of Object.entries(secrets))
        for (const spelling of but.has(what) ? [] : spellings(secret))
            assert.ok(!bytes.includes(spelling), `${where} has ${what}`);
}

test('no reply has a secret', () => {
    assert.ok(replies.length >= 8);
    replies.forEach((reply, i) => {
        assertFree(Buffer.from(reply), `reply ${i}`);
        assert.ok(!reply.includes('$argon2id$'), `reply ${i} has a hash`);
    });
});

// All that the process can write.
function* memoryOf(pid) {
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    const part = Buffer.alloc(4 * 1024 * 1024),
        overlap = 1024;
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
        const [, from, to, name] =
            /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
        const [start, end] = [BigInt(`0x${from ?? 0}`), BigInt(`0x${to ?? 0}`)];
        for (let at = start; at < end; at += BigInt(part.length - overlap)) {
            const left = end - at,
                size = left < part.length ? Number(left) : part.length;
            try {
                yield [
                    part.subarray(0, readSync(memory, part, 0, size, at)),
                    name || 'anonymous memory',
                ];
            } catch (error) {
                assert.equal(error.code, 'EIO'); // gone meanwhile, or never there
            }
        }
    }
    closeSync(memory);
}

function assertMemoryFree(pid) {
    let hasWhatIsNoSecret = false;
    for (const [bytes, where] of memoryOf(pid)) {
        hasWhatIsNoSecret ||= bytes.includes(boss);
        assertFree(bytes, where, keptAsHash);
    }
    assert.ok(hasWhatIsNoSecret, 'it was looked through');
}

function assertProcessFree(pid) {
    for (const [name, has] of [
        ['cmdline', '--data'],
        ['environ', 'PATH='],
    ]) {
        const bytes = readFileSync(`/proc/${pid}/${name}`);
        assert.ok(bytes.includes(has), `${name} was looked at`);
        assertFree(bytes, name);
    }
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
}

test('the memory of the server has no secret once its requests have ended', () =>
    assertMemoryFree(server.child.pid));
test('neither the command line nor the environment has a secret, and there is no core', () =>
    assertProcessFree(server.child.pid));

test('a first password on the command line does not stay there', async () => {
    const own = await faults.start([
        '--admin-email',
        boss,
        `--admin-password=${secrets['the first password']}`,
    ]);
    assert.equal(
        (
            await own.grant({
                grant_type: 'password',
                username: boss,
                password: secrets['the first password'],
            })
        ).status,
        200,
    );
    assertProcessFree(own.child.pid);
    assertMemoryFree(own.child.pid);
    const apart = await faults.start([
        '--admin-email',
        boss,
        '--admin-password',
        secrets['the first password'],
    ]);
    assertProcessFree(apart.child.pid);
});

test('a backup has no secret, and only its owner may read it, as all files', async () => {
    const copy = join(server.folder, 'copy.db');
    const { code, stdout, stderr } = await faults.run(['backup', copy, '--data', data]);
    assert.equal(code, 0, stderr);
    assertFree(Buffer.from(stdout + stderr), 'what backup says');
    const bytes = readFileSync(copy);
    assert.ok(bytes.includes(boss));
    assertFree(bytes, 'the backup', keptAsHash);
    const files = [copy, ...readdirSync(data).map((name) => join(data, name))];
    assert.ok(files.length >= 5, files.join());
    for (const file of files) assert.equal(statSync(file).mode & 0o777, 0o600, file);
    assert.equal(statSync(data).mode & 0o777, 0o700);
});

test('no file of the data folder has a secret, neither while the server runs nor afterwards', async () => {
    const look = (when) => {
        const names = readdirSync(data).filter((name) => name !== 'roster.sock'); // nothing to read
        assert.ok(names.includes('roster.db'));
        for (const name of names)
            assertFree(readFileSync(join(data, name)), `${name} ${when}`, keptAsHash);
    };
    look('while it serves');
    assert.ok(
        readFileSync(join(data, 'roster.db-wal')).includes(boss),
        'the log holds what is no secret',
    );
    await server.stop();
    log = server.stdout + server.stderr;
    look('afterwards');
    assert.ok(readFileSync(join(data, 'roster.db')).includes(boss));
});

test('neither standard output nor the log has a secret', () => {
    assert.match(log, /listening on/);
    assertFree(Buffer.from(log), 'the log');
});
