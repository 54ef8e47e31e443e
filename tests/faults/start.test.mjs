// What the system refuses while the server starts: memory, threads. It says so in one line and ends
// with a code of sysexits.h; nothing it leaves behind stops the next start.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { binary, temporaryFolder } from '../api/harness.mjs';
import { Faults, stride } from './faults.mjs';

const faults = new Faults();
const refusals = [65, 66, 71, 73, 74]; // data, key file, system, cannot create, i/o

// (libseccomp, which makes the sandbox, does not bear a lack of memory: SECURITY.md says so.)
// Starts a server, and stops it once it serves. How it ended, and what it said.
function start(folder) {
    const args = ['--listen', '127.0.0.1:0', '--data', folder, '--admin-password', 'a-password-of-ours', '--no-sandbox'];
    const child = spawn(binary, args, { env: { ...process.env, ...faults.env } });
    return new Promise((resolve) => {
        let stdout = '', stderr = '', served = false;
        child.stdout.on('data', (bytes) => {
            stdout += bytes;
            if (stdout.includes('listening on')) {
                served = true;
                faults.mend('memory');
                child.kill('SIGTERM');
            }
        });
        child.stderr.on('data', (bytes) => { stderr += bytes; });
        child.on('close', (code, signal) => resolve({ code, signal, served, stderr }));
    });
}

async function assertStarts(folder, where) {
    const { code, served, stderr } = await start(folder);
    assert.ok(served && code === 0, `${where}: ended with ${code}: ${stderr}`);
}

async function sweep(kind, step) {
    let struck = 0, refused = 0, misses = 0;
    for (let n = 1; misses < 2; n += step) {
        const folder = join(temporaryFolder(), 'data');
        faults.arm(kind, n);
        const { code, signal, served, stderr } = await start(folder);
        const hit = faults.mend(kind);
        const where = `${kind} ${n}`;
        assert.equal(signal, null, `${where}: ${signal} ${stderr}`);
        if (!served) {
            assert.ok(refusals.includes(code), `${where}: ended with ${code}: ${stderr}`);
            assert.match(stderr, /^rosterd: .+$/m, where);
            refused++;
        } else {
            assert.equal(code, 0, `${where}: ${stderr}`);
        }
        await assertStarts(folder, `after ${where}`);
        struck += hit;
        misses = hit ? 0 : misses + 1;
    }
    console.log(`# ${kind}: ${struck} faults, ${refused} starts refused`);
    assert.ok(refused > 0);
}

test('a thread that cannot be made stops the start, cleanly', () => sweep('thread', 1));

test('memory that cannot be had stops the start, cleanly, or is not missed', () => sweep('memory', 101 * stride));
