// The first administrator: whoever has the link that a start without one prints makes it, once and in time. A client
// without the secret does not, and of several at once one does.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { adminId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';

const path = '/api/auth/firstadministrator';
const boss = { FullName: 'Bea Boss', Email: 'bea@example.org', NewPassword: 'a-word-of-her-own' };

// The secret of the link that the server printed at its start.
function secretOf({ stdout, url }) {
    const [line, ...others] = stdout.split('\n').filter((one) => one.includes('/#/first/'));
    assert.ok(line && !others.length, stdout);
    const [, address, secret] = /^ {2}(\S+)\/admin\/#\/first\/([\w-]{43})$/.exec(line);
    assert.equal(address, url);
    return secret;
}

const make = (server, body) => server.call('POST', path, { body: { ...boss, ...body } });
const isDue = async (server) => (await server.call('GET', path)).json.IsDue;
const users = (server) => Number(server.sql('SELECT count(*) FROM users'));
const mayNotSignIn = async (server, username, password) =>
    assert.equal((await server.grant({ grant_type: 'password', username, password })).status, 400);

test('a start that names no administrator prints a link, and nobody can sign in before it is used', async () => {
    const server = await Server.startNew(['--access-log', '--log-level', 'debug']);
    const Secret = secretOf(server);
    assert.doesNotMatch(server.stdout, /password/);
    assert.equal(await isDue(server), true);
    assert.equal(users(server), 0);
    for (const email of ['admin@localhost', boss.Email])
        await mayNotSignIn(server, email, boss.NewPassword);
    const reply = await make(server, { Secret });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json.Value, { Id: adminId });
    assert.equal(reply.json.UpdatedBy, boss.Email);
    const user = await server.get(adminId, await server.token(boss.Email, boss.NewPassword));
    assert.deepEqual([user.FullName, user.Email], [boss.FullName, boss.Email]);
    assert.deepEqual([user.IsAdmin, user.Active, user.APIAccess], [true, true, true]);
    assert.equal(users(server), 1);
    assert.equal(await isDue(server), false);
    assertFailure(await make(server, { Secret, Email: 'second@example.org' }), 403);
    await server.stop();
    assert.match(
        server.stderr,
        new RegExp(`sign-in: the first administrator was made by the link; user ${adminId}, from`),
    );
    assert.ok(!server.stderr.includes(Secret), 'the secret is in no log');
    await server.assertWhole();
    await server.spawn();
    assert.doesNotMatch(server.stdout, /first/);
    assert.equal(await isDue(server), false);
    assertFailure(await make(server, { Secret, Email: 'second@example.org' }), 403);
    assert.equal(users(server), 1);
});

test('a client without the secret makes nothing, and has no password hashed', async () => {
    const server = await Server.startNew(['--metrics']);
    const Secret = secretOf(server);
    const hashed = async () =>
        /^roster_passwords_total (\d+)$/m.exec((await server.call('GET', '/metrics')).text)[1];
    const before = await hashed();
    const other = `${Secret[0] === 'A' ? 'B' : 'A'}${Secret.slice(1)}`;
    for (const wrong of [other, Secret.slice(1), `${Secret}A`, 'x'])
        assertFailure(await make(server, { Secret: wrong }), 403);
    for (const none of ['', undefined])
        assertInvalid(await make(server, { Secret: none }), 'Secret', /^is a required field$/);
    assert.equal(users(server), 0);
    assert.equal(await hashed(), before);
    assert.equal((await make(server, { Secret })).status, 200, 'the link is as good as before');
    assert.notEqual(await hashed(), before);
    await server.stop();
    assert.match(server.stderr, /sign-in: refused, no such link for the first administrator/);
});

test('what the rules refuse is named, and leaves the link as it was', async () => {
    const server = await Server.startNew();
    const Secret = secretOf(server);
    for (const [property, value, message] of [
        ['FullName', ' ', /^is a required field$/],
        ['Email', 'bea', /^must be a valid e-mail address$/],
        ['NewPassword', 'short', /^must have at least 8 characters$/],
        ['NewPassword', 'password1', /^must not be a commonly used password$/],
        ['NewPassword', boss.Email, /^must not be the user's e-mail address or name$/],
    ]) {
        const reply = await make(server, { Secret, [property]: value });
        assertInvalid(reply, property, message);
        assert.ok(!reply.text.includes(Secret));
    }
    assert.equal(users(server), 0);
    assert.equal((await make(server, { Secret, Email: ' BEA@example.org ' })).status, 200);
    assert.equal((await server.token('bea@example.org', boss.NewPassword)).length, 43);
});

test('of several at once exactly one becomes the administrator', async () => {
    const server = await Server.startNew();
    const Secret = secretOf(server);
    const people = Array.from({ length: 12 }, (_, i) => ({
        Email: `boss${i}@example.org`,
        NewPassword: `a-word-of-number-${i}`,
    }));
    const replies = await Promise.all(people.map((body) => make(server, { Secret, ...body })));
    const winners = people.filter((_, i) => replies[i].status === 200);
    assert.equal(winners.length, 1, replies.map(({ text }) => text).join('\n'));
    for (const reply of replies.filter(({ status }) => status !== 200))
        assertFailure(reply, reply.status === 403 ? 403 : 409); // after the first one's end, or beside it
    assert.equal(users(server), 1);
    assert.equal((await server.token(winners[0].Email, winners[0].NewPassword)).length, 43);
});

test('a restart before the link is used makes a new one, and the old one is worth nothing', async () => {
    const server = await Server.startNew();
    for (const signal of ['SIGTERM', 'SIGKILL']) {
        const old = secretOf(server);
        await server.restart(signal);
        assert.notEqual(secretOf(server), old);
        assertFailure(await make(server, { Secret: old }), 403);
    }
    await server.assertWhole();
    assert.equal((await make(server, { Secret: secretOf(server) })).status, 200);
});

test('an administrator who came in another way ends the link', async () => {
    const server = await Server.startNew();
    const Secret = secretOf(server);
    execFileSync(server.program, ['user', 'create-admin', 'root@example.org', ...server.where], {
        input: 'a-word-of-ours',
        stdio: 'pipe',
    });
    assertFailure(await make(server, { Secret }), 409);
    assert.equal(await isDue(server), false);
    assertFailure(await make(server, { Secret }), 403);
    assert.equal(users(server), 1);
});

test('a restart may name the administrator after all', async () => {
    const server = await Server.startNew();
    const Secret = secretOf(server);
    await server.stop();
    server.args.push('--admin-password', 'a-word-of-ours');
    await server.spawn();
    assert.doesNotMatch(server.stdout, /first/);
    assert.equal((await server.token('admin@localhost', 'a-word-of-ours')).length, 43);
    assertFailure(await make(server, { Secret }), 403);
});

test("the demo's people come along if they are asked for, and cannot sign in", async () => {
    const server = await Server.startNew();
    const Email = 'lister@example.com'; // as one of them has
    const reply = await make(server, { Secret: secretOf(server), Email, WithDemo: true });
    assert.equal(reply.status, 200, reply.text);
    const token = await server.token(Email, boss.NewPassword);
    assert.equal((await server.get(adminId, token)).FullName, boss.FullName);
    const { json } = await server.call('GET', '/api/sys/users?size=1', { token });
    assert.equal(json.TotalItems, 1 + 6 + 40);
    for (const password of ['demo-password', boss.NewPassword])
        await mayNotSignIn(server, 'manager@example.com', password);
    await server.stop();
    await server.assertWhole();
});

test('where an administrator is named there is no link', async () => {
    for (const args of [['--demo'], ['--admin-email', 'a@example.org']]) {
        const server = await Server.startNew(args);
        assert.doesNotMatch(server.stdout, /#\/first/);
        assert.equal(await isDue(server), false);
        assertFailure(await make(server, { Secret: 'x'.repeat(43) }), 403);
    }
});

test('compatibility = nexudus refuses a wrong link as it refuses all else', async () => {
    const server = await Server.startNew(['--compatibility', 'nexudus']);
    const wrong = await make(server, { Secret: 'x'.repeat(43) });
    assert.deepEqual([wrong.status, wrong.text], [401, '']);
    assert.equal(users(server), 0);
    assert.equal((await make(server, { Secret: secretOf(server) })).status, 200);
});
