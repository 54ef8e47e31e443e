// A synchronous standby that falls behind: no change is answered with 200 that only one machine has, reads go on, and service
// returns by itself when the standby does.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { psql, superuserOf, useOwnPostgres } from '../lib/postgres.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

process.env.STANDBY = 'on';
useOwnPostgres();
const server = await Server.start(['--database-timeout', '2']),
    token = await server.admin(),
    primary = superuserOf(server.database),
    standby = `${primary}&port=5433`,
    name = new URL(primary).pathname.slice(1);
// Asks the standby, also before it has the database of the test.
const ofStandby = (text) => psql(standby.replace(`/${name}?`, '/postgres?'), text);

let changes = 0;
async function change() {
    const SystemId = `changed-${++changes}`;
    const { status, text } = await server.call('PATCH', `/api/sys/users/${userId}`, {
        token,
        body: { SystemId },
    });
    return { SystemId, status, text };
}
const timesKept = (url, { SystemId }) =>
    Number(
        psql(
            url,
            `SELECT count(*) FROM audit WHERE property = 'SystemId' AND new_value = '${SystemId}'`,
        ),
    );

test('a standby that stands still, and goes on', async () => {
    psql(primary, `ALTER SYSTEM SET synchronous_standby_names = '*'`);
    psql(primary, 'SELECT pg_reload_conf()');
    await until(
        'the standby is synchronous',
        () => psql(primary, 'SELECT sync_state FROM pg_stat_replication') === 'sync',
    );
    await until(
        'the standby has the database',
        () => ofStandby(`SELECT count(*) FROM pg_database WHERE datname = '${name}'`) === '1',
    );
    const receiver = Number(ofStandby('SELECT pid FROM pg_stat_wal_receiver'));
    assert.ok(receiver > 0);
    process.kill(receiver, 'SIGSTOP');
    after(() => process.kill(receiver, 'SIGCONT'));

    const unanswered = [await change(), await change()];
    for (const { status, text } of unanswered) assert.ok([503, 504].includes(status), text);
    assert.equal((await server.get(userId, token)).Id, userId);

    process.kill(receiver, 'SIGCONT');
    const kept = await until('changes are made again', async () => {
        const made = await change();
        return made.status === 200 ? made : undefined;
    });
    await until('the standby shows it', () => timesKept(standby, kept) === 1);
    for (const one of unanswered) {
        const times = timesKept(primary, one);
        assert.ok(one.status === 504 ? times <= 1 : times === 0, `${one.status}, kept ${times}`);
        assert.equal(timesKept(standby, one), times);
    }
});
