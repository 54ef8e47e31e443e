// The commands of docs/postgresql.md make a role, a database and a server that works on them.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { folderOf, postgres, usePostgres } from '../lib/postgres.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';

usePostgres();
const folder = folderOf(await postgres()),
    page = readFileSync(new URL('../../docs/postgresql.md', import.meta.url), 'utf8'),
    commands = page
        .split(/^## /m)
        .find((part) => part.startsWith('One server'))
        .match(/^ {4}sudo .*$/gm)
        .map((line) => line.trim());

// The role and the database of the page have the name of those that tests have already.
const own = (text) => text.replaceAll(/\broster\b/g, 'manual');

test('one server in five commands', async () => {
    assert.equal(commands.length, 5);
    const [install, ...made] = commands;
    assert.equal(install, 'sudo apt-get install postgresql');
    for (const command of made.slice(0, 2)) {
        assert.match(command, /^sudo -u postgres create(user|db) /);
        const { code, stderr } = await run(
            ['-c', own(command.replace('sudo -u postgres ', ''))],
            { PGHOST: folder, PGUSER: 'postgres' },
            'sh',
        );
        assert.equal(code, 0, stderr);
    }
    assert.match(made[2], /^sudo install -d .* -m 0700 \/var\/lib\/roster$/);
    const [, url] = /^sudo -u roster rosterd --data \/var\/lib\/roster --database '(.*)'$/.exec(
        made[3],
    );
    // PostgreSQL knows the user by the socket there; here it takes any name.
    const database = own(url).replace('/run/postgresql', `${folder}&user=manual`);
    const server = await Server.launch(
        temporaryFolder(),
        ['--database', database, '--admin-email', adminEmail, '--admin-password', password],
        {},
    );
    try {
        assert.equal((await server.call('GET', '/readyz')).status, 200);
        assert.equal((await server.get(100000001)).Email, adminEmail);
    } finally {
        await server.stop();
    }
});
