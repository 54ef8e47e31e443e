// A newer version starts beside older ones on one directory in PostgreSQL: of several processes one upgrades the schema, in one
// transaction, and the others wait for it. An older version goes on as long as it keeps everything in order, and stops else.
// The newer ones are those of tests/fields: `more` has fields that concern no other version, `next` a resource, links and
// searched texts.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import { usePostgres } from '../lib/postgres.mjs';
import { together } from '../lib/processes.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { addMembers } from '../lib/world.mjs';

const programs = {
    today: binary,
    more: join(dirname(binary), 'rosterd-more-fields'),
    next: join(dirname(binary), 'rosterd-next-schema'),
};
usePostgres();
const folder = temporaryFolder();
await Server.copyWorld(join(folder, 'data'), {});
const today = await Server.launch(folder, [], {}); // which stops by itself
after(() => today.child.kill('SIGKILL'));
const { database } = today,
    token = await today.admin(),
    members = await addMembers(today, 4);
const versions = () => today.sql('SELECT schema, oldest FROM turn');
const [begun] = versions().split('|').map(Number);

const folderWithKey = () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    cpSync(join(today.folder, 'data', 'roster.key'), join(folder, 'data', 'roster.key'));
    return join(folder, 'data');
};
const argumentsFor = (data) => [
    '--listen',
    '127.0.0.1:0',
    '--data',
    data,
    '--database',
    database,
    '--database-unsafe',
    '--database-wait',
    '600',
];

const starting = [];
after(() => starting.forEach(({ child }) => child.kill('SIGKILL')));
// A server of another program; `stop` it, unless it ends by itself.
async function start(program) {
    const server = new Server();
    Object.assign(server, {
        program: programs[program],
        args: argumentsFor(folderWithKey()),
        env: process.env,
    });
    starting.push(server);
    await server.spawn();
    return server;
}

const change = (server, id, body) => server.call('PATCH', `/api/sys/users/${id}`, { token, body });

async function kept(server, id, body) {
    const { status, text } = await change(server, id, body);
    assert.equal(status, 200, text);
}

const upgrades = (servers) =>
    servers.filter(({ stderr }) => /its schema \d+ becomes \d+/.test(stderr)).length;

async function assertSound(program) {
    const { code, stderr } = await run(
        ['check', '--database', database, '--data', folderWithKey()],
        {},
        programs[program],
    );
    assert.equal(code, 0, stderr);
}

let more;
test('fields that concern no other version: one of several starts upgrades, and older servers go on', async () => {
    const servers = await together(3, () => start('more'));
    assert.equal(upgrades(servers), 1);
    assert.equal(versions(), `${begun + 5}|${begun}`);
    await kept(servers[0], userId, { MoreText: 'kept', LaterName: 'Zoë Later' });
    await kept(today, userId, { SystemId: 'by an older version' });
    const { MoreText, SystemId } = await servers[1].get(userId, token);
    assert.deepEqual([MoreText, SystemId], ['kept', 'by an older version']);
    await assertSound('more');
    await assertSound('today');
    const again = await start('today');
    await kept(again, userId, { SystemId: 'once more' });
    await again.stop();
    await Promise.all(servers.slice(1).map((server) => server.stop()));
    [more] = servers;
});

test('an upgrade that others must not miss: one does it, the older ones stop with 78, and nothing is lost', async () => {
    // Somebody reads a table for long: no start gets it, and the servers that run go on.
    const reader = spawn('psql', ['-qAtX', `--dbname=${database}`]);
    after(() => reader.kill());
    const isReading = once(reader.stdout, 'data');
    reader.stdin.write('BEGIN; SELECT count(*) FROM users;\n');
    await isReading;
    const starts = together(3, () => start('next'));
    await until('a start was refused the table', () =>
        starting.some(({ stderr }) =>
            /canceling statement due to lock timeout; trying again/.test(stderr),
        ),
    );
    await kept(today, userId, { SystemId: 'meanwhile' });
    let isDone = false;
    const last = new Map(),
        statuses = new Set();
    const changing = members.map(async (id, i) => {
        for (let n = 1; !isDone; n++) {
            const reply = await change([today, more][i % 2], id, { SystemId: `n-${n}` }).catch(
                () => undefined,
            );
            statuses.add(reply?.status);
            if (reply?.status === 200) last.set(id, n);
            else if (reply?.status !== 503) return; // the server has ended
        }
    });
    reader.stdin.end('COMMIT;\n');
    const servers = await starts;
    assert.equal(upgrades(servers), 1);
    assert.equal(versions(), `${begun + 7}|${begun + 7}`);
    for (const older of [today, more]) {
        assert.deepEqual(await older.ended, { code: 78, signal: null });
        assert.match(older.stderr, /stopping: a newer version of Roster has changed the database/);
    }
    isDone = true;
    await Promise.all(changing);
    assert.ok(
        ![...statuses].some((status) => ![200, 503, undefined].includes(status)),
        [...statuses].join(),
    );
    for (const id of members) {
        const { SystemId } = await servers[0].get(id, token),
            found = Number(/^n-(\d+)$/.exec(SystemId)?.[1] ?? 0),
            answered = last.get(id) ?? 0;
        // The last change may have had no answer, since the server ended.
        assert.ok(found === answered || found === answered + 1, `${found} of ${answered}: ${id}`);
    }
    // A value from before is found by its new column, index and text.
    const { json } = await servers[1].call('GET', '/api/sys/users?User_LaterName=oe later', {
        token,
    });
    assert.deepEqual(
        json.Records.map(({ Id, LaterName, MoreText }) => [Id, LaterName, MoreText]),
        [[userId, 'Zoë Later', 'kept']],
    );
    const { status, text } = await servers[2].call('POST', '/api/sys/parcels', {
        token,
        body: { Name: 'A parcel', ReceiverId: userId },
    });
    assert.equal(status, 200, text);
    await assertSound('next');
    await Promise.all(servers.map((server) => server.stop()));
});

test('an older version does not start any more', async () => {
    for (const program of ['today', 'more']) {
        const { code, stderr } = await run(argumentsFor(folderWithKey()), {}, programs[program]);
        assert.equal(code, 78, stderr);
        assert.match(stderr, /made by a newer version of Roster; use that version\n$/);
    }
});
