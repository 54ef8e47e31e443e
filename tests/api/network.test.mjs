// Clients that half-close, reset, vanish, do not read, read slowly, ask a thousand things at once or
// never end a head: who behaves is answered, and nobody else waits for who does not.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { adminId, userId } from '../lib/ids.mjs';
import { isSanitized, Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { sleep, within } from '../lib/wait.mjs';
import { addMembers } from '../lib/world.mjs';

const server = await Server.start();
const token = await server.admin();
const body = required(await server.get(userId, token));
const people = await addMembers(server, 20);

const request = (method, path, text = '', ...lines) =>
    [
        `${method} ${path} HTTP/1.1`,
        'Host: x',
        `Authorization: Bearer ${token}`,
        ...(text ? [`Content-Length: ${Buffer.byteLength(text)}`] : []),
        ...lines,
        '',
        text,
    ].join('\r\n');
const put = (LastHelpVisited, ...lines) =>
    request('PUT', '/api/sys/users', JSON.stringify({ ...body, LastHelpVisited }), ...lines);
const stored = async () => (await server.get(userId, token)).LastHelpVisited;

const open = new Set();
after(() => open.forEach((socket) => socket.destroy()));
function connect() {
    return new Promise((resolve, reject) => {
        const socket = net.connect(server.port, server.host, () => resolve(socket));
        open.add(socket);
        socket.on('error', reject);
        socket.on('close', () => open.delete(socket));
    });
}

// The bodies of all replies of a connection, once there are `count`.
async function replies(socket, count) {
    const found = [];
    let rest = Buffer.alloc(0);
    for await (const part of socket) {
        rest = Buffer.concat([rest, part]);
        for (let end; (end = rest.indexOf('\r\n\r\n')) >= 0; ) {
            const head = rest.subarray(0, end).toString('latin1'),
                length = Number(/^Content-Length: (\d+)/im.exec(head)[1]);
            if (rest.length < end + 4 + length) break;
            found.push({
                status: Number(head.slice(9, 12)),
                json: JSON.parse(rest.subarray(end + 4, end + 4 + length)),
            });
            rest = rest.subarray(end + 4 + length);
        }
        if (found.length >= count) break;
    }
    return found;
}

async function assertResponsive() {
    for (let i = 0; i < 10; i++)
        assert.equal(
            (await server.call('GET', '/healthz', { headers: { Connection: 'close' } })).status,
            200,
        );
    const number = Math.floor(Math.random() * 1e6);
    assert.equal((await server.put({ ...body, LastHelpVisited: number }, { token })).status, 200);
    assert.equal(await stored(), number);
}

const half = (bytes) => server.raw(bytes, { end: true, wait: 60000 });

test('a client that has closed its side is answered all the same, also what has to wait', async () => {
    const basic = Buffer.from('admin@example.com:demo-password').toString('base64');
    const form = 'grant_type=password&username=admin@example.com&password=demo-password';
    const asked = [
        request('GET', `/api/sys/users/${userId}`),
        put(11),
        request('GET', '/api/sys/users?orderBy=Devices&User_FullName=a'),
        request('GET', `/api/sys/users/${userId}`).replace(`Bearer ${token}`, `Basic ${basic}`),
        request('POST', '/api/token', form, 'Content-Type: application/x-www-form-urlencoded'),
        request('GET', '/api/sys/users?User_Email=@&orderBy=SystemId&dir=1'),
        request('GET', '/api/sys/users?orderBy=Devices').replace(
            `Bearer ${token}`,
            `Basic ${Buffer.from('lister@example.com:demo-password').toString('base64')}`,
        ),
        request('GET', `/api/sys/users/${adminId}/token/refresh`),
    ];
    for (const bytes of asked)
        assert.match(await half(bytes), /^HTTP\/1\.1 200 [^]*\r\n\r\n\{[^]*\}$/, bytes);
    assert.equal(await stored(), 11);
    const many = Array.from({ length: 50 }, (_, i) => half(put(100 + i)));
    for (const answer of await Promise.all(many))
        assert.match(answer, /^HTTP\/1\.1 200 [^]*"WasSuccessful":true/);
});

test('a body that ends too early, by its length or its chunks, is no request', async () => {
    assert.equal((await server.put({ ...body, LastHelpVisited: 21 }, { token })).status, 200);
    const text = JSON.stringify({ ...body, LastHelpVisited: 22 }),
        chunk = `${text.length.toString(16)}\r\n${text}\r\n`;
    const head = (line) => request('PUT', '/api/sys/users', '', line);
    const chunked = head('Transfer-Encoding: chunked');
    const cut = [
        `${head(`Content-Length: ${text.length + 1}`)}${text}`,
        `${head(`Content-Length: ${text.length}`)}${text.slice(0, -1)}`,
        head(`Content-Length: ${text.length}`),
        `${chunked}${chunk}`,
        `${chunked}${chunk}0\r\n`,
        `${chunked}${chunk.slice(0, -2)}`,
        `${chunked}${text.length.toString(16)}`,
    ];
    await Promise.all(
        cut.map(async (bytes) => assert.doesNotMatch(await half(bytes), /^HTTP\/1\.1 2/, bytes)),
    );
    assert.equal(await stored(), 21);
});

test('connections that are reset, at whatever moment, cost nobody else anything', async () => {
    const bytes = put(31);
    for (let round = 0; round < 10; round++)
        await Promise.all(
            Array.from({ length: 30 }, async (_, i) => {
                const socket = await connect();
                socket.on('error', () => {}); // our own reset
                socket.write(bytes.slice(0, Math.ceil((bytes.length * (i + 1)) / 30)));
                await sleep(round);
                socket.resetAndDestroy();
            }),
        );
    await assertResponsive();
});

test('a thousand requests at once are answered in order', async () => {
    const count = 1000,
        socket = await connect();
    socket.write(
        Array.from({ length: count }, (_, i) =>
            request('GET', `/api/sys/users/${people[i % people.length]}`),
        ).join(''),
    );
    const got = await replies(socket, count);
    assert.deepEqual(
        got.map(({ status, json }) => [status, json.Id]),
        Array.from({ length: count }, (_, i) => [200, people[i % people.length]]),
    );
});

test('updates that are sent at once are done in order', async () => {
    const count = 200,
        socket = await connect();
    socket.write(Array.from({ length: count }, (_, i) => put(1000 + i)).join(''));
    const got = await replies(socket, count),
        moments = got.map(({ json }) => Date.parse(json.UpdatedOn));
    assert.ok(got.length === count && got.every(({ status }) => status === 200));
    assert.deepEqual(
        moments,
        [...moments].sort((a, b) => a - b),
    );
    assert.equal(await stored(), 1000 + count - 1);
});

test("replies that nobody reads wait outside the server's memory, and hold up nobody", async () => {
    const memory = () =>
        1024 *
        Number(
            /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1],
        );
    const clients = 100,
        count = 3000,
        before = memory();
    const bytes = request('GET', `/api/sys/users/${userId}`).repeat(count);
    const size = (await server.call('GET', `/api/sys/users/${userId}`, { token })).text.length;
    // A reply of which no byte is taken for 30 s is ended.
    await within(25000, async () => {
        const sockets = await Promise.all(Array.from({ length: clients }, connect));
        try {
            for (const socket of sockets) {
                socket.on('error', () => {});
                socket.pause();
                socket.write(bytes);
            }
            for (let i = 0; i < 20; i++) {
                await assertResponsive();
                await sleep(50);
            }
            const grown = memory() - before,
                whole = clients * count * size;
            assert.ok(whole > 400e6, `${whole} bytes in all`);
            // 64 replies of each client may wait. A sanitizer adds more to each byte, and keeps more of
            // what was freed, than all replies have.
            assert.ok(isSanitized() || grown < 150e6, `grew by ${grown} bytes`);
            const [patient] = sockets;
            patient.resume();
            const got = await replies(patient, count);
            assert.ok(
                got.length === count &&
                    got.every(({ status, json }) => status === 200 && json.Id === userId),
                'who reads at last gets all',
            );
        } finally {
            sockets.forEach((socket) => socket.resetAndDestroy());
        }
    });
    await assertResponsive();
});

test('a slow reader gets all of a large reply', async () => {
    const path = '/api/sys/users?size=100&orderBy=Id',
        socket = await connect();
    const whole = (await server.call('GET', path, { token })).json;
    socket.write(request('GET', path, '', 'Connection: close'));
    let text = '';
    for await (const part of socket) // nothing more is read meanwhile
        for (let at = 0; at < part.length; at += 8192) {
            text += part.subarray(at, at + 8192).toString('latin1');
            await sleep(20);
        }
    const answer = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1').toString();
    assert.deepEqual(JSON.parse(answer), whole);
});

test('heads that were only begun hold up nobody, and are answered when they end', async () => {
    const sockets = await Promise.all(Array.from({ length: 500 }, connect));
    for (const [i, socket] of sockets.entries()) {
        socket.on('error', () => {});
        socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX: y'.slice(0, 1 + (i % 36)));
    }
    await assertResponsive();
    const ended = sockets.slice(0, 50).map(async (socket, i) => {
        socket.write(`${'GET /healthz HTTP/1.1\r\nHost: x\r\nX: y'.slice(1 + (i % 36))}\r\n\r\n`);
        return (await replies(socket, 1))[0].status;
    });
    assert.deepEqual(new Set(await Promise.all(ended)), new Set([200]));
    sockets.forEach((socket) => socket.destroy());
});
