// What many bodies at once may take of a thread's memory, and what they may not take from others.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Wire, request, until } from './doors.mjs';
import { Server, adminEmail, password } from './harness.mjs';

const server = await Server.start(['--io-threads', '1']);
const megabyte = 1024 * 1024;
const form = `grant_type=password&username=${adminEmail}&password=${password}`;
const signIn = request('POST', '/api/token', { body: form });

function open() {
    return Wire.clear({ host: server.host, port: server.port });
}

async function status() {
    const wire = await open();
    wire.write(signIn);
    const reply = await wire.reply();
    wire.socket.destroy();
    return reply.status;
}

test('bodies that are announced but do not come leave all room to others', async () => {
    const holding = [];
    for (let i = 0; i < 300; i++) { // as many would fill 256 MiB
        const wire = await open();
        wire.write(request('POST', '/api/token', { headers: { 'Content-Length': megabyte } }) + 'g');
        holding.push(wire);
    }
    assert.equal(await status(), 200);
    assert.ok(!holding.some((wire) => wire.text.includes(' 503 ')));
    for (const wire of holding)
        wire.socket.destroy();
});

for (const [name, headers, chunk, count] of [['announced', { 'Content-Length': megabyte }, 'g'.repeat(megabyte - 1), 260],
    ['chunked', { 'Transfer-Encoding': 'chunked' }, `e1000\r\n${'g'.repeat(0xe1000)}\r\n`, 300]])
    test(`more bodies than a thread takes at once, ${name}: those past 256 MiB are told to come again, and they can`, async () => {
        const holding = [];
        while (holding.length < count && !holding.some((wire) => wire.text)) {
            const wire = await open();
            wire.write(request('POST', '/api/token', { headers }) + chunk);
            holding.push(wire);
        }
        await until('a refusal', () => holding.some((wire) => wire.text));
        const refused = holding.filter((wire) => wire.text);
        for (const wire of refused)
            assert.equal((await wire.reply()).status, 503);
        for (const wire of holding)
            wire.socket.destroy();
        await until('room again', async () => await status() === 200);
    });
