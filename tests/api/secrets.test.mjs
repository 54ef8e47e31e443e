// Secrets that a server was told or made are searched for wherever it leaves bytes: its log, its
// files, its replies, its command line and environment of later. None may be there in clear.
import test from 'node:test';
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Server, assertInvalid, required, run } from './harness.mjs';

const secrets = {
    'the first password': 'first-Password-of-the-boss-1',
    'a new password': 'new-Password-of-the-boss-2',
    'a refused password': 'short-7',
    'a wrong password': 'wrong-Password-nobody-has-3',
    'a password in Basic': 'basic-Password-nobody-has-4',
    'an access token field': 'stored-Access-Token-field-5',
    'a TOTP secret': 'MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U',
    'a refused TOTP secret': 'JBSWY3DP!',
    'a password as hash': '$6$rounds=5000$saltstringOfOurs$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz10',
};
const keptAsHash = new Set(['a password as hash']); // what is stored is the hash itself
const boss = 'boss@example.org';
const server = await Server.start(['--log-level', 'debug', '--admin-email', boss], { ROSTER_ADMIN_PASSWORD: secrets['the first password'] });
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

test('with every secret told and used', async () => {
    const first = (await grant({ grant_type: 'password', username: boss, password: secrets['the first password'] })).json;
    secrets['an access token'] = first.access_token;
    secrets['a refresh token'] = first.refresh_token;
    const refreshed = (await grant({ grant_type: 'refresh_token', refresh_token: first.refresh_token })).json;
    secrets['a refreshed access token'] = refreshed.access_token;
    secrets['a refreshed refresh token'] = refreshed.refresh_token;
    const body = required((await call('GET', '/api/sys/users/100000001', { token: refreshed.access_token })).json);

    assertInvalid(await put(refreshed.access_token, { ...body, NewPassword: secrets['a refused password'] }), 'NewPassword', /8/);
    assertInvalid(await put(refreshed.access_token, { ...body, TwoFactorSecret: secrets['a refused TOTP secret'] }), 'TwoFactorSecret', /base32/);
    assert.equal((await put(refreshed.access_token, { ...body, AccessToken: secrets['an access token field'] })).status, 200);
    assert.equal((await put(refreshed.access_token, { ...body, NewPassword: secrets['a new password'] })).status, 200);
    const form = { grant_type: 'password', username: boss, password: secrets['a new password'] };
    const second = (await grant(form)).json;
    secrets['a second access token'] = second.access_token;
    assert.equal((await put(second.access_token, { ...body, TwoFactorSecret: secrets['a TOTP secret'] })).status, 200);
    const wrongForm = new URLSearchParams({ ...form, password: secrets['a wrong password'] }).toString();
    await call('POST', '/api/token', { body: wrongForm });
    const credentials = base64(`${boss}:${secrets['a password in Basic']}`);
    await call('GET', '/api/sys/users/100000001', { headers: { Authorization: `Basic ${credentials}` } });
    await call('GET', `/api/sys/users/100000001?access_token=${second.access_token}`, { token: second.access_token });
    await call('PUT', '/api/sys/users', { token: second.access_token, body: `{"NewPassword":"${secrets['a new password']}` });
    assert.equal((await call('GET', '/api/sys/users/100000001', { token: second.access_token })).json.Password, null);
    assert.equal((await put(second.access_token, { ...body, Password: secrets['a password as hash'] })).status, 200);
});

// Also as they would look in another coding.
function spellings(secret) {
    return [secret, base64(secret).replace(/=+$/, ''), Buffer.from(secret).toString('hex'), encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
}

function assertFree(bytes, where, but = new Set()) {
    for (const [what, secret] of Object.entries(secrets))
        for (const spelling of but.has(what) ? [] : spellings(secret))
            assert.ok(!bytes.includes(spelling), `${where} has ${what}`);
}

test('no reply has one', () => {
    assert.ok(replies.length >= 8);
    replies.forEach((reply, i) => assertFree(Buffer.from(reply), `reply ${i}`));
});

// All that the process can write. Only root may look, and in a container often not even root; for all
// others that it cannot be read is the answer.
function* memoryOf(pid) {
    let memory;
    try {
        memory = openSync(`/proc/${pid}/mem`, 'r');
    } catch (error) {
        assert.match(error.code, /^(EACCES|EPERM)$/);
        return;
    }
    const part = Buffer.alloc(4 * 1024 * 1024), overlap = 1024;
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
        const [, from, to, name] = /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
        const [start, end] = [BigInt(`0x${from ?? 0}`), BigInt(`0x${to ?? 0}`)];
        for (let at = start; at < end; at += BigInt(part.length - overlap)) {
            const left = end - at, size = left < part.length ? Number(left) : part.length;
            try {
                yield [part.subarray(0, readSync(memory, part, 0, size, at)), name || 'anonymous memory'];
            } catch (error) {
                assert.equal(error.code, 'EIO'); // gone meanwhile, or never there
            }
        }
    }
    closeSync(memory);
}

// Sanitizers keep the environment as it was, and what was freed.
const isPlain = !/sanitize|address|thread/.test((await run(['--version'])).stdout);
if (isPlain) test('the memory of the server has none, once its requests have ended', () => {
    let parts = 0, hasWhatIsNoSecret = false;
    for (const [bytes, where] of memoryOf(server.child.pid)) {
        parts++;
        hasWhatIsNoSecret ||= bytes.includes(boss);
        assertFree(bytes, where, keptAsHash);
    }
    assert.ok(hasWhatIsNoSecret || !parts);
});

test('no file of the data folder has one, neither while it serves nor afterwards', async () => {
    const look = (when) => {
        const names = readdirSync(data);
        assert.ok(names.includes('roster.db'));
        for (const name of names)
            assertFree(readFileSync(join(data, name)), `${name} ${when}`, keptAsHash);
    };
    look('while it serves');
    assert.ok(readFileSync(join(data, 'roster.db-wal')).includes(boss), 'the log holds what is no secret');
    await server.stop();
    log = server.stdout + server.stderr;
    look('afterwards');
    assert.ok(readFileSync(join(data, 'roster.db')).includes(boss));
});

test('neither standard output nor the log has one', () => {
    assert.match(log, /listening on/);
    assertFree(Buffer.from(log), 'the log');
});
