// Three machines with Patroni, a rosterd on each, and clients that keep a journal while a machine dies, a cable is cut or
// etcd is gone: nothing that was acknowledged is lost, nothing that was refused was done, and what nobody heard of is
// resolved. The seconds of silence are printed; no test decides by them. CLUSTER_FAULTS names the faults, or is `all`.
import test from 'node:test';
import assert from 'node:assert/strict';
import { seed } from '../lib/chance.mjs';
import { Journal } from '../lib/journal.mjs';
import { Cluster } from '../lib/machines.mjs';
import { patience, until } from '../lib/wait.mjs';
import { faults } from './faults.mjs';

const wanted = (process.env.CLUSTER_FAULTS ?? 'machine').split(','),
    names = Object.keys(faults).filter((name) => wanted.includes(name) || wanted.includes('all'));
assert.ok(names.length, `CLUSTER_FAULTS: ${wanted}: none of ${Object.keys(faults)}`);

const cluster = await Cluster.start([
    '--address-attempts',
    '0',
    '--lockout-attempts',
    '1000000',
    '--drain-delay',
    '3',
]);
const tokens = [],
    businesses = [];
// Each client has a token of its own, by which HAProxy deals them out.
while (tokens.length < 8) tokens.push(await cluster.front.token());
for (const Name of ['One', 'Two', 'Three']) {
    const body = { Name },
        reply = await cluster.front.call('POST', '/api/sys/businesses', { token: tokens[0], body });
    assert.equal(reply.status, 200, reply.text);
    businesses.push(reply.json.Value.Id);
}
const journal = new Journal(cluster.front, tokens, { comesBack: true, businesses });

// The clients work while `happens` runs; each is answered before and after it.
async function whileWorking(happens) {
    const working = journal.work();
    const answered = () => {
        const before = journal.clients.map((client) => client.steps);
        const all = until(
            () => `each client goes on\n${cluster.lastLines()}`,
            () => journal.clients.every((client, i) => client.steps >= before[i] + 5),
            { deadline: patience.cluster, pause: 20 },
        );
        return Promise.race([all, working]); // which may fail
    };
    await answered();
    await happens(answered);
    await answered();
    journal.isOver = true;
    await working;
}

// Breaks and repairs the cluster while the clients work. Gives what they were answered meanwhile.
async function suffer(fault) {
    const counts = () => ({ ...journal.seen, acknowledged: journal.acknowledged }),
        before = counts();
    await fault.prepare?.(cluster);
    await whileWorking(async (answered) => {
        journal.clients.forEach(({ silence }) => silence.begin());
        const mend = await fault.break(cluster, { answered, journal });
        await answered();
        await mend?.();
    });
    await cluster.settled();
    await fault.restore?.(cluster);
    const silence = Math.max(...journal.clients.map((client) => client.silence.seconds)),
        after = counts();
    return Object.fromEntries([
        ['silence', silence.toFixed(1)],
        ...Object.keys(after).map((key) => [key, after[key] - before[key]]),
    ]);
}

// An error shall be understood from the output alone.
function explain(error) {
    console.error(cluster.lastLines());
    throw error;
}

// The control has to lose something, be it after some attempts. The clients end before the crash, so that the comparison
// finds the loss.
async function loses(fault) {
    await fault.prepare(cluster);
    for (let attempts = 1; ; attempts++) {
        let broken;
        const before = journal.acknowledged;
        await whileWorking(async () => {
            broken = await fault.break(cluster);
        });
        await fault.crash(cluster, broken);
        await cluster.settled({ isSynchronous: false });
        try {
            await journal.compare('control');
        } catch (error) {
            if (error.code !== 'ERR_ASSERTION' || / not in \d+ ms$/.test(error.message))
                throw error;
            const loss = error.message.split('\n')[0];
            return { attempts, acknowledged: journal.acknowledged - before, loss };
        }
        assert.ok(attempts < 20, 'nothing was lost: this test would not see a loss');
    }
}

for (const name of names) {
    const fault = faults[name];
    test(`${fault.title} (SEED=${seed})`, async (context) => {
        if (fault.loses) {
            const { acknowledged, attempts, loss } = await loses(fault).catch(explain);
            context.diagnostic(
                `${name}: a loss at attempt ${attempts} with ${acknowledged} acknowledged: ${loss}`,
            );
            return;
        }
        const answers = await suffer(fault).catch(explain);
        await journal.compare(name).catch(explain);
        await journal.compareAll().catch(explain);
        const { silence, acknowledged, refused, unanswered, notDone } = answers;
        context.diagnostic(
            `${name}: ${silence} s of silence; 1 faults, ${acknowledged} acknowledged, ${refused} refused, lost 0, kept though refused 0; ${unanswered} unanswered and resolved, ${notDone} answered that nothing was done`,
        );
    });
}
