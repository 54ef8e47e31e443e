// What strangers and ordinary users may make the server hold: memory, the disk, time. Figures of memory are those of the
// plain build; a sanitizer has memory of its own.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Wire, request, until } from './doors.mjs';
import { Server, isSanitized } from './harness.mjs';

const isJudged = !isSanitized(), MIB = 1024 * 1024;
const server = await Server.start(['--metrics']);
const token = await server.admin();

const open = (where = server) => Wire.clear({ host: where.host, port: where.port });
const resident = (where = server) => 1024 * Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${where.child.pid}/status`, 'utf8'))[1]);

async function figure(name, where = server) {
    const { text } = await where.call('GET', '/metrics');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
}

async function gather(count, write, where = server) {
    const wires = [];
    while (wires.length < count) {
        const wire = await open(where);
        write(wire, wires.length);
        wires.push(wire);
    }
    return wires;
}

const part = (wires) => wires.forEach((wire) => wire.socket.destroy());

function assertHolds(least, most) {
    const now = resident();
    if (isJudged)
        assert.ok(now >= least && now <= most, `${Math.round(now / MIB)} MiB are resident, where ${Math.round(most / MIB)} are allowed`);
}

test('memory goes back to the system when the load is gone', async () => {
    const before = resident();
    const wires = await gather(90, (wire) => wire.write(request('POST', '/api/sys/users', { token, headers: { 'Content-Length': MIB } }) + '{'.repeat(MIB - 1)));
    await until('they are held', async () => await figure('roster_request_memory_bytes') > 85 * MIB);
    assertHolds(before + 80 * MIB, before + 128 * MIB);
    part(wires);
    await until('they are not', () => !isJudged || resident() < before + 16 * MIB);
});

const KIB = 1024, stranger = 16 * KIB;
const basic = (email, secret) => ({ Authorization: `Basic ${Buffer.from(`${email}:${secret}`).toString('base64')}` });
const openRoutes = ['/api/token', '/api/sys/users/token', '/api/auth/resetpassword', '/api/sys/users/exchange'];

for (const path of openRoutes)
    test(`who is not signed in may send 16 KiB to ${path}, and more is refused at its head`, async () => {
        const wire = await open();
        wire.write(request('POST', path, { headers: { 'Content-Length': stranger + 1 } }));
        const reply = await wire.reply(); // nothing of the body was sent
        assert.equal(reply.status, 413);
        assert.equal(JSON.parse(reply.body).Message, 'The body is larger than 16 KiB, and comes without credentials.');
        part([wire]);
        const { status } = await server.call('POST', path, { body: 'x'.repeat(stranger) });
        assert.notEqual(status, 413);
    });

test('a chunked body of who is not signed in is refused as it passes 16 KiB', async () => {
    const wire = await open();
    wire.write(request('POST', '/api/token', { headers: { 'Transfer-Encoding': 'chunked' } }) + `4000\r\n${'x'.repeat(stranger)}\r\n`);
    wire.write('1\r\n');
    assert.equal((await wire.reply()).status, 413);
    part([wire]);
});

test('wrong credentials are refused before a body is taken', async () => {
    for (const headers of [{}, { Authorization: 'Bearer x' }, { Authorization: `Bearer ${'x'.repeat(43)}` }]) {
        const wire = await open();
        wire.write(request('PUT', '/api/sys/users', { headers: { ...headers, 'Content-Length': MIB } }));
        assert.equal((await wire.reply()).status, 401);
        part([wire]);
    }
});

test('only 16 large bodies come before their Basic password is checked; small ones, and those of known callers, are taken', async () => {
    const guess = (i) => basic('nobody@example.com', `guess ${i}`);
    const put = (headers, size) => server.call('PUT', '/api/sys/users', { headers, body: ' '.repeat(size) });
    const wires = await gather(17, (wire, i) => wire.write(request('PUT', '/api/sys/users', { headers: { ...guess(i), 'Content-Length': MIB } }) + '{'));
    const refused = await until('one is refused', () => wires.find((wire) => wire.text));
    const reply = await refused.reply();
    assert.equal(reply.status, 503);
    assert.match(reply.head, /\r\nRetry-After: 1\r\n/);
    assert.match(JSON.parse(reply.body).Message, /^Too many large bodies come with a password that is not known yet/);
    assert.equal((await put(guess(17), 32 * KIB)).status, 503);
    assert.equal((await put({ Authorization: `Bearer ${token}` }, 32 * KIB)).status, 400);
    assert.equal((await put(guess(18), stranger)).status, 401);
    part(wires);
    await until('there is room again', async () => (await put(guess(19), 32 * KIB)).status === 401);
});

test('200 bodies of strangers that never end stay under 16 MiB', async () => {
    const before = resident();
    const wires = await gather(200, (wire) => wire.write(request('POST', '/api/token', { headers: { 'Content-Length': stranger } }) + 'x'.repeat(stranger - 1)));
    const late = await gather(200, (wire) => wire.write(request('PUT', '/api/sys/users', { headers: { 'Content-Length': MIB } }) + '{'));
    for (const wire of late)
        assert.equal((await wire.reply()).status, 401);
    await until('they are held', async () => await figure('roster_request_memory_bytes') > 3 * MIB);
    assertHolds(0, before + 16 * MIB);
    part([...wires, ...late]);
});

test('reading a body of 1 MiB holds at most 8 times as much, and 40 at once are answered in the default budget', async () => {
    const bodies = {
        'names that nobody knows': `{${Array.from({ length: 900 }, (_, i) => `"unknown${i}":"${'x'.repeat(1000)}"`).join()}}`,
        'nothing but zeros': `{"Businesses":[${'0,'.repeat(500000)}0]}`,
        'ids': `{"Businesses":[${'100000,'.repeat(140000)}1]}`,
        'spread lines': `{"Businesses":[\n        ${'0,\n        '.repeat(95000)}1]}`,
        'empty lists': `{"x":[${'[],'.repeat(300000)}0]}`,
    };
    for (const [name, body] of Object.entries(bodies)) {
        const wires = await gather(40, (wire) => wire.write(request('PUT', '/api/sys/users', { token, body })));
        for (const wire of wires) {
            const { status } = await wire.reply();
            assert.ok(status === 400 || status === 503, `${name}: ${status}`);
        }
        part(wires);
    }
    assertHolds(0, 320 * MIB);
    assert.ok(await figure('roster_request_memory_bytes') < 4 * MIB);
});
