// Databases of every earlier version of the schema are brought up to date and lose nothing. Whoever
// adds a step to store/sqlite/schema_steps.c adds what was there before it, as
// tests/fixtures/schema-N.sql.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
    copyFileSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    statSync,
    truncateSync,
    writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fieldTable, sql, storedUsers } from '../lib/database.mjs';
import { adminId, businessId, userId } from '../lib/ids.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, required } from '../lib/users.mjs';
import { timestamp } from '../lib/wait.mjs';

const folder = temporaryFolder();
const current = await Server.start();
const latest = Number(sql(join(current.folder, 'data', 'roster.db'), 'PRAGMA user_version'));

// Tables, columns (in no order, and whether or not they may be NULL: some came later), indexes, triggers and views.
const shapeOf = (file) =>
    [
        "SELECT type, name, tbl_name, iif(type = 'table', '', sql) FROM sqlite_schema ORDER BY 1, 2",
        "SELECT s.name, c.name, c.type, c.pk FROM sqlite_schema AS s JOIN pragma_table_info(s.name) AS c WHERE s.type = 'table' ORDER BY 1, 2",
    ].flatMap((query) => sql(file, query).split('\n'));

function makeOld(version, name = `version-${version}`) {
    const data = join(folder, name),
        file = join(data, 'roster.db');
    mkdirSync(data, { mode: 0o700 });
    execFileSync('sqlite3', [file], {
        input: readFileSync(new URL(`../fixtures/schema-${version}.sql`, import.meta.url)),
    });
    writeFileSync(join(data, 'roster.key'), new Uint8Array(32).fill(7), { mode: 0o600 });
    return { data, file };
}

// A copy of a database whose rows of users are plain JSON, for SQL to look into.
function unpackedCopy(file) {
    const copy = `${file}.unpacked`,
        text = (value) => `'${JSON.stringify(value).replaceAll("'", "''")}'`;
    copyFileSync(file, copy);
    sql(
        copy,
        [...storedUsers(file)]
            .map(([id, user]) => `UPDATE users SET Members = ${text(user)} WHERE Id = ${id}`)
            .join(';'),
    );
    return copy;
}

// Addresses as version 4 kept them: with their accents where they are looked for, and in quotes that made them others than
// those without. Of the latter one is free without quotes, one is somebody's, and two are the same.
const given = {
    100000101: 'andré@example.com',
    100000102: '"free"@example.com',
    100000103: '"admin"@example.com',
    100000104: '"twin"@example.com',
    100000105: '"\\twin"@example.com',
};
function giveAddresses(file) {
    const hex = (text) => Buffer.from(text).toString('hex').toUpperCase();
    for (const [id, Email] of Object.entries(given)) {
        const user = storedUsers(file, `Id = ${id}`).get(Number(id)),
            [local, domain] = Email.split('@');
        const [first, block] = sql(file, 'SELECT first, hex(texts) FROM users_Email_texts').split(
            '|',
        );
        sql(
            file,
            `UPDATE users_Email_texts SET texts = X'${block.replace(hex(user.Email), hex(Email))}' WHERE first = ${first};
            UPDATE users_Email_addresses SET address = '${[...local].reverse().join('')}@${domain}' WHERE owner = ${id};
            UPDATE users SET Email = '${Email}', EmailKey = '${Email}', Members = '${JSON.stringify({ ...user, Email })}' WHERE Id = ${id}`,
        );
    }
}

// A picture with a comment in it, as version 4 stored them, the same without, and what is no picture.
const plain = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const commented = Buffer.concat([
    plain.subarray(0, -1),
    Buffer.from('\x21\xfe\x07At home\0;', 'latin1'),
]);

test('pictures lose their metadata when the database of an older version is brought up to date', async () => {
    const { data, file } = makeOld(4, 'pictures'),
        unknown = Buffer.from('no picture');
    const stored = new Map([
        [100000101, [commented, plain]],
        [100000102, [plain, plain]],
        [100000103, [unknown, unknown]],
    ]);
    for (const [id, [before]] of stored)
        sql(
            file,
            `INSERT OR REPLACE INTO avatars VALUES (${id}, 'image/gif', X'${before.toString('hex')}')`,
        );
    const server = await Server.start(['--data', data]);
    for (const [id, [, after]] of stored) {
        const reply = await fetch(`${server.url}/api/sys/users/getavatar/${id}`);
        assert.deepEqual(Buffer.from(await reply.arrayBuffer()), after, `user ${id}`);
    }
});

for (let version = 1; version < latest; version++) {
    test(`version ${version} becomes version ${latest} with all that it held`, async () => {
        const { data, file } = makeOld(version);
        if (version === 4) giveAddresses(file);
        // The index of texts has another form now, which the searches below need.
        // Nothing of it is too old to be kept, whatever today is: idempotency keys are kept for a day.
        // Until version 5 their table has another name, and gets a test of its own.
        const keys = sql(
            file,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('repeats', 'idempotency_keys')",
        );
        if (keys)
            sql(
                file,
                `UPDATE audit SET at_ms = ${timestamp()} WHERE at_ms IN (SELECT at_ms FROM ${keys}); UPDATE ${keys} SET at_ms = (SELECT max(at_ms) FROM audit)`,
            );
        sql(file, `UPDATE tokens SET expires_ms = ${timestamp(86400000)}`);
        if (sql(file, "SELECT 1 FROM sqlite_schema WHERE name = 'web_hook_deliveries'") === '1')
            sql(file, `UPDATE web_hook_deliveries SET UpdatedOn = ${timestamp()}`);
        // One-time tokens, to which version 5 gives families of their own, whatever client they are for.
        if (version < 5 && sql(file, "SELECT 1 FROM sqlite_schema WHERE name = 'tokens'") === '1')
            sql(
                file,
                `INSERT INTO tokens (hash, kind, user_id, client_id, issued_ms, expires_ms)
                SELECT randomblob(32), 4, user_id, client_id, issued_ms, expires_ms FROM tokens, generate_series(1, 100) WHERE kind <= 2`,
            );
        const tables = sql(
            file,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('repeats', 'addresses') AND name NOT GLOB 'users_*texts*' AND name <> 'users_Email_addresses'",
        ).split('\n');
        const columns = (table, of = file) =>
            sql(of, `SELECT name FROM pragma_table_info('${table}')`).split('\n');
        const contents = new Map(tables.map((table) => [table, { columns: columns(table) }]));
        // A former column may be a member of the record's JSON now, where dates are texts.
        const valueOf = (column, now, of) => {
            const member = `Members ->> '$.${column}'`;
            if (
                column === 'Payload' &&
                now.includes(column) &&
                sql(of, "SELECT 1 FROM sqlite_schema WHERE name = 'payloads'") === '1'
            )
                return '(SELECT text FROM payloads WHERE payloads.id = Payload)';
            if (now.includes(column)) return column;
            return fieldTable().some((field) => field.name === column && field.type === 'date')
                ? `strftime('%s', ${member}) * 1000`
                : member;
        };
        // Tables that have another name now.
        const renamed = { strangers: 'unknown_logins', realm: 'database_guid' };
        const read = (table, of = file, name = table) => {
            const now = columns(name, of),
                expressions = contents.get(table).columns.map((column) => valueOf(column, now, of));
            const quoted = expressions
                .map((expression) => `quote(${expression})`)
                .join(` || char(31) || `);
            return sql(of, `SELECT ${quoted} FROM ${name}`)
                .split('\n')
                .map((row) => row.split('\x1f'));
        };
        const isPacked =
            columns('users').includes('Members') &&
            sql(file, 'SELECT typeof(Members) FROM users LIMIT 1') === 'blob';
        const old = isPacked ? unpackedCopy(file) : file;
        for (const table of tables) contents.get(table).rows = read(table, old);
        const addressTable = ['addresses', 'users_Email_addresses'].find(
            (name) => sql(file, `SELECT 1 FROM sqlite_schema WHERE name = '${name}'`) === '1',
        );
        const addresses =
            addressTable &&
            sql(file, `SELECT address, owner FROM ${addressTable} ORDER BY address, owner`);
        const refused = await run(['check', '--data', data]);
        assert.equal(refused.code, 78);
        assert.match(refused.stderr, /an older version made this/);

        const server = await Server.start(['--data', data]);
        await server.stop();
        assert.equal(sql(file, 'PRAGMA user_version'), String(latest));
        assert.equal(
            Number(sql(file, 'PRAGMA application_id')).toString(16),
            '726f7374',
            'it says whose it is: rost',
        );
        assert.deepEqual(
            shapeOf(file),
            shapeOf(join(current.folder, 'data', 'roster.db')),
            'its shape is that of a new one',
        );
        const upgraded = unpackedCopy(file);
        for (const table of tables) {
            const found = read(table, upgraded, renamed[table]);
            // A field without a value may have one now; needless quotes are no longer part of a
            // key.
            const { columns: names, rows } = contents.get(table);
            const isKept = (value, now, name) =>
                value === 'NULL' ||
                value === now ||
                (name === 'EmailKey' && value.replaceAll('"', '') === now);
            for (const row of rows)
                assert.ok(
                    found.some((now) => row.every((value, i) => isKept(value, now[i], names[i]))),
                    `${table} has not ${row}`,
                );
        }
        if (addresses)
            assert.deepEqual(
                sql(file, 'SELECT address, owner FROM users_Email_addresses').split('\n').sort(),
                addresses.replace('érdna', 'erdna').split('\n').sort(),
            );
        if (keys)
            assert.equal(
                sql(file, 'SELECT key FROM idempotency_keys'),
                'WebHook fixture',
                'a key belongs to a resource',
            );
        const families = JSON.parse(
            sql(
                file,
                `SELECT json_group_array(json_object('client', user_id || ' ' || client_id, 'kind', kind, 'family', family, 'parent', parent,
            'isEndless', ends_ms = 9223372036854775807)) FROM tokens`,
            ),
        );
        const familyOf = new Map();
        for (const { client, kind, family, parent, isEndless } of families) {
            assert.deepEqual([family > 0, parent, isEndless], [true, 0, 1]);
            const name = kind <= 2 ? client : `${client} ${family}`; // what may be used and what was spent go together
            assert.equal(familyOf.get(name) ?? family, family, `one family for ${name}`);
            familyOf.set(name, family);
        }
        assert.ok(familyOf.size > 0 || version === 1);
        assert.equal(
            sql(
                file,
                `SELECT count(*) FROM tokens WHERE client_address IS NOT NULL AND client_id <> '${adminEmail}'`,
            ),
            '0',
            'nobody knows where the clients of old sessions were',
        );
        assert.equal(new Set(familyOf.values()).size, familyOf.size, 'and to each its own');
        assert.equal(
            sql(
                file,
                'SELECT count(*) FROM web_hooks WHERE MakerId IS NOT (SELECT Id FROM users WHERE Email = web_hooks.UpdatedBy)',
            ),
            '0',
            'who changed a webhook last is its maker',
        );
        assert.ok(
            version === 1 || sql(file, 'SELECT count(*) FROM web_hooks WHERE MakerId > 0') !== '0',
        );
        assert.deepEqual(await run(['check', '--data', data]), { code: 0, stdout: '', stderr: '' });

        if (version === 4)
            assert.equal(
                sql(
                    file,
                    `SELECT EmailKey FROM users WHERE Id IN (${Object.keys(given)}) ORDER BY Id`,
                ),
                'andré@example.com\nfree@example.com\n"admin"@example.com\ntwin@example.com\n"\\twin"@example.com',
            );
        await server.spawn();
        const before = await server.get(userId);
        assert.equal((await server.update(userId, { FullName: 'Upgraded' })).status, 200);
        assert.deepEqual(required(await server.get(userId)), {
            ...required(before),
            FullName: 'Upgraded',
        });
        const call = async (method, path, body) =>
            (await server.call(method, path, { token: await server.admin(), body })).json;
        for (const path of [
            'sys/businesses',
            'security/userroles',
            'security/roles',
            'support/chatrooms',
            'sys/languages',
            'apps/applications',
            'sys/webhooks',
            'sys/webhookdeliveries',
            'sys/audittrailentries',
            'sys/refreshtokens',
        ])
            for (const record of (await call('GET', `/api/${path}?size=1000`)).Records)
                assert.ok(record.UniqueId, `${path} ${record.Id}`);
        for (const [query, total] of [
            ['User_FullName=ANDERSS', 5],
            ['User_FullName=j%C3%B6', 1],
            ['User_FullName=BJORN', 1],
            ['User_Email=example', 14],
            ['User_Email=chiara.', version === 4 ? 0 : 1],
            ['User_Email=andre@example', version === 4 ? 1 : 0],
        ])
            assert.equal((await call('GET', `/api/sys/users?${query}`)).TotalItems, total, query);
        const application = await call('GET', '/api/apps/applications/701');
        assert.deepEqual(
            [application.DeveloperId, application.ApplicationKey, application.RequiredRoles],
            [adminId, null, []],
        );
        assert.equal((await call('PUT', '/api/apps/applications', application)).Status, 200);
        assert.equal((await call('DELETE', `/api/sys/users/${adminId}`)).WasSuccessful, false);
        const room = await server.call('POST', '/api/support/chatrooms', {
            token: await server.admin(),
            body: { BusinessId: businessId },
        });
        assert.equal(room.status, 200, room.text);
    });
}

test('a webhook of before goes by the right of who changed it last, also when their address is another one by now', async () => {
    const { data, file } = makeOld(4, 'makers'),
        id = sql(file, 'SELECT min(Id) FROM users');
    sql(
        file,
        `UPDATE web_hooks SET UpdatedBy = 'former@example.com';
        INSERT INTO audit (entity, entity_id, property, old_value, new_value, action_by, at_ms, type)
        SELECT 'User', ${id}, 'Email', 'former@example.com', 'later@example.com', 'later@example.com', 1, 2`,
    );
    await (await Server.start(['--data', data])).stop();
    assert.equal(sql(file, 'SELECT DISTINCT MakerId FROM web_hooks'), id);
});

test('an upgrade removes confidential values from the audit trail, also from the file', async () => {
    for (let version = 1; version < 5; version++) {
        const { data, file } = makeOld(version, `confidential-${version}`),
            salt = `s3cret-salt-${version}`;
        sql(
            file,
            `INSERT INTO audit (entity, entity_id, property, old_value, new_value, action_by, at_ms, type)
            VALUES ('User', ${userId}, 'PasswordSalt', '${salt}-old', '${salt}-new', 'somebody@example.com', ${timestamp()}, 2)`,
        );
        const server = await Server.start(['--data', data]);
        const { json } = await server.call(
            'GET',
            `/api/sys/audittrailentries?AuditTrailEntry_PropertyName=PasswordSalt`,
            { token: await server.admin() },
        );
        assert.deepEqual(
            json.Records.map(({ OldValue, NewValue }) => [OldValue, NewValue]),
            [[null, 'changed']],
            `version ${version}`,
        );
        await server.stop();
        assert.ok(!readFileSync(file).includes(salt), `version ${version}`);
    }
});

test('there is a fixture of an earlier version', () => assert.ok(latest > 1));

test('an upgrade without room for its copy is refused and changes nothing', async () => {
    const { data, file } = makeOld(4, 'no-room'),
        dump = () => execFileSync('sqlite3', [file, '.dump'], { encoding: 'utf8' });
    const before = dump(),
        { size } = statSync(file);
    // The file says how many pages the database has, so a hole behind them only makes it larger than the disk.
    truncateSync(file, 2 ** 43);
    const { code, stderr } = await run(['--data', data, '--listen', '127.0.0.1:0']);
    assert.equal(code, 74, stderr);
    assert.match(stderr, /the upgrade first copies it; that and the upgrade need \d+ MiB/);
    assert.deepEqual(
        readdirSync(data).filter((name) => name.includes('upgrade')),
        [],
    );
    truncateSync(file, size);
    assert.equal(dump(), before);
    assert.equal(sql(file, 'PRAGMA user_version'), '4');
    const server = await Server.start(['--data', data]);
    await server.stop();
    assert.equal(sql(file, 'PRAGMA user_version'), String(latest));
});

test('an upgrade keeps a copy of what it was, which the next upgrade replaces, and other starts leave alone', async () => {
    const { data, file } = makeOld(4, 'copied'),
        copy = `${file}.before-upgrade`,
        dump = (path) => execFileSync('sqlite3', [path, '.dump'], { encoding: 'utf8' });
    const before = dump(file);
    const server = await Server.start(['--data', data]);
    assert.match(server.stderr, /a copy of what it was is roster\.db\.before-upgrade/);
    assert.equal(dump(copy), before);
    assert.equal(sql(copy, 'PRAGMA user_version'), '4');
    assert.equal(statSync(copy).mode & 0o777, 0o600);
    writeFileSync(copy, 'of an earlier one');
    await server.restart();
    assert.equal(readFileSync(copy, 'utf8'), 'of an earlier one');
    await server.stop();
    execFileSync('rm', [file]);
    execFileSync('sqlite3', [file], {
        input: readFileSync(new URL('../fixtures/schema-3.sql', import.meta.url)),
    });
    await server.spawn();
    assert.equal(sql(copy, 'PRAGMA user_version'), '3');
    assert.deepEqual(
        readdirSync(data).filter((name) => name.includes('upgrade')),
        ['roster.db.before-upgrade'],
    );
});
