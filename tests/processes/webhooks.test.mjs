// Webhooks of several servers on one database: each change is delivered, those of one user in order, whichever server is killed.
// Each server delivers whatever is due, so a delivery may come more than once: only the first time counts here.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId } from '../lib/ids.mjs';
import { Processes } from '../lib/processes.mjs';
import { addMembers } from '../lib/world.mjs';
import { deadlines, until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';

const told = new Map(); // the numbers that came, by user
const hosts = await startWebhookReceiver((user) => {
    told.get(user.Id).push(user.LastHelpVisited);
});
const servers = await Processes.start(['--webhook-hosts', hosts, '--webhook-retry', '20']);
const token = await servers.admin();
const members = await addMembers(servers, 12);
for (const id of members) told.set(id, []);
const call = (method, path, body) => servers.call(method, path, { token, body });
const hook = await call('POST', '/api/sys/webhooks', {
    BusinessId: businessId,
    Name: 'All',
    Action: 1002,
    Active: true,
    URL: `http://${hosts}/`,
});
assert.equal(hook.status, 200, hook.text);

let number = 0;
const acknowledged = new Map(members.map((id) => [id, []]));
// Changes a user `times` times, one change after the other. A change that a killed server did not answer is made again.
async function change(id, times) {
    for (let done = 0; done < times; ) {
        const mine = ++number;
        const reply = await call('PATCH', `/api/sys/users/${id}`, { LastHelpVisited: mine }).catch(
            () => undefined,
        );
        if (!reply) continue;
        assert.equal(reply.status, 200, reply.text);
        acknowledged.get(id).push(mine);
        done++;
    }
}

const pending = async () =>
    (await call('GET', '/api/sys/webhookdeliveries?WebHookDelivery_Status=1&size=1')).json
        .TotalItems;
const areAllDelivered = () =>
    until('all is delivered', async () => (await pending()) === 0, {
        deadline: deadlines.manyReceivers,
        pause: 50,
    });

const first = (numbers) => [...new Set(numbers)];

test('each change through any server is told, those of a user in order', async () => {
    await Promise.all(members.map((id) => change(id, 20)));
    await areAllDelivered();
    for (const id of members)
        assert.deepEqual(first(told.get(id)), acknowledged.get(id), `user ${id}`);
});

test('after kill -9 of each server in turn, every change is told, in order', async () => {
    for (const killed of [...servers.members]) {
        const working = Promise.all(members.map((id) => change(id, 10)));
        killed.child.kill('SIGKILL');
        await killed.ended;
        await working;
        await killed.spawn();
    }
    await areAllDelivered();
    for (const id of members) {
        const came = first(told.get(id)),
            known = new Set(came);
        assert.deepEqual(
            acknowledged.get(id).filter((one) => !known.has(one)),
            [],
            `user ${id}: never told`,
        );
        assert.deepEqual(
            came,
            [...came].sort((a, b) => a - b),
            `user ${id}: in order`,
        );
    }
});
