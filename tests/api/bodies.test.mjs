// What all requests together may hold (--request-memory), and what they may not take from others.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Wire, request, until } from './doors.mjs';
import { Server, adminEmail, password } from './harness.mjs';

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

test('bodies that are announced but do not come leave all room to others', async () => {
    const holding = [];
    for (let i = 0; i < 300; i++) { // as many would fill 300 MiB
        const wire = await open();
        wire.write(request('POST', '/api/sys/users', { token, headers: { 'Content-Length': megabyte } }) + '{');
        holding.push(wire);
    }
    assert.equal(await status(), 200);
    assert.ok(!holding.some((wire) => wire.text.includes(' 503 ')));
    for (const wire of holding)
        wire.socket.destroy();
});

for (const [name, headers, chunk] of [['announced', { 'Content-Length': megabyte }, '{'.repeat(megabyte - 1)],
    ['chunked', { 'Transfer-Encoding': 'chunked' }, `e1000\r\n${'{'.repeat(0xe1000)}\r\n`]])
    test(`more bodies than all requests may hold, ${name}: new requests are told to come again, /metrics and /healthz are served, and then they can`, async () => {
        const refusedBefore = await figure('roster_refused_total{reason="memory"}'), holding = [];
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
            assert.match(JSON.parse(reply.body).Message, /^The server holds as much for other requests as it may\. Wait 1 seconds/);
        }
        assert.equal((await ask(request('GET', '/healthz'))).status, 200);
        assert.ok(await figure('roster_refused_total{reason="memory"}') > refusedBefore);
        assert.ok(await figure('roster_request_memory_bytes') <= await figure('roster_request_memory_limit_bytes') + megabyte);
        for (const wire of holding)
            wire.socket.destroy();
        await until('room again', async () => await status() === 200);
        await until('nothing is held any more', async () => await figure('roster_request_memory_bytes') < 2 * megabyte);
    });
