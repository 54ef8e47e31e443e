// No signal ends a server but those that ask it to stop; one that is to reload does so meanwhile, or says that
// there is nothing to reload. A limit to the size of files is a full disk.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { adminId } from '../lib/ids.mjs';
import { binary, run, Server, testOnSqlite } from '../lib/server.mjs';
import { password, required, userBody } from '../lib/users.mjs';
import { sleep, until } from '../lib/wait.mjs';

const server = await Server.start(['--metrics'], { ROSTER_ADMIN_PASSWORD: password });
const token = await server.token('admin@localhost');

test('SIGHUP, SIGUSR1, SIGUSR2 and SIGXFSZ end neither the server nor a request', async () => {
    const body = required(await server.get(adminId, token)),
        { pid } = server.child;
    let goesOn = true,
        answered = 0;
    const load = Array.from({ length: 4 }, async () => {
        for (; goesOn; answered++)
            assert.equal(
                (await server.put({ ...body, LastHelpVisited: answered }, { token })).status,
                200,
            );
    });
    for (let i = 0; i < 250; i++)
        for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXFSZ']) {
            assert.ok(server.child.kill(signal));
            if (i % 10 === 0) await sleep(1);
        }
    for (const enough = answered + 50; answered < enough; ) await sleep(5);
    goesOn = false;
    await Promise.all(load);
    assert.equal(server.child.pid, pid);
    assert.match(server.stderr, /SIGHUP: reloaded the settings/);
    await server.stop();
    await server.spawn();
});

test('signals that come while it starts do not end it', async () => {
    const ignores = (pid) =>
        parseInt(
            /^SigIgn:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1],
            16,
        ) & 1; // SIGHUP
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXFSZ']) {
        await server.stop();
        const served = server.spawn();
        await until('the program is loaded and ignores SIGHUP', () => ignores(server.child.pid), {
            pause: 1,
        });
        const timer = setInterval(() => server.child.kill(signal), 1);
        await served.finally(() => clearInterval(timer));
    }
});

// Past the limit neither the log nor the database takes anything, so a change that wants more than is left is refused
// while a smaller one, a sign-in, still fits.
testOnSqlite(
    'a file that may not grow further is a full disk: not ready while changes are refused, whatever fits; then served again',
    async () => {
        const limit = (bytes) =>
            execFileSync('prlimit', ['--pid', server.child.pid, `--fsize=${bytes}:unlimited`]);
        const ready = async () => (await server.call('GET', '/readyz')).status;
        const refuses = async () =>
            Number(
                /^roster_store_refuses (\d)$/m.exec((await server.call('GET', '/metrics')).text)[1],
            );
        const signIn = () =>
            server.grant({ grant_type: 'password', username: 'admin@localhost', password });
        let number = 0;
        const create = async () =>
            (
                await server.call('POST', '/api/sys/users', {
                    token,
                    body: userBody({
                        FullName: `User ${number}`,
                        Email: `user${number++}@example.com`,
                        Devices: randomBytes(45000).toString('base64'),
                    }),
                })
            ).status;
        assert.deepEqual([await ready(), await refuses()], [200, 0]);
        limit(256 * 1024);
        let status;
        while ((status = await create()) === 200)
            assert.ok(number < 2000, 'it never grew that far');
        assert.equal(status, 500);
        let fitted = 0;
        for (let i = 0; i < 100; i++) {
            if (i % 20 === 0) fitted += (await signIn()).status === 200;
            if (i % 25 === 0) assert.equal(await create(), 500, `create ${i}`);
            assert.deepEqual([await ready(), await refuses()], [503, 1], `${i}`);
        }
        assert.ok(fitted > 0, 'a sign-in fitted in');
        assert.equal((await server.get(adminId, token)).Email, 'admin@localhost');
        limit('unlimited');
        await until('ready again', async () => (await ready()) === 200);
        assert.equal(await refuses(), 1, 'being asked changes nothing');
        assert.equal(await create(), 200);
        assert.deepEqual([await ready(), await refuses()], [200, 0]);
        assert.deepEqual(readdirSync(`${server.folder}/data`).sort(), [
            'roster.db',
            'roster.db-shm',
            'roster.db-wal',
            'roster.key',
            'roster.sock',
        ]);
        assert.match(server.stderr, /the disk refuses changes: is .*roster\.db full\?/);
        await until('the line in the log', () =>
            /the disk takes changes again/.test(server.stderr),
        );
        const lines = server.stderr
                .split('\n')
                .filter((line) => line.includes('error: database: running')),
            seconds = new Set(lines.map((line) => line.slice(0, 19)));
        assert.ok(
            lines.length > 0 && lines.length <= seconds.size,
            `${lines.length} lines in ${seconds.size} s`,
        );
    },
);

testOnSqlite('a backup that may not grow is refused in a line, and leaves nothing', async () => {
    const { stderr, code } = await run(
        [
            '-c',
            'ulimit -f 64; exec "$0" "$@"',
            binary,
            'backup',
            `${server.folder}/copy.db`,
            '--data',
            `${server.folder}/data`,
        ],
        {},
        'bash',
    );
    assert.equal(code, 74, stderr);
    assert.match(stderr, /^rosterd: the backup cannot be written: .*$/m);
    assert.ok(!existsSync(`${server.folder}/copy.db`));
});
