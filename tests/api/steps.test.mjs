// The way of a change from its body to its reply, as the log has it at debug level.
import test from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start(['--log-level', 'debug']);

const before = ['read body', 'find idempotency key', 'decide early'];
const after = [
    'seal fields',
    'take password',
    'fetch avatar',
    'check avatar',
    'compare password',
    'hash password',
    'submit',
    'reply',
];

// The steps in the log that came since `from`, once there is a reply among them.
async function stepsSince(from) {
    const steps = () =>
        [...server.stderr.slice(from).matchAll(/debug: connection \d+: (.+)\n/g)].map(
            ([, name]) => name,
        );
    await until('a step that replies', () => steps().includes('reply'));
    return steps();
}

test('a change goes through the steps of its table in their order', async () => {
    const from = server.stderr.length;
    assert.equal((await server.update(userId, { FullName: 'Step By Step' })).status, 200);
    assert.deepEqual(await stepsSince(from), [...before, ...after]);
});

test('a change that is refused goes from the step that refused it to the reply', async () => {
    const from = server.stderr.length;
    assert.equal((await server.update(userId, { FullName: '' })).status, 400);
    assert.deepEqual(await stepsSince(from), [...before, 'reply']);
});

test('the log has no step at the level that it has by default', async () => {
    const quiet = await Server.start();
    assert.equal((await quiet.update(userId, { FullName: 'No Steps' })).status, 200);
    await quiet.stop();
    assert.doesNotMatch(quiet.stderr, /connection \d+: /);
});
