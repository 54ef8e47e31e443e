// How long a connection lasts, and what comes on it in which order (RFC 9112 section 9): kept connections, pipelining, clients
// that close their own side, HEAD. network.test.mjs has those that misbehave.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Client, ask, assertRefusal, forEach, statuses } from '../lib/client.mjs';
import { userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { sleep } from '../lib/wait.mjs';
import { addMembers } from '../lib/world.mjs';

// A test here that waited for a time-out would fail: a head has 10 s, and then it is 408.
const server = await Server.start();
const token = await server.admin(),
    people = await addMembers(server, 20);
const bearer = `Authorization: Bearer ${token}`;
const head = (method, path, ...lines) =>
    [`${method} ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
const old = (method, path, ...lines) =>
    head(method, path, ...lines).replace('HTTP/1.1', 'HTTP/1.0');
const post = (body, ...lines) =>
    head('POST', '/api/sys/users/runcommand', bearer, `Content-Length: ${body.length}`, ...lines) +
    body;
const alive = head('GET', '/healthz');

// ---- Kept connections ----

test('HTTP/1.1 keeps the connection without a word, until the client says close', async () => {
    const client = await Client.connect(server);
    for (let i = 0; i < 300; i++) {
        await client.write(i % 3 ? alive : post('{"Key":"none"}'));
        const { status, headers } = await client.reply();
        assert.equal(status, i % 3 ? 200 : 400);
        assert.equal(headers.connection, undefined);
    }
    await client.write(head('GET', '/healthz', 'Connection: close') + alive.repeat(3));
    const replies = await client.rest();
    assert.deepEqual(
        replies.map(({ status, headers }) => [status, headers.connection]),
        [[200, 'close']],
    );
});

test('HTTP/1.0 closes after the reply, unless the client asks to keep the connection, and then the reply says so', async () => {
    assert.deepEqual(statuses(await ask(server, old('GET', '/healthz') + alive)), [200]);
    const client = await Client.connect(server);
    for (let i = 0; i < 5; i++) {
        await client.write(old('GET', '/healthz', 'Connection: keep-alive'));
        const { status, headers } = await client.reply();
        assert.equal(status, 200);
        assert.match(headers.connection, /^keep-alive$/i);
    }
    await client.write(old('GET', '/healthz') + alive);
    assert.deepEqual(statuses(await client.rest()), [200]);
});

test('replies of every kind keep the connection: 200, 204, 400, 401, 403, 404, 405, and each is written as the RFC has it', async () => {
    const shared = await Server.start(['--cors-origins', '*']);
    const lister = await shared.token('lister@example.com');
    const client = await Client.connect(shared);
    const asked = [
        [head('GET', '/readyz'), 200],
        [
            head('OPTIONS', '/healthz', 'Origin: http://x', 'Access-Control-Request-Method: GET'),
            204,
        ],
        [head('POST', '/api/token', 'Content-Length: 0'), 400],
        [head('GET', '/api/sys/users'), 401],
        [head('GET', `/api/sys/users/${userId}`, `Authorization: Bearer ${lister}`), 403],
        [head('GET', '/nowhere'), 404],
        [head('DELETE', '/healthz'), 405],
    ];
    for (const [bytes, status] of [...asked, ...asked]) {
        await client.write(bytes);
        const reply = await client.reply();
        assert.deepEqual([reply.status, reply.headers.connection], [status, undefined]);
    }
    client.close();
});

test('a POST, PUT or PATCH that announces no body is answered, and then closed, since what follows might be one', async () => {
    for (const [method, path, status] of [
        ['POST', '/api/token', 400],
        ['PUT', '/api/sys/users', 400],
        ['PATCH', `/api/sys/users/${userId}`, 400],
        ['POST', '/nowhere', 404],
    ]) {
        const replies = await ask(server, head(method, path, bearer) + alive);
        assert.deepEqual(
            replies.map((reply) => [reply.status, reply.headers.connection]),
            [[status, 'close']],
            `${method} ${path}`,
        );
    }
});

// ---- HEAD ----

test('HEAD is answered as GET, with its Content-Length and all other headers, but without its body', async () => {
    for (const [path, ...lines] of [
        ['/healthz'],
        ['/readyz'],
        ['/nowhere'],
        ['/api/sys/users'],
        ['/api/sys/users', bearer],
        [`/api/sys/users/${userId}`, bearer],
        ['/api/openapi.json'],
        ['/api/docs'],
        ['/api/sys/users/1', bearer],
        ['/api/token'],
    ]) {
        const client = await Client.connect(server);
        await client.write(
            ['HEAD', 'GET', 'HEAD'].map((method) => head(method, path, ...lines)).join('') +
                head('GET', '/healthz', 'Connection: close'),
        );
        const first = await client.reply({ isHead: true }),
            whole = await client.reply(),
            again = await client.reply({ isHead: true });
        assert.deepEqual(statuses(await client.rest()), [200], path);
        const own = { date: '', 'x-request-id': '' }; // what no two replies have in common
        for (const { status, headers } of [first, again]) {
            assert.equal(status, whole.status);
            assert.deepEqual({ ...headers, ...own }, { ...whole.headers, ...own }, path);
        }
        assert.ok(Buffer.byteLength(whole.body) > 0);
        assert.equal(Number(first.headers['content-length']), Buffer.byteLength(whole.body));
    }
});

test('HEAD of a conditional GET that finds nothing new is 304, without a body', async () => {
    const client = await Client.connect(server);
    await client.write(head('GET', `/api/sys/users/${userId}`, bearer));
    const {
        headers: { etag },
    } = await client.reply();
    for (const method of ['GET', 'HEAD']) {
        await client.write(
            head(method, `/api/sys/users/${userId}`, bearer, `If-None-Match: ${etag}`),
        );
        assert.equal((await client.reply({ isHead: method === 'HEAD' })).status, 304);
    }
    await client.write(head('GET', '/healthz', 'Connection: close'));
    assert.deepEqual(statuses(await client.rest()), [200]);
});

// ---- Pipelining ----

const person = (i) => head('GET', `/api/sys/users/${people[i % people.length]}`, bearer);
const assertPeople = (replies, count) =>
    assert.deepEqual(
        replies.map(({ status, body }) => [status, JSON.parse(body).Id]),
        Array.from({ length: count }, (_, i) => [200, people[i % people.length]]),
    );

test('10,000 requests of a client that reads nothing before it has sent them all, and then slowly, are answered in order', async () => {
    const count = 10000,
        client = await Client.connect(server, { isPaused: true });
    const written = client.write(
        Array.from({ length: count }, (_, i) => person(i)).join('') +
            head('GET', '/nowhere', 'Connection: close'),
    );
    await sleep(100); // a head start, of which nothing depends
    client.read();
    const replies = [];
    for (let i = 0; i < 50; i++) {
        client.socket.pause();
        await sleep(5);
        client.socket.resume();
        replies.push(await client.reply());
    }
    await written;
    replies.push(...(await client.rest()));
    assert.equal(replies.pop().status, 404);
    assertPeople(replies, count);
});

test('slow and quick requests on one connection are answered in the order in which they came', async () => {
    const basic = `Authorization: Basic ${Buffer.from('reader@example.com:demo-password').toString('base64')}`,
        wrong = `Authorization: Basic ${Buffer.from('reader@example.com:wrong').toString('base64')}`;
    const body = JSON.stringify(required(await server.get(userId))),
        form = 'grant_type=password&username=editor@example.com&password=demo-password';
    const kinds = [
        [alive, 200],
        [head('GET', '/api/sys/users?orderBy=Devices&User_FullName=a', bearer), 200],
        [head('GET', `/api/sys/users/${userId}`, basic), 200],
        [head('GET', '/nowhere'), 404],
        [head('PUT', '/api/sys/users', bearer, `Content-Length: ${body.length}`) + body, 200],
        [head('GET', '/api/auth/me', wrong), 401],
        [head('POST', '/api/token', `Content-Length: ${form.length}`) + form, 200],
        [head('GET', '/api/sys/users'), 401],
        [post('{'), 400],
    ];
    const asked = Array.from({ length: 90 }, (_, i) => kinds[(i * 7 + Math.floor(i / 9)) % 9]);
    const replies = await ask(
        server,
        asked.map(([bytes]) => bytes).join('') + head('GET', '/healthz', 'Connection: close'),
    );
    assert.deepEqual(statuses(replies), [...asked.map(([, status]) => status), 200]);
});

test('requests that come in pieces while others are answered stay apart', async () => {
    const bytes =
        Array.from({ length: 60 }, (_, i) =>
            i % 2 ? person(i) : post(`{"Key":"number ${i}"}`),
        ).join('') + head('GET', '/healthz', 'Connection: close');
    const client = await Client.connect(server);
    await client.writePieces(bytes.match(/[^]{1,37}/g));
    const replies = await client.rest();
    assert.equal(replies.length, 61);
    for (let i = 0; i < 60; i++)
        assert.equal(
            i % 2
                ? JSON.parse(replies[i].body).Id
                : JSON.parse(replies[i].body).Errors[0].AttemptedValue,
            i % 2 ? people[i % people.length] : `number ${i}`,
        );
});

// ---- Clients that close their own side ----

// All that comes after these bytes and the end of the client's side, until the server closes its own.
async function half(bytes) {
    const client = await Client.connect(server);
    await client.write(bytes);
    return client.end().rest();
}

test('a client that sends whole requests and closes its own side gets all replies, then the server closes', async () => {
    const body = '{"Key":"hello"}',
        chunked = head('POST', '/api/sys/users/runcommand', bearer, 'Transfer-Encoding: chunked');
    for (const [bytes, ...expected] of [
        [alive, 200],
        [old('GET', '/healthz', 'Connection: keep-alive'), 200],
        [post(body), 400],
        [`${chunked}f\r\n${body}\r\n0\r\n\r\n`, 400],
        [`${chunked}f\r\n${body}\r\n0\r\nX: a\r\n\r\n`, 400],
        [head('GET', '/api/sys/users?orderBy=Devices&User_FullName=a', bearer), 200],
        [head('POST', '/api/token', bearer), 400],
        [alive.repeat(100), ...Array(100).fill(200)],
        [`${alive}\r\n`, 200],
        [head('PUT', '/api/sys/users', 'Content-Length: 5') + 'hello', 401],
        [`${post(body)}${alive}`, 400, 200],
    ])
        assert.deepEqual(statuses(await half(bytes)), expected, bytes);
});

test('a connection with no bytes, or only empty lines, is closed without a reply', async () => {
    for (const bytes of ['', '\r\n', '\r\n\r\n', '\r\n'.repeat(100)])
        assert.deepEqual(await half(bytes), []);
    assert.deepEqual(statuses(await half(`${alive}\r\n\r\n`)), [200]);
});

// Those that the first `cut` bytes of a request are, for each cut.
const prefixes = (bytes, least = 1) =>
    Array.from({ length: bytes.length - least }, (_, i) => bytes.slice(0, least + i));

test('a head that is cut off, wherever, is 400 at once, and no 408 later', async () => {
    const outcomes = await forEach(
        [
            ...prefixes(head('GET', '/healthz', 'X: a')),
            ...prefixes(`\r\n${alive}`, 3),
            ...prefixes(head('POST', '/api/token', 'Content-Length: 5')),
        ],
        50,
        half,
    );
    assert.ok(outcomes.length > 100);
    for (const replies of outcomes) {
        assert.equal(replies.length, 1);
        assertRefusal(replies[0], 400);
    }
});

test('a body that is cut off, wherever, by its length or its chunks, is 400 at once, and no request', async () => {
    const body = '{"Key":"hello"}',
        known = head('POST', '/api/sys/users/runcommand', bearer, `Content-Length: ${body.length}`),
        chunked = head('POST', '/api/sys/users/runcommand', bearer, 'Transfer-Encoding: chunked');
    const outcomes = await forEach(
        [
            ...prefixes(known + body, known.length),
            ...prefixes(
                `${chunked}7;a="b"\r\n${body.slice(0, 7)}\r\n8\r\n${body.slice(7)}\r\n0\r\nX: a\r\n\r\n`,
                chunked.length,
            ),
        ],
        50,
        half,
    );
    assert.ok(outcomes.length > 50);
    for (const replies of outcomes) {
        assert.equal(replies.length, 1);
        assertRefusal(replies[0], 400);
    }
});

test('whole requests before one that is cut off are answered', async () => {
    for (const cut of ['GET', alive.slice(0, -1), post('hello').slice(0, -1)]) {
        const replies = await half(alive + alive + cut);
        assert.deepEqual(statuses(replies), [200, 200, 400], cut);
        assertRefusal(replies[2], 400);
    }
});

test('a body that was answered before it came, and is cut off then, gets no second answer', async () => {
    const client = await Client.connect(server);
    await client.write(head('PUT', '/api/sys/users', 'Content-Length: 100'));
    assert.equal((await client.reply()).status, 401);
    await client.write('half of it');
    assert.deepEqual(await client.end().rest(), []);
});

test('a client that waits for 100 and closes its own side instead of sending the body is answered once', async () => {
    const client = await Client.connect(server);
    await client.write(
        head('PUT', '/api/sys/users', bearer, 'Expect: 100-continue', 'Content-Length: 100'),
    );
    assert.equal((await client.reply()).status, 100);
    const replies = await client.end().rest();
    assert.equal(replies.length, 1);
    assertRefusal(replies[0], 400);
});
