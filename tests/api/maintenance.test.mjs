// Commands of operators: check, backup while the server runs, restore, upgrade; and the modes of
// the files.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
    chmodSync,
    chownSync,
    copyFileSync,
    cpSync,
    existsSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    rmSync,
    statSync,
    symlinkSync,
    truncateSync,
    writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { sql as runSql, storedUsers } from '../lib/database.mjs';
import { adminId, userId } from '../lib/ids.mjs';
import { binary, copyData, run, Server } from '../lib/server.mjs';
import { password, required, userBody } from '../lib/users.mjs';
import { sleep } from '../lib/wait.mjs';

const [usage, dataError, noInput, cannotCreate, inUse, config] = [64, 65, 66, 73, 75, 78];
const server = await Server.start();
const data = join(server.folder, 'data');
const sql = (text, file = join(data, 'roster.db')) => runSql(file, text);
const check = (folder = data) => run(['check', '--data', folder]);
const restore = (file, folder = data) => run(['restore', file, '--as-is', '--data', folder]);
// The bytes of a backup before the lines behind its pages.
const pagesOf = (file) => Math.floor(statSync(file).size / 4096) * 4096;
// A check or a restore of a backup was done, and says who made the backup.
const assertMade = ({ code, stdout, stderr }) => {
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '');
    assert.match(
        stderr,
        /^rosterd: .+: made by rosterd \d+\.\d+\.\d+ on \S+Z, for the key [0-9a-f]{8}\n$/,
    );
};

const full = await populate();

test('check finds nothing wrong while it serves, and with none to check says so', async () => {
    assert.deepEqual(await check(), { code: 0, stdout: '', stderr: '' });
    assert.equal((await check(join(server.folder, 'nowhere'))).code, noInput);
    assert.equal((await run(['check', 'two', 'files'])).code, usage);
});

test('an empty database is none to check or to back up, so that no copy of nothing takes the place of a good one', async () => {
    const folder = join(server.folder, 'emptied'),
        file = join(folder, 'roster.db'),
        copy = join(server.folder, 'of-nothing.db');
    mkdirSync(folder, { mode: 0o700 });
    for (const [content, make] of [
        ['0 bytes', () => writeFileSync(file, '')],
        ['pages and no more', () => sql('PRAGMA journal_mode = WAL', file)],
        ['tables of others', () => sql('CREATE TABLE notes (text)', file)],
    ]) {
        make();
        const before = readFileSync(file);
        for (const args of [['check'], ['backup', copy]]) {
            const { code, stderr } = await run([...args, '--data', folder]);
            assert.equal(code, noInput, `${args} of ${content}: ${stderr}`);
            assert.match(stderr, /^rosterd: .*roster\.db: is empty.*\n$/);
        }
        assert.ok(!existsSync(copy), content);
        assert.ok(content === 'tables of others' || before.equals(readFileSync(file)), content);
    }
});

const template = async () => ({ ...required(await server.get(userId)), Id: undefined });
const create = async (token, members) => {
    const { json, text } = await server.call('POST', '/api/sys/users', { token, body: members });
    assert.ok(json.WasSuccessful, text);
    return json.Value.Id;
};
const remove = async (token, id) =>
    assert.equal((await server.call('DELETE', `/api/sys/users/${id}`, { token })).status, 200);

test('check sees one moment, while users come and go', async () => {
    const token = await server.admin(),
        user = await template(),
        ids = [];
    for (let i = 0; i < 600; i += 50)
        ids.push(
            ...(await Promise.all(
                Array.from({ length: 50 }, (_, n) =>
                    create(token, { ...user, Email: `many${i + n}@example.com` }),
                ),
            )),
        );
    let goesOn = true;
    const work = Array.from({ length: 4 }, async (_, n) => {
        while (goesOn)
            await remove(token, await create(token, { ...user, Email: `guest${n}@example.com` }));
    });
    for (let i = 0; i < 10; i++)
        assert.deepEqual(await check(), { code: 0, stdout: '', stderr: '' });
    goesOn = false;
    await Promise.all(work);
    await Promise.all(ids.map((id) => remove(token, id)));
});

test('check knows every form of an address', async () => {
    const token = await server.admin(),
        user = await template(),
        ids = [];
    for (const Email of ['"@"@example.com', '"a@b"@example.com', 'zo\u00eb@example.com'])
        ids.push(await create(token, { ...user, Email }));
    assert.deepEqual(await check(), { code: 0, stdout: '', stderr: '' });
    for (const id of ids) await remove(token, id);
    assert.deepEqual(await check(), { code: 0, stdout: '', stderr: '' });
});

// A database that began without the demo, with one record or more of each kind, and all references that there can be.
async function populate() {
    const other = await Server.start([], { ROSTER_ADMIN_PASSWORD: password });
    const token = await other.token('admin@localhost');
    const post = async (path, body) => {
        const { json, status, text } = await other.call('POST', `/api/${path}`, { token, body });
        assert.equal(status, 200, text);
        return json.Value.Id;
    };
    const BusinessId = await post('sys/businesses', { Name: 'House' }),
        DeveloperId = adminId;
    const language = await post('sys/languages', {
        BusinessId,
        Name: 'English',
        Culture: 'en-GB',
        DisplayOrder: 1,
    });
    const application = await post('apps/applications', {
        DeveloperId,
        Name: 'Doors',
        ShortDescription: 'Opens',
        InstallUrl: 'https://doors.example.com/',
        RequiredRoles: [1],
    });
    const role = await post('security/userroles', { BusinessId, Name: 'Desk', Roles: [1] });
    const room = await post('support/chatrooms', { BusinessId, Name: 'Hall' });
    await post('sys/webhooks', {
        BusinessId,
        Name: 'Told',
        Action: 1001,
        Active: true,
        URL: 'http://127.0.0.1:9/',
    });
    for (let i = 0; i < 3; i++)
        await post(
            'sys/users',
            userBody({
                FullName: `Ada Number ${i}`,
                Email: `ada${i}@example.com`,
                NewPassword: 'a-password-of-hers',
                PreferredLanguageId: language,
                ApplicationId: application,
                Businesses: [BusinessId],
                UserRoles: [role],
                ChatRooms: [room],
            }),
        );
    await other.stop();
    const file = join(other.folder, 'data', 'roster.db');
    const picture = "INSERT INTO avatars VALUES (100000002, 'image/png', x'00')";
    sql(
        `${picture}; INSERT INTO idempotency_keys VALUES (${adminId}, 'User key', x'00', 100000002, 1, 'admin@localhost')`,
        file,
    );
    return file;
}

// The tables whose rows would refer to nothing without those of another one, and the fields that do.
const followers = {
    businesses: ['languages', 'user_roles', 'chat_rooms', 'web_hooks'],
    users: [
        'applications',
        'tokens',
        'avatars',
        'users_FullName_texts',
        'users_Email_texts',
        'users_Email_addresses',
    ],
    roles: ['user_roles', 'applications'],
};
const members = {
    businesses: ['Businesses', 'DefaultBusinessId'],
    languages: ['PreferredLanguageId'],
    applications: ['ApplicationId'],
    user_roles: ['UserRoles'],
    chat_rooms: ['ChatRooms'],
};

function empty(file, table) {
    const emptied = [table, ...(followers[table] ?? [])],
        cleared = emptied.flatMap((name) => members[name] ?? []);
    const users = [...storedUsers(file)].map(([Id, user]) => [
        Id,
        JSON.stringify(
            Object.fromEntries(
                Object.entries(user).map(([name, value]) => [
                    name,
                    !cleared.includes(name) ? value : Array.isArray(value) ? [] : null,
                ]),
            ),
        ),
    ]);
    sql(
        [
            ...emptied.map(
                (name) => `DELETE FROM ${name}; DELETE FROM links WHERE field GLOB '${name}.*'`,
            ),
            ...cleared.map((name) => `DELETE FROM links WHERE field = 'users.${name}'`),
            ...(emptied.includes('users')
                ? []
                : users.map(
                      ([Id, json]) => `UPDATE users SET Members = '${json}' WHERE Id = ${Id}`,
                  )),
        ].join(';'),
        file,
    );
}

const emptyable = [
    'businesses',
    'roles',
    'user_roles',
    'chat_rooms',
    'languages',
    'applications',
    'users',
    'web_hooks',
    'web_hook_deliveries',
    'audit',
    'tokens',
    'avatars',
    'idempotency_keys',
    'seal_mark',
];

for (const table of emptyable)
    test(`check finds nothing wrong where there are no ${table}`, async () => {
        const folder = join(server.folder, `no-${table}`),
            file = join(folder, 'roster.db');
        mkdirSync(folder);
        copyFileSync(full, file);
        assert.notEqual(sql(`SELECT count(*) FROM ${table}`, file), '0', 'there were some');
        assert.deepEqual(await check(folder), { code: 0, stdout: '', stderr: '' });
        empty(file, table);
        assert.deepEqual(await check(folder), { code: 0, stdout: '', stderr: '' });
    });

test('check finds nothing wrong with a new database', async () => {
    const fresh = await Server.start([], { ROSTER_ADMIN_PASSWORD: password });
    const folder = join(fresh.folder, 'data');
    assert.deepEqual(await check(folder), { code: 0, stdout: '', stderr: '' });
    await fresh.stop();
    assert.deepEqual(await check(folder), { code: 0, stdout: '', stderr: '' });
});

// All tables that are not for records: none of them is ever empty in such a database.
test('check names each inner table that is empty and must not be', async () => {
    const tables = sql("SELECT name FROM sqlite_schema WHERE type = 'table'", full)
        .split('\n')
        .filter((name) => !emptyable.includes(name));
    assert.ok(tables.length >= 8, `${tables}`);
    for (const table of tables) {
        const folder = join(server.folder, `without-${table}`),
            file = join(folder, 'roster.db');
        mkdirSync(folder);
        copyFileSync(full, file);
        sql(`DELETE FROM ${table}`, file);
        const { code, stderr } = await check(folder);
        assert.equal(code, dataError, table);
        assert.ok(stderr && !stderr.includes('(null)'), `${table}: ${stderr}`);
    }
});

async function findFaults(source, id, other) {
    const folder = join(server.folder, `faulty-${id}`),
        file = join(folder, 'roster.db');
    mkdirSync(folder);
    assert.equal((await run(['backup', file, '--data', dirname(source)])).code, 0);
    const user = storedUsers(file, `Id = ${id}`).get(id);
    const setMembers = (changes) =>
        `UPDATE users SET Members = '${JSON.stringify({ ...user, ...changes })}' WHERE Id = ${id}`;
    const hex = (text) => Buffer.from(text).toString('hex').toUpperCase();
    const setTexts = (field, bytes) => `UPDATE users_${field}_texts SET texts = x'${bytes}'`;
    const setNumber = (table, column, value) =>
        `UPDATE ${table} SET ${column} = ${value} WHERE kind = 'users'`;
    const texts = Object.fromEntries(
        ['FullName', 'Email'].map((field) => [
            field,
            sql(`SELECT hex(texts) FROM users_${field}_texts`, file),
        ]),
    );
    const address = sql(`SELECT address FROM users_Email_addresses WHERE owner = ${id}`, file);
    const [role, roles] = sql('SELECT Id, Roles FROM user_roles ORDER BY Id LIMIT 1', file).split(
            '|',
        ),
        setRoles = (list) => `UPDATE user_roles SET Roles = '${list}' WHERE Id = ${role}`;
    const [count, next] = [
        sql('SELECT count(*) FROM users', file),
        sql("SELECT next FROM next_ids WHERE kind = 'users'", file),
    ];
    const faults = [
        [
            setMembers({ PreferredLanguageId: 99 }),
            setMembers({}),
            `users.PreferredLanguageId: of ${id} refers to 99, which is not there`,
        ],
        [
            setMembers({ ApplicationId: 98 }),
            setMembers({}),
            `users.ApplicationId: of ${id} is not as in the index of links`,
        ],
        [
            setMembers({ UserRoles: [null] }),
            setMembers({}),
            `users: the row of ${id} cannot be read`,
        ],
        [
            setRoles('[null]'),
            setRoles(roles),
            `user_roles.Roles: of ${role} names null, which is not there`,
        ],
        [
            setMembers({ ChatRooms: [97] }),
            setMembers({}),
            `users.ChatRooms: of ${id} names 97, which is not there`,
        ],
        [
            "INSERT INTO links VALUES ('users.Businesses', 303, 5)",
            'DELETE FROM links WHERE owner = 5',
            'users.Businesses: of 5: 303 is in the index of links only',
        ],
        [
            `DELETE FROM links WHERE field = 'users.Businesses' AND owner = ${id}`,
            user.Businesses.map(
                (one) => `INSERT INTO links VALUES ('users.Businesses', ${one}, ${id})`,
            ).join(';'),
            `users.Businesses: of ${id}: ${user.Businesses[0]} is not in the index of links`,
        ],
        [
            "INSERT INTO links VALUES ('users.ApplicationId', 701, 5)",
            'DELETE FROM links WHERE owner = 5',
            'users.ApplicationId: of 5 is in the index of links only',
        ],
        [
            `UPDATE users SET FullName = 'Eve' WHERE Id = ${id}`,
            `UPDATE users SET FullName = '${user.FullName}' WHERE Id = ${id}`,
            `users.FullName: of ${id} is not what its Members say`,
        ],
        [
            setMembers({ FullName: null }),
            setMembers({}),
            `users.FullName: of ${id} is not what its Members say`,
        ],
        [
            setTexts('FullName', texts.FullName.replace(hex('ada'), hex('eve'))),
            setTexts('FullName', texts.FullName),
            `texts of users.FullName: ${id} is not found by what it has`,
        ],
        [
            setTexts('Email', `00${texts.Email}`),
            setTexts('Email', texts.Email),
            'texts of users.Email: it cannot be read',
        ],
        [
            `DELETE FROM users_Email_addresses WHERE owner = ${id}`,
            `INSERT INTO users_Email_addresses VALUES ('${address}', ${id})`,
            `addresses of users: ${id} is not found by its address`,
        ],
        [
            "INSERT INTO users_Email_addresses VALUES ('eve@example.com', 5)",
            'DELETE FROM users_Email_addresses WHERE owner = 5',
            `addresses of users: there are ${Number(count) + 1}, of records ${count}`,
        ],
        [
            `UPDATE users SET Members = '{}' WHERE Id = ${id}`,
            setMembers({}),
            `users: the row of ${id} cannot be read`,
        ],
        [
            `UPDATE users SET Members = x'0100FFFF00' WHERE Id = ${id}`,
            setMembers({}),
            `users: the row of ${id} cannot be read`,
        ],
        [
            `UPDATE users SET Members = x'07000001107B' WHERE Id = ${id}`,
            setMembers({}),
            `users: the row of ${id} cannot be read`,
        ],
        [
            'INSERT INTO web_hook_deliveries (Id, Version, WebHookId, EntityId, Status) VALUES (1, 1, 7, 8, 1)',
            'DELETE FROM web_hook_deliveries WHERE Id = 1',
            'pending webhook deliveries: to 7 of 8: the oldest is not foreseen',
        ],
        [
            'INSERT INTO web_hook_deliveries (Id, Version, Status) VALUES (1, 1, 1)',
            'DELETE FROM web_hook_deliveries WHERE Id = 1',
            'pending webhook deliveries: a row lacks what it is called by',
        ],
        [
            "INSERT INTO payloads VALUES (96, '[]')",
            'DELETE FROM payloads WHERE id = 96',
            'webhook payload: 96 is of no delivery',
        ],
        [
            'INSERT INTO web_hook_deliveries (Id, Version, Payload, Status) VALUES (1, 1, 95, 2)',
            'DELETE FROM web_hook_deliveries WHERE Id = 1',
            'webhook payload: of 1 is not there',
        ],
        [
            setNumber('row_counts', 'rows', 'rows + 1'),
            setNumber('row_counts', 'rows', count),
            `users: ${Number(count) + 1} rows are counted, there are ${count}`,
        ],
        [
            "DELETE FROM row_counts WHERE kind = 'users'",
            `INSERT INTO row_counts VALUES ('users', ${count})`,
            `users: no rows are counted, there are ${count}`,
        ],
        [
            setNumber('next_ids', 'next', id),
            setNumber('next_ids', 'next', next),
            `users: the next Id is ${id}, the last one was`,
        ],
        [
            setNumber('next_ids', 'next', '(SELECT max(Id) FROM users)'),
            setNumber('next_ids', 'next', next),
            /users: the next Id is (\d+), the last one was \1\n/,
        ],
        [
            'CREATE TABLE extra (x CHECK (x > 0)); PRAGMA ignore_check_constraints = ON; INSERT INTO extra VALUES (-1)',
            'DROP TABLE extra',
            'integrity: CHECK constraint failed in extra',
        ],
        ...[
            ['database_guid', 'prefix'],
            ['unknown_logins', 'sign_ins'],
        ].map(([table, column]) => [
            `INSERT INTO ${table} (${column}) SELECT ${column} FROM ${table}`,
            `DELETE FROM ${table} WHERE rowid > 1`,
            `${table}: has 2 rows, not 1`,
        ]),
        [
            `INSERT INTO avatars VALUES (5, 'image/png', x'00')`,
            'DELETE FROM avatars WHERE user_id = 5',
            'avatar: of user 5, who is not there',
        ],
        [
            "INSERT INTO tokens (hash, kind, user_id, client_id, issued_ms, expires_ms, id, family, parent, ends_ms) VALUES (x'00', 0, 5, '', 0, 0, 1, 1, 0, 0)",
            'DELETE FROM tokens WHERE user_id = 5',
            'token: of user 5, who is not there',
        ],
        [
            `DELETE FROM users WHERE Id = ${other}`,
            null,
            new RegExp(`of ${other}: \\d+ is in the index of links only`),
        ],
    ];
    const contents = () => sql('.dump', file);
    for (const [breaks, mends, says] of faults) {
        sql(breaks, file);
        const before = contents();
        const { code, stderr } = await check(folder);
        assert.equal(code, dataError, `${breaks}: ${stderr}`);
        assert.ok(
            says instanceof RegExp ? says.test(stderr) : stderr.includes(says),
            `${says}: ${stderr}`,
        );
        assert.ok(!stderr.includes('(null)'), stderr);
        assert.equal(contents(), before);
        if (mends) {
            sql(mends, file);
            assert.deepEqual(await check(folder), { code: 0, stdout: '', stderr: '' }, mends);
        }
    }
    sql('ALTER TABLE users RENAME COLUMN FullName TO Called', file);
    assert.match((await check(folder)).stderr, /schema: users\.FullName/);
    sql('PRAGMA user_version = 9999', file);
    assert.equal((await check(folder)).code, config);
    const bytes = readFileSync(file);
    bytes.fill(0x55, 3 * 4096 + 100, 6 * 4096);
    writeFileSync(file, bytes);
    const damaged = await check(folder);
    assert.equal(damaged.code, dataError);
    assert.match(damaged.stderr, /integrity: /);
    const copy = join(folder, 'copy.db'),
        refused = await run(['backup', copy, '--data', folder]);
    assert.deepEqual(
        [refused.code, readdirSync(folder).filter((name) => name.startsWith('copy'))],
        [dataError, []],
        refused.stderr,
    );
}

test('check names every fault of the demo and changes nothing', async () => {
    const demo = await Server.start(['--demo']);
    await demo.stop();
    await findFaults(join(demo.folder, 'data', 'roster.db'), userId, 100000101);
});
test('check names every fault of a database that is not the demo, and changes nothing', () =>
    findFaults(full, 100000002, 100000003));

test('a backup under load is whole, private, of one moment, and serves after a restore', async () => {
    const token = await server.admin();
    const body = required(await server.get(userId, token));
    let number = 0,
        stop = false;
    const load = (async () => {
        while (!stop)
            assert.equal(
                (
                    await server.put(
                        { ...body, LastHelpVisited: ++number, SystemId: `number ${number}` },
                        { token },
                    )
                ).status,
                200,
            );
    })();
    const file = join(server.folder, 'backup.db');
    while (number < 5) await sleep(5);
    const acknowledged = number - 1;
    assert.deepEqual(await run(['backup', file, '--data', data]), {
        code: 0,
        stdout: '',
        stderr: '',
    });
    stop = true;
    await load;
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(
        [...readFileSync(file).subarray(18, 20)],
        [1, 1],
        'it is a single file, with no log (section 1.3 of the file format of SQLite)',
    );
    assert.equal(sql('PRAGMA integrity_check', file), 'ok');
    const { LastHelpVisited: found, SystemId: systemId } = storedUsers(file, `Id = ${userId}`).get(
        userId,
    );
    assert.ok(found >= acknowledged && found <= number);
    assert.equal(systemId, `number ${found}`);
    assert.deepEqual(
        readdirSync(server.folder).filter((name) => name.startsWith('backup')),
        ['backup.db'],
        'nothing else is left',
    );

    await server.put({ ...body, LastHelpVisited: 0, FullName: 'After the backup' }, { token });
    const served = await restore(file);
    assert.equal(served.code, inUse);
    assert.match(served.stderr, /in use by another rosterd/);
    await server.stop();
    assertMade(await restore(file));
    assert.equal(statSync(join(data, 'roster.db')).mode & 0o777, 0o600);
    assert.deepEqual(
        readdirSync(data).sort(),
        ['last-backup', 'roster.db', 'roster.key'],
        'nothing else is left',
    );
    await server.spawn();
    const restored = await server.get(userId, token);
    assert.equal(restored.LastHelpVisited, Number(found));
    assert.equal(restored.FullName, body.FullName);
    assert.equal((await server.put({ ...body, LastHelpVisited: 1 }, { token })).status, 200);
});

test('the log that a killed server left is not applied to what is restored over it', async () => {
    const file = join(server.folder, 'before.db');
    const body = required(await server.get(userId));
    assert.equal((await server.put({ ...body, FullName: 'In the backup' })).status, 200);
    assert.equal((await run(['backup', file, '--data', data])).code, 0);
    assert.equal((await server.put({ ...body, FullName: 'In the log' })).status, 200);
    await server.stop('SIGKILL');
    assert.ok(statSync(join(data, 'roster.db-wal')).size > 0);
    assertMade(await restore(file));
    assert.deepEqual(readdirSync(data).sort(), [
        'last-backup',
        'roster.db',
        'roster.key',
        'roster.sock',
    ]);
    assert.deepEqual(await check(), { code: 0, stdout: '', stderr: '' });
    await server.spawn();
    assert.equal((await server.get(userId)).FullName, 'In the backup');
});

test('a restore that is killed leaves the old database, log and all, or the backup', async () => {
    const file = join(server.folder, 'before.db'),
        folder = join(server.folder, 'killed');
    assert.equal((await server.update(userId, { FullName: 'Old, in the log' })).status, 200);
    await server.stop('SIGKILL');
    // From at once to long enough, however fast the machine is: each time by a quarter later.
    for (let after = 0, ended = 0; ended < 3; after = after * 1.25 + 1) {
        copyData(data, folder);
        const child = spawn(binary, ['restore', file, '--as-is', '--data', folder], {
            stdio: 'ignore',
        });
        const end = new Promise((resolve) => {
            child.on('close', resolve);
        });
        await sleep(after);
        child.kill('SIGKILL');
        const code = await end;
        ended += code === 0;
        const { FullName } = storedUsers(join(folder, 'roster.db'), `Id = ${userId}`).get(userId);
        assert.ok(
            FullName === 'In the backup' || (code !== 0 && FullName === 'Old, in the log'),
            FullName,
        );
        assert.deepEqual(await check(folder), { code: 0, stdout: '', stderr: '' });
        rmSync(folder, { recursive: true });
    }
    await server.spawn();
});

test('a restore that is refused changes nothing', async () => {
    const backup = join(server.folder, 'before.db'),
        text = join(server.folder, 'text'),
        empty = join(server.folder, 'empty'),
        foreign = join(server.folder, 'foreign.db'),
        newer = join(server.folder, 'newer.db'),
        damaged = join(server.folder, 'damaged.db'),
        altered = join(server.folder, 'altered.db');
    writeFileSync(text, 'no database at all'.repeat(1000));
    writeFileSync(empty, '');
    sql('CREATE TABLE notes (text); PRAGMA user_version = 3', foreign);
    for (const copy of [newer, damaged, altered]) copyFileSync(backup, copy);
    for (const copy of [newer, altered]) truncateSync(copy, pagesOf(copy)); // without its digest
    sql('PRAGMA user_version = 9999', newer);
    sql('ALTER TABLE users RENAME COLUMN FullName TO Called', altered);
    const bytes = readFileSync(damaged);
    bytes.fill(0x55, 3 * 4096 + 100, 6 * 4096);
    writeFileSync(damaged, bytes);
    assert.equal((await server.update(userId, { FullName: 'Kept' })).status, 200);
    await server.stop('SIGKILL');
    const files = () =>
        readdirSync(data)
            .sort()
            .map((name) => [name, statSync(join(data, name)).size]);
    const before = files();
    for (const [file, code, says] of [
        [join(server.folder, 'nowhere'), noInput, /nowhere: No such file/],
        [text, dataError, /not a database/],
        [empty, dataError, /no database of Roster/],
        [foreign, dataError, /no database of Roster/],
        [damaged, dataError, /damaged\.db: is damaged or was changed/],
        [altered, dataError, /schema: users\.FullName/],
        [newer, config, /newer version/],
    ]) {
        const refused = await restore(file);
        assert.deepEqual([file, refused.code], [file, code], refused.stderr);
        assert.match(refused.stderr, says);
        assert.deepEqual(files(), before);
    }
    assert.equal((await run(['restore', '--data', data])).code, usage);
    await server.spawn();
    assert.equal((await server.get(userId)).FullName, 'Kept');
});

test('a restore over a database that another program writes to is refused and changes nothing', async () => {
    const backup = join(server.folder, 'before.db'),
        folder = join(server.folder, 'used');
    assert.equal((await restore(backup, folder)).code, 0);
    sql(
        'UPDATE unknown_logins SET sign_ins = 1111; PRAGMA journal_mode = WAL',
        join(folder, 'roster.db'),
    );
    const other = spawn('sqlite3', [join(folder, 'roster.db')]),
        end = new Promise((resolve) => {
            other.on('close', resolve);
        });
    after(() => other.kill('SIGKILL'));
    other.stdin.write("BEGIN IMMEDIATE; SELECT 'begun';\n");
    await new Promise((resolve) => {
        other.stdout.once('data', resolve);
    });
    const { code, stderr } = await restore(backup, folder);
    assert.equal(code, inUse, stderr);
    assert.match(stderr, /roster\.db: .*locked; nothing is changed/);
    other.stdin.end();
    assert.equal(await end, 0);
    assert.equal(sql('SELECT sign_ins FROM unknown_logins', join(folder, 'roster.db')), '1111');
    assert.equal((await restore(backup, folder)).code, 0);
});

test('a restore makes the folder, takes the place of what is no database, and misses the key', async () => {
    const folder = join(server.folder, 'fresh'),
        backup = join(server.folder, 'before.db');
    for (const prepare of [
        () => {},
        () => writeFileSync(join(folder, 'roster.db'), 'rubbish'.repeat(1000)),
    ]) {
        prepare();
        const { code, stderr } = await restore(backup, folder);
        assert.equal(code, 0, stderr);
        assert.equal(statSync(join(folder, 'roster.db')).uid, statSync(folder).uid);
        if (process.getuid() === 0) chownSync(folder, 65534, 65534); // the next one is restored for somebody else
        assert.match(stderr, /roster\.key: is not there; copy the key/);
        assert.equal(statSync(folder).mode & 0o777, 0o700);
        assert.deepEqual(await check(folder), { code: 0, stdout: '', stderr: '' });
    }
});

test('no command follows a symbolic link in the place of the database: the file behind it stays as it was', async () => {
    const folder = join(server.folder, 'linked'),
        backup = join(server.folder, 'before.db'),
        other = join(server.folder, 'other.db');
    mkdirSync(folder, { mode: 0o700 });
    sql('CREATE TABLE notes (text); PRAGMA journal_mode = WAL', other);
    symlinkSync(other, join(folder, 'roster.db'));
    const before = readFileSync(other);
    for (const [args, code] of [
        [['check'], noInput],
        [['backup', join(server.folder, 'linked.db')], noInput],
        [['restore', backup], cannotCreate],
    ]) {
        const refused = await run([...args, '--data', folder]);
        assert.equal(refused.code, code, `${args}: ${refused.stderr}`);
        assert.match(refused.stderr, /roster\.db: .*symbolic link/);
        assert.ok(before.equals(readFileSync(other)), `${args}`);
        assert.deepEqual(readdirSync(folder), ['roster.db']);
    }
    symlinkSync(join(server.folder, 'made-by-a-link'), join(folder, 'dangling'));
    for (const name of ['roster.db', 'dangling']) {
        const { code, stderr } = await run(['backup', join(folder, name), '--data', data]);
        assert.equal(code, cannotCreate, `nor does a backup: ${stderr}`);
        assert.match(stderr, /give the name of a file that is not there yet/);
    }
    assert.ok(!existsSync(join(server.folder, 'made-by-a-link')));
    // The folder itself may be one: systemd makes such for the unit's.
    const link = join(server.folder, 'link');
    symlinkSync(data, link);
    assert.deepEqual(await check(link), { code: 0, stdout: '', stderr: '' });
    assert.deepEqual(await run(['backup', join(link, '..', 'through-a-link.db'), '--data', link]), {
        code: 0,
        stdout: '',
        stderr: '',
    });
});

test('a start follows no symbolic link in the place of the log or its index: the file behind it stays as it was, mode and all', async () => {
    for (const name of ['roster.db-wal', 'roster.db-shm']) {
        const folder = join(server.folder, `started-${name}`),
            target = join(server.folder, `behind-${name}`);
        cpSync(join(server.folder, 'before.db'), target);
        mkdirSync(folder, { mode: 0o700 });
        cpSync(join(server.folder, 'before.db'), join(folder, 'roster.db'));
        cpSync(join(data, 'roster.key'), join(folder, 'roster.key'));
        symlinkSync(target, join(folder, name));
        chmodSync(target, 0o644);
        const before = readFileSync(target);
        const { code, stderr } = await run(['--data', folder, '--listen', '127.0.0.1:0']);
        assert.equal(code, 74, `${name}: ${stderr}`);
        assert.equal(statSync(target).mode & 0o777, 0o644, name);
        assert.ok(before.equals(readFileSync(target)), name);
    }
});

test('a restore by root into a folder that is not there is for the owner of the folder around it', async () => {
    if (process.getuid() !== 0) return; // who may give files to others
    const around = join(server.folder, 'around'),
        folder = join(around, 'data');
    mkdirSync(around);
    chownSync(around, 65534, 65533);
    assert.equal((await restore(join(server.folder, 'before.db'), folder)).code, 0);
    for (const path of [folder, join(folder, 'roster.db')])
        assert.deepEqual([statSync(path).uid, statSync(path).gid], [65534, 65533], path);
    assert.deepEqual(
        [statSync(folder).mode & 0o777, statSync(join(folder, 'roster.db')).mode & 0o777],
        [0o700, 0o600],
    );
});

test('a backup never takes the place of a file, and a failed one leaves none', async () => {
    const file = join(server.folder, 'kept');
    writeFileSync(file, 'mine');
    assert.equal((await run(['backup', file, '--data', data])).code, cannotCreate);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.equal(
        (await run(['backup', join(server.folder, 'no', 'where'), '--data', data])).code,
        cannotCreate,
    );
    assert.equal(
        (
            await run([
                'backup',
                join(server.folder, 'other'),
                '--data',
                join(server.folder, 'nowhere'),
            ])
        ).code,
        noInput,
    );
    assert.ok(!existsSync(join(server.folder, 'other')));
    assert.equal((await run(['backup', '--data', data])).code, usage);
});

test('nobody else may read the data folder or anything in it, whatever the umask', async () => {
    const before = process.umask(0); // of what is started from here on
    const other = await Server.startNew([], { ROSTER_ADMIN_PASSWORD: password }).finally(() =>
        process.umask(before),
    );
    await other.token('admin@localhost'); // a change, for the log
    const folder = join(other.folder, 'data'),
        names = readdirSync(folder).sort();
    assert.deepEqual(names, [
        'roster.db',
        'roster.db-shm',
        'roster.db-wal',
        'roster.key',
        'roster.sock',
    ]);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    for (const name of names) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
});

test('a database that is open to others is closed to them at the start, and its folder is warned of', async () => {
    await server.stop();
    chmodSync(data, 0o755);
    chmodSync(join(data, 'roster.db'), 0o644);
    await server.spawn();
    await server.update(userId, { FullName: 'Private' });
    for (const name of ['roster.db', 'roster.db-wal', 'roster.db-shm'])
        assert.equal(statSync(join(data, name)).mode & 0o777, 0o600, name);
    assert.match(
        server.stderr,
        /warning: .*roster\.db: was open to others \(mode 0644\), and is not any more/,
    );
    assert.match(server.stderr, /warning: .*data: is open to others \(mode 0755\): chmod 700/);
    chmodSync(data, 0o700);
    await server.restart();
    assert.doesNotMatch(server.stderr, /open to others/);
});
