// What strangers and ordinary users may make the server hold: memory, the disk, time. Figures of memory are those of the
// plain build; a sanitizer has memory of its own.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Wire, request, until } from './doors.mjs';
import { Server, isSanitized } from './harness.mjs';

const isJudged = !isSanitized(), MIB = 1024 * 1024;
const server = await Server.start(['--metrics']);
const token = await server.admin();

const open = (where = server) => Wire.clear({ host: where.host, port: where.port });
const resident = (where = server) => 1024 * Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${where.child.pid}/status`, 'utf8'))[1]);

async function figure(name, where = server) {
    const { text } = await where.call('GET', '/metrics');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
}

async function gather(count, write, where = server) {
    const wires = [];
    while (wires.length < count) {
        const wire = await open(where);
        write(wire, wires.length);
        wires.push(wire);
    }
    return wires;
}

const part = (wires) => wires.forEach((wire) => wire.socket.destroy());

function assertHolds(least, most) {
    const now = resident();
    if (isJudged)
        assert.ok(now >= least && now <= most, `${Math.round(now / MIB)} MiB are resident, where ${Math.round(most / MIB)} are allowed`);
}

test('memory goes back to the system when the load is gone', async () => {
    const before = resident();
    const wires = await gather(90, (wire) => wire.write(request('POST', '/api/sys/users', { token, headers: { 'Content-Length': MIB } }) + '{'.repeat(MIB - 1)));
    await until('they are held', async () => await figure('roster_request_memory_bytes') > 85 * MIB);
    assertHolds(before + 80 * MIB, before + 128 * MIB);
    part(wires);
    await until('they are not', () => !isJudged || resident() < before + 16 * MIB);
});
