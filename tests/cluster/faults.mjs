// The faults of three machines. `break` makes one, while the clients of a journal work, and returns a function that repairs
// it, if it does not repair itself. `answered` waits until each client has been answered some more times.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Faults } from '../faults/faults.mjs';
import { userBody } from '../lib/users.mjs';
import { patience, until } from '../lib/wait.mjs';

const postgres = /^(\S*\/)?postgres\b/,
    sender = /^postgres: .*walsender/,
    receiver = /^postgres: .*walreceiver/,
    etcd = /^etcd/;

// ---- Standbys that lag ----

// From now on no standby receives anything. Gives the two.
async function stopReplication(cluster) {
    const primary = await cluster.primary(),
        standbys = cluster.machines.filter((machine) => machine !== primary);
    await until('both standbys receive', () =>
        standbys.every((machine) => machine.pids(receiver).length),
    );
    // The senders, so that nothing is under way; the receivers, since they would soon ask for other senders.
    primary.signal('SIGSTOP', sender);
    standbys.forEach((machine) => machine.signal('SIGSTOP', receiver));
    return standbys;
}

const resumeReplication = (standbys) =>
    standbys.forEach((machine) => machine.signal('SIGCONT', receiver));

// Ends the waits for a standby: COMMIT then answers that it was done, and warns that no standby has it.
async function cancelWaits(cluster, times) {
    const cancel =
        "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let cancelled = 0;
    await until(
        'commits wait for a standby and are cancelled',
        async () => {
            cancelled += Number(await cluster.psql(cancel));
            return cancelled >= times;
        },
        { pause: 20 },
    );
}

// ---- A rosterd that holds the turn ----

// Stops the rosterd that has the turn, within its transaction: psql takes the turn first, until one waits for it.
async function stopInTurn(cluster) {
    const primary = await cluster.primary(),
        psql = primary.openPsql();
    const addressOf = (condition) =>
        primary.psql(
            `SELECT client_addr FROM pg_stat_activity WHERE usename = 'roster' AND ${condition} LIMIT 1`,
        );
    psql.stdin.write('BEGIN; SELECT epoch FROM turn FOR UPDATE;\n');
    const next = await until(
        'a rosterd waits for the turn',
        () => addressOf("wait_event = 'transactionid'"),
        { pause: 50 },
    );
    const stopped = cluster.machines.find((machine) => machine.address === next);
    stopped.rosterd.child.kill('SIGSTOP');
    psql.stdin.end('COMMIT;\n');
    await until(
        'it is stopped within its turn',
        () => addressOf(`client_addr = '${next}' AND state = 'idle in transaction'`) === next,
        { pause: 50 },
    );
    return stopped;
}

// ---- A machine that is cut off ----

const run = promisify(execFile);

// Plugs the cable in once nothing that was sent to the machine's rosterd is still to be delivered: the kernel would deliver it
// then, after the clients have given it up.
async function replug(machine) {
    const args = ['-Htn', 'state', 'established', 'dst', `${machine.address}:8080`];
    await until('nothing waits for the machine', async () => {
        const { stdout } = await run('ss', args);
        return stdout.split('\n').every((line) => !Number(line.trim().split(/\s+/)[1]));
    });
    machine.cable('up');
}

// The status that the rosterd of a machine answers a client on the same machine. 0: no answer.
async function askThere(machine, token, ...curl) {
    const url = `${machine.rosterd.url}/api/`,
        common = ['-s', '-o', '/dev/null', '-m', '25', '-w', '%{http_code}'];
    const { stdout } = await run('ip', [
        ...['netns', 'exec', machine.name, 'curl', ...common],
        ...['-H', `Authorization: Bearer ${token}`, ...curl.slice(1), url + curl[0]],
    ]).catch((error) => error); // curl fails when there is no answer
    return Number(stdout);
}

// A token, and what revokes it.
async function revocable(front, token) {
    const body = userBody({
            FullName: 'Cut Off',
            Email: 'cut.off@example.com',
            Active: true,
            APIAccess: true,
            NewPassword: 'correct horse battery',
        }),
        made = await front.call('POST', '/api/sys/users', { token, body });
    assert.equal(made.status, 200, made.text);
    const bearer = await front.token(body.Email, body.NewPassword);
    const revoke = () =>
        until(
            'the token is revoked',
            async () => {
                const { status } = await front.call(
                    'DELETE',
                    `/api/sys/users/${made.json.Value.Id}`,
                    { token },
                );
                return status === 200 || status === 404;
            },
            { deadline: patience.cluster, pause: 100 },
        );
    return { bearer, revoke };
}

export const faults = {
    postgres: {
        title: 'kill -9 of the PostgreSQL of the primary',
        async break(cluster) {
            (await cluster.primary()).kill(postgres);
        },
    },
    machine: {
        title: 'kill -9 of all on the machine of the primary',
        async break(cluster) {
            const machine = await cluster.primary();
            machine.kill();
            return () => machine.boot();
        },
    },
    cable: {
        title: 'the cable of the primary is cut',
        async break(cluster) {
            const machine = await cluster.primary();
            machine.cable('down');
            return () => replug(machine);
        },
    },
    cutOff: {
        title: 'a rosterd that is cut off with the primary shows nothing to a token that was revoked elsewhere',
        async break(cluster, { answered, journal }) {
            const machine = await cluster.primary(),
                { bearer, revoke } = await revocable(cluster.front, journal.token);
            assert.equal(await askThere(machine, bearer, 'auth/me'), 200);
            machine.cable('down');
            await answered();
            await revoke();
            for (let i = 0; i < 3; i++)
                assert.notEqual(await askThere(machine, bearer, 'auth/me'), 200);
            const write = [
                '-X',
                'PATCH',
                '-H',
                'Content-Type: application/json',
                '-d',
                '{"FullName":"refused"}',
            ];
            assert.notEqual(
                await askThere(machine, journal.token, 'sys/users/100000001', ...write),
                200,
            );
            return () => replug(machine);
        },
    },
    standby: {
        title: 'kill -9 of all on the machine of the synchronous standby',
        async break(cluster) {
            const machine = await cluster.synchronous();
            machine.kill();
            return () => machine.boot();
        },
    },
    etcd: {
        title: 'kill -9 of two etcd of three',
        async break(cluster) {
            const two = cluster.machines.slice(0, 2);
            two.forEach((machine) => machine.kill(etcd));
            return () => two.forEach((machine) => machine.startEtcd());
        },
    },
    holder: {
        title: 'kill -9 of a rosterd within its turn',
        async break(cluster) {
            const { rosterd } = await stopInTurn(cluster);
            rosterd.child.kill('SIGKILL');
            await rosterd.ended;
            return () => rosterd.spawn();
        },
    },
    pause: {
        title: 'a rosterd stands still within its turn',
        async break(cluster) {
            const { rosterd } = await stopInTurn(cluster);
            return () => rosterd.child.kill('SIGCONT');
        },
    },
    warning: {
        title: 'COMMIT warns that no standby has it, and then the primary dies',
        async break(cluster) {
            const machine = await cluster.primary(),
                standbys = await stopReplication(cluster);
            await cancelWaits(cluster, 5);
            machine.kill();
            resumeReplication(standbys);
            return () => machine.boot();
        },
    },
    patroni3: {
        title: 'kill -9 of all on the machine of the primary, with the shortest times that newer versions of Patroni have',
        async break(cluster) {
            const machine = await cluster.primary();
            machine.kill();
            return () => machine.boot();
        },
        prepare: (cluster) => cluster.edit('ttl=20', 'loop_wait=2', 'retry_timeout=3'),
        restore: (cluster) => cluster.edit('ttl=5', 'loop_wait=1', 'retry_timeout=2'),
    },
    restarts: {
        title: 'each rosterd is restarted, then PostgreSQL moves to another machine',
        async break(cluster, { answered, journal }) {
            const before = { ...journal.seen };
            for (const { rosterd } of cluster.machines) {
                await rosterd.restart();
                await until('HAProxy has found it', () => cluster.front.hasAll(), { pause: 100 });
                await answered();
            }
            for (const kind of ['notDone', 'unanswered'])
                assert.equal(journal.seen[kind], before[kind], `restarts: ${kind}`);
            journal.clients.forEach(({ silence }) => silence.begin());
            cluster.patronictl('switchover', '--force');
        },
    },
    clock: {
        title: 'a rosterd whose clock is an hour ahead does not start, and the others go on',
        async break(cluster) {
            const clock = new Faults(),
                ahead = cluster.machines[0].another(8090, clock.env);
            clock.setClock(3600 * 1000);
            await assert.rejects(ahead.spawn(), /ended with 78: [^]*the clocks of this machine/);
        },
    },
    control: {
        title: 'control: without synchronous_mode the same loses what was acknowledged, and this test sees it',
        loses: true,
        async prepare(cluster) {
            cluster.edit('synchronous_mode=false');
            await until(
                'PostgreSQL waits for no standby',
                async () => (await cluster.psql('SHOW synchronous_standby_names')) === '',
                { deadline: patience.cluster, pause: 100 },
            );
        },
        break: stopReplication,
        async crash(cluster, standbys) {
            const machine = await cluster.primary();
            machine.kill();
            resumeReplication(standbys);
            await cluster.primary();
            await machine.boot();
        },
    },
};
