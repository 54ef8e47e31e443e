// Servers that start on a database together, with another key, or while others are killed.
import test from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminId } from '../lib/ids.mjs';
import { newDatabase } from '../lib/postgres.mjs';
import { Processes, together } from '../lib/processes.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { addMembers } from '../lib/world.mjs';

const noInput = 66;

// A folder with a key, as an operator copies it to each machine.
function folderWith(key) {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    writeFileSync(join(folder, 'data', 'roster.key'), key, { mode: 0o600 });
    return folder;
}

test('servers that start at once on an empty database make one directory', async () => {
    const database = await newDatabase(),
        key = randomBytes(32);
    const servers = await together(3, () =>
        Server.launch(
            folderWith(key),
            [
                '--init',
                '--database',
                database,
                '--admin-email',
                adminEmail,
                '--admin-password',
                password,
            ],
            {},
        ),
    );
    try {
        for (const server of servers) {
            const user = await server.get(adminId, await server.token());
            assert.equal(user.Email, adminEmail);
        }
        assert.equal(servers[0].sql('SELECT count(*) FROM users'), '1');
    } finally {
        await Promise.all(servers.map((server) => server.stop()));
    }
});

test('servers that start at once without an administrator print a link each, and one of these makes one', async () => {
    const database = await newDatabase(),
        key = randomBytes(32);
    const servers = await together(3, () =>
        Server.launch(folderWith(key), ['--init', '--database', database], {}),
    );
    try {
        const secrets = servers.map(({ stdout }) => /#\/first\/(\S+)/.exec(stdout)[1]);
        assert.equal(new Set(secrets).size, 3);
        const make = (server, Secret, i) =>
            server.call('POST', '/api/auth/firstadministrator', {
                body: {
                    Secret,
                    FullName: 'Bea Boss',
                    Email: `boss${i}@example.org`,
                    NewPassword: 'a-word-of-ours',
                },
            });
        assert.equal((await make(servers[0], secrets[1], 0)).status, 403, 'of another process');
        const replies = await Promise.all(servers.map((one, i) => make(one, secrets[i], i)));
        const statuses = replies.map(({ status }) => status);
        assert.deepEqual(
            [...statuses].sort(),
            [200, 409, 409],
            replies.map((one) => one.text).join(),
        );
        const { Id } = replies.find(({ status }) => status === 200).json.Value;
        for (const server of servers) {
            const { json } = await server.call('GET', '/api/auth/firstadministrator');
            assert.deepEqual(json, { IsDue: false });
            const token = await server.token(
                `boss${statuses.indexOf(200)}@example.org`,
                'a-word-of-ours',
            );
            assert.equal((await server.get(Id, token)).IsAdmin, true);
        }
        assert.equal(servers[0].sql('SELECT count(*) FROM users'), '1');
    } finally {
        await Promise.all(servers.map((server) => server.stop()));
    }
});

test('a server with another key is refused in one line, and changes nothing', async () => {
    const servers = await Processes.start([], 1),
        [{ database }] = servers.members;
    const { code, stdout, stderr } = await run([
        '--data',
        join(folderWith(randomBytes(32)), 'data'),
        '--listen',
        '127.0.0.1:0',
        '--database',
        database,
        '--database-unsafe',
    ]);
    assert.equal(code, noInput, stderr);
    assert.match(stderr, /roster\.key: is not the key of this database/);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.equal(stdout, '');
    assert.equal((await servers.get(adminId)).Email, adminEmail);
});

test('kill -9 of one server in the middle of changes loses nothing that was answered, and the others go on', async () => {
    const servers = await Processes.start();
    const token = await servers.admin();
    const members = await addMembers(servers, 9);
    const last = new Map();
    let unanswered = 0;
    // Each client keeps to the server that it began with.
    const load = async (id, server) => {
        for (let n = 1; n <= 60; n++) {
            const reply = await server
                .call('PATCH', `/api/sys/users/${id}`, { token, body: { SystemId: `n-${n}` } })
                .catch(() => undefined);
            if (!reply) {
                unanswered++;
                return;
            }
            assert.equal(reply.status, 200, reply.text);
            last.set(id, n);
            if (n === 20 && server === servers.members[0]) server.child.kill('SIGKILL');
        }
    };
    await Promise.all(members.map((id, i) => load(id, servers.members[i % 3])));
    const [killed, ...others] = servers.members;
    await killed.ended;
    assert.ok(unanswered > 0, 'the killed one had clients');
    for (const id of members) {
        const { SystemId } = await others[0].get(id, token);
        const found = Number(/^n-(\d+)$/.exec(SystemId)?.[1] ?? 0);
        const of = last.get(id) ?? 0;
        assert.ok(found === of || found === of + 1, `user ${id}: ${found} of ${of}`);
    }
    for (const id of members.filter((_, i) => i % 3)) assert.equal(last.get(id), 60);
    await killed.spawn();
    assert.equal((await killed.get(members[0], token)).Id, members[0]);
});
