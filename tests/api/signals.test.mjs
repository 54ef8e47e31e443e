// No signal ends a server but those that ask it to stop; one that is to reload does so meanwhile, or says that
// there is nothing to reload. A limit to the size of files is a full disk.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, binary, password, required, run } from './harness.mjs';

const server = await Server.start([], { ROSTER_ADMIN_PASSWORD: password });
const token = await server.token('admin@localhost');

test('SIGHUP, SIGUSR1, SIGUSR2 and SIGXFSZ end neither the server nor a request', async () => {
    const body = required(await server.get(100000001, token)), { pid } = server.child;
    let goesOn = true, answered = 0;
    const load = Array.from({ length: 4 }, async () => {
        for (; goesOn; answered++)
            assert.equal((await server.put({ ...body, LastHelpVisited: answered }, { token })).status, 200);
    });
    for (let i = 0; i < 250; i++)
        for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXFSZ']) {
            assert.ok(server.child.kill(signal));
            if (i % 10 === 0)
                await sleep(1);
        }
    for (const enough = answered + 50; answered < enough;)
        await sleep(5);
    goesOn = false;
    await Promise.all(load);
    assert.equal(server.child.pid, pid);
    assert.match(server.stderr, /SIGHUP: there are no certificates to read again/);
    await server.stop();
    await server.spawn();
});

test('signals that come while it starts do not end it', async () => {
    const ignores = (pid) => parseInt(/^SigIgn:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1], 16) & 1; // SIGHUP
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXFSZ']) {
        await server.stop();
        const served = server.spawn();
        while (!ignores(server.child.pid)) // a program that is not loaded yet cannot ignore anything
            await sleep(1);
        const timer = setInterval(() => server.child.kill(signal), 1);
        await served.finally(() => clearInterval(timer));
    }
});

test('a file that may not grow further is a full disk: refused, still read, and served again with room', async () => {
    const { pid } = server.child, limit = (bytes) => execFileSync('prlimit', ['--pid', pid, `--fsize=${bytes}:unlimited`]);
    const ready = async () => (await server.call('GET', '/readyz')).status;
    const create = (n) => server.call('POST', '/api/sys/users', { token, body: { FullName: `User ${n}`, Email: `user${n}@example.com`, Language: 1, PasswordSalt: '',
        LastHelpVisited: 0, InvalidLoginAttempts: 0, Devices: 'x'.repeat(20000) } });
    limit(2 * 1024 * 1024);
    let number = 0, reply;
    while ((reply = await create(number)).status === 200)
        assert.ok(++number < 2000, 'it never grew that far');
    assert.equal(reply.status, 500, reply.text);
    assert.equal((await server.get(100000001, token)).Email, 'admin@localhost');
    assert.equal(await ready(), 503);
    limit('unlimited');
    assert.equal((await create(number)).status, 200);
    assert.equal(await ready(), 200);
});

test('a backup that may not grow is refused in a line, and leaves nothing', async () => {
    const { stderr, code } = await run(['-c', 'ulimit -f 64; exec "$0" "$@"', binary, 'backup', `${server.folder}/copy.db`, '--data', `${server.folder}/data`], {}, 'bash');
    assert.equal(code, 74, stderr);
    assert.match(stderr, /^rosterd: the backup cannot be written: .*$/m);
    assert.ok(!existsSync(`${server.folder}/copy.db`));
});
