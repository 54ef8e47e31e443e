// A full disk during a delivery: its outcome cannot be stored. And pauses, for which the clock is
// set.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { businessId, staff, userId } from '../lib/ids.mjs';
import { ENOSPC, Faults } from './faults.mjs';
import { sleep, until } from '../lib/wait.mjs';

const faults = new Faults();
const waiting = []; // replies that are not given yet
let came = 0;
const listener = http.createServer((request, reply) => {
    came++;
    request.resume();
    request.on('end', () => waiting.push(reply));
});
await new Promise((ready) => listener.listen(0, '127.0.0.1', ready));
after(() => {
    listener.close();
    listener.closeAllConnections();
});
const host = `127.0.0.1:${listener.address().port}`;
const server = await faults.start(['--demo', '--webhook-hosts', host]);
const token = await server.admin();
const call = (method, path, body) => server.call(method, path, { token, body });
const arrival = async (count) => {
    await until(
        () => `${waiting.length} of ${count} came`,
        () => waiting.length >= count,
    );
};

test('a receiver is not posted to over and over while the disk is full, and again once there is room', async () => {
    const hook = await call('POST', '/api/sys/webhooks', {
        BusinessId: businessId,
        Name: 'Full',
        Action: 1002,
        Active: true,
        URL: `http://${host}/`,
    });
    assert.equal(hook.status, 200, hook.text);
    assert.equal(
        (await call('PATCH', `/api/sys/users/${userId}`, { FullName: 'Told Twice' })).status,
        200,
    );
    await arrival(1);
    faults.arm('write', 1, { code: ENOSPC, lasts: true });
    waiting[0].end();
    await until('the outcome cannot be stored', () =>
        /the outcomes of webhook deliveries could not be stored/.test(server.stderr),
    );
    await sleep(1000); // it looks ten times a second for what is due; the next time to post is 10 s off
    assert.equal(came, 1);
    assert.ok(faults.mend('write') > 0);
    await arrival(2);
    waiting[1].end();
    const status = async () =>
        (await call('GET', '/api/sys/webhookdeliveries')).json.Records[0].Status;
    await until(
        async () => `Status ${await status()}`,
        async () => (await status()) === 2,
    );
});

// The other deliveries are made at once; an attempt that did not wait would have been made before
// them.
test('an attempt waits for its whole pause, however long: ten minutes, and twice as long each time', async () => {
    const minutes = 60000,
        first = 10 * minutes,
        moments = [];
    let clock = 0;
    const receiver = http.createServer((request, reply) => {
        let text = '';
        request.on('data', (part) => {
            text += part;
        });
        request.on('end', () => {
            const [{ Id }] = JSON.parse(text);
            if (Id === userId) moments.push(clock / minutes);
            reply.writeHead(Id === userId ? 500 : 200).end();
        });
    });
    await new Promise((ready) => receiver.listen(0, '127.0.0.1', ready));
    after(() => {
        receiver.close();
        receiver.closeAllConnections();
    });
    const place = `127.0.0.1:${receiver.address().port}`,
        own = await faults.start(['--webhook-hosts', place, '--webhook-retry', `${first}`]);
    const token = await own.admin(),
        ask = (method, path, body) => own.call(method, path, { token, body });
    const deliveries = async (query) =>
        (await ask('GET', `/api/sys/webhookdeliveries?size=1000&${query}`)).json;
    assert.equal(
        (
            await ask('POST', '/api/sys/webhooks', {
                BusinessId: businessId,
                Name: 'Slow',
                Action: 1002,
                Active: true,
                URL: `http://${place}/`,
            })
        ).status,
        200,
    );
    assert.equal(
        (await ask('PATCH', `/api/sys/users/${userId}`, { FullName: 'Told in Vain' })).status,
        200,
    );
    for (let attempt = 1; attempt <= 10; attempt++) {
        await until(
            `attempt ${attempt}`,
            async () =>
                (await deliveries(`WebHookDelivery_EntityId=${userId}`)).Records[0].Attempts ===
                attempt,
        );
        assert.equal(
            (await ask('PATCH', `/api/sys/users/${staff.reader}`, { FullName: `Told ${attempt}` }))
                .status,
            200,
        );
        await until(
            `the others' delivery ${attempt}`,
            async () => (await deliveries('WebHookDelivery_Status=2')).TotalItems === attempt,
        );
        clock += first * 2 ** (attempt - 1);
        faults.setClock(clock);
    }
    faults.setClock(0);
    assert.deepEqual(moments, [0, 10, 30, 70, 150, 310, 630, 1270, 2550, 5110]);
});
