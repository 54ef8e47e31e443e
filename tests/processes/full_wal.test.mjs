// The disk that has the WAL (pg_wal) of PostgreSQL is full, which ends PostgreSQL until there is room: changes get 503, or 504 if
// their COMMIT was under way; what was answered is kept, what got 503 is not there, and service returns by itself.
import test from 'node:test';
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Creations } from '../lib/creations.mjs';
import { folderOf, useOwnPostgres } from '../lib/postgres.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

process.env.WAL_DISK = '32M';
useOwnPostgres();
const server = await Server.start(['--database-timeout', '5']),
    token = await server.admin(),
    folder = folderOf(server.database);

// The shell that starts PostgreSQL again is in the same mount namespace, and stays when PostgreSQL ends.
const postmaster = readFileSync(join(folder, 'data/postmaster.pid'), 'utf8').split('\n')[0],
    [, starter] = readFileSync(`/proc/${postmaster}/status`, 'utf8').match(/^PPid:\s*(\d+)$/m),
    filler = `/proc/${starter}/root/mnt/filler`;
function fill() {
    const file = openSync(filler, 'w');
    assert.throws(
        () => {
            for (;;) writeSync(file, Buffer.alloc(65536));
        },
        { code: 'ENOSPC' },
    );
    closeSync(file);
}

const users = new Creations(server, token, [200, 503, 504]);

test('while the disk of the WAL is full, changes get 503, or 504 if their COMMIT was under way', async () => {
    assert.equal(await users.add(), 200);
    fill();
    while ((await users.add()) === 200)
        assert.ok(users.count < 5000, 'they would fill several segments');
    assert.match(readFileSync(join(folder, 'log'), 'utf8'), /PANIC:.*No space left on device/);
    await Promise.all(Array.from({ length: 8 }, () => users.add())); // its recovery may have made some room
});

test('when there is room, service returns by itself, and nothing is lost or half done', async () => {
    unlinkSync(filler);
    await until('ready again', async () => (await server.call('GET', '/readyz')).status === 200);
    assert.equal(await users.add(), 200);
    await users.assertKept();
});
