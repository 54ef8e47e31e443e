// A disk that is really full under PostgreSQL: changes get 503, reads go on, what was answered is kept, what was refused is not
// there at all, and service returns by itself when there is room.
import test from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import { psql, superuserOf, useOwnPostgres } from '../lib/postgres.mjs';
import { run, Server } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

process.env.DISK = '128M';
useOwnPostgres();
const server = await Server.start(),
    token = await server.admin(),
    root = superuserOf(server.database);
// PostgreSQL runs it, since nobody else sees that disk.
const shell = (command) => psql(root, `COPY (SELECT 1) TO PROGRAM '${command}'`);

const kept = [],
    refused = [];
let made = 0;
async function create() {
    const Email = `made${++made}@full.example.com`;
    const { status, headers, text } = await server.call('POST', '/api/sys/users', {
        token,
        body: userBody({ FullName: `Made ${made}`, Email }),
    });
    if (status === 503) assert.ok(Number(headers.get('retry-after')) > 0, text);
    else assert.equal(status, 200, text);
    (status === 200 ? kept : refused).push(Email);
    return status;
}
const read = async () => (await server.get(userId, token)).Id;
const readiness = async () => (await server.call('GET', '/readyz')).status;

test('while the disk is full, changes that need room get 503, and reads go on', async () => {
    assert.equal(await create(), 200);
    assert.equal(await readiness(), 200);
    shell('cat /dev/zero >/mnt/filler || true');
    while ((await create()) === 200) assert.ok(made < 1000, 'they would fill many pages');
    assert.equal(await read(), userId);
    for (let i = 0; i < 3; i++)
        await Promise.all([...Array.from({ length: 8 }, create), assert.doesNotReject(read())]);
    assert.ok(refused.length > 1);
    // A change that finds room in pages which are there may be made meanwhile; that the disk is full remains true.
    assert.equal(await readiness(), 503);
    assert.match(server.stderr, /database: .*No space left on device \(53100\)/);
});

test('when there is room, service returns by itself, and nothing is lost or half done', async () => {
    shell('rm /mnt/filler');
    await until('ready again', async () => (await readiness()) === 200);
    assert.equal(await create(), 200);
    const { json } = await server.call('GET', '/api/sys/users?size=1000', { token });
    assert.deepEqual(
        json.Records.map(({ Email }) => Email)
            .filter((email) => email.endsWith('@full.example.com'))
            .sort(),
        [...kept].sort(),
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
