// HTTPS: what is agreed on, which certificate a client gets, and that a connection is as good as a clear one.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { TlsServer, Wire, ask, makeCertificate, openssl, request } from '../lib/tls.mjs';
import { parseReply } from '../lib/client.mjs';
import { userId } from '../lib/ids.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';
import { inTime, sleep, until } from '../lib/wait.mjs';
import { addMembers } from '../lib/world.mjs';

const folder = temporaryFolder(),
    concurrently = { concurrency: 8 };
const [own, rsa] = await Promise.all([
    makeCertificate(folder, 'own'),
    makeCertificate(folder, 'rsa', ['localhost', '127.0.0.1'], 'rsa'),
]);
const socket = join(folder, 'clear.sock');
const [server, brief] = await Promise.all([
    TlsServer.start(own, [
        '--listen',
        '127.0.0.1:0',
        '--listen',
        `unix:${socket}`,
        '--redirect-listen',
        '127.0.0.1:0',
    ]),
    TlsServer.start(own, ['--idle-timeout', '1']),
]);
const token = await server.admin(),
    members = await addMembers(server, 19);
const servers = [server, brief];

// A connection by TLS, once the handshake is done.
const seal = (options = {}, at = server) =>
    Wire.open(tls.connect({ ...at.where, ...options }), 'secureConnect');
// The error that ends a handshake that must fail.
const refusal = (options, at = server) =>
    seal({ ca: undefined, rejectUnauthorized: false, ...options }, at).then(
        (wire) => {
            wire.socket.destroy();
            return 'served';
        },
        (error) => error.code,
    );
const stillServes = async (at = server) =>
    assert.equal((await at.call('GET', '/healthz')).status, 200);

test('HTTPS carries what HTTP does', concurrently, async (t) => {
    await Promise.all([
        t.test(
            'the address is printed as https, that of a UNIX socket and of redirects as they are',
            () => {
                assert.match(server.urls[0], /^https:\/\/127\.0\.0\.1:\d+$/);
                assert.equal(server.urls[1], `unix:${socket}`);
                assert.match(server.urls[2], /^http:\/\/127\.0\.0\.1:\d+$/);
                assert.equal(server.urls.length, 3);
            },
        ),

        t.test('a connection is kept for further requests', async () => {
            const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
            for (let i = 0; i < 20; i++) {
                const reply = await server.call('GET', `/api/sys/users/${userId}`, {
                    token,
                    agent,
                });
                assert.deepEqual(
                    [reply.status, reply.json.Id, reply.wasReused],
                    [200, userId, i > 0],
                );
            }
            agent.destroy();
        }),

        t.test('a body of 1 MiB is taken, one byte more is not', async () => {
            const user = JSON.stringify(required(await server.get(userId)));
            const body = user + ' '.repeat(1024 * 1024 - user.length);
            const put = (text) =>
                server.call('PUT', '/api/sys/users', {
                    token,
                    body: text,
                    headers: { 'Content-Type': 'application/json' },
                });
            for (let i = 0; i < 3; i++) assert.equal((await put(body)).status, 200);
            assert.equal((await put(`${body} `)).status, 413);
        }),

        t.test(
            'pipelined requests are answered in their order, whatever records they come in',
            async () => {
                const ids = Array.from({ length: 100 }, (_, i) => members[(7 * i) % 19]);
                const all = ids
                    .map((id) => request('GET', `/api/sys/users/${id}`, { token }))
                    .join('');
                for (const piece of [all.length, 1000, 37]) {
                    const wire = await seal();
                    for (let at = 0; at < all.length; at += piece)
                        wire.write(all.slice(at, at + piece));
                    await wire.reply(ids.length);
                    assert.deepEqual(
                        wire.replies().map(({ body }) => JSON.parse(body).Id),
                        ids,
                    );
                    wire.socket.destroy();
                }
            },
        ),

        t.test('a client that reads slowly gets every byte of 20 MB', async () => {
            const { text } = await server.call('GET', '/api/openapi.json');
            const stream = tls.connect({ ...server.where, highWaterMark: 16384 });
            await inTime(
                'the handshake',
                new Promise((resolve) => {
                    stream.once('secureConnect', resolve);
                }),
            );
            stream.pause();
            stream.write(request('GET', '/api/openapi.json').repeat(99));
            stream.write(request('GET', '/api/openapi.json', { headers: { Connection: 'close' } }));
            await sleep(300); // all buffers on the way are full then, or the test is only easier
            const hash = createHash('sha256');
            let rest = '',
                found = 0;
            for await (const part of stream) {
                rest += part.toString('latin1');
                if (found % 10 === 0) await sleep(1);
                for (let end; (end = rest.indexOf('\r\n\r\n')) >= 0; ) {
                    const length = Number(/^Content-Length: (\d+)\r$/m.exec(rest)[1]);
                    if (rest.length < end + 4 + length) break;
                    assert.match(rest, /^HTTP\/1\.1 200 OK\r\n/);
                    assert.equal(length, Buffer.byteLength(text));
                    hash.update(rest.slice(end + 4, end + 4 + length), 'latin1');
                    rest = rest.slice(end + 4 + length);
                    found++;
                }
            }
            assert.deepEqual([found, rest], [100, '']);
            assert.equal(
                hash.digest('hex'),
                createHash('sha256').update(text.repeat(100)).digest('hex'),
            );
        }),

        t.test(
            'a client that closes its own side, with close_notify or a FIN alone, is answered first',
            async () => {
                const polite = await seal({ allowHalfOpen: true });
                polite.socket.end(request('GET', `/api/sys/users/${userId}`, { token }));
                assert.equal((await polite.reply()).status, 200);
                assert.equal(await polite.ended(), 'end');
                const below = net.connect({
                    host: server.host,
                    port: server.port,
                    allowHalfOpen: true,
                });
                const rude = await Wire.open(
                    tls.connect({ ...server.where, socket: below }),
                    'secureConnect',
                );
                rude.write(request('GET', `/api/sys/users/${userId}`, { token }));
                below.end();
                assert.equal((await rude.reply()).status, 200);
                await until('its end', () => rude.how);
                rude.socket.destroy();
            },
        ),

        t.test('the end of a connection is said: close_notify, then FIN', async () => {
            const wire = await seal();
            wire.write(request('GET', '/healthz', { headers: { Connection: 'close' } }));
            assert.equal(
                await wire.ended(),
                'end',
                'node would say ECONNRESET without close_notify',
            );
        }),

        t.test('a session is resumed, by TLS 1.2 and 1.3', async () => {
            for (const version of ['TLSv1.2', 'TLSv1.3']) {
                const first = tls.connect({
                    ...server.where,
                    minVersion: version,
                    maxVersion: version,
                });
                const session = new Promise((resolve) => {
                    first.once('session', resolve);
                });
                const wire = await Wire.open(first, 'secureConnect');
                wire.write(request('GET', '/healthz'));
                await wire.reply();
                const again = await seal({
                    minVersion: version,
                    maxVersion: version,
                    session: await inTime('a session', session),
                });
                assert.ok(again.socket.isSessionReused(), version);
                again.write(request('GET', '/healthz'));
                assert.equal((await again.reply()).status, 200);
                for (const one of [wire, again]) one.socket.destroy();
            }
        }),

        t.test('a UNIX socket is clear all the same', async () => {
            assert.equal((await ask({ socketPath: socket })).status, 200);
        }),
    ]);
});

test(
    'the version, cipher and protocol that client and server agree on',
    concurrently,
    async (t) => {
        const named = await TlsServer.start({
            ...own,
            options: [
                '--tls-cert',
                `${own.cert},${rsa.cert}`,
                '--tls-key',
                `${own.key},${rsa.key}`,
            ],
        });
        servers.push(named);
        const rsaServer = await TlsServer.start(rsa);
        servers.push(rsaServer);
        const of = { ECDSA: server, RSA: rsaServer };
        await Promise.all([
            t.test('TLS 1.2 and 1.3, and nothing older', async () => {
                for (const version of ['TLSv1.2', 'TLSv1.3']) {
                    const wire = await seal({ minVersion: version, maxVersion: version });
                    assert.equal(wire.socket.getProtocol(), version);
                    wire.socket.destroy();
                }
                for (const version of ['TLSv1', 'TLSv1.1'])
                    assert.equal(
                        await refusal({
                            minVersion: version,
                            maxVersion: version,
                            ciphers: 'ALL:@SECLEVEL=0',
                        }),
                        'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
                        version,
                    );
            }),

            t.test(
                'of all ciphers of TLS 1.2 those with ECDHE and AEAD, and no other',
                async () => {
                    const { stdout } = await openssl(
                        'ciphers',
                        '-tls1_2',
                        '-s',
                        'ALL:COMPLEMENTOFALL:@SECLEVEL=0',
                    );
                    const all = stdout
                        .trim()
                        .split(':')
                        .filter((name) => !/PSK|SRP/.test(name));
                    assert.ok(
                        all.includes('AES128-SHA') &&
                            all.includes('ECDHE-RSA-AES128-SHA') &&
                            all.includes('DHE-RSA-AES128-GCM-SHA256') &&
                            all.length > 40,
                        stdout,
                    );
                    for (const kind of ['ECDSA', 'RSA']) {
                        const served = new Set(
                            ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map(
                                (name) => `ECDHE-${kind}-${name}`,
                            ),
                        );
                        for (const cipher of all) {
                            // Later versions of OpenSSL call the alert by another name.
                            const result = (
                                await refusal(
                                    {
                                        minVersion: 'TLSv1.2',
                                        maxVersion: 'TLSv1.2',
                                        ciphers: `${cipher}:@SECLEVEL=0`,
                                    },
                                    of[kind],
                                )
                            ).replace('SSL/TLS', 'SSLV3');
                            assert.equal(
                                result,
                                served.delete(cipher)
                                    ? 'served'
                                    : 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
                                `${kind} ${cipher}`,
                            );
                        }
                        assert.deepEqual([...served], []);
                    }
                },
            ),

            t.test(
                'http/1.1 and http/1.0 by ALPN or without it, and no protocol that nobody speaks here',
                async () => {
                    for (const protocol of ['http/1.1', 'http/1.0']) {
                        // the latter is all that `curl --http1.0` offers
                        const wire = await seal({ ALPNProtocols: [protocol] });
                        assert.equal(wire.socket.alpnProtocol, protocol);
                        wire.socket.destroy();
                    }
                    const silent = await seal();
                    assert.equal(silent.socket.alpnProtocol, false);
                    silent.socket.destroy();
                    assert.equal(
                        await refusal({ ALPNProtocols: ['spdy/3', 'http/0.9'] }),
                        'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
                    );
                },
            ),

            t.test('renegotiation is refused', async () => {
                const wire = await seal({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
                const error = await inTime(
                    'a refusal',
                    new Promise((resolve) => {
                        wire.socket.renegotiate({}, resolve);
                        wire.socket.on('error', resolve);
                    }),
                );
                assert.match(String(error?.code), /NO_RENEGOTIATION/);
                wire.socket.destroy();
                await stillServes();
            }),
        ]);
    },
);

test('a client gets the certificate of the name that it asks for, else the first', async () => {
    const exact = await makeCertificate(folder, 'exact', [
        'users.example.com',
        'exact.example.net',
    ]);
    const wild = await makeCertificate(folder, 'wild', ['*.example.com'], 'rsa');
    const all = { 2: [own, exact], 3: [own, wild, exact] };
    const names = {
        'users.example.com': { 2: exact, 3: exact },
        'USERS.Example.COM': { 2: exact, 3: exact },
        'exact.example.net': { 2: exact, 3: exact },
        'other.example.com': { 2: own, 3: wild },
        'a.b.example.com': { 2: own, 3: own },
        'example.com': { 2: own, 3: own },
        'unknown.example.org': { 2: own, 3: own },
        localhost: { 2: own, 3: own },
        '': { 2: own, 3: own },
    };
    for (const count of [2, 3]) {
        const at = await TlsServer.start({
            ...own,
            options: [
                '--tls-cert',
                all[count].map(({ cert }) => cert).join(','),
                '--tls-key',
                all[count].map(({ key }) => key).join(','),
            ],
        });
        servers.push(at);
        for (const [servername, wanted] of Object.entries(names))
            for (const version of ['TLSv1.2', 'TLSv1.3']) {
                const wire = await seal(
                    {
                        servername,
                        minVersion: version,
                        maxVersion: version,
                        rejectUnauthorized: false,
                    },
                    at,
                );
                assert.equal(
                    wire.socket.getPeerCertificate().subject.CN,
                    wanted[count].name,
                    `${count}: ${servername}, ${version}`,
                );
                wire.write(request('GET', '/healthz'));
                assert.equal((await wire.reply()).status, 200);
                wire.socket.destroy();
            }
    }
});

test('bytes that are no TLS', concurrently, async (t) => {
    // The answer to bytes at a TLS port.
    const answer = async (bytes, at = server) => {
        const wire = await Wire.clear(at.where);
        wire.write(bytes);
        await wire.ended();
        return Buffer.concat(wire.parts);
    };
    const isAlertOrNothing = (bytes) =>
        assert.ok(
            bytes.length === 0 || (bytes[0] === 21 && bytes.length <= 7),
            bytes.toString('latin1'),
        );
    await Promise.all([
        t.test(
            'plain HTTP at a TLS address is told so once, carries nothing out, and gets no HSTS',
            async () => {
                const before = await server.get(userId);
                const body = JSON.stringify({ ...required(before), FullName: 'By plain HTTP' });
                const get = request('GET', '/healthz'),
                    put = request('PUT', '/api/sys/users', { token, body });
                for (const bytes of [get, put, get + get, put + get]) {
                    const text = (await answer(bytes)).toString(),
                        reply = parseReply(text);
                    assert.deepEqual(
                        [reply.status, reply.end, reply.headers.connection],
                        [400, text.length, 'close'],
                        text,
                    );
                    assert.equal(
                        JSON.parse(reply.body).Message,
                        'This address speaks HTTPS, and the request came without TLS.',
                    );
                    assert.ok(!('strict-transport-security' in reply.headers));
                }
                assert.match(
                    (await answer('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toString(),
                    /^HTTP\/1\.1 505 /,
                );
                assert.deepEqual(await server.get(userId), before);
                await stillServes();
            },
        ),

        t.test('garbage is closed, others are served on', async () => {
            for (const bytes of [
                '\0'.repeat(100),
                '\xff'.repeat(70000),
                '\x16\x03\x01\xff\xff',
                '\x16\x03\x01\x00\x05hello',
                '\x80\x2e\x01\x00\x02' + '\0'.repeat(50),
                '\x15\x03\x03\x00\x02\x02\x28',
                '\x14\x03\x03\x00\x01\x01',
                '\x17\x03\x03\x00\x05hello',
            ]) {
                isAlertOrNothing(await answer(Buffer.from(bytes, 'latin1'), brief));
                await stillServes(brief);
            }
        }),

        t.test('garbage inside of an established connection ends it, and it alone', async () => {
            const below = net.connect({ host: server.host, port: server.port });
            const wire = await Wire.open(
                tls.connect({ ...server.where, socket: below }),
                'secureConnect',
            );
            wire.write(request('GET', '/healthz'));
            await wire.reply();
            const other = await seal();
            below.write(Buffer.from(`\x17\x03\x03\x00\x40${'x'.repeat(64)}`, 'latin1'));
            assert.ok(await inTime('its end', wire.ended()));
            other.write(request('GET', '/healthz'));
            assert.equal((await other.reply()).status, 200);
            other.socket.destroy();
        }),

        t.test(
            'a handshake that does not come to its end is closed: nothing sent, a part, a byte now and then',
            async () => {
                // The ClientHello of a real client.
                const hello = await new Promise((resolve) => {
                    const trap = net
                        .createServer((taken) => {
                            taken.once('data', (bytes) => {
                                resolve(bytes);
                                taken.destroy();
                                trap.close();
                            });
                        })
                        .listen(0, '127.0.0.1', () => {
                            tls.connect({ port: trap.address().port, host: '127.0.0.1' }).on(
                                'error',
                                () => {},
                            );
                        });
                });
                const [silent, half, whole, drop] = await Promise.all(
                    Array.from({ length: 4 }, () => Wire.clear(brief.where)),
                );
                half.write(hello.subarray(0, 100));
                whole.write(hello);
                const timer = setInterval(
                    () =>
                        drop.write(
                            hello.subarray(drop.sent ?? 0, (drop.sent = (drop.sent ?? 0) + 1)),
                        ),
                    100,
                );
                await stillServes(brief);
                await Promise.all([silent, half, whole, drop].map((wire) => wire.ended()));
                clearInterval(timer);
                assert.ok(drop.sent < hello.length, 'else it could have come to its end');
                for (const wire of [silent, half, drop]) assert.equal(wire.size, 0);
                assert.ok(whole.size > 0, 'the server said its part');
            },
        ),
    ]);
});

test('Strict-Transport-Security is said with every reply by TLS, and never without', async () => {
    const hsts = /^Strict-Transport-Security: max-age=\d+/im;
    const others = [
        ['GET', '/healthz'],
        ['GET', '/nowhere'],
        ['GET', '/api/sys/users/1'],
        ['POST', '/api/token'],
        ['DELETE', '/api/token'],
        ['OPTIONS', '/api/token'],
    ];
    for (const [method, path] of others) {
        assert.ok(
            (await server.call(method, path)).headers.has('strict-transport-security'),
            `${method} ${path}`,
        );
        assert.ok(
            !(await ask({ socketPath: socket, method, path })).headers.has(
                'strict-transport-security',
            ),
            `${method} ${path}`,
        );
    }
    const refused = {
        400: 'GET /healthz HTTP/1.1\r\n\r\n',
        413: request('PUT', '/api/sys/users', { headers: { 'Content-Length': 2000000 } }),
        417: request('GET', '/healthz', { headers: { Expect: 'x' } }),
        431: `GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(20000)}`,
        501: 'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n',
        505: 'GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n',
    };
    for (const [status, bytes] of Object.entries(refused)) {
        const sealed = await seal(),
            clear = await Wire.clear({ path: socket });
        for (const wire of [sealed, clear]) {
            wire.write(bytes);
            assert.equal((await wire.reply()).status, Number(status));
            assert.equal(hsts.test(wire.text), wire === sealed, wire.text);
            wire.socket.destroy();
        }
    }
    const late = await seal({}, brief);
    late.write('GET /healthz HTTP/1.1\r\n');
    const { status, head } = await late.reply();
    assert.equal(status, 408);
    assert.match(head, hsts);
    const redirect = await ask({ host: '127.0.0.1', port: new URL(server.urls[2]).port });
    assert.ok(!redirect.headers.has('strict-transport-security'), 'RFC 6797 section 7.2');
});

test('--redirect-listen sends every client to HTTPS, and carries nothing out', async () => {
    const { port } = new URL(server.urls[2]),
        https = `:${server.port}`;
    const say = async (bytes) => {
        const wire = await Wire.clear({ host: '127.0.0.1', port });
        wire.write(bytes);
        const reply = await wire.reply();
        assert.equal(await wire.ended(), 'end');
        assert.equal(wire.replies().length, 1);
        return [reply.status, /^Location: (.*)\r$/m.exec(reply.head)?.[1]];
    };
    const get = (target, host) => say(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.deepEqual(await get('/', 'example.com'), [308, `https://example.com${https}/`]);
    assert.deepEqual(await get('/api/sys/users?page=2&User_Email=a%40b', 'example.com'), [
        308,
        `https://example.com${https}/api/sys/users?page=2&User_Email=a%40b`,
    ]);
    assert.deepEqual(await get('/x?', 'example.com:80'), [308, `https://example.com${https}/x?`]);
    assert.deepEqual(await get('/x', 'example.com:8080'), [308, `https://example.com${https}/x`]);
    assert.deepEqual(await get('/x', '[::1]'), [308, `https://[::1]${https}/x`]);
    assert.deepEqual(await get('/x', '[2001:db8::1]:8080'), [
        308,
        `https://[2001:db8::1]${https}/x`,
    ]);
    assert.deepEqual(await get('//evil.example/x', 'example.com'), [
        308,
        `https://example.com${https}//evil.example/x`,
    ]);
    assert.deepEqual(await get('http://other.example:81/x?y', 'example.com'), [
        308,
        `https://other.example${https}/x?y`,
    ]);
    assert.deepEqual(await get('/x', ''), [400, undefined]);
    assert.deepEqual(await get('/x', ':80'), [400, undefined]);
    assert.deepEqual(await get('/x', 'evil.example/\\'), [400, undefined]);
    assert.deepEqual(await say('GET /x HTTP/1.1\r\n\r\n'), [400, undefined]);
    assert.deepEqual(await say('GET /x HTTP/1.0\r\n\r\n'), [400, undefined]);
    assert.deepEqual(await say('GET /x HTTP/1.0\r\nHost: example.com\r\n\r\n'), [
        308,
        `https://example.com${https}/x`,
    ]);
    assert.deepEqual(
        await say('OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n'),
        [400, undefined],
        'there is no such path',
    );
    const body = JSON.stringify({
        ...required(await server.get(userId)),
        FullName: 'By a redirect',
    });
    const long = body + ' '.repeat(1000000);
    assert.deepEqual(await say(request('PUT', '/api/sys/users', { token, body })), [
        308,
        `https://localhost${https}/api/sys/users`,
    ]);
    assert.deepEqual(
        await say(request('PUT', '/api/sys/users', { token, body: long })),
        [308, `https://localhost${https}/api/sys/users`],
        'behind a body that nobody reads',
    );
    assert.deepEqual(
        await say(
            request('POST', '/api/token', {
                body: `grant_type=password&username=${adminEmail}&password=${password}`,
            }),
        ),
        [308, `https://localhost${https}/api/token`],
    );
    assert.notEqual((await server.get(userId)).FullName, 'By a redirect');
});

test('a certificate or key that cannot be used stops the start in one line', async () => {
    const other = await makeCertificate(folder, 'other');
    const file = (name, text) => {
        writeFileSync(join(folder, name), text, { mode: 0o600 });
        return join(folder, name);
    };
    const [usage, noInput, unavailable] = [64, 66, 69];
    const encrypted = join(folder, 'encrypted.key');
    await openssl('pkey', '-in', own.key, '-aes256', '-passout', 'pass:secret', '-out', encrypted);
    const weak = join(folder, 'weak');
    await openssl(
        'req',
        '-x509',
        '-newkey',
        'rsa:1024',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=weak',
        '-keyout',
        `${weak}.key`,
        '-out',
        `${weak}.pem`,
    );
    const secret = 'kX9'.repeat(20);
    const wrong = [
        [[own.cert, '/nowhere/key'], noInput, /\/nowhere\/key: No such file/],
        [['/nowhere/cert', own.key], noInput, /\/nowhere\/cert: No such file/],
        [[folder, own.key], noInput, /: holds no certificate/],
        [
            [own.cert, other.key],
            noInput,
            /other\.key: not the key of the certificate in .*own\.pem/,
        ],
        [[`${own.cert},${other.cert}`, own.key], noInput, /certificates: 2, keys: 1/],
        [[own.cert, `${own.key},${other.key}`], noInput, /certificates: 1, keys: 2/],
        [
            [`${own.cert},${other.cert}`, `${other.key},${own.key}`],
            noInput,
            /other\.key: not the key/,
        ],
        [[own.cert, encrypted], noInput, /encrypted\.key: the key is encrypted/],
        [[own.key, own.key], noInput, /own\.key: holds no certificate/],
        [[own.cert, own.cert], noInput, /own\.pem: holds no private key/],
        [[own.cert, file('empty', '')], noInput, /empty: holds no private key/],
        [[file('empty', ''), own.key], noInput, /empty: holds no certificate/],
        [[own.cert, file('garbage', secret)], noInput, /garbage: holds no private key/],
        [
            [own.cert, file('torn', readFileSync(own.key, 'utf8').slice(0, 120))],
            noInput,
            /torn: holds no private key/,
        ],
        [
            [file('torn.pem', own.pem + own.pem.slice(0, 200)), own.key],
            noInput,
            /torn\.pem: certificate 2 cannot be read/,
        ],
        [[`${weak}.pem`, `${weak}.key`], noInput, /weak\.pem: not fit for TLS/],
        [[`${own.cert},`, `${own.key},`], noInput, /./],
    ].map(([[cert, key], ...rest]) => [['--tls-cert', cert, '--tls-key', key], ...rest]);
    wrong.push(
        [['--tls-cert', own.cert], noInput, /certificates: 1, keys: 0/],
        [['--tls-key', own.key], noInput, /certificates: 0, keys: 1/],
        [
            ['--redirect-listen', '127.0.0.1:0'],
            usage,
            /--redirect-listen sends clients to HTTPS.*--tls-cert/,
        ],
        [
            [...own.options, '--redirect-listen', 'nowhere'],
            usage,
            /--redirect-listen nowhere: must be like/,
        ],
        [
            [...own.options, '--redirect-listen', `127.0.0.1:${server.port}`],
            unavailable,
            /--redirect-listen.*already in use/,
        ],
    );
    if (process.getuid() !== 0) {
        chmodSync(file('unreadable', readFileSync(own.key)), 0);
        wrong.push([
            ['--tls-cert', own.cert, '--tls-key', join(folder, 'unreadable')],
            noInput,
            /unreadable: Permission denied/,
        ]);
    }
    for (const [args, code, says] of wrong) {
        const data = join(folder, 'never'),
            result = await run(['--demo', '--listen', '127.0.0.1:0', '--data', data, ...args]);
        assert.equal(result.code, code, `${args}: ${result.stderr}`);
        assert.match(result.stderr, says);
        assert.match(result.stderr, /^rosterd: [^\n]+\n$/);
        assert.equal(result.stdout, '');
        assert.ok(!result.stderr.includes('kX9'), 'nothing of a key is told');
        assert.throws(() => readFileSync(join(data, 'roster.db')), 'no trace is left');
    }
});

// The two files that a server reads, and the identity that they have now.
function makePair(name) {
    const pair = { cert: join(folder, `${name}.now.pem`), key: join(folder, `${name}.now.key`) };
    pair.options = ['--tls-cert', pair.cert, '--tls-key', pair.key];
    pair.put = (what) => {
        writeFileSync(pair.key, readFileSync(what.key), { mode: 0o600 });
        writeFileSync(pair.cert, what.pem);
        pair.pem = what.pem;
    };
    return pair;
}

// SIGHUP, and the line that the log then has.
async function reload(at) {
    const size = at.stderr.length;
    at.child.kill('SIGHUP');
    return until(
        'a line after SIGHUP',
        () => /^.*certificates.*\n/m.exec(at.stderr.slice(size))?.[0],
    );
}
const nameAt = async (at) => {
    const wire = await seal({ rejectUnauthorized: false }, at);
    const { CN } = wire.socket.getPeerCertificate().subject;
    wire.socket.destroy();
    return CN;
};

test('SIGHUP: new connections get the new certificate, old ones go on; broken files change nothing', async () => {
    const [old, fresh] = [
            await makeCertificate(folder, 'old'),
            await makeCertificate(folder, 'fresh'),
        ],
        pair = makePair('pair');
    pair.put(old);
    const at = await TlsServer.start(pair);
    servers.push(at);
    const kept = await seal({}, at);
    kept.write(request('GET', '/healthz'));
    await kept.reply();
    assert.equal(await nameAt(at), 'old');

    pair.put(fresh);
    assert.equal(await nameAt(at), 'old', 'not before the signal');
    assert.match(await reload(at), /info: reloaded the certificates/);
    assert.equal(await nameAt(at), 'fresh');
    kept.write(request('GET', '/healthz'));
    assert.equal((await kept.reply(2)).status, 200);

    const broken = [
        [() => writeFileSync(pair.key, readFileSync(old.key)), /pair\.now\.key: not the key of/],
        [() => writeFileSync(pair.key, ''), /pair\.now\.key: holds no private key/],
        [
            () => {
                pair.put(fresh);
                writeFileSync(pair.cert, 'x');
            },
            /pair\.now\.pem: holds no certificate/,
        ],
    ];
    for (const [spoil, says] of broken) {
        spoil();
        const line = await reload(at);
        assert.match(line, / error: the old certificates stay in use: /);
        assert.match(line, says);
        assert.equal(await nameAt(at), 'fresh');
    }
    kept.write(request('GET', '/healthz'));
    assert.equal((await kept.reply(3)).status, 200);

    pair.put(old);
    assert.match(await reload(at), /info: reloaded the certificates/);
    assert.equal(await nameAt(at), 'old');
    kept.write(request('GET', '/healthz'));
    assert.equal((await kept.reply(4)).status, 200);
    kept.socket.destroy();
});

test('SIGHUP without TLS is noted and ends nothing', async () => {
    const at = await Server.start();
    assert.match(await reload(at), /info: SIGHUP: there are no certificates to reload/);
    assert.equal((await at.call('GET', '/healthz')).status, 200);
});

test('100 reloads while 8 clients ask, on kept and on new connections: no request fails', async () => {
    const pair = makePair('load'),
        two = [await makeCertificate(folder, 'one'), await makeCertificate(folder, 'two')];
    pair.put(two[0]);
    const at = await TlsServer.start(pair),
        reader = await at.token();
    servers.push(at);
    at.ca = two.map(({ pem }) => pem);
    let done = false,
        asked = 0;
    const clients = Array.from({ length: 8 }, async (_, number) => {
        const agent = number % 2 ? new https.Agent({ keepAlive: true, maxSockets: 1 }) : false;
        while (!done) {
            const reply = await at.call('GET', `/api/sys/users/${userId}`, {
                token: reader,
                agent,
            });
            assert.deepEqual([reply.status, reply.json.Id], [200, userId]);
            asked++;
        }
        if (agent) agent.destroy();
    });
    const all = Promise.all(clients);
    for (let i = 1; i <= 100; i++) {
        pair.put(two[i % 2]);
        assert.match(await Promise.race([reload(at), all]), /info: reloaded the certificates/);
    }
    done = true;
    await all;
    assert.ok(asked >= 8, `${asked} requests`);
});

test('no part of a key is in the log', () => {
    const secrets = servers
        .flatMap(({ args }) =>
            args
                .filter((_, i) => args[i - 1] === '--tls-key')
                .join(',')
                .split(','),
        )
        .flatMap((path) =>
            readFileSync(path, 'utf8')
                .split('\n')
                .filter((line) => line && !line.startsWith('-----')),
        );
    assert.ok(secrets.length > 10);
    for (const { stdout, stderr } of servers)
        for (const secret of secrets) assert.ok(!(stdout + stderr).includes(secret));
});
