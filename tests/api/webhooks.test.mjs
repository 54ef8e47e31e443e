// Webhooks (contract section 7): real deliveries to a server beside ours.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, assertInvalid, userId } from './harness.mjs';

// What came: { path, body, signature, type, at }; `answers` gives the status for each path.
const came = [], answers = {};
const listener = http.createServer((request, reply) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
        const text = Buffer.concat(parts).toString();
        came.push({ path: request.url, text, body: JSON.parse(text), signature: request.headers['x-nexudus-hook-signature'],
            type: request.headers['content-type'], method: request.method, at: Date.now() });
        reply.statusCode = typeof answers[request.url] === 'function' ? answers[request.url]() : answers[request.url] ?? 200;
        if (reply.statusCode === 302)
            reply.setHeader('Location', '/elsewhere');
        reply.end();
    });
});
await new Promise((ready) => listener.listen(0, '127.0.0.1', ready));
after(() => { listener.close(); listener.closeAllConnections(); });
const { port } = listener.address();
const server = await Server.start(['--demo', '--webhook-hosts', `127.0.0.1:${port}`, '--webhook-retry', '20']);
const token = await server.admin();
const call = (method, path, body) => server.call(method, path, { token, body });
const actions = { create: 1001, update: 1002, delete: 1003 };

async function hook(path, action, more = {}) {
    const reply = await call('POST', '/api/sys/webhooks', { BusinessId: 301, Name: path, Action: actions[action], Active: true,
        URL: `http://127.0.0.1:${port}${path}`, ...more });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value.Id;
}

async function until(condition, what, ms = 8000) {
    for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) {
        const value = await condition();
        if (value)
            return value;
    }
    assert.fail(`not in time: ${what}`);
}
const cameTo = (path, count = 1) => until(() => came.filter((one) => one.path === path).length >= count, `${count} to ${path}`);
const to = (path) => came.filter((one) => one.path === path);

test('create, update and delete of a user are told, as an array of one record', async () => {
    for (const action of Object.keys(actions))
        await hook(`/${action}`, action);
    const made = await call('POST', '/api/sys/users', { FullName: 'Told', Email: 'told@example.com', Language: 1, PasswordSalt: '',
        LastHelpVisited: 0, InvalidLoginAttempts: 0, NewPassword: 'correct horse battery' });
    const { Id } = made.json.Value;
    await cameTo('/create');
    const record = await server.get(Id);
    assert.deepEqual(to('/create')[0].body, [record]);
    assert.equal(to('/create')[0].method, 'POST');
    assert.match(to('/create')[0].type, /^application\/json/);
    await server.update(Id, { FullName: 'Told Again' });
    await cameTo('/update');
    assert.deepEqual(to('/update')[0].body, [await server.get(Id)]);
    await call('DELETE', `/api/sys/users/${Id}`);
    await cameTo('/delete');
    assert.equal(to('/delete')[0].body[0].Id, Id);
    assert.ok(!came.some((one) => one.text.includes('argon2id')), 'no secret is told');
});

test('the signature is HMAC-SHA256 of the body under the shared secret, in upper-case hex; none without one', async () => {
    await hook('/signed', 'update', { SharedSecret: 'a shared secret' });
    await server.update(userId, { FullName: 'Signed' });
    await cameTo('/signed');
    const [{ text, signature }] = to('/signed');
    assert.equal(signature, crypto.createHmac('sha256', 'a shared secret').update(text).digest('hex').toUpperCase());
    await cameTo('/update', 2);
    assert.equal(to('/update').at(-1).signature, undefined);
});

test('a refused change tells nothing', async () => {
    const before = to('/update').length;
    assertInvalid(await server.update(userId, { FullName: '' }), 'FullName', /required/);
    await sleep(300);
    assert.equal(to('/update').length, before);
});

test('an attempt that fails is repeated with growing pauses; one user is told in order', async () => {
    let failures = 3;
    answers['/flaky'] = () => (failures-- > 0 ? 500 : 200);
    const id = await hook('/flaky', 'update');
    for (const name of ['First', 'Second', 'Third'])
        await server.update(userId, { FullName: name });
    await cameTo('/flaky', 6);
    assert.deepEqual(to('/flaky').map((one) => one.body[0].FullName), ['First', 'First', 'First', 'First', 'Second', 'Third']);
    const at = to('/flaky').map((one) => one.at);
    assert.ok(at[3] - at[2] > at[1] - at[0], 'the pauses grow');
    const { json } = await call('GET', `/api/sys/webhooks/${id}`);
    assert.deepEqual([json.ErrorCount, json.Active, json.LastError], [0, true, 'its server answered with status 500']);
    assert.ok(json.LastTrigger);
    await call('DELETE', `/api/sys/webhookdeliveries/${id}`);
});

test('ten failures in a row make a webhook inactive; who activates it starts afresh', async () => {
    answers['/dead'] = 302; // a redirect is not followed
    const id = await hook('/dead', 'update');
    await server.update(userId, { FullName: 'To The Dead' });
    const gone = await until(async () => {
        const { json } = await call('GET', `/api/sys/webhooks/${id}`);
        return !json.Active && json;
    }, 'the webhook becomes inactive', 40000);
    assert.deepEqual([gone.ErrorCount, gone.LastError], [10, 'its server answered with status 302']);
    assert.equal(to('/dead').length, 10);
    assert.equal(to('/elsewhere').length, 0);
    answers['/dead'] = 200;
    assert.equal((await call('PATCH', `/api/sys/webhooks/${id}`, { Active: true })).status, 200);
    assert.equal((await call('GET', `/api/sys/webhooks/${id}`)).json.ErrorCount, 0);
});

test('the log of deliveries can be read, and a delivery repeated', async () => {
    const { json } = await call('GET', '/api/sys/webhookdeliveries?WebHookDelivery_LastError=302&size=5');
    const [given] = json.Records;
    assert.deepEqual([given.Attempts, given.DeliveredOn, given.NextAttempt, given.EntityId], [10, null, null, userId]);
    const before = to('/dead').length;
    const reply = await call('POST', '/api/sys/webhookdeliveries/runcommand', { Key: 'repeat', Ids: [given.Id] });
    assert.equal(reply.json.WasSuccessful, true, reply.text);
    await cameTo('/dead', before + 1);
    const again = await until(async () => {
        const delivery = (await call('GET', `/api/sys/webhookdeliveries/${given.Id}`)).json;
        return delivery.DeliveredOn && delivery;
    }, 'the delivery is noted as done');
    assert.deepEqual([again.NextAttempt, again.LastError], [null, null]);
});

test('what is in the outbox survives a kill and is delivered after the start', async () => {
    answers['/later'] = 503;
    await hook('/later', 'update');
    await server.update(userId, { FullName: 'Survivor' });
    await cameTo('/later');
    await server.stop('SIGKILL');
    answers['/later'] = 200;
    const before = to('/later').length;
    await server.spawn();
    await cameTo('/later', before + 1);
    assert.equal(to('/later').at(-1).body[0].FullName, 'Survivor');
});

test('a private address is refused without a connection, unless the operator allows its host', async () => {
    let connections = 0;
    const inside = http.createServer().on('connection', () => { connections++; });
    await new Promise((ready) => inside.listen(0, '127.0.0.1', ready));
    const made = await call('POST', '/api/sys/webhooks', { BusinessId: 301, Name: 'Inside', Action: actions.update, Active: true,
        URL: `http://127.0.0.1:${inside.address().port}/` });
    await server.update(userId, { FullName: 'Inward' });
    const { LastError } = await until(async () => {
        const { json } = await call('GET', `/api/sys/webhooks/${made.json.Value.Id}`);
        return json.LastError && json;
    }, 'the refusal');
    assert.match(LastError, /not a public one/);
    assert.equal(connections, 0);
    inside.close();
});

test('what a webhook must have', async () => {
    const reply = await call('POST', '/api/sys/webhooks', { BusinessId: 9, Action: 3, URL: 'ftp://example.com/' });
    assertInvalid(reply, 'BusinessId', /no business with Id 9/);
    assertInvalid(reply, 'Name', /required/);
    assertInvalid(reply, 'Action', /1001 \(UserCreate\), 1002 \(UserUpdate\), 1003 \(UserDelete\)/);
    assertInvalid(reply, 'URL', /http or https/);
});
