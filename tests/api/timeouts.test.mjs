// Time-outs of each phase. With --idle-timeout 2 a head has 2 s, and a body 2 s without a byte and
// 8 s in all.
import test from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Client, assertRefusal, held, statuses } from '../lib/client.mjs';
import { userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start(['--idle-timeout', '2']);
const token = await server.admin();
const bearer = `Authorization: Bearer ${token}`;
const head = (method, path, ...lines) =>
    [`${method} ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
const command = (...lines) => head('POST', '/api/sys/users/runcommand', bearer, ...lines);
const alive = head('GET', '/healthz');

// The replies to a client that sends these bytes and then nothing, or `trickle` five times a
// second.
async function waitFor(bytes, trickle) {
    const client = await Client.connect(server);
    await client.write(bytes);
    const timer =
        trickle && setInterval(() => client.isOver || client.write(trickle).catch(() => {}), 200);
    try {
        return await client.rest();
    } finally {
        clearInterval(timer);
    }
}

// All wait at the same time. Bytes, what trickles, statuses.
const late = {
    'a byte of a head': ['G', , 408],
    'half a request line': ['GET /heal', , 408],
    'a head but for its last byte': [alive.slice(0, -1), , 408],
    'half a head after an empty line': [`\r\n${alive.slice(0, 20)}`, , 408],
    'half a head after a whole request': [alive + alive.slice(0, 20), , 200, 408],
    'a head that trickles': ['GET /healthz HTTP/1.1\r\nX: ', 'x', 408],
    'a head that trickles in lines': ['GET /healthz HTTP/1.1\r\n', 'X: y\r\n', 408],
    'a body of which nothing comes': [command('Content-Length: 15'), , 408],
    'a body of which half comes': [`${command('Content-Length: 15')}{"Key"`, , 408],
    'a body of which all but a byte comes, of HTTP/1.0': [
        `${command('Content-Length: 15')}{"Key":"hello"`.replace('HTTP/1.1', 'HTTP/1.0'),
        ,
        408,
    ],
    'a body of a GET of which nothing comes': [head('GET', '/healthz', 'Content-Length: 5'), , 408],
    'a body that trickles': [`${command('Content-Length: 1000')}{`, ' ', 408],
    'no chunk': [command('Transfer-Encoding: chunked'), , 408],
    'half a chunk size': [`${command('Transfer-Encoding: chunked')}f`, , 408],
    'half a chunk': [`${command('Transfer-Encoding: chunked')}f\r\n{"Key"`, , 408],
    'no last chunk': [`${command('Transfer-Encoding: chunked')}f\r\n{"Key":"hello"}\r\n`, , 408],
    'half a trailer': [
        `${command('Transfer-Encoding: chunked')}f\r\n{"Key":"hello"}\r\n0\r\nX: a`,
        ,
        408,
    ],
    'chunks that trickle': [command('Transfer-Encoding: chunked'), '1\r\n \r\n', 408],
    'a chunk extension that trickles': [`${command('Transfer-Encoding: chunked')}f;`, 'x', 408],
    'a body that was waited for': [
        command('Expect: 100-continue', 'Content-Length: 15'),
        ,
        100,
        408,
    ],
    'a body after a whole request': [alive + command('Content-Length: 15'), , 200, 408],
};
const silent = {
    'from the start': ['', ,],
    'after a request': [alive, , 200],
    'after a body': [`${command('Content-Length: 1')}{`, , 400],
    'after many requests': [alive.repeat(50), , ...Array(50).fill(200)],
    'after HTTP/1.0 with keep-alive': [
        'GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
        ,
        200,
    ],
    'in place of a body that was answered before it came': [
        head('PUT', '/api/sys/users', 'Content-Length: 15'),
        ,
        401,
    ],
};
const outcomes = Object.fromEntries(
    [...Object.entries(late), ...Object.entries(silent)].map(([name, [bytes, trickle]]) => [
        name,
        waitFor(bytes, trickle).then(
            (replies) => ({ replies }),
            (error) => ({ error }),
        ),
    ]),
);
async function outcomeOf(name) {
    const { replies, error } = await outcomes[name];
    if (error) throw error;
    return replies;
}

for (const [name, [, , ...expected]] of Object.entries(late))
    test(`408 in the envelope, once, and closed: ${name}`, async () => {
        const replies = await outcomeOf(name);
        assert.deepEqual(statuses(replies), expected);
        assertRefusal(replies.at(-1), 408);
    });

for (const [name, [, , ...expected]] of Object.entries(silent))
    test(`a connection that is idle is closed without a word: ${name}`, async () => {
        assert.deepEqual(statuses(await outcomeOf(name)), expected);
    });

test('--head-timeout is for the head alone', async () => {
    const own = await Server.start(['--head-timeout', '1']);
    const idle = await Client.connect(own),
        late = await Client.connect(own);
    await idle.write(alive);
    assert.equal((await idle.reply()).status, 200);
    await late.write(alive.slice(0, -1));
    assertRefusal(await late.reply(), 408);
    await idle.write(alive);
    assert.equal((await idle.reply()).status, 200);
    [idle, late].forEach((client) => client.close());
});

test('a reply that nobody takes is given up', { timeout: 120000 }, async () => {
    const own = await Server.start(['--idle-timeout', '2']);
    const clients = await Promise.all(
        Array.from({ length: 10 }, () => Client.connect(own, { isPaused: true })),
    );
    for (const client of clients) {
        client.socket.on('error', () => {}); // a reset may end it
        client.write(head('GET', '/api/openapi.json').repeat(200)).catch(() => {}); // more than sockets hold
    }
    await until('all are connected', () => held(own).count === clients.length);
    await until('its connections are gone', () => held(own).count === 0);
    clients.forEach((client) => client.close());
});

test('a client that waits for its reply has no time-out', async () => {
    const pictures = createServer((request, response) =>
        setTimeout(() => response.writeHead(404).end(), 5000),
    ).listen(0, '127.0.0.1');
    await once(pictures, 'listening');
    const host = `127.0.0.1:${pictures.address().port}`;
    const own = await Server.start(['--idle-timeout', '2', '--avatar-hosts', host]);
    const body = JSON.stringify({
        ...required(await own.get(userId)),
        NewAvatarUrl: `http://${host}/`,
    });
    const client = await Client.connect(own);
    await client.write(
        head(
            'PUT',
            '/api/sys/users',
            `Authorization: Bearer ${await own.admin()}`,
            `Content-Length: ${body.length}`,
        ) +
            body +
            head('GET', '/healthz', 'Connection: close'),
    );
    const replies = await client.rest();
    assert.deepEqual(statuses(replies), [400, 200]);
    assert.equal(JSON.parse(replies[0].body).Errors[0].PropertyName, 'NewAvatarUrl');
    pictures.close();
});
