// When a connection breaks before, in or after a COMMIT, the reply is still right: 200 and the change was kept once, 503 and it
// was not kept, or 504 because the server could not find out.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { userId } from '../lib/ids.mjs';
import { psql, superuserOf, useOwnPostgres } from '../lib/postgres.mjs';
import { Server } from '../lib/server.mjs';
import { startBehindProxy } from '../lib/tcp_proxy.mjs';
import { until } from '../lib/wait.mjs';
import { addMembers } from '../lib/world.mjs';

useOwnPostgres(); // a test changes its settings
const origin = await Server.start(),
    { database } = origin,
    superuser = superuserOf(database),
    token = await origin.admin();

const { proxy, server } = await startBehindProxy(origin);

const sql = (text) => psql(superuser, text);
const number = (query) => Number(sql(`SELECT ${query}`));
const version = () => number(`Version FROM users WHERE Id = ${userId}`);
const stones = () => number('count(*) FROM commits WHERE is_stone = 1');

let changes = 0;
// Sends a change by way of the proxy. `state` has what was there before.
function change(by = server) {
    const SystemId = `changed-${++changes}`;
    return {
        SystemId,
        before: version(),
        reply: by.call('PATCH', `/api/sys/users/${userId}`, { token, body: { SystemId } }),
    };
}

const timesKept = ({ SystemId }) =>
    number(`count(*) FROM audit WHERE property = 'SystemId' AND new_value = '${SystemId}'`);

async function assertKeptOnce(changed) {
    const { status, text } = await changed.reply;
    assert.equal(status, 200, text);
    assert.equal((await origin.get(userId)).SystemId, changed.SystemId);
    assert.equal(version(), changed.before + 1);
    assert.equal(timesKept(changed), 1);
}

// ---- Cut ----

test('cut before the COMMIT is sent: the change is made again, and kept once', async () => {
    const before = stones(),
        commit = proxy.nextCommit(),
        changed = change();
    (await commit).cut();
    await assertKeptOnce(changed);
    assert.equal(stones(), before + 1, 'a stone took the place of the marker');
});

test('cut after the database has committed, before it could say so: the change was kept once', async () => {
    const before = stones(),
        commit = proxy.nextCommit(),
        changed = change(),
        link = await commit;
    link.send();
    await link.committed;
    link.cut();
    await assertKeptOnce(changed);
    assert.equal(stones(), before, 'the marker was there');
});

test('cut after the answer: the change was kept once, and the next one is made on a new connection', async () => {
    const commit = proxy.nextCommit(),
        changed = change(),
        link = await commit;
    link.send();
    await link.committed;
    link.answer();
    await assertKeptOnce(changed);
    link.cut();
    await assertKeptOnce(change());
});

// ---- Cut while the COMMIT runs ----

// Has each change of a user run statements when it is written or, DEFERRABLE, in its COMMIT.
function atChange(body, when = 'DEFERRABLE INITIALLY DEFERRED') {
    sql(`CREATE OR REPLACE FUNCTION at_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$BEGIN ${body} RETURN NULL; END$$;
        SET client_min_messages = error; DROP TRIGGER IF EXISTS at_change ON users;
        CREATE CONSTRAINT TRIGGER at_change AFTER UPDATE ON users ${when}
        FOR EACH ROW EXECUTE FUNCTION at_change()`);
}
const atCommit = (body) => atChange(body);
const atUpdate = (body) => atChange(body, 'NOT DEFERRABLE');

// A session that holds the lock that a COMMIT waits for, until it is ended.
async function holdLock() {
    const child = spawn('psql', ['-qAtX', `--dbname=${superuser}`]);
    after(() => child.kill());
    const held = once(child.stdout, 'data');
    child.stdin.write('SELECT pg_advisory_lock(15);\n\\echo held\n');
    await held;
    return async () => {
        child.stdin.end();
        await once(child, 'close');
    };
}

const waits = (query) =>
    number(
        `count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '${query}%'`,
    );

// A change whose COMMIT is cut off while it runs. The server asks for its marker, and waits.
async function cutWhileCommitting() {
    atCommit('PERFORM pg_advisory_xact_lock(15);');
    const release = await holdLock(),
        commit = proxy.nextCommit(),
        changed = change(),
        link = await commit;
    link.send();
    await until('the COMMIT waits', () => waits('COMMIT'));
    link.cut();
    await until('who asks what became of it waits for it', () => waits('INSERT INTO commits'));
    return { changed, release };
}

test('cut while the COMMIT runs, which then succeeds: the change was kept once', async () => {
    const before = stones(),
        { changed, release } = await cutWhileCommitting();
    await release();
    await assertKeptOnce(changed);
    assert.equal(stones(), before);
});

test('cut while the COMMIT runs, which then fails: the change is made again, and kept once', async () => {
    const before = stones(),
        { changed, release } = await cutWhileCommitting();
    sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query = 'COMMIT'`);
    await until('a stone was laid', () => stones() > before);
    await release();
    await assertKeptOnce(changed);
});

// ---- Errors of the database ----

// Statements that are run once. A sequence is not rolled back.
function firstTimeOnly(statement) {
    sql('SET client_min_messages = error; DROP SEQUENCE IF EXISTS times; CREATE SEQUENCE times');
    return `IF nextval('times') = 1 THEN ${statement} END IF;`;
}
const timesRun = () => number('last_value FROM times');

for (const state of ['40001', '40P01', '53200', '55P03'])
    test(`${state}, before the COMMIT or in it: the change is made again, and kept once`, async () => {
        for (const at of [atUpdate, atCommit]) {
            at(firstTimeOnly(`RAISE EXCEPTION 'injected' USING ERRCODE = '${state}';`));
            await assertKeptOnce(change());
            assert.equal(timesRun(), 2);
        }
    });

test('57P01, before the COMMIT or in it: the change is made again, and kept once', async () => {
    for (const at of [atUpdate, atCommit]) {
        at(firstTimeOnly('PERFORM pg_terminate_backend(pg_backend_pid());'));
        await assertKeptOnce(change());
        assert.equal(timesRun(), 2);
    }
});

test('a real deadlock with another session: the change is made again, and kept once', async () => {
    atUpdate('NULL;');
    const child = spawn('psql', ['-qAtX', `--dbname=${superuser}`]);
    after(() => child.kill());
    const locked = once(child.stdout, 'data');
    child.stdin.write(`BEGIN; SELECT Id FROM users WHERE Id = ${userId} FOR UPDATE;\n`);
    await locked;
    const changed = change();
    await until('the change waits for the other session', () =>
        waits('WITH changed AS (UPDATE users'),
    );
    child.stdin.write('SELECT epoch FROM turn FOR UPDATE;\n'); // which the change holds
    // PostgreSQL ends one of the two transactions, and the other one goes on.
    child.stdin.end('COMMIT;\n');
    await assertKeptOnce(changed);
});

test('an error that no other attempt can mend is 500, keeps nothing, and harms no other change', async () => {
    const [refused, ...others] = await addMembers(origin, 6);
    atUpdate(`IF new.Id = ${refused} THEN RAISE EXCEPTION 'injected'; END IF;`);
    const replies = await Promise.all(
        [refused, ...others].map((id) =>
            server.call('PATCH', `/api/sys/users/${id}`, { token, body: { SystemId: 'new' } }),
        ),
    );
    assert.deepEqual(
        replies.map(({ status }) => status),
        [500, ...others.map(() => 200)],
    );
    assert.equal((await origin.get(refused)).SystemId, null);
    assert.ok(!replies[0].text.includes('injected'), replies[0].text);
    for (const id of others) assert.equal((await origin.get(id)).SystemId, 'new');
});

test('53100, the disk of the server is full: 503, nothing is kept, and service returns by itself', async () => {
    atUpdate("RAISE EXCEPTION 'injected' USING ERRCODE = '53100';");
    const refused = change(),
        { status, headers, text } = await refused.reply;
    assert.equal(status, 503, text);
    assert.ok(Number(headers.get('retry-after')) > 0);
    assert.equal(timesKept(refused), 0);
    assert.equal((await origin.get(userId)).Id, userId);
    atUpdate('NULL;');
    await assertKeptOnce(change());
});

// ---- A standby that does not confirm ----

const setStandby = (name) => {
    sql(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
    sql('SELECT pg_reload_conf()');
};
const waitsForStandby = () =>
    sql(`SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'`);
const timesAsked = () => server.stderr.split('it is not known whether a commit was done').length;

test('a COMMIT waits for its standby, and one that ends with a warning instead is not taken for a success', async () => {
    atUpdate('NULL;');
    const before = timesAsked();
    let isAnswered = false;
    setStandby('nobody');
    try {
        const changed = change();
        void changed.reply.then(() => {
            isAnswered = true;
        });
        const pid = await until('the COMMIT waits', waitsForStandby);
        sql(`SELECT pg_cancel_backend(${pid})`); // PostgreSQL has committed here, and warns
        await until('the server asks what became of it', () => timesAsked() > before);
        await until('which waits for the standby as well', waitsForStandby);
        assert.ok(!isAnswered);
        setStandby('');
        await assertKeptOnce(changed);
    } finally {
        setStandby('');
    }
});

// ---- The database is away ----

test('away before a COMMIT was answered: 504, and 503 to the changes behind it; service returns by itself', async () => {
    const commit = proxy.nextCommit(),
        unclear = change(),
        link = await commit,
        behind = change();
    link.send();
    await link.committed;
    proxy.goAway();
    const [{ status, text }, refused] = await Promise.all([unclear.reply, behind.reply]);
    assert.equal(status, 504, text);
    assert.match(text, /unknown whether this was done/);
    // The description has it, and all exchanges of this folder are held to that.
    const { json: described } = await origin.call('GET', '/api/openapi.json');
    assert.ok(described.paths['/api/sys/users/{id}'].patch.responses['504']);
    assert.equal(timesKept(unclear), 1);
    assert.equal(refused.status, 503, refused.text);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    proxy.comeBack();
    await assertKeptOnce(change());
    assert.equal(timesKept(behind), 0);
});
