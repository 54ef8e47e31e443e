// The time of a sign-in does not show why it failed, nor whether an e-mail address is taken
// (SECURITY.md): the server does the same work in each case. The tests count that work (/metrics,
// and rows that are written), so they have the same verdict on any machine. TIMING_SAMPLES=n is the
// long form, for a quiet machine: n attempts of each kind, in random order, and Welch's t-test of
// the time that a client sees.
import test from 'node:test';
import assert from 'node:assert/strict';
import { staff, userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';

const samples = Number(process.env.TIMING_SAMPLES ?? 0),
    COUNTED = 3;
const OWN_HASH_US = ((19456 * 2 * 6) / 10) | 0; // KiB, passes and what one of both takes (src/crypto/password.c)
const T_MAX = 4.5; // one in 150,000 by chance
const dearHash = '$2b$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
const server = await Server.start([
    '--lockout-attempts',
    '3',
    '--password-threads',
    '1',
    '--io-threads',
    '1',
    '--metrics',
]);

function shuffled(list) {
    const order = [...list];
    for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(Math.random() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
}

const counters = {
    hashes: 'passwords_total',
    'dear hashes': 'dear_passwords_total',
    'reckoned us of hashing': 'password_work_seconds_total',
    commands: 'store_commands_total',
    commits: 'store_commits_total',
    readings: 'store_readings_total',
};

// A sign-in writes to the user's row or to the one for unknown users; each such write adds one
// here.
const writes = () =>
    Number(
        server.sql(
            'SELECT (SELECT sum(Version) FROM users) + (SELECT sign_ins FROM unknown_logins)',
        ),
    );

async function counts() {
    const { text } = await server.call('GET', '/metrics');
    return Object.fromEntries([
        ...Object.entries(counters).map(([what, name]) => [
            what,
            Math.round(
                new RegExp(`^roster_${name} ([\\d.]+)$`, 'm').exec(text)[1] *
                    (name.includes('seconds') ? 1e6 : 1),
            ),
        ]),
        ['writes', writes()],
    ]);
}

// The work that one attempt costs the server, and its reply. The server's own maintenance can only
// add to the counts, so the least of several attempts is the right one.
async function cost(attempt, check, between) {
    let least;
    for (let i = 0; i < COUNTED; i++) {
        await between();
        const before = await counts();
        check(await attempt());
        const after = await counts(),
            grown = Object.keys(after).map((what) => [what, after[what] - before[what]]);
        least = Object.fromEntries(
            grown.map(([what, count]) => [what, Math.min(count, least?.[what] ?? count)]),
        );
    }
    return least;
}

// The slowest tenth is the machine's business.
function summary(times) {
    const kept = [...times].sort((a, b) => a - b).slice(0, Math.ceil(times.length * 0.9));
    const mean = kept.reduce((sum, time) => sum + time, 0) / kept.length;
    const variance = kept.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (kept.length - 1);
    return { mean, variance, count: kept.length };
}

const welch = (a, b) => (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);

// The long form: takes the time of each kind, interleaved; `between` undoes what a round did.
async function compareTimes(context, kinds, check, between) {
    const times = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
    for (let round = -2; round < samples; round++) {
        // the first ones warm up
        for (const [kind, attempt] of shuffled(Object.entries(kinds))) {
            const began = process.hrtime.bigint(),
                reply = await attempt();
            if (round >= 0) times[kind].push(Number(process.hrtime.bigint() - began) / 1e6);
            check(reply, kind);
        }
        await between();
    }
    const figures = Object.entries(times).map(([kind, list]) => [kind, summary(list)]),
        [[, first]] = figures;
    for (const [kind, figure] of figures)
        context.diagnostic(
            `${kind}: ${figure.mean.toFixed(3)} ms, t ${welch(figure, first).toFixed(1)}`,
        );
    for (const [kind, figure] of figures)
        assert.ok(
            Math.abs(welch(figure, first)) < T_MAX,
            `${kind}: ${figure.mean} ms, not ${first.mean}`,
        );
}

// Does each kind cost what is expected?
async function compare(context, kinds, check, expected, between = () => {}) {
    for (const [kind, attempt] of Object.entries(kinds)) {
        const costs = await cost(attempt, (reply) => check(reply, kind), between);
        assert.deepEqual(
            Object.fromEntries(Object.keys(expected).map((what) => [what, costs[what]])),
            expected,
            kind,
        );
    }
    if (samples) await compareTimes(context, kinds, check, between);
}

test(
    'an unknown, a locked, an inactive user and a wrong password take as long to refuse',
    { timeout: 3600000 },
    async (context) => {
        const signIn = (username, secret = 'wrong') =>
            server.grant({ grant_type: 'password', username, password: secret });
        assert.equal((await server.update(staff.deleter, { Active: false })).status, 200);
        assert.equal((await server.update(staff.frontdesk, { Password: dearHash })).status, 200);
        for (let i = 0; i < 3; i++)
            for (const name of ['lister', 'frontdesk']) await signIn(`${name}@example.com`);
        const member = (await server.get(userId)).Email;
        let number = 0;
        await compare(
            context,
            {
                unknown: () => signIn(`nobody${number++}@example.com`),
                'no address at all': () => signIn('nobody'),
                'wrong password': () => signIn('editor@example.com'),
                'no password set': () => signIn(member),
                locked: () => signIn('lister@example.com', password),
                'locked, with a dear hash': () => signIn('frontdesk@example.com', password),
                inactive: () => signIn('deleter@example.com', password),
            },
            ({ status, json }, kind) => {
                assert.equal(status, 400);
                assert.equal(
                    json.error_description,
                    'The user name or password is incorrect.',
                    kind,
                );
            },
            {
                hashes: 1,
                'dear hashes': 0,
                'reckoned us of hashing': OWN_HASH_US,
                commands: 1,
                commits: 1,
                writes: 1,
            },
            async () => {
                // a wrong password counts, so who is to stay unlocked gets the right one in between
                assert.equal((await signIn('editor@example.com', password)).status, 200);
            },
        );
    },
);

// To who may create and change users, the answer itself says whether an address is taken (SECURITY.md);
// to all others neither the answer nor the time.
test(
    'the time of a refusal says nothing about an address to a caller who may not create users',
    { timeout: 3600000 },
    async (context) => {
        const token = await server.token('reader@example.com');
        const create = (Email, bearer) =>
            server.call('POST', '/api/sys/users', {
                token: bearer,
                body: userBody({ FullName: 'Somebody', Email }),
            });
        for (const [bearer, status] of [
            [token, 403],
            ['x', 401],
        ])
            await compare(
                context,
                {
                    free: () => create('admin@example.org', bearer),
                    taken: () => create(adminEmail, bearer),
                },
                (reply) => assert.equal(reply.status, status),
                { hashes: 0, commands: 0, writes: 0, readings: 1 },
            ); // that of /metrics itself
    },
);
