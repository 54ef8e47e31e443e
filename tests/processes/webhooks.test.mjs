// Webhooks of several servers on one database: one server delivers each change, those of one user in order; when it is killed
// or stands still, another one takes over. A delivery may then come a second time: only the first time counts.
import test, { after } from 'node:test';
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
const servers = await Processes.start([
    '--metrics',
    '--webhook-hosts',
    hosts,
    '--webhook-retry',
    '20',
]);
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

function assertToldInOrder() {
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
}

const holds = async (server) =>
    /^roster_store_office 1$/m.test((await server.call('GET', '/metrics')).text);
// Those of the servers that have the office.
async function holders(asked = servers.members) {
    const answers = await Promise.all(asked.map(holds));
    return asked.filter((_, i) => answers[i]);
}
// The server that has the office; waits until one of these has it.
const holder = (asked) =>
    until('a server has the office', async () => (await holders(asked))[0], { pause: 50 });

test('each change through any server is told, those of a user in order, by one server once', async () => {
    await holder();
    await Promise.all(members.map((id) => change(id, 20)));
    await areAllDelivered();
    // A process that does not run for seconds loses the office, as it should. Else nothing comes twice.
    const changedHands = servers.members.some(({ stderr }) => /no longer delivers/.test(stderr));
    for (const id of members)
        assert.deepEqual(
            changedHands ? first(told.get(id)) : told.get(id),
            acknowledged.get(id),
            `user ${id}`,
        );
    assert.ok((await holders()).length <= 1, 'one has the office');
});

test('a server that has not the office deletes no expired rows; the next that gets it does', async () => {
    const holding = await holder();
    const add = `INSERT INTO idempotency_keys VALUES (1, 'old', 'mac', 1, 1, 'nobody')`;
    const count = () =>
        Number(servers.sql('SELECT count(*) FROM idempotency_keys WHERE at_ms = 1'));
    servers.sql(add);
    const other = servers.members.find((one) => one !== holding);
    await other.restart();
    if ((await holders())[0] === holding) assert.equal(count(), 1, 'the others leave it alone');
    await holding.stop();
    servers.members.splice(servers.members.indexOf(holding), 1);
    await holder();
    await until('the row is deleted', () => count() === 0, { pause: 50 });
    await holding.spawn();
    servers.members.push(holding);
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
    assertToldInOrder();
});

test('another server takes over from one that stands still, which tells nothing when it goes on', async () => {
    const stopped = await holder(),
        others = servers.members.filter((one) => one !== stopped);
    stopped.child.kill('SIGSTOP');
    after(() => stopped.child.kill('SIGCONT')); // else it could not be ended
    const all = servers.members;
    servers.members = others;
    await Promise.all(members.map((id) => change(id, 5)));
    await holder(others);
    await areAllDelivered();
    stopped.child.kill('SIGCONT');
    servers.members = all;
    await Promise.all(members.map((id) => change(id, 5)));
    await areAllDelivered();
    assertToldInOrder();
    assert.ok((await holders()).length <= 1, 'one has the office');
});
