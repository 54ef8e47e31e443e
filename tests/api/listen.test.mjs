// Where the server listens: several addresses at once, and socket files that come and go with it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { TlsServer, ask, makeCertificate } from '../lib/tls.mjs';
import { userId } from '../lib/ids.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const folder = temporaryFolder(),
    [usage, unavailable] = [64, 69];
const hasIpv6 = Object.values(networkInterfaces())
    .flat()
    .some(({ address }) => address === '::1');
let files = 0;
const fresh = () => join(folder, `${++files}.sock`);
const listen = (...addresses) => [
    '--demo',
    ...addresses.flatMap((address) => ['--listen', address]),
];

// Where a printed URL leads.
function whereIs(url) {
    if (url.startsWith('unix:')) return { socketPath: url.slice(5) };
    const { hostname, port } = new URL(url);
    return { host: hostname.replace(/[[\]]/g, ''), port };
}
async function assertAllAnswer(server, ca) {
    for (const url of server.urls) {
        const reply = await ask({
            ...whereIs(url),
            ca: url.startsWith('https') ? ca : undefined,
            servername: 'localhost',
            path: '/api/sys/users/5',
        });
        assert.equal(reply.status, 401, url);
    }
}
async function assertRefused(args, code, says, env) {
    const result = await run(args, env);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
    assert.match(result.stderr, /^rosterd: [^\n]+\n$/);
    assert.equal(result.stdout, '');
}

test('each address is printed, with its port, and answers', async () => {
    const socket = fresh(),
        more = hasIpv6 ? ['[::1]:0'] : [];
    const server = await Server.start(
        listen('127.0.0.1:0', '127.0.0.1:0, 127.0.0.2:0', `unix:${socket}`, 'localhost:0', ...more),
    );
    const { urls } = server,
        of = (pattern) => urls.filter((url) => pattern.test(url)).length;
    assert.equal(of(/^http:\/\/127\.0\.0\.2:[1-9]\d+$/), 1);
    assert.ok(of(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/) >= 2);
    assert.ok(
        of(/^http:\/\/(127\.0\.0\.1|\[::1\]):[1-9]\d+$/) >= 3 + more.length,
        'all that localhost is',
    );
    assert.equal(of(/^unix:/), 1);
    assert.ok(urls.includes(`unix:${socket}`));
    assert.equal(new Set(urls).size, urls.length);
    await assertAllAnswer(server);
    const body = JSON.stringify(required(await server.get(userId)));
    const put = await ask({
        socketPath: socket,
        method: 'PUT',
        path: '/api/sys/users',
        body: body + ' '.repeat(1024 * 1024 - body.length),
        headers: {
            Authorization: `Bearer ${await server.admin()}`,
            'Content-Type': 'application/json',
        },
    });
    assert.equal(put.status, 200, 'a long body by a UNIX socket');
});

test('with certificates too: HTTPS first, UNIX sockets in clear', async () => {
    const own = await makeCertificate(folder, 'own');
    const server = await TlsServer.start(own, [
        ...listen(`unix:${fresh()}`, '127.0.0.1:0', '127.0.0.2:0'),
        '--redirect-listen',
        '127.0.0.1:0,127.0.0.2:0',
    ]);
    assert.deepEqual(
        server.urls.map((url) => url.replace(/:\d+$/, '')),
        [
            'https://127.0.0.1',
            'https://127.0.0.2',
            server.urls[2],
            'http://127.0.0.1',
            'http://127.0.0.2',
        ],
    );
    server.urls.splice(3);
    await assertAllAnswer(
        { urls: server.urls.filter((url) => !url.includes('127.0.0.2')) },
        own.pem,
    );
    await assert.rejects(ask({ ...whereIs(server.urls[1]), ca: own.pem }), {
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
});

test('[::] takes IPv4 too, so that 0.0.0.0 beside it is the same port twice', async () => {
    if (!hasIpv6) return;
    const server = await Server.start(['--demo-public', ...listen('[::]:0')]);
    for (const host of ['127.0.0.1', '::1'])
        assert.equal((await ask({ host, port: server.port })).status, 200);
    await assertRefused(
        ['--demo-public', ...listen(`0.0.0.0:${server.port}`)],
        unavailable,
        /already in use/,
    );
});

test('a hundred addresses are served as one is', async () => {
    const sockets = Array.from({ length: 100 }, () => `unix:${fresh()}`);
    const server = await Server.start(listen(sockets.join(',')));
    await until('all lines', () => server.urls.length === sockets.length);
    assert.deepEqual(server.urls, sockets);
    await assertAllAnswer(server);
});

test('the demo shows how to ask the first address that is none of a UNIX socket', async () => {
    const server = await Server.start(listen(`unix:${fresh()}`, '127.0.0.1:0'));
    assert.match(server.urls[0], /^unix:/);
    assert.match(server.stdout, /^Try it:$/m);
    assert.equal(server.stdout.split(`curl -s ${server.urls[1]}/api/token`).length, 2);
    const alone = await Server.start(listen(`unix:${fresh()}`));
    assert.doesNotMatch(alone.stdout, /Try it/);
});

test('a socket file has the mode and the group that were asked for', async () => {
    const modes = [
        [[], 0o660],
        [['--unix-mode', '0600'], 0o600],
        [['--unix-mode', '777'], 0o777],
        [['--unix-mode', '0000'], 0],
    ];
    for (const [args, mode] of modes) {
        const socket = fresh();
        await Server.start([...listen(`unix:${socket}`), ...args]);
        assert.equal(lstatSync(socket).mode & 0o777, mode, args.join(' '));
    }
    const group =
        process.getuid() === 0
            ? 'daemon'
            : execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
    const [, , number] = execFileSync('getent', ['group', group], { encoding: 'utf8' }).split(':');
    for (const wanted of [group, number]) {
        const socket = fresh();
        await Server.start([...listen(`unix:${socket}`), '--unix-group', wanted]);
        assert.equal(lstatSync(socket).gid, Number(number));
    }
    await assertRefused(
        [...listen(`unix:${fresh()}`), '--unix-group', 'no-such-group'],
        usage,
        /--unix-group no-such-group: there is no such group/,
    );
    assert.ok(!existsSync(join(folder, `${files}.sock`)));
});

test('the file of a server that was killed is replaced, that of one that lives is not', async () => {
    const socket = fresh(),
        address = `unix:${socket}`;
    const server = await Server.start(listen(address));
    const { ino } = lstatSync(socket);
    await assertRefused(listen(address), unavailable, /address already in use/);
    assert.equal(lstatSync(socket).ino, ino);
    await assertAllAnswer(server);
    await server.stop('SIGKILL');
    assert.ok(lstatSync(socket).isSocket());
    await server.spawn();
    await assertAllAnswer(server);
    await server.stop();
    assert.ok(!existsSync(socket), 'it goes with its server');
});

test('a file that is no socket is left alone', async () => {
    const path = join(folder, 'precious');
    writeFileSync(path, 'precious');
    await assertRefused(listen(`unix:${path}`), unavailable, /precious: address already in use/);
    assert.equal(readFileSync(path, 'utf8'), 'precious');
});

test('a file that took the place of the own one stays at the end', async () => {
    const [socket, replaced, gone] = [fresh(), fresh(), fresh()];
    const server = await Server.start(listen(`unix:${socket}`, `unix:${replaced}`, `unix:${gone}`));
    renameSync(socket, `${socket}.old`); // another server binds the name
    const other = net.createServer().listen(socket);
    await new Promise((resolve) => {
        other.once('listening', resolve);
    });
    rmSync(replaced);
    writeFileSync(replaced, 'mine');
    rmSync(gone);
    await server.stop();
    assert.ok(lstatSync(socket).isSocket());
    assert.equal(readFileSync(replaced, 'utf8'), 'mine');
    await new Promise((resolve) => {
        other.close(resolve);
    });
});

test('a start that fails leaves no socket file behind, and no data folder', async () => {
    const socket = fresh(),
        data = join(folder, 'never'),
        taken = await Server.start();
    await assertRefused(
        [...listen(`unix:${socket}`, `127.0.0.1:${taken.port}`), '--data', data],
        unavailable,
        /already in use/,
    );
    await assertRefused(
        [...listen(`unix:${socket}`), '--data', data, '--proxy-protocol', 'x'],
        usage,
        /--proxy-protocol/,
    );
    await assertRefused(
        [...listen(`unix:${socket}`), '--data', join(taken.folder, 'data')],
        75,
        /in use by another rosterd/,
    );
    assert.ok(!existsSync(socket));
    assert.ok(!existsSync(data));
});

test('the same address twice, or one that cannot be had, is refused', async () => {
    const socket = fresh(),
        server = await Server.start();
    const free = await new Promise((resolve) => {
        const probe = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });
    await assertRefused(
        listen(`127.0.0.1:${free}`, `127.0.0.1:${free}`),
        unavailable,
        /--listen \S+: address already in use; choose another address/,
    );
    await assertRefused(listen(`unix:${socket},unix:${socket}`), unavailable, /already in use/);
    assert.ok(!existsSync(socket));
    await assertRefused(listen(`127.0.0.1:${server.port}`), unavailable, /already in use/);
    await assertRefused(
        listen(`unix:${join(folder, 'nowhere', 'x.sock')}`),
        unavailable,
        /No such file or directory/,
    );
    await assertRefused(
        ['--demo-public', ...listen('192.0.2.77:0')],
        unavailable,
        /192\.0\.2\.77:0: Cannot assign/,
    );
    await assertRefused(
        ['--demo-public', ...listen('no-such-name.invalid:0')],
        unavailable,
        /no-such-name\.invalid:0: /,
    );
    for (const wrong of [
        '',
        'unix:',
        `unix:/${'x'.repeat(120)}`,
        'x'.repeat(400),
        '127.0.0.1',
        '127.0.0.1:',
        ':80',
        '127.0.0.1:65536',
        '127.0.0.1:-1',
        '127.0.0.1:http',
        '::1:80',
        '[::1]',
    ])
        await assertRefused(
            ['--demo-public', ...listen(wrong)],
            usage,
            /--listen.*(must be like|names no address)/,
        );
});

test('addresses of one source add up, and a flag beats the environment, which beats the file', async () => {
    const address = Object.fromEntries([...'abcdefg'].map((name) => [name, `unix:${fresh()}`]));
    const config = join(folder, 'roster.conf');
    writeFileSync(config, `listen = ${address.a}\nlisten = ${address.b}, ${address.c}\n`);
    const urls = async (args, env) => {
        const server = new Server();
        server.args = ['--demo', ...args];
        server.env = { ...process.env, ...env };
        await server.spawn();
        await assertAllAnswer(server);
        await server.stop();
        return server.urls;
    };
    const { a, b, c, d, e, f, g } = address;
    assert.deepEqual(await urls(['--config', config], {}), [a, b, c]);
    assert.deepEqual(await urls([], { ROSTER_CONFIG: config, ROSTER_LISTEN: `${d},${e}` }), [d, e]);
    assert.deepEqual(
        await urls(['--config', config, '--listen', f, '--listen', g], { ROSTER_LISTEN: d }),
        [f, g],
    );
    assert.deepEqual(await urls(['--config', config, '--listen', `${f},${g}`], {}), [f, g]);
});
