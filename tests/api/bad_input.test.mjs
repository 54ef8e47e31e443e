// Bad input gets the documented status and envelope. Nothing is stored, the server goes on, and no
// secret is in the log or in a reply.
import test from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { adminId, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { sleep } from '../lib/wait.mjs';

const server = await Server.start(['--idle-timeout', '2', '--metrics']);
const token = await server.admin();
const valid = JSON.stringify(required(await server.get(userId)));
const head = (lines) =>
    `PUT /api/sys/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${lines}`;
const raw = (bytes) => server.raw(bytes); // until the server closes
const readings = async () =>
    Number(
        /^roster_store_readings_total (\d+)$/m.exec((await server.call('GET', '/metrics')).text)[1],
    );
const statuses = (answer) =>
    [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));

// Runs `attack` and sees that the record is as before and the server serves.
async function harmless(attack) {
    const before = await server.get(userId);
    await attack();
    assert.deepEqual(await server.get(userId), before);
    assert.ok(!server.stderr.includes(token));
}

const malformed = {
    'an empty body': ['', /^is empty: a JSON object is required$/],
    blanks: ['  \n', /^is empty/],
    'half an object': ['{\n  "Id": 1,\n  "x', /^is not valid JSON: .* at line 3, column \d+$/],
    'a trailing comma': ['{"Id":1,}', /at line 1, column 8$/],
    'a comment': ['{"Id":1}//', /at line 1, column 9$/],
    'single quotes': ["{'Id':1}", /at line 1, column 2$/],
    'a lone surrogate': ['{"FullName":"\\ud800"}', /^is not valid JSON: .* at line 1/],
    'a swapped surrogate pair': ['{"FullName":"\\udc00\\ud800"}', /^is not valid JSON/],
    'a raw control character': ['{"FullName":"\u0001"}', /^is not valid JSON/],
    NaN: ['{"Id":NaN}', /^is not valid JSON/],
    'an array': ['[{"Id":1}]', /^must be a JSON object$/],
    'a string': ['"Id"', /^must be a JSON object$/],
    null: ['null', /^must be a JSON object$/],
    'two objects': ['{} {}', /^is not valid JSON/],
    '100,000 levels of arrays': [
        `{"x":${'['.repeat(100000)}${']'.repeat(100000)}}`,
        /^is nested more than 64 levels deep$/,
    ],
    '100,000 levels of objects': [
        '{"x":'.repeat(100000) + '1' + '}'.repeat(100000),
        /^is nested more than 64 levels deep$/,
    ],
    '100,000 open brackets': ['['.repeat(100000), /^is nested more than 64 levels deep/],
};
for (const [name, [body, says]] of Object.entries(malformed))
    test(`${name} as the body is 400 on Body`, () =>
        harmless(async () => {
            assertInvalid(await server.put(body), 'Body', says);
        }));

test('invalid UTF-8 is 400 on Body', () =>
    harmless(async () => {
        for (const bytes of [
            [0xff],
            [0xc0, 0xaf],
            [0xed, 0xa0, 0x80],
            [0xf5, 0x80, 0x80, 0x80],
            [0xe2, 0x82],
        ]) {
            const body = Buffer.concat([
                Buffer.from('{"FullName":"'),
                Buffer.from(bytes),
                Buffer.from('"}'),
            ]);
            assertInvalid(await server.put(body), 'Body', /^is not valid JSON/);
        }
    }));

test('a known property twice is refused, also when one of them is null', () =>
    harmless(async () => {
        assertInvalid(
            await server.put(valid.replace('{', '{"FullName":"Other",')),
            'FullName',
            /^is given more than once$/,
        );
        assertInvalid(
            await server.put(valid.replace('}', ',"Active":null,"Active":true}')),
            'Active',
            /^is given more than once$/,
        );
    }));

test('NUL is refused in every string', () =>
    harmless(async () => {
        for (const name of [
            'FullName',
            'Email',
            'PasswordSalt',
            'Devices',
            'NewPassword',
            'Password',
            'AccessToken',
            'TwoFactorSecret',
            'NewAvatarUrl',
            'SystemId',
            'LastAccess',
            'EmailCallBackGuid',
        ])
            assertInvalid(await server.update(userId, { [name]: 'a\u0000bcdefghij' }), name, /./);
    }));

test('1 MiB is taken, 1 MiB and a byte is 413, by length and chunked', () =>
    harmless(async () => {
        const fill = (size) => valid.replace('}', `,"x":"${'y'.repeat(size - valid.length - 7)}"}`);
        const most = fill(1048576);
        assert.equal(most.length, 1048576);
        const { UpdatedOn } = await server.get(userId);
        assertInvalid(
            await server.put(most.replace('"Language":1', '"Language":9')),
            'Language',
            /./,
        );
        for (const answer of [
            await raw(head('Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n')),
            await raw(`${head('Content-Length: 1048577\r\n\r\n')}${fill(1048577)}`),
            await raw(head('Content-Length: 16777217\r\n\r\n')),
        ]) {
            assert.deepEqual(statuses(answer), [413]);
            assert.match(answer, /"Status":413.*"WasSuccessful":false/);
        }
        const chunk = `10000\r\n${'z'.repeat(65536)}\r\n`;
        const chunked = await raw(
            `${head('Transfer-Encoding: chunked\r\n\r\n')}${chunk.repeat(17)}0\r\n\r\n`,
        );
        assert.deepEqual(statuses(chunked), [413]);
        assert.equal((await server.get(userId)).UpdatedOn, UpdatedOn);
    }));

test('a chunked body is taken', async () => {
    const answer = await raw(
        `${head('Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n')}` +
            `5\r\n${valid.slice(0, 5)}\r\n${(valid.length - 5).toString(16)}\r\n${valid.slice(5)}\r\n0\r\n\r\n`,
    );
    assert.deepEqual(statuses(answer), [200], answer);
});

const heads = {
    'no Host': [`PUT /api/sys/users HTTP/1.1\r\nContent-Length: ${valid.length}\r\n\r\n`, 400],
    'two Hosts': [head(`Host: y\r\nContent-Length: ${valid.length}\r\n\r\n`), 400],
    'two Content-Lengths': [
        head(`Content-Length: ${valid.length}\r\nContent-Length: ${valid.length}\r\n\r\n`),
        400,
    ],
    'a list of Content-Lengths': [
        head(`Content-Length: ${valid.length}, ${valid.length}\r\n\r\n`),
        400,
    ],
    'a signed Content-Length': [head(`Content-Length: +${valid.length}\r\n\r\n`), 400],
    'Content-Length with chunked': [
        head(`Content-Length: ${valid.length}\r\nTransfer-Encoding: chunked\r\n\r\n`),
        400,
    ],
    'an unknown transfer coding': [head('Transfer-Encoding: xchunked\r\n\r\n'), 501],
    'chunked twice': [
        head('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n'),
        400,
    ],
    'gzip, chunked': [head('Transfer-Encoding: gzip, chunked\r\n\r\n'), 501],
    'a blank before the colon': [head(`Content-Length : ${valid.length}\r\n\r\n`), 400],
    'a head of 100 KB': [head(`X-Long: ${'x'.repeat(100000)}\r\n\r\n`), 431],
};
for (const [name, [bytes, status]] of Object.entries(heads))
    test(`${name} is ${status} and the connection is closed`, () =>
        harmless(async () => {
            assert.deepEqual(statuses(await raw(bytes + valid)), [status]);
        }));

test('pipelined requests are answered in order', async () => {
    const one = (id) =>
        `GET /api/sys/users/${id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`;
    const answer = await raw(
        `${one(userId)}\r\n${one(5)}\r\n${one(adminId)}Connection: close\r\n\r\n`,
    );
    assert.deepEqual(statuses(answer), [200, 404, 200]);
});

test('a client that leaves before the answer does no harm', async () => {
    for (let i = 0; i < 50; i++)
        await new Promise((resolve) => {
            const socket = net.connect(server.port, server.host, () => {
                socket.write(head(`Content-Length: ${valid.length}\r\n\r\n${valid}`));
                setImmediate(() => socket.destroy());
            });
            socket.on('close', resolve);
            socket.on('error', resolve);
        });
    assert.equal((await server.update(userId, {})).status, 200);
    // Some of the fifty may still be on their way to the disk.
    for (
        let last, now = await server.get(userId);
        last?.UpdatedOn !== now.UpdatedOn;
        now = await server.get(userId)
    ) {
        last = now;
        await sleep(300);
    }
});

test('a NUL or control character in the path finds nothing', () =>
    harmless(async () => {
        assertFailure(await server.call('GET', '/api/sys/users/%00', { token }), 404);
        assertFailure(await server.call('GET', `/api/sys/users/${userId}%20`, { token }), 404);
        assertFailure(await server.call('GET', `/api/sys/users/${'9'.repeat(30)}`, { token }), 404);
        assertFailure(await server.call('GET', '/api/sys/users/../users/5', { token }), 404);
    }));

test('hostile lists are looked up no further than the first that is wrong', () =>
    harmless(async () => {
        const before = await readings();
        const many = Array.from({ length: 10000 }, (_, i) => 500000 + i);
        assertInvalid(
            await server.update(userId, { Businesses: many }),
            'Businesses',
            /^no business with Id 500000 exists$/,
        );
        assertInvalid(
            await server.update(userId, { Businesses: [...many, 1] }),
            'Businesses',
            /^must have at most 10000 ids$/,
        );
        const grown = (await readings()) - before;
        assert.ok(grown < 100, `looked ${grown} times`);
    }));

test('heads that are too long leak nothing, and do not keep the server from stopping', async () => {
    const small = await Server.start();
    for (let i = 0; i < 40; i++) {
        await small.raw(`GET /healthz?${'a&'.repeat(10000)} HTTP/1.1\r\nHost: x\r\n\r\n`, {
            end: true,
        });
        await small.raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: ${'a=b; '.repeat(5000)}`, {
            end: true,
        });
    }
    assert.equal((await small.call('GET', '/healthz')).status, 200);
    await small.stop(); // with 0, so no request was waited for in vain
});

test('a query that is not UTF-8 is refused in a reply that is', async () => {
    for (const query of ['%ff%fe=1', 'User_FullName=%ff', 'a%00b=1']) {
        const reply = await server.call('GET', `/api/sys/users?${query}`, {
            token,
            headers: { Prefer: 'handling=strict' },
        });
        assert.equal(reply.status, 400, query);
        assert.ok(reply.json, reply.text);
        assert.doesNotMatch(reply.text, /\ufffd/);
    }
});
