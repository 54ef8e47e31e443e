// Threads are as many as the cores that the process may use, not as many as the machine has.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Server } from '../lib/server.mjs';

const threads = ({ child: { pid } }) =>
    readdirSync(`/proc/${pid}/task`).map((id) =>
        readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').trim(),
    );

// The numbers of the cores that this process may use: "0-3,7".
const allowed = () =>
    /^Cpus_allowed_list:\s+(.*)$/m
        .exec(readFileSync('/proc/self/status', 'utf8'))[1]
        .split(',')
        .flatMap((range) => {
            const [first, last = first] = range.split('-').map(Number);
            return Array.from({ length: last - first + 1 }, (_, i) => first + i);
        });

test('on one of the cores there is one I/O thread, and one thread for passwords', async () => {
    const cores = allowed(),
        server = await Server.start(),
        all = threads(server);
    // A second start, on the first of the cores.
    await server.stop();
    server.args = ['--cpu-list', `${cores[0]}`, server.program, ...server.args];
    server.program = execFileSync('/bin/sh', ['-c', 'command -v taskset'], {
        encoding: 'utf8',
    }).trim();
    await server.spawn();
    const few = threads(server),
        io = (names) => names.filter((name) => name === 'io').length;
    assert.equal(io(few), 1);
    assert.ok(io(all) >= 1 && io(all) <= cores.length, 'a CPU quota may leave less');
    if (io(all) === cores.length)
        assert.equal(all.length - few.length, 2 * (cores.length - 1), 'of both kinds');
});
