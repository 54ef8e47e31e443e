// nginx as dist/nginx.conf has it: HTTP/2 smuggles nothing, and guesses and requests in progress are limited. proxies.test.mjs has what
// every proxy promises.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import {
    assertNothingSmuggled,
    request,
    send as sendTo,
    smuggled,
    spellings,
    startProxy,
    statusOf,
    stranger,
} from '../lib/proxies.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';

// With what the sample of its settings says, but for the data.
const dist = (name) => readFileSync(new URL(`../../dist/${name}`, import.meta.url), 'utf8');
const unit = dist('rosterd.service');
const settings = Object.fromEntries(
    [...dist('reference/roster.conf.in').matchAll(/^([a-z-]+) = (.*)$/gm)]
        .filter(([, name]) => name !== 'data')
        .map(([, name, value]) => [`ROSTER_${name.toUpperCase().replaceAll('-', '_')}`, value]),
);
const server = await Server.start(['--metrics'], settings);
const nginx = await startProxy('nginx', server, temporaryFolder()),
    { port } = nginx;
const send = (bytes, options) => sendTo(nginx, bytes, options);

test('nginx lets go of a connection before the server closes it', async () => {
    const [, kept] =
        /^\s*keepalive_timeout (\d+)s;/m.exec(
            readFileSync(new URL('../../dist/nginx.conf', import.meta.url), 'utf8'),
        ) ?? [];
    const [, idle] = /--idle-timeout=[^-]*\(default:\s+(\d+)\)/.exec(
        (await run(['--help'])).stdout.replaceAll(/\n\s+(?=[^-\s])/g, ' '),
    );
    assert.ok(Number(kept) < Number(idle), `${kept} s in dist/nginx.conf, ${idle} s in rosterd`);
});

test('the Id of a request is that of nginx, whatever the client says', async () => {
    const asked = request('GET', '/healthz', { lines: ['X-Request-Id: of-the-client'] });
    assert.match(await send(asked), /^x-request-id: [0-9a-f]{32}\r$/im);
});

// HTTP/2 by hand (RFC 9113), since node's own client refuses to say what a proxy must refuse to hear.
const frame = (type, flags, payload) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(type === SETTINGS ? 0 : 1, 5);
    return head.toString('latin1') + payload;
};
const DATA = 0,
    HEADERS = 1,
    RESET = 3,
    SETTINGS = 4,
    GOAWAY = 7,
    END_STREAM = 1,
    END_HEADERS = 4;
// RFC 7541 section 6.2.2: a literal that is not indexed, without Huffman's code.
const literal = (text) =>
    (text.length < 127
        ? String.fromCharCode(text.length)
        : `\x7f${String.fromCharCode(((text.length - 127) & 127) | 128, (text.length - 127) >> 7)}`) +
    text;
const http2 = (headers, body, trailers) =>
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' +
    frame(SETTINGS, 0, '') +
    frame(
        HEADERS,
        END_HEADERS | (body === undefined ? END_STREAM : 0),
        headers.map(([name, value]) => `\0${literal(name)}${literal(value)}`).join(''),
    ) +
    (body === undefined ? '' : frame(DATA, trailers ? 0 : END_STREAM, body)) +
    (trailers
        ? frame(
              HEADERS,
              END_HEADERS | END_STREAM,
              trailers.map(([name, value]) => `\0${literal(name)}${literal(value)}`).join(''),
          )
        : '');
function* frames(bytes) {
    for (let at = 0; at + 9 <= bytes.length; ) {
        const [size, type] = [
            Buffer.from(bytes.slice(at, at + 3), 'latin1').readUIntBE(0, 3),
            bytes.charCodeAt(at + 3),
        ];
        yield {
            type,
            flags: bytes.charCodeAt(at + 4),
            payload: bytes.slice(at + 9, at + 9 + size),
        };
        at += 9 + size;
    }
}
// The first header is the status: one of RFC 7541's table, or its name there and three digits.
const known = { 0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500 };
function statusOf2(bytes) {
    const head = [...frames(bytes)]
        .find(({ type }) => type === HEADERS)
        ?.payload.replace(/^[\x20-\x3f]+/, '');
    return head && (known[head.charCodeAt(0)] ?? Number(head.slice(2, 5)));
}
const isOver = (bytes) =>
    [...frames(bytes)].some(
        ({ type, flags }) =>
            type === RESET ||
            type === GOAWAY ||
            ((type === DATA || type === HEADERS) && flags & END_STREAM),
    );

test('HTTP/2 becomes HTTP/1.1 without a request in between: lengths, line breaks, codings and pseudo headers that lie', async () => {
    const head = (changes = {}, ...more) => [
        ...Object.entries({
            ':method': 'POST',
            ':scheme': 'https',
            ':path': '/api/token',
            ':authority': 'users.example.com',
            ...changes,
        }).filter(([, value]) => value !== undefined),
        ...more,
    ];
    const form = 'grant_type=password&username=nobody@example.com&password=no';
    const get = (changes, ...more) =>
        http2(head({ ':method': 'GET', ':path': '/healthz', ...changes }, ...more));
    const broken = `x\r\n\r\n${smuggled}`;
    // With what is wanted: a status of rosterd's, or that nginx refuses it, or that it is one request or none.
    const attempts = {
        'a GET': [get(), 200],
        'a GET with a long header': [get({}, ['x', 'y'.repeat(1000)]), 200],
        'a POST': [http2(head(), form), 400],
        'a POST with its length': [
            http2(head({}, ['content-length', `${form.length}`]), form),
            400,
        ],
        'content-length that is shorter than the data': [
            http2(head({}, ['content-length', '4']), form + smuggled),
            'refused',
        ],
        'content-length 0 before data': [
            http2(head({}, ['content-length', '0']), smuggled),
            'refused',
        ],
        'content-length that is longer than the data': [
            http2(head({}, ['content-length', `${form.length + smuggled.length}`]), form),
            'refused',
        ],
        'content-length without data': [
            http2(head({}, ['content-length', `${smuggled.length}`])),
            'refused',
        ],
        'content-length twice': [
            http2(head({}, ['content-length', `${form.length}`], ['content-length', '4']), form),
            'refused',
        ],
        'content-length with a line break': [
            http2(head({}, ['content-length', `4\r\n\r\n${smuggled}`]), form),
            'refused',
        ],
        'a request in the data of a GET': [
            http2(head({ ':method': 'GET', ':path': '/healthz' }), smuggled),
            'one',
        ],
        'transfer-encoding: chunked': [
            http2(head({}, ['transfer-encoding', 'chunked']), `0\r\n\r\n${smuggled}`),
            'one',
        ],
        'transfer-encoding with content-length': [
            http2(
                head(
                    {},
                    ['transfer-encoding', 'chunked'],
                    ['content-length', `${5 + smuggled.length}`],
                ),
                `0\r\n\r\n${smuggled}`,
            ),
            'refused',
        ],
        'an unknown transfer-encoding': [
            http2(head({}, ['transfer-encoding', 'xchunked']), `0\r\n\r\n${smuggled}`),
            'refused',
        ],
        'connection: transfer-encoding': [
            http2(head({}, ['connection', 'transfer-encoding']), form),
            'one',
        ],
        'trailers that name a length': [http2(head(), form, [['content-length', '4']]), 'one'],
        'a line break in a value': [get({}, ['x', broken]), 'refused'],
        'a line feed in a value': [get({}, ['x', broken.replaceAll('\r', '')]), 'refused'],
        'NUL in a value': [get({}, ['x', `a\0${broken}`]), 'refused'],
        'a line break in a name': [get({}, [`x: y\r\n\r\n${smuggled}`, 'z']), 'refused'],
        'a colon in a name': [get({}, ['transfer-encoding: chunked', 'z']), 'one'],
        'a name in capitals': [get({}, ['Content-Length', '5']), 'refused'],
        'an empty name': [get({}, ['', 'z']), 'refused'],
        'a request in :path': [
            get({ ':path': `/healthz HTTP/1.1\r\nHost: x\r\n\r\n${smuggled}` }),
            'refused',
        ],
        'a line feed in :path': [get({ ':path': '/healthz\nX: y' }), 'refused'],
        'a blank in :path': [get({ ':path': '/healthz x' }), 'one'],
        'a request in :method': [
            get({ ':method': `GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n${smuggled}GET` }),
            'refused',
        ],
        'a blank in :method': [get({ ':method': 'GET /healthz' }), 'refused'],
        'a line break in :authority': [get({ ':authority': broken }), 'refused'],
        'a request in :scheme': [get({ ':scheme': `https://x${broken}` }), 'refused'],
        ':authority and another host': [get({}, ['host', 'other']), 'one'],
        'two :paths': [get({}, [':path', '/metrics']), 'refused'],
        'two :methods': [get({}, [':method', 'DELETE']), 'refused'],
        'no :path': [get({ ':path': undefined }), 'refused'],
        'no :method': [get({ ':method': undefined }), 'refused'],
        'no :scheme': [get({ ':scheme': undefined }), 'refused'],
        'an empty :path': [get({ ':path': '' }), 'refused'],
        'a :path that is a whole address': [get({ ':path': 'http://x/metrics' }), 'refused'],
        'a pseudo header after others': [
            http2([
                [':method', 'GET'],
                [':scheme', 'https'],
                ['x', 'y'],
                [':path', '/healthz'],
                [':authority', 'x'],
            ]),
            'one',
        ],
        'a pseudo header that is none': [get({}, [':version', 'HTTP/1.1']), 'refused'],
        CONNECT: [
            http2([
                [':method', 'CONNECT'],
                [':authority', 'x:80'],
            ]),
            'refused',
        ],
        TRACE: [get({ ':method': 'TRACE' }), 'refused'],
    };
    await assertNothingSmuggled(
        server,
        nginx,
        Object.entries(attempts),
        ([bytes]) => send(bytes, { protocol: 'h2', isWhole: isOver }),
        (name, [, wanted], answer, passed) => {
            const status = statusOf2(answer);
            if (wanted === 'refused')
                assert.ok(
                    passed === 0 && (!status || status >= 400),
                    `${name}: ${status}, ${passed} passed on`,
                );
            else if (wanted === 'one') assert.ok(passed <= 1, `${name}: ${passed} passed on`);
            else assert.deepEqual([status, passed], [wanted, 1], name);
        },
    );
});

test('/metrics is for this machine alone, however it is spelled', async () => {
    for (const path of spellings('/metrics')) {
        assert.equal(
            statusOf(await send(request('GET', path), { from: '127.0.0.1' })),
            200,
            `${path} is one of rosterd's spellings`,
        );
        assert.equal(statusOf(await send(request('GET', path))), 403, path);
    }
    for (const path of ['//metrics', '/x/../metrics', '/%6detrics', '/metrics//', '/./metrics/'])
        assert.notEqual(statusOf(await send(request('GET', path))), 200, path);
});

test('guesses at passwords are limited at each path that takes one, however it is spelled', async () => {
    const tries = 60,
        burst = 20; // in less than the 40 s in which another 40 would be allowed
    for (const path of [
        '/api/token',
        '/api/sys/users/token',
        '/api/sys/users/validate',
        '/api/sys/users/exchange',
        '/api/auth/resetpassword',
    ].flatMap(spellings)) {
        const one = `POST ${path} HTTP/1.1\r\nHost: users.example.com\r\nContent-Length: 2\r\n\r\n{}`;
        const isWhole = (text) => text.split(/HTTP\/1\.1 \d/).length > tries;
        const answers = await send(one.repeat(tries), { isWhole });
        const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) =>
            Number(status),
        );
        assert.ok(
            statuses.slice(0, burst).every((status) => status === 400 || status === 401),
            `${path}: ${statuses}`,
        );
        assert.ok(statuses.includes(429), `${path}: ${statuses}`);
        assert.equal(statuses.length, tries, path);
    }
});

test('a password in Basic is taken nowhere as the sample of the settings has it, and limited at every path besides', async () => {
    const right = `Authorization: Basic ${Buffer.from(`${adminEmail}:${password}`).toString('base64')}`,
        tries = 60,
        burst = 20;
    assert.equal(settings.ROSTER_BASIC, 'no');
    for (const path of ['/api/auth/me', '/api/sys/users', '/api/token', '/nowhere']) {
        const one = `GET ${path} HTTP/1.1\r\nHost: users.example.com\r\n${right.replace('Basic', path.length % 2 ? 'Basic' : 'bASIC')}\r\n\r\n`;
        const answers = await send(one.repeat(tries), {
            isWhole: (text) => text.split(/HTTP\/1\.1 \d/).length > tries,
        });
        const statuses = [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) =>
            Number(status),
        );
        assert.equal(statuses.length, tries, path);
        assert.ok(!statuses.includes(200), `${path}: ${statuses}`);
        assert.ok(
            !statuses.slice(0, burst).includes(429) && statuses.includes(429),
            `${path}: ${statuses}`,
        );
    }
});

// They wait for a body of which the last byte does not come: nginx takes it whole before rosterd sees any of it.
test('one address has a hundred requests in progress at most; others are served meanwhile', async () => {
    const from = stranger(),
        sockets = [];
    const open = (bytes, client) =>
        new Promise((resolve, reject) => {
            const socket = tls.connect({
                port,
                host: '127.0.0.1',
                localAddress: client,
                rejectUnauthorized: false,
                servername: 'users.example.com',
            });
            sockets.push(socket);
            socket
                .once('data', (part) => resolve(statusOf(part.toString('latin1'))))
                .once('error', reject);
            socket.once('secureConnect', () => socket.write(bytes));
        });
    for (
        let i = 0;
        i < 100;
        i++ // nginx asks for the body once it has let the request in
    )
        assert.equal(
            await open(
                'POST /api/auth/me HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
                from,
            ),
            100,
            `${i}`,
        );
    assert.equal(await open(request('GET', '/healthz'), from), 429);
    assert.equal(await open(request('GET', '/healthz'), stranger()), 200);
    sockets.forEach((socket) => socket.destroy());
});

test('the unit has what it needs to be started again, reloaded, and ended before others are for want of memory', () => {
    for (const line of [
        /^Restart=on-failure$/m,
        /^RestartSec=\d+$/m,
        /^StartLimitIntervalSec=0$/m,
        /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m,
        /^MemoryMax=\d+G$/m,
    ])
        assert.match(unit, line);
    const never = /^RestartPreventExitStatus=(.*)$/m.exec(unit)[1].split(' ');
    assert.ok(!never.includes('74') && !never.includes('69') && never.includes('66'));
});
