// `rosterd check` of a directory in PostgreSQL finds each kind of fault, works beside servers that write, and says what it leaves
// to PostgreSQL's own tools.
import test from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminId, userId } from '../lib/ids.mjs';
import { countStatements, newDatabase, psql, superuserOf } from '../lib/postgres.mjs';
import { Processes } from '../lib/processes.mjs';
import { run, temporaryFolder } from '../lib/server.mjs';
import { addMembers } from '../lib/world.mjs';

const servers = await Processes.start([], 2),
    [{ database, folder }] = servers.members;
const token = await servers.admin();
const members = await addMembers(servers, 3);
const sql = (text) => psql(superuserOf(database), text);

const check = (url = database, data = join(folder, 'data')) =>
    run(['check', '--database', url, '--data', data]);
const left = /records were compared with each other; pg_amcheck finds out/;

const noSums = /this PostgreSQL keeps no checksums of its pages/; // as that of tools/with-postgres

test('no fault, beside servers that write; what is left to pg_amcheck is said', async () => {
    let isDone = false;
    const writing = members.map(async (id, i) => {
        for (let n = 0; !isDone; n++) {
            const { status, text } = await servers.members[i % 2].call(
                'PATCH',
                `/api/sys/users/${id}`,
                {
                    token,
                    body: { FullName: `Changed ${n}`, Email: `changed.${i}.${n}@example.com` },
                },
            );
            assert.equal(status, 200, text);
        }
    });
    for (let i = 0; i < 5; i++) {
        const { code, stderr } = await check();
        assert.equal(code, 0, stderr);
        assert.match(stderr, left);
        assert.match(stderr, noSums);
        assert.equal(stderr.trimEnd().split('\n').length, 2, stderr);
    }
    isDone = true;
    await Promise.all(writing);
});

const statementsOfCheck = () =>
    countStatements(database, async () => {
        const { code, stderr } = await check();
        assert.equal(code, 0, stderr);
    });

test('a hundred times as many users need some statements more, not one for each', async () => {
    const few = await statementsOfCheck(),
        count = 1500;
    const lines = Array.from({ length: count }, (_, i) => `many${i}@example.com,Many ${i}`);
    lines.push('"""back\\\\slash \\""quote"""@example.com,Odd'); // two characters that lists of PostgreSQL escape
    const { status, text } = await servers.call('POST', '/api/sys/users/import', {
        token,
        headers: { 'Content-Type': 'text/csv' },
        body: `Email,FullName\n${lines.join('\n')}\n`,
    });
    assert.equal(status, 200, text);
    assert.match(text, /"IsWhole":true/);
    const many = await statementsOfCheck();
    assert.ok(few > 20 && many - few < 20, `${few} statements, then ${many}`);
});

// Each fault, the SQL that makes it, and the line that names it.
const faults = [
    [
        'a wrong count',
        `UPDATE row_counts SET rows = rows + 1 WHERE kind = 'users'`,
        /users: \d+ rows are counted, there are \d+/,
    ],
    [
        'a next Id that was given',
        `UPDATE next_ids SET next = ${adminId} WHERE kind = 'users'`,
        /users: the next Id is \d+, the last one was/,
    ],
    [
        'a link to nobody',
        `INSERT INTO links VALUES ('users.Businesses', 999, ${userId})`,
        new RegExp(`users.Businesses: of ${userId}: 999 is in the index of links only`),
    ],
    [
        'a link that is gone',
        `DELETE FROM links WHERE field = 'users.Businesses' AND owner = ${userId}`,
        new RegExp(`users.Businesses: of ${userId}: \\d+ is not in the index of links`),
    ],
    [
        'a column that is not what its row says',
        `UPDATE users SET Active = 1 - Active WHERE Id = ${userId}`,
        new RegExp(`users.Active: of ${userId} is not what its Members say`),
    ],
    [
        'an address that is not found',
        `DELETE FROM users_Email_addresses WHERE owner = ${userId}`,
        new RegExp(`addresses of users: ${userId} is not found by its address`),
    ],
    [
        'an address too many',
        `INSERT INTO users_Email_addresses VALUES ('x@y', ${userId})`,
        /addresses of users: there are \d+, of records \d+/,
    ],
    [
        'a text that is another one',
        `UPDATE users_texts SET FullName = 'x' WHERE owner = ${userId}`,
        new RegExp(`texts of users.FullName: ${userId} is not found by what it has`),
    ],
    [
        'a text that is missing',
        `DELETE FROM users_texts WHERE owner = ${userId}`,
        new RegExp(`texts of users.Email: ${userId} is not found by what it has`),
    ],
    [
        'a text of nobody',
        `INSERT INTO users_texts VALUES (1, 'x', 'x')`,
        /texts of users.FullName: 1 is not found by what it has/,
    ],
    [
        'a text behind the last one',
        `INSERT INTO users_texts VALUES (1 << 60, 'x', 'x')`,
        /texts of users.FullName: \d+ is not found by what it has/,
    ],
    [
        'a token of nobody',
        `UPDATE tokens SET user_id = 7 WHERE user_id = ${adminId}`,
        /token: of user 7, who is not there/,
    ],
    [
        'a picture of nobody',
        `INSERT INTO avatars VALUES (7, 'image/png', 'x')`,
        /avatar: of user 7, who is not there/,
    ],
    [
        'a payload of no delivery',
        `INSERT INTO payloads VALUES (7, 'x')`,
        /webhook payload: 7 is of no delivery/,
    ],
    [
        'an index that is not valid',
        `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_fullname'::regclass`,
        /index: users_fullname is not valid/,
    ],
    [
        'a row that cannot be read',
        `UPDATE users SET Members = 'x' WHERE Id = ${userId}`,
        new RegExp(`users: the row of ${userId} cannot be read`),
    ],
    [
        'a column of another type',
        'ALTER TABLE users ALTER Active TYPE bigint',
        /the database is not as this version left it: users.Active is not a column of type smallint/,
    ],
    [
        'a column that is gone',
        'ALTER TABLE businesses DROP Name',
        /businesses.Name is not a column of type text/,
    ],
    [
        'a column that nobody can fill',
        'ALTER TABLE languages ADD made_up bigint NOT NULL',
        /languages.made_up must have a value/,
    ],
    [
        'a table that is gone',
        'DROP TABLE unknown_logins',
        /is not as this version left it: relation "unknown_logins" does not exist/,
    ],
];

test('each kind of fault has a line and 65', async () => {
    await servers.stop(); // a copy can only be made of a database that nobody uses
    const template = new URL(database).pathname.slice(1);
    for (const [what, text, line] of faults) {
        const damaged = await newDatabase(template);
        psql(superuserOf(damaged), text);
        const { code, stderr } = await check(damaged);
        assert.equal(code, 65, `${what}: ${stderr}`);
        assert.match(stderr, line, what);
    }
});

test('a column that only a newer version knows is named, and no fault', async () => {
    const newer = await newDatabase(new URL(database).pathname.slice(1));
    psql(newer, 'ALTER TABLE users ADD made_up bigint');
    const { code, stderr } = await check(newer);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /users.made_up: a column that this version does not know is left alone/);
});

test('another key is a fault; no key is none', async () => {
    const other = temporaryFolder();
    assert.equal((await check(database, other)).code, 0);
    writeFileSync(join(other, 'roster.key'), randomBytes(32), { mode: 0o600 });
    const { code, stderr } = await check(database, other);
    assert.equal(code, 65);
    assert.match(stderr, /roster\.key: is not the key of this database/);
});

test('a role that may only read is enough; one that may not has the GRANT', async () => {
    sql('CREATE ROLE auditor LOGIN');
    const url = new URL(database);
    url.searchParams.set('user', 'auditor');
    const refused = await check(url.href);
    assert.equal(refused.code, 77, refused.stderr);
    assert.match(refused.stderr, /GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor\n$/);
    sql('GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor');
    const { code, stderr } = await check(url.href);
    assert.equal(code, 0, stderr);
});

test('no database, an empty one, and one of another version', async () => {
    const empty = await newDatabase();
    assert.equal((await check(empty)).code, 66);
    const missing = new URL(empty);
    missing.pathname = '/missing';
    assert.equal((await check(missing.href)).code, 78);
    const other = await newDatabase(new URL(database).pathname.slice(1));
    for (const [text, line] of [
        ['UPDATE turn SET schema = schema - 1', /an older version made this/],
        ['UPDATE turn SET schema = schema + 2, oldest = schema + 2', /a newer version made this/],
    ]) {
        psql(other, text);
        const { code, stderr } = await check(other);
        assert.equal(code, 78, stderr);
        assert.match(stderr, line);
    }
});
