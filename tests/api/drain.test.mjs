// SIGTERM: what was begun ends well, what is idle is closed, nothing new is taken, and the program ends with 0.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { TlsServer, Wire, ask, makeCertificate, request } from '../lib/tls.mjs';
import { userId } from '../lib/ids.mjs';
import { patientStop, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';
import { addMembers } from '../lib/world.mjs';
import { sleep, until, within } from '../lib/wait.mjs';

const folder = temporaryFolder(),
    own = await makeCertificate(folder, 'own');
const probe = request('GET', '/healthz');
const ways = {
    HTTP: (args) => Server.start([...patientStop, ...args]),
    HTTPS: (args) => TlsServer.start(own, [...patientStop, ...args]),
};
const open = (server) =>
    server.ca
        ? Wire.open(tls.connect(server.where), 'secureConnect')
        : Wire.clear({ host: server.host, port: server.port });

// A connection with an update of which the body is still to come, and that body.
async function begin(server, token, name, before = '') {
    const wire = await open(server),
        body = JSON.stringify({ ...required(await server.get(userId, token)), FullName: name });
    wire.write(
        before +
            request('PUT', '/api/sys/users', {
                token,
                headers: { Expect: '100-continue', 'Content-Length': body.length },
            }),
    );
    await until(
        '100 Continue',
        () => wire.how || wire.replies().some(({ status }) => status === 100),
    );
    return { wire, body };
}

// The signal, until no connection is taken any more.
async function startStopping(server) {
    server.child.kill('SIGTERM');
    await until('the end of taking connections', () =>
        open(server).then(
            (wire) => {
                wire.socket.destroy();
                return false;
            },
            () => true,
        ),
    );
}
const closes = ({ head }) => /^Connection: close\r$/im.test(head);
const hasEnded = (server) => server.child.exitCode !== null || server.child.signalCode !== null;

for (const [way, start] of Object.entries(ways)) {
    test(`${way}: idle connections are closed, a request in progress is taken to its end`, async () => {
        const server = await start([]),
            token = await server.admin();
        const kept = await open(server),
            unused = await open(server);
        kept.write(probe);
        assert.equal((await kept.reply()).status, 200);
        const { wire, body } = await begin(server, token, 'Began In Time');
        await startStopping(server);
        assert.equal(await kept.ended(), 'end', 'a FIN, not a reset');
        if (way === 'HTTP')
            // by TLS it may be one that is about to begin
            assert.equal(await unused.ended(), 'end');
        assert.equal(kept.replies().length, 1);
        assert.ok(!hasEnded(server), 'it waits for the request');
        wire.write(body.slice(0, 10));
        wire.write(body.slice(10));
        const reply = await wire.reply(2);
        assert.equal(reply.status, 200, reply.body);
        assert.ok(closes(reply), reply.head);
        assert.equal(await wire.ended(), 'end');
        await unused.ended();
        await server.stop();
        await server.spawn();
        assert.equal((await server.get(userId, token)).FullName, 'Began In Time');
    });

    test(`${way}: pipelined requests that were read are answered, those behind them are not begun`, async () => {
        const server = await start([]),
            token = await server.admin();
        const { wire, body } = await begin(server, token, 'The Last One', probe.repeat(3));
        assert.deepEqual(
            wire.replies().map(({ status }) => status),
            [200, 200, 200, 100],
        );
        await startStopping(server);
        const second = JSON.stringify({ ...JSON.parse(body), FullName: 'One Too Many' });
        wire.write(
            body + request('PUT', '/api/sys/users', { token, body: second }) + probe.repeat(1000),
        );
        const reply = await wire.reply(5);
        assert.equal(reply.status, 200, reply.body);
        assert.ok(closes(reply));
        assert.equal(await wire.ended(), 'end', 'not a reset, which could take the reply away');
        assert.equal(wire.replies().length, 5);
        await server.stop();
        await server.spawn();
        assert.equal((await server.get(userId, token)).FullName, 'The Last One');
    });

    test(`${way}: a head that is half there is not waited for; when the rest comes in time, it is refused`, async () => {
        const server = await start(['--io-threads', '1']),
            token = await server.admin();
        const [kept, half, rest] = [await open(server), await open(server), await open(server)];
        kept.write(probe);
        await kept.reply();
        half.write(probe.slice(0, 20));
        rest.write(probe.slice(0, 20));
        const { wire, body } = await begin(server, token, 'Meanwhile');
        server.child.kill('SIGTERM');
        await kept.ended(); // so all that the thread has know of it
        rest.write(probe.slice(20));
        const reply = await rest.reply();
        assert.equal(reply.status, 503);
        assert.ok(closes(reply));
        await rest.ended();
        wire.write(body);
        assert.equal((await wire.reply(2)).status, 200);
        await half.ended();
        assert.equal(half.text, '');
        await server.stop();
    });

    test(`${way}: a request that meets the end on a kept connection is answered, or not begun, and the connection closed`, async () => {
        const server = await start([]),
            token = await server.admin();
        const wires = await Promise.all(Array.from({ length: 20 }, () => open(server)));
        for (const wire of wires) wire.write(probe);
        for (const wire of wires) assert.equal((await wire.reply()).status, 200);
        const { wire, body } = await begin(server, token, 'Meanwhile');
        await startStopping(server);
        for (const kept of wires) kept.write(probe);
        for (const kept of wires) {
            await kept.ended();
            assert.equal(kept.rest, '');
            assert.ok(kept.replies().length <= 2);
            for (const reply of kept.replies().slice(1)) {
                assert.ok(reply.status === 200 || reply.status === 503, reply.head);
                assert.ok(closes(reply));
            }
        }
        wire.write(body);
        assert.equal((await wire.reply(2)).status, 200);
        await server.stop();
    });

    test(`${way}: what works elsewhere, or is still being sent, is waited for`, async () => {
        // A reply of which no byte is taken for 30 s is ended, and each sign-in takes its time.
        await within(25000, async () => {
            const server = await start(['--metrics', '--password-threads', '1']),
                token = await server.admin();
            const { text } = await server.call('GET', '/api/openapi.json');
            const slow = await open(server);
            slow.socket.pause();
            slow.write(request('GET', '/api/openapi.json').repeat(50)); // more than the socket takes
            const waiting = async () =>
                Number(
                    /^roster_password_queue_length (\d+)$/m.exec(
                        (await server.call('GET', '/metrics', { token })).text,
                    )[1],
                );
            const signIns = await Promise.all(Array.from({ length: 8 }, () => open(server)));
            for (const wire of signIns)
                wire.write(
                    request('POST', '/api/token', {
                        body: `grant_type=password&username=${adminEmail}&password=${password}`,
                    }),
                );
            const queued = await until('sign-ins that wait', waiting);
            server.child.kill('SIGTERM');
            for (const wire of signIns) await wire.ended();
            const replies = signIns.flatMap((wire) => wire.replies()),
                taken = replies.filter(({ status }) => status === 200);
            assert.ok(
                replies.every(({ status }) => status === 200 || status === 503),
                replies.map(({ status }) => status).join(),
            );
            assert.ok(taken.length >= queued, `${taken.length} of ${queued}`);
            assert.ok(signIns.every((wire) => wire.replies().length <= 1 && wire.rest === ''));
            assert.ok(!hasEnded(server), 'it waits for the slow reader');
            slow.socket.resume();
            assert.equal(await slow.ended(), 'end');
            const bodies = slow.replies();
            assert.ok(bodies.length >= 1);
            assert.ok(
                bodies.every(
                    ({ status, body }) => status === 200 && body.length === Buffer.byteLength(text),
                ),
            );
            assert.equal(slow.rest, '', 'no half a reply');
            await server.stop();
        });
    });

    // The system answers bytes to a closed socket with a reset, which discards what the client has
    // not read yet.
    test(`${way}: replies arrive though the client goes on to send before it reads them`, async () => {
        await within(1500, async () => {
            // the server lingers for 2 s only, from the signal on
            const server = await start(['--metrics']);
            const counted = async () =>
                Number(
                    /^roster_http_requests_total\{method="GET",route="\/api\/openapi.json",status="200"\} (\d+)$/m.exec(
                        (await server.call('GET', '/metrics')).text,
                    )?.[1],
                );
            const { text } = await server.call('GET', '/api/openapi.json');
            const wire = await open(server);
            wire.socket.pause();
            wire.write(request('GET', '/api/openapi.json').repeat(8));
            await until('the replies', async () => (await counted()) === 9);
            server.child.kill('SIGTERM');
            await Promise.race([server.ended, sleep(100)]);
            wire.write(probe);
            await sleep(20);
            wire.socket.resume();
            const how = await wire.ended();
            const whole = wire
                .replies()
                .filter(({ body }) => body.length === Buffer.byteLength(text)).length;
            await server.stop();
            assert.deepEqual([whole, how, wire.rest], [8, 'end', '']);
        });
    });

    test(`${way}: 8 clients that change users all the time: what was done was said to be done`, async () => {
        const server = await start([]),
            token = await server.admin();
        const users = await Promise.all(
            (await addMembers(server, 8)).map((id) => server.get(id, token)),
        );
        const counts = new Map();
        let stopping = false;
        const clients = users.map(async (user) => {
            const wire = await open(server);
            let acknowledged = 0;
            for (let number = 1; ; number++) {
                wire.write(
                    request('PUT', '/api/sys/users', {
                        token,
                        body: JSON.stringify({ ...required(user), LastHelpVisited: number }),
                    }),
                );
                await until(
                    'a reply or the end',
                    () => wire.replies().length >= number || wire.how,
                );
                const reply = wire.replies()[number - 1];
                if (!reply || reply.status !== 200) {
                    assert.ok(
                        stopping && (!reply || reply.status === 503),
                        `${wire.how} ${reply?.body}`,
                    );
                    return acknowledged;
                }
                acknowledged = number;
                counts.set(user.Id, acknowledged);
                if (closes(reply)) {
                    assert.ok(stopping);
                    return acknowledged;
                }
            }
        });
        await until('some changes of each', () => users.every(({ Id }) => counts.get(Id) >= 5));
        stopping = true;
        await server.stop();
        const acknowledged = await Promise.all(clients);
        await server.spawn();
        for (const [i, { Id }] of users.entries())
            assert.equal((await server.get(Id, token)).LastHelpVisited, acknowledged[i], `${Id}`);
    });
}

test('a socket file goes when nothing is taken any more, and a new server can take its place meanwhile', async () => {
    const socket = join(folder, 'drain.sock');
    const server = await Server.start(['--listen', '127.0.0.1:0', '--listen', `unix:${socket}`]),
        token = await server.admin();
    const { wire, body } = await begin(server, token, 'Meanwhile');
    server.child.kill('SIGTERM');
    await until('the end of the file', () => !existsSync(socket));
    await Server.start(['--listen', `unix:${socket}`]);
    wire.write(body);
    assert.equal((await wire.reply(2)).status, 200);
    await server.stop();
    assert.equal((await ask({ socketPath: socket })).status, 200, 'the other goes on');
});

test('SIGINT does the same', async () => {
    const server = await Server.start(),
        token = await server.admin();
    const { wire, body } = await begin(server, token, 'Meanwhile');
    server.child.kill('SIGINT');
    await until('the end of taking connections', () =>
        open(server).then(
            (one) => {
                one.socket.destroy();
                return false;
            },
            () => true,
        ),
    );
    wire.write(body);
    assert.equal((await wire.reply(2)).status, 200);
    assert.deepEqual(await server.ended, { code: 0, signal: null });
});
