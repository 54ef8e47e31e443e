// A test of a webhook is a delivery like any other, of a user who does not exist: one at a time, to an active webhook
// alone, by whoever may change it. The audit trail has who sent a test or repeated a delivery.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';

const came = [];
let status = 200;
const host = await startWebhookReceiver((user) => {
    came.push(user);
    return status;
});
const server = await Server.start(['--webhook-hosts', host, '--webhook-retry', '20']);
const token = await server.admin();
const call = async (method, path, body) => {
    const reply = await server.call(method, path, { token, body });
    assert.equal(reply.status, 200, reply.text);
    return reply.json;
};
const hook = async (more = {}) =>
    (
        await call('POST', '/api/sys/webhooks', {
            BusinessId: businessId,
            Name: 'Tested',
            Action: 1002,
            Active: true,
            URL: `http://${host}/`,
            ...more,
        })
    ).Value.Id;
const run = (Ids, Key = 'test', path = '/api/sys/webhooks') =>
    call('POST', `${path}/runcommand`, { Key, Ids });
const deliveries = async (id) =>
    (await call('GET', `/api/sys/webhookdeliveries?WebHookDelivery_WebHookId=${id}&orderBy=Id`))
        .Records;
const trail = async (id, property) =>
    (
        await call(
            'GET',
            `/api/sys/audittrailentries?AuditTrailEntry_EntityShortName=WebHook&AuditTrailEntry_EntityId=${id}&AuditTrailEntry_PropertyName=${property}`,
        )
    ).Records;
const delivered = (id, count = 1) =>
    until(`${count} to ${id}`, async () => {
        const all = (await deliveries(id)).filter((one) => one.Status === 2);
        return all.length === count && all;
    });

test('a test is delivered as the webhook would deliver a change, of a user with the Id 0', async () => {
    const id = await hook();
    const { Records } = await call('GET', '/api/sys/users?size=1');
    assert.equal((await run([id])).WasSuccessful, true);
    const [one] = await delivered(id);
    assert.deepEqual([one.EntityId, one.Action, one.Attempts], [0, 1002, 1]);
    const [user] = came.splice(0);
    assert.deepEqual(Object.keys(user), Object.keys(await server.get(Records[0].Id)));
    assert.deepEqual([user.Id, user.FullName, user.Active], [0, 'Test delivery', false]);
    const [row] = await trail(id, 'Test');
    assert.deepEqual([row.ActionBy, row.NewValue], ['admin@example.com', 'sent']);
    assert.equal((await server.call('GET', '/api/sys/users/0', { token })).status, 404);
    const page = await call('GET', '/api/sys/users?User_Email=test@example.invalid');
    assert.equal(page.TotalItems, 0, 'nobody was made');
});

test('a webhook has one test at a time, however many ask at once; a change is not held up by it', async () => {
    const id = await hook();
    status = 500;
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => run([id])));
    assert.equal(outcomes.filter((one) => one.WasSuccessful).length, 1);
    const [refused] = outcomes.filter((one) => !one.WasSuccessful);
    assert.match(refused.Errors[0].Message, /a test that was not delivered yet/);
    assert.equal((await trail(id, 'Test')).length, 1);
    assert.equal((await deliveries(id)).length, 1);
    status = 200;
    await call('PATCH', `/api/sys/users/${userId}`, { SystemId: 'changed' });
    await delivered(id, 2);
    assert.equal((await run([id])).WasSuccessful, true, 'the first was delivered');
    await delivered(id, 3);
});

test('an inactive webhook, and one that is gone, get no test; the others of the same run do', async () => {
    const idle = await hook({ Active: false }),
        id = await hook();
    const { WasSuccessful, Errors } = await run([idle, 999999, id]);
    assert.equal(WasSuccessful, false);
    assert.deepEqual(
        Errors.map((one) => one.AttemptedValue),
        [idle, 999999],
    );
    assert.match(Errors[0].Message, /only an active webhook/);
    await delivered(id);
    assert.deepEqual([await deliveries(idle), await trail(idle, 'Test')], [[], []]);
});

test('whoever may not change a webhook, or may not read users, sends no test', async () => {
    const id = await hook();
    const body = { Key: 'test', Ids: [id] };
    const refused = await server.call('POST', '/api/sys/webhooks/runcommand', {
        token: await server.token('manager@example.com'),
        body,
    });
    assertFailure(refused, 403);
    assert.deepEqual(await deliveries(id), []);
});

test('the audit trail has who repeated a delivery, with the webhook', async () => {
    const id = await hook();
    await run([id]);
    const [one] = await delivered(id);
    await run([one.Id], 'repeat', '/api/sys/webhookdeliveries');
    await until('it arrives again', async () => (await deliveries(id))[0].Attempts === 1);
    const [row] = await trail(id, 'Redelivery');
    assert.deepEqual([row.ActionBy, row.NewValue], ['admin@example.com', `${one.Id}`]);
    await call('PATCH', `/api/sys/webhooks/${id}`, { Active: false });
    const again = await run([one.Id], 'repeat', '/api/sys/webhookdeliveries');
    assert.equal(again.WasSuccessful, false);
    assert.equal((await trail(id, 'Redelivery')).length, 1, 'what was refused leaves no row');
});
