// SIGHUP: what can be reloaded is, what cannot is named, a file with a mistake changes nothing, and no request fails.
import test from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import { isSampled, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const reloads = Number(process.env.RELOADS ?? (isSampled() ? 20 : 100));
const file = join(temporaryFolder(), 'roster.conf');
const write = (...lines) => writeFileSync(file, `${lines.join('\n')}\n`);
const ends = /SIGHUP: (reloaded the settings|the old settings stay)[^\n]*\n/g;

// A server with the file, and the world of the tests.
async function start(...lines) {
    write(...lines);
    const server = await Server.start([]);
    await server.stop();
    server.args.push('--config', file);
    await server.spawn();
    return server;
}

// SIGHUP; the lines of the log up to its end.
async function reload(server) {
    const before = server.stderr.length;
    server.child.kill('SIGHUP');
    await until('the end of the reload', () => server.stderr.slice(before).match(ends));
    return server.stderr.slice(before);
}

test('each setting that can be reloaded is applied to the running server', async () => {
    const server = await start('address-attempts = 0'),
        token = await server.admin();
    const origin = 'https://app.example.com';
    const allowed = async () =>
        (await server.call('GET', '/healthz', { headers: { Origin: origin } })).headers.get(
            'access-control-allow-origin',
        );
    const metrics = async () => (await server.call('GET', '/metrics')).status;
    assert.deepEqual([await allowed(), await metrics()], [null, 404]);
    write(
        'address-attempts = 0',
        `cors-origins = ${origin}`,
        'metrics = yes',
        'lockout-attempts = 2',
        'request-memory = 16',
    );
    const log = await reload(server);
    for (const name of ['cors-origins', 'metrics', 'lockout-attempts', 'request-memory'])
        assert.match(log, new RegExp(`info: SIGHUP: --${name} has a new value\n`));
    assert.equal(await allowed(), origin);
    assert.match(
        (await server.call('GET', '/metrics')).text,
        /^roster_request_memory_limit_bytes 16777216$/m,
    );
    const signIn = async (secret) =>
        (
            await server.grant({
                grant_type: 'password',
                username: 'lister@example.com',
                password: secret,
            })
        ).status;
    assert.equal(await signIn(password), 200);
    for (let i = 0; i < 2; i++) assert.equal(await signIn('wrong'), 400);
    assert.equal(await signIn(password), 400, 'locked after two');
    write('address-attempts = 0', 'log-level = warning');
    const before = server.stderr.length;
    server.child.kill('SIGHUP');
    await until('metrics are off', async () => (await metrics()) === 404);
    assert.equal(await allowed(), null);
    assert.equal((await server.get(userId, token)).Id, userId);
    write('address-attempts = 0', 'http2 = off');
    server.child.kill('SIGHUP');
    await until('a warning', () => /--http2 has a new value/.test(server.stderr));
    await until('info again', () => /reloaded the settings/.test(server.stderr.slice(before)));
});

test('the lines of requests begin and end with a reload', async () => {
    const server = await start('access-log = no'),
        lines = (event) =>
            [...server.stderr.matchAll(new RegExp(`${event}: .*path=(\\S+)`, 'g'))].map(
                ([, path]) => path,
            );
    const ask = async (path) => (await server.call('GET', path)).status;
    assert.equal(await ask('/before'), 404);
    // The line of a request is due after its reply, so that of the last one may come after the reload.
    assert.equal(await ask('/between'), 404);
    write('access-log = yes');
    assert.match(await reload(server), /--access-log has a new value\n/);
    assert.equal(await ask('/while'), 404);
    await until('a line', () => lines('info: request').includes('/while'));
    write('access-log = no', 'log-slow = 1');
    assert.match(await reload(server), /--log-slow has a new value\n/);
    assert.equal(await ask('/after'), 404);
    assert.equal(
        (await server.grant({ grant_type: 'password', username: adminEmail, password })).status,
        200,
    );
    await until('a slow sign-in', () => lines('warning: slow request').includes('/api/token'));
    write('access-log = yes', 'log-slow = 0');
    await reload(server);
    assert.equal(await ask('/again'), 404);
    await until('a line', () => lines('info: request').includes('/again'));
    assert.deepEqual(
        lines('info: request').filter((path) => path !== '/between'),
        ['/while', '/again'],
    );
});

test('what needs a restart is named, and everything else is taken', async () => {
    const server = await start('metrics = no');
    write('metrics = yes', 'http2 = off', 'io-threads = 3', 'admin-password = not-for-logs');
    const log = await reload(server);
    assert.match(log, /warning: SIGHUP: --http2 has a new value, which needs a restart\n/);
    assert.match(log, /warning: SIGHUP: --io-threads has a new value, which needs a restart\n/);
    assert.doesNotMatch(log, /admin-password|not-for-logs/);
    assert.equal((await server.call('GET', '/metrics')).status, 200);
});

test('a file with a mistake changes nothing, and the log says which', async () => {
    const server = await start('metrics = yes', 'cors-origins = https://a.example');
    for (const mistake of ['metrik = yes', 'lockout-attempts = 0', 'metrics']) {
        write('metrics = no', mistake);
        const log = await reload(server);
        assert.match(log, /^rosterd: .*roster\.conf:2: /m);
        assert.match(log, /error: SIGHUP: the old settings stay in use; the line above says why\n/);
        assert.equal((await server.call('GET', '/metrics')).status, 200);
    }
});

test('in a log of JSON the mistake of a file is JSON, too', async () => {
    const server = await start('log-format = json');
    write('log-format = json', 'metrik = yes');
    const log = await reload(server);
    const messages = log.match(/.+(?=\n)/g).map((line) => JSON.parse(line).message);
    assert.equal(messages.filter((message) => /roster\.conf:2: /.test(message)).length, 1);
});

test('a flag wins over the file after a reload, too', async () => {
    const server = await start('metrics = no');
    await server.stop();
    server.args.push('--metrics');
    await server.spawn();
    write('metrics = no', 'cors-origins = https://a.example');
    const log = await reload(server);
    assert.doesNotMatch(log, /--metrics/);
    assert.equal((await server.call('GET', '/metrics')).status, 200);
});

test(`${reloads} reloads of changed files under load: no request fails`, async () => {
    const server = await start('metrics = yes'),
        token = await server.admin(),
        body = required(await server.get(userId, token));
    let goesOn = true,
        answered = 0;
    const clients = Array.from({ length: 4 }, async () => {
        for (; goesOn; answered++) {
            const { status } = await server.put({ ...body, LastHelpVisited: answered }, { token });
            assert.equal(status, 200);
            assert.equal((await server.call('GET', '/readyz')).status, 200);
        }
    });
    const load = Promise.all(clients);
    for (let i = 0; i < reloads; i++) {
        write(
            'metrics = yes',
            `cors-origins = https://${'abc'[i % 3]}.example`,
            `lockout-attempts = ${10 + (i % 3)}`,
            `request-memory = ${64 + (i % 2)}`,
            `avatar-hosts = ${'xy'[i % 2]}.example`,
            `address-connections = ${1000 + i}`,
        );
        await Promise.race([reload(server), load]);
    }
    const enough = answered + 20;
    await Promise.race([until('more replies', () => answered >= enough), load]);
    goesOn = false;
    await load;
    assert.equal([...server.stderr.matchAll(/reloaded the settings/g)].length, reloads);
    assert.equal(
        (await server.grant({ grant_type: 'password', username: adminEmail, password: 'wrong' }))
            .status,
        400,
    );
});
