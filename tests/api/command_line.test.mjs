// The program: its options, its exit codes, its first start and its end.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import {
    chmodSync,
    existsSync,
    readdirSync,
    readFileSync,
    readlinkSync,
    truncateSync,
    writeFileSync,
} from 'node:fs';
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { adminId, staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, required } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const folder = temporaryFolder();
const data = join(folder, 'data');
const [usage, dataError, noInput, unavailable, cannotCreate, temporary, config] = [
    64, 65, 66, 69, 73, 75, 78,
];

// One line on standard error that begins with the program's name and says what `says` matches.
async function assertRefused(args, code, says, env) {
    const result = await run(args, env);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
    assert.equal(result.stderr.trimEnd().split('\n').length, 1, result.stderr);
    assert.equal(result.stdout, '');
    return result.stderr;
}

test('wrong options are refused in one line', async () => {
    await assertRefused(['--nonsense'], usage, /nonsense/);
    await assertRefused(['surplus'], usage, /surplus/);
    await assertRefused(['--listen'], usage, /listen/);
    await assertRefused(
        ['--token-lifetime', 'x'],
        usage,
        /--token-lifetime must be a whole number from 1 to/,
    );
    await assertRefused(
        ['--token-lifetime', '0'],
        usage,
        /--token-lifetime must be a whole number from 1 to/,
    );
    await assertRefused(
        ['--unix-mode', '0888'],
        usage,
        /--unix-mode must be three or four octal digits, like 0660/,
    );
    await assertRefused(['--http2', 'on'], usage, /--http2 must be one of tls\|clear\|off/);
    await assertRefused(
        ['--compatibility', 'x'],
        usage,
        /--compatibility must be one of roster\|nexudus/,
    );
    await assertRefused(['--listen', '', '--data', data], usage, /--listen names no address/);
    await assertRefused(['--listen', 'nowhere', '--data', data], usage, /nowhere.*must be like/);
    await assertRefused(['--database', 'x'], usage, /--database must be sqlite, or a URL that/);
    await assertRefused(
        ['--database', 'postgresql://db/roster', '--demo'],
        usage,
        /--database with --demo needs --data/,
    );
    await assertRefused([], usage, /ROSTER_LISEN: no such setting; the nearest is ROSTER_LISTEN/, {
        ROSTER_LISEN: 'x',
    });
    await assertRefused(
        [],
        usage,
        /ROSTER_IO_THREAD: no such setting; the nearest is ROSTER_IO_THREADS/,
        { ROSTER_IO_THREAD: '1' },
    );
    await assertRefused(
        [],
        usage,
        /ROSTER_TOKEN_LIFE: no such setting; the nearest is ROSTER_TOKEN_LIFETIME/,
        { ROSTER_TOKEN_LIFE: '1' },
    );
    await assertRefused([], usage, /ROSTER_IO_THREADS must be a whole number/, {
        ROSTER_IO_THREADS: 'two',
    });
    await assertRefused([], usage, /ROSTER_ADMIN_PASSWORD: --admin-password must have/, {
        ROSTER_ADMIN_PASSWORD: 'password',
    });
});

test('each mistake in the options is named with the nearest one, and no value is shown', async () => {
    for (const [args, ...says] of [
        [['--lissten=hidden'], '--lissten is no option; the nearest is --listen'],
        [['--lissten', 'hidden'], '--lissten is no option; the nearest is --listen'],
        [
            ['--admin-passwrd=hidden'],
            '--admin-passwrd is no option; the nearest is --admin-password',
        ],
        [['backup', '--kep', '3'], '--kep is no option; the nearest is --keep'],
        [['--metrics=hidden'], '--metrics takes no value; the opposite is --no-metrics'],
        [['--json=hidden'], '--json takes no value'],
        [['--ad=hidden'], /^--ad is short for several options, such as --ad[a-z-]+$/],
        [['--he', 'hidden'], '--he is short for several options, such as --head-timeout'],
        [['--data'], '--data needs a value: DIR'],
        [['-phidden'], /^-p is no option; options begin with --/],
        [['-d', 'hidden'], /^-d is no option; options begin with --/],
        [
            ['--lissten', 'hidden', '--http2=on', '--metrics=hidden', '--data'],
            '--lissten is no option; the nearest is --listen',
            '--metrics takes no value; the opposite is --no-metrics',
            '--data needs a value: DIR',
            '--http2 must be one of tls|clear|off',
        ],
    ]) {
        const { code, stdout, stderr } = await run(args);
        assert.deepEqual([code, stdout], [usage, ''], stderr);
        const lines = stderr.trimEnd().split('\n');
        assert.equal(lines.length, says.length, stderr);
        for (const [i, line] of lines.entries())
            if (says[i] instanceof RegExp) assert.match(line.replace('rosterd: ', ''), says[i]);
            else assert.equal(line, `rosterd: ${says[i]}`);
        assert.ok(!stderr.includes('hidden'), stderr);
    }
    for (const args of [['--vers'], ['-V'], ['--log-lev', 'debug', '--version', '--wrong'], ['-?']])
        assert.equal((await run(args)).code, 0, args.join(' '));
});

test('a password in the URL of the database is refused, wherever it stands, and not shown', async () => {
    const url = 'postgresql://roster:hidden@db/roster',
        file = join(folder, 'database.conf');
    writeFileSync(file, `database = ${url}\n`);
    const says = / must have no password.* PGPASSFILE .*service file/;
    for (const [args, env, code, source] of [
        [['--database', url], {}, usage, '--database'],
        [['--database', 'postgresql://db/?password=hidden'], {}, usage, '--database'],
        [[], { ROSTER_DATABASE: url }, usage, 'ROSTER_DATABASE'],
        [['--config', file], {}, config, `${file}:1: database`],
    ]) {
        const stderr = await assertRefused(args, code, says, env);
        assert.ok(stderr.includes(`${source} must`), stderr);
        assert.ok(!stderr.includes('hidden'), stderr);
    }
});

test('--help lists the settings, --version the build and what is in it', async () => {
    const help = await run(['--help']);
    assert.equal(help.code, 0);
    for (const option of [
        '--data',
        '--listen',
        '--config',
        '--database',
        '--demo',
        '--demo-public',
        '--compatibility',
    ])
        assert.ok(help.stdout.includes(option), option);
    const version = await run(['--version']);
    const [build, licence, , ...libraries] = version.stdout.trimEnd().split('\n');
    assert.match(build, /^rosterd \d+\.\d+\.\d+ \(gcc .*\)$/);
    assert.equal(licence, 'Licence: Apache-2.0');
    for (const line of libraries) assert.match(line, /^ {2}\w+ \d\S* \([\w.+ -]+\)$/);
});

test('--version names each library that the program is linked with', async () => {
    const plain = (name) => name.replace(/^lib|\d*(?:\.so.*)?$/g, '');
    const parts = { c: 'glibc', m: 'glibc', crypt: 'xcrypt', crypto: 'openssl', ssl: 'openssl' }; // of what has another name
    const { stdout } = await run(['--version']);
    const named = [...stdout.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => plain(name));
    const dynamic = execFileSync('readelf', ['--dynamic', binary], { encoding: 'utf8' });
    const linked = [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)]
        .map(([, file]) => plain(file))
        .filter((name) => !/^ld-linux|^(a|t|ub)san$/.test(name)); // the loader, which is glibc's, and a sanitizer's
    assert.ok(linked.length > 10, dynamic);
    assert.deepEqual(
        linked.map((name) => parts[name] ?? name).filter((name) => !named.includes(name)),
        [],
    );
});

test('flag beats environment beats file beats default', async () => {
    const file = join(folder, 'roster.conf');
    writeFileSync(file, 'token-lifetime = 100\nlog-level = warning\nbasic = false\n');
    const lifetime = async (args, env) => {
        const server = await Server.start(['--demo', ...args], env);
        return (
            await server.grant({
                grant_type: 'password',
                username: adminEmail,
                password: 'demo-password',
            })
        ).json.expires_in;
    };
    assert.equal(await lifetime([], {}), 604799);
    assert.equal(await lifetime(['--config', file], {}), 100);
    assert.equal(await lifetime([], { ROSTER_CONFIG: file, ROSTER_TOKEN_LIFETIME: '200' }), 200);
    assert.equal(
        await lifetime(['--config', file, '--token-lifetime', '300'], {
            ROSTER_TOKEN_LIFETIME: '200',
        }),
        300,
    );
});

test('a wrong file is refused in one line', async () => {
    const file = join(folder, 'wrong.conf');
    await assertRefused(
        ['--config', join(folder, 'missing.conf')],
        noInput,
        /missing.conf cannot be read/,
    );
    for (const [text, says] of [
        ['\nlisen = x\n', /wrong.conf:2: lisen is not a setting; the nearest is listen/],
        ['metrics = on\n', /wrong.conf:1: metrics must be true or false/],
        ['io_threads = 1\n', /io_threads is not a setting; the nearest is io-threads/],
        ['[server]\nlisten = x\n', /is in a section/],
        ['unix-group = a\nunix-group = b\n', /is set twice/],
        ['token-lifetime = long\n', /must be a whole number/],
        ['listen\n', /wrong.conf:1/],
    ]) {
        writeFileSync(file, text);
        await assertRefused(['--config', file], config, says);
    }
});

test('a password in the file of settings is all that stands behind the equals sign', async () => {
    const file = join(folder, 'password.conf'),
        secret = 'Correct horse ;battery staple';
    writeFileSync(file, `admin-password = ${secret}\n`);
    const server = await Server.start(['--config', file]);
    assert.ok(await server.token('admin@localhost', secret));
    assert.equal(
        (
            await server.grant({
                grant_type: 'password',
                username: 'admin@localhost',
                password: 'Correct horse',
            })
        ).status,
        400,
    );
});

test('variables that Kubernetes makes for a service called roster are no settings, for a server or a command', async () => {
    const env = {
        ROSTER_PORT: 'tcp://10.0.0.1:8080',
        ROSTER_PORT_8080_TCP_ADDR: '10.0.0.1',
        ROSTER_SERVICE_HOST: '10.0.0.1',
        ROSTER_SERVICE_PORT_HTTP: '8080',
    };
    const server = await Server.start([], env);
    assert.equal((await server.call('GET', '/readyz')).status, 200);
    assert.deepEqual(await run(['check', '--data', join(server.folder, 'data')], env), {
        code: 0,
        stdout: '',
        stderr: '',
    });
});

test('--demo refuses an address that other machines can reach, unless --demo-public is given', async () => {
    await assertRefused(['--demo', '--listen', '0.0.0.0:0'], usage, /--demo-public/);
    await assertRefused(
        ['--demo', '--listen', '127.0.0.1:0, 0.0.0.0:0'],
        usage,
        /--listen 0\.0\.0\.0:0 with --demo would.*--demo-public/,
    );
    await assertRefused(
        ['--demo', '--listen', '[::1]:0', '--listen', '[::]:0'],
        usage,
        /--listen \[::\]:0 with --demo would/,
    );
    const server = await Server.start(['--demo', '--listen', '0.0.0.0:0', '--demo-public']);
    assert.match(server.url, /^http:\/\/0\.0\.0\.0:\d+$/);
});

test('an unwritable folder, a port in use, a folder in use: one line each', async () => {
    const server = await Server.start();
    await assertRefused(
        ['--demo', '--listen', `127.0.0.1:${server.port}`],
        unavailable,
        /already in use/,
    );
    await assertRefused(
        ['--data', join(server.folder, 'data'), '--listen', '127.0.0.1:0'],
        temporary,
        /in use by another rosterd/,
    );
    writeFileSync(join(folder, 'a-file'), '');
    await assertRefused(
        ['--data', join(folder, 'a-file', 'x'), '--listen', '127.0.0.1:0'],
        cannotCreate,
        /a-file/,
    );
    await assertRefused(
        ['--data', join(folder, 'a-file'), '--listen', '127.0.0.1:0'],
        cannotCreate,
        /a-file/,
    );
});

test('a database of a newer version, or a changed one, is refused and left alone', async () => {
    const server = await Server.start();
    await server.stop();
    const path = join(server.folder, 'data'),
        database = join(path, 'roster.db');
    const version = execFileSync('sqlite3', [database, 'PRAGMA user_version'], {
        encoding: 'utf8',
    }).trim();
    execFileSync('sqlite3', [database, 'PRAGMA user_version = 9999']);
    await assertRefused(
        ['--data', path, '--listen', '127.0.0.1:0'],
        config,
        /made by a newer version/,
    );
    assert.equal(
        execFileSync('sqlite3', [database, 'PRAGMA user_version'], { encoding: 'utf8' }).trim(),
        '9999',
    );
    execFileSync('sqlite3', [
        database,
        `PRAGMA user_version = ${version}; ALTER TABLE users RENAME COLUMN FullName TO Called`,
    ]);
    await assertRefused(['--data', path, '--listen', '127.0.0.1:0'], dataError, /users\.FullName/);
});

test('root is refused with a way out, but for the demo; others are not', async () => {
    if (process.getuid() === 0)
        await assertRefused(
            ['--data', join(temporaryFolder(), 'data'), '--listen', '127.0.0.1:0'],
            usage,
            /^rosterd: rosterd needs no root privileges: .*--allow-root$/m,
            { ROSTER_ALLOW_ROOT: 'no' },
        );
    else await Server.start([], { ROSTER_ALLOW_ROOT: 'no' });
    const demo = await Server.start(['--demo'], { ROSTER_ALLOW_ROOT: 'no' });
    assert.equal((await demo.call('GET', '/healthz')).status, 200);
});

test('a setting that was renamed ends the start with its name of today', async () => {
    for (const [flag, now] of [
        ['--sandbox', '--seccomp'],
        ['--no-sandbox', '--no-seccomp'],
    ])
        await assertRefused(
            ['--data', join(temporaryFolder(), 'data'), flag],
            usage,
            new RegExp(`^rosterd: ${flag} is now called ${now}$`, 'm'),
        );
    await assertRefused(
        ['--data', join(temporaryFolder(), 'data')],
        usage,
        /^rosterd: ROSTER_SANDBOX: no such setting; the nearest is ROSTER_SECCOMP /m,
        { ROSTER_SANDBOX: 'no' },
    );
});

test('a server gives up the system calls that it has no use for', async () => {
    const status = (server) =>
        Object.fromEntries(
            readFileSync(`/proc/${server.child.pid}/status`, 'utf8')
                .split('\n')
                .map((line) => line.split(':\t')),
        );
    const bare = await Server.start(['--demo', '--no-seccomp']);
    assert.equal(status(bare).Seccomp, '0');
    if (process.env.ROSTER_SECCOMP === 'no') return; // the sanitizers' builds, of which the one before was true as well
    const server = await Server.start();
    assert.equal(status(server).Seccomp, '2');
    assert.equal(status(server).NoNewPrivs, '1');
    for (const thread of readdirSync(`/proc/${server.child.pid}/task`))
        assert.match(
            readFileSync(`/proc/${server.child.pid}/task/${thread}/status`, 'utf8'),
            /Seccomp:\t2/,
            'each thread',
        );
});

test('a lost or open key file stops the start in one line', async () => {
    const server = await Server.start();
    await server.stop();
    const path = join(server.folder, 'data'),
        key = join(path, 'roster.key');
    chmodSync(key, 0o644);
    await assertRefused(['--data', path, '--listen', '127.0.0.1:0'], noInput, /chmod 600/);
    execFileSync('rm', [key]);
    await assertRefused(['--data', path, '--listen', '127.0.0.1:0'], noInput, /roster\.key/);
});

test('the first administrator has the address and the password of the environment', async () => {
    const server = await Server.start([], {
        ROSTER_ADMIN_EMAIL: 'boss@example.org',
        ROSTER_ADMIN_PASSWORD: 'bosses-own-word',
    });
    const token = await server.token('boss@example.org', 'bosses-own-word');
    const boss = await server.get(adminId, token);
    assert.equal(boss.Email, 'boss@example.org');
    assert.equal(boss.IsAdmin, true);
    assertFailure(await server.call('GET', `/api/sys/users/${userId}`, { token }), 404);
    await server.restart();
    assert.equal((await server.token('boss@example.org', 'bosses-own-word')).length, 43);
});

test('the address of the first administrator is checked and stored as addresses in requests are', async () => {
    for (const [given, kept] of [
        ['jose\u0301@example.org', 'josé@example.org'],
        ['"boss"@example.org', 'boss@example.org'],
        [' boss@example.org ', 'boss@example.org'],
    ]) {
        const server = await Server.startNew([
            '--admin-email',
            given,
            '--admin-password',
            'bosses-own-word',
        ]);
        assert.equal(
            (await server.get(adminId, await server.token(kept, 'bosses-own-word'))).Email,
            kept,
        );
    }
    for (const none of [
        'boss',
        'boss\u200b@example.org',
        `${'l'.repeat(64)}@${'d.'.repeat(95)}example`,
    ])
        await assertRefused(
            [
                '--listen',
                '127.0.0.1:0',
                '--data',
                `${temporaryFolder()}/data`,
                '--admin-email',
                none,
            ],
            usage,
            /--admin-email must be an e-mail address/,
        );
});

test('an address alone gives the first administrator a password that is printed once', async () => {
    const server = await Server.startNew(['--admin-email', 'admin@localhost']);
    const [, email, secret] = /first administrator (\S+), password (\S+) \(not shown again\)/.exec(
        server.stdout,
    );
    assert.equal(email, 'admin@localhost');
    assert.equal((await server.token(email, secret)).length, 43);
    await server.restart();
    assert.ok(!server.stdout.includes('password'));
});

test('the demo prints three curl lines that work as they are', async () => {
    const server = await Server.start(['--demo']);
    const lines = server.stdout
        .split('\n')
        .filter((line) => line.startsWith('  '))
        .map((line) => line.trim());
    assert.equal(lines.length, 3);
    const [, put, get] = execFileSync('bash', ['-c', `set -e; ${lines.join('; echo; ')}`], {
        encoding: 'utf8',
    }).split('\n');
    assert.equal(JSON.parse(put).Message, 'User was successfully updated.');
    assert.equal(JSON.parse(get).FullName, 'Ada Lovelace');
});

test('the demo has the same users, ids and values every time', async () => {
    const [one, two] = [await Server.start(['--demo']), await Server.start(['--demo'])];
    for (const id of [userId, staff.reader, 100000139])
        assert.deepEqual(
            await one.get(id, await one.token()),
            await two.get(id, await two.token()),
        );
});

// The target of a descriptor; undefined if the server has closed it since.
function linkOf(descriptor) {
    try {
        return readlinkSync(descriptor);
    } catch (error) {
        assert.equal(error.code, 'ENOENT');
    }
}

test('without --data the demo leaves nothing behind', async () => {
    const server = await Server.start(['--demo']);
    await server.stop();
    server.args = ['--demo', '--listen', '127.0.0.1:0'];
    await server.spawn();
    const open = `/proc/${server.child.pid}/fd`,
        [, folder] = /^(\/tmp\/roster-demo-\w+)\/roster\.db\b/m.exec(
            readdirSync(open)
                .map((fd) => linkOf(join(open, fd)))
                .join('\n'),
        );
    assert.ok(existsSync(folder));
    await server.stop();
    assert.ok(!existsSync(folder));
});

test('SIGTERM lets requests in progress end, and the data is there afterwards', async () => {
    const server = await Server.start();
    const body = required(await server.get(userId));
    const token = await server.admin();
    const replies = Array.from({ length: 20 }, (_, i) =>
        server.put({ ...body, LastHelpVisited: i + 1 }, { token }).catch((error) => error),
    );
    await replies[0];
    await server.stop();
    const done = (await Promise.all(replies)).filter((reply) => reply.status === 200).length;
    assert.ok(done >= 1);
    await server.spawn();
    assert.ok((await server.get(userId, token)).LastHelpVisited >= 1);
});

test('a log file that is copied and truncated goes on from its beginning', async () => {
    const server = await Server.start(),
        token = await server.admin();
    await server.stop();
    server.sql(`UPDATE users SET Members = x'07000001107B' WHERE Id = ${userId}`);
    const log = join(server.folder, 'log');
    const child = spawn(
        'sh',
        ['-c', 'log=$1; shift; exec "$@" 2>>"$log"', 'sh', log, binary, ...server.args],
        { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    after(() => child.kill('SIGKILL'));
    const ended = new Promise((resolve) => {
        child.on('close', resolve);
    });
    const [url] = /http:\S+/.exec(
        await new Promise((resolve) => {
            child.stdout.once('data', (part) => resolve(String(part)));
        }),
    );
    // The log once it is longer than `size`, after one more request that cannot be served.
    const lines = async (size) => {
        const { status } = await fetch(`${url}/api/sys/users/${userId}`, {
            headers: { Authorization: `Bearer ${token}` },
        });
        assert.equal(status, 500);
        return until('a further line', () => {
            const text = readFileSync(log, 'utf8');
            return text.length > size && text;
        });
    };
    await until('the line of the start', () => readFileSync(log, 'utf8').includes('started'));
    const first = await lines(readFileSync(log).length);
    assert.match(first, /^\d{4}-\S+Z error: database: a row/m);
    await lines(first.length);
    truncateSync(log);
    const fresh = await lines(0);
    assert.match(fresh, /^(\d{4}-\S+Z error: [^\0\n]+\n)+$/);
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.ok(readFileSync(log, 'utf8').startsWith(fresh));
});
