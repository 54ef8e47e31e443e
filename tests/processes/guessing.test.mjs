// The limits on wrong passwords, of an account and of a client's address (SECURITY.md), hold over all servers of a database
// together, exactly.
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
const limit = 7;
const limited = await Processes.start([
    '--trusted-proxies',
    '127.0.0.1',
    '--address-attempts',
    `${limit}`,
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

let guesses = 0;
const from = (address) => ({ 'X-Forwarded-For': address });
// A wrong password for an account that nobody else tries.
const guess = (address) =>
    limited.grant(
        { grant_type: 'password', username: `guess-${guesses++}@example.com`, password: 'wrong' },
        from(address),
    );
const rightFrom = (address) =>
    limited.grant(
        { grant_type: 'password', username: 'reader@example.com', password },
        from(address),
    );
const count = (replies, status) => replies.filter((reply) => reply.status === status).length;

test('of wrong passwords from one address, dealt out in turn, exactly the limit is looked at', async () => {
    const replies = [];
    for (let i = 0; i < 3 * limit; i++) replies.push(await guess('198.51.100.1'));
    assert.deepEqual(
        replies.map(({ status }) => status),
        replies.map((_, i) => (i < limit ? 400 : 429)),
    );
    for (const { headers, status } of replies)
        if (status === 429)
            assert.ok(Number(headers.get('Retry-After')) > 60, 'until the period ends');
    for (let i = 0; i < 3; i++)
        assert.equal(
            (await rightFrom('198.51.100.1')).status,
            429,
            'a right one has to wait as well',
        );
});

test('of wrong passwords from one address at once, exactly the limit is looked at', async () => {
    const replies = await together(20 * limit, () => guess('198.51.100.2'));
    assert.equal(count(replies, 400), limit);
    assert.equal(count(replies, 429), 19 * limit);
});

test('a right password gives its place back before it is answered, whichever server has it', async () => {
    for (let i = 1; i < limit; i++) assert.equal((await guess('198.51.100.3')).status, 400);
    for (let i = 0; i < 2 * limit; i++)
        assert.equal((await rightFrom('198.51.100.3')).status, 200, `sign-in ${i}`);
    assert.equal((await guess('198.51.100.3')).status, 400, 'the last one');
    assert.equal((await guess('198.51.100.3')).status, 429);
});

test('an IPv6 client counts by its /64, and nobody reads addresses in the database', async () => {
    for (let i = 0; i < limit; i++) assert.equal((await guess(`2001:db8::${i + 1}`)).status, 400);
    assert.equal((await guess('2001:db8::ffff')).status, 429);
    assert.equal(
        limited.sql(
            'SELECT count(*), min(length(client)), max(length(client)) FROM login_attempts',
        ),
        '4|32|32',
    );
});
