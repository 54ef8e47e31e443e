// --trusted-proxies: a request that a trusted proxy hands on counts for the client that Forwarded or X-Forwarded-For names, read
// from the right (docs/http.md, SECURITY.md). The count of failed sign-ins, the log and the limit of connections show that client.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { assertFailure } from '../lib/replies.mjs';
import { isSanitized, run, Server, temporaryFolder } from '../lib/server.mjs';
import { makeCertificate, request, TlsServer, Wire } from '../lib/tls.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const proxy = '127.0.0.9',
    other = '127.0.0.10',
    attempts = 3,
    limit = ['--address-attempts', `${attempts}`],
    bound = 3;
const folder = temporaryFolder(),
    socket = join(folder, 'proxied.sock');
const trusted = ['--trusted-proxies', `${proxy}, 127.0.3.0/24,fd00::/8,unix`];
const [server, bounded] = await Promise.all([
    Server.start([
        ...limit,
        ...trusted,
        '--http2',
        'clear',
        '--listen',
        '127.0.0.1:0',
        '--listen',
        `unix:${socket}`,
    ]),
    // An I/O thread may have sent a reply of which the client knows, and not have taken its request from the count yet: fewer threads
    // than the bound, so that this alone never makes it full.
    Server.start([
        ...trusted,
        '--http2',
        'clear',
        '--metrics',
        '--address-connections',
        `${bound}`,
        '--io-threads',
        `${bound - 1}`,
    ]),
]);

// ---- Failed sign-ins ----

const open = (from = proxy, at = server) =>
    Wire.clear(
        from === 'unix' ? { path: socket } : { host: at.host, port: at.port, localAddress: from },
    );
const form = (secret, lines = [], name = adminEmail) => {
    const body = `grant_type=password&username=${name}&password=${secret}`;
    return [
        `POST /api/token HTTP/1.1`,
        'Host: localhost',
        'Content-Type: application/x-www-form-urlencoded',
        `Content-Length: ${body.length}`,
        ...lines,
        '',
        body,
    ].join('\r\n');
};

// The status of a sign-in with these header lines.
async function signIn(lines, secret = password, from = proxy, at = server) {
    const wire = await open(from, at);
    wire.write(form(secret, [lines].flat()));
    const { status } = await wire.reply();
    wire.socket.destroy();
    return status;
}

// The account is not locked by all this: each round ends with the right password from somewhere else.
async function failUntilRefused(one, another, sign = signIn) {
    for (let i = 0; i < attempts; i++) assert.equal(await sign(one, 'wrong'), 400);
    assert.equal(await sign(one, password), 429, `${attempts} failures of ${one}`);
    assert.equal(await sign(another, password), 200, `${another} did nothing`);
}

const x = (list) => `X-Forwarded-For: ${list}`,
    forwarded = (list) => `Forwarded: ${list}`;

test('of two clients behind one proxy one is locked out, and the other is not: IPv4 and IPv6, both headers', async () => {
    await failUntilRefused(x('192.0.2.1'), x('192.0.2.2'));
    await failUntilRefused(x('2001:db8:1::1'), x('2001:db8:2::1'));
    await failUntilRefused(
        forwarded('for=192.0.2.3;proto=https'),
        forwarded('for=192.0.2.4;proto=https'),
    );
    await failUntilRefused(
        forwarded('for="[2001:db8:3::1]:4711"'),
        forwarded('for="[2001:db8:4::1]:4711"'),
    );
    assert.equal(
        await signIn(forwarded('for="192.0.2.1:80"')),
        429,
        'the same client, by the other header',
    );
    assert.equal(await signIn(x('::ffff:192.0.2.3')), 429, 'the same client, written as IPv6');
    assert.equal(await signIn(x('2001:db8:1::ffff')), 429, 'another address of the same /64');
    assert.equal(
        await signIn(x('192.0.2.1'), password, '127.0.3.77'),
        429,
        'by another proxy, of a network that is listed',
    );
    assert.equal(
        await signIn(x('192.0.2.1'), password, 'unix'),
        429,
        'by a proxy at the UNIX socket',
    );
    assert.equal(await signIn([]), 200, 'the proxy itself has failed at nothing');
});

test('what a client wrote on the left never counts, in one line or in several', async () => {
    const spoofed = [
        '198.51.100.1',
        '10.0.0.1',
        '127.0.0.1',
        '"',
        'for="',
        'unknown',
        '\u00e9',
        ',,',
        '192.0.2.9'.repeat(500),
    ];
    for (const [number, left] of spoofed.entries()) {
        const one = `192.0.2.${20 + number}`,
            another = `192.0.2.${120 + number}`;
        const lists = [
            x(`${left}, ${one}`),
            [x(left), x(one)],
            forwarded(`for=${left}, for=${one}`),
            [forwarded(left), forwarded(`for=${one};proto=http`)],
        ];
        for (let i = 0; i < attempts; i++) assert.equal(await signIn(lists[i], 'wrong'), 400);
        for (const lines of lists) assert.equal(await signIn(lines), 429, lines);
        assert.equal(
            await signIn(x(`${one}, ${another}`)),
            200,
            `${one} is not locked out by who names it`,
        );
    }
    assert.equal(await signIn(x('198.51.100.1')), 200, 'who was named has failed at nothing');
});

test('trusted proxies before the last one are passed over; the walk ends at the first address that is not trusted', async () => {
    await failUntilRefused(
        x('203.0.113.1, fd00::1, 127.0.3.9'),
        x('203.0.113.2, fd00::1, 127.0.3.9'),
    );
    await failUntilRefused(
        forwarded('for=203.0.113.3, for="[fd00::1]", for=127.0.3.9'),
        forwarded('for=203.0.113.4, for="[fd00::1]", for=127.0.3.9'),
    );
    await failUntilRefused(
        [x('203.0.113.5'), x('fd00::1'), x('127.0.3.9')],
        [x('203.0.113.6'), x('fd00::1'), x('127.0.3.9')],
    );
    assert.equal(await signIn(x('203.0.113.1, 203.0.113.99')), 200);
});

test('an entry that is no address ends the walk: the request counts for the proxy that wrote it', async () => {
    const from = '127.0.3.20';
    for (const [i, lines] of [
        x('unknown'),
        x('192.0.2.77, _hidden'),
        forwarded('for=192.0.2.77, for=unknown'),
    ].entries())
        assert.equal(await signIn(lines, 'wrong', from), 400, `${i}`);
    assert.equal(await signIn([], password, from), 429, 'of the proxy');
    assert.equal(
        await signIn(x('192.0.2.77'), password, from),
        200,
        'not of whoever stands on the left',
    );
    await failUntilRefused(x('192.0.2.78, junk, 127.0.3.21'), x('192.0.2.78'), signIn);
    assert.equal(await signIn([], password, '127.0.3.21'), 429, 'the proxy before');
});

test('both headers must name the same client, or the request is refused', async () => {
    const wire = await open();
    wire.write(form(password, [x('192.0.2.80'), forwarded('for=192.0.2.80')]));
    assert.equal((await wire.reply()).status, 200);
    wire.write(form(password, [x('192.0.2.80'), forwarded('for=192.0.2.81')]));
    const { status, body } = await wire.reply(2);
    assert.equal(status, 400);
    assert.match(JSON.parse(body).Message, /Forwarded and X-Forwarded-For name different clients/);
    await wire.ended();
    for (const lines of [
        [x('192.0.2.80'), forwarded('for=unknown')],
        [x('junk'), forwarded('for=192.0.2.80')],
        [forwarded('for=127.0.3.1'), x('192.0.2.80, 127.0.3.1')],
    ])
        assert.equal(await signIn(lines), 400, lines);
    assert.equal(
        await signIn([x(''), forwarded('for=192.0.2.80')]),
        200,
        'an empty one says nothing',
    );
});

test('the headers of a peer that is not listed change nothing', async () => {
    for (let i = 0; i < attempts; i++)
        assert.equal(
            await signIn(
                [x(`192.0.2.${90 + i}`), forwarded(`for=192.0.2.${190 + i}`)],
                'wrong',
                other,
            ),
            400,
            'nor must they agree',
        );
    assert.equal(await signIn(x('192.0.2.99'), password, other), 429);
    assert.equal(await signIn([], password, other), 429);
    for (const from of [proxy, '127.0.0.11'])
        assert.equal(await signIn(x('192.0.2.90'), password, from), 200);
    const off = await Server.start(limit);
    for (let i = 0; i < attempts; i++)
        assert.equal(await signIn(x(`192.0.2.${i}`), 'wrong', proxy, off), 400);
    assert.equal(
        await signIn(x('192.0.2.99'), password, proxy, off),
        429,
        'without a list nobody is trusted',
    );
});

test('an IPv6 peer is found in the list', async () => {
    if (
        !Object.values(networkInterfaces())
            .flat()
            .some(({ address }) => address === '::1')
    )
        return;
    const six = await Server.start([...limit, '--listen', '[::1]:0', '--trusted-proxies', '::1']);
    await failUntilRefused(x('2001:db8:7::1'), x('192.0.2.1'), (lines, secret) =>
        signIn(lines, secret, '::1', six),
    );
});

test('requests on one kept connection count each for their own client, Basic too', async () => {
    const wire = await open(),
        me = (secret, client) =>
            request('GET', '/api/auth/me', {
                headers: {
                    Authorization: `Basic ${btoa(`${adminEmail}:${secret}`)}`,
                    'X-Forwarded-For': client,
                },
            });
    let replies = 0;
    const sign = async (client, secret) => {
        wire.write(me(secret, client));
        const { status } = await wire.reply(++replies);
        return status === 401 ? 400 : status;
    };
    await failUntilRefused('192.0.2.101', '192.0.2.102', sign);
    wire.socket.destroy();
});

const connect = (at) => {
    const session = http2.connect(at.url, { localAddress: proxy });
    session.on('error', () => {});
    after(() => session.destroy());
    return session;
};
// A request of HTTP/2; `begun` when the server has taken its head (it then asks for the body).
function stream(session, headers, body) {
    const open = session.request(
        {
            ':method': 'POST',
            ':path': '/api/token',
            'content-type': 'application/x-www-form-urlencoded',
            ...headers,
        },
        { endStream: false },
    );
    open.on('error', () => {});
    const reply = new Promise((resolve) => {
        let text = '';
        open.on('response', (got) =>
            open
                .setEncoding('utf8')
                .on('data', (part) => {
                    text += part;
                })
                .on('end', () => resolve({ status: got[':status'], headers: got, text })),
        );
    });
    if (body !== undefined) open.end(body);
    return {
        open,
        reply,
        begun: new Promise((resolve) => {
            open.once('continue', resolve);
        }),
    };
}

test('streams of one HTTP/2 connection count each for their own client', async () => {
    const session = connect(server),
        sign = async (client, secret) =>
            (
                await stream(
                    session,
                    { 'x-forwarded-for': `198.51.100.1, ${client}` },
                    `grant_type=password&username=${adminEmail}&password=${secret}`,
                ).reply
            ).status;
    await failUntilRefused('192.0.2.111', '192.0.2.112', sign);
    await failUntilRefused('2001:db8:a::1', '192.0.2.112', sign);
    session.destroy();
});

test('the log names the client, not the proxy', async () => {
    const before = server.stderr.length;
    assert.equal(await signIn(x('198.51.100.1, 203.0.113.50'), 'wrong'), 400);
    assert.equal(await signIn(forwarded('for="[2001:db8:b::5]"'), 'wrong'), 400);
    await until(
        'both are told',
        () =>
            /wrong password; user \d+, from 203\.0\.113\.50, request /.test(
                server.stderr.slice(before),
            ) &&
            /wrong password; user \d+, from 2001:db8:b::5, request /.test(
                server.stderr.slice(before),
            ),
    );
    assert.ok(!server.stderr.slice(before).includes('198.51.100.1'));
});

test('behind a PROXY header, the peer is the address that it names', async () => {
    const both = await Server.start([
        ...limit,
        '--proxy-protocol',
        proxy,
        '--trusted-proxies',
        '10.0.0.0/8',
        '--address-connections',
        '10',
    ]);
    const sign = (header) => async (lines, secret) => {
        const wire = await open(proxy, both);
        wire.write(`PROXY TCP4 ${header} 192.0.2.1 1 1\r\n`);
        wire.write(form(secret, [lines].flat()));
        const { status } = await wire.reply();
        wire.socket.destroy();
        return status;
    };
    await failUntilRefused(x('203.0.113.1'), x('203.0.113.2'), sign('10.0.0.1'));
    const plain = sign('203.0.113.9');
    for (let i = 0; i < attempts; i++)
        assert.equal(await plain(x(`203.0.113.${20 + i}`), 'wrong'), 400);
    assert.equal(
        await plain(x('203.0.113.30'), password),
        429,
        'who is not trusted counts for itself',
    );
    const wires = [];
    for (let i = 0; i < 20; i++) {
        const wire = await open(proxy, both);
        wire.write('PROXY TCP4 10.0.0.1 192.0.2.1 1 1\r\n');
        wire.write(request('GET', '/healthz'));
        assert.equal(
            (await wire.reply()).status,
            200,
            'connections of a trusted proxy are not bound by its address',
        );
        wires.push(wire);
    }
    wires.forEach((wire) => wire.socket.destroy());
});

// ---- The bound of connections ----

// A request in progress, of which the server has taken the head and waits for the body.
async function begin(client, from = proxy) {
    const wire = await open(from, bounded);
    wire.write(
        `POST /api/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n${client ? `${x(client)}\r\n` : ''}\r\n`,
    );
    assert.equal((await wire.reply()).status, 100);
    return wire;
}
const alive = (client) =>
    request('GET', '/healthz', { headers: client ? { 'X-Forwarded-For': client } : {} });
const refusals = async () =>
    Number(
        /^roster_refused_total\{reason="connections"\} (\d+)$/m.exec(
            (await bounded.call('GET', '/metrics')).text,
        )[1],
    );

function assertBusy({ status, body, head }) {
    assertFailure({ status, json: JSON.parse(body), text: body }, 429);
    assert.match(
        JSON.parse(body).Message,
        /^Too many requests of your address are in progress\. Wait 1 second/,
    );
    assert.match(head, /^Retry-After: 1\r$/im);
    assert.doesNotMatch(head, /^Connection: close\r$/im);
}

test('an address has as many requests in progress through proxies as it may have connections; further ones are 429, and others are served', async () => {
    const one = '192.0.2.201',
        before = await refusals(),
        wires = [];
    while (wires.length < bound)
        wires.push(await begin(one, wires.length % 2 ? '127.0.3.1' : proxy));
    const late = await open(proxy, bounded);
    late.write(alive(one));
    assertBusy(await late.reply());
    late.write(
        `POST /api/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n${x(`198.51.100.1, ${one}`)}\r\n\r\nhello`,
    );
    assertBusy(await late.reply(2));
    late.write(alive('192.0.2.202') + alive() + alive(one) + alive('192.0.2.203, 192.0.2.204'));
    await late.reply(6);
    assert.deepEqual(
        late.replies().map(({ status }) => status),
        [429, 429, 200, 200, 429, 200],
        'on the same connection, which stays',
    );
    assert.equal((await refusals()) - before, 3, 'and the metric counts them');
    wires[0].write('hello');
    assert.equal((await wires[0].reply(2)).status, 400);
    let replies = 6;
    await until('one of them has ended', async () => {
        late.write(alive(one));
        return (await late.reply(++replies)).status === 200;
    });
    wires[1].socket.destroy();
    wires[2].socket.destroy();
    await until('those whose connections broke have ended, too', async () => {
        const again = await Promise.all(Array.from({ length: bound }, () => open(proxy, bounded)));
        again.forEach((wire) =>
            wire.write(
                `POST /api/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n${x(one)}\r\n\r\n`,
            ),
        );
        const statuses = await Promise.all(again.map(async (wire) => (await wire.reply()).status));
        again.forEach((wire) => wire.socket.destroy());
        return statuses.every((status) => status === 100);
    });
});

test('a request that is refused for another reason holds no place', async () => {
    const one = '192.0.2.211',
        wire = await open(proxy, bounded);
    for (let i = 0; i < 3 * bound; i++) {
        wire.write(request('GET', '/nowhere', { headers: { 'X-Forwarded-For': one } }));
        assert.equal((await wire.reply(i + 1)).status, 404);
        const large = await open(proxy, bounded);
        large.write(
            `POST /api/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n${x(one)}\r\n\r\n`,
        );
        assert.equal((await large.reply()).status, 413);
        large.write('x'.repeat(2000000));
        const both = await open(proxy, bounded);
        both.write(
            request('GET', '/healthz', {
                headers: { 'X-Forwarded-For': one, Forwarded: 'for=192.0.2.212' },
            }),
        );
        assert.equal((await both.reply()).status, 400);
        large.socket.destroy();
        both.socket.destroy();
    }
    wire.socket.destroy();
});

test('a proxy has any number of connections and of requests of its own, whoever else has not', async () => {
    const wires = [];
    while (wires.length < 3 * bound)
        wires.push(await begin(wires.length % 2 ? undefined : 'unknown'));
    wires.forEach((wire) => wire.socket.destroy());
    const direct = [];
    while (direct.length < bound) {
        direct.push(await open(other, bounded));
        direct.at(-1).write(alive());
        assert.equal((await direct.at(-1).reply()).status, 200);
    }
    const late = await open(proxy, bounded),
        refused = await open(other, bounded);
    await refused.ended();
    late.write(alive(other));
    assertBusy(await late.reply());
    for (const wire of [...direct, late]) wire.socket.destroy();
});

test('streams of HTTP/2 are bound as requests are', async () => {
    const session = connect(bounded),
        one = '192.0.2.221',
        streams = [];
    while (streams.length < bound) {
        streams.push(
            stream(session, {
                'x-forwarded-for': one,
                expect: '100-continue',
                'content-length': '5',
            }),
        );
        await streams.at(-1).begun;
    }
    const late = await stream(session, { 'x-forwarded-for': one }, 'hello').reply;
    assert.equal(late.status, 429);
    assert.equal(late.headers['retry-after'], '1');
    assert.equal(
        (await stream(session, { 'x-forwarded-for': '192.0.2.222' }, 'hello').reply).status,
        400,
    );
    streams[0].open.end('hello');
    assert.equal((await streams[0].reply).status, 400);
    assert.equal((await stream(session, { 'x-forwarded-for': one }, 'hello').reply).status, 400);
    streams[1].open.close(http2.constants.NGHTTP2_CANCEL);
    await stream(session, { 'x-forwarded-for': '192.0.2.222' }, 'hello').reply; // the reset came before it
    const again = [
        stream(session, { 'x-forwarded-for': one, expect: '100-continue', 'content-length': '5' }),
        stream(session, { 'x-forwarded-for': one, expect: '100-continue', 'content-length': '5' }),
    ];
    await Promise.all(again.map(({ begun }) => begun));
    session.destroy();
});

// The table of failed sign-ins has a fixed size (src/auth), so only a part of the addresses fails; the others sign in.
test(
    '10,000 addresses that are made up hold no memory once their requests have ended',
    { timeout: 600000 },
    async () => {
        const resident = () =>
                1024 *
                Number(
                    /^RssAnon:\s+(\d+)/m.exec(
                        readFileSync(`/proc/${server.child.pid}/status`, 'utf8'),
                    )[1],
                ),
            MIB = 1048576;
        const each = 100;
        let number = 0;
        const client = () => `11.${++number >> 8}.${number & 255}.1`;
        const flood = async (count, signIns) => {
            const wire = await open();
            for (let sent = 0; sent < count; sent += each) {
                wire.write(
                    Array.from({ length: each }, (_, i) =>
                        i < signIns
                            ? form('wrong', [x(client())], 'nobody@example.com')
                            : alive(client()),
                    ).join(''),
                );
                await wire.reply(sent + each);
            }
            assert.ok(
                wire
                    .replies()
                    .every(({ status }, i) => status === (i % each < signIns ? 400 : 200)),
            );
            wire.socket.destroy();
        };
        await flood(1000, 2);
        const before = resident();
        await flood(10000, 2);
        if (!isSanitized())
            assert.ok(resident() - before < 4 * MIB, `${resident() - before} bytes more`);
        assert.equal(await signIn(x('192.0.2.2')), 200);
    },
);

// ---- The setting ----

test('a list that cannot be read stops the start', async () => {
    for (const [list, why] of [
        ['10.1.2.3/8', 'did you mean 10.0.0.0/8?'],
        ['localhost', 'must be an address'],
        ['127.0.0.1, x', 'must be an address'],
    ]) {
        const { code, stderr } = await run(['--demo', '--trusted-proxies', list]);
        assert.equal(code, 64);
        assert.match(stderr, /^rosterd: --trusted-proxies \S+: /);
        assert.ok(stderr.includes(why), stderr);
    }
});

test('over TLS the headers count as well', async () => {
    const sealed = await TlsServer.start(await makeCertificate(folder, 'own'), [
        ...limit,
        ...trusted,
    ]);
    await failUntilRefused(
        '192.0.2.241',
        '192.0.2.242',
        async (client, secret) =>
            (
                await sealed.call('POST', '/api/token', {
                    localAddress: proxy,
                    body: `grant_type=password&username=${adminEmail}&password=${secret}`,
                    headers: {
                        'Content-Type': 'application/x-www-form-urlencoded',
                        'X-Forwarded-For': client,
                    },
                })
            ).status,
    );
});
