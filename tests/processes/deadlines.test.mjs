// A database that hangs, or that somebody else has locked, keeps no request waiting for ever: 503 with Retry-After, or 429
// when too many wait. Service returns by itself.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { userId } from '../lib/ids.mjs';
import { psql, usePostgres } from '../lib/postgres.mjs';
import { Server } from '../lib/server.mjs';
import { folderWithKey, startBehindProxy, TcpProxy } from '../lib/tcp_proxy.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

usePostgres();
const origin = await Server.start(),
    token = await origin.admin();
const { proxy, server } = await startBehindProxy(origin, [
    '--database-timeout',
    '2',
    '--search-limit',
    '1000',
]);

let changes = 0;
const change = () =>
    server.call('PATCH', `/api/sys/users/${userId}`, {
        token,
        body: { SystemId: `hung-${++changes}` },
    });
const search = () => server.call('GET', '/api/sys/users?User_FullName=eade', { token });
const requests = {
    read: () => server.call('GET', `/api/sys/users/${userId}`, { token }),
    search,
    change,
    'sign-in': () => server.grant({ grant_type: 'password', username: adminEmail, password }),
    Basic: () =>
        server.call('GET', '/api/auth/me', {
            headers: { Authorization: `Basic ${btoa(`${adminEmail}:${password}`)}` },
        }),
    'unknown token': () => server.call('GET', '/api/auth/me', { token: 'x'.repeat(token.length) }),
};
const kept = () => origin.get(userId).then(({ SystemId }) => SystemId);

// Sends each request `times` times at once.
async function assertRefused(times) {
    const before = await kept();
    await Promise.all(
        Object.entries(requests).flatMap(([name, ask]) =>
            Array.from({ length: times }, async () => {
                const { status, headers, text } = await ask();
                assert.equal(status, 503, `${name}: ${text}`);
                assert.ok(Number(headers.get('Retry-After')) >= 1, `${name}: Retry-After`);
            }),
        ),
    );
    return before;
}

const isServed = async () => {
    const replies = await Promise.all(Object.values(requests).map((ask) => ask()));
    return replies.every(({ status }) => status === 200 || status === 401);
};

test('a database that hangs: all requests get 503, on old connections and on new ones, and it serves again later', async () => {
    await until('service begins', isServed, { pause: 50 }); // the deadlines are short
    proxy.freeze();
    const before = await assertRefused(1);
    await assertRefused(40).finally(() => proxy.thaw()); // on new connections
    assert.equal(await kept(), before, 'what was refused is not kept');
    await until('service returns', isServed, { pause: 50 });
    const last = changes;
    assert.ok(Number((await kept()).replace('hung-', '')) <= last);
});

test('a database that hangs during requests, and is cut off later', async () => {
    const asked = Array.from({ length: 20 }, () => [requests.read(), search()]).flat();
    proxy.freeze();
    for (const { status } of await Promise.all(asked)) assert.ok(status === 200 || status === 503);
    proxy.thaw();
    proxy.goAway();
    await assertRefused(1).finally(() => proxy.comeBack());
    await until('service returns', isServed, { pause: 50 });
});

test('/readyz is 503 once the database has not answered for long, and 200 when it is back', async () => {
    const ready = async () => (await server.call('GET', '/readyz')).status;
    await until('it is ready', async () => (await ready()) === 200);
    proxy.goAway();
    await until('it is not ready any more', async () => (await ready()) === 503, { pause: 50 });
    proxy.comeBack();
    await until('it is ready again', async () => (await ready()) === 200, { pause: 50 });
    assert.equal((await server.call('GET', '/healthz')).status, 200);
});

const lock = async (database, table) => {
    const locker = spawn('psql', ['-qAtX', '--set=ON_ERROR_STOP=1', `--dbname=${database}`]);
    after(() => locker.kill('SIGKILL'));
    locker.stdin.write(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n`);
    await once(locker.stdout, 'data');
    return locker;
};

const open = (...args) =>
    Server.open(folderWithKey(origin), ['--database', origin.database, ...args], {});

test('a schema that is locked: a start says so, and one that may wait serves when it is free', async () => {
    const locker = await lock(origin.database, 'turn');
    await assert.rejects(
        open('--database-wait', '0'),
        /ended with 69: rosterd: the database is locked by another process, which may be upgrading it/,
    );
    const starting = open();
    const waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FROM turn FOR UPDATE%' AND wait_event_type = 'Lock'";
    await until('it waits for the lock', () => psql(origin.database, waiting) !== '0');
    locker.stdin.end('ROLLBACK;\n');
    const waited = await starting;
    assert.equal((await waited.call('GET', '/readyz')).status, 200);
});

test('a database that falls silent while a start looks at its schema: 69', async () => {
    const silent = await TcpProxy.start(origin.database);
    silent.freezeAt = 'to_regclass';
    await assert.rejects(
        Server.open(folderWithKey(origin), ['--database', silent.url, '--database-wait', '0'], {}),
        /ended with 69: rosterd: the database .*: the database did not answer in time\n$/,
    );
});

// Not even the statements can be prepared, which no request has needed so far.
test('a table that is locked since before the first request: 503, and it serves later', async () => {
    const fresh = await Server.start(['--database-timeout', '2']),
        locker = await lock(fresh.database, 'users');
    const Authorization = `Basic ${btoa(`${adminEmail}:${password}`)}`;
    const ask = (method, body) =>
        fresh.call(method, `/api/sys/users/${userId}`, { headers: { Authorization }, body });
    for (const reply of [await ask('GET'), await ask('PATCH', { SystemId: 'locked' })]) {
        assert.equal(reply.status, 503, reply.text);
        assert.ok(Number(reply.headers.get('Retry-After')) >= 1);
    }
    locker.stdin.end('ROLLBACK;\n');
    await until('it serves', async () => (await ask('GET')).status === 200);
    assert.notEqual((await fresh.get(userId)).SystemId, 'locked');
});

test('searches of a table that is locked: at most 64 wait, further ones get 429, and a change of another table is made', async () => {
    const locker = await lock(origin.database, 'users_texts');
    const replies = [];
    const all = Promise.all(
        Array.from({ length: 100 }, () => search().then((reply) => replies.push(reply))),
    );
    await until('the queue is full', () => replies.some(({ status }) => status === 429));
    const addTeam = () =>
        server.call('POST', '/api/sys/teams', { token, body: { Name: 'Beside the lock' } });
    await until('another table is changed', async () => (await addTeam()).status !== 503);
    locker.stdin.end('ROLLBACK;\n');
    await all;
    const count = (status) => replies.filter((one) => one.status === status).length;
    assert.ok(count(429) >= 1 && count(429) <= 100 - 64, `${count(429)} were refused`);
    assert.equal(count(200) + count(503) + count(429), 100);
    for (const { status, headers } of replies)
        if (status !== 200) assert.ok(Number(headers.get('Retry-After')) >= 1);
    await until('searches are served', async () => (await search()).status === 200);
});
