// The command copy: a server on the copy serves what the first one did, and an unfinished copy is of no use to anybody.
import test from 'node:test';
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from '../lib/database.mjs';
import { userId } from '../lib/ids.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';

const [usage, noInput, cannotCreate, temporary] = [64, 66, 73, 75];
const key = 'roster.key';
const origin = await Server.start();
const secret = { AccessToken: 'a sealed text', FullName: 'Jörg 😀' };
assert.equal((await origin.update(userId, secret)).status, 200);
const before = await origin.get(userId),
    token = await origin.admin(),
    data = join(origin.folder, 'data');

test('a folder that a server uses is not copied', async () => {
    const { code, stderr } = await run(['copy', data, join(temporaryFolder(), 'data')]);
    assert.equal(code, temporary, stderr);
});

test('a server on the copy has the same users and tokens, and the key opens what it sealed', async () => {
    await origin.stop();
    const folder = temporaryFolder(),
        copied = join(folder, 'data');
    const { code, stderr } = await run(['copy', data, copied]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^rosterd: users: 9 rows, digest [0-9a-f]{16}$/m);
    const tables = sql(
        join(data, 'roster.db'),
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    ).split('\n');
    const counts = (place) =>
        tables.map((name) => [name, sql(join(place, 'roster.db'), `SELECT count(*) FROM ${name}`)]);
    assert.deepEqual(counts(copied), counts(data), 'no table is left out');
    cpSync(join(data, key), join(copied, key));
    const server = await Server.open(folder, [], {});
    assert.deepEqual(await server.get(userId, token), before);
    assert.equal((await server.update(userId, { FullName: 'Changed Since' })).status, 200);
    const { json } = await server.call('GET', '/api/sys/users?User_FullName=nged Sin', { token });
    assert.deepEqual(
        json.Records.map(({ Id }) => Id),
        [userId],
    );
    const again = await run(['copy', data, copied]);
    assert.equal(again.code, temporary, again.stderr);
    await server.stop();
    const full = await run(['copy', data, copied]);
    assert.equal(full.code, cannotCreate, full.stderr);
    assert.match(full.stderr, /is not empty; name a new database/);
});

test('an unfinished copy is refused by a start and by another copy', async () => {
    const folder = temporaryFolder(),
        copied = join(folder, 'data');
    assert.equal((await run(['copy', data, copied])).code, 0);
    cpSync(join(data, key), join(copied, key));
    sql(
        join(copied, 'roster.db'),
        "UPDATE seal_mark SET mark = CAST('an unfinished copy' AS BLOB)",
    );
    const start = await run(['--data', copied, '--listen', '127.0.0.1:0']);
    assert.equal(start.code, noInput, start.stderr);
    for (const [from, to, expected] of [
        [copied, join(temporaryFolder(), 'data'), noInput],
        [data, copied, cannotCreate],
    ]) {
        const { code, stderr } = await run(['copy', from, to]);
        assert.equal(code, expected, stderr);
        assert.match(stderr, /has an unfinished copy; delete it, and make a new one/);
    }
});

test('what is not there is not copied, and a password in a URL is not shown', async () => {
    const place = join(temporaryFolder(), 'data');
    for (const [args, code, says] of [
        [[], usage, /name two databases/],
        [[data], usage, /name two databases/],
        [[join(place, 'none'), place], noInput, /none: is not there/],
        [['postgresql://roster:hidden@db/roster', place], usage, /must have no password/],
    ]) {
        const ended = await run(['copy', ...args]);
        assert.equal(ended.code, code, ended.stderr);
        assert.match(ended.stderr, says);
        assert.ok(!ended.stderr.includes('hidden'), ended.stderr);
    }
});
