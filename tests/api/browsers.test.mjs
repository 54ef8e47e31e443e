// A browser adds the Basic password that it keeps for a host to whatever any page has it send there (docs/api.md,
// "Basic from a browser"): no page of another origin changes anything with it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import { TlsServer, ask, makeCertificate } from '../lib/tls.mjs';
import { staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';

const listed = 'https://app.example.com',
    evil = 'https://evil.example.org';
const Basic = (secret = password) =>
    `Basic ${Buffer.from(`${adminEmail}:${secret}`).toString('base64')}`;
const server = await Server.start(['--cors-origins', listed, '--lockout-attempts', '3']);
const foreign = [
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: evil },
    { Origin: 'null' },
    { Origin: evil, 'Sec-Fetch-Site': 'same-origin' },
];

// ---- The routes, as routes.def has them ----

const rows = readFileSync(new URL('../../src/api/routes.def', import.meta.url), 'utf8')
    .replace(/\/\*[^]*?\*\//g, '')
    .trim()
    .split(/\n+(?=[A-Z]+\()/)
    .map((row) => ({
        kind: /^\w+/.exec(row)[0],
        path: /"([^"]*)"/.exec(row)[1],
        method: /\b(GET|POST|PUT|PATCH|DELETE)\b/.exec(row)?.[1],
        offers: row.match(/\b(READS|WRITES|DELETES|ALL)\b/g) ?? [],
    }));
const each = rows.filter(({ kind }) => kind === 'EACH');

function routesOf({ kind, path, method, offers }) {
    if (kind !== 'RESOURCE') return kind === 'EACH' ? [] : [[method, path]];
    return each
        .filter((one) => offers.includes('ALL') || offers.includes(one.offers[0]))
        .map((one) => [one.method, path + one.path]);
}

const routes = rows
    .flatMap(routesOf)
    .map(([method, path]) => ({
        method,
        path: path.replace('{id}', userId),
        title: `${method} ${path}`,
    }));
// GETs that change something.
const isWriting = ({ method, title }) =>
    method !== 'GET' || title === 'GET /api/sys/users/{id}/token/refresh';
const writing = routes.filter(isWriting),
    reading = routes.filter((route) => !isWriting(route));

test('the routes of this test are those that the server describes', async () => {
    const { json } = await server.call('GET', '/api/openapi.json');
    const described = Object.entries(json.paths)
        .flatMap(([path, item]) =>
            Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
        )
        .filter((title) => /^(GET|POST|PUT|PATCH|DELETE) /.test(title));
    const own = new Set(routes.map(({ title }) => title));
    assert.deepEqual(
        described.filter((title) => !own.has(title)),
        [],
    );
    assert.ok(writing.length > 40, `${writing.length}`);
});

// ---- What is refused ----

const refused = (reply, what) => {
    const { Message } = assertFailure(reply, 403);
    assert.match(Message, /page of another origin.*Basic/, what);
};
const send = ({ method, path }, headers, body = '{}') =>
    server.call(method, path, {
        headers: { Authorization: Basic(), ...headers },
        body: method === 'GET' ? undefined : body,
    });

test('no route that changes something takes Basic from a page of another origin, whatever says so', async () => {
    const before = await server.get(userId);
    for (const route of writing)
        for (const headers of foreign)
            refused(await send(route, headers), `${route.title} ${JSON.stringify(headers)}`);
    assert.deepEqual(await server.get(userId), before);
});

test("each route takes Basic from the server's own pages, from listed origins and from clients that are no browser", async () => {
    const own = [
        {},
        { 'Sec-Fetch-Site': 'same-origin' },
        { 'Sec-Fetch-Site': 'none' },
        { Origin: server.url },
        { Origin: server.url.toUpperCase(), 'Sec-Fetch-Site': 'Same-Origin' },
        { Origin: server.url.replace('http:', 'https:') },
        { Origin: listed },
        { Origin: listed, 'Sec-Fetch-Site': 'cross-site' },
    ];
    for (const route of writing.filter(({ title }) => !/DELETE|runcommand/.test(title)))
        for (const headers of own)
            assert.doesNotMatch(
                (await send(route, headers)).text,
                /another origin/,
                `${route.title} ${JSON.stringify(headers)}`,
            );
    const put = required(await server.get(userId));
    for (const headers of own)
        assert.equal(
            (await send({ method: 'PUT', path: '/api/sys/users' }, headers, put)).status,
            200,
            JSON.stringify(headers),
        );
});

test('the form that made an administrator makes nobody', async () => {
    const body =
        '{"FullName":"Evil","Email":"csrf@example.com","Language":1,"PasswordSalt":"","LastHelpVisited":0,"InvalidLoginAttempts":0,"IsAdmin":true,"Active":true,"NewPassword":"correct-horse-battery","x":"="}';
    const form = (headers) =>
        server.call('POST', '/api/sys/users', {
            body,
            headers: { Authorization: Basic(), 'Content-Type': 'text/plain', ...headers },
        });
    refused(await form({ Origin: evil, 'Sec-Fetch-Site': 'cross-site' }), 'a form of another page');
    assert.equal(
        (await form({ Origin: server.url, 'Sec-Fetch-Site': 'same-origin' })).status,
        200,
        'its own page',
    );
});

test('routes that only read take Basic from any page, and change no row of the database', async () => {
    const rows = () => {
        // Every transaction leaves a row in `commits`, the clean-up's too.
        const names = server.tables().filter((name) => name !== 'commits');
        return server.sql(
            names.map((name) => `SELECT '${name}', count(*) FROM "${name}"`).join(' UNION ALL '),
        );
    };
    await send(reading[0], {}); // has signed in, which is noted
    const before = rows();
    for (const route of reading) {
        const reply = await send(route, foreign[0]);
        assert.ok(!/^.{0,40}page of another origin/.test(reply.text), route.title);
        assert.ok(reply.status < 500, route.title);
    }
    assert.equal(
        rows(),
        before,
        'a GET that changes something belongs among those that are refused',
    );
});

test('bearer tokens are taken wherever they come from, since browsers add none', async () => {
    const token = await server.admin(),
        body = required(await server.get(userId));
    for (const headers of foreign)
        assert.equal(
            (await server.put(body, { token, headers })).status,
            200,
            JSON.stringify(headers),
        );
});

test('a refusal takes no guess: the password is not looked at, nor the body', async () => {
    for (let i = 0; i < 5; i++)
        refused(
            await server.call('PATCH', `/api/sys/users/${userId}`, {
                headers: { Authorization: Basic('wrong'), Origin: evil },
                body: '{}',
            }),
        );
    assert.equal(
        (await send({ method: 'PATCH', path: `/api/sys/users/${userId}` }, {})).status,
        200,
        'five wrong ones would have locked the account',
    );
    const head = `PUT /api/sys/users HTTP/1.1\r\nHost: ${server.host}:${server.port}\r\nAuthorization: ${Basic()}\r\nOrigin: ${evil}\r\nContent-Length: 100000\r\n\r\n`;
    assert.match(
        await server.raw(head, { wait: 10000, end: true }),
        /^HTTP\/1\.1 403 /,
        'no byte of the body was sent',
    );
});

test('`*` names no origin: pages of everywhere may call, but with a token', async () => {
    const open = await Server.start(['--cors-origins', '*']);
    const put = (headers) => open.call('PATCH', `/api/sys/users/${userId}`, { headers, body: {} });
    refused(await put({ Authorization: Basic(), Origin: evil }));
    refused(await put({ Authorization: Basic(), Origin: '*' }));
    assert.equal(
        (await put({ Authorization: `Bearer ${await open.admin()}`, Origin: evil })).status,
        200,
    );
});

test('the own host has the port that was asked for, or the usual one of the scheme', async () => {
    const from = (Host, Origin) =>
        ask({
            host: server.host,
            port: server.port,
            method: 'PATCH',
            path: `/api/sys/users/${userId}`,
            body: '{}',
            headers: { Host, Origin, Authorization: Basic() },
        });
    for (const [host, origin] of [
        ['a.example', 'https://a.example'],
        ['a.example', 'http://a.example'],
        ['a.example:443', 'https://a.example'],
        ['a.example', 'https://a.example:443'],
        ['A.example:8443', 'https://a.example:8443'],
        ['[::1]:8080', 'http://[::1]:8080'],
        ['[::1]', 'http://[::1]'],
        ['a.example:', 'http://a.example'],
    ])
        assert.equal((await from(host, origin)).status, 200, `${host} ${origin}`);
    for (const [host, origin] of [
        ['a.example:80', 'https://a.example'],
        ['a.example:8443', 'https://a.example'],
        ['a.example', 'https://a.example:8443'],
        ['a.example', 'https://a.example.evil.org'],
        ['a.example', 'https://b.a.example'],
        ['a.example', 'ftp://a.example'],
        ['a.example', 'a.example'],
        ['a.example', 'https://'],
        ['a.example', 'https://a.example, https://a.example'],
        ['[::1]', 'http://[::1]:1'],
    ])
        refused(await from(host, origin), `${host} ${origin}`);
});

// ---- The other ways in ----

test('two Origin headers, two Sec-Fetch-Site headers: one of them is not enough', async () => {
    const head = (more) =>
        `PATCH /api/sys/users/${userId} HTTP/1.1\r\nHost: ${server.host}:${server.port}\r\nAuthorization: ${Basic()}\r\nConnection: close\r\nContent-Length: 2\r\n${more}\r\n{}`;
    assert.match(
        await server.raw(head(`Origin: ${server.url}\r\nOrigin: ${evil}\r\n`), { wait: 10000 }),
        /^HTTP\/1\.1 403 /,
    );
    assert.match(
        await server.raw(head('Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n'), {
            wait: 10000,
        }),
        /^HTTP\/1\.1 403 /,
    );
    assert.match(
        await server.raw(head(`Origin: \r\n`), { wait: 10000 }),
        /^HTTP\/1\.1 403 /,
        'an empty one is none of ours',
    );
});

// A request over HTTP/2.
function stream(session, fields) {
    return new Promise((resolve, reject) => {
        const one = session.request(
            {
                ':method': 'PATCH',
                ':path': `/api/sys/users/${userId}`,
                authorization: Basic(),
                ...fields,
            },
            { endStream: false },
        );
        let got = '',
            status;
        one.on('response', (headers) => {
            status = headers[':status'];
        });
        one.setEncoding('utf8')
            .on('data', (part) => {
                got += part;
            })
            .on('end', () => resolve({ status, text: got, json: JSON.parse(got) }))
            .on('error', reject);
        one.end('{}');
    });
}

test('over TLS, and over HTTP/2 by :authority, the own origin is https and nothing else', async () => {
    const secure = await TlsServer.start(await makeCertificate(temporaryFolder(), 'own'));
    const own = `https://localhost:${secure.port}`;
    const overTls = (headers) =>
        ask({
            ca: secure.ca,
            host: 'localhost',
            port: secure.port,
            method: 'PATCH',
            path: `/api/sys/users/${userId}`,
            body: '{}',
            headers: { Authorization: Basic(), ...headers },
        });
    const session = http2.connect(own, { ca: secure.ca });
    for (const send of [
        overTls,
        (headers) =>
            stream(
                session,
                Object.fromEntries(
                    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
                ),
            ),
    ]) {
        for (const headers of [
            {},
            { Origin: own },
            { Origin: own, 'Sec-Fetch-Site': 'same-origin' },
        ])
            assert.equal((await send(headers)).status, 200, JSON.stringify(headers));
        for (const headers of [
            ...foreign,
            { Origin: `http://localhost:${secure.port}` },
            { Origin: 'https://localhost' },
        ])
            refused(await send(headers), JSON.stringify(headers));
    }
    session.close();
});

test('each route that changes something refuses Basic from another origin over HTTP/2 too', async () => {
    const clear = await Server.start(['--http2', 'clear']);
    const session = http2.connect(clear.url);
    for (const { method, path, title } of writing)
        refused(
            await stream(session, {
                ':method': method,
                ':path': path,
                'sec-fetch-site': 'cross-site',
            }),
            title,
        );
    assert.equal((await stream(session, { origin: clear.url })).status, 200);
    session.close();
});

test('(N): it is the bare 401 there', async () => {
    const hosted = await Server.start(['--compatibility', 'nexudus']);
    const reply = await hosted.call('PATCH', `/api/sys/users/${staff.editor}`, {
        headers: { Authorization: Basic(), Origin: evil },
        body: '{}',
    });
    assert.deepEqual([reply.status, reply.text], [401, '']);
});

test('with --no-basic the Basic header of a token request is only a client_id, accepted from any page', async () => {
    const bare = await Server.start(['--no-basic']);
    const reply = await bare.call('POST', '/api/token', {
        body: `grant_type=password&username=${adminEmail}&password=${password}`,
        headers: {
            'Content-Type': 'application/x-www-form-urlencoded',
            Authorization: `Basic ${Buffer.from('web:').toString('base64')}`,
            Origin: evil,
        },
    });
    assert.equal(reply.status, 200, reply.text);
});
