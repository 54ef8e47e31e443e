// The faults of three machines. `break` makes one, while the clients of a journal work; Cluster.repair() ends it. `answered`
// waits until each client has been answered some more times. `silence` is how many seconds a client may wait for an answer.
// Where only some of the clients are meant, `break` gives the silence that counts.
import assert from 'node:assert/strict';
import { Faults } from '../faults/faults.mjs';
import { run } from '../lib/machines.mjs';
import { userBody } from '../lib/users.mjs';
import { patience, Silence, until } from '../lib/wait.mjs';

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
    try {
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
    } finally {
        psql.stdin.end(); // and with it psql
    }
}

// How long a change takes that another rosterd is asked for, past HAProxy.
async function changeElsewhere(cluster, journal, stopped) {
    const silence = new Silence(),
        { rosterd } = cluster.machines.find((machine) => machine !== stopped);
    silence.begin();
    const reply = await rosterd.call('PATCH', '/api/sys/users/100000001', {
        token: journal.token,
        body: { FullName: 'Changed Elsewhere' },
    });
    assert.equal(reply.status, 200, reply.text);
    silence.end();
    return silence;
}

// ---- A machine that is cut off ----

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

// In how many seconds the leader would lose its place, if it were silent from now on.
async function leaderTtl(cluster) {
    const signal = AbortSignal.timeout(patience.check),
        key = `http://${cluster.machines[0].address}:2379/v2/keys/service/roster/leader`;
    return (await (await fetch(key, { signal })).json()).node.ttl;
}

export const faults = {
    postgres: {
        title: 'kill -9 of the PostgreSQL of the primary',
        silence: 6,
        async break(cluster) {
            (await cluster.primary()).kill(postgres);
        },
    },
    machine: {
        title: 'kill -9 of all on the machine of the primary',
        silence: 10,
        async break(cluster) {
            (await cluster.primary()).kill();
        },
    },
    cable: {
        title: 'the cable of the primary is cut',
        silence: 12,
        async break(cluster) {
            (await cluster.primary()).cable('down');
        },
    },
    cutOff: {
        title: 'a rosterd that is cut off with the primary shows nothing to a token that was revoked elsewhere',
        silence: 12,
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
        },
    },
    standby: {
        title: 'kill -9 of all on the machine of the synchronous standby',
        silence: 3,
        async break(cluster) {
            (await cluster.synchronous()).kill();
        },
    },
    etcd: {
        title: 'kill -9 of two etcd of three',
        silence: 2,
        async break(cluster) {
            cluster.machines.slice(0, 2).forEach((machine) => machine.kill(etcd));
        },
    },
    holder: {
        title: 'kill -9 of a rosterd within its turn',
        silence: 0.1,
        async break(cluster, { journal }) {
            const stopped = await stopInTurn(cluster);
            stopped.rosterd.child.kill('SIGKILL');
            return changeElsewhere(cluster, journal, stopped);
        },
    },
    pause: {
        title: 'a rosterd stands still within its turn',
        // PostgreSQL ends a transaction that stands still for 2 s; each of the three connections that write may have one,
        // which gets the turn when the one before has ended.
        silence: 7,
        async break(cluster, { journal }) {
            return changeElsewhere(cluster, journal, await stopInTurn(cluster));
        },
    },
    warning: {
        title: 'COMMIT warns that no standby has it, and then the primary dies',
        silence: 12,
        async break(cluster) {
            const machine = await cluster.primary(),
                standbys = await stopReplication(cluster);
            await cancelWaits(cluster, 5);
            machine.kill();
            resumeReplication(standbys);
        },
    },
    patroni3: {
        title: 'kill -9 of all on the machine of the primary, with the shortest times that newer versions of Patroni have',
        silence: 25,
        async break(cluster) {
            (await cluster.primary()).kill();
        },
        async prepare(cluster) {
            cluster.edit('ttl=20', 'loop_wait=2', 'retry_timeout=3');
            await until(
                'the leader has the longer time',
                async () => (await leaderTtl(cluster)) > 5,
                { deadline: patience.cluster, pause: 100 },
            );
        },
        restore: (cluster) => cluster.edit('ttl=5', 'loop_wait=1', 'retry_timeout=2'),
    },
    restarts: {
        title: 'each rosterd is restarted, then PostgreSQL moves to another machine',
        silence: 3,
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
        silence: 1,
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
            await cluster.repair();
        },
    },
};
