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

const cluster = await Cluster.start(['--address-attempts', '0', '--lockout-attempts', '1000000']);
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

for (const name of names) {
    const fault = faults[name];
    test(`${fault.title} (SEED=${seed})`, async (context) => {
        const counts = () => ({ ...journal.seen, acknowledged: journal.acknowledged }),
            before = counts();
        await whileWorking(async (answered) => {
            journal.clients.forEach(({ silence }) => silence.begin());
            const mend = await fault.break(cluster);
            await answered();
            await mend?.();
        });
        await cluster.settled();
        await journal.compare(name);
        await journal.compareAll();
        const silence = Math.max(...journal.clients.map((client) => client.silence.seconds)),
            after = counts(),
            more = (what) => after[what] - before[what];
        context.diagnostic(
            `${name}: ${silence.toFixed(1)} s of silence; 1 faults, ${more('acknowledged')} acknowledged, ${more('refused')} refused, lost 0, kept though refused 0, ${more('unanswered')} unanswered and resolved, ${more('notDone')} answered that nothing was done`,
        );
    });
}
