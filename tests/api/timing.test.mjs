// What a sign-in comes to cannot be told from the time that it takes (decisions, tokens).
import test from 'node:test';
import assert from 'node:assert/strict';
import { Server, password, staff } from './harness.mjs';

const rounds = 15;
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

test('an unknown, a locked, an inactive user and a wrong password take as long to refuse', { timeout: 120000 }, async () => {
    const server = await Server.start(['--demo', '--lockout-attempts', '3', '--password-threads', '1']);
    const signIn = (username, secret = 'wrong') => server.grant({ grant_type: 'password', username, password: secret });
    assert.equal((await server.update(staff.deleter, { Active: false })).status, 200);
    for (let i = 0; i < 3; i++)
        await signIn('lister@example.com');
    // A wrong password counts, so those who are to stay unlocked get the right one in between.
    const kinds = {
        unknown: () => signIn('nobody@example.com'),
        'no address at all': () => signIn('nobody'),
        'wrong password': () => signIn('editor@example.com'),
        locked: () => signIn('lister@example.com', password),
        inactive: () => signIn('deleter@example.com', password),
    };
    const took = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
    for (let round = 0; round < rounds; round++) {
        for (const [kind, attempt] of Object.entries(kinds)) {
            const began = process.hrtime.bigint();
            const reply = await attempt();
            took[kind].push(Number(process.hrtime.bigint() - began) / 1e6);
            assert.equal(reply.status, 400);
            assert.equal(reply.json.error_description, 'The user name or password is incorrect.', kind);
        }
        assert.equal((await signIn('editor@example.com', password)).status, 200);
    }
    // What else the machine does only adds time, so the quickest of each kind are compared.
    const quickest = Object.fromEntries(Object.entries(took).map(([kind, list]) => [kind, Math.min(...list)]));
    const usual = median(Object.values(quickest));
    for (const [kind, time] of Object.entries(quickest))
        assert.ok(Math.abs(time - usual) < usual / 4, `${kind}: ${JSON.stringify(quickest)}`);
});
