// Behind HAProxy as dist/ has it, a rosterd that is restarted answers what it has begun, and clients notice nothing.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { psql, superuserOf } from '../lib/postgres.mjs';
import { Processes } from '../lib/processes.mjs';
import { startBalancer } from '../lib/proxies.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

// Those that are stopped next get a second signal by that, which ends the delay.
after(() => servers.members.forEach(({ child }) => child.kill('SIGTERM')));
const servers = await Processes.start(['--drain-delay', '600'], 2),
    [{ database }] = servers.members,
    balancer = await startBalancer(servers.members, temporaryFolder());
const token = await servers.admin();
const front = Object.assign(new Server(), { url: balancer.url, urls: [] });
const at = (reply) => Number(reply.headers.get('X-Served-By').slice(1));
const read = () => front.call('GET', `/api/sys/users/${userId}`, { token });
const change = (SystemId, by = front) =>
    by.call('PATCH', `/api/sys/users/${userId}`, { token, body: { SystemId } });

// Does a change of a record wait for the turn? Only such changes share it.
const waits = () =>
    psql(
        superuserOf(database),
        `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND wait_event_type = 'Lock' AND usename = 'roster' AND query LIKE '%pg_advisory_xact_lock_shared%'`,
    ) !== '0';

test('a change that is under way when its rosterd ends is answered, and the next ones go to another', async () => {
    // By its first change a server learns that there are no webhooks. From then on changes share the turn.
    for (const member of servers.members)
        assert.equal((await change('of each', member)).status, 200);
    const leaving = at(await read()),
        member = servers.members[leaving];
    const release = await member.holdWriter(),
        changed = change('before the end');
    await until('the change waits', waits);
    member.child.kill('SIGTERM');
    await until('HAProxy sends nothing more there', async () => {
        const state = (await balancer.states())[leaving];
        assert.notEqual(state, 'DOWN');
        return state === 'NOLB';
    });
    for (let i = 0; i < 20; i++) assert.equal(at(await read()), 1 - leaving);
    await release();
    const reply = await changed;
    assert.deepEqual([reply.status, at(reply)], [200, leaving], reply.text);
    const next = await change('after the end');
    assert.deepEqual([next.status, at(next)], [200, 1 - leaving], next.text);
});
