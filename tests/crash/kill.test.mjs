// kill -9 at random times under load, 15 times: every acknowledged update is there after the
// restart, and the database is whole.
import test from 'node:test';
import assert from 'node:assert/strict';
import { memberIds } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { Chance, seed } from '../lib/chance.mjs';

const rounds = Number(process.env.CRASH_ROUNDS ?? 15);
const chance = new Chance();
const clients = 16;
const server = await Server.start(['--demo', '--checkpoint-after', '1']);
const token = await server.admin();
const ids = memberIds(clients);
const bodies = new Map(
    await Promise.all(ids.map(async (id) => [id, required(await server.get(id, token))])),
);
const acknowledged = new Map(ids.map((id) => [id, 0])); // the last number that a 200 confirmed
const answers = new Map(ids.map((id) => [id, 0])); // how many 200s
const attempted = new Map(ids.map((id) => [id, 0]));
const answered = () => [...answers.values()].reduce((sum, number) => sum + number, 0);

// Counts a user up, one update after the other, until the server is gone.
async function load(id) {
    for (;;) {
        const number = attempted.get(id) + 1;
        attempted.set(id, number);
        let reply;
        try {
            reply = await server.put(
                { ...bodies.get(id), LastHelpVisited: number, SystemId: `number ${number}` },
                { token },
            );
        } catch {
            return;
        }
        assert.equal(reply.status, 200, reply.text);
        acknowledged.set(id, number);
        answers.set(id, answers.get(id) + 1);
    }
}

test(`${rounds} times kill -9 under load (SEED=${seed}) loses no acknowledged update`, async () => {
    for (let round = 0; round < rounds || answered() <= 10 * rounds; round++) {
        // a slow machine has more of them
        assert.ok(round < 20 * rounds, 'there is load');
        const working = ids.map(load);
        await chance.untilKill();
        server.child.kill('SIGKILL');
        await server.ended;
        await Promise.all(working);
        await server.spawn();
        for (const id of ids) {
            const user = await server.get(id, token);
            assert.ok(
                user.LastHelpVisited >= acknowledged.get(id),
                `round ${round}: user ${id} is at ${user.LastHelpVisited}, acknowledged was ${acknowledged.get(id)}`,
            );
            assert.ok(user.LastHelpVisited <= attempted.get(id));
            if (user.LastHelpVisited)
                assert.equal(
                    user.SystemId,
                    `number ${user.LastHelpVisited}`,
                    'one update is one transaction',
                );
        }
    }
});

test('the database passes its integrity check afterwards, with an audit row for each change', async (context) => {
    await server.stop();
    const query = (sql) => server.sql(sql);
    assert.equal(query('PRAGMA integrity_check'), 'ok');
    for (const id of ids) {
        const changes = Number(
            query(
                `SELECT count(*) FROM audit WHERE entity_id = ${id} AND property = 'LastHelpVisited'`,
            ),
        );
        assert.ok(changes >= answers.get(id) && changes <= attempted.get(id), `user ${id}`);
    }
    await server.spawn();
    context.diagnostic(`${rounds} kills (SEED=${seed}): ${answered()} acknowledged, lost 0`);
});
