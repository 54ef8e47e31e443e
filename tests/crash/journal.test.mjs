// kill -9 at random times while the clients of a journal work. After each restart the journal is compared with the
// server in both directions: nothing that was acknowledged is lost, nothing that was refused was done. CRASH_ROUNDS is
// the number of kills, SEED repeats a run's random choices.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Chance, seed } from '../lib/chance.mjs';
import { Journal } from '../lib/journal.mjs';
import { binary, Server } from '../lib/server.mjs';

const rounds = Number(process.env.CRASH_ROUNDS ?? 25),
    clients = 8;
// Passwords that were refused are tried as well, round after round: that must not lock anybody out.
const server = await Server.start([
    '--demo',
    '--address-attempts',
    '0',
    '--lockout-attempts',
    '1000000',
    '--user-tokens', // the clients sign in as one user
    '100000',
    '--checkpoint-after',
    '1',
]);
const journal = new Journal(server, [await server.admin()], { clients });

test(`${rounds} times kill -9 under mixed load (SEED=${seed}): what was acknowledged is there, what was refused is not`, async () => {
    const chance = new Chance(),
        { done, seen } = journal;
    const isThin = () =>
        Math.min(done.created, done.changed, done.deleted, seen.refused) <= rounds / 2 ||
        !(done.passwords + done.granted + done.refreshed + done.revoked);
    let round = 0;
    for (; round < rounds || isThin(); round++) {
        // a slow machine has more of them
        assert.ok(round < 20 * rounds, JSON.stringify({ ...done, ...seen }));
        const working = journal.work();
        seen.long += await chance.untilKill();
        server.child.kill('SIGKILL');
        await server.ended;
        await working;
        await server.spawn();
        await journal.compare(round);
    }
    assert.equal(seen.unanswered, round * clients);
});

test('the users are those of the journals, and the database is whole', async (context) => {
    const { acknowledged, done, seen } = journal;
    await journal.compareAll();
    await server.stop();
    execFileSync(binary, ['check', '--data', `${server.folder}/data`]);
    await server.spawn();
    context.diagnostic(
        `${rounds} kills, ${seen.long} of them after a checkpoint (SEED=${seed}): ${acknowledged} acknowledged, ${seen.refused} refused, lost 0, kept though refused 0`,
    );
    context.diagnostic(JSON.stringify({ ...done, ...seen }));
});
