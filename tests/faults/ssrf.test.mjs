// NewAvatarUrl and webhooks reach public addresses only: each special range of the IANA registries, in
// every spelling that a URL can have, straight, by a redirect and by a name. The server says to whom it
// connects (interpose.c), and is let through to this machine alone.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { businessId, userId } from '../lib/ids.mjs';
import { assertInvalid } from '../lib/replies.mjs';
import { temporaryFolder } from '../lib/server.mjs';
import { Faults } from './faults.mjs';
import { deadlines, until } from '../lib/wait.mjs';

// The operator's own host, the only one on this machine that may be reached: it sends everybody elsewhere.
const requests = [];
const listener = http.createServer((request, reply) => {
    requests.push(request.url);
    request.resume();
    reply
        .writeHead(302, {
            Location: Buffer.from(decodeURIComponent(request.url.slice(1))).toString('latin1'),
        })
        .end();
});
await new Promise((ready) => {
    listener.listen(0, '127.0.0.1', ready);
});
after(() => {
    listener.close();
    listener.closeAllConnections();
});
const { port } = listener.address(),
    trusted = `127.0.0.1:${port}`;
const file = join(temporaryFolder(), 'connects');
writeFileSync(file, '');
const server = await new Faults().start(
    ['--demo', '--avatar-hosts', trusted, '--webhook-hosts', trusted],
    { CONNECTS_FILE: file },
);
const token = await server.admin();
const call = (method, path, body) => server.call(method, path, { token, body });
const refusal = /no public address|must be an http or https URL|its server cannot be reached/;

// To whom the server connected meanwhile.
async function connectsOf(work) {
    truncateSync(file);
    await work();
    return readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.replace(/ (\d+)$/, ':$1'));
}

// First and last address of each.
const specialIPv4 = [
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.31.196.0/24',
    '192.52.193.0/24',
    '192.88.99.0/24',
    '192.168.0.0/16',
    '192.175.48.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
];
const specialIPv6 = [
    '::',
    '::1',
    '::2',
    '64:ff9b::1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:1ff:ffff::1',
    '2001:db8::1',
    '2002::1',
    '2620:4f:8000::1',
    '3fff::1',
    '3fff:fff::1',
    '4000::1',
    '5f00::1',
    '2001:470:1:2:0:5efe:a00:1',
    '2606:4700:1:2:200:5efe:8.8.8.8',
    'fc00::1',
    'fdff::1',
    'fe80::1',
    'febf::1',
    'fec0::1',
    'ff00::1',
    'ff02::1',
    'ffff::1',
];

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
    const [a, b, c, d] = parts,
        hex = (value) => value.toString(16),
        octal = (value) => `0${value.toString(8)}`;
    const words = `${hex(a * 256 + b)}:${hex(c * 256 + d)}`,
        dotted = parts.join('.');
    return [
        dotted,
        `${dotted}.`,
        `${number}`,
        `0x${hex(number)}`,
        `0X${hex(number).toUpperCase()}`,
        octal(number),
        `0${octal(number)}`,
        parts.map(octal).join('.'),
        parts.map((part) => `0x${hex(part)}`).join('.'),
        `${a}.${b}.${c * 256 + d}`,
        `${a}.${number % 2 ** 24}`,
        `0x${hex(a)}.${octal(b)}.${c * 256 + d}`,
        [...dotted].map((c) => `%${hex(c.charCodeAt(0))}`).join(''),
        dotted.replace(/[0-9]/g, (digit) => String.fromCharCode(0xff10 + Number(digit))),
        dotted.replaceAll('.', '\u3002'),
        `[::ffff:${dotted}]`,
        `[::ffff:${words}]`,
        `[0:0:0:0:0:FFFF:${words}]`,
        `[::${dotted}]`,
        `[::${words}]`,
        `[64:ff9b::${dotted}]`,
        `[64:ff9b:1::${words}]`,
        `[::ffff:0:${dotted}]`,
        `[::ffff:0:0:${words}]`,
        `[2001:470:1:2:0:5efe:${words}]`,
        `[2001:470:1:2:200:5efe:${dotted}]`,
        `[fe80::5efe:${words}]`,
        `[2002:${words}::]`,
        `[2002:${words}::1]`,
        `[2001:0:${words}::1]`,
    ];
}
const hosts = [
    ...numbers.flatMap(spellings),
    ...specialIPv6.flatMap((address) => [`[${address}]`, `[${address}%25lo]`, `[${address}%lo]`]),
    'all.10-0-0-1.test',
    'all.8-8-8-8.10-0-0-1.fe80--1.test',
    'all.--ffff-127-0-0-1.test',
    'turn.127-0-0-1.169-254-169-254.test',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'x.localhost',
    'ip6-localhost',
    '\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3',
];

async function each(list, work) {
    for (let from = 0; from < list.length; from += 16)
        await Promise.all(list.slice(from, from + 16).map(work));
}

const picture = (url) => call('PATCH', `/api/sys/users/${userId}`, { NewAvatarUrl: url });
const refused = async (url) => assertInvalid(await picture(url), 'NewAvatarUrl', refusal);

// Any other server could connect to real hosts: then nothing is tried.
assert.deepEqual(await connectsOf(() => refused(`http://${trusted}/x:`)), [trusted]);

test('the test sees each connect call, and one to a public address is made', async () => {
    assert.deepEqual(await connectsOf(() => refused('http://9.9.9.9:81/')), ['9.9.9.9:81']);
    assert.deepEqual(await connectsOf(() => refused('http://all.9-9-9-9.2620-fe--9.test:81/')), [
        '9.9.9.9:81',
        '2620:fe::9:81',
    ]);
});

test(`${hosts.length} spellings of addresses that are not public get a picture from nowhere`, async () => {
    const before = await server.get(userId);
    const connects = await connectsOf(() =>
        each(hosts, (host) => refused(`http://${host}:${port + 1}/a.png`)),
    );
    assert.deepEqual(
        new Set(connects),
        new Set(['8.8.8.8:' + (port + 1)]),
        'of a name with several addresses, only the public one',
    );
    assert.deepEqual((await server.get(userId)).AvatarFileName, before.AvatarFileName);
});

test('no redirect leads to an address that is not public', async () => {
    requests.length = 0;
    const connects = await connectsOf(() =>
        each(hosts, (host) =>
            refused(`http://${trusted}/${encodeURIComponent(`http://${host}:${port + 1}/a.png`)}`),
        ),
    );
    assert.deepEqual(new Set(connects), new Set([trusted, '8.8.8.8:' + (port + 1)]));
    assert.ok(requests.length >= hosts.length * 0.9, `${requests.length} were sent elsewhere`);
});

test('no port, scheme or user name gets around the check of addresses, straight or by a redirect', async () => {
    const urls = [
        `https://127.0.0.1:${port + 1}/`,
        `http://127.0.0.1:${port + 1}\\@example.com/`,
        `http://9.9.9.9@127.0.0.1:${port + 1}/`,
        `http://127.0.0.1:${port + 1}#@example.com/`,
        `http://127.0.0.1:${port + 1}?@example.com/`,
        `http://9.9.9.9:80@127.0.0.1:${port + 1}/`,
        `http:127.0.0.1:${port + 1}/`,
        `http:/127.0.0.1:${port + 1}/`,
        `http:///127.0.0.1:${port + 1}/`,
        `http://127.0.0.1:0${port + 1}/`,
        'http://127.0.0.1/',
        'http://127.0.0.1:22/',
        'https://[::1]/',
        `HTTP://127.0.0.1:${port + 1}/`,
        `http://127.0.0.1\u2215:${port}/`,
        `http://127.0.0.1%00.example.com:${port}/`,
        `gopher://${trusted}/`,
        `dict://${trusted}/`,
        `tftp://${trusted}/`,
        `ftp://${trusted}/`,
        `unix://${trusted}/`,
        `jar:http://${trusted}/`,
        'file:///etc/passwd',
        `http://user@${trusted}/`,
        `http://user:secret@${trusted}/`,
        `http://@${trusted}/`,
        `http://${trusted}@10.0.0.1/`,
        `http://10.0.0.1#${trusted}/`,
        `http://10.0.0.1\\@${trusted}/`,
        `http://${trusted}.10-0-0-1.test/`,
        `http://all.10-0-0-1.test:${port}/`,
    ];
    assert.deepEqual(await connectsOf(() => each(urls, refused)), []);
    const connects = await connectsOf(() =>
        each(
            urls.filter((url) => !/^http:\/?1|[\u2215\\]/.test(url)),
            async (url) => {
                const reply = await picture(`http://${trusted}/${encodeURIComponent(url)}`);
                assertInvalid(
                    reply,
                    'NewAvatarUrl',
                    /no public address|must be an http or https URL|cannot be reached|status of success/,
                );
            },
        ),
    );
    assert.deepEqual([...new Set(connects)], [trusted]);
});

test('a name whose address changes between look-ups leads to no private address', async () => {
    // curl remembers a name with its port.
    const urls = Array.from(
        { length: 20 },
        (_, i) => `http://turn.9-9-9-9.10-0-0-1.test:${1000 + i}/`,
    );
    const connects = await connectsOf(() => each(urls, refused));
    assert.equal(connects.length, urls.length / 2);
    assert.ok(
        connects.every((address) => address.startsWith('9.9.9.9:')),
        connects.join(),
    );
});

// There may be 100 webhooks at a time.
test('webhooks are posted to none of these addresses', { timeout: 300000 }, async () => {
    const urls = [
        ...hosts.map((host) => `http://${host}:${port + 1}/hook`),
        `http://${trusted}/${encodeURIComponent('http://10.0.0.1/')}`,
    ];
    const waiting = async () =>
        (await call('GET', '/api/sys/webhookdeliveries?size=1&WebHookDelivery_Attempts=0')).json
            .TotalItems;
    const tell = async (batch) => {
        const made = [];
        await each(batch, async (URL) => {
            const reply = await call('POST', '/api/sys/webhooks', {
                BusinessId: businessId,
                Name: 'Inwards',
                Action: 1002,
                Active: true,
                URL,
            });
            if (reply.status === 200) made.push(reply.json.Value.Id);
            else assertInvalid(reply, 'URL', /http or https URL/);
        });
        assert.equal(
            (await call('PATCH', `/api/sys/users/${userId}`, { FullName: 'Told To Nobody' }))
                .status,
            200,
        );
        await until(
            async () => `${await waiting()} deliveries wait`,
            async () => (await waiting()) === 0,
            { deadline: deadlines.manyReceivers, pause: 100 },
        );
        const told = (
            await call('GET', '/api/sys/webhookdeliveries?size=1000&orderBy=Id&dir=1')
        ).json.Records.filter(({ WebHookId }) => made.includes(WebHookId));
        assert.equal(told.length, made.length);
        for (const { LastError } of told)
            assert.match(
                LastError,
                /no public address|cannot be reached|must be an http or https URL|status of success|answered with status 302/,
            );
        await each(made, async (id) =>
            assert.equal((await call('DELETE', `/api/sys/webhooks/${id}`)).status, 200),
        );
        return made.length;
    };
    let count = 0;
    const connects = await connectsOf(async () => {
        for (let from = 0; from < urls.length; from += 100)
            count += await tell(urls.slice(from, from + 100));
    });
    assert.ok(count > 100, `${count} were told of`);
    assert.deepEqual(
        new Set(connects),
        new Set([trusted, `8.8.8.8:${port + 1}`]),
        "the operator's own, without what it redirects to",
    );
});
