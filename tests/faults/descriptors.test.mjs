// No descriptor is left: who is connected is served, who comes waits, and then is served too.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { userId } from '../lib/ids.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';
import { Faults } from './faults.mjs';
import { deadlines } from '../lib/wait.mjs';

const faults = new Faults();
const server = await faults.start(['--demo', '--io-threads', '2']);
const token = await server.admin();
const pid = server.child.pid;
const body = required(await server.get(userId, token));

const setLimit = (count) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]);

// The limit that leaves none: the lowest number that is free.
function inUse() {
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    let free = 0;
    while (used.has(free)) free++;
    return free;
}

function connect() {
    return new Promise((resolve, reject) => {
        const socket = net.connect(server.port, server.host, () => resolve(socket));
        socket.on('error', reject);
    });
}

// The status line of a request on a connection, or null when none came after so many ms.
function ask(socket, wait = deadlines.usual) {
    return new Promise((resolve) => {
        const timer = setTimeout(() => resolve(null), wait);
        socket.once('data', (bytes) => {
            clearTimeout(timer);
            resolve(bytes.toString('latin1').split('\r\n')[0]);
        });
        socket.write(
            `GET /api/sys/users/${userId} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        );
    });
}

test('with all descriptors in use, connected clients are served and new ones wait for their turn', async () => {
    const connected = await connect();
    assert.equal(await ask(connected), 'HTTP/1.1 200 OK');
    setLimit(inUse());
    const waiting = await connect(); // the system takes it into the backlog
    assert.equal(await ask(waiting, 300), null);
    assert.equal(await ask(connected), 'HTTP/1.1 200 OK');
    const served = new Promise((resolve) => {
        waiting.once('data', (bytes) => resolve(bytes.toString('latin1').split('\r\n')[0]));
    });
    setLimit(1024);
    assert.equal(await served, 'HTTP/1.1 200 OK');
    connected.destroy();
    waiting.destroy();
});

test('updates and pictures without a descriptor: a 400 or 500, and full service afterwards', async () => {
    const kept = { Connection: 'keep-alive' };
    assert.equal((await server.put(body, { token, headers: kept })).status, 200);
    setLimit(inUse());
    const plain = await server.put({ ...body, LastHelpVisited: 5 }, { token });
    assert.equal(plain.status, 200, 'an update needs no descriptor');
    const picture = await server.put(
        { ...body, NewAvatarUrl: 'http://192.0.2.1/x.png' },
        { token },
    );
    assert.equal(picture.status, 400, picture.text);
    setLimit(1024);
    assert.equal(
        (await server.grant({ grant_type: 'password', username: adminEmail, password })).status,
        200,
    );
    assert.equal((await server.get(userId, token)).LastHelpVisited, 5);
});
