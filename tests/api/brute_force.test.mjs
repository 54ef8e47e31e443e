// Guessing passwords: of one account from everywhere, and of all accounts from one place.
import test from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { staff } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, totp } from '../lib/users.mjs';
import { totpStep } from '../lib/wait.mjs';

// A sign-in over a connection of its own (or of an agent's), from one of this machine's addresses.
function signIn(server, from, username, secret, path = '/api/token', agent = false, more = {}) {
    const body =
        path === '/api/token'
            ? new URLSearchParams({
                  grant_type: 'password',
                  username,
                  password: secret,
                  ...more,
              }).toString()
            : path === '/api/sys/users/token'
              ? JSON.stringify({ email: username, password: secret })
              : '';
    const type = path === '/api/token' ? 'application/x-www-form-urlencoded' : 'application/json';
    const headers = body
        ? { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }
        : { Authorization: `Basic ${btoa(`${username}:${secret}`)}` };
    return new Promise((resolve, reject) => {
        const request = http.request(
            {
                host: server.host,
                port: server.port,
                localAddress: from,
                agent,
                method: body ? 'POST' : 'GET',
                path,
                headers,
            },
            (response) => {
                let text = '';
                response.on('data', (part) => {
                    text += part;
                });
                response.on('end', () =>
                    resolve({
                        status: response.statusCode,
                        headers: response.headers,
                        json: JSON.parse(text),
                    }),
                );
            },
        );
        request.on('error', reject);
        request.end(body);
    });
}

// All the ways to try a password, and the status of each for a wrong one.
const doors = { '/api/token': 400, '/api/sys/users/token': 200, '/api/auth/me': 401 };
const isIn = ({ status, json }) => status === 200 && json.Value !== null;

// Sends `count` guesses over 100 kept connections, by all doors. The number of refusals, and how
// often the server had each result.
async function guess(server, count, from, nameOf, secretOf) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
    let next = 0,
        refused = 0;
    await Promise.all(
        Array.from({ length: 100 }, async () => {
            while (next < count) {
                const number = next++,
                    door = Object.keys(doors)[number % 3];
                const reply = await signIn(
                    server,
                    from,
                    nameOf(number),
                    secretOf(number),
                    door,
                    agent,
                );
                assert.ok(
                    !isIn(reply),
                    `guess ${number} by ${door} got in: ${JSON.stringify(reply.json)}`,
                );
                assert.ok([doors[door], 429].includes(reply.status), `${door}: ${reply.status}`);
                refused += reply.status === 429;
            }
        }),
    );
    agent.destroy();
    return { refused, results: await signIns(server) };
}

async function signIns(server) {
    const { text } = await server.call('GET', '/metrics');
    return Object.fromEntries(
        [...text.matchAll(/^roster_sign_ins_total\{result="(\w+)"\} (\d+)$/gm)].map(
            ([, result, count]) => [result, Number(count)],
        ),
    );
}

test('an address that failed too often has to wait, whoever it tries, and others do not', async () => {
    const server = await Server.start(['--address-attempts', '5', '--lockout-minutes', '60']);
    for (let i = 0; i < 5; i++)
        assert.equal(
            (await signIn(server, '127.0.0.2', `nobody${i}@example.com`, 'wrong')).status,
            400,
        );
    const refused = await signIn(server, '127.0.0.2', adminEmail, password);
    assert.equal(refused.status, 429);
    assert.ok(
        Number(refused.headers['retry-after']) > 1800 &&
            Number(refused.headers['retry-after']) <= 3600,
    );
    assert.equal(
        (await signIn(server, '127.0.0.2', adminEmail, password, '/api/sys/users/token')).status,
        429,
        'by no other door',
    );
    assert.equal((await signIn(server, '127.0.0.3', adminEmail, password)).status, 200);
    for (let i = 0; i < 8; i++)
        await signIn(server, '127.0.0.1', `nobody${i}@example.com`, 'wrong');
    assert.equal(
        (await signIn(server, '127.0.0.1', adminEmail, password)).status,
        200,
        'a proxy on this machine',
    );
});

test('guesses at a locked account count for their address', async () => {
    const server = await Server.start([
        '--demo',
        '--metrics',
        '--address-attempts',
        '5',
        '--lockout-attempts',
        '2',
    ]);
    for (let i = 0; i < 2; i++) await signIn(server, '127.0.0.1', 'editor@example.com', 'wrong');
    for (let i = 0; i < 5; i++)
        assert.equal(
            (await signIn(server, '127.0.0.2', 'editor@example.com', 'wrong')).status,
            400,
        );
    assert.equal((await signIns(server)).locked_out, 5);
    assert.equal((await signIn(server, '127.0.0.2', adminEmail, password)).status, 429);
    assert.equal((await signIn(server, '127.0.0.3', adminEmail, password)).status, 200);
});

test('wrong codes count for their address, a code that is missing does not', async () => {
    const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
        server = await Server.start([
            '--demo',
            '--address-attempts',
            '5',
            '--lockout-attempts',
            '100',
        ]);
    assert.equal((await server.update(staff.editor, { TwoFactorSecret: secret })).status, 200);
    const ask = (more) =>
        signIn(server, '127.0.0.2', 'editor@example.com', password, '/api/token', false, more);
    for (let i = 0; i < 20; i++) assert.equal((await ask({})).json.error, 'two_factor_auth_check');
    const wrong = ['000000', '111111', '222222', '333333'].find((code) =>
        [-2, -1, 0, 1, 2].every((drift) => code !== totp(secret, totpStep() + drift)),
    );
    for (let i = 0; i < 5; i++)
        assert.equal((await ask({ totp: wrong })).json.error, 'two_factor_auth_check');
    assert.equal((await ask({ totp: totp(secret) })).status, 429, 'the right one comes too late');
    assert.equal((await server.get(staff.editor)).InvalidLoginAttempts, 5);
    assert.equal(
        (
            await signIn(server, '127.0.0.3', 'editor@example.com', password, '/api/token', false, {
                totp: totp(secret),
            })
        ).status,
        200,
    );
});

test(
    '1,000 guesses at once from one address: as many are looked at as it may fail, not one more',
    { timeout: 600000 },
    async () => {
        const limit = 20,
            server = await Server.start(['--metrics', '--address-attempts', `${limit}`]);
        const { refused, results } = await guess(
            server,
            1000,
            '127.0.0.2',
            (number) => `nobody${number}@example.com`,
            () => 'wrong',
        );
        assert.equal(results.wrong, limit);
        assert.equal(refused, 1000 - limit);
        const late = await signIn(server, '127.0.0.2', adminEmail, password);
        assert.equal(late.status, 429, 'the right password comes too late');
        assert.ok(Number(late.headers['retry-after']) > 60);
        assert.equal(
            (await signIn(server, '127.0.0.3', adminEmail, password)).status,
            200,
            'others have nothing to do with it',
        );
    },
);

test(
    'right passwords at once are no failures, and others wait only until these are checked',
    { timeout: 600000 },
    async () => {
        const server = await Server.start(['--address-attempts', '2']);
        const replies = await Promise.all(
            Array.from({ length: 20 }, () => signIn(server, '127.0.0.2', adminEmail, password)),
        );
        for (const { status, headers } of replies)
            assert.ok(
                status === 200 || (status === 429 && headers['retry-after'] === '1'),
                `${status} ${headers['retry-after']}`,
            );
        assert.equal((await signIn(server, '127.0.0.2', adminEmail, password)).status, 200);
    },
);

// Each is hashed, so there are no more than the 100 at once and some that follow.
test(
    '250 guesses at once for one account: as many as it may fail are looked at, then not even the right one',
    { timeout: 600000 },
    async () => {
        const limit = 10,
            server = await Server.start(['--metrics', '--lockout-attempts', `${limit}`]);
        await server.admin();
        const before = await signIns(server);
        // The right one is among them, often, but comes too late.
        const count = 250,
            { refused, results } = await guess(
                server,
                count,
                '127.0.0.1',
                () => 'editor@example.com',
                (number) => (number >= 150 && number % 25 < 3 ? password : `guess ${number}`),
            );
        assert.equal(results.wrong, limit);
        assert.equal(results.ok, before.ok);
        assert.equal(results.locked_out, count - limit - refused);
        assert.ok(results.locked_out > 0);
        for (const door of Object.keys(doors))
            assert.equal(
                (await signIn(server, '127.0.0.3', 'editor@example.com', password, door)).status,
                doors[door],
                'locked, from anywhere',
            );
        assert.equal((await server.get(staff.editor)).InvalidLoginAttempts, limit);
        assert.equal(
            (await signIn(server, '127.0.0.1', adminEmail, password)).status,
            200,
            'others are not',
        );
        assert.equal((await server.update(staff.editor, { InvalidLoginAttempts: 0 })).status, 200);
        assert.equal(
            (await signIn(server, '127.0.0.1', 'editor@example.com', password)).status,
            200,
            'until somebody unlocks it',
        );
    },
);
