// Thousands of clients that rest, dawdle or do not read. Other clients are answered meanwhile,
// these are once they go on, and each of them costs the server no more memory than its test allows.
// (Builds with a sanitizer use more memory, so they are not measured.)
import test, { afterEach } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Client, assertRefusal, forEach, held, statuses } from '../lib/client.mjs';
import { userId } from '../lib/ids.mjs';
import { isSanitized, Server } from '../lib/server.mjs';
import { required, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

// A sanitizer sees the same of fewer.
const isJudged = !isSanitized(),
    MANY = isJudged ? 10000 : 1000,
    AT_ONCE = 200,
    KIB = 1024;
const head = (method, path, ...lines) =>
    [`${method} ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
const alive = head('GET', '/healthz');

// Node takes as many descriptors as it may (the hard limit), and so does the server.
test('the system gives enough descriptors for these tests', () => {
    const [, soft] = /^Max open files +(\d+|unlimited)/m.exec(
        readFileSync('/proc/self/limits', 'utf8'),
    );
    assert.ok(
        !(Number(soft) < MANY + 500),
        `${MANY} connections need a higher limit than ${soft}: ulimit -n ${MANY + 1000}`,
    );
});

const open = new Set();
afterEach(() => disperse([...open]));
const gather = (server, count, options) =>
    forEach(Array.from({ length: count }), AT_ONCE, async () => {
        const client = await Client.connect(server, options);
        open.add(client);
        client.socket.on('error', () => {}); // judged by who reads from it
        return client;
    });
function disperse(clients) {
    for (const client of clients) {
        client.close();
        open.delete(client);
    }
}

// The server's own memory, and that once it has read all that was sent to it.
const memoryNow = (server) =>
    KIB *
    Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]);
async function memory(server) {
    await until('all is read', () => held(server).unread === 0);
    return memoryNow(server);
}

// A server that has once done what it is asked here, so that what it keeps for ever is not counted.
async function start(...args) {
    const server = await Server.start(args);
    const token = await server.admin(),
        bearer = `Authorization: Bearer ${token}`;
    const clients = await gather(server, 100);
    await forEach(clients, AT_ONCE, async (client) => {
        await client.write(
            alive +
                head('GET', '/api/openapi.json') +
                head('GET', `/api/sys/users/${userId}`, bearer, 'Connection: close'),
        );
        assert.deepEqual(statuses(await client.rest()), [200, 200, 200]);
    });
    disperse(clients);
    return { server, token, bearer };
}

// Others, on connections of their own and new ones, and one that was there before, if there is one.
async function assertServed({ server, token, bearer }, kept) {
    for (let i = 0; i < 50; i++) {
        await kept?.write(i % 2 ? alive : head('GET', `/api/sys/users/${userId}`, bearer));
        assert.equal((await kept?.reply())?.status ?? 200, 200);
        const client = await Client.connect(server);
        await client.write(head('GET', `/api/sys/users/${userId}`, bearer, 'Connection: close'));
        assert.deepEqual(statuses(await client.rest()), [200]);
    }
    assert.equal(
        (await server.put(required(await server.get(userId, token)), { token })).status,
        200,
    );
}

function assertGrown(before, now, count, each) {
    if (isJudged)
        assert.ok(
            now - before <= count * each,
            `${Math.round((now - before) / count)} bytes for each of ${count}, where ${each} are allowed`,
        );
}

test(`${MANY} connections that rest take 2 KB each and keep nobody out, and each is answered again`, async () => {
    const world = await start(),
        { server } = world,
        kept = await Client.connect(server);
    const before = await memory(server),
        clients = await gather(server, MANY);
    await forEach(clients, AT_ONCE, async (client) => {
        await client.write(alive);
        assert.equal((await client.reply()).status, 200);
    });
    assert.ok(held(server).count >= MANY);
    assertGrown(before, await memory(server), MANY, 2 * KIB);
    await assertServed(world, kept);
    await forEach(clients, AT_ONCE, async (client) => {
        await client.write(alive);
        assert.equal((await client.reply()).status, 200);
    });
    disperse([...clients, kept]);
    await until('their connections are gone', () => held(server).count <= 4); // those of fetch
});

test(`${MANY} heads that were only begun take 8 KB each and keep nobody out, and each is told that it was late`, async () => {
    const world = await start('--head-timeout', '10'),
        { server } = world,
        kept = await Client.connect(server);
    const before = await memory(server),
        clients = await gather(server, MANY);
    const begun = 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: and so on\r\n';
    await forEach(clients, AT_ONCE, (client, i) =>
        client.write(begun.slice(0, 1 + (i % begun.length))),
    );
    assertGrown(before, await memory(server), MANY, 8 * KIB);
    await assertServed(world, kept);
    for (const client of clients) {
        const replies = await client.rest();
        assert.equal(replies.length, 1);
        assertRefusal(replies[0], 408);
    }
    disperse([...clients, kept]);
});

test('2,000 heads that trickle a byte at a time keep nobody out, and none of them lasts', async () => {
    const world = await start('--idle-timeout', '4'),
        { server } = world;
    const clients = await forEach(Array.from({ length: 2000 }), AT_ONCE, async () => {
        const client = await Client.connect(server);
        await client.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX: '); // at once, or it would be closed without a word
        return client;
    });
    const trickle = setInterval(
        () => clients.forEach((client) => client.isOver || client.write('y').catch(() => {})),
        500,
    );
    try {
        await assertServed(world);
        for (const client of clients) assertRefusal((await client.rest())[0], 408);
    } finally {
        clearInterval(trickle);
        disperse(clients);
    }
});

test('1,000 bodies of which half has come take no more than they announce and 8 KB each, keep nobody out, and are read when they end', async () => {
    const world = await start(),
        { server, bearer } = world,
        kept = await Client.connect(server);
    const size = 64 * KIB,
        body = '{"Key":"hello"}'.padStart(size),
        known = head('POST', '/api/sys/users/runcommand', bearer, `Content-Length: ${size}`);
    const before = await memory(server),
        clients = await gather(server, 1000);
    await forEach(clients, AT_ONCE, (client) => client.write(known + body.slice(0, size / 2)));
    assertGrown(before, await memory(server), clients.length, size + 8 * KIB);
    await assertServed(world, kept);
    await forEach(clients, AT_ONCE, async (client) => {
        await client.write(body.slice(size / 2));
        assert.equal(JSON.parse((await client.reply()).body).Errors[0].AttemptedValue, 'hello');
    });
    disperse([...clients, kept]);
});

test('1,000 bodies that were only announced, of 1 MiB each, take 16 KB each and keep nobody out', async () => {
    const world = await start(),
        { server, bearer } = world,
        kept = await Client.connect(server);
    const before = await memory(server),
        clients = await gather(server, 1000);
    await forEach(clients, AT_ONCE, (client) =>
        client.write(
            `${head('POST', '/api/sys/users/runcommand', bearer, 'Content-Length: 1048576')}{`,
        ),
    );
    assertGrown(before, await memory(server), clients.length, 16 * KIB);
    await assertServed(world, kept);
    disperse([...clients, kept]);
});

test('50 clients that do not read a reply of more than 1 MiB take no more than twice that each, keep nobody out, and get all of it when they read', async () => {
    const world = await start(),
        { server, token, bearer } = world,
        kept = await Client.connect(server);
    await forEach(Array.from({ length: 700 }), 50, async (_, i) => {
        const made = await server.call('POST', '/api/sys/users', {
            token,
            body: userBody({ FullName: `One of Many ${i}`, Email: `many.${i}@example.com` }),
        });
        assert.equal(made.status, 200, made.text);
    });
    const page = head('GET', '/api/sys/users?size=1000&orderBy=Id', bearer, 'Connection: close');
    await kept.write(page.replace('Connection: close\r\n', ''));
    const whole = (await kept.reply()).body;
    assert.ok(whole.length > 1024 * KIB);
    const before = await memory(server),
        clients = await gather(server, 50, { isPaused: true });
    await forEach(clients, AT_ONCE, (client) => client.write(page));
    await assertServed(world, kept);
    assertGrown(before, await memory(server), clients.length, 2 * whole.length);
    const ids = (text) => JSON.parse(text).Records.map(({ Id }) => Id);
    await forEach(clients, AT_ONCE, async (client) => {
        const replies = await client.read().rest();
        assert.equal(replies.length, 1);
        assert.deepEqual(ids(replies[0].body), ids(whole));
    });
    disperse([...clients, kept]);
});

test('500 clients that do not read the description of the API share it, and get all of it when they read', async () => {
    const world = await start(),
        { server } = world,
        kept = await Client.connect(server),
        page = head('GET', '/api/openapi.json');
    const whole = (await server.call('GET', '/api/openapi.json')).text,
        count = 20; // more than sockets hold
    const before = await memory(server),
        clients = await gather(server, 500, { isPaused: true });
    await forEach(clients, AT_ONCE, (client) => client.write(page.repeat(count)));
    await assertServed(world, kept);
    assertGrown(before, memoryNow(server), clients.length, 64 * KIB);
    await forEach(clients.slice(0, 10), AT_ONCE, async (client) => {
        client.read();
        for (let i = 0; i < count; i++) assert.equal((await client.reply()).body, whole);
    });
    disperse([...clients, kept]);
});

test('200 clients that ask for 100 large replies at once and read none take 2 MiB each, keep nobody out, and get all of them when they read', async () => {
    const world = await start(),
        { server } = world,
        kept = await Client.connect(server),
        page = head('GET', '/api/sys/users?size=100&orderBy=Id', world.bearer),
        count = 100;
    const before = await memory(server),
        clients = await gather(server, 200, { isPaused: true });
    await forEach(clients, AT_ONCE, (client) => client.write(page.repeat(count)));
    await assertServed(world, kept);
    assertGrown(before, memoryNow(server), clients.length, 2048 * KIB);
    await forEach(clients.slice(0, 10), AT_ONCE, async (client) => {
        client.read();
        for (let i = 0; i < count; i++) assert.equal((await client.reply()).status, 200);
    });
    disperse([...clients, kept]);
    await assertServed(world, await Client.connect(server));
});

test(`${2 * MANY} connections, one after the other and many at once, leave nothing behind`, async () => {
    const world = await start(),
        { server } = world;
    const round = () =>
        forEach(Array.from({ length: MANY }), AT_ONCE, async (_, i) => {
            const client = await Client.connect(server);
            await client.write(
                i % 2
                    ? head('GET', '/healthz', 'Connection: close')
                    : 'GET /healthz HTTP/1.1\r\nX : y\r\n\r\n',
            );
            assert.deepEqual(statuses(await client.rest()), [i % 2 ? 200 : 400]);
        });
    await round();
    const before = await memory(server);
    await round();
    await until('their connections are gone', () => held(server).count <= 4); // those of fetch
    assertGrown(before, await memory(server), MANY, 100);
});
