// A disk that is really full under PostgreSQL: changes get 503, reads go on, what was answered is kept, what was refused is not
// there at all, and service returns by itself when there is room.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Creations } from '../lib/creations.mjs';
import { userId } from '../lib/ids.mjs';
import { psql, superuserOf, useOwnPostgres } from '../lib/postgres.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

process.env.DISK = '128M';
useOwnPostgres();
const server = await Server.start(),
    token = await server.admin(),
    root = superuserOf(server.database);
// PostgreSQL runs it, since nobody else sees that disk.
const shell = (command) => psql(root, `COPY (SELECT 1) TO PROGRAM '${command}'`);

const users = new Creations(server, token, [200, 503]);
const read = async () => (await server.get(userId, token)).Id;
const readiness = async () => (await server.call('GET', '/readyz')).status;

test('while the disk is full, changes that need room get 503, and reads go on', async () => {
    assert.equal(await users.add(), 200);
    assert.equal(await readiness(), 200);
    shell('cat /dev/zero >/mnt/filler || true');
    while ((await users.add()) === 200) assert.ok(users.count < 1000, 'they would fill many pages');
    assert.equal(await read(), userId);
    for (let i = 0; i < 3; i++)
        await Promise.all([
            ...Array.from({ length: 8 }, () => users.add()),
            assert.doesNotReject(read()),
        ]);
    assert.ok(users.emails[503].length > 1);
    // A change that finds room in pages which are there may be made meanwhile; that the disk is full remains true.
    assert.equal(await readiness(), 503);
    assert.match(server.stderr, /database: .*No space left on device \(53100\)/);
});

test('when there is room, service returns by itself, and nothing is lost or half done', async () => {
    shell('rm /mnt/filler');
    await until('ready again', async () => (await readiness()) === 200);
    assert.equal(await users.add(), 200);
    await users.assertKept();
});
