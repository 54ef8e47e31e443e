// Database servers that rosterd must not use, or cannot use now: a start says in one line what to do, and a server that runs
// refuses what it cannot do and goes on when it can.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Faults } from '../faults/faults.mjs';
import { userId } from '../lib/ids.mjs';
import {
    folderOf,
    newDatabase,
    postgres,
    psql,
    superuserOf,
    useOwnPostgres,
} from '../lib/postgres.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

useOwnPostgres(); // its roles and messages are changed
const root = superuserOf(await postgres());

after(() => psql(root, 'ALTER ROLE roster LOGIN'));

const start = (url, ...args) =>
    run([
        ...['--listen', '127.0.0.1:0', '--data', join(temporaryFolder(), 'data')],
        ...['--database', url, '--database-wait', '0'],
        ...['--admin-email', adminEmail, '--admin-password', password, ...args],
    ]);

async function assertRefused(code, line, ...started) {
    const { code: ended, stderr } = await start(...started);
    assert.equal(ended, code, stderr);
    assert.match(stderr, line);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    return stderr;
}

const renamed = (url, { name, user }) => {
    const other = new URL(url);
    if (name) other.pathname = `/${name}`;
    if (user) other.searchParams.set('user', user);
    return other.href;
};

test('a server that is not there: 69', async () => {
    const listener = net.createServer();
    await new Promise((resolve) => {
        listener.listen(0, '127.0.0.1', resolve);
    });
    const { port } = listener.address();
    await new Promise((resolve) => {
        listener.close(resolve);
    });
    await assertRefused(69, /Connection refused/, `postgresql://127.0.0.1:${port}/roster`);
});

test('no such database, and no such role: 78', async () => {
    const url = await postgres();
    await assertRefused(78, /database "nobody" does not exist/, renamed(url, { name: 'nobody' }));
    await assertRefused(78, /role "nobody" does not exist/, renamed(url, { user: 'nobody' }));
});

test('another encoding: 78, with the command that makes a database', async () => {
    psql(root, `CREATE DATABASE ascii OWNER roster ENCODING 'SQL_ASCII' TEMPLATE template0`);
    await assertRefused(
        78,
        /encoding of the database ascii is SQL_ASCII; make one with: CREATE DATABASE roster ENCODING 'UTF8' TEMPLATE template0/,
        renamed(await postgres(), { name: 'ascii' }),
        '--database-unsafe',
    );
});

const risky = {
    fsync: /fsync = off: it would lose data/,
    full_page_writes: /full_page_writes = off: after a power cut half a page may be on its disk/,
    synchronous_commit: /synchronous_commit = off: it would lose what it has confirmed/,
};

// Has new connections meet these settings of the server.
async function set(values) {
    for (const [name, value] of Object.entries(values))
        psql(root, `ALTER SYSTEM SET ${name} = ${value}`);
    psql(root, 'SELECT pg_reload_conf()');
    await until('the server has read its settings', () =>
        Object.entries(values).every(([name, value]) => psql(root, `SHOW ${name}`) === value),
    );
}

test('a server that may lose what it has confirmed: 78', async () => {
    const url = await newDatabase(),
        safe = Object.fromEntries(Object.keys(risky).map((name) => [name, 'on']));
    try {
        for (const [name, line] of Object.entries(risky)) {
            await set({ ...safe, [name]: 'off' });
            await assertRefused(78, line, url);
        }
    } finally {
        await set({ fsync: 'off', full_page_writes: 'off', synchronous_commit: 'on' });
    }
});

async function makeBackup() {
    const file = join(temporaryFolder(), 'backup.db'),
        origin = await Server.start(),
        { code, stderr } = await run(['backup', file, ...origin.where]);
    assert.equal(code, 0, stderr);
    return file;
}

test('a file system that needs no full_page_writes, as its operator says: only that is let pass', async () => {
    const url = await newDatabase(),
        name = new URL(url).pathname.slice(1);
    try {
        await set({ fsync: 'on', full_page_writes: 'off' });
        const refused = await assertRefused(78, risky.full_page_writes, url),
            [way] = /ALTER DATABASE .*$/m.exec(refused);
        assert.equal(way, `ALTER DATABASE ${name} SET roster.whole_pages = on`);
        psql(root, way);
        const restored = await run(['restore', await makeBackup(), '--database', url]);
        assert.equal(restored.code, 0, restored.stderr);
        await set({ fsync: 'off' });
        await assertRefused(78, risky.fsync, url);
    } finally {
        await set({ fsync: 'off', full_page_writes: 'off' });
    }
});

test('a server that may lose what it has confirmed: a backup is restored to it with --database-unsafe only', async () => {
    const url = await newDatabase(),
        file = await makeBackup();
    const restore = (...args) => run(['restore', file, '--database', url, ...args]);
    const refused = await restore();
    assert.equal(refused.code, 78, refused.stderr);
    assert.match(refused.stderr, risky.fsync);
    const restored = await restore('--database-unsafe');
    assert.equal(restored.code, 0, restored.stderr);
    assert.ok(Number(psql(url, 'SELECT count(*) FROM users')) > 1);
});

test('a role without rights: 77, and each GRANT of the message is what it lacked', async () => {
    const url = await newDatabase(),
        owner = superuserOf(url);
    psql(root, 'CREATE ROLE clerk LOGIN');
    const asClerk = renamed(url, { user: 'clerk' });
    const grantOf = (text) => /lacks a right: (GRANT .* TO clerk)$/m.exec(text)[1];
    const first = await assertRefused(
        77,
        /GRANT USAGE, CREATE ON SCHEMA public TO clerk$/m,
        asClerk,
        '--database-unsafe',
    );
    psql(owner, grantOf(first));
    // The tables are another role's.
    const made = await Server.launch(
        temporaryFolder(),
        ['--database', url, '--admin-email', adminEmail, '--admin-password', password],
        {},
    );
    await made.stop();
    const second = await assertRefused(
        77,
        /GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk$/m,
        asClerk,
        '--database-unsafe',
    );
    psql(owner, grantOf(second));
    const server = await Server.launch(made.folder, ['--database', asClerk], {});
    try {
        assert.equal((await server.call('GET', '/readyz')).status, 200);
        await server.token();
    } finally {
        await server.stop();
    }
});

// Starts PgBouncer before the server of a database, which it reaches as the role roster. The URL by which it is reached.
async function startPooler(url, mode) {
    const folder = temporaryFolder(),
        { pathname } = new URL(url);
    chmodSync(folder, 0o777); // it refuses to run as root
    writeFileSync(
        join(folder, 'pgbouncer.ini'),
        `[databases]
        * = host=${folderOf(url)} port=5432 user=roster
        [pgbouncer]
        listen_addr =
        listen_port = 6432
        unix_socket_dir = ${folder}
        auth_type = any
        pool_mode = ${mode}
        `.replace(/^ +/gm, ''),
    );
    const owner = ['--reuid=postgres', '--regid=postgres', '--clear-groups'];
    const child = spawn(
        'setpriv',
        [
            ...(process.getuid() === 0 ? owner : []),
            '--pdeathsig=KILL',
            '/usr/sbin/pgbouncer',
            join(folder, 'pgbouncer.ini'),
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    after(() => child.kill('SIGKILL'));
    let said = '';
    child.stderr.on('data', (bytes) => {
        said += bytes;
    });
    await until('PgBouncer listens', () => {
        assert.equal(child.exitCode, null, said);
        return existsSync(join(folder, '.s.PGSQL.6432'));
    });
    return `postgresql://${pathname}?host=${folder}&port=6432&user=roster`;
}

// PgBouncer has clients talk to a process of which they know nothing, and takes no `options`, by which a URL chooses a schema.
for (const mode of ['transaction', 'session', 'statement'])
    test(`PgBouncer in the mode ${mode}: 78, and what to do instead`, async () => {
        const url = await startPooler(await newDatabase(), mode);
        for (const one of [url, `${url}&options=-csearch_path%3Dpublic`])
            await assertRefused(
                78,
                /a pooler such as PgBouncer, which Roster cannot use; name the database server itself/,
                one,
                '--database-unsafe',
            );
    });

// ---- Messages in another language ----

// A server that refuses each connection with an error of this code, in German.
async function startGerman(code, message) {
    const fields = ['SFATAL', 'VFATAL', `C${code}`, `M${message}`]
        .map((field) => `${field}\0`)
        .join('');
    const body = Buffer.from(`${fields}\0`);
    const head = Buffer.alloc(5);
    head.write('E');
    head.writeInt32BE(body.length + 4, 1);
    const listener = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(Buffer.concat([head, body])));
    });
    after(() => listener.close());
    await new Promise((resolve) => {
        listener.listen(0, '127.0.0.1', resolve);
    });
    return `postgresql://127.0.0.1:${listener.address().port}/roster?sslmode=disable`;
}

test('a refusal in another language: 78, or 69 if it may pass', async () => {
    const refusals = [
        ['3D000', 'Datenbank »roster« existiert nicht', 78],
        ['28P01', 'Passwort-Authentifizierung für Benutzer »roster« fehlgeschlagen', 78],
        ['08P01', 'nicht unterstützter Startparameter: options', 78],
        ['28000', 'kein pg_hba.conf-Eintrag für Host »127.0.0.1«', 78],
        ['57P03', 'das Datenbanksystem startet', 69],
        ['53300', 'tut mir leid, schon zu viele Verbindungen', 69],
    ];
    await Promise.all(
        refusals.map(async ([code, message, wanted]) => {
            const { code: ended, stderr } = await start(await startGerman(code, message));
            assert.equal(ended, wanted, stderr);
            assert.ok(stderr.includes(message), stderr);
            assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
        }),
    );
});

// ---- A server that runs ----

const connections = 'SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity';
const cut = (name) => psql(root, `${connections} WHERE usename = '${name}'`);
const statusOf = async (server, method, body) => {
    const { status, headers, text } = await server.call(method, `/api/sys/users/${userId}`, {
        token: await server.admin(),
        body,
    });
    if (status === 503) assert.ok(Number(headers.get('retry-after')) > 0, text);
    return status;
};

// Each is undone while the server runs.
async function assertReturns(server, spoil, repair) {
    const both = async (name) => [
        await statusOf(server, 'GET'),
        await statusOf(server, 'PATCH', { SystemId: name }),
    ];
    assert.deepEqual(await both('before'), [200, 200]);
    spoil();
    try {
        cut('roster');
        assert.deepEqual(await both('meanwhile'), [503, 503]);
    } finally {
        repair();
    }
    await until('service returns', async () => (await both('after')).every((one) => one === 200));
}

test('a role that may no longer connect: 503, and service returns by itself', async () => {
    const server = await Server.start(['--database-timeout', '1']);
    await assertReturns(
        server,
        () => psql(root, 'ALTER ROLE roster NOLOGIN'),
        () => psql(root, 'ALTER ROLE roster LOGIN'),
    );
});

test('a clock that jumps by an hour: 503 from new connections on, and service returns by itself', async () => {
    const clock = new Faults(),
        faulty = join(dirname(binary), 'rosterd-faulty');
    const server = await Server.start(['--database-timeout', '1']);
    await server.stop();
    Object.assign(server, { program: faulty, env: { ...server.env, ...clock.env } });
    await server.spawn();
    await assertReturns(
        server,
        () => clock.setClock(3600 * 1000),
        () => clock.setClock(0),
    );
    assert.match(
        server.stderr,
        /the clocks of this machine and of the database server differ by -3600 s/,
    );
});
