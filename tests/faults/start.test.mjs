// The system refuses memory or threads while the server starts. The server reports that in one line
// and ends with a code of sysexits.h, and nothing that it leaves behind stops the next start.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binary, temporaryFolder } from '../lib/server.mjs';
import { ENOSPC, Faults, stride } from './faults.mjs';

const faults = new Faults();
const refusals = [65, 66, 71, 73, 74]; // data, key file, system, cannot create, i/o

// (libseccomp, which makes the filter, does not survive a lack of memory: see SECURITY.md.)
// Starts a server, and stops it once it serves. Its exit code and output.
function start(folder, [program, ...before] = [binary]) {
    const args = [
        ...before,
        '--listen',
        '127.0.0.1:0',
        '--data',
        folder,
        '--admin-password',
        'a-password-of-ours',
        '--no-seccomp',
    ];
    const child = spawn(program, args, { env: { ...process.env, ...faults.env } });
    return new Promise((resolve) => {
        let stdout = '',
            stderr = '',
            served = false;
        child.stdout.on('data', (bytes) => {
            stdout += bytes;
            if (stdout.includes('listening on')) {
                served = true;
                for (const kind of ['memory', 'write', 'plain']) faults.mend(kind);
                child.kill('SIGTERM');
            }
        });
        child.stderr.on('data', (bytes) => {
            stderr += bytes;
        });
        child.on('close', (code, signal) => resolve({ code, signal, served, stderr }));
    });
}

async function assertStarts(folder, where) {
    const { code, served, stderr } = await start(folder);
    assert.ok(served && code === 0, `${where}: ended with ${code}: ${stderr}`);
}

async function sweep(kind, step) {
    let struck = 0,
        refused = 0,
        misses = 0;
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

test('memory that cannot be had stops the start, cleanly, or is not missed', () =>
    sweep('memory', 101 * stride));

test('a start without descriptors is refused in a line, or serves; the next one with enough serves', async () => {
    let refused = 0,
        served = false;
    for (let limit = 6; !served; limit++) {
        // with fewer the system cannot load a program
        const folder = join(temporaryFolder(), 'data');
        const result = await start(folder, ['prlimit', `--nofile=${limit}:${limit}`, binary]);
        assert.ok(
            limit < 200 && result.signal === null,
            `${limit}: ${result.signal} ${result.stderr}`,
        );
        served = result.served;
        if (!served) {
            assert.ok(
                [...refusals, 69].includes(result.code),
                `${limit}: ended with ${result.code}: ${result.stderr}`,
            );
            assert.match(result.stderr, /^rosterd: .+$/m, `${limit}`);
            refused++;
        }
        await assertStarts(folder, `after ${limit}`);
    }
    console.log(`# descriptors: ${refused} starts refused`);
    assert.ok(refused > 3);
});

test('a disk that is full when the key or the database is made stops the start; the next one makes both', async () => {
    for (const [kind, step] of [
        ['plain', 1],
        ['write', stride],
    ]) {
        let struck = 0;
        for (let n = 1, hit = 1; hit; n += step) {
            const folder = join(temporaryFolder(), 'data'),
                where = `${kind} ${n}`;
            faults.arm(kind, n, { code: ENOSPC, lasts: true });
            const { code, signal, served, stderr } = await start(folder);
            hit = faults.mend(kind);
            assert.equal(signal, null, `${where}: ${stderr}`);
            assert.ok(served || refusals.includes(code), `${where}: ended with ${code}: ${stderr}`);
            assert.ok(served || /^rosterd: .+$/m.test(stderr), where);
            await assertStarts(folder, `after ${where}`);
            assert.ok(existsSync(join(folder, 'roster.key')));
            struck += hit > 0;
        }
        console.log(`# ${kind}: ${struck} faults`);
        assert.ok(struck > 0);
    }
});

test('an upgrade that the disk refuses leaves the old database as it was; the next start makes it', async () => {
    for (const version of [1, 4]) {
        const make = (folder) => {
            mkdirSync(folder, { mode: 0o700 });
            execFileSync('sqlite3', [join(folder, 'roster.db')], {
                input: readFileSync(new URL(`../fixtures/schema-${version}.sql`, import.meta.url)),
            });
            writeFileSync(join(folder, 'roster.key'), new Uint8Array(32).fill(7), { mode: 0o600 });
        };
        const dump = (folder) =>
            execFileSync('sqlite3', [join(folder, 'roster.db'), 'PRAGMA user_version', '.dump'], {
                encoding: 'utf8',
                maxBuffer: 1 << 28,
            });
        let refused = 0;
        for (let n = 1, hit = 1; hit; n += 5 * stride) {
            const folder = join(temporaryFolder(), 'data'),
                where = `version ${version}, write ${n}`;
            make(folder);
            const before = dump(folder);
            faults.arm('write', n, { code: ENOSPC, lasts: true });
            const { code, signal, served, stderr } = await start(folder);
            hit = faults.mend('write');
            assert.equal(signal, null, `${where}: ${stderr}`);
            if (!served) {
                assert.ok(refusals.includes(code), `${where}: ended with ${code}: ${stderr}`);
                const after = dump(folder);
                // Once the upgrade is committed, the start writes again, to record the key.
                if (stderr.includes('the database cannot record its key'))
                    assert.ok(!after.startsWith(`${version}\n`), where);
                else {
                    assert.equal(after, before, where);
                    refused++;
                }
            }
            await assertStarts(folder, `after ${where}`);
        }
        assert.ok(refused > 0, `version ${version}`);
    }
});
