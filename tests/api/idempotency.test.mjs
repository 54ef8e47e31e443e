// Idempotency-Key: a repeated POST makes one record.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { required, userBody } from '../lib/users.mjs';

const server = await Server.start();
const token = await server.admin();
let made = 0;
const person = (more) =>
    userBody({
        FullName: 'Repeated',
        Email: `repeated.${++made}@example.com`,
        NewPassword: 'correct horse battery',
        ...more,
    });
const post = (body, key, options = {}) =>
    server.call('POST', '/api/sys/users', {
        token,
        body,
        headers: { 'Idempotency-Key': key },
        ...options,
    });

test('the same key and body get the first answer again, and one record is made', async () => {
    const body = person();
    const first = await post(body, 'key-1');
    assert.equal(first.status, 200, first.text);
    await server.call('PATCH', `/api/sys/users/${first.json.Value.Id}`, {
        token,
        body: { FullName: 'Changed Since' },
    });
    const again = await post(body, 'key-1');
    assert.equal(again.text, first.text);
    assert.equal(again.headers.get('etag'), first.headers.get('etag'));
    const { json } = await server.call('GET', `/api/sys/users?User_Email=${body.Email}`, { token });
    assert.equal(json.TotalItems, 1);
});

test('many at once make one record', async () => {
    const body = person();
    const replies = await Promise.all(Array.from({ length: 10 }, () => post(body, 'key-2')));
    assert.deepEqual(new Set(replies.map((reply) => reply.text)).size, 1);
    assert.equal(replies[0].status, 200, replies[0].text);
});

test('another body is 422; another caller or resource has keys of its own; what failed may be tried again', async () => {
    const body = person();
    assert.equal((await post(body, 'key-3')).status, 200);
    assertFailure(await post({ ...body, FullName: 'Another' }, 'key-3'), 422);
    const creator = await server.token('creator@example.com');
    assert.equal((await post(person(), 'key-3', { token: creator })).status, 200);
    assertInvalid(await post({}, 'key-4'), 'FullName', /required/);
    assert.equal((await post(person(), 'key-4')).status, 200);
    assertInvalid(await post(person(), 'k'.repeat(256)), 'Idempotency-Key', /at most 255/);
    assert.equal((await post(person(), 'k'.repeat(255))).status, 200);
    for (const [path, made] of [
        ['businesses', { Name: 'Keyed' }],
        ['languages', { BusinessId: businessId, Name: 'Keyed', Culture: 'fr', DisplayOrder: 1 }],
    ]) {
        const create = () =>
            server.call('POST', `/api/sys/${path}`, {
                token,
                body: made,
                headers: { 'Idempotency-Key': 'key-3' },
            });
        const first = await create();
        assert.equal(first.status, 200, `${path}: ${first.text}`);
        assert.equal((await create()).text, first.text);
    }
});

test('PUT and PATCH are done each time, whatever their key', async () => {
    const headers = { 'Idempotency-Key': 'key-8' },
        change = (method, path, body) =>
            server.call(method, `/api/sys/users${path}`, { token, body, headers });
    const body = required(await server.get(userId));
    for (const FullName of ['Once', 'Twice', 'Once'])
        for (const [method, path, sent] of [
            ['PATCH', `/${userId}`, { FullName }],
            ['PUT', '', { ...body, FullName: `${FullName} More` }],
        ]) {
            assert.equal((await change(method, path, sent)).status, 200);
            assert.equal((await server.get(userId)).FullName, sent.FullName, method);
        }
});

test('the first answer again names who the caller was then', async () => {
    const caller = await post(
        person({ Email: 'renamed@example.com', IsAdmin: true, Active: true }),
        'key-6',
    );
    const bearer = await server.token('renamed@example.com', 'correct horse battery');
    const body = person();
    const first = await post(body, 'key-7', { token: bearer });
    assert.equal(first.json.UpdatedBy, 'renamed@example.com', first.text);
    const moved = await server.call('PATCH', `/api/sys/users/${caller.json.Value.Id}`, {
        token: bearer,
        body: { Email: 'moved@example.com' },
    });
    assert.equal(moved.status, 200, moved.text);
    const again = await post(body, 'key-7', { token: bearer });
    assert.deepEqual(
        [again.status, again.text, again.headers.get('etag')],
        [200, first.text, first.headers.get('etag')],
    );
});

test('a key is remembered over a restart, and neither the body nor a password is stored with it', async () => {
    const body = person();
    const first = await post(body, 'key-5');
    await server.restart();
    assert.equal((await post(body, 'key-5')).text, first.text);
    assert.deepEqual(server.found(['correct horse']), []);
});
