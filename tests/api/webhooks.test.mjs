// Webhooks (docs/contract.md section 9): real deliveries to a server beside ours.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { businessId, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { password, userBody } from '../lib/users.mjs';
import { addMembers } from '../lib/world.mjs';
import { sleep, timestamp, until, within } from '../lib/wait.mjs';

// The deliveries that came: { path, body, signature, type }. `answers` has the status for each
// path, or a function that gives it (the attempt is under way until that resolves); 0 means no
// answer.
const came = [],
    answers = {};
const answerTo = (path) =>
    typeof answers[path] === 'function' ? answers[path]() : (answers[path] ?? 200);
const listener = http.createServer((request, reply) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', async () => {
        const text = Buffer.concat(parts).toString();
        came.push({
            path: request.url,
            text,
            body: JSON.parse(text),
            signature: request.headers['x-nexudus-hook-signature'],
            delivery: request.headers['x-roster-delivery'],
            type: request.headers['content-type'],
            method: request.method,
        });
        const status = await answerTo(request.url);
        if (status === 0) return;
        reply.statusCode = status;
        if (status === 302) reply.setHeader('Location', '/elsewhere');
        reply.end();
    });
});
await new Promise((ready) => listener.listen(0, '127.0.0.1', ready));
after(() => {
    listener.close();
    listener.closeAllConnections();
});
const { port } = listener.address();
const server = await Server.start([
    '--webhook-hosts',
    `127.0.0.1:${port}`,
    '--webhook-retry',
    '20',
]);
const token = await server.admin();
const people = await addMembers(server, 20);
const call = (method, path, body) => server.call(method, path, { token, body });
const actions = { create: 1001, update: 1002, delete: 1003 };

async function hook(path, action, more = {}) {
    const reply = await call('POST', '/api/sys/webhooks', {
        BusinessId: businessId,
        Name: path,
        Action: actions[action],
        Active: true,
        URL: `http://127.0.0.1:${port}${path}`,
        ...more,
    });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value.Id;
}

const cameTo = (path, count = 1) =>
    until(`${count} to ${path}`, () => came.filter((one) => one.path === path).length >= count);
const to = (path) => came.filter((one) => one.path === path);

test('create, update and delete of a user are told, as an array of one record', async () => {
    for (const action of Object.keys(actions)) await hook(`/${action}`, action);
    const made = await call(
        'POST',
        '/api/sys/users',
        userBody({
            FullName: 'Told',
            Email: 'told@example.com',
            NewPassword: 'correct horse battery',
        }),
    );
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

test('the signature is HMAC-SHA256 of the body under the shared secret, in upper-case hex, at each attempt; none without one', async () => {
    let failures = 1;
    answers['/signed'] = () => (failures-- > 0 ? 500 : 200);
    const SharedSecret = 'a shared sécret 🔑',
        id = await hook('/signed', 'update', { SharedSecret });
    const { json } = await server.call('GET', `/api/sys/webhooks/${id}`, { token });
    assert.equal(
        (await server.call('PUT', '/api/sys/webhooks', { token, body: json })).status,
        200,
        'written back as it was read',
    );
    await server.update(userId, { FullName: 'Jörg 😀' });
    await cameTo('/signed', 2);
    for (const { text, signature } of to('/signed')) {
        assert.equal(
            signature,
            crypto.createHmac('sha256', SharedSecret).update(text).digest('hex').toUpperCase(),
        );
        assert.equal(JSON.parse(text)[0].FullName, 'Jörg 😀');
    }
    await cameTo('/update', 2);
    assert.equal(to('/update').at(-1).signature, undefined);
});

test('a refused change makes no delivery', async () => {
    const before = to('/update').length;
    assertInvalid(await server.update(userId, { FullName: '' }), 'FullName', /required/);
    await sleep(300);
    assert.equal(to('/update').length, before);
});

test('an attempt that fails is repeated; deliveries of one user come in order', async () => {
    let failures = 3;
    answers['/flaky'] = () => (failures-- > 0 ? 500 : 200);
    const id = await hook('/flaky', 'update');
    for (const name of ['First', 'Second', 'Third'])
        await server.update(userId, { FullName: name });
    await cameTo('/flaky', 6);
    assert.deepEqual(
        to('/flaky').map((one) => one.body[0].FullName),
        ['First', 'First', 'First', 'First', 'Second', 'Third'],
    );
    const { json } = await call('GET', `/api/sys/webhooks/${id}`);
    assert.deepEqual(
        [json.ErrorCount, json.Active, json.LastError],
        [0, true, 'its server answered with status 500'],
    );
    assert.ok(json.LastTrigger);
    await call('DELETE', `/api/sys/webhookdeliveries/${id}`);
});

// The tests below each have a server of their own, whose first pause is a millisecond.
async function another(members = people.length, args = ['--webhook-retry', '1']) {
    const own = await Server.start(['--webhook-hosts', `127.0.0.1:${port}`, ...args]);
    const bearer = await own.admin();
    await addMembers(own, members); // of whom each has the Id that it has among `people`
    const ask = (method, path, body, headers) =>
        own.call(method, path, { token: bearer, body, headers });
    return {
        own,
        ask,
        rename: (id, FullName) => ask('PATCH', `/api/sys/users/${id}`, { FullName }),
        deliveries: async (query) =>
            (await ask('GET', `/api/sys/webhookdeliveries?size=1000&${query}`)).json,
        read: async (id) => (await ask('GET', `/api/sys/webhooks/${id}`)).json,
        repeat: async (id) =>
            (
                await ask('POST', '/api/sys/webhookdeliveries/runcommand', {
                    Key: 'repeat',
                    Ids: [id],
                })
            ).json,
        hook: async (path, more = {}) => {
            const reply = await ask('POST', '/api/sys/webhooks', {
                BusinessId: businessId,
                Name: path,
                Action: actions.update,
                Active: true,
                URL: `http://127.0.0.1:${port}${path}`,
                ...more,
            });
            assert.equal(reply.status, 200, reply.text);
            return reply.json.Value.Id;
        },
        sql: (text) => own.sql(text),
    };
}
const status = { pending: 1, delivered: 2, failed: 3, cancelled: 4 };

test('the pause before an attempt is repeated doubles each time', async () => {
    const hour = 3600000,
        { hook, rename, deliveries, sql } = await another(people.length, [
            '--webhook-retry',
            `${hour}`,
        ]);
    answers['/down'] = 503;
    await hook('/down');
    await rename(people[0], 'Told At Last');
    const pauses = [];
    for (let attempts = 1; attempts <= 9; attempts++) {
        const { UpdatedOn, NextAttempt } = await until(`${attempts} attempts`, async () =>
            (await deliveries('orderBy=Id')).Records.find((one) => one.Attempts === attempts),
        );
        pauses.push((Date.parse(NextAttempt) - Date.parse(UpdatedOn)) / hour);
        sql(`UPDATE web_hook_deliveries SET NextAttempt = 1 WHERE Attempts = ${attempts}`); // it is due at once
        await rename(people[attempts], 'To Be Looked For');
    }
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
});

test('a delivery is made at once, and the one behind it next, however long pauses are', async () => {
    const { hook, rename, deliveries } = await another(1, ['--webhook-retry', '3600000']);
    let answer;
    answers['/at-once'] = () =>
        new Promise((resolve) => {
            answer = resolve;
        });
    await hook('/at-once');
    await rename(people[0], 'First');
    await cameTo('/at-once');
    await rename(people[0], 'Second');
    answer(200);
    await cameTo('/at-once', 2);
    answer(200);
    await until(
        'both are noted',
        async () =>
            (await deliveries(`WebHookDelivery_Status=${status.delivered}`)).TotalItems === 2,
    );
    await sleep(500); // what was noted is no reason to look any more
    await rename(people[0], 'Third');
    await cameTo('/at-once', 3);
    answer(200);
    assert.deepEqual(
        to('/at-once').map(({ body }) => body[0].FullName),
        ['First', 'Second', 'Third'],
    );
});

let tries = 0;
test('a webhook that never answers holds no other up', () =>
    within(9000, async () => {
        // it is given up after 10 s, and tried again
        const { hook, rename } = await another(),
            paths = ['hangs', 'beside'].map((name) => `/${name}/${++tries}`);
        const [hangs, beside] = paths.map((path) => () => to(path));
        answers[paths[0]] = 0;
        for (const path of paths) await hook(path);
        const rounds = 15;
        for (let round = 0; round < rounds; round++)
            await Promise.all(people.map((id) => rename(id, `Round ${round}`)));
        await until('all to the one that answers', () => beside().length >= people.length * rounds);
        for (const id of people)
            assert.deepEqual(
                beside()
                    .filter(({ body }) => body[0].Id === id)
                    .map(({ body }) => body[0].FullName),
                Array.from({ length: rounds }, (_, round) => `Round ${round}`),
                'in order',
            );
        assert.ok(
            hangs().length >= 1 && hangs().length <= 8,
            `${hangs().length} at once to one webhook`,
        );
        assert.equal(
            new Set(hangs().map(({ body }) => body[0].Id)).size,
            hangs().length,
            'one at a time of a user',
        );
    }));

// An attempt ends after 10 s, which makes room: a delivery that comes after that proves nothing.
test('half of all places are kept for webhooks that have none yet', async () => {
    const comesBeforeAnEnd = async (round) => {
        const { own, hook, rename, read } = await another(9);
        const hanging = Array.from({ length: 16 }, (_, i) => `/fills/${round}/${i}`),
            hooks = [];
        const atOnce = () => hanging.reduce((sum, path) => sum + to(path).length, 0);
        for (const path of hanging) {
            answers[path] = 0;
            hooks.push(await hook(path));
        }
        await Promise.all(people.slice(0, 8).map((id) => rename(id, 'Fills')));
        await until(
            'places are filled',
            () => hanging.every((path) => to(path).length) && atOnce() >= 64,
        );
        await hook(`/unfilled/${round}`);
        await rename(people[8], 'Has a Place');
        await cameTo(`/unfilled/${round}`);
        const count = atOnce(),
            ends = (await Promise.all(hooks.map(read))).filter(
                ({ LastError }) => LastError !== null,
            );
        assert.ok(ends.length || count <= 64 + 8, `${count} at once`);
        await own.stop();
        return !ends.length;
    };
    for (let round = 1; !(await comesBeforeAnEnd(round)); round++)
        assert.ok(round < 20, 'every attempt ended first');
});

test('an attempt that is cut short by the end of the server is made again, and does not count', async () => {
    const { own, hook, rename, deliveries } = await another(1);
    answers['/cut'] = 0;
    await hook('/cut');
    await rename(people[0], 'Cut Short');
    await cameTo('/cut');
    await own.restart();
    await cameTo('/cut', 2);
    const {
        Records: [delivery],
    } = await deliveries('');
    assert.deepEqual([delivery.Attempts, delivery.LastError], [0, null]);
    assert.equal(to('/cut')[1].delivery, to('/cut')[0].delivery);
});

test('many first attempts that fail at one moment do not make a webhook inactive', async () => {
    const { hook, rename, read } = await another();
    let down = people.length;
    answers['/restarts'] = () => (down-- > 0 ? 503 : 200);
    const id = await hook('/restarts');
    await Promise.all(people.map((one) => rename(one, 'While It Restarts')));
    const told = () =>
        new Set(
            to('/restarts')
                .slice(people.length)
                .map(({ body }) => body[0].Id),
        ).size;
    await until('each is told once it is back', () => told() === people.length);
    const found = await until('no failure is counted', async () => {
        const one = await read(id);
        return one.ErrorCount === 0 && one;
    });
    assert.deepEqual(
        [found.Active, found.LastError],
        [true, 'its server answered with status 503'],
    );
});

// While an attempt is on its way, its delivery has what was noted of the one before.
const pauseOf = ({ NextAttempt, UpdatedOn }) => Date.parse(NextAttempt) - Date.parse(UpdatedOn);

test('each pause is twice the one before, and there are ten attempts', async () => {
    const { hook, rename, deliveries } = await another(1);
    const pauses = [],
        read = async () => (await deliveries('')).Records[0];
    answers['/doubles'] = async () => {
        pauses.push(pauseOf(await read()));
        return 500;
    };
    await hook('/doubles');
    await rename(people[0], 'Not Told');
    await until('it fails for good', async () => (await read()).Status === status.failed);
    assert.deepEqual(pauses, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]);
    assert.deepEqual([(await read()).Attempts, (await read()).NextAttempt], [10, null]);
});

test('the first pause is 5 s where nothing else is set', async () => {
    const { hook, rename, deliveries } = await another(1, []);
    answers['/default'] = 500;
    await hook('/default');
    await rename(people[0], 'Not Told');
    const found = await until('an attempt is noted', async () => {
        const {
            Records: [one],
        } = await deliveries('');
        return one.Attempts && one;
    });
    assert.equal(pauseOf(found), 5000 * 2 ** (found.Attempts - 1));
});

test('ten deliveries that failed since one arrived make a webhook inactive, and change its ETag: not nine, not ten in all', async () => {
    const { ask, hook, rename, deliveries } = await another(9);
    const id = await hook('/counts');
    const read = async () => {
        const { headers, json } = await ask('GET', `/api/sys/webhooks/${id}`);
        return { tag: headers.get('etag'), found: [json.ErrorCount, json.Active] };
    };
    const ended = async (state) => (await deliveries(`WebHookDelivery_Status=${state}`)).TotalItems;
    const after = async (failures) => {
        const before = await ended(status.failed);
        answers['/counts'] = 500;
        await Promise.all(
            people.slice(0, failures).map((one) => rename(one, `Fails After ${before}`)),
        );
        await until(
            `${failures} fail`,
            async () => (await ended(status.failed)) === before + failures,
        );
        return read();
    };
    const { tag } = await read();
    assert.deepEqual(await after(9), { tag, found: [9, true] });
    answers['/counts'] = 200;
    await rename(people[0], 'Arrives');
    await until('one arrives', async () => (await ended(status.delivered)) === 1);
    assert.deepEqual(await after(9), { tag, found: [9, true] });
    const last = await after(1);
    assert.deepEqual(last.found, [10, false]);
    assert.notEqual(last.tag, tag);
});

test('ten deliveries in a row that failed make a webhook inactive; what waits for it ends; who activates it starts afresh', async () => {
    const { ask, hook, rename, read, deliveries, repeat } = await another();
    answers['/dead'] = 302; // a redirect is not followed
    const id = await hook('/dead');
    await rename(people[0], 'First');
    const [first] = await until('the first delivery fails', async () => {
        const { Records } = await deliveries(`WebHookDelivery_Status=${status.failed}`);
        return Records.length && Records;
    });
    assert.deepEqual(
        [first.Attempts, first.NextAttempt, first.DeliveredOn, first.LastError],
        [10, null, null, 'its server answered with status 302'],
    );
    assert.equal(to('/dead').length, 10);
    assert.equal(to('/elsewhere').length, 0);
    assert.deepEqual(
        [(await read(id)).Active, (await read(id)).ErrorCount],
        [true, 1],
        'one that failed is not enough',
    );
    for (const name of ['Second', 'Third'])
        await Promise.all(people.map((one) => rename(one, name)));
    const gone = await until('the webhook becomes inactive', async () => {
        const one = await read(id);
        return !one.Active && one;
    });
    assert.ok(gone.ErrorCount >= 10, `${gone.ErrorCount}`);
    await until(
        'nothing stays pending',
        async () => (await deliveries(`WebHookDelivery_Status=${status.pending}`)).TotalItems === 0,
    );
    const { Records: all } = await deliveries(`WebHookDelivery_Status=${status.cancelled}`);
    // One that stood behind another of the same user, so no attempt of it is still on its way.
    const cancelled = all.find((one) =>
        all.some(({ EntityId, Id }) => EntityId === one.EntityId && Id < one.Id),
    );
    assert.match(cancelled.LastError, /made inactive, or deleted/);
    assert.equal(cancelled.NextAttempt, null);

    answers['/dead'] = 200;
    const refused = await repeat(cancelled.Id);
    assert.equal(refused.WasSuccessful, false);
    assert.match(refused.Errors[0].Message, /webhook of this delivery is not active/);
    assert.equal((await ask('PATCH', `/api/sys/webhooks/${id}`, { Active: true })).status, 200);
    assert.ok((await read(id)).ErrorCount <= 8, 'counted afresh; eight may have been on their way');
    const told = (person, name) =>
        to('/dead').filter(({ body: [one] }) => one.Id === person && one.FullName === name).length;
    await rename(cancelled.EntityId, 'Alive Again');
    await until('it is told again', () => told(cancelled.EntityId, 'Alive Again') === 1);
    assert.equal(
        told(cancelled.EntityId, JSON.parse(cancelled.Payload)[0].FullName),
        0,
        'what was cancelled does not come by itself',
    );

    assert.equal((await repeat(first.Id)).WasSuccessful, true);
    await until('the first one is repeated', () => told(people[0], 'First') === 11);
    const again = await until('the delivery is noted as done', async () => {
        const delivery = (await ask('GET', `/api/sys/webhookdeliveries/${first.Id}`)).json;
        return delivery.DeliveredOn && delivery;
    });
    assert.deepEqual(
        [again.Status, again.NextAttempt, again.LastError],
        [status.delivered, null, null],
    );

    await ask('DELETE', `/api/sys/webhooks/${id}`);
    const orphan = await repeat(first.Id);
    assert.equal(orphan.WasSuccessful, false);
    assert.match(orphan.Errors[0].Message, /webhook of this delivery no longer exists/);
    assert.equal((await deliveries(`WebHookDelivery_Status=${status.pending}`)).TotalItems, 0);
});

test('deliveries of a webhook that is deleted are cancelled', async () => {
    const { ask, hook, rename, deliveries } = await another(1);
    answers['/leaves'] = 0;
    const id = await hook('/leaves');
    for (const name of ['One', 'Two', 'Three']) await rename(people[0], name);
    await cameTo('/leaves');
    const { Records } = await deliveries(`WebHookDelivery_Status=${status.pending}&orderBy=Id`);
    assert.deepEqual(
        Records.map(({ NextAttempt }) => NextAttempt !== null),
        [true, false, false],
        'the younger wait for the oldest',
    );
    await ask('DELETE', `/api/sys/webhooks/${id}`);
    await until(
        'all three end',
        async () =>
            (await deliveries(`WebHookDelivery_Status=${status.cancelled}`)).TotalItems === 3,
    );
});

test('a repeated delivery comes before what waits behind it, and nothing is lost', async () => {
    const { hook, rename, deliveries, repeat } = await another(1);
    await hook('/again');
    await rename(people[0], 'Old');
    const [old] = await until('the first is delivered', async () => {
        const { Records } = await deliveries(`WebHookDelivery_Status=${status.delivered}`);
        return Records.length && Records;
    });
    let failures = 4;
    answers['/again'] = () => (failures-- > 0 ? 500 : 200);
    for (const name of ['Young', 'Younger']) await rename(people[0], name);
    assert.equal((await repeat(old.Id)).WasSuccessful, true);
    await until(
        'all are delivered',
        async () =>
            (await deliveries(`WebHookDelivery_Status=${status.delivered}`)).TotalItems === 3,
    );
    const names = to('/again').map(({ body }) => body[0].FullName);
    assert.ok(
        names.lastIndexOf('Old') > 0 && names.lastIndexOf('Younger') > names.lastIndexOf('Young'),
        names.join(),
    );
});

test('an attempt that fails stands back for an older delivery that was repeated while it was on its way', async () => {
    const { own, hook, rename, deliveries, repeat } = await another(1);
    const answer = [];
    answers['/overtaken'] = () =>
        new Promise((resolve) => {
            answer.push(resolve);
        });
    await hook('/overtaken');
    await rename(people[0], 'Old');
    await cameTo('/overtaken');
    answer[0](200);
    const [old] = await until('the first is delivered', async () => {
        const { Records } = await deliveries(`WebHookDelivery_Status=${status.delivered}`);
        return Records.length && Records;
    });
    await rename(people[0], 'Young');
    await cameTo('/overtaken', 2);
    assert.equal((await repeat(old.Id)).WasSuccessful, true);
    answer[1](500);
    await cameTo('/overtaken', 3);
    const { Records } = await deliveries(`WebHookDelivery_Status=${status.pending}&orderBy=Id`);
    assert.deepEqual(
        Records.map(({ Id, Attempts, NextAttempt }) => [
            Id === old.Id,
            Attempts,
            NextAttempt !== null,
        ]),
        [
            [true, 0, true],
            [false, 1, false],
        ],
    );
    await own.assertWhole();
    answer[2](200);
    await cameTo('/overtaken', 4);
    answer[3](200);
    assert.deepEqual(
        to('/overtaken').map(({ body }) => body[0].FullName),
        ['Old', 'Young', 'Old', 'Young'],
    );
});

test('deliveries do not change the ETag of their webhook', async () => {
    const { ask, hook, rename, read } = await another(1);
    const id = await hook('/edited');
    const { headers } = await ask('GET', `/api/sys/webhooks/${id}`);
    await rename(people[0], 'In Between');
    await until('the delivery is noted', async () => (await read(id)).LastTrigger);
    const reply = await ask(
        'PATCH',
        `/api/sys/webhooks/${id}`,
        { Name: 'Edited' },
        { 'If-Match': headers.get('etag') },
    );
    assert.equal(reply.status, 200, reply.text);
    assert.ok((await read(id)).LastTrigger);
});

test('a delivery whose secret cannot be read fails and says so; it is not tried again', async () => {
    const { own, hook, rename, deliveries, read, sql } = await another(1);
    const id = await hook('/locked', { SharedSecret: 'a shared secret' });
    await own.stop();
    sql(`UPDATE web_hooks SET SharedSecret = ${own.bytes(Buffer.alloc(64))}`);
    await own.spawn();
    await rename(people[0], 'Unsigned');
    const [failed] = await until('the delivery fails', async () => {
        const { Records } = await deliveries(`WebHookDelivery_Status=${status.failed}`);
        return Records.length && Records;
    });
    assert.match(failed.LastError, /SharedSecret cannot be read with this server's key/);
    assert.deepEqual([failed.Attempts, (await read(id)).ErrorCount], [1, 1]);
    await until('the line in the log', () =>
        own.stderr.includes(`webhook ${id}: its SharedSecret cannot be read`),
    );
    await sleep(300);
    assert.equal(to('/locked').length, 0);
    assert.equal(own.stderr.match(/SharedSecret/g).length, 1);
});

test('deliveries that were pending survive a kill and are made after the start', async () => {
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
    const inside = http.createServer().on('connection', () => {
        connections++;
    });
    await new Promise((ready) => inside.listen(0, '127.0.0.1', ready));
    const made = await call('POST', '/api/sys/webhooks', {
        BusinessId: businessId,
        Name: 'Inside',
        Action: actions.update,
        Active: true,
        URL: `http://127.0.0.1:${inside.address().port}/`,
    });
    await server.update(userId, { FullName: 'Inward' });
    const { LastError } = await until('the refusal', async () => {
        const { json } = await call('GET', `/api/sys/webhooks/${made.json.Value.Id}`);
        return json.LastError && json;
    });
    assert.match(LastError, /no public address/);
    assert.equal(connections, 0);
    inside.close();
});

test('a caller without User-Read makes no webhook and reads no delivery', async () => {
    const { own, ask, hook, rename, deliveries } = await another(1);
    const id = await hook('/private');
    await rename(people[0], 'Private Person');
    const {
        Records: [delivery],
    } = await until('the delivery', async () => {
        const page = await deliveries(`WebHookDelivery_Status=${status.delivered}`);
        return page.TotalItems && page;
    });
    assert.match(delivery.Payload, /Private Person/);
    const { Records } = (await ask('GET', '/api/security/roles?size=100')).json;
    const grant = (names) => Records.filter(({ Name }) => names.test(Name)).map(({ Id }) => Id);
    const userRole = (
        await ask('POST', '/api/security/userroles', {
            BusinessId: businessId,
            Name: 'Hooks',
            Roles: grant(/^WebHook-/),
        })
    ).json.Value.Id;
    const made = await ask(
        'POST',
        '/api/sys/users',
        userBody({
            FullName: 'Hook Keeper',
            Email: 'keeper@example.com',
            Active: true,
            APIAccess: true,
            NewPassword: 'correct horse battery',
            UserRoles: [userRole],
        }),
    );
    assert.equal(made.status, 200, made.text);
    const token = await own.token('keeper@example.com', 'correct horse battery');
    const body = {
        BusinessId: businessId,
        Name: 'Mine',
        Action: actions.update,
        URL: `http://127.0.0.1:${port}/mine`,
        Active: true,
    };
    const attempts = [
        ['POST', '/api/sys/webhooks', body],
        ['PUT', '/api/sys/webhooks', { ...body, Id: id }],
        ['PATCH', `/api/sys/webhooks/${id}`, { URL: body.URL }],
        ['GET', '/api/sys/webhookdeliveries'],
        ['GET', `/api/sys/webhookdeliveries?id=[${delivery.Id}]`],
        ['GET', `/api/sys/webhookdeliveries/${delivery.Id}`],
        ['POST', '/api/sys/webhookdeliveries/runcommand', { Key: 'repeat', Ids: [delivery.Id] }],
    ];
    for (const [method, path, sent] of attempts)
        assert.match(
            assertFailure(await own.call(method, path, { token, body: sent }), 403).Message,
            /User-Read/,
        );
    assert.equal(
        (await own.call('GET', `/api/sys/webhooks/${id}`, { token })).status,
        200,
        'the webhook itself shows no user',
    );
    await ask('PATCH', `/api/security/userroles/${userRole}`, {
        Roles: grant(/^WebHook-|^User-Read$/),
    });
    for (const [method, path, sent] of attempts) {
        const reply = await own.call(method, path, { token, body: sent });
        assert.equal(reply.status, 200, reply.text);
    }
});

// A webhook depends on its maker's rights: changes that take them away, or the maker himself.
const losses = {
    'lost User-Read': (ask, { Id }) => ask('PATCH', `/api/sys/users/${Id}`, { UserRoles: [] }),
    'has a user role that lost it': (ask, { role }) =>
        ask('PATCH', `/api/security/userroles/${role}`, { RemovedRoles: [2] }),
    'was deactivated': (ask, { Id }) => ask('PATCH', `/api/sys/users/${Id}`, { Active: false }),
    'may not call any more': (ask, { Id }) =>
        ask('PATCH', `/api/sys/users/${Id}`, { APIAccess: false }),
    'was deleted': (ask, { Id }) => ask('DELETE', `/api/sys/users/${Id}`),
};

test('a webhook whose maker is gone or may not read users any more tells nothing and stops; who changes it since is its maker', async () => {
    const { own, ask, hook, rename, deliveries, read } = await another();
    const names = Object.keys(losses),
        paths = names.map((_, i) => `/maker${i}`),
        makers = [],
        hooks = [];
    const roles = (await ask('GET', '/api/security/roles?size=1000')).json.Records,
        wanted = ['WebHook-Create', 'WebHook-Edit', 'User-Read'];
    for (const [i, path] of paths.entries()) {
        const Email = `maker${i}@example.com`,
            role = (
                await ask('POST', '/api/security/userroles', {
                    BusinessId: businessId,
                    Name: path,
                    Roles: roles.filter(({ Name }) => wanted.includes(Name)).map(({ Id }) => Id),
                })
            ).json.Value.Id;
        const { Id } = (
            await ask(
                'POST',
                '/api/sys/users',
                userBody({
                    FullName: path,
                    Email,
                    Active: true,
                    APIAccess: true,
                    NewPassword: 'correct horse battery',
                    UserRoles: [role],
                }),
            )
        ).json.Value;
        makers.push({ Id, role, token: await own.token(Email, 'correct horse battery') });
        const made = await own.call('POST', '/api/sys/webhooks', {
            token: makers[i].token,
            body: {
                BusinessId: businessId,
                Name: path,
                Action: actions.update,
                Active: true,
                URL: `http://127.0.0.1:${port}${path}`,
            },
        });
        assert.equal(made.status, 200, made.text);
        hooks.push(made.json.Value.Id);
    }
    assert.equal(
        (await ask('PATCH', `/api/sys/webhooks/${hooks[1]}`, { Description: 'changed by another' }))
            .status,
        200,
    );
    assert.equal(
        (
            await own.call('PATCH', `/api/sys/webhooks/${hooks[1]}`, {
                token: makers[1].token,
                body: { Description: 'and back' },
            })
        ).status,
        200,
    );
    await hook('/keeper');
    await rename(people[0], 'While they may');
    for (const path of [...paths, '/keeper']) await cameTo(path);
    for (const [i, name] of names.entries())
        assert.equal((await losses[name](ask, makers[i])).status, 200, name);
    await rename(people[0], 'When they may not');
    await until('the keeper is told', () =>
        to('/keeper').some(({ text }) => text.includes('When they may not')),
    );
    for (const [i, name] of names.entries()) {
        await until(`${name}: stopped`, async () => !(await read(hooks[i])).Active);
        assert.equal(
            (await read(hooks[i])).LastError,
            'the user who made or last changed it may no longer read users',
            name,
        );
        await until(
            `${name}: cancelled`,
            async () =>
                (
                    await deliveries(
                        `WebHookDelivery_WebHookId=${hooks[i]}&WebHookDelivery_Status=${status.pending}`,
                    )
                ).TotalItems === 0,
        );
    }
    assert.deepEqual(
        paths.map(
            (path) => to(path).filter(({ text }) => text.includes('When they may not')).length,
        ),
        paths.map(() => 0),
    );
    assert.equal(
        (await read((await deliveries('size=1')).Records[0].WebHookId)).MakerId,
        undefined,
        'nobody is shown who it is',
    );
    assert.equal(
        (await ask('PATCH', `/api/sys/webhooks/${hooks[4]}`, { Active: true })).status,
        200,
    );
    await rename(people[0], 'By another right');
    await until('what is told by another right', () =>
        to(paths[4]).some(({ text }) => text.includes('By another right')),
    );
});

test('deliveries that ended long ago are taken away, however many; what is pending stays', async () => {
    const { own, hook, rename, deliveries, sql } = await another(1);
    answers['/kept'] = 0;
    await hook('/kept');
    await rename(people[0], 'Waits');
    await own.stop();
    const ended = (days, first, count, state) =>
        sql(`INSERT INTO web_hook_deliveries (Id, Version, WebHookId, Action, EntityId, Payload, Status, Attempts, UpdatedOn, CreatedOn, UniqueId, UpdatedBy, ToStringText)
        SELECT value, 1, 1, 1002, 1, ${first}, ${state}, 1, ${timestamp(-days * 86400000)}, 0, '00000000-0000-0000-0000-000000' || value, '', '' FROM generate_series(${first}, ${first + count - 1}) AS value`);
    sql(
        "INSERT INTO payloads VALUES (900000, '[]'), (910000, '[]'), (920000, '[]'), (930000, '[]')",
    );
    ended(31, 900000, 2500, status.delivered);
    ended(31, 910000, 10, status.failed);
    ended(31, 920000, 10, status.cancelled);
    ended(29, 930000, 10, status.delivered);
    sql('UPDATE web_hook_deliveries SET UpdatedOn = 0 WHERE Status = 1');
    await own.spawn();
    await until(
        'only the young ones and the one that waits are there',
        async () => (await deliveries('')).TotalItems === 11,
    );
    assert.equal((await deliveries(`WebHookDelivery_Status=${status.pending}`)).TotalItems, 1);
    assert.equal(
        sql("SELECT id FROM payloads WHERE text = '[]' ORDER BY id"),
        '930000',
        'what they told went with the last of them',
    );
});

test('the business, name, action and URL of a webhook are checked', async () => {
    const reply = await call('POST', '/api/sys/webhooks', {
        BusinessId: 9,
        Action: 91,
        URL: 'ftp://example.com/',
    });
    assertInvalid(reply, 'BusinessId', /no business with Id 9/);
    assertInvalid(reply, 'Name', /required/);
    assertInvalid(
        reply,
        'Action',
        /one of 1 to 90, 1001 \(UserCreate\), 1002 \(UserUpdate\), 1003 \(UserDelete\)/,
    );
    assertInvalid(reply, 'URL', /http or https/);
});

test('each change by a command has a delivery, in order', async () => {
    const { ask, hook, rename } = await another(1);
    const path = '/commanded',
        [id] = people;
    await hook(path);
    const told = () =>
        to(path)
            .filter(({ body }) => body[0].Id === id)
            .map(({ body }) => body[0]);
    await ask('PATCH', `/api/sys/users/${id}`, { InvalidLoginAttempts: 10 });
    for (const Key of [
        'unlock',
        'revoke-tokens',
        'deactivate',
        'activate',
        'require-password-reset',
    ])
        assert.equal(
            (await ask('POST', '/api/sys/users/runcommand', { Key, Ids: [id], Parameters: [] }))
                .json.WasSuccessful,
            true,
            Key,
        );
    await rename(id, 'The Last');
    await until('the last change', () => told().at(-1)?.FullName === 'The Last');
    assert.deepEqual(
        told().map((user) => [user.InvalidLoginAttempts, user.Active, user.MustResetPassword]),
        [
            [10, true, false],
            [0, true, false],
            [0, false, false],
            [0, true, false],
            [0, true, true],
            [0, true, true],
        ],
        'tokens are no part of a record',
    );
});

test('a user who is linked from the other side is told of', async () => {
    const { ask, hook } = await another(2);
    const path = '/linked',
        [one, two] = people;
    await hook(path);
    const role = (
        await ask('POST', '/api/security/userroles', {
            BusinessId: businessId,
            Name: 'Told',
            Roles: [1],
            Users: [one],
        })
    ).json.Value.Id;
    await cameTo(path, 1);
    await ask('PATCH', `/api/security/userroles/${role}`, { Users: [two] });
    await cameTo(path, 3);
    const of = (id) =>
        to(path)
            .filter(({ body }) => body[0].Id === id)
            .map(({ body }) => body[0].UserRoles);
    assert.deepEqual([of(one), of(two)], [[[role], []], [[role]]]);
    await ask('POST', '/api/support/chatrooms', {
        BusinessId: businessId,
        Name: 'Told',
        Users: [two],
    });
    await cameTo(path, 4);
    assert.equal(to(path).at(-1).body[0].ChatRooms.length, 1);
});

test('a new password by a reset token is told, without the password', async () => {
    const { own, ask, hook } = await another(1);
    const path = '/reset',
        email = 'editor@example.com';
    const user = (await ask('GET', `/api/sys/users?User_Email=${email}`)).json.Records[0];
    await ask('PATCH', `/api/sys/users/${user.Id}`, { MustResetPassword: true });
    const { json } = await own.grant({ grant_type: 'password', username: email, password });
    assert.equal(json.error, 'must_reset_password');
    await hook(path);
    const reply = await own.call('POST', '/api/auth/resetpassword', {
        body: { Token: json.error_description, NewPassword: 'correct horse battery' },
    });
    assert.equal(reply.status, 200, reply.text);
    await cameTo(path);
    const [
        {
            text,
            body: [record],
        },
    ] = to(path);
    assert.deepEqual(
        [record.Id, record.MustResetPassword, record.Password, record.NewPassword],
        [user.Id, false, null, null],
    );
    assert.ok(!text.includes('correct horse') && !text.includes(json.error_description));
});

test("webhooks may wait for the service's own events, 1 to 90, which never come", async () => {
    const { ask, hook, rename } = await another(1);
    for (const Action of [1, 2, 3, 50, 84, 90]) {
        const id = await hook('/never', { Action });
        assert.equal((await ask('GET', `/api/sys/webhooks/${id}`)).json.Action, Action);
    }
    await hook('/ever');
    await rename(people[0], 'Nobody Else');
    await ask('PATCH', '/api/sys/businesses/301', { Name: 'Changed' });
    await cameTo('/ever');
    assert.equal((await ask('GET', '/api/sys/webhookdeliveries')).json.TotalItems, 1);
    assert.equal(to('/never').length, 0);
    for (const Action of [0, 91, 1000, 1004, '3.5'])
        assertInvalid(
            await ask('POST', '/api/sys/webhooks', {
                BusinessId: businessId,
                Name: 'x',
                URL: 'https://example.com/',
                Action,
            }),
            'Action',
            /must be one of 1 to 90, 1001/,
        );
});

test('each delivery carries its Id, the same at each attempt', async () => {
    let failures = 2;
    answers['/named'] = () => (failures-- > 0 ? 500 : 200);
    const id = await hook('/named', 'update');
    await server.update(userId, { LastHelpVisited: 1 });
    await cameTo('/named', 3);
    await server.update(userId, { LastHelpVisited: 2 });
    await cameTo('/named', 4);
    const ids = to('/named').map(({ delivery }) => Number(delivery));
    const { json } = await call(
        'GET',
        `/api/sys/webhookdeliveries?WebHookDelivery_WebHook=${id}&orderBy=Id`,
    );
    assert.deepEqual(
        ids,
        [0, 0, 0, 1].map((n) => json.Records[n].Id),
    );
    const noted = await until('both are noted', async () => {
        const { Records } = (
            await call('GET', `/api/sys/webhookdeliveries?WebHookDelivery_WebHook=${id}&orderBy=Id`)
        ).json;
        return Records.every(({ DeliveredOn }) => DeliveredOn) && Records;
    });
    assert.deepEqual(
        noted.map(({ Attempts, LastError, NextAttempt }) => [Attempts, LastError, NextAttempt]),
        [
            [3, null, null],
            [1, null, null],
        ],
    );
    assert.equal(
        (await call('GET', `/api/sys/webhooks/${id}`)).json.LastTrigger,
        noted[1].DeliveredOn,
    );
});

test('an inactive webhook is told nothing, and nothing is kept for it', async () => {
    const { ask, hook, rename, deliveries } = await another(1);
    const id = await hook('/inactive', { Active: false });
    await hook('/active');
    await rename(people[0], 'While Inactive');
    await cameTo('/active');
    assert.equal((await ask('PATCH', `/api/sys/webhooks/${id}`, { Active: true })).status, 200);
    await rename(people[0], 'While Active');
    await cameTo('/inactive');
    await cameTo('/active', 2);
    assert.deepEqual(
        to('/inactive').map(({ body }) => body[0].FullName),
        ['While Active'],
    );
    assert.equal((await deliveries('')).TotalItems, 3);
});
