// The disk that has the WAL (pg_wal) of PostgreSQL is full, which ends PostgreSQL until there is room: changes get 503, or 504 if
// their COMMIT was under way; what was answered is kept, what got 503 is not there, and service returns by itself.
import test from 'node:test';
import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { folderOf, psql, superuserOf, useOwnPostgres } from '../lib/postgres.mjs';
import { run, Server } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

process.env.WAL_DISK = '32M';
useOwnPostgres();
const server = await Server.start(['--database-timeout', '5']),
    token = await server.admin(),
    root = superuserOf(server.database),
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

const emails = { 200: [], 503: [], 504: [] }; // by the status of the reply
let made = 0;
async function create() {
    const Email = `made${++made}@full.example.com`;
    const { status, headers, text } = await server.call('POST', '/api/sys/users', {
        token,
        body: userBody({ FullName: `Made ${made}`, Email }),
    });
    assert.ok(emails[status], text);
    if (status === 503) assert.ok(Number(headers.get('retry-after')) > 0, text);
    emails[status].push(Email);
    return status;
}

test('while the disk of the WAL is full, changes get 503, or 504 if their COMMIT was under way', async () => {
    assert.equal(await create(), 200);
    fill();
    while ((await create()) === 200) assert.ok(made < 5000, 'they would fill several segments');
    assert.match(readFileSync(join(folder, 'log'), 'utf8'), /PANIC:.*No space left on device/);
    await Promise.all(Array.from({ length: 8 }, create)); // its recovery may have made some room
});

test('when there is room, service returns by itself, and nothing is lost or half done', async () => {
    unlinkSync(filler);
    await until('ready again', async () => (await server.call('GET', '/readyz')).status === 200);
    assert.equal(await create(), 200);
    const found = new Set(psql(root, 'SELECT Email FROM users').split('\n'));
    assert.ok(found.has(emails[200].at(-1)));
    assert.deepEqual(
        emails[200].filter((email) => !found.has(email)),
        [],
    );
    assert.deepEqual(
        emails[503].filter((email) => found.has(email)),
        [],
    );
    // Each user has a row of the trail, and no row is of a user who is not there.
    const users = psql(root, 'SELECT Id FROM users ORDER BY Id'),
        trail = psql(root, `SELECT DISTINCT entity_id FROM audit WHERE entity = 'User' ORDER BY 1`);
    assert.equal(trail, users);
    const { code, stderr } = await run([
        ...['check', '--database', server.database],
        ...['--data', join(server.folder, 'data')],
    ]);
    assert.equal(code, 0, stderr);
});
