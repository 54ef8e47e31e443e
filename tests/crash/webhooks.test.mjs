// kill -9 at random times while webhooks are delivered: every acknowledged change is delivered at
// least once, and those of one user in order.
import test from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { businessId, memberIds } from '../lib/ids.mjs';
import { Server, run } from '../lib/server.mjs';
import { Chance, seed } from '../lib/chance.mjs';
import { until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';

const rounds = 15;
const chance = new Chance();
const ids = memberIds(16);
const told = new Map(ids.map((id) => [id, []])); // the numbers that came, by user
let answers = 0;
const hosts = await startWebhookReceiver((user) => {
    told.get(user.Id).push(user.LastHelpVisited);
    return ++answers % 50 === 0 ? 503 : 200; // some are repeated anyway
});
const server = await Server.start([
    '--demo',
    '--webhook-hosts',
    hosts,
    '--webhook-retry',
    '1',
    '--checkpoint-after',
    '1',
]);
const token = await server.admin();
const call = (method, path, body) => server.call(method, path, { token, body });
const acknowledged = new Map(ids.map((id) => [id, []]));
let number = 0;

// Changes a user, one change after the other, until the server is gone.
async function load(id) {
    for (;;) {
        const mine = ++number;
        let reply;
        try {
            reply = await call('PATCH', `/api/sys/users/${id}`, { LastHelpVisited: mine });
        } catch {
            return;
        }
        assert.equal(reply.status, 200, reply.text);
        acknowledged.get(id).push(mine);
    }
}

test(`${rounds} times kill -9 (SEED=${seed}): each change is told at least once, and of one user in order`, async (context) => {
    const hook = await call('POST', '/api/sys/webhooks', {
        BusinessId: businessId,
        Name: 'All',
        Action: 1002,
        Active: true,
        URL: `http://${hosts}/`,
    });
    assert.equal(hook.status, 200, hook.text);
    const answered = () => [...acknowledged.values()].flat().length;
    for (let round = 0; round < rounds || answered() <= 10 * rounds; round++) {
        // a slow machine has more of them
        assert.ok(round < 20 * rounds, 'there is load');
        const working = ids.map(load);
        await chance.untilKill();
        server.child.kill('SIGKILL');
        await server.ended;
        await Promise.all(working);
        const checked = await run(['check', '--data', join(server.folder, 'data')]);
        assert.equal(checked.code, 0, checked.stderr);
        await server.spawn();
    }
    const pending = async () =>
        (await call('GET', '/api/sys/webhookdeliveries?WebHookDelivery_Status=1&size=1')).json
            .TotalItems;
    await until('all is delivered', async () => (await pending()) === 0);

    for (const id of ids) {
        const came = told.get(id),
            known = new Set(came);
        assert.deepEqual(
            acknowledged.get(id).filter((one) => !known.has(one)),
            [],
            `user ${id}: acknowledged, but never told`,
        );
        assert.deepEqual(
            came,
            [...came].sort((a, b) => a - b),
            `user ${id}: told in order`,
        );
    }
    const { json } = await call('GET', '/api/sys/webhookdeliveries?size=1');
    const { json: delivered } = await call(
        'GET',
        '/api/sys/webhookdeliveries?WebHookDelivery_Status=2&size=1',
    );
    assert.equal(delivered.TotalItems, json.TotalItems, 'and each is noted as delivered');
    context.diagnostic(
        `${rounds} kills (SEED=${seed}): ${answered()} acknowledged, told ${json.TotalItems}, lost 0`,
    );
});
