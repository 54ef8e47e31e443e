// NewAvatarUrl and webhooks reach public addresses only: each special range of the IANA registries, in
// every spelling that a URL can have, against a listener on all addresses of this machine.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Server, assertInvalid, userId } from './harness.mjs';

const server = await Server.start();
let connections = 0;
const listener = net.createServer((socket) => { connections++; socket.destroy(); });
await new Promise((ready) => { listener.listen(0, '::', ready); });
after(() => listener.close());
const { port } = listener.address();

// First and last address of each.
const specialIPv4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24',
    '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24',
    '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'];
const specialIPv6 = ['::', '::1', '::2', '64:ff9b::1', '64:ff9b:1::1', '100::1', '2001::1', '2001:1ff:ffff::1', '2001:db8::1', '2002::1', '2620:4f:8000::1',
    '3fff::1', '3fff:fff::1', '4000::1', '5f00::1', 'fc00::1', 'fdff::1', 'fe80::1', 'febf::1', 'fec0::1', 'ff00::1', 'ff02::1', 'ffff::1'];

function ends(range) {
    const [base, bits] = range.split('/');
    const first = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    return [first, first + 2 ** (32 - bits) - 1];
}
const loopback = [0x7f000001, 0x7f000002, 0x7fffffff];
const numbers = [...new Set([...specialIPv4.flatMap(ends), ...loopback])];

// All the forms that inet_aton, URLs and IPv6 know for an IPv4 address.
function spellings(number) {
    const parts = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256);
    const [a, b, c, d] = parts, hex = (value) => value.toString(16), octal = (value) => `0${value.toString(8)}`;
    const words = `${hex(a * 256 + b)}:${hex(c * 256 + d)}`, dotted = parts.join('.');
    return [dotted, `${dotted}.`, `${number}`, `0x${hex(number)}`, `0X${hex(number).toUpperCase()}`, octal(number), `0${octal(number)}`,
        parts.map(octal).join('.'), parts.map((part) => `0x${hex(part)}`).join('.'), `${a}.${b}.${c * 256 + d}`, `${a}.${number % 2 ** 24}`,
        `0x${hex(a)}.${octal(b)}.${c * 256 + d}`, [...dotted].map((c) => `%${hex(c.charCodeAt(0))}`).join(''),
        dotted.replace(/[0-9]/g, (digit) => String.fromCharCode(0xff10 + Number(digit))), dotted.replaceAll('.', '\u3002'),
        `[::ffff:${dotted}]`, `[::ffff:${words}]`, `[0:0:0:0:0:FFFF:${words}]`, `[::${dotted}]`, `[::${words}]`, `[64:ff9b::${dotted}]`,
        `[64:ff9b:1::${words}]`, `[2002:${words}::]`, `[2002:${words}::1]`, `[2001:0:${words}::1]`];
}
const hosts = [...numbers.flatMap(spellings), ...specialIPv6.flatMap((address) => [`[${address}]`, `[${address}%25lo]`, `[${address}%lo]`]),
    'localhost', 'LOCALHOST', 'localhost.', 'x.localhost', 'ip6-localhost', '\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3'];

test(`${hosts.length} spellings of addresses that are not public get a picture from nowhere`, async () => {
    const { Id, ...before } = await server.get(userId);
    for (let from = 0; from < hosts.length; from += 16)
        await Promise.all(hosts.slice(from, from + 16).map(async (host) => {
            const reply = await server.update(userId, { NewAvatarUrl: `http://${host}:${port}/a.png` });
            assertInvalid(reply, 'NewAvatarUrl', /not a public one|must be an http or https URL|its server cannot be reached/);
        }));
    assert.equal((await server.get(userId)).AvatarFileName, before.AvatarFileName);
    assert.equal(connections, 0);
});

test('no port, scheme or user name makes a difference', async () => {
    for (const url of [`https://127.0.0.1:${port}/`, `http://127.0.0.1:${port}\\@example.com/`, `http://example.com@127.0.0.1:${port}/`,
        `http://127.0.0.1:${port}#@example.com/`, `http://127.0.0.1:${port}?@example.com/`, `http://example.com:80@127.0.0.1:${port}/`,
        `http:127.0.0.1:${port}/`, `http:/127.0.0.1:${port}/`, `http:///127.0.0.1:${port}/`, `http://127.0.0.1:0${port}/`, 'http://127.0.0.1/',
        'http://127.0.0.1:22/', 'https://[::1]/', `HTTP://127.0.0.1:${port}/`, `http://127.0.0.1\u2215:${port}/`, `http://127.0.0.1%00.example.com:${port}/`,
        `gopher://127.0.0.1:${port}/`, `dict://127.0.0.1:${port}/`, `tftp://127.0.0.1:${port}/`, `unix://127.0.0.1:${port}/`, `jar:http://127.0.0.1:${port}/`])
        assertInvalid(await server.update(userId, { NewAvatarUrl: url }), 'NewAvatarUrl', /not a public one|must be an http or https URL|its server cannot be reached/);
    assert.equal(connections, 0);
});

test('the listener would have seen a connection', async () => {
    for (const host of ['127.0.0.1', '::1']) {
        const before = connections;
        await new Promise((done) => { net.connect(port, host).on('close', done).on('error', done); });
        if (host === '127.0.0.1')
            assert.equal(connections, before + 1);
    }
});
