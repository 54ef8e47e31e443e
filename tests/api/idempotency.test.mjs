// What holds for requests whatever they ask for: repeated ones, those from pages of other origins, too many.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { required, userBody } from '../lib/users.mjs';
import { sleep } from '../lib/wait.mjs';

const origin = 'https://app.example.com';
const server = await Server.start(['--cors-origins', `${origin}, http://localhost:3000`]);
const token = await server.admin();
let made = 0;
const person = (more) => userBody({ FullName: 'Repeated', Email: `repeated.${++made}@example.com`, NewPassword: 'correct horse battery', ...more });
const post = (body, key, options = {}) => server.call('POST', '/api/sys/users', { token, body, headers: { 'Idempotency-Key': key }, ...options });

test('Idempotency-Key: the same key and body get the first answer again, and one record is made', async () => {
    const body = person();
    const first = await post(body, 'key-1');
    assert.equal(first.status, 200, first.text);
    await server.call('PATCH', `/api/sys/users/${first.json.Value.Id}`, { token, body: { FullName: 'Changed Since' } });
    const again = await post(body, 'key-1');
    assert.equal(again.text, first.text);
    assert.equal(again.headers.get('etag'), first.headers.get('etag'));
    const { json } = await server.call('GET', `/api/sys/users?User_Email=${body.Email}`, { token });
    assert.equal(json.TotalItems, 1);
});

test('Idempotency-Key: many at once make one record', async () => {
    const body = person();
    const replies = await Promise.all(Array.from({ length: 10 }, () => post(body, 'key-2')));
    assert.deepEqual(new Set(replies.map((reply) => reply.text)).size, 1);
    assert.equal(replies[0].status, 200, replies[0].text);
});

test('Idempotency-Key: another body is 422; another caller or resource has keys of its own; what failed may be tried again', async () => {
    const body = person();
    assert.equal((await post(body, 'key-3')).status, 200);
    assertFailure(await post({ ...body, FullName: 'Another' }, 'key-3'), 422);
    const creator = await server.token('creator@example.com');
    assert.equal((await post(person(), 'key-3', { token: creator })).status, 200);
    assertInvalid(await post({}, 'key-4'), 'FullName', /required/);
    assert.equal((await post(person(), 'key-4')).status, 200);
    assertInvalid(await post(person(), 'k'.repeat(256)), 'Idempotency-Key', /at most 255/);
    assert.equal((await post(person(), 'k'.repeat(255))).status, 200);
    for (const [path, made] of [['businesses', { Name: 'Keyed' }], ['languages', { BusinessId: businessId, Name: 'Keyed', Culture: 'fr', DisplayOrder: 1 }]]) {
        const create = () => server.call('POST', `/api/sys/${path}`, { token, body: made, headers: { 'Idempotency-Key': 'key-3' } });
        const first = await create();
        assert.equal(first.status, 200, `${path}: ${first.text}`);
        assert.equal((await create()).text, first.text);
    }
});

test('Idempotency-Key: what changes a record is done each time, whatever its key', async () => {
    const headers = { 'Idempotency-Key': 'key-8' }, change = (method, path, body) => server.call(method, `/api/sys/users${path}`, { token, body, headers });
    const body = required(await server.get(userId));
    for (const FullName of ['Once', 'Twice', 'Once'])
        for (const [method, path, sent] of [['PATCH', `/${userId}`, { FullName }], ['PUT', '', { ...body, FullName: `${FullName} More` }]]) {
            assert.equal((await change(method, path, sent)).status, 200);
            assert.equal((await server.get(userId)).FullName, sent.FullName, method);
        }
});

test('Idempotency-Key: the first answer again names who the caller was then', async () => {
    const caller = await post(person({ Email: 'renamed@example.com', IsAdmin: true, Active: true }), 'key-6');
    const bearer = await server.token('renamed@example.com', 'correct horse battery');
    const body = person();
    const first = await post(body, 'key-7', { token: bearer });
    assert.equal(first.json.UpdatedBy, 'renamed@example.com', first.text);
    const moved = await server.call('PATCH', `/api/sys/users/${caller.json.Value.Id}`, { token: bearer, body: { Email: 'moved@example.com' } });
    assert.equal(moved.status, 200, moved.text);
    const again = await post(body, 'key-7', { token: bearer });
    assert.deepEqual([again.status, again.text, again.headers.get('etag')], [200, first.text, first.headers.get('etag')]);
});

test('Idempotency-Key: it is remembered over a restart, and neither body nor password is', async () => {
    const body = person();
    const first = await post(body, 'key-5');
    await server.restart();
    assert.equal((await post(body, 'key-5')).text, first.text);
    for (const name of ['roster.db', 'roster.db-wal'])
        assert.ok(!readFileSync(join(server.folder, 'data', name)).includes('correct horse'), name);
});

test('CORS: a configured origin is answered with its headers, others are not', async () => {
    const ask = (from) => server.call('GET', `/api/sys/users/${userId}`, { token, headers: { Origin: from } });
    for (const from of [origin, 'http://localhost:3000']) {
        const { headers } = await ask(from);
        assert.equal(headers.get('access-control-allow-origin'), from);
        assert.match(headers.get('access-control-expose-headers'), /ETag/);
        assert.equal(headers.get('vary'), 'Origin');
        assert.equal(headers.get('access-control-allow-credentials'), null);
    }
    for (const from of ['https://evil.example.com', 'https://app.example.com.evil.org', 'null']) {
        const { headers } = await ask(from);
        assert.equal(headers.get('access-control-allow-origin'), null, from);
        assert.equal(headers.get('vary'), 'Origin');
    }
});

test('CORS: any origin is answered with *, however long it is', async () => {
    const open = await Server.start(['--cors-origins', '*']);
    for (const from of [origin, `https://${'x'.repeat(3000)}.example.com`]) {
        const { headers } = await open.call('GET', '/healthz', { headers: { Origin: from } });
        assert.equal(headers.get('access-control-allow-origin'), '*');
    }
});

test('CORS: a preflight needs no credentials and names what the path offers', async () => {
    const ask = (path, from = origin) => server.call('OPTIONS', path, { headers: { Origin: from, 'Access-Control-Request-Method': 'PUT' } });
    const reply = await ask('/api/sys/users');
    assert.equal(reply.status, 204);
    assert.equal(reply.headers.get('access-control-allow-methods'), 'PUT, GET, HEAD, POST');
    assert.match(reply.headers.get('access-control-allow-headers'), /Authorization.*If-Match.*Idempotency-Key/);
    assertFailure(await ask('/api/nothing'), 404);
    assertFailure(await ask('/api/sys/users', 'https://evil.example.com'), 405);
    const unauthenticated = await server.call('GET', '/api/sys/users', { headers: { Origin: origin } });
    assert.equal(unauthenticated.headers.get('access-control-allow-origin'), origin, 'the page may read why it failed');
});

test('rate limits: off by default, the published figures under compatibility = nexudus, 429 with Retry-After', async () => {
    const many = (to, bearer) => Promise.all(Array.from({ length: 250 }, () => to.call('GET', `/api/sys/users/${userId}`, { token: bearer })));
    assert.ok((await many(server, token)).every((reply) => reply.status === 200));
    const limited = await Server.start(['--compatibility', 'nexudus']);
    const bearer = await limited.admin(), other = await limited.token('reader@example.com');
    const replies = await many(limited, bearer);
    const refused = replies.filter((reply) => reply.status === 429);
    // 120 in each of two minutes, if one turns on the way.
    assert.ok(refused.length >= 10 && refused.length <= 130, `${refused.length} of 250 refused`);
    assertFailure(refused[0], 429);
    assert.match(refused[0].json.Message, /Wait \d+ seconds/);
    assert.match(refused[0].headers.get('retry-after'), /^\d+$/);
    assert.notEqual((await limited.call('GET', `/api/sys/users/${userId}`, { token: other })).status, 429, 'each caller is counted alone');
});

test('rate limits: to issue a one-time token counts as a write, though its method is GET', async () => {
    const limited = await Server.start(['--rate-limits', 'published']);
    const bearer = await limited.admin();
    let issued = 0;
    // The minute may turn once on the way; reads would get to 120 in the first.
    for (; issued <= 120; issued++) {
        await sleep(101);
        const { status } = await limited.call('GET', `/api/sys/users/${staff.manager}/token/refresh`, { token: bearer });
        if (status === 429)
            break;
        assert.equal(status, 200);
    }
    assert.ok(issued >= 60 && issued < 120, `${issued} were issued`);
});

test('rate limits: 60 writes a minute', async () => {
    const limited = await Server.start(['--rate-limits', 'published']);
    const bearer = await limited.admin();
    let done = 0;
    // The minute may turn once on the way, so it may be twice as many.
    for (; done <= 120; done++) {
        await sleep(101);
        const { status } = await limited.call('PATCH', `/api/sys/users/${userId}`, { token: bearer, body: { LastHelpVisited: done } });
        if (status === 429)
            break;
        assert.equal(status, 200);
    }
    assert.ok(done >= 60 && done <= 120, `${done} writes`);
});
