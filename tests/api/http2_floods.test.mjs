// Clients of HTTP/2 that cause work without asking for anything: each is sent away after a bounded number of
// frames, and neither memory nor other clients suffer.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
    acknowledge,
    code,
    Connection,
    data,
    fields,
    flag,
    frame,
    get,
    goaway,
    kept,
    last,
    ping,
    post,
    priority,
    put,
    reference,
    request,
    reset,
    setting,
    settings,
    type,
    windowUpdate,
} from '../lib/frames.mjs';
import { run, Server } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';

const server = await Server.start(['--http2', 'clear']);
const token = await server.admin();
// The sanitizers keep what is freed.
const isPlain = !/address|thread/.test((await run(['--version'])).stdout);
const { END_HEADERS, END_STREAM, PADDED } = flag;
const FLOOD = 5000;

// The most memory that the server ever had, in bytes.
const memory = () =>
    1024 *
    Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]);

async function isBounded(most, work) {
    const before = memory();
    await work();
    if (isPlain) assert.ok(memory() - before <= most, `grew by ${memory() - before} bytes`);
}

// Others are answered meanwhile, on connections old and new.
async function othersAreServed(work) {
    const old = new Connection(server),
        working = work();
    for (let i = 0; i < 10; i++) {
        old.send(get(2 * i + 1));
        await old.whole(2 * i + 1);
        assert.equal(old.stream(2 * i + 1).status, 200);
        assert.equal((await server.call('GET', '/healthz')).status, 200);
    }
    old.close();
    await working;
}

// Sends frames until the server sends GOAWAY or closes; resolves with the number of frames that
// were sent until then. With `waits` each step waits until the server has read the one before, so
// at most the last two steps came too late to count. With `inSteps` each waits until the server has
// answered it: else there would be too many streams at once, which is another error. Without either
// no step waits, as a connection that reads nothing needs it.
async function pour(connection, make, { count = FLOOD, inSteps = false, waits = true } = {}) {
    let sent = 0;
    while (sent < count && !connection.closed && !connection.goaway) {
        const frames = Array.from({ length: inSteps ? 50 : 100 }, () => make(sent++));
        await Promise.race([
            connection.gone,
            new Promise((resolve) => {
                connection.socket.write(Buffer.concat(frames), resolve);
            }),
        ]);
        if (inSteps) await connection.settle();
        else if (waits) await connection.allRead();
        await new Promise(setImmediate);
    }
    return sent;
}

const head = (id, list, flags = END_HEADERS | END_STREAM) =>
    frame(type.HEADERS, flags, id, Buffer.isBuffer(list) ? list : fields(list));
const odd = (i) => 2 * i + 1;

// [what, what is sent first, the frame that is sent again and again, and how many of its effects come at most]
const floods = {
    'streams that are reset at once': [
        [],
        (i) => Buffer.concat([get(odd(i)), reset(odd(i))]),
        (c) => [(c.goaway.last + 1) / 2, 300],
    ],
    'streams with bodies that are reset at once': [
        [],
        (i) => Buffer.concat([post(odd(i)), data(odd(i), 'x'), reset(odd(i))]),
        (c) => [(c.goaway.last + 1) / 2, 300],
    ],
    'streams that the server is made to reset, by a window': [
        [],
        (i) => Buffer.concat([post(odd(i)), windowUpdate(odd(i), 2 ** 31 - 1)]),
        (c) => [c.count(type.RST_STREAM), 300],
    ],
    'streams that the server is made to reset, by malformed requests': [
        [],
        (i) => head(odd(i), request('GET', '')),
        (c) => [c.count(type.RST_STREAM), 300],
    ],
    'streams that the server is made to reset, by bodies longer than announced': [
        [],
        (i) => Buffer.concat([post(odd(i), [['content-length', '1']]), data(odd(i), 'xx')]),
        (c) => [c.count(type.RST_STREAM), 300],
    ],
    'streams past the limit, SETTINGS never acknowledged': [
        [],
        (i) => post(odd(i)),
        (c) => [c.count(type.RST_STREAM), 300],
        { acknowledges: false },
    ],
    'CONTINUATION without end': [
        [head(1, request(), END_STREAM)],
        () => frame(type.CONTINUATION, 0, 1, fields([['x-a', 'b']])),
        () => [0, 0],
    ],
    'CONTINUATION without end, and without content': [
        [head(1, request(), END_STREAM)],
        () => frame(type.CONTINUATION, 0, 1),
        () => [0, 0],
    ],
    SETTINGS: [
        [],
        () => settings([[setting.INITIAL_WINDOW_SIZE, 100]]),
        (c) => [c.count(type.SETTINGS, flag.ACK), 21],
    ],
    'SETTINGS that are empty': [
        [],
        () => settings(),
        (c) => [c.count(type.SETTINGS, flag.ACK), 21],
    ],
    'acknowledgements of SETTINGS': [[], () => acknowledge(), () => [0, 0]],
    PING: [[], () => ping(), (c) => [c.count(type.PING, flag.ACK), 201]],
    'acknowledgements of PING': [[], () => ping('pingpong', flag.ACK), () => [0, 0]],
    'DATA that is empty': [[post(1)], () => data(1, ''), () => [0, 0]],
    'DATA that is padding alone': [
        [post(1)],
        () => data(1, Buffer.from([2, 0, 0]), PADDED),
        () => [0, 0],
    ],
    'DATA that is empty, on a closed stream': [[get(1)], () => data(1, ''), () => [0, 0]],
    'WINDOW_UPDATE of the connection': [[], () => windowUpdate(0, 1), () => [0, 0]],
    'WINDOW_UPDATE of a stream': [[post(1)], () => windowUpdate(1, 1), () => [0, 0]],
    PRIORITY: [[], (i) => priority(odd(i)), () => [0, 0]],
    'frames of unknown type': [[], () => frame(0x42, 0, 0, 'x'), () => [0, 0]],
    GOAWAY: [[post(1)], () => goaway(), () => [0, 0]],
    'HEADERS of a stream that was reset': [
        [head(1, request('PUT', '/nowhere', [['content-length', '9']]), END_HEADERS)],
        () => head(1, [['x-a', 'b']]),
        () => [0, 0],
    ],
};

for (const [what, [first, make, effects, options]] of Object.entries(floods))
    test(`a flood of ${what} ends the connection, calmly`, () =>
        isBounded(16 << 20, () =>
            othersAreServed(async () => {
                const connection = new Connection(server, options);
                await connection.settle();
                connection.send(...first);
                if (what.endsWith('was reset'))
                    await connection.until(() => connection.stream(1).reset !== undefined);
                else if (first.length && !what.startsWith('CONTINUATION'))
                    await connection.settle();
                const sent = await pour(connection, make, { inSteps: what.startsWith('streams') });
                await connection.ended();
                assert.ok(sent < FLOOD, `${sent} frames were taken`);
                assert.equal(connection.goaway.code, code.ENHANCE_YOUR_CALM);
                const [count, most] = effects(connection);
                assert.ok(count <= most, `${count} times`);
                connection.close();
            }),
        ));

test('a list of fields that decompresses to megabytes ends the connection before it is all decompressed', () =>
    isBounded(16 << 20, () =>
        othersAreServed(async () => {
            const connection = new Connection(server),
                entry = kept('x-a', 'a'.repeat(3900));
            connection.send(head(1, Buffer.concat([fields(request()), entry])));
            await connection.whole(1);
            connection.send(
                head(3, Buffer.concat([fields(request()), ...Array(20).fill(reference(62))])),
            );
            await connection.whole(3);
            assert.deepEqual(
                [connection.stream(1).status, connection.stream(3).status],
                [200, 431],
            );
            connection.send(
                head(5, Buffer.concat([fields(request()), ...Array(16000).fill(reference(62))])),
                get(7),
            );
            await connection.ended();
            assert.equal(connection.goaway.code, code.ENHANCE_YOUR_CALM);
            assert.equal(connection.stream(7).status, undefined);
        }),
    ));

test('ordinary requests, one after the other, may have what would be a flood without them', async () => {
    const connection = new Connection(server, { list: [[setting.INITIAL_WINDOW_SIZE, 100]] });
    for (let i = 0; i < 400; i++) {
        const id = odd(i);
        connection.send(
            priority(id),
            post(id),
            ping(),
            data(id, ''),
            last(id, 'x'),
            windowUpdate(0, 1),
            windowUpdate(id, 1000),
        );
        await connection.whole(id);
    }
    await connection.settle();
    assert.equal(
        [...connection.streams.values()].filter(({ status }) => status === 400 || status === 429)
            .length,
        400,
    );
    assert.equal(connection.goaway, undefined);
    connection.close();
});

test('a client that reads nothing cannot pile up what it is told', () =>
    isBounded(16 << 20, () =>
        othersAreServed(async () => {
            const connections = Array.from(
                { length: 20 },
                () => new Connection(server, { reads: false, acknowledges: false }),
            );
            await Promise.all(
                connections.map((connection) =>
                    pour(
                        connection,
                        (i) => Buffer.concat([post(odd(i)), windowUpdate(odd(i), 2 ** 31 - 1)]),
                        { count: 2000, waits: false },
                    ),
                ),
            );
            connections.forEach((connection) => connection.close());
        }),
    ));

test('a thousand streams with unfinished bodies: those past the limit end the connection', () =>
    isBounded(16 << 20, () =>
        othersAreServed(async () => {
            const connection = new Connection(server);
            await connection.settle();
            await pour(
                connection,
                (i) => Buffer.concat([post(odd(i)), data(odd(i), Buffer.alloc(16384))]),
                { count: 1000 },
            );
            await connection.ended();
            assert.equal(connection.goaway.last, 199);
        }),
    ));

test('unfinished bodies are bounded for each connection, and announced ones cost nothing', () =>
    isBounded(64 << 20, () =>
        othersAreServed(async () => {
            const connections = Array.from({ length: 10 }, () => new Connection(server));
            for (const connection of connections) {
                await connection.settle();
                for (let i = 0; i < 100; i++) {
                    connection.send(
                        put(odd(i), 1048576, `Bearer ${token}`),
                        data(odd(i), Buffer.alloc(16384)),
                    );
                    if (i % 20 === 0) await connection.settle();
                }
                await connection.settle();
                const opened = connection.frames.filter(
                    ({ type: kind, stream }) => kind === type.WINDOW_UPDATE && stream,
                );
                assert.equal(new Set(opened.map(({ stream }) => stream)).size, 2);
                assert.equal(connection.goaway, undefined);
            }
            connections.forEach((connection) => connection.close());
        }),
    ));

test('large replies that nobody reads wait in a bounded number, and come when they are read', async () => {
    const count = 20;
    for (let i = 0; i < count; i++) {
        const reply = await server.call('POST', '/api/sys/users', {
            token,
            body: userBody({
                FullName: 'Large',
                Email: `large-${i}@example.com`,
                Devices: 'x'.repeat(60000),
            }),
        });
        assert.equal(reply.status, 200, reply.text);
    }
    const path = '/api/sys/users?size=100&orderBy=Id',
        size = (await server.call('GET', path, { token })).text.length;
    assert.ok(size > count * 60000, `${size} bytes`);
    await isBounded(32 << 20, () =>
        othersAreServed(async () => {
            const connection = new Connection(server, {
                reads: false,
                list: [[setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]],
            });
            connection.send(windowUpdate(0, 2 ** 31 - 1 - 65535));
            const ids = Array.from({ length: 100 }, (_, i) => odd(i));
            connection.send(
                ...ids.map((id) =>
                    head(id, request('GET', path, [['authorization', `Bearer ${token}`]])),
                ),
            );
            // As many requests on another connection as these: the server has had its turn with all of them.
            for (let i = 0; i < 100; i++)
                assert.equal((await server.call('GET', '/healthz')).status, 200);
            connection.socket.resume();
            await connection.whole(...ids);
            const small = ids.filter(
                (id) =>
                    connection.stream(id).status !== 200 ||
                    connection.stream(id).size < count * 60000,
            );
            assert.deepEqual(small, []);
            connection.close();
        }),
    );
});
