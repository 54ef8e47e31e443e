// The log answers why: a line for each request when it is asked for, with the Id that the reply and the
// lines of sign-ins have too, as text or as JSON; nothing that a client sends can forge a line, and a reader that stands
// still holds up no request.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { userId } from '../lib/ids.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const made = /^[0-9a-f]{16}$/;
const json = await Server.start(['--access-log', '--log-format', 'json']);
const text = await Server.start(['--access-log']);
const quiet = await Server.start([]);
const slow = await Server.start(['--log-slow', '1']);
const never = await Server.start(['--log-slow', '3600000']);
const admin = await json.token();

// All lines of a log in JSON, each of which has to be an object.
const lines = (server) =>
    server.stderr
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));

// The lines of the request with this Id, once one of them says that it has ended.
async function linesOf(id, server = json) {
    const of = () => lines(server).filter(({ request }) => request === id);
    await until(
        () => `a line of ${id}: ${server.stderr}`,
        () => of().some(({ event }) => event === 'request'),
    );
    return of();
}

const idOf = ({ headers }) => headers.get('x-request-id');

test('each request is a line with its method, path, status, bytes, time, user and address', async () => {
    const reply = await json.call('GET', `/api/sys/users/${userId}?secret=hidden`, {
        token: admin,
    });
    const [line, ...others] = await linesOf(idOf(reply));
    assert.deepEqual(others, []);
    const { time, ms, user, ...rest } = line;
    assert.deepEqual(rest, {
        level: 'info',
        event: 'request',
        method: 'GET',
        path: `/api/sys/users/${userId}`,
        status: 200,
        bytes: Buffer.byteLength(reply.text),
        address: '127.0.0.1',
        request: idOf(reply),
    });
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/);
    assert.ok(ms > 0 && user > 0, `${ms} ${user}`);
});

test('a line in text has the same', async () => {
    const reply = await text.call('GET', '/healthz');
    const line = await until(
        () => text.stderr,
        () => text.stderr.split('\n').find((one) => one.includes(idOf(reply))),
    );
    assert.match(
        line,
        /^\S+Z info: request: method=GET path=\/healthz status=200 bytes=15 ms=\d+\.\d{3} address=127\.0\.0\.1 request=[0-9a-f]{16}$/,
    );
});

test('without --access-log no request is a line', async () => {
    const reply = await quiet.call('GET', '/healthz');
    assert.match(idOf(reply), made);
    await quiet.stop();
    assert.doesNotMatch(quiet.stderr, /request:/);
    await quiet.spawn();
});

test('the start and the stop are lines that say what was started and why it stops', async () => {
    const own = await Server.start([]);
    await own.stop();
    assert.match(
        own.stderr,
        /info: started: version \d+\.\d+\.\d+, process \d+, data in \S+, \d+ users, seccomp (on|off), at most \d+ connections\n/,
    );
    assert.match(own.stderr, /info: stopping: SIGTERM, \d+ requests in progress\n/);
    assert.match(own.stderr, /info: stopped: all requests have ended, after \d+ ms\n/);
});

test('--log-slow logs requests that took as long, and no others', async () => {
    const ask = (server) =>
        server.grant({ grant_type: 'password', username: adminEmail, password: 'x' });
    await ask(never);
    const id = idOf(await ask(slow)); // to hash a password takes longer than 1 ms
    const line = await until(
        () => slow.stderr,
        () => slow.stderr.split('\n').find((one) => one.endsWith(` request=${id}`)),
    );
    assert.match(line, / warning: slow request: method=POST path=\/api\/token status=400 /);
    assert.ok(Number(/ ms=([\d.]+) /.exec(line)[1]) >= 1, line);
    await never.stop();
    assert.doesNotMatch(never.stderr, /slow/);
});

test('an Id that is well-formed is taken, and stands in the reply and in each line', async () => {
    for (const id of [
        'a',
        'Root=1-67891233-abcdef012345678912345678',
        'x'.repeat(64),
        '-_.:=+/@',
    ]) {
        const headers = { 'X-Request-Id': id };
        assert.equal(idOf(await json.call('GET', '/healthz', { headers })), id);
        assert.equal((await linesOf(id)).length, 1);
    }
    await json.grant(
        { grant_type: 'password', username: adminEmail, password: 'wrong' },
        { 'X-Request-Id': 'a-sign-in' },
    );
    const [signIn, request] = await linesOf('a-sign-in');
    assert.deepEqual([signIn.event, signIn.reason, request.status], ['sign-in', 'password', 400]);
});

test('an Id that is not well-formed is replaced by one of our own', async () => {
    const bad = [
        '',
        'x'.repeat(65),
        'a b',
        'a,b',
        'a;b',
        '"a"',
        'a\\b',
        '<a>',
        'a%0Ab',
        'a\tb',
        '\u00e4',
    ];
    for (const id of bad)
        assert.match(
            idOf(await json.call('GET', '/healthz', { headers: { 'X-Request-Id': id } })),
            made,
            id,
        );
    const two = await json.raw(
        'GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\nX-Request-Id: two\r\nConnection: close\r\n\r\n',
    );
    assert.match(two, /\r\nX-Request-Id: [0-9a-f]{16}\r\n/);
});

test('a request that is malformed has an Id too', async () => {
    const reply = await json.raw('NONSENSE\r\n\r\n');
    const [, id] = /\r\nX-Request-Id: ([0-9a-f]{16})\r\n/.exec(reply);
    const [line] = await linesOf(id);
    assert.deepEqual([line.method, line.path, line.status], ['OTHER', '', 400]);
});

test('no two requests get the same Id', async () => {
    const ids = new Set();
    for (let i = 0; i < 200; i++) ids.add(idOf(await quiet.call('GET', '/healthz')));
    assert.equal(ids.size, 200);
});

test('HEAD is logged as HEAD, without bytes', async () => {
    const reply = await json.call('HEAD', '/healthz');
    const [{ method, bytes }] = await linesOf(idOf(reply));
    assert.deepEqual([method, bytes], ['HEAD', 0]);
});

test('no query and no token in a path is in the log', async () => {
    const token = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOjF9.c2VjcmV0';
    for (const path of [
        `/api/sys/users/exchange?token=${token}`,
        `/api/sys/users/exchange/${token}`,
        `/api/sys/users/exchange/${token}/`,
        `/${admin}`,
    ]) {
        const reply = await json.call('POST', path);
        const all = await linesOf(idOf(reply));
        assert.ok(all.length > 0);
    }
    for (const secret of [token, 'c2VjcmV0', admin, password, 'hidden'])
        assert.ok(!json.stderr.includes(secret), secret);
});

test('no bytes of a request make a line of their own, or break one', async () => {
    const before = lines(json).length;
    const heads = [
        'GET /a%0d%0a2026-11-27T10:30:00Z%20info:%20sign-in:%20refused HTTP/1.1\r\nHost: a\r\n',
        'GET /"},{"event":"forged" HTTP/1.1\r\nHost: a\r\n',
        'GET /\\u0022\\n HTTP/1.1\r\nHost: a\r\n',
        'GET /\x80\xff\xe2\x80\xa8 HTTP/1.1\r\nHost: a\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\x0bb\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4, forged\r\n',
    ];
    for (const head of heads)
        await json.raw(Buffer.from(`${head}Connection: close\r\n\r\n`, 'latin1'));
    await until('a line each', () => lines(json).length >= before + heads.length);
    assert.equal(lines(json).length, before + heads.length);
    assert.ok(lines(json).every(({ event }) => event !== 'forged'));
    assert.ok(!text.stderr.includes('\u2028'));
});

// ---- A reader that stands still ----

const longPath = '/a-segment'.repeat(24);

test('a reader that stands still holds up no request, and is told how many lines it lost', async () => {
    const own = await Server.launch(temporaryFolder(), ['--demo', '--access-log', '--metrics'], {});
    own.child.stderr.pause();
    const ask = async () => {
        for (let i = 0; i < 250; i++) assert.equal((await own.call('GET', longPath)).status, 404);
    };
    // A megabyte: more than the pipe, the server's 512 KiB and node's buffer take together.
    await Promise.all(Array.from({ length: 12 }, ask));
    own.child.stderr.resume();
    await until('the count of the lost lines', () =>
        /warning: log: \d+ lines were dropped/.test(own.stderr),
    );
    assert.equal((await own.call('GET', '/healthz')).status, 200);
    await own.stop();
    assert.ok(own.stderr.endsWith('\n'));
});

test('a reader that never reads again does not hold up the stop', async () => {
    const own = await Server.launch(temporaryFolder(), ['--demo', '--access-log'], {});
    own.child.stderr.pause();
    const ask = async () => {
        for (let i = 0; i < 100; i++) assert.equal((await own.call('GET', longPath)).status, 404);
    };
    await Promise.all(Array.from({ length: 12 }, ask));
    own.child.kill('SIGTERM');
    const code = await new Promise((resolve) => {
        own.child.on('exit', resolve);
    });
    assert.equal(code, 0);
    own.child.stderr.destroy();
});

// ---- fail2ban ----

const filter = new URL('../../dist/fail2ban/filter.d/roster.conf', import.meta.url).pathname;

for (const format of ['text', 'json'])
    test(`the filter of fail2ban finds the failed sign-ins of a real log in ${format}, and nothing else`, async () => {
        const own = await Server.start([
            '--access-log',
            '--lockout-attempts',
            '2',
            '--log-format',
            format,
        ]);
        const fail = (username, secret, headers) =>
            own.grant({ grant_type: 'password', username, password: secret }, headers);
        await fail('nobody@example.com', 'x');
        await fail(adminEmail, 'x');
        await fail(adminEmail, 'y');
        await fail(adminEmail, password);
        await own.call('POST', '/api/sys/users/exchange?token=x');
        await own.call(
            'GET',
            '/sign-in:%20refused,%20wrong%20password;%20no%20user,%20from%2010.0.0.1',
        );
        await own.call(
            'GET',
            '/","event":"sign-in","message":"refused,%20x","reason":"x","address":"10.0.0.1',
        );
        await own.call('GET', '/healthz', { headers: { 'X-Request-Id': 'from:10.0.0.1' } });
        await own.stop();
        const log = join(own.folder, 'log');
        writeFileSync(log, own.stderr);
        const out = execFileSync('fail2ban-regex', ['--out', 'ip', log, filter], {
            encoding: 'utf8',
        });
        assert.match(own.stderr, format === 'json' ? /^\{"time"/m : /^\d{4}-/m);
        assert.deepEqual(out.trim().split('\n'), Array(5).fill('127.0.0.1'), own.stderr);
    });
