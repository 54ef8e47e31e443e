// A server that stands still in the middle of a transaction does not stop the others: PostgreSQL ends its transaction, which
// it makes again when it goes on.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { userId } from '../lib/ids.mjs';
import { Processes } from '../lib/processes.mjs';
import { until } from '../lib/wait.mjs';

const servers = await Processes.start([], 2),
    [still, other] = servers.members,
    token = await servers.admin(),
    path = `/api/sys/users/${userId}`;
const change = (server, FullName) => server.call('PATCH', path, { token, body: { FullName } });
const count = (condition) =>
    Number(
        servers.sql(
            `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND ${condition}`,
        ),
    );

test('a server that is stopped while it has the turn', async () => {
    // psql takes the turn first, so that the server is stopped as it gets it.
    const psql = spawn('psql', ['-qAtX', `--dbname=${still.database}`], {
        stdio: ['pipe', 'ignore', 'inherit'],
    });
    after(() => psql.kill('SIGKILL'));
    psql.stdin.write('BEGIN; SELECT epoch FROM turn FOR UPDATE;\n');
    await until(
        'psql has the turn',
        () => count("application_name = 'psql' AND state = 'idle in transaction'") === 1,
    );
    const first = change(still, 'Of the One That Stood Still');
    await until('the server waits for the turn', () => count("wait_event_type = 'Lock'") > 0);
    still.child.kill('SIGSTOP');
    after(() => still.child.kill('SIGCONT'));
    psql.stdin.end('COMMIT;\n');
    await once(psql, 'close');
    assert.equal((await change(other, 'Of the Other')).status, 200);
    still.child.kill('SIGCONT');
    assert.equal((await first).status, 200);
    assert.equal((await other.get(userId)).FullName, 'Of the One That Stood Still');
});
