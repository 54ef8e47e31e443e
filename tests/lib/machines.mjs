// Three machines with etcd, Patroni and PostgreSQL, set up by the files of dist/, and a rosterd on each. They are network
// namespaces: tools/with-machines makes them and runs the tests. HAProxy deals requests to the three, as dist/ has it.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
    chownSync,
    closeSync,
    cpSync,
    mkdirSync,
    openSync,
    readFileSync,
    writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { binary, Server } from './server.mjs';
import { adminEmail, password } from './users.mjs';
import { patience, until } from './wait.mjs';

const root = process.env.ROSTER_TEST_MACHINES;
assert.ok(root, 'run me by tools/with-machines');
delete process.env.ROSTER_TEST_MACHINES; // it is no setting of rosterd
const programs = execFileSync(
    'sh',
    ['-c', 'ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1'],
    { encoding: 'utf8' },
).trim();
const owner = ['uid', 'gid'].map((kind) =>
    Number(execFileSync('id', [`-${kind[0]}`, 'postgres'], { encoding: 'utf8' })),
);
const passwordFile = join(root, 'pgpass'),
    addresses = [1, 2, 3].map((n) => `10.0.0.1${n}`);
export const url = `postgresql://roster@${addresses.join()}/roster`;

// A file of dist/, for machine n: its name and address are in each line that has one address alone.
function shipped(name, n, changes = []) {
    const lines = readFileSync(new URL(`../../dist/${name}`, import.meta.url), 'utf8').split('\n'),
        isShared = (line) => line.split('10.0.0.1').length > 2;
    const own = lines
        .map((line) =>
            isShared(line)
                ? line
                : line
                      .replaceAll('10.0.0.11', addresses[n - 1])
                      .replaceAll('machine1', `machine${n}`),
        )
        .join('\n');
    return changes.reduce((text, [from, to]) => {
        assert.ok(text.includes(from), `${name}: ${from}`);
        return text.replaceAll(from, to);
    }, own);
}

// The namespace's processes, of which there may be none.
const processesOf = (name) =>
    execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
        .split('\n')
        .filter(Boolean)
        .map(Number);

export const run = promisify(execFile);

const commandOf = (pid) => {
    try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
    } catch {
        return ''; // it has ended
    }
};

function send(signal, pids) {
    for (const pid of pids)
        try {
            process.kill(pid, signal);
        } catch (error) {
            if (error.code !== 'ESRCH') throw error; // it has ended
        }
}

// A rosterd on a machine.
class Member extends Server {
    constructor(machine, args, port = 8080, program = binary) {
        super();
        this.program = 'ip';
        this.folder = machine.folder;
        this.data = join(machine.folder, `roster-${port}`);
        this.args = [
            ...['netns', 'exec', machine.name, program, '--listen', `${machine.address}:${port}`],
            ...['--data', this.data, '--database', url, '--database-wait', '600', ...args],
        ];
        this.env = { ...process.env, PGPASSFILE: passwordFile };
    }
}

function copyKey(from, to) {
    mkdirSync(to.data, { mode: 0o700 });
    cpSync(join(from.data, 'roster.key'), join(to.data, 'roster.key'));
}

// HAProxy, to which clients speak: the backend of dist/, with a simpler frontend.
class Front extends Server {
    program = '/usr/sbin/haproxy';
    url = 'http://127.0.0.1:8081';

    start() {
        const site = `defaults
    mode http
    timeout client 60s
    timeout http-request 60s
frontend roster
    bind 127.0.0.1:8081
    http-response set-header X-Served-By %s
    default_backend roster
listen figures
    bind 127.0.0.1:8082
    stats enable
    stats uri /
`;
        const file = join(root, 'haproxy.cfg');
        writeFileSync(file, site + shipped('haproxy-machines.cfg', 1));
        this.child = spawn(this.program, ['-db', '-f', file], { stdio: 'ignore' });
    }

    // Does it send requests to all three?
    async hasAll() {
        const signal = AbortSignal.timeout(patience.check),
            table = await (await fetch('http://127.0.0.1:8082/;csv', { signal })).text();
        return table.match(/^roster,machine\d.*,UP,/gm)?.length === 3;
    }

    // An answer that does not come is given up.
    call(method, path, options) {
        return super.call(method, path, {
            signal: AbortSignal.timeout(patience.change),
            ...options,
        });
    }
}

export class Machine {
    constructor(n, args) {
        Object.assign(this, { n, name: `machine${n}`, address: addresses[n - 1] });
        this.folder = join(root, this.name);
        mkdirSync(this.folder);
        chownSync(this.folder, ...owner);
        this.settings = join(this.folder, 'patroni.yml');
        writeFileSync(this.settings, shipped('patroni.yml', n, this.changes()));
        this.etcdSettings = shipped('etcd', n, [
            ['/var/lib/etcd/roster', join(this.folder, 'etcd')],
        ])
            .split('\n')
            .filter((line) => /^\w+=/.test(line));
        this.rosterd = new Member(this, args);
    }

    // Places on disk, which three machines share here. A watchdog would restart the machine that runs the tests.
    changes() {
        return [
            ['bin_dir: /usr/lib/postgresql/15/bin', `bin_dir: ${programs}`],
            ['/var/lib/postgresql/15/roster', join(this.folder, 'data')],
            ['/var/lib/postgresql/patroni.pgpass', join(this.folder, 'patroni.pgpass')],
            ['/run/postgresql', this.folder],
            ['mode: automatic', 'mode: "off"'],
        ];
    }

    // Starts a program there as postgres. It ends with the namespaces; its output goes to a file.
    start(name, ...command) {
        const log = openSync(join(this.folder, `${name}.log`), 'a');
        const as = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'];
        const child = spawn(
            'ip',
            [
                'netns',
                'exec',
                this.name,
                ...as,
                'env',
                '-C',
                this.folder,
                `HOME=${this.folder}`,
                ...command,
            ],
            { stdio: ['ignore', log, log] },
        );
        closeSync(log);
        child.unref();
    }

    startEtcd() {
        this.start('etcd', ...this.etcdSettings, 'etcd');
    }

    startPatroni() {
        this.start('patroni', 'patroni', this.settings);
    }

    // One more rosterd there, which can be made to fail.
    another(port, env) {
        const other = new Member(this, [], port, join(dirname(binary), 'rosterd-faulty'));
        Object.assign(other.env, env);
        copyKey(this.rosterd, other);
        return other;
    }

    // Plugs the cable in, and lets all run that a fault stopped or killed there.
    async repair() {
        if (this.isCutOff) await this.plugIn();
        this.signal('SIGCONT');
        if (!this.pids(/^etcd/).length) this.startEtcd();
        if (!this.pids(/patroni/).length) this.startPatroni();
        if (!this.rosterd.isRunning) await this.rosterd.spawn();
    }

    pids(pattern = /./) {
        return processesOf(this.name).filter((pid) => pattern.test(commandOf(pid)));
    }

    // kill -9 of those processes, and of what they start meanwhile.
    kill(pattern = /./) {
        for (let pids; (pids = this.pids(pattern)).length; ) send('SIGKILL', pids);
    }

    signal(signal, pattern = /./) {
        send(signal, this.pids(pattern));
    }

    cable(state) {
        execFileSync('ip', ['link', 'set', `cable${this.n}`, state]);
        this.isCutOff = state === 'down';
    }

    // Plugs the cable in once nothing that was sent to the machine's rosterd is still to be delivered: the kernel would
    // deliver it then, after the clients have given it up.
    async plugIn() {
        const args = ['-Htn', 'state', 'established', 'dst', `${this.address}:8080`];
        await until('nothing waits for the machine', async () => {
            const { stdout } = await run('ss', args);
            return stdout.split('\n').every((line) => !Number(line.trim().split(/\s+/)[1]));
        });
        this.cable('up');
    }

    // The status of Patroni's own check: /primary, /sync, /replica. 0: no answer.
    async check(path) {
        try {
            const signal = AbortSignal.timeout(patience.check);
            const response = await fetch(`http://${this.address}:8008${path}`, { signal });
            await response.text();
            return response.status;
        } catch {
            return 0; // a machine that is gone is one of the answers
        }
    }

    // The arguments and the environment of a superuser's psql on this machine.
    toPsql(database) {
        const to = `--dbname=postgresql://postgres@${this.address}/${database}`;
        return [
            ['-qAtX', '--set=ON_ERROR_STOP=1', to],
            { ...process.env, PGPASSFILE: passwordFile },
        ];
    }

    psql(text, database = 'roster') {
        const [args, env] = this.toPsql(database);
        return execFileSync('psql', [...args, '--command', text], { encoding: 'utf8', env }).trim();
    }

    // One that takes its statements from the caller.
    openPsql() {
        const [args, env] = this.toPsql('roster');
        return spawn('psql', args, { env, stdio: ['pipe', 'ignore', 'inherit'] });
    }

    log(name) {
        return readFileSync(join(this.folder, `${name}.log`), 'utf8');
    }
}

export class Cluster {
    front = new Front();

    // Once this is there, all three machines run and PostgreSQL has a synchronous standby.
    static async start(args = []) {
        const cluster = new this();
        after(() => cluster.end());
        writeFileSync(passwordFile, '*:*:*:roster:secret\n*:*:*:postgres:CHANGE-ME-2\n', {
            mode: 0o600,
        });
        cluster.machines = [1, 2, 3].map((n) => new Machine(n, args));
        cluster.machines.forEach((machine) => machine.startEtcd());
        cluster.machines.forEach((machine) => machine.startPatroni());
        await cluster.settled();
        await cluster.psql("CREATE ROLE roster LOGIN PASSWORD 'secret'", 'postgres');
        await cluster.psql(
            "CREATE DATABASE roster OWNER roster ENCODING 'UTF8' TEMPLATE template0",
            'postgres',
        );
        // A standby answers that there is no such database until it has replayed its creation, and libpq believes it.
        const created = "SELECT count(*) FROM pg_database WHERE datname = 'roster'";
        await until('each machine has the database', () =>
            cluster.machines.every((machine) => machine.psql(created, 'postgres') === '1'),
        );
        await cluster.startRosterds();
        cluster.front.start();
        await until('HAProxy has found them', () => isReady(cluster.front), { pause: 100 });
        return cluster;
    }

    // The first fills the database and makes the key.
    async startRosterds() {
        const [first, ...others] = this.machines.map((machine) => machine.rosterd);
        first.env.ROSTER_ADMIN_EMAIL = adminEmail;
        first.env.ROSTER_ADMIN_PASSWORD = password;
        await first.spawn();
        for (const other of others) {
            copyKey(first, other);
            await other.spawn();
        }
    }

    // Nothing of it outlasts this, whatever failed before: the namespaces' end would be the next to see to that.
    end() {
        this.front.child?.kill('SIGKILL');
        for (const machine of this.machines ?? []) machine.kill();
    }

    async repair() {
        for (const machine of this.machines) await machine.repair();
    }

    async find(path) {
        const statuses = await Promise.all(this.machines.map((machine) => machine.check(path)));
        return this.machines.filter((_, i) => statuses[i] === 200);
    }

    // The primary, and the standby that has all that was acknowledged.
    primary() {
        return until(
            'there is one primary',
            async () => {
                const found = await this.find('/primary');
                return found.length === 1 && found[0];
            },
            { deadline: patience.cluster, pause: 100 },
        );
    }

    synchronous() {
        return until('there is a synchronous standby', async () => (await this.find('/sync'))[0], {
            deadline: patience.cluster,
            pause: 100,
        });
    }

    // One primary, two standbys that follow it, and, where they have been started, three rosterd that are ready.
    async settled({ isSynchronous = true } = {}) {
        const state = async () => {
            const [primaries, standbys, synchronous] = await Promise.all(
                ['/primary', '/replica', '/sync'].map((path) => this.find(path)),
            );
            const ready = await Promise.all(
                this.machines.map(({ rosterd }) => !rosterd.url || isReady(rosterd)),
            );
            return {
                primaries: primaries.length,
                standbys: standbys.length,
                synchronous: synchronous.length,
                ready: ready.filter(Boolean).length,
            };
        };
        const wanted = { primaries: 1, standbys: 2, synchronous: isSynchronous ? 1 : 0, ready: 3 };
        let last;
        await until(
            () => `the cluster is whole, not ${JSON.stringify(last)}\n${this.lastLines()}`,
            async () => {
                last = await state();
                return Object.keys(wanted).every((key) => last[key] === wanted[key]);
            },
            { deadline: patience.cluster, pause: 200 },
        );
    }

    // The last lines of all logs.
    lastLines() {
        const lines = (machine, name) =>
            `--- ${machine.name}: ${name}\n${machine.log(name).split('\n').slice(-12).join('\n')}`;
        return this.machines
            .flatMap((machine) => [
                lines(machine, 'etcd'),
                lines(machine, 'patroni'),
                machine.rosterd.stderr,
            ])
            .join('\n');
    }

    // The output of an SQL text on the primary, as its superuser.
    async psql(text, database = 'roster') {
        return (await this.primary()).psql(text, database);
    }

    edit(...settings) {
        this.patronictl('edit-config', '--force', ...settings.flatMap((one) => ['--set', one]));
    }

    patronictl(...args) {
        const alive = this.machines.find((machine) => machine.pids(/patroni/).length);
        const { status, stdout, stderr } = spawnSync(
            'patronictl',
            ['-c', alive.settings, ...args],
            { encoding: 'utf8' },
        );
        assert.equal(status, 0, `patronictl ${args.join(' ')}: ${stdout}${stderr}`);
        return stdout;
    }
}

export async function isReady(rosterd) {
    try {
        const signal = AbortSignal.timeout(patience.check);
        return (await fetch(`${rosterd.url}/readyz`, { signal })).status === 200;
    } catch {
        return false; // no answer is one
    }
}
