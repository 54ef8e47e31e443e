// tools/with-postgres, which the other tests with PostgreSQL stand on: it gives each command a server of its own, and
// leaves none behind.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { run } from '../lib/server.mjs';
import { folderOf, psql } from '../lib/postgres.mjs';
import { until } from '../lib/wait.mjs';

const program = new URL('../../tools/with-postgres', import.meta.url).pathname;
const within = (...command) => run(command, {}, program);
const isServed = (url) => existsSync(`${folderOf(url)}/.s.PGSQL.5432`);

test('a command has a database of its own, whose role is no superuser, and ends as it ended', async () => {
    const { code, stdout, stderr } = await within(
        'sh',
        '-c',
        'echo "$ROSTER_TEST_DATABASE"; psql -qAtX --dbname="$ROSTER_TEST_DATABASE"' +
            ' --command="SELECT current_user, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"; exit 3',
    );
    assert.equal(code, 3, stderr);
    const [url, role] = stdout.trim().split('\n');
    assert.equal(role, 'roster|f|t');
    assert.ok(!existsSync(folderOf(url)), 'nothing is left');
});

test('the server ends with who holds its standard input', async () => {
    const child = spawn(program, ['sh', '-c', 'echo "$ROSTER_TEST_DATABASE"; exec cat']);
    after(() => child.kill('SIGKILL'));
    const [line] = await once(child.stdout, 'data'),
        url = line.toString().trim();
    assert.equal(psql(url, 'SELECT 1'), '1');
    child.stdin.end();
    assert.deepEqual(await once(child, 'close'), [0, null]);
    assert.ok(!existsSync(folderOf(url)));
});

test('the server ends even when its script is killed', async () => {
    const child = spawn(program, ['sh', '-c', 'echo "$ROSTER_TEST_DATABASE"; exec cat']);
    after(() => child.kill('SIGKILL'));
    const [line] = await once(child.stdout, 'data'),
        url = line.toString().trim();
    assert.ok(isServed(url));
    child.kill('SIGKILL');
    await until('it ended, and took its socket away', () => !isServed(url));
    child.stdin.end();
    await run(['-r', folderOf(url)], {}, 'rm');
});

test('usage', async () => {
    const { code, stderr } = await within();
    assert.deepEqual([code, stderr], [64, 'usage: tools/with-postgres COMMAND [ARGUMENT...]\n']);
});
