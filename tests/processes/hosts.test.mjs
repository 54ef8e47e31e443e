// Several hosts in the URL of a database: the one that was good last is tried first, and one that is dead keeps no connection
// waiting, since the others are tried beside it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import { usePostgres } from '../lib/postgres.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { TcpProxy } from '../lib/tcp_proxy.mjs';
import { until } from '../lib/wait.mjs';

usePostgres();
// Both are this machine, and one listener takes the connections to both, so that these come in one order.
const [first, second] = ['127.0.0.1', '127.0.0.2'];
const origin = await Server.start(),
    proxy = await TcpProxy.start(origin.database),
    url = proxy.url.replace(/127\.0\.0\.1:(\d+)/, `${first}:$1,${second}:$1`),
    token = await origin.admin();

// Looks whether connections to `address` come while one is open to the silent address. Call `has` to know.
function watch(address, silent) {
    let has = false;
    proxy.listener.on('connection', ({ localAddress }) => {
        has ||=
            localAddress === address &&
            proxy.came.some((one) => one.address === silent && !one.closed);
    });
    return () => has;
}

async function start() {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    cpSync(join(origin.folder, 'data', 'roster.key'), join(folder, 'data', 'roster.key'));
    return Server.open(folder, ['--database', url], {});
}
const isServed = async (server) =>
    (await server.call('GET', `/api/sys/users/${userId}`, { token })).status === 200;

proxy.silent.add(first);
const isOverlapped = watch(second, first),
    server = await start();

test('a first host that says nothing is not waited for', async () => {
    assert.ok(isOverlapped(), 'the second was tried while the first was');
    await until('an answer', () => isServed(server));
});

test('when the one that was good says nothing any more, another one serves', async () => {
    const isOverlappedNow = watch(first, second);
    proxy.silent.clear();
    proxy.silent.add(second);
    proxy.cut();
    await until('an answer', () => isServed(server));
    await until('the first is tried while the second is', isOverlappedNow);
});

test('when none says anything, a start says so and ends with 69', async () => {
    proxy.silent.add(first);
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    cpSync(join(origin.folder, 'data', 'roster.key'), join(folder, 'data', 'roster.key'));
    const { code, stderr } = await run([
        ...['--data', join(folder, 'data'), '--listen', '127.0.0.1:0'],
        ...['--database', url, '--database-unsafe', '--database-wait', '1'],
    ]);
    assert.equal(code, 69, stderr);
    assert.match(stderr, /^rosterd: --database: 127\.0\.0\.2 did not answer in time$/m);
});

test('when nothing listens, a start says where it looked, although libpq adds advice in a further line', async () => {
    const { code, stderr } = await run([
        ...['--data', join(temporaryFolder(), 'data'), '--listen', '127.0.0.1:0'],
        ...['--database', 'postgresql://127.0.0.1:1/x', '--database-wait', '0'],
    ]);
    assert.equal(code, 69, stderr);
    assert.match(
        stderr,
        /^rosterd: --database: connection to server at "127\.0\.0\.1", port 1 failed: Connection refused$/m,
    );
});
