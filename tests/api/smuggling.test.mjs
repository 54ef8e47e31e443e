// RFC 9112 sections 2 to 7, as far as they decide where a request ends: whatever a head or a body
// looks like, it is read in the one way that the RFC says, or refused and the connection closed, so
// that nobody's next request is made of it.
import test from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { get, post, refused, tolerated, understood } from './framing.mjs';
import { Server } from './harness.mjs';

const server = await Server.start(['--demo', '--idle-timeout', '2']);
const second = 'GET /healthz?second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

// Sends bytes and gives what comes until the server closes, at most `wait` ms.
function send(bytes, wait = 1500) {
    return new Promise((resolve) => {
        const socket = net.connect(server.port, server.host);
        let answer = '', closed = false;
        const timer = setTimeout(() => socket.destroy(), wait);
        socket.on('data', (part) => { answer += part.toString('latin1'); });
        socket.on('end', () => { closed = true; });
        socket.on('error', () => { closed = true; });
        socket.on('close', () => { clearTimeout(timer); resolve({ answer, closed }); });
        socket.on('connect', () => socket.write(Buffer.from(bytes, 'latin1')));
    });
}

const statuses = (answer) => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));

for (const [name, bytes] of Object.entries(refused))
    test(`${name}: refused, and what follows is nobody's request`, async () => {
        const { answer, closed } = await send(bytes + second, 4000);
        assert.ok(closed, `still open after ${JSON.stringify(answer.slice(0, 200))}`);
        assert.ok(statuses(answer).every((status) => status >= 400), answer);
    });

for (const [name, [bytes, status]] of Object.entries({ ...understood, ...tolerated }))
    test(`${name}: understood, and the next request too`, async () => {
        const { answer } = await send(bytes + second);
        assert.deepEqual(statuses(answer), [status, 200], answer);
    });

test('Expect: 100-continue is answered before the body', async () => {
    const { answer } = await send(post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello') + second);
    assert.deepEqual(statuses(answer), [100, 400, 200]);
});

test('requests before a refused one are answered, those after it are not', async () => {
    const { answer, closed } = await send(get('') + get('X : a\r\n') + second, 4000);
    assert.deepEqual(statuses(answer), [200, 400]);
    assert.ok(closed);
});
