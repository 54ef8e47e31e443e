// Restarts that no client notices: a socket of the service manager, --drain-delay, --stop-timeout, a second signal.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import https from 'node:https';
import { fileURLToPath } from 'node:url';
import { userId } from '../lib/ids.mjs';
import { startProxy } from '../lib/proxies.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { ask, request, Wire } from '../lib/tls.mjs';
import { required } from '../lib/users.mjs';
import { until, within } from '../lib/wait.mjs';

const restarts = Number(process.env.RESTARTS ?? 3);
const keeper = fileURLToPath(new URL('../lib/socket_unit.py', import.meta.url));

// A Server whose socket stays open over its restarts. spawn() resolves when the first run listens.
class SocketServer extends Server {
    program = 'python3';
    spawn() {
        this.args = [keeper, binary, ...this.args];
        return super.spawn();
    }
    say(line) {
        this.child.stdin.write(`${line}\n`);
    }
    count(pattern) {
        return [...this.stdout.matchAll(pattern)].length;
    }
    async stop() {
        this.child.stdin.end();
        await this.ended;
    }
}

// Asks through nginx over connections that are kept, until `goesOn` is false.
async function load(port, token, body, state) {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    const once = (method, path, text) =>
        new Promise((resolve, reject) => {
            https
                .request(
                    { port, agent, method, path, headers: { Authorization: `Bearer ${token}` } },
                    (reply) => {
                        reply.resume();
                        reply.on('end', () => resolve(reply.statusCode));
                    },
                )
                .on('error', reject)
                .end(text);
        });
    for (; state.goesOn; state.answered++) {
        const status =
            state.answered % 2
                ? await once('GET', `/api/sys/users/${userId}`)
                : await once('PUT', '/api/sys/users', JSON.stringify(body));
        state.statuses[status] = (state.statuses[status] ?? 0) + 1;
    }
    agent.destroy();
}

test(`nginx, 8 clients, ${restarts} restarts by a socket of the service manager: no request fails`, async () => {
    const server = await SocketServer.start(['--drain-delay', '3600']),
        token = await server.admin(),
        body = required(await server.get(userId, token)),
        { port } = await startProxy('nginx', server, temporaryFolder());
    const state = { goesOn: true, answered: 0, statuses: {} };
    const more = (count) => {
        const enough = state.answered + count;
        return until(
            () => `${count} more replies, after ${JSON.stringify(state.statuses)}`,
            () => state.answered >= enough,
        );
    };
    const clients = Array.from({ length: 8 }, () => load(port, token, body, state));
    for (let i = 1; i <= restarts; i++) {
        await more(50);
        server.say('first');
        const { host } = server;
        await until(
            'not ready',
            async () => (await ask({ host, port: server.port, path: '/readyz' })).status === 503,
        );
        await more(50); // nginx has no connection left that could be closed under it
        server.say('last');
        await until('the next run', () => server.count(/listening on/g) === i + 1);
    }
    await more(50);
    state.goesOn = false;
    await Promise.all(clients);
    assert.deepEqual(Object.keys(state.statuses), ['200'], JSON.stringify(state.statuses));
    await server.stop();
    assert.equal(server.count(/^ended 0$/gm), restarts + 1, server.stdout);
});

test('what is passed but does not listen is refused', async () => {
    const { code, stderr } = await run(
        ['-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --demo 3</dev/null', binary],
        {},
        'bash',
    );
    assert.equal(code, 64, stderr);
    assert.match(
        stderr,
        /^rosterd: descriptor 3 .* is no listening stream socket; .*ListenStream=/m,
    );
});

const open = (server) => Wire.clear({ host: server.host, port: server.port });

test('--drain-delay: readyz says 503, everything else is served, and each reply ends its connection', async () => {
    const server = await Server.start(['--drain-delay', '3600']),
        token = await server.admin();
    const kept = await open(server);
    kept.write(request('GET', '/healthz'));
    assert.doesNotMatch((await kept.reply()).head, /^Connection: close/im);
    server.child.kill('SIGTERM');
    await until('not ready', async () => (await server.call('GET', '/readyz')).status === 503);
    kept.write(request('GET', '/healthz'));
    const reply = await kept.reply(2);
    assert.equal(reply.status, 200);
    assert.match(reply.head, /^Connection: close\r$/im);
    assert.equal(await kept.ended(), 'end');
    assert.equal((await server.update(userId, { FullName: 'Still Served' })).status, 200);
    assert.equal((await server.get(userId, token)).FullName, 'Still Served');
    server.child.kill('SIGTERM'); // the second one ends the delay
    assert.deepEqual(await server.ended, { code: 0, signal: null });
});

// A body that never comes.
async function stall(server, token) {
    const wire = await open(server);
    wire.write(
        request('PUT', '/api/sys/users', {
            token,
            headers: { Expect: '100-continue', 'Content-Length': 100 },
        }),
    );
    await wire.reply();
    return wire;
}

test('a client that is slower than --stop-timeout is cut off, and the end is a good one', async () => {
    const server = await Server.start(['--stop-timeout', '1']),
        wire = await stall(server, await server.admin());
    server.child.kill('SIGTERM');
    assert.deepEqual(await server.ended, { code: 0, signal: null });
    await wire.ended();
    assert.equal(wire.replies().length, 1);
    assert.match(
        server.stderr,
        /stopping: 1 requests or connections had not ended and are cut off/,
    );
});

test('a second signal cuts off slow clients', async () => {
    const server = await Server.start(['--stop-timeout', '3600']),
        token = await server.admin(),
        wire = await stall(server, token);
    server.child.kill('SIGTERM');
    await until('the end of taking connections', () =>
        open(server).then(
            (one) => (one.socket.destroy(), false),
            () => true,
        ),
    );
    server.child.kill('SIGINT');
    assert.deepEqual(await server.ended, { code: 0, signal: null });
    await wire.ended();
});

// For 2 s from the signal on.
test('a connection whose first request comes after the signal is served', async () => {
    await within(2000, async () => {
        const server = await Server.start(['--io-threads', '1']),
            token = await server.admin();
        const fresh = await open(server),
            used = await open(server);
        used.write(request('GET', '/healthz'));
        await used.reply(); // so the thread has both connections
        const slow = await stall(server, token); // keeps the server until the end
        server.child.kill('SIGTERM');
        await used.ended();
        fresh.write(request('GET', '/healthz'));
        assert.equal((await fresh.reply()).status, 200);
        assert.equal(await fresh.ended(), 'end');
        slow.socket.destroy();
        await server.stop();
    });
});
