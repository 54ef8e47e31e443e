// RFC 9113 sections 3 to 8, each row: what a client sends, and all that may come of it. A stream or the whole
// connection ends with the error that the section names, and nothing else is touched.
import test from 'node:test';
import assert from 'node:assert/strict';
import {
    code,
    Connection,
    data,
    fields,
    flag,
    frame,
    get,
    goaway,
    last,
    ping,
    post,
    preface,
    put,
    request,
    setting,
    settings,
    type,
    windowUpdate,
} from '../lib/frames.mjs';
import { head, more, rows } from './http2_rows.mjs';
import { Server } from '../lib/server.mjs';
import { within } from '../lib/wait.mjs';

const server = await Server.start(['--http2', 'clear']);
const { END_HEADERS, END_STREAM } = flag;

const sorted = (object = {}) => Object.fromEntries(Object.entries(object).sort());

function outcomeOf(connection) {
    const outcome = { status: {}, reset: {}, goaway: connection.goaway?.code };
    for (const [id, { status, reset: why }] of connection.streams) {
        if (status) outcome.status[id] = status;
        if (why !== undefined) outcome.reset[id] = why;
    }
    return outcome;
}

for (const [section, what, bytes, wanted, begin] of rows)
    test(`RFC 9113 ${section}: ${what}`, async () => {
        const connection = new Connection(server, begin);
        connection.send(bytes);
        if (wanted.goaway === undefined) {
            await connection.whole(...Object.keys(wanted.status ?? {}).map(Number));
            await connection.settle();
        } else {
            await connection.ended();
        }
        const outcome = outcomeOf(connection);
        assert.equal(outcome.goaway, wanted.goaway, JSON.stringify(outcome));
        if (wanted.last !== undefined) assert.equal(connection.goaway.last, wanted.last);
        if (wanted.goaway === undefined) {
            assert.deepEqual(sorted(outcome.status), sorted(wanted.status));
            assert.deepEqual(sorted(outcome.reset), sorted(wanted.reset));
            assert.equal(connection.closed, false);
        }
        connection.close();
    });

test('an error ends the connection at once, also while the body of an answered request is still to come', async () => {
    const connection = new Connection(server);
    connection.send(Buffer.concat([post(1), data(1, Buffer.alloc(16384)), data(1, 'x')]));
    await connection.whole(1);
    assert.equal(connection.streams.get(1).status, 413);
    connection.send(windowUpdate(0, 0));
    await connection.ended();
    assert.equal(connection.goaway.code, code.PROTOCOL_ERROR);
    connection.close();
});

test("RFC 9113 3.4: the server's first frame is SETTINGS, and says what it bounds", async () => {
    const connection = new Connection(server);
    await connection.settle();
    const [{ type: kind, flags, stream, payload }] = connection.frames;
    assert.deepEqual([kind, flags, stream], [type.SETTINGS, 0, 0]);
    const said = new Map(
        Array.from({ length: payload.length / 6 }, (_, i) => [
            payload.readUInt16BE(6 * i),
            payload.readUInt32BE(6 * i + 2),
        ]),
    );
    assert.equal(said.get(setting.MAX_CONCURRENT_STREAMS), 100);
    assert.equal(said.get(setting.MAX_HEADER_LIST_SIZE), 16384);
    assert.equal(said.get(setting.INITIAL_WINDOW_SIZE), 16384);
    connection.close();
});

test('RFC 9113 3.4 and 4.1: frames may come byte by byte', async () => {
    const connection = new Connection(server, { begin: false, acknowledges: false });
    const bytes = Buffer.concat([
        preface,
        settings([[setting.HEADER_TABLE_SIZE, 0]]),
        post(1),
        data(1, 'hel'),
        last(1, 'lo'),
        get(3),
    ]);
    for (const byte of bytes) {
        connection.send(Buffer.from([byte]));
        await new Promise(setImmediate);
    }
    await connection.whole(1, 3);
    assert.deepEqual([connection.stream(1).status, connection.stream(3).status], [400, 200]);
    connection.close();
});

test('RFC 9113 6.5.3 and 6.7: SETTINGS and PING are acknowledged, acknowledgements are not', async () => {
    const connection = new Connection(server);
    connection.send(
        settings([[setting.MAX_CONCURRENT_STREAMS, 7]]),
        settings(),
        ping('one bite'),
        ping('stranger', flag.ACK),
    );
    await connection.settle();
    assert.equal(connection.count(type.SETTINGS, flag.ACK), 3);
    const answers = connection.frames
        .filter((one) => one.type === type.PING)
        .map((one) => one.payload.toString());
    assert.equal(answers[0], 'one bite');
    assert.ok(!answers.includes('stranger'));
    connection.close();
});

test('RFC 9113 6.8: a client that says GOAWAY gets its replies, then the connection ends', async () => {
    const connection = new Connection(server, { list: [[setting.INITIAL_WINDOW_SIZE, 0]] });
    connection.send(get(1), goaway());
    await connection.settle();
    assert.equal(connection.closed, false);
    connection.send(windowUpdate(1, 1000));
    await connection.ended();
    assert.equal(connection.stream(1).isWhole, true);
});

test('RFC 9113 6.9: a reply takes no more than the windows of its stream and of the connection', async () => {
    const connection = new Connection(server, { list: [[setting.INITIAL_WINDOW_SIZE, 3]] });
    connection.send(get(1));
    await connection.settle();
    assert.deepEqual([connection.stream(1).size, connection.stream(1).isWhole], [3, undefined]);
    connection.send(windowUpdate(1, 4));
    await connection.settle();
    assert.equal(connection.stream(1).size, 7);
    connection.send(settings([[setting.INITIAL_WINDOW_SIZE, 0]])); // 3 less: the stream owes 3
    connection.send(windowUpdate(1, 3));
    await connection.settle();
    assert.equal(connection.stream(1).size, 7);
    connection.send(settings([[setting.INITIAL_WINDOW_SIZE, 65535]]));
    await connection.whole(1);
    assert.equal(connection.stream(1).body, '{"status":"ok"}');
    connection.close();
});

test("RFC 9113 6.9: 65,535 bytes go out before the client opens the connection's window", async () => {
    const connection = new Connection(server, { list: [[setting.INITIAL_WINDOW_SIZE, 1000000]] });
    const ids = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
    const sum = () => ids.reduce((all, id) => all + connection.stream(id).size, 0);
    connection.send(...ids.map((id) => head(id, request('GET', '/api/openapi.json'))));
    await connection.until(() => sum() >= 65535);
    await connection.settle();
    assert.equal(sum(), 65535);
    connection.send(windowUpdate(0, 100000000));
    await connection.whole(...ids);
    assert.equal(new Set(ids.map((id) => connection.stream(id).size)).size, 1);
    connection.close();
});

test('HEAD is answered without a body, by the headers of GET', async () => {
    const connection = new Connection(server);
    connection.send(head(1, request('HEAD')), head(3, request('HEAD', '/nowhere')));
    await connection.whole(1, 3);
    assert.deepEqual(
        [1, 3].map((id) => [connection.stream(id).status, connection.stream(id).size]),
        [
            [200, 0],
            [404, 0],
        ],
    );
    connection.close();
});

test('a list of fields over 16 KiB gets 431, in whichever frames and fields it comes, and the connection goes on', async () => {
    const connection = new Connection(server);
    const large = fields(
        request(
            'GET',
            '/healthz',
            Array.from({ length: 20 }, (_, i) => [`x-${i}`, 'a'.repeat(1000)]),
        ),
    );
    connection.send(head(1, large.subarray(0, 16384), END_STREAM), more(1, large.subarray(16384)));
    connection.send(head(3, request('GET', `/${'a'.repeat(16300)}`))); // its path alone is too large
    connection.send(
        head(
            5,
            request(
                'GET',
                '/healthz',
                Array.from({ length: 500 }, () => ['a', '']),
            ),
        ),
    );
    connection.send(
        head(
            7,
            request(
                'HEAD',
                '/healthz',
                Array.from({ length: 500 }, () => ['a', '']),
            ),
        ),
    );
    connection.send(
        head(
            9,
            request(
                'GET',
                '/healthz',
                Array.from({ length: 480 }, () => ['a', '']),
            ),
        ),
    );
    await connection.whole(1, 3, 5, 7, 9);
    assert.deepEqual(
        [1, 3, 5, 7, 9].map((id) => connection.stream(id).status),
        [431, 431, 431, 431, 200],
    );
    assert.equal(JSON.parse(connection.stream(1).body).Status, 431);
    assert.equal(connection.stream(7).size, 0);
    connection.close();
});

test('Expect: 100-continue is answered before the body, anything else expected is refused', async () => {
    const connection = new Connection(server);
    connection.send(
        post(1, [
            ['expect', '100-continue'],
            ['content-length', '5'],
        ]),
    );
    await connection.until(() => connection.stream(1).interim);
    assert.equal(connection.stream(1).interim, 100);
    connection.send(
        last(1, 'hello'),
        post(3, [['expect', 'tea']]),
        last(3, 'x'),
        get(5, [['expect', '100-continue']]),
    );
    await connection.whole(1, 3, 5);
    assert.deepEqual(
        [1, 3, 5].map((id) => connection.stream(id).status),
        [400, 417, 200],
    );
    assert.equal(connection.stream(5).interim, undefined);
    connection.close();
});

test('RFC 9113 8.1: a request that is answered early is told that its rest is not wanted', async () => {
    const connection = new Connection(server);
    connection.send(head(1, request('PUT', '/api/sys/users'), END_HEADERS)); // no token
    connection.send(head(3, request('PUT', '/nowhere', [['content-length', '5']]), END_HEADERS));
    connection.send(post(5, [['content-length', '1048577']]));
    connection.send(
        head(7, request('PUT', '/api/sys/users', [['expect', '100-continue']]), END_HEADERS),
    );
    await connection.until(() =>
        [1, 3, 5, 7].every((id) => connection.stream(id).reset !== undefined),
    );
    assert.deepEqual(
        [1, 3, 5, 7].map((id) => [
            connection.stream(id).status,
            connection.stream(id).isWhole,
            connection.stream(id).reset,
        ]),
        [401, 404, 413, 401].map((status) => [status, true, code.NO_ERROR]),
    );
    connection.send(data(1, 'late'), last(3, 'hello'), get(9));
    await connection.whole(9);
    assert.equal(connection.stream(9).status, 200);
    connection.close();
});

test('bodies wait for room, not for each other: larger ones come one after the other, small ones at once', async () => {
    const connection = new Connection(server);
    const length = 1048576,
        ids = [1, 3, 5];
    await connection.settle();
    for (const id of ids) connection.send(put(id, length));
    const opened = (id) =>
        connection.frames
            .filter((one) => one.type === type.WINDOW_UPDATE && one.stream === id)
            .reduce((sum, one) => sum + one.payload.readUInt32BE(0), 16384);
    await connection.until(() => opened(1) >= length && opened(3) >= length);
    connection.send(post(7), last(7, 'hello'));
    await connection.whole(7);
    await connection.settle();
    assert.equal(opened(5), 16384);
    connection.send(
        ...Array.from({ length: 64 }, (_, i) =>
            data(1, Buffer.alloc(16384, 32), i === 63 ? END_STREAM : 0),
        ),
    );
    await connection.until(() => opened(5) >= length);
    assert.deepEqual([connection.stream(1).status, connection.stream(7).status], [401, 400]);
    connection.close();
});

test('a client that has closed its own side gets the replies to whole requests; the others are refused', async () => {
    const connection = new Connection(server);
    connection.send(get(1), post(3), data(3, 'x'));
    connection.socket.end();
    await connection.ended();
    assert.deepEqual(
        [1, 3].map((id) => connection.stream(id).status),
        [200, 400],
    );
});

test('a reply that waits for a window ends when the client has closed its own side: none will be opened', () =>
    within(
        25000,
        async () => {
            // any ends after 30 s
            const [open, closed] = [1, 2].map(
                () => new Connection(server, { list: [[setting.INITIAL_WINDOW_SIZE, 0]] }),
            );
            open.send(get(1));
            await open.until(() => open.stream(1).status === 200);
            closed.send(get(1));
            closed.socket.end();
            await closed.ended();
            assert.equal(closed.stream(1).status, 200);
            assert.deepEqual(
                [open.closed, open.stream(1).reset],
                [false, undefined],
                'the other has waited for longer',
            );
            open.close();
        },
        3,
    ));

test('no request behind a connection error is run', async () => {
    const connection = new Connection(server);
    connection.send(get(1), frame(type.PING, 0, 1, 'pingpong'), get(3));
    await connection.ended();
    assert.equal(connection.goaway.last, 1);
    assert.equal(connection.streams.has(3), false);
});
