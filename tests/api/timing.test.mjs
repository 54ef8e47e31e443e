// What a sign-in comes to, and whether an e-mail address is taken, cannot be told from the time that it
// takes (decisions, tokens). What the machine does besides is left out: what counts is the server's own time on
// a core. TIMING_SAMPLES=n is the long form, for a quiet machine: n of each, in an order of chance, and
// Welch's t-test of the time that a client sees.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Server, adminEmail, password, staff, userId } from './harness.mjs';

const samples = Number(process.env.TIMING_SAMPLES ?? 15), isLong = samples >= 100;
const T_MAX = 4.5; // one in 150,000 by chance
const server = await Server.start(['--lockout-attempts', '3', '--password-threads', '1']);

function shuffled(list) {
    const order = [...list];
    for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(Math.random() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
}

// What all threads of the server used of the cores, in ms, once they sleep: a thread that still runs when its
// reply arrives has used time that the kernel has not counted yet.
async function work() {
    const tasks = `/proc/${server.child.pid}/task`;
    const counted = () => readdirSync(tasks).reduce((sum, task) => sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]), 0) / 1e6;
    let before, now = counted();
    do {
        before = now;
        await setTimeout(1);
        now = counted();
    } while (now !== before);
    return now;
}

// The slowest tenth is the machine's business.
function summary(times) {
    const kept = [...times].sort((a, b) => a - b).slice(0, Math.ceil(times.length * 0.9));
    const mean = kept.reduce((sum, time) => sum + time, 0) / kept.length;
    const variance = kept.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (kept.length - 1);
    return { quickest: kept[0], mean, variance, count: kept.length };
}

const welch = (a, b) => (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);

// Measures each kind `samples` times, interleaved; `between` undoes what a round did. The work of each may
// differ from the first one's by `share` of it.
async function compare(context, kinds, check, { between = () => {}, share = 1 / 4 } = {}) {
    const took = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, { time: [], work: [] }]));
    for (let round = -2; round < samples; round++) { // the first ones warm up
        for (const [kind, attempt] of shuffled(Object.entries(kinds))) {
            const worked = await work(), began = process.hrtime.bigint(), reply = await attempt();
            const time = Number(process.hrtime.bigint() - began) / 1e6;
            if (round >= 0) {
                took[kind].time.push(time);
                took[kind].work.push(await work() - worked);
            }
            check(reply, kind);
        }
        await between();
    }
    const figures = Object.entries(took).map(([kind, one]) => [kind, summary(one.time), summary(one.work)]);
    const [[, firstTime, firstWork]] = figures;
    for (const [kind, time, worked] of figures)
        context.diagnostic(`${kind}: ${time.mean.toFixed(3)} ms, t ${welch(time, firstTime).toFixed(1)}; at least ${worked.quickest.toFixed(3)} ms of work`);
    for (const [kind, time, worked] of figures) {
        assert.ok(Math.abs(worked.quickest - firstWork.quickest) < firstWork.quickest * share, `${kind}: ${worked.quickest} ms of work, not ${firstWork.quickest}`);
        assert.ok(!isLong || Math.abs(welch(time, firstTime)) < T_MAX, `${kind}: ${time.mean} ms, not ${firstTime.mean}`);
    }
}

test('an unknown, a locked, an inactive user and a wrong password take as long to refuse', { timeout: 3600000 }, async (context) => {
    const signIn = (username, secret = 'wrong') => server.grant({ grant_type: 'password', username, password: secret });
    assert.equal((await server.update(staff.deleter, { Active: false })).status, 200);
    for (let i = 0; i < 3; i++)
        await signIn('lister@example.com');
    const member = (await server.get(userId)).Email;
    let number = 0;
    await compare(context, {
        unknown: () => signIn(`nobody${number++}@example.com`),
        'no address at all': () => signIn('nobody'),
        'wrong password': () => signIn('editor@example.com'),
        'no password set': () => signIn(member),
        locked: () => signIn('lister@example.com', password),
        inactive: () => signIn('deleter@example.com', password),
    }, ({ status, json }, kind) => {
        assert.equal(status, 400);
        assert.equal(json.error_description, 'The user name or password is incorrect.', kind);
    }, { between: async () => { // a wrong password counts, so who is to stay unlocked gets the right one in between
        assert.equal((await signIn('editor@example.com', password)).status, 200);
    } });
});

// To who may create and change users, the answer itself says whether an address is taken (SECURITY.md);
// to all others neither the answer nor the time.
test('who may not change users learns nothing of an address by the time of a refusal', { timeout: 3600000 }, async (context) => {
    const token = await server.token('reader@example.com');
    const create = (Email, bearer) => server.call('POST', '/api/sys/users', { token: bearer, body: { FullName: 'Somebody', Email, Language: 1, PasswordSalt: '',
        LastHelpVisited: 0, InvalidLoginAttempts: 0 } });
    for (const [bearer, status] of [[token, 403], ['x', 401]])
        await compare(context, { free: () => create('admin@example.org', bearer), taken: () => create(adminEmail, bearer) },
            (reply) => assert.equal(reply.status, status), { share: 1 / 2 });
});
