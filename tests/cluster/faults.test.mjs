// Three machines with Patroni, a rosterd on each, and clients that keep a journal while a machine dies, a cable is cut or
// etcd is gone: nothing that was acknowledged is lost, nothing that was refused was done, and what nobody heard of is
// resolved. CLUSTER_FAULTS names the faults, or is `all`. How long clients were left without an answer is printed, and
// judged only if CLUSTER_SILENCE is `judged` (tools/torture) and the processors were idle for half of that time.
import test from 'node:test';
import assert from 'node:assert/strict';
import { seed } from '../lib/chance.mjs';
import { Journal } from '../lib/journal.mjs';
import { Cluster } from '../lib/machines.mjs';
import { patience, until } from '../lib/wait.mjs';
import { faults } from './faults.mjs';

const wanted = (process.env.CLUSTER_FAULTS ?? 'machine').split(','),
    names = Object.keys(faults).filter((name) => wanted.includes(name) || wanted.includes('all'));
const isSilenceJudged = process.env.CLUSTER_SILENCE === 'judged';
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
let journals = 0,
    journal,
    failed; // the last fault, if its test failed
const beginJournal = () => {
    const name = `journal${++journals}`;
    journal = new Journal(cluster.front, tokens, { comesBack: true, businesses, name });
};
beginJournal();

// After a fault that failed, the next one begins with a cluster that is whole, and with a new journal.
async function startOver() {
    await cluster.repair();
    await cluster.settled();
    await failed.restore?.(cluster);
    beginJournal();
    failed = null;
}

// The clients work while `happens` runs; each is answered before and after it. They have ended when this has, also where
// it fails: those that wait for an answer get one, since the cluster is repaired first.
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
    try {
        await answered();
        await happens(answered);
        await answered();
    } catch (error) {
        await cluster.repair().catch((another) => console.error(another));
        throw error;
    } finally {
        journal.isOver = true;
        await journal.ended;
    }
    await working;
}

// Breaks and repairs the cluster while the clients work. Gives what they were answered meanwhile.
async function suffer(fault) {
    const counts = () => ({ ...journal.seen, acknowledged: journal.acknowledged }),
        before = counts();
    let silence;
    await fault.prepare?.(cluster);
    await whileWorking(async (answered) => {
        journal.clients.forEach(({ silence }) => silence.begin());
        silence = await fault.break(cluster, { answered, journal });
        await answered();
        await cluster.repair();
    });
    await cluster.settled();
    await fault.restore?.(cluster);
    const after = counts(),
        longest = journal.clients
            .map((client) => client.silence)
            .reduce((one, other) => (other.seconds > one.seconds ? other : one));
    return {
        longest,
        silence: silence ?? longest,
        ...Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - before[key]])),
    };
}

// The silence that counts, and that of all clients, in words.
function judgeSilence(name, { silence, longest }) {
    const isJudged = isSilenceJudged && silence.isJudged,
        most = faults[name].silence;
    assert.ok(
        !isJudged || silence.seconds <= most,
        `${name}: ${silence.text}, not at most ${most} s`,
    );
    const others = silence === longest ? '' : `, of all clients ${longest.seconds.toFixed(1)} s`;
    return `${silence.text}${others}, ${isJudged ? 'judged' : 'not judged'}: at most ${most} s`;
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

// Lets a cluster suffer one, compares, and gives the result in words.
async function resultOf(name) {
    const fault = faults[name];
    if (fault.loses) {
        const { acknowledged, attempts, loss } = await loses(fault);
        return `a loss at attempt ${attempts} with ${acknowledged} acknowledged: ${loss}`;
    }
    const answers = await suffer(fault);
    await journal.compare(name);
    await journal.compareAll();
    const silence = judgeSilence(name, answers),
        { acknowledged, refused, unanswered, notDone } = answers;
    return `${silence}; 1 faults, ${acknowledged} acknowledged, ${refused} refused, lost 0, kept though refused 0; ${unanswered} unanswered and resolved, ${notDone} answered that nothing was done`;
}

for (const name of names)
    test(`${faults[name].title} (SEED=${seed})`, async (context) => {
        if (failed) await startOver();
        try {
            context.diagnostic(`${name}: ${await resultOf(name)}`);
        } catch (error) {
            failed = faults[name];
            console.error(cluster.lastLines()); // for the error to be understood from the output alone
            throw error;
        }
    });
