// HTTP/2 as ordinary clients speak it: node's own, many requests on one connection.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import {
    code,
    Connection,
    data,
    fields,
    flag,
    frame,
    get,
    last,
    ping,
    post,
    request as fieldsOf,
    type,
    windowUpdate,
} from '../lib/frames.mjs';
import { makeCertificate, TlsServer } from '../lib/tls.mjs';
import { storedUsers } from '../lib/database.mjs';
import { userId } from '../lib/ids.mjs';
import { patientStop, run, Server, temporaryFolder } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { assertRecent, sleep } from '../lib/wait.mjs';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const args = ['--http2', 'clear'];
const server = await Server.start(args);
const token = await server.admin();
const people = Array.from({ length: 100 }, (_, i) => 200000 + i);
const MiB = 1048576;

function connect(to = server) {
    const session = http2.connect(to.url, {
        maxSessionMemory: 1000,
        ca: to.ca,
        servername: to.ca && 'localhost',
    });
    session.on('error', () => {});
    after(() => session.destroy());
    return session;
}

// A request; resolves once its stream is closed. `body` may be a function that writes to the stream itself.
function ask(session, method, path, { headers = {}, body, secret = token } = {}) {
    return new Promise((resolve) => {
        const stream = session.request(
            {
                ':method': method,
                ':path': path,
                ...(secret && { authorization: `Bearer ${secret}` }),
                ...headers,
            },
            { endStream: body === undefined },
        );
        const reply = { text: '', stream };
        stream.on('response', (got) => {
            reply.status = got[':status'];
            reply.headers = got;
        });
        stream.on('data', (part) => {
            reply.text += part;
        });
        stream.on('error', (error) => {
            reply.error = error;
        });
        stream.on('close', () =>
            resolve({
                ...reply,
                code: stream.rstCode,
                json: reply.text && reply.text[0] === '{' ? JSON.parse(reply.text) : undefined,
            }),
        );
        if (typeof body === 'function') body(stream);
        else if (body !== undefined) stream.end(body);
    });
}

const template = required(await server.get(userId, token));
const put = (session, changes, options) =>
    ask(session, 'PUT', '/api/sys/users', {
        body: JSON.stringify({ ...template, ...changes }),
        ...options,
    });
const session = connect();

test('a hundred GETs at once on one connection, each with its own reply', async () => {
    const replies = await Promise.all(
        people.map((_, i) => ask(session, 'GET', i % 2 ? `/api/sys/users/${userId}` : '/healthz')),
    );
    assert.deepEqual(
        replies.map(({ status, json }) => [status, json.Id ?? json.status]),
        people.map((_, i) => [200, i % 2 ? userId : 'ok']),
    );
    const { headers } = replies[0];
    assert.equal(headers['content-length'], '15');
    assertRecent(headers.date);
    assert.equal(headers.connection, undefined);
    assert.equal(headers['strict-transport-security'], undefined);
});

test('over TLS all is the same, and Strict-Transport-Security is said', async () => {
    const large = Buffer.alloc(MiB, 32),
        secure = await TlsServer.start(await makeCertificate(temporaryFolder(), 'one'));
    const tls = connect(secure),
        key = await secure.admin();
    const replies = await Promise.all(
        people.map((_, i) =>
            i % 4
                ? ask(tls, 'GET', i % 2 ? '/healthz' : '/api/openapi.json', { secret: null })
                : ask(tls, 'PUT', '/api/sys/users', { secret: key, body: large }),
        ),
    );
    assert.equal(tls.alpnProtocol, 'h2');
    assert.deepEqual(
        replies.map(({ status }) => status),
        people.map((_, i) => (i % 4 ? 200 : 400)),
    );
    assert.ok(
        replies.every(({ headers }) => headers['strict-transport-security'] === 'max-age=31536000'),
    );
    const description = (await server.call('GET', '/api/openapi.json')).text;
    assert.ok(replies.every(({ text }, i) => i % 4 !== 2 || text === description));
    assert.ok(description.length > 100000);
    assert.equal((await put(tls, { FullName: 'Over TLS' }, { secret: key })).status, 200);
});

test('an idle connection takes at most 48 KB with TLS, and 20 KB without', async () => {
    const isPlain = !/address|thread/.test((await run(['--version'])).stdout),
        each = 200;
    const doors = {
        48: await TlsServer.start(await makeCertificate(temporaryFolder(), 'two')),
        20: await Server.start(args),
    };
    for (const [most, to] of Object.entries(doors)) {
        const memory = () =>
            Number(
                /^Pss:\s+(\d+)/m.exec(
                    readFileSync(`/proc/${to.child.pid}/smaps_rollup`, 'utf8'),
                )[1],
            );
        const open = async (count) => {
            for (
                let i = 0;
                i < count;
                i++ // handshakes take more, while they last
            )
                assert.equal(
                    (await ask(connect(to), 'GET', '/healthz', { secret: null })).status,
                    200,
                );
        };
        await open(50);
        const before = memory();
        await open(each);
        if (isPlain)
            assert.ok((memory() - before) / each <= most, `${(memory() - before) / each} KB each`);
    }
});

test('a hundred PUTs at once on one connection: all are stored, in the order of their commits', async () => {
    const replies = await Promise.all(
        people.map((_, i) => put(session, { FullName: `Name ${i}` })),
    );
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
    const newest = Math.max(
        ...replies.map(({ json }) => Date.parse(json.Value?.UpdatedOn ?? json.UpdatedOn)),
    );
    const stored = (await ask(session, 'GET', `/api/sys/users/${userId}`)).json;
    assert.match(stored.FullName, /^Name \d+$/);
    assert.equal(Date.parse(stored.UpdatedOn), newest);
});

for (const [how, headers] of [
    ['announced', (size) => ({ 'content-length': size })],
    ['not announced', () => ({})],
])
    test(`a body of 1 MiB is read, one byte more is refused; its length ${how}`, async () => {
        const body = JSON.stringify({ ...template, FullName: `Large, ${how}` });
        const most = await ask(session, 'PUT', '/api/sys/users', {
            headers: headers(MiB),
            body: body + ' '.repeat(MiB - body.length),
        });
        assert.equal(most.status, 200, most.text);
        for (const size of [MiB + 1, 3 * MiB]) {
            const refused = await ask(session, 'PUT', '/api/sys/users', {
                headers: headers(size),
                body: Buffer.alloc(size, 32),
            });
            assert.deepEqual([refused.status, refused.json.Status, refused.code], [413, 413, 0]);
        }
        assert.equal(
            (await ask(session, 'GET', `/api/sys/users/${userId}`)).json.FullName,
            `Large, ${how}`,
        );
    });

test('a hundred bodies of 1 MiB at once on one connection are all read', async () => {
    const large = Buffer.alloc(MiB, 32);
    const replies = await Promise.all(
        people.map((_, i) =>
            ask(session, 'PUT', '/api/sys/users', {
                headers: i % 2 ? { 'content-length': MiB } : {},
                body: large,
            }),
        ),
    );
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([400])); // blanks alone
});

test('401 comes while the body is still being sent, which then ends', async () => {
    let ended = false;
    const { status, code: why } = await ask(session, 'PUT', '/api/sys/users', {
        secret: null,
        body: (stream) => {
            const more = () =>
                !ended &&
                !stream.destroyed &&
                stream.write(Buffer.alloc(1000, 32), () => setImmediate(more));
            stream.on('close', () => {
                ended = true;
            });
            stream.on('response', () => assert.equal(ended, false));
            more();
        },
    });
    assert.deepEqual([status, why], [401, 0]);
    assert.equal((await ask(session, 'GET', '/healthz')).status, 200);
});

test('curl gets the reply to a body that is refused, while it sends', async () => {
    const file = join(temporaryFolder(), 'body');
    writeFileSync(file, Buffer.alloc(MiB + 1, 32));
    const curl = async (...more) =>
        (
            await promisify(execFile)('curl', [
                '-s',
                '--http2-prior-knowledge',
                '-o',
                '-',
                '-w',
                '\n%{http_code} %{http_version}',
                ...more,
            ])
        ).stdout;
    for (let i = 0; i < 5; i++) {
        const refused = await curl(
            '-X',
            'PUT',
            '--data-binary',
            `@${file}`,
            '-H',
            `Authorization: Bearer ${token}`,
            `${server.url}/api/sys/users`,
        );
        assert.match(refused, /"Status":413,.*\n413 2$/s);
        assert.match(
            await curl('-T', file, '-H', 'Content-Length:', `${server.url}/api/sys/users`),
            /"Status":401,.*\n401 2$/s,
        );
    }
});

test('HEAD has the headers of GET and no body', async () => {
    const [whole, bare] = await Promise.all(
        ['GET', 'HEAD'].map((method) => ask(session, method, `/api/sys/users/${userId}`)),
    );
    assert.deepEqual(
        [bare.status, bare.text, bare.headers['content-length']],
        [200, '', whole.headers['content-length']],
    );
    assert.equal(Number(bare.headers['content-length']), Buffer.byteLength(whole.text));
});

test('a reply of 204 has neither body nor length', async () => {
    const reply = await ask(session, 'OPTIONS', '/api/sys/users', {
        headers: { origin: 'https://a.example', 'access-control-request-method': 'PUT' },
        secret: null,
    });
    if (reply.status === 204)
        assert.deepEqual([reply.text, reply.headers['content-length']], ['', undefined]);
    else assert.equal(Number(reply.headers['content-length']), Buffer.byteLength(reply.text));
});

test('trailers change nothing', async () => {
    const body = JSON.stringify({ ...template, FullName: 'With trailers' });
    const reply = await new Promise((resolve) => {
        const stream = session.request(
            { ':method': 'PUT', ':path': '/api/sys/users', authorization: `Bearer ${token}` },
            { waitForTrailers: true },
        );
        stream.on('wantTrailers', () =>
            stream.sendTrailers({ authorization: 'Bearer none', 'x-checksum': '1' }),
        );
        stream.on('response', (got) => {
            stream.resume().on('close', () => resolve(got[':status']));
        });
        stream.end(body);
    });
    assert.equal(reply, 200);
    assert.equal((await server.get(userId, token)).FullName, 'With trailers');
});

test('a client that gives a request up may go on with others; the request may be done or not', async () => {
    for (let i = 0; i < 20; i++) {
        const given = put(session, { FullName: `Given up ${i}` }),
            kept = put(session, { FullName: `Kept ${i}` });
        session.request({ ':path': '/healthz' }).close(code.CANCEL);
        assert.equal((await kept).status, 200);
        assert.equal((await given).status, 200);
    }
    const stream = session.request({
        ':method': 'PUT',
        ':path': '/api/sys/users',
        authorization: `Bearer ${token}`,
    });
    stream.on('error', () => {});
    stream.end(JSON.stringify({ ...template, FullName: 'Given up' }), () =>
        stream.close(code.CANCEL),
    );
    assert.equal((await ask(session, 'GET', '/healthz')).status, 200);
});

test('a connection that breaks takes its requests with it, and nothing else', async () => {
    for (let i = 0; i < 10; i++) {
        const broken = connect();
        const asked = people.slice(0, 20).map(() => put(broken, { FullName: 'Broken' }));
        await new Promise((resolve) => {
            broken.once('connect', resolve);
        });
        setImmediate(() => broken.destroy());
        await Promise.all(asked);
    }
    assert.equal((await ask(session, 'GET', '/healthz')).status, 200);
});

test('a stream whose body stops gets 408; others on the connection neither keep it nor go with it', async () => {
    const impatient = await Server.start([...args, '--idle-timeout', '3']);
    // Where this process itself was held up for 3 s, the steady stream was late as well: once more.
    for (let steady, tries = 0; steady !== 400; tries++) {
        const connection = new Connection(impatient);
        connection.send(post(1), data(1, 'x'), post(3));
        while (connection.stream(1).status === undefined && !connection.closed) {
            connection.send(data(3, 'x'));
            await sleep(50);
        }
        connection.send(last(3, 'x'), get(5));
        await connection.whole(1, 3, 5);
        await connection.until(() => connection.stream(1).reset !== undefined);
        assert.deepEqual(
            [connection.stream(1).status, connection.stream(1).reset, connection.stream(5).status],
            [408, code.NO_ERROR, 200],
        );
        steady = connection.stream(3).status;
        assert.ok(steady === 400 || (steady === 408 && tries < 10), `${steady}`);
        connection.close();
    }
});

test('a stream whose body comes byte by byte without end gets 408 in the end', async () => {
    const impatient = await Server.start([...args, '--idle-timeout', '1']);
    const connection = new Connection(impatient);
    connection.send(post(1));
    while (connection.stream(1).status === undefined && !connection.closed) {
        connection.send(data(1, 'x'), ping());
        await sleep(100);
    }
    assert.equal(connection.stream(1).status, 408);
    connection.close();
});

test('a reply that is given no window is given up, alone', async () => {
    const impatient = await Server.start([...args, '--idle-timeout', '1']);
    const connection = new Connection(impatient, { list: [[4, 0]] });
    connection.send(get(1));
    await connection.until(() => connection.stream(1).reset !== undefined || connection.closed);
    assert.deepEqual([connection.stream(1).status, connection.stream(1).reset], [200, code.CANCEL]);
    connection.close();
});

test('a reply that is taken byte by byte is given up in the end, alone', async () => {
    const impatient = await Server.start([...args, '--idle-timeout', '1']);
    const connection = new Connection(impatient, { list: [[4, 0]] });
    connection.send(
        frame(
            type.HEADERS,
            flag.END_HEADERS | flag.END_STREAM,
            1,
            fields(fieldsOf('GET', '/api/openapi.json')),
        ),
    );
    for (
        let i = 0;
        i < 600 && connection.stream(1).reset === undefined && !connection.closed;
        i++
    ) {
        // a minute, which only ends a hang
        connection.send(windowUpdate(1, 1));
        await sleep(100);
    }
    assert.deepEqual([connection.stream(1).status, connection.stream(1).reset], [200, code.CANCEL]);
    connection.send(get(3), windowUpdate(3, 100));
    await connection.whole(3);
    assert.deepEqual([connection.stream(3).isWhole, connection.stream(3).status], [true, 200]);
    connection.close();
});

test('an idle connection is told to go, and closed; so is one that stops within a frame, or says nothing', async () => {
    const impatient = await Server.start([...args, '--idle-timeout', '1']);
    const idle = new Connection(impatient);
    const [within, list] = [1, 2].map(() => new Connection(impatient, { acknowledges: false })); // it would go on with the frame
    idle.send(get(1));
    within.send(get(1).subarray(0, 20));
    list.send(frame(type.HEADERS, flag.END_STREAM, 1, fields(fieldsOf())));
    await Promise.all([idle, within, list].map((connection) => connection.ended()));
    assert.deepEqual(idle.goaway, { last: 1, code: code.NO_ERROR });
    assert.equal(within.goaway.code, code.NO_ERROR);
    assert.equal(list.goaway.code, code.NO_ERROR);
});

test('a server that stops answers all that was sent before its second GOAWAY, and stores what it acknowledged', async () => {
    const stopping = await Server.start([...args, ...patientStop]);
    const secret = await stopping.admin(),
        user = required(await stopping.get(userId, secret));
    const connection = new Connection(stopping),
        names = new Map();
    await connection.settle();
    const ask = (id) => {
        names.set(id, `Name ${id}`);
        connection.send(
            frame(
                type.HEADERS,
                flag.END_HEADERS,
                id,
                fields(fieldsOf('PUT', '/api/sys/users', [['authorization', `Bearer ${secret}`]])),
            ),
            last(id, JSON.stringify({ ...user, FullName: names.get(id) })),
        );
    };
    let id = 1;
    for (; id < 50; id += 2) ask(id);
    stopping.child.kill('SIGTERM');
    await connection.until(() => connection.goaway);
    assert.deepEqual(connection.goaway, { last: 2 ** 31 - 1, code: code.NO_ERROR });
    for (
        ;
        id < 100;
        id += 2 // what is sent before the answer to PING is in time
    )
        ask(id);
    const probe = connection.frames.find(
        (one) => one.type === type.PING && !(one.flags & flag.ACK),
    );
    connection.send(ping(probe.payload, flag.ACK));
    for (; id < 120; id += 2) ask(id);
    await connection.ended();
    const { last: newest, code: why } = connection.goaway;
    assert.equal(why, code.NO_ERROR);
    assert.ok(newest >= 99, `the last was ${newest}`);
    for (const [stream] of names)
        assert.equal(
            connection.streams.get(stream)?.isWhole ?? false,
            stream <= newest,
            `stream ${stream} of ${newest}`,
        );
    const done = [...names].filter(([stream]) => connection.streams.get(stream)?.status === 200);
    assert.equal(done.length, (newest + 1) / 2);
    assert.equal((await stopping.ended).code, 0, stopping.stderr);
    const [[, stored]] = [
        ...storedUsers(join(stopping.folder, 'data', 'roster.db'), `Id = ${userId}`),
    ];
    assert.ok(done.map(([, name]) => name).includes(stored.FullName), stored.FullName);
});

test('a server that stops waits for a client that does not answer PING only so long', async () => {
    const stopping = await Server.start(args);
    const silent = new Connection(stopping),
        session = connect(stopping);
    await silent.settle();
    assert.equal((await ask(session, 'GET', '/healthz', { secret: null })).status, 200);
    const told = new Promise((resolve) => {
        session.on('goaway', (why) => resolve(why));
    });
    stopping.child.kill('SIGTERM');
    await silent.ended();
    assert.equal(silent.goaway.code, code.NO_ERROR);
    assert.equal(await told, code.NO_ERROR);
    assert.equal((await stopping.ended).code, 0, stopping.stderr);
});
