// The limit on wrong passwords of an account (SECURITY.md) holds over all servers of a database together, exactly.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Processes, together } from '../lib/processes.mjs';
import { password } from '../lib/users.mjs';

const attempts = 10;
const servers = await Processes.start([
    '--trusted-proxies',
    '127.0.0.1',
    '--address-attempts',
    '0',
    '--lockout-attempts',
    `${attempts}`,
    '--lockout-minutes',
    '525600',
]);
// On behalf of a client that a balancer names.
const signIn = (from, username, secret) =>
    servers.grant(
        { grant_type: 'password', username, password: secret },
        { 'X-Forwarded-For': from },
    );

test('wrong passwords are counted whichever server has them, and the last one locks the account for all', async () => {
    const user = 'reader@example.com';
    const replies = await together(attempts - 1, (i) => signIn(`192.0.2.${i}`, user, 'wrong'));
    assert.ok(replies.every(({ status }) => status === 400));
    assert.equal((await signIn('192.0.2.100', user, password)).status, 200, 'one is left');
    await together(attempts, (i) => signIn(`192.0.2.${i}`, user, 'wrong'));
    for (let i = 0; i < 3; i++)
        assert.equal((await signIn('192.0.2.100', user, password)).status, 400, `server ${i}`);
});
