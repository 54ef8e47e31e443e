// Changes that decide nothing of other records run beside each other, in one server and in several: none is lost, and the audit
// trail has no gap. While a change of any other kind runs, none of them does.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Processes, together } from '../lib/processes.mjs';
import { until } from '../lib/wait.mjs';
import { addMembers } from '../lib/world.mjs';

const servers = await Processes.start();
const token = await servers.admin();
const members = await addMembers(servers, 3);
const patch = (id, body) => servers.call('PATCH', `/api/sys/users/${id}`, { token, body });
const number = (what) => Number(servers.sql(`SELECT ${what}`));
const versions = () => number(`sum(Version) FROM users WHERE Id IN (${members})`);
const audited = (property) => number(`count(*) FROM audit WHERE property = '${property}'`);

// A session that takes the turn as a group of another server does, until the returned function is called.
async function takeTurn(lock) {
    const child = spawn('psql', ['-qAtX', `--dbname=${servers.members[0].database}`]);
    after(() => child.kill());
    const taken = once(child.stdout, 'data');
    child.stdin.write(`BEGIN; SELECT 'taken' FROM ${lock}(CAST('turn'::regclass AS bigint));\n`);
    await taken;
    return async () => {
        child.stdin.end('COMMIT;\n');
        await once(child, 'exit');
    };
}

// How many sessions wait for the turn: to share it, or to have it alone.
const waiting = (mode) =>
    number(
        `count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
         WHERE locktype = 'advisory' AND NOT granted AND mode = '${mode}' AND datname = current_database()`,
    );
const SHARED = 'ShareLock',
    ALONE = 'ExclusiveLock';

// Each server deletes expired rows soon after its start and now and then. For that it has the turn alone, and who asks for the
// turn after it waits behind it; then the round says nothing of the change, and another one is made.
test('a plain change does not wait for a plain group of another server; a change of an address does', async () => {
    for (let isAnswered = false, round = 1; !isAnswered; round++) {
        assert.ok(round < 20, 'plain changes wait, or somebody always waits before them');
        const release = await takeTurn('pg_advisory_xact_lock_shared');
        const plain = patch(members[0], { LastHelpVisited: round }).then((reply) => {
            isAnswered = true;
            return reply;
        });
        await until('it is answered, or is not the first', () => isAnswered || waiting(ALONE) > 0);
        if (isAnswered) {
            const wide = patch(members[1], { Email: 'waits@example.com' });
            await until('the change of an address waits for the turn', () => waiting(ALONE) > 0);
            await release();
            assert.equal((await wide).status, 200);
        } else await release();
        assert.equal((await plain).status, 200);
    }
});

test('a plain change waits for a server that has the turn alone', async () => {
    const release = await takeTurn('pg_advisory_xact_lock');
    const plain = patch(members[0], { LastHelpVisited: 100 });
    await until('the change waits for the turn', () => waiting(SHARED) === 1);
    await release();
    assert.equal((await plain).status, 200);
});

test('of changes of the same few records by all servers, beside changes of addresses, each is kept once', async () => {
    const before = {
        versions: versions(),
        plain: audited('LastHelpVisited'),
        wide: audited('Email'),
    };
    const clients = 24,
        rounds = 12;
    await together(clients, async (client) => {
        for (let round = 0; round < rounds; round++) {
            const id = members[(client + round) % members.length],
                value = 1000 + client * rounds + round;
            const body = client ? { LastHelpVisited: value } : { Email: `to.${value}@example.com` };
            const { status, text } = await patch(id, body);
            assert.equal(status, 200, text);
        }
    });
    assert.equal(versions() - before.versions, clients * rounds);
    assert.equal(audited('LastHelpVisited') - before.plain, (clients - 1) * rounds);
    assert.equal(audited('Email') - before.wide, rounds);
    assert.equal(number('max(id) - min(id) + 1 - count(*) FROM audit'), 0);
    assert.equal(
        number(`(SELECT next FROM next_ids WHERE kind = 'audit') - max(id) FROM audit`),
        1,
    );
});
