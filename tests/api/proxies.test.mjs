// Behind each proxy of dist/ that Debian has: clients are served, each counts for itself, nobody's request becomes two, no log has a
// one-time token, and what the proxy refuses itself is in the API's envelope.
import test from 'node:test';
import assert from 'node:assert/strict';
import { rows } from './framing.mjs';
import { userId } from '../lib/ids.mjs';
import {
    assertNothingSmuggled,
    bodyOf,
    checkSiteOfMachines,
    names,
    request,
    send,
    smuggled,
    spellings,
    startProxy,
    statusOf,
    stranger,
} from '../lib/proxies.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const attempts = 3,
    folder = temporaryFolder();
const server = await Server.start([
    '--metrics',
    '--trusted-proxies',
    '127.0.0.1',
    '--address-attempts',
    `${attempts}`,
]);
const proxies = await Promise.all(names.map((name) => startProxy(name, server, folder)));

// Otherwise each proxy gets a part of the rows (make torture PART=proxies gives all to each).
const everyRow = process.env.PROXY_ROWS === 'all';

// A promise that each of them keeps.
function each(promise, check) {
    for (const proxy of proxies) test(`${proxy.name}: ${promise}`, () => check(proxy));
}

const form = (secret) => `grant_type=password&username=${adminEmail}&password=${secret}`;
const signIn = async (proxy, from, secret, lines = []) =>
    send(proxy, request('POST', '/api/token', { body: form(secret), lines }), { from });

each('a client is served: a token, an update, the record', async (proxy) => {
    const granted = await signIn(proxy, stranger(), password);
    assert.equal(statusOf(granted), 200, granted);
    const token = JSON.parse(bodyOf(granted)).access_token;
    const ask = (method, path, body) => send(proxy, request(method, path, { token, body }));
    const changed = userBody({ Id: userId, FullName: 'Ada Lovelace', Email: 'ada@example.com' });
    const reply = JSON.parse(bodyOf(await ask('PUT', '/api/sys/users', JSON.stringify(changed))));
    assert.equal(reply.WasSuccessful, true);
    assert.equal(
        JSON.parse(bodyOf(await ask('GET', `/api/sys/users/${userId}`))).FullName,
        'Ada Lovelace',
    );
    // A proxy that closes while the client still sends may reset the connection, and the reply is lost.
    const refused = await until('the refusal arrives', async () =>
        statusOf(await ask('PUT', '/api/sys/users', 'x'.repeat(1024 * 1024 + 1))),
    );
    assert.equal(refused, 413);
});

each('clients are told apart, and name nobody else', async (proxy) => {
    const [one, other, third] = [stranger(), stranger(), stranger()];
    const status = async (...args) => statusOf(await signIn(proxy, ...args));
    const spoofed = [`X-Forwarded-For: ${other}, 127.0.0.1`, `Forwarded: for=${other}`];
    for (const [from, lines] of [
        [one, []],
        [third, spoofed],
    ]) {
        for (let i = 0; i < attempts; i++) assert.equal(await status(from, 'wrong', lines), 400);
        assert.equal(await status(from, password, lines), 429);
        assert.equal(await status(from, password), 429);
        assert.equal(await status(other, password), 200);
    }
});

each(
    'rosterd answers no more requests than were passed on, and the next client gets its own answer',
    async (proxy) => {
        const inside = {
            'a request in a body with Content-Length': request('POST', '/api/token', {
                body: smuggled,
            }),
            'Content-Length that ends before it, with chunked': `POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
            'chunked that ends before it, with Content-Length': `POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
            'a request in a header after NUL': `GET /healthz HTTP/1.1\r\nHost: x\r\nX: \0${smuggled}\r\n`,
            'a request after a bare LF in a header': `GET /healthz HTTP/1.1\nHost: x\nX: y\n\n${smuggled}`,
            'a request in a path': `GET /healthz%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0a${encodeURIComponent(smuggled)} HTTP/1.1\r\nHost: x\r\n\r\n`,
            'a request in Host': `GET /healthz HTTP/1.1\r\nHost: x%0d%0a%0d%0a${encodeURIComponent(smuggled)}\r\n\r\n`,
            'a request in a trailer': `POST /api/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ${smuggled}\r\n`,
            'Expect with a request in its body': `POST /api/token HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
            'a GET with a request in its body': `GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
        };
        const all = [
            ...Object.entries(inside).map(([name, bytes]) => [name, { bytes, statuses: [] }]),
            ...rows
                .filter((row, i) => everyRow || i % proxies.length === proxies.indexOf(proxy))
                .map((row) => [`${row.section}: ${row.name}`, row]),
        ];
        const last = smuggled.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
        // For a body that is announced, too long and never comes a proxy would wait a minute, and pass on nothing.
        await assertNothingSmuggled(server, proxy, all, ({ bytes, statuses }) =>
            send(
                proxy,
                bytes + last,
                statuses.flat().includes(413) ? { wait: 150 } : { wait: 2000 },
            ),
        );
    },
);

each(
    '/metrics is for this machine alone, however it is spelled; replies tell browsers to use HTTPS',
    async (proxy) => {
        for (const path of spellings('/metrics')) {
            assert.equal(statusOf(await send(proxy, request('GET', path))), 403, path);
            assert.equal(
                statusOf(await send(proxy, request('GET', path), { from: '127.0.0.1' })),
                200,
            );
        }
        for (const path of ['/healthz', '/nowhere', '/metrics'])
            assert.match(
                await send(proxy, request('GET', path)),
                /^Strict-Transport-Security: max-age=\d{8,}\r$/im,
                path,
            );
    },
);

each(
    'no client chooses the Id of its request, which the reply and the log of the proxy have',
    async (proxy) => {
        const ids = [];
        for (const lines of [
            [],
            ['X-Request-Id: of-the-client'],
            ['X-Request-Id: a', 'x-request-id: b'],
        ]) {
            const answer = await send(proxy, request('GET', '/healthz', { lines }));
            assert.equal(statusOf(answer), 200, answer);
            ids.push(...[...answer.matchAll(/^x-request-id: (\S+)\r$/gim)].map(([, id]) => id));
        }
        assert.equal(new Set(ids).size, 3, ids.join(' '));
        for (const id of ids) assert.match(id, /^[0-9a-f-]{16,36}$/);
        await until(`${proxy.name} logs them`, () => ids.every((id) => proxy.said().includes(id)));
    },
);

each('no log has a one-time token', async (proxy) => {
    const secret = 'eyJub3Qi.b25lLXRpbWU.c2VjcmV0',
        count = proxy.passedOn().length;
    const asked = [
        ...spellings('/api/sys/users/exchange').map((path) => path.replace(/\?.*/, '')),
        '/api/sys/users',
        '/nowhere',
        '/metrics',
    ].map((path) => `${path}?%74oken=${secret}&Token=${secret}`);
    for (const path of asked)
        await send(
            proxy,
            request('POST', path, { lines: [`Referer: https://x/?token=${secret}`] }),
        );
    await send(
        proxy,
        `POST /api/sys/users/exchange?token=${secret} HTTP/1.1\r\nHost: x\r\n: bad\r\n\r\n`,
        { isWhole: (answer) => answer.includes('\r\n\r\n') },
    );
    await until(
        `${proxy.name} logs what it passed on`,
        () => proxy.passedOn().length >= count + asked.length - 1,
    );
    const line = proxy
        .said()
        .split('\n')
        .find((text) => text.includes(secret));
    assert.equal(line, undefined);
});

const refusal = (answer, status) =>
    assertFailure(
        { status: statusOf(answer), json: JSON.parse(bodyOf(answer)), text: answer },
        status,
    );

each('what it refuses itself is in the envelope of the API', async (proxy) => {
    refusal(await send(proxy, request('GET', '/metrics')), 403);
    const large = request('POST', '/api/token', { body: 'x'.repeat(3 * 1024 * 1024) });
    const isWhole = (answer) => answer.includes('WasSuccessful');
    refusal(await send(proxy, large, { isWhole }), 413);
});

// The last one, since it stops the server.
test('while the server is not there, they say so in the envelope of the API', async () => {
    await server.stop();
    for (const proxy of proxies) {
        const answer = await send(proxy, request('GET', '/healthz'));
        assert.match(answer, /^content-type: application\/json/im, proxy.name);
        assert.match(answer, /^Strict-Transport-Security: /im, proxy.name);
        refusal(answer, proxy.name === 'haproxy' || proxy.name === 'apache' ? 503 : 502);
    }
});

test('the sites for three machines are complete with the files of dist/', async () => {
    for (const name of ['nginx', 'haproxy'])
        assert.doesNotMatch(await checkSiteOfMachines(name, folder), /\[(emerg|ALERT|WARNING)\]/);
});
