// The memory that all requests together may hold (--request-memory), and the requests that are
// served beyond it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Wire, request } from '../lib/tls.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start(['--metrics', '--request-memory', '64']);
const megabyte = 1024 * 1024;
const token = await server.admin();
const form = `grant_type=password&username=${adminEmail}&password=${password}`;
const signIn = request('POST', '/api/token', { body: form });

function open() {
    return Wire.clear({ host: server.host, port: server.port });
}

async function ask(bytes) {
    const wire = await open();
    wire.write(bytes);
    const reply = await wire.reply();
    wire.socket.destroy();
    return reply;
}

const status = async () => (await ask(signIn)).status;

async function figure(name) {
    const { body } = await ask(request('GET', '/metrics'));
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)[1]);
}

test('bodies that are announced but do not come take no room from others', async () => {
    const holding = [];
    for (let i = 0; i < 300; i++) {
        // as many would fill 300 MiB
        const wire = await open();
        wire.write(
            request('POST', '/api/sys/users', { token, headers: { 'Content-Length': megabyte } }) +
                '{',
        );
        holding.push(wire);
    }
    assert.equal(await status(), 200);
    assert.ok(!holding.some((wire) => wire.text.includes(' 503 ')));
    for (const wire of holding) wire.socket.destroy();
});

for (const [name, headers, chunk] of [
    ['announced', { 'Content-Length': megabyte }, '{'.repeat(megabyte - 1)],
    ['chunked', { 'Transfer-Encoding': 'chunked' }, `e1000\r\n${'{'.repeat(0xe1000)}\r\n`],
])
    test(`more bodies than all requests may hold, ${name}: new requests are told to come again, /metrics and /healthz are served, and then they can`, async () => {
        const refusedBefore = await figure('roster_refused_total{reason="memory"}'),
            holding = [];
        while (holding.length < 120 && !holding.some((wire) => wire.text)) {
            const wire = await open();
            wire.write(request('POST', '/api/sys/users', { token, headers }) + chunk);
            holding.push(wire);
        }
        await until('a refusal', () => holding.some((wire) => wire.text));
        for (const wire of holding.filter((one) => one.text)) {
            const reply = await wire.reply();
            assert.equal(reply.status, 503);
            assert.match(reply.head, /\r\nRetry-After: 1\r\n/);
            assert.match(
                JSON.parse(reply.body).Message,
                /^The memory for requests is used up by other requests\. Wait 1 second and/,
            );
        }
        assert.equal((await ask(request('GET', '/healthz'))).status, 200);
        assert.ok((await figure('roster_refused_total{reason="memory"}')) > refusedBefore);
        assert.ok(
            (await figure('roster_request_memory_bytes')) <=
                (await figure('roster_request_memory_limit_bytes')) + megabyte,
        );
        for (const wire of holding) wire.socket.destroy();
        await until('room again', async () => (await status()) === 200);
        await until(
            'nothing is held any more',
            async () => (await figure('roster_request_memory_bytes')) < 2 * megabyte,
        );
    });

test('when not a byte more may be held, /healthz, /readyz and /metrics are served, and nothing else is', async () => {
    const other = await Server.start(['--metrics', '--request-memory', '16', '--io-threads', '1']),
        holding = [];
    const openThere = () => Wire.clear({ host: other.host, port: other.port });
    const held = async () =>
        Number(
            /^roster_request_memory_bytes (\d+)$/m.exec(
                (await other.call('GET', '/metrics')).text,
            )[1],
        );
    const fill = async (bytes, most) => {
        // until one is refused
        const group = [];
        while (group.length < most && !group.some((wire) => wire.text)) {
            const wire = await openThere();
            wire.write(bytes);
            group.push(wire);
        }
        holding.push(...group);
        await until('a refusal', () => group.some((wire) => wire.text));
    };
    await fill(
        request('POST', '/api/sys/users', {
            token: await other.admin(),
            headers: { 'Content-Length': megabyte },
        }) + '{'.repeat(megabyte - 1),
        60,
    );
    for (const size of [8000, 0]) // heads that do not end take what bodies left
        await fill(`GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(size)}`, 500);
    for (const path of ['/healthz', '/readyz', '/metrics'])
        assert.equal((await other.call('GET', path)).status, 200, path);
    assert.equal((await other.call('GET', '/api/openapi.json')).status, 503);
    assert.ok((await held()) <= 17 * megabyte);
    for (const wire of holding) wire.socket.destroy();
    await until('nothing is held any more', async () => (await held()) < megabyte);
});
