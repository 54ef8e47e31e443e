// How a request is refused before it was read whole (RFC 9112 section 9.6, RFC 9110 section 10.1.1): once, in the envelope
// that every failure has, and so that the client gets to read it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Client, ask, assertRefusal, held, statuses } from '../lib/client.mjs';
import { userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start();
const token = await server.admin();
const MIB = 1048576;
const head = (method, path, ...lines) =>
    [`${method} ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
const alive = head('GET', '/healthz'),
    bearer = `Authorization: Bearer ${token}`;

const refused = {
    400: head('GET', '/healthz', 'X : a'),
    413: head('POST', '/api/token', `Content-Length: ${MIB + 1}`),
    414: `GET /${'x'.repeat(20000)}`,
    417: head('POST', '/api/token', 'Expect: x', 'Content-Length: 5'),
    431: head('GET', '/healthz', `X: ${'x'.repeat(20000)}`),
    501: head('FOO', '/healthz'),
    505: head('GET', '/healthz').replace('1.1', '2.0'),
};

for (const [status, bytes] of Object.entries(refused))
    test(`${status} comes once, in the envelope, and the connection is closed`, async () => {
        const replies = await ask(server, bytes);
        assert.deepEqual(statuses(replies), [Number(status)]);
        assertRefusal(replies[0], Number(status));
    });

for (const [what, status, bytes] of [
    ['a target that is none', 400, head('HEAD', 'nope')],
    ['a line that is no header', 400, head('HEAD', '/healthz', 'nothing')],
    ['a blank before a colon', 400, head('HEAD', '/healthz', 'X : a')],
    ['headers that are too long', 431, head('HEAD', '/healthz', `X: ${'x'.repeat(20000)}`)],
    ['another version', 505, head('HEAD', '/healthz').replace('1.1', '2.0')],
])
    test(`a HEAD that is refused gets no body: ${what}`, async () => {
        const replies = await ask(server, bytes, ['HEAD']);
        assert.deepEqual(statuses(replies), [status]);
    });

test('a length that is none, one beyond all numbers, and no Host have one head each', async () => {
    for (const bytes of [
        head('POST', '/api/token', 'Content-Length: +5'),
        head('POST', '/api/token', 'Content-Length: 18446744073709551621'),
        'GET /healthz HTTP/1.1\r\n\r\n',
    ]) {
        const replies = await ask(server, bytes);
        assert.equal(replies.length, 1, bytes);
        assertRefusal(replies[0], replies[0].status);
        assert.doesNotMatch(replies[0].body, /HTTP\/1\./, 'nor a second one for a body');
        assert.ok([400, 413].includes(replies[0].status), bytes);
    }
});

test('bytes behind a refused request are never a request, whether they come with it or after the reply', async () => {
    const before = await server.get(userId);
    const body = JSON.stringify({
        ...required(before),
        LastHelpVisited: before.LastHelpVisited + 1,
    });
    const change = head('PUT', '/api/sys/users', bearer, `Content-Length: ${body.length}`) + body;
    for (const bytes of Object.values(refused)) {
        const client = await Client.connect(server);
        await client.write(bytes + change.repeat(10));
        const reply = await client.reply();
        assert.ok(reply.status >= 400);
        await client.write(change.repeat(10));
        assert.deepEqual(await client.rest(), []);
    }
    assert.deepEqual(await server.get(userId), before);
});

test('requests before a refused one are answered first, however many', async () => {
    const replies = await ask(server, alive.repeat(200) + refused[400] + alive.repeat(10));
    assert.deepEqual(statuses(replies), [...Array(200).fill(200), 400]);
});

test('a refusal says nothing of what was sent', async () => {
    for (const bytes of [
        'GET /<script> HTTP/1.1\r\nHost: <script>\r\n\r\n',
        head('G@T', '/<script>'),
        head('GET', '/x', '<script>: <script>'),
        head('<script>', '/x'),
    ])
        assert.doesNotMatch((await ask(server, bytes)).map(({ body }) => body).join(), /script/);
});

// ---- Before the body ----

// Method, path, headers, and the status that only the head decides.
const early = [
    ['POST', '/nowhere', [], 404],
    ['POST', '/nowhere', [bearer], 404],
    ['PUT', '/healthz', [], 405],
    ['DELETE', '/api/sys/users', [bearer], 405],
    ['PUT', '/api/sys/users', [], 401],
    ['PUT', '/api/sys/users', ['Authorization: Bearer none'], 401],
    ['POST', '/api/sys/businesses', ['Authorization: Digest x'], 401],
    ['PATCH', `/api/sys/users/${userId}`, ['Authorization: Bearer'], 401],
    [
        'PUT',
        '/api/sys/users',
        [
            `Authorization: Basic ${btoa(`${adminEmail}:${password}`)}`,
            'Origin: https://evil.example',
        ],
        403,
    ],
];

const shown = (reply) => ({ status: reply.status, text: reply.body, json: JSON.parse(reply.body) });
function assertEarly(reply, status) {
    assertFailure(shown(reply), status);
    assert.equal(reply.headers.allow !== undefined, status === 405);
    assert.equal(reply.headers['www-authenticate'] !== undefined, status === 401);
}

test('401, 403 to a page of another origin, 404 and 405 come before a body of known length, which is then dropped, and the connection goes on', async () => {
    for (const [method, path, lines, status] of early)
        for (const size of [1, 1000, 65536]) {
            const client = await Client.connect(server);
            await client.write(head(method, path, ...lines, `Content-Length: ${size}`));
            const reply = await client.reply();
            assertEarly(reply, status);
            assert.equal(reply.headers.connection, undefined);
            const body = alive.repeat(Math.ceil(size / alive.length)).slice(0, size); // as if it were requests
            await client.writePieces([body.slice(0, size / 2), body.slice(size / 2)]);
            await client.write(head('GET', '/healthz', 'Connection: close'));
            assert.deepEqual(statuses(await client.rest()), [200], `${method} ${path} ${size}`);
        }
});

test('before a longer body, before chunks, and where the client waits for 100, the connection is closed after them', async () => {
    for (const [method, path, lines, status] of early)
        for (const more of [
            ['Content-Length: 65537'],
            [`Content-Length: ${MIB}`],
            ['Transfer-Encoding: chunked'],
            ['Content-Length: 5', 'Expect: 100-continue'],
            ['Transfer-Encoding: chunked', 'Expect: 100-continue'],
        ]) {
            const replies = await ask(server, head(method, path, ...lines, ...more));
            assert.deepEqual(statuses(replies), [status], `${method} ${path} ${more}`);
            assertEarly(replies[0], status);
            assert.equal(replies[0].headers.connection, 'close');
        }
});

test('answers that the head does not decide wait for the body: 403, 400 and every success', async () => {
    const lister = await server.token('lister@example.com');
    for (const [line, body, status] of [
        [
            `Authorization: Bearer ${lister}`,
            JSON.stringify(required(await server.get(userId))),
            403,
        ],
        [bearer, '{', 400],
        [bearer, JSON.stringify(required(await server.get(userId))), 200],
    ]) {
        const client = await Client.connect(server);
        await client.write(
            head(
                'PUT',
                '/api/sys/users',
                line,
                'Expect: 100-continue',
                `Content-Length: ${body.length}`,
            ),
        );
        assert.equal((await client.reply()).status, 100);
        await client.write(body);
        assert.equal((await client.reply()).status, status);
        client.close();
    }
});

test('a refusal by the head is told in its turn: after the replies to the requests before it', async () => {
    const client = await Client.connect(server);
    await client.write(
        head('GET', '/api/sys/users?orderBy=Devices&User_FullName=a', bearer) +
            head('PUT', '/api/sys/users', 'Content-Length: 5'),
    );
    assert.equal((await client.reply()).status, 200);
    assert.equal((await client.reply()).status, 401);
    await client.write(`hello${head('GET', '/healthz', 'Connection: close')}`);
    assert.deepEqual(statuses(await client.rest()), [200]);
});

// ---- Who sends and does not listen ----

const sending = {
    '413, by its length': [
        head('PUT', '/api/sys/users', bearer, `Content-Length: ${8 * MIB}`),
        'x'.repeat(8 * MIB),
        413,
    ],
    '413, by its chunks': [
        head('PUT', '/api/sys/users', bearer, 'Transfer-Encoding: chunked'),
        `10000\r\n${'x'.repeat(65536)}\r\n`.repeat(128),
        413,
    ],
    '401, before 1 MiB': [
        head('PUT', '/api/sys/users', `Content-Length: ${MIB}`),
        'x'.repeat(MIB),
        401,
    ],
    '404, before chunks of 1 MiB': [
        head('POST', '/nowhere', 'Transfer-Encoding: chunked'),
        `${`10000\r\n${'x'.repeat(65536)}\r\n`.repeat(16)}0\r\n\r\n`,
        404,
    ],
    '431, before 8 MiB of the head': [
        'GET / HTTP/1.1\r\nHost: x\r\n',
        'a: b\r\n'.repeat((8 * MIB) / 6),
        431,
    ],
    '414, before 8 MiB of the target': ['GET /', 'x'.repeat(8 * MIB), 414],
    '400, before 8 MiB of anything': [head('GET', '/healthz', 'X : a'), 'x'.repeat(8 * MIB), 400],
    '501, before 8 MiB of a body': [
        head('FOO', '/healthz', `Content-Length: ${8 * MIB}`),
        'x'.repeat(8 * MIB),
        501,
    ],
};
for (const [name, [begin, more, status]] of Object.entries(sending))
    test(`a client that sends all before it reads gets its reply and no reset: ${name}`, async () => {
        const client = await Client.connect(server, { isPaused: true });
        await client.write(begin + more);
        const replies = await client.read().rest();
        assert.deepEqual(statuses(replies), [status]);
        assert.equal(replies[0].headers.connection, 'close');
    });

test(
    'a client that goes on sending after a refusal, or keeps the connection open, is closed',
    { timeout: 60000 },
    async () => {
        const own = await Server.start();
        const silent = await Client.connect(own),
            endless = await Client.connect(own, { isPaused: true });
        await silent.write(refused[400]);
        assertRefusal(await silent.reply(), 400);
        let taken = 0;
        for (await endless.write(refused[400]); taken < 100 && !endless.isOver; taken++)
            await endless.write('x'.repeat(MIB)).catch(() => {}); // the reset that ends it
        assert.ok(taken < 100, `${taken} MiB were taken`);
        await until('its connections are gone', () => held(own).count === 0);
        silent.close();
    },
);
