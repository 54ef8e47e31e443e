// --proxy-protocol: a connection from a proxy begins with a header that names the client's address.
// The count of failed sign-ins shows which address the server uses.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { TlsServer, Wire, ask, makeCertificate, request } from '../lib/tls.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';

const folder = temporaryFolder(),
    own = await makeCertificate(folder, 'own'),
    socket = join(folder, 'proxied.sock');
const proxy = '127.0.0.9',
    other = '127.0.0.10',
    attempts = 3,
    limit = ['--address-attempts', `${attempts}`];
const hasIpv6 = Object.values(networkInterfaces())
    .flat()
    .some(({ address }) => address === '::1');
const listed = ['--proxy-protocol', `${proxy},127.0.3.0/24,unix`];
const [server, sealed, brief] = await Promise.all([
    Server.start([...limit, ...listed, '--listen', '127.0.0.1:0', '--listen', `unix:${socket}`]),
    TlsServer.start(own, [...limit, ...listed]),
    Server.start([...limit, ...listed, '--idle-timeout', '1']),
]);
const { port } = server;

const v1 = (from, family = from.includes(':') ? 'TCP6' : 'TCP4') =>
    `PROXY ${family} ${from} ${family === 'TCP6' ? '2001:db8::1' : '192.0.2.1'} 56324 443\r\n`;

const start2 = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const bytesOf = (address) => {
    if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number));
    const [front, back = ''] = address.split('::'),
        groups = (text) => text.split(':').filter(Boolean);
    const all = [
        ...groups(front),
        ...Array(8 - groups(front).length - groups(back).length).fill('0'),
        ...groups(back),
    ];
    return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
};
const raw2 = (commandByte, kindByte, rest = Buffer.alloc(0), length = rest.length) =>
    Buffer.concat([start2, Buffer.from([commandByte, kindByte, length >> 8, length & 255]), rest]);
const v2 = (from, values = Buffer.alloc(0)) =>
    raw2(
        0x21,
        net.isIPv4(from) ? 0x11 : 0x21,
        Buffer.concat([
            bytesOf(from),
            bytesOf(net.isIPv4(from) ? '192.0.2.1' : '2001:db8::1'),
            Buffer.from([0xdc, 0x04, 0x01, 0xbb]),
            values,
        ]),
    );

const open = (from = proxy, at = server) =>
    Wire.clear(
        from === 'unix' ? { path: socket } : { host: at.host, port: at.port, localAddress: from },
    );
const form = (secret) =>
    request('POST', '/api/token', {
        body: `grant_type=password&username=${adminEmail}&password=${secret}`,
    });

// The status of a sign-in by a connection that begins with `header`.
async function signIn(header, secret = password, from = proxy, at = server) {
    const wire = await open(from, at);
    wire.write(header);
    wire.write(form(secret));
    const { status } = await wire.reply();
    wire.socket.destroy();
    return status;
}

// The account is not locked by all this: each round ends with the right password from somewhere else.
async function failUntilRefused(one, another, sign) {
    for (let i = 0; i < attempts; i++) assert.equal(await sign(one, 'wrong'), 400);
    assert.equal(await sign(one, password), 429, `${attempts} failures of ${one}`);
    assert.equal(await sign(another, password), 200, `${another} did nothing`);
}

test('failed sign-ins are those of the client that the header names, not of the proxy: versions 1 and 2, IPv4 and IPv6', async () => {
    await failUntilRefused('10.0.1.1', '10.0.1.2', (from, secret) => signIn(v1(from), secret));
    await failUntilRefused('10.0.2.1', '10.0.2.2', (from, secret) => signIn(v2(from), secret));
    await failUntilRefused('2001:db8:1::1', '2001:db8:2::1', (from, secret) =>
        signIn(v1(from), secret),
    );
    await failUntilRefused('2001:db8:3::1', '2001:db8:4::1', (from, secret) =>
        signIn(v2(from), secret),
    );
    assert.equal(await signIn(v2('10.0.1.1')), 429, 'the same client, by the other version');
    assert.equal(await signIn(v1('::ffff:10.0.2.1')), 429, 'the same client, written as IPv6');
    assert.equal(
        await signIn(v1('10.0.1.1'), password, '127.0.3.77'),
        429,
        'by another proxy, of a network that is listed',
    );
    assert.equal(await signIn(v1('10.0.9.9')), 200);
});

test('Basic is counted by the same address, on a kept connection too', async () => {
    const wire = await open(),
        me = (secret) =>
            request('GET', '/api/auth/me', {
                headers: { Authorization: `Basic ${btoa(`${adminEmail}:${secret}`)}` },
            });
    wire.write(v1('10.1.0.1'));
    for (let i = 1; i <= attempts; i++) {
        wire.write(me('wrong'));
        assert.equal((await wire.reply(i)).status, 401);
    }
    wire.write(me(password));
    assert.equal((await wire.reply(attempts + 1)).status, 429);
    wire.socket.destroy();
    assert.equal(await signIn(v2('10.1.0.1')), 429);
    assert.equal(await signIn(v2('10.1.0.2')), 200);
});

test('a header is read however it comes: byte by byte, with the request in one piece, with values that nobody needs', async () => {
    for (const header of [
        v1('10.2.0.1'),
        v2('10.2.0.1'),
        v2('2001:db8:5::1'),
        v2(
            '10.2.0.1',
            Buffer.concat([
                Buffer.from([0x02, 0, 3]),
                Buffer.from('abc'),
                Buffer.from([0x04, 0, 0]),
            ]),
        ),
    ]) {
        const all = Buffer.concat([
            Buffer.from(header),
            Buffer.from(request('GET', '/healthz').repeat(2)),
        ]);
        const once = await open();
        once.write(all);
        const split = await open();
        split.socket.setNoDelay(true);
        for (const byte of all)
            await new Promise((resolve) => {
                split.socket.write(Buffer.from([byte]), resolve);
            });
        for (const wire of [once, split]) {
            await wire.reply(2);
            assert.deepEqual(
                wire.replies().map(({ status }) => status),
                [200, 200],
            );
            wire.socket.destroy();
        }
    }
    assert.equal(await signIn(v1('10.2.0.2')), 200);
});

test('UNKNOWN and LOCAL name no client: the connection keeps its own address', async () => {
    await failUntilRefused('PROXY UNKNOWN\r\n', v1('10.3.0.1'), signIn);
    assert.equal(
        await signIn('PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n'),
        429,
    );
    assert.equal(await signIn(raw2(0x20, 0x00)), 429, 'LOCAL');
    assert.equal(
        await signIn(raw2(0x20, 0x11, Buffer.from('0a0300010a03000200010002', 'hex'))),
        429,
        'LOCAL, whatever it names',
    );
    assert.equal(await signIn(raw2(0x21, 0x00)), 429, 'of no family');
    assert.equal(
        await signIn('PROXY UNKNOWN\r\n', password, '127.0.3.5'),
        200,
        'which another proxy does not share',
    );
});

const wrong = {
    'a request': request('GET', '/healthz'),
    'a ClientHello': Buffer.from('160301', 'hex'),
    'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'small letters': v1('10.4.0.1').toLowerCase(),
    'a line that is too long': `PROXY TCP4 ${'1'.repeat(200)}`,
    'an address that is none': v1('10.4.0.256', 'TCP4'),
    'IPv6 as TCP4': v1('::1', 'TCP4'),
    'IPv4 as TCP6': v1('10.4.0.1', 'TCP6'),
    'a port that is none': 'PROXY TCP4 10.4.0.1 10.4.0.2 65536 1\r\n',
    'two blanks': 'PROXY TCP4  10.4.0.1 10.4.0.2 1 1\r\n',
    'no ports': 'PROXY TCP4 10.4.0.1 10.4.0.2\r\n',
    UDP4: 'PROXY UDP4 10.4.0.1 10.4.0.2 1 1\r\n',
    'a lone LF': `${v1('10.4.0.1').trimEnd()}\nGET / HTTP/1.1\r\n`,
    'version 3': raw2(0x31, 0x11, Buffer.alloc(12)),
    'an unknown command': raw2(0x22, 0x11, Buffer.alloc(12)),
    datagrams: raw2(0x21, 0x12, Buffer.alloc(12)),
    'an unknown family': raw2(0x21, 0x41, Buffer.alloc(12)),
    'addresses that do not fit': raw2(0x21, 0x11, Buffer.alloc(11)),
    'IPv6 that does not fit': raw2(0x21, 0x21, Buffer.alloc(12)),
    'a value that goes on behind the end': raw2(
        0x21,
        0x11,
        Buffer.concat([Buffer.alloc(12), Buffer.from([0x04, 0, 9, 0])]),
    ),
    'a wrong checksum': v2('10.4.0.1', Buffer.from([0x03, 0, 4, 1, 2, 3, 4])),
    'a length of 65535': raw2(0x21, 0x11, Buffer.alloc(0), 65535),
    'the start of version 2 with one bit changed': Buffer.concat([
        start2.subarray(0, 11),
        Buffer.from([0x0b, 0x21, 0x11, 0, 0]),
    ]),
};

test(
    'a listed peer without a header, or with a wrong one, is closed and answered nothing; others are served',
    { concurrency: 8 },
    async (t) => {
        await Promise.all(
            Object.entries(wrong).flatMap(([name, bytes]) =>
                [
                    [server, 'clear'],
                    [sealed, 'TLS'],
                ].map(([at, by]) =>
                    t.test(`${name}, ${by}`, async () => {
                        const wire = await open(proxy, at);
                        wire.write(bytes);
                        wire.write(request('GET', '/healthz'));
                        await wire.ended();
                        assert.equal(wire.text, '');
                    }),
                ),
            ),
        );
        assert.equal(await signIn(v1('10.4.0.1')), 200);
    },
);

test('a header that ends with the connection is closed as well', async () => {
    for (const bytes of ['', 'PROXY TCP4 10.4.', v2('10.4.0.1').subarray(0, 20)]) {
        const wire = await open();
        wire.socket.end(bytes);
        await wire.ended();
        assert.equal(wire.text, '');
    }
});

test('a header that does not come to its end is closed after a while: nothing, a part, a byte now and then', async () => {
    const parts = [
        '',
        'PROXY TCP4 10.4.0.1',
        v2('10.4.0.1').subarray(0, 27),
        raw2(0x21, 0x11, Buffer.alloc(12), 200),
    ];
    const wires = await Promise.all(
        parts.map(async (bytes) => {
            const wire = await open(proxy, brief);
            wire.write(bytes);
            return wire;
        }),
    );
    const slow = await open(proxy, brief),
        header = raw2(0x20, 0x00, Buffer.alloc(500));
    let sent = 0;
    const timer = setInterval(() => slow.write(header.subarray(sent, ++sent)), 100);
    await Promise.all([...wires, slow].map((wire) => wire.ended()));
    clearInterval(timer);
    assert.ok(sent < header.length, 'else it could have come to its end');
    for (const wire of [...wires, slow]) assert.equal(wire.text, '');
    assert.equal(await signIn(v1('10.4.0.2'), password, proxy, brief), 200);
});

test('a PROXY header of a client that is not a listed proxy gets 400 and sets no address', async () => {
    for (const header of [v1('10.5.0.1'), v2('10.5.0.1')]) {
        const wire = await open(other);
        wire.write(header);
        wire.write(form('wrong'));
        assert.equal((await wire.reply()).status, 400);
        await wire.ended();
        assert.equal(wire.replies().length, 1);
        assert.match(wire.replies()[0].head, /^Connection: close\r$/im);
    }
    await failUntilRefused(other, '127.0.0.11', (from, secret) => signIn('', secret, from));
    assert.equal(await signIn(v1('10.5.0.1')), 200);
});

test('`unix` lists all who come by a UNIX socket', async () => {
    await failUntilRefused('10.6.0.1', '10.6.0.2', (from, secret) =>
        signIn(v2(from), secret, 'unix'),
    );
    const wire = await open('unix');
    wire.write(request('GET', '/healthz'));
    await wire.ended();
    assert.equal(wire.text, '');
    for (let i = 0; i <= attempts; i++)
        assert.equal(
            await signIn('PROXY UNKNOWN\r\n', 'wrong', 'unix'),
            400,
            'who has no address is not counted',
        );
    assert.equal(await signIn(v2('10.6.0.2'), password, 'unix'), 200);
    const path = Buffer.alloc(216);
    path.write('/run/client.sock');
    assert.equal(await signIn(raw2(0x21, 0x31, path), password, 'unix'), 200);
});

test('an IPv4 peer is found by an address that takes both kinds', async () => {
    if (!hasIpv6) return;
    const both = await Server.start([
        ...limit,
        '--demo-public',
        '--listen',
        '[::]:0',
        '--proxy-protocol',
        proxy,
    ]);
    both.host = '127.0.0.1';
    await failUntilRefused('10.7.0.1', '10.7.0.2', (from, secret) =>
        signIn(v1(from), secret, proxy, both),
    );
    await failUntilRefused('127.0.0.12', '127.0.0.13', (from, secret) =>
        signIn('', secret, from, both),
    );
    const six = await Server.start([...limit, '--listen', '[::1]:0', '--proxy-protocol', '::1']);
    await failUntilRefused('10.7.0.3', '10.7.0.4', (from, secret) =>
        signIn(v1(from), secret, '::1', six),
    );
});

// TLS over a connection whose first bytes are `header` and the beginning of the handshake, in one piece or not.
function seal(header, isOnePiece) {
    const below = net.connect({ host: sealed.host, port: sealed.port, localAddress: proxy });
    let first = isOnePiece;
    if (!isOnePiece) below.write(header);
    const duplex = new Duplex({
        read() {
            below.resume();
        },
        write(chunk, encoding, done) {
            below.write(first ? Buffer.concat([Buffer.from(header), chunk]) : chunk, done);
            first = false;
        },
        final(done) {
            below.end(done);
        },
        destroy(error, done) {
            below.destroy();
            done(error);
        },
    });
    below
        .on('data', (part) => duplex.push(part))
        .on('end', () => duplex.push(null))
        .on('error', (error) => duplex.destroy(error));
    return Wire.open(
        tls.connect({ socket: duplex, ca: own.pem, servername: 'localhost' }),
        'secureConnect',
    );
}

test('the header comes before TLS', async () => {
    let number = 0;
    for (const make of [v1, v2])
        for (const isOnePiece of [true, false])
            await failUntilRefused(
                `10.8.${++number}.1`,
                `10.8.${number}.2`,
                async (from, secret) => {
                    const wire = await seal(make(from), isOnePiece);
                    wire.write(form(secret));
                    const { status } = await wire.reply();
                    wire.socket.destroy();
                    return status;
                },
            );
    const inside = await seal(v1('10.8.9.1'), false);
    inside.write(v1('10.8.9.2'));
    assert.equal((await inside.reply()).status, 400, 'inside of TLS it is no header');
    inside.socket.destroy();
});

// A proxy that knows nothing of TLS or HTTP: it says who connected, then passes bytes.
async function startProxy(to, make) {
    const pipes = new Set(),
        listener = net.createServer((client) => {
            const back = net.connect({ host: to.host, port: to.port, localAddress: proxy });
            back.write(make(client.remoteAddress));
            client.pipe(back).pipe(client);
            for (const end of [client, back])
                pipes.add(
                    end
                        .on('error', () => {})
                        .on('close', () => {
                            client.destroy();
                            back.destroy();
                        }),
                );
        });
    await new Promise((resolve) => {
        listener.listen(0, '127.0.0.1', resolve);
    });
    after(() => {
        listener.close();
        for (const end of pipes) end.destroy();
    });
    return listener.address().port;
}

test('behind a proxy, clients on kept connections are served by their own addresses', async () => {
    for (const [at, make, base] of [
        [server, v1, 20],
        [sealed, v2, 30],
    ]) {
        const through = await startProxy(at, make),
            agent = at === server ? new http.Agent({ keepAlive: true }) : undefined;
        const sign = async (localAddress, secret) =>
            (
                await ask({
                    host: '127.0.0.1',
                    port: through,
                    localAddress,
                    agent,
                    ca: at.ca,
                    servername: at.ca && 'localhost',
                    method: 'POST',
                    path: '/api/token',
                    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
                    body: `grant_type=password&username=${adminEmail}&password=${secret}`,
                })
            ).status;
        await failUntilRefused(`127.0.0.${base}`, `127.0.0.${base + 1}`, sign);
        agent?.destroy();
    }
});

test('a list that cannot be read stops the start', async () => {
    for (const [list, says] of [
        ['localhost', /localhost: must be an address/],
        ['10.0.0.1/8', /did you mean 10\.0\.0\.0\/8\?/],
        ['::1/129', /must be/],
        ['10.0.0.0/8,x', /x: must be/],
    ]) {
        const { code, stderr } = await run([
            '--demo',
            '--listen',
            '127.0.0.1:0',
            '--proxy-protocol',
            list,
        ]);
        assert.equal(code, 64, stderr);
        assert.match(stderr, says);
        assert.match(stderr, /^rosterd: --proxy-protocol \S+: [^\n]+\n$/);
    }
});
