// A directory moves between a folder and PostgreSQL both ways, and is backed up from and restored to PostgreSQL: each time
// the same rows, and a server on it serves the same users.
import test from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import {
    countStatements,
    newDatabase,
    psql,
    superuserOf,
    useOwnPostgres,
    useSqlite,
} from '../lib/postgres.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';

useSqlite();
const origin = await Server.start();
assert.equal((await origin.update(userId, { AccessToken: 'a sealed text' })).status, 200);
const token = await origin.admin(),
    imported = 1500,
    { text: report } = await origin.call('POST', '/api/sys/users/import', {
        token,
        headers: { 'Content-Type': 'text/csv' },
        body: `Email,FullName\n${Array.from({ length: imported }, (_, i) => `many${i}@example.com,Many ${i}`).join('\n')}\n`,
    }),
    before = await origin.get(userId, token),
    data = join(origin.folder, 'data');
assert.match(report, /"IsWhole":true/);
await origin.stop();
process.env.SYNC = 'on'; // as rosterd wants it, and as the server of a whole run is not
useOwnPostgres();

const digests = (lines) => lines.match(/^rosterd: \w+: \d+ rows, digest \w+$/gm);

// A folder with the key alone.
function folderWithKey() {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    cpSync(join(data, 'roster.key'), join(folder, 'data', 'roster.key'));
    return folder;
}

async function copied(from, to) {
    const { code, stderr } = await run(['copy', from, to]);
    assert.equal(code, 0, stderr);
    return digests(stderr);
}

async function assertServes(folder, args) {
    const server = await Server.launch(folder, args, {});
    try {
        assert.deepEqual(await server.get(userId, token), before);
        const { json } = await server.call('GET', '/api/sys/users?User_FullName=da Lovel', {
            token,
        });
        assert.deepEqual(
            json.Records.map(({ Id }) => Id),
            [userId],
        );
        const changed = await server.update(userId, { FullName: 'Changed Since' });
        assert.equal(changed.status, 200, changed.text);
    } finally {
        await server.stop();
    }
}

test('a folder is copied to PostgreSQL and back with equal digests, and both serve', async () => {
    const database = await newDatabase(),
        back = folderWithKey();
    let there;
    const statements = await countStatements(database, async () => {
        there = await copied(data, database);
    });
    assert.ok(there.length > 15);
    assert.ok(statements < imported / 2, `${statements} statements: a thousand rows go with each`);
    const fetched = await countStatements(
        database,
        async () => {
            assert.deepEqual(await copied(database, join(back, 'data')), there);
        },
        'FETCH',
    );
    assert.ok(fetched > there.length, 'a table is not held in memory whole');
    await assertServes(folderWithKey(), ['--database', database]);
    await assertServes(back, ['--database', 'sqlite']);
});

test('a backup of PostgreSQL is one of a folder, and is restored to either', async () => {
    const database = await newDatabase(),
        restored = await newDatabase(),
        file = join(temporaryFolder(), 'backup.db'),
        folder = folderWithKey();
    await copied(data, database);
    for (const args of [
        ['backup', file, '--database', database],
        ['restore', file, '--as-is', '--database', restored],
        ['restore', file, '--as-is', '--data', join(folder, 'data')],
        ['check', '--data', join(folder, 'data')],
    ]) {
        const { code, stderr } = await run(args);
        assert.equal(code, 0, stderr);
    }
    await assertServes(folderWithKey(), ['--database', restored]);
    await assertServes(folder, ['--database', 'sqlite']);
    const again = await run(['restore', file, '--database', restored]);
    assert.equal(again.code, 73, again.stderr);
    assert.match(again.stderr, /is not empty; name a new database/);
});

// PostgreSQL ends a transaction that stands still, since others may wait for it. The one that reads a source does so whenever
// the target takes longer to write.
test('a target that is slow to write does not end the reading of the source', async () => {
    const database = await newDatabase(),
        slow = await newDatabase();
    const there = await copied(data, database);
    psql(
        superuserOf(slow),
        `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
        CREATE FUNCTION make_slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF to_regclass('public.links') IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'slow') THEN
                CREATE TRIGGER slow BEFORE INSERT ON links EXECUTE FUNCTION wait();
            END IF;
        END $$;
        CREATE EVENT TRIGGER making ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION make_slow();`,
    );
    assert.deepEqual(await copied(database, slow), there);
    assert.equal(psql(slow, `SELECT count(*) FROM pg_trigger WHERE tgname = 'slow'`), '1');
});
