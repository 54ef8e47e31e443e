// No flipped bit in a value of the database passes `rosterd check`, and a running server neither shows nor changes a row
// that has one (docs/adr/0016-row-sums.md).
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Chance, seed } from '../lib/chance.mjs';
import { sql } from '../lib/database.mjs';
import { adminId, businessId, userId } from '../lib/ids.mjs';
import { valuesOf } from '../lib/pages.mjs';
import { run, Server, temporaryFolder, testOnSqlite as test } from '../lib/server.mjs';
import { adminEmail, password, required, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';
import { addNeighbours } from '../lib/world.mjs';

const dataError = 65,
    wanted = Number(process.env.FLIPS ?? 100), // all: FLIPS=1e9
    folder = temporaryFolder();

// A database with rows in every table. Its server has ended, so that all of it is in one file.
async function filled() {
    const server = await Server.start(),
        token = await server.admin(),
        file = join(server.folder, 'data', 'roster.db');
    await addNeighbours(server);
    const hook = await server.call('POST', '/api/sys/webhooks', {
        token,
        body: {
            Name: 'hook',
            Action: 1002,
            BusinessId: businessId,
            Active: true,
            URL: 'http://127.0.0.1:9/',
        },
    });
    assert.equal(hook.status, 200, hook.text);
    const body = required(await server.get(userId, token));
    for (const Devices of ['one', 'two'.repeat(3000)]) // the second is longer than a page
        assert.equal(
            (await server.put({ ...body, Devices, NewPassword: 'a-password-of-hers' }, { token }))
                .status,
            200,
        );
    await server.stop();
    sql(
        file,
        `INSERT INTO avatars (user_id, type, content) VALUES (${userId}, 'image/png', zeroblob(9000));
        INSERT INTO idempotency_keys (caller, key, mac, record_id, at_ms, author)
        VALUES (${adminId}, 'User key', zeroblob(32), ${userId}, 1, 'admin@example.com'); PRAGMA journal_mode = DELETE`,
    );
    return file;
}

const dump = (file) => {
    try {
        return sql(file, '.dump\nPRAGMA user_version; PRAGMA application_id; PRAGMA encoding;');
    } catch (error) {
        return `${error}`;
    }
};

// Of each value the first, the middle and the last byte.
function placesIn(file, bytes) {
    const places = valuesOf(file, bytes).flatMap(({ table, name, from, to }) =>
        [...new Set([from, (from + to) >> 1, to - 1])].map((at) => ({ table, name, at })),
    );
    // SQLite does not look at the application id, from byte 68 on, itself: each sample has some of it.
    for (let at = 0; at < 100; at++) {
        const isId = at >= 68 && at < 72;
        places.push({ table: isId ? 'application id' : 'the file', name: 'header', at });
    }
    return places;
}

// A sample that has each table, and as many places of each as of the others.
function sampleOf(places) {
    const times = new Map(),
        chance = new Chance(),
        ranked = places
            .map((place) => ({ ...place, random: chance.next() }))
            .sort((a, b) => a.random - b.random)
            .map((place) => {
                const time = times.get(place.table) ?? 0;
                times.set(place.table, time + 1);
                return { ...place, time };
            });
    ranked.sort((a, b) => a.time - b.time);
    return ranked.slice(0, wanted);
}

test('no flipped bit that changes a value passes check', async (t) => {
    const file = await filled(),
        bytes = readFileSync(file),
        before = dump(file),
        tables = sql(file, "SELECT name FROM sqlite_schema WHERE type = 'table'").split('\n');
    for (const table of tables)
        assert.notEqual(sql(file, `SELECT count(*) FROM ${table}`), '0', `${table} has rows`);
    const all = placesIn(file, bytes),
        places = sampleOf(all),
        passed = [],
        harmless = [];
    for (const table of tables)
        assert.ok(
            places.some((place) => place.table === table),
            `a place in ${table}`,
        );
    const rest = [...places.entries()];
    const lane = async (n) => {
        const data = join(folder, `lane${n}`),
            copy = join(data, 'roster.db');
        mkdirSync(data);
        copyFileSync(join(dirname(file), 'roster.key'), join(data, 'roster.key'));
        while (rest.length) {
            const [i, place] = rest.pop(),
                flipped = Buffer.from(bytes),
                bit = i % 8;
            flipped[place.at] ^= 1 << bit;
            writeFileSync(copy, flipped);
            const { code } = await run(['check', '--data', data]);
            if (code !== 0) continue;
            writeFileSync(copy, flipped);
            const what = `bit ${bit} of byte ${place.at}: ${place.table}, ${place.name}`;
            (dump(copy) === before ? harmless : passed).push(what);
        }
    };
    await Promise.all([0, 1, 2, 3].map(lane));
    t.diagnostic(
        `SEED=${seed}: ${all.length} places, ${places.length} flipped, ${harmless.length} changed no value, ${passed.length} passed`,
    );
    if (process.env.SHOW_FLIPS) t.diagnostic([...passed, '--', ...harmless].join('\n'));
    assert.deepEqual(passed, []);
});

// Flips a bit of each copy of a text in the file, also of those in indexes, so that all of them agree.
function flip(file, text) {
    const bytes = readFileSync(file);
    let found = 0;
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1), found++)
        bytes[at + 1] ^= 1;
    assert.ok(found, text);
    writeFileSync(file, bytes);
}

test('a running server neither shows nor changes a damaged row, and logs which it is', async () => {
    const server = await Server.start(),
        file = join(server.folder, 'data', 'roster.db'),
        admin = await server.admin(),
        call = async (method, path, { token = admin, ...rest } = {}) =>
            (await server.call(method, path, { token, ...rest })).status,
        made = await server.call('POST', '/api/sys/users', {
            token: admin,
            body: userBody({
                FullName: 'Damaged',
                Email: 'd@example.com',
                SystemId: 'member-only',
            }),
        }),
        id = made.json.Value.Id,
        signIn = await server.grant({
            grant_type: 'password',
            username: adminEmail,
            password,
            client_id: 'own-client',
        }),
        lost = signIn.json.access_token;
    await addNeighbours(server);
    const user = required(await server.get(id, admin)),
        language = (await server.call('GET', '/api/sys/languages/601', { token: admin })).json;
    assert.equal(await call('GET', '/api/auth/me', { token: lost }), 200);
    assert.equal(
        await server
            .put({ ...user, Devices: 'value-of-audit' }, { token: admin })
            .then(({ status }) => status),
        200,
    );
    await server.stop();
    sql(file, `UPDATE users SET Version = Version + 1 WHERE Id = ${id}`); // the log is copied, and the file has all
    for (const text of ['member-only', 'en-GB', 'own-client']) flip(file, text);
    await server.spawn();
    for (const [method, path, rest, row] of [
        ['GET', `/api/sys/users/${id}`, {}, `users: the row of ${id}`],
        ['PUT', '/api/sys/users', { body: user }, `users: the row of ${id}`],
        ['DELETE', `/api/sys/users/${id}`, {}, `users: the row of ${id}`],
        ['GET', `/api/sys/users?id=[${id}]`, {}, `users: the row of ${id}`],
        ['GET', '/api/sys/users?User_Email=d@example.com', {}, `users: the row of ${id}`],
        ['GET', '/api/sys/languages/601', {}, 'languages: the row of 601'],
        ['GET', '/api/sys/languages', {}, 'languages: the row of 601'],
        ['PUT', '/api/sys/languages', { body: language }, 'languages: the row of 601'],
        ['GET', '/api/auth/me', { token: lost }, 'tokens: the row of '],
    ]) {
        assert.equal(await call(method, path, rest), 500, `${method} ${path}`);
        await until(`${method} ${path} is logged`, () => server.stderr.includes(row));
    }
    assert.match(server.stderr, /is damaged, its sum is wrong/);
    assert.ok(!server.stderr.includes('member-only'.slice(2)), 'no value is in the log');
    assert.equal(await call('GET', `/api/sys/users/${userId}`), 200, 'other rows are served');
    await server.stop();
    const { code, stderr } = await run(['check', ...server.where]);
    assert.equal(code, dataError);
    for (const row of [
        `users: the row of ${id} is damaged`,
        'languages: the row of 601 is damaged',
        'tokens: the row of ',
    ])
        assert.ok(stderr.includes(row), stderr);
    const copied = await run(['copy', dirname(file), join(folder, 'copied')]);
    assert.equal(copied.code, dataError, 'a copy would give the damaged values right sums');
    assert.match(copied.stderr, /: is damaged, and is not copied; /);
});

test('a page that makes no sense is called so, also by /readyz, and is not taken for a full disk', async () => {
    const server = await Server.start(),
        file = join(server.folder, 'data', 'roster.db'),
        token = await server.admin(),
        user = required(await server.get(userId, token));
    await server.stop();
    sql(file, 'PRAGMA journal_mode = DELETE');
    const [page] = sql(
            file,
            "SELECT pageno FROM dbstat WHERE name = 'audit' ORDER BY pageno DESC",
        ).split('\n'),
        bytes = readFileSync(file);
    bytes.fill(0x55, (page - 1) * 4096, (page - 1) * 4096 + 8); // the head of the page where the next row goes
    writeFileSync(file, bytes);
    await server.spawn();
    assert.equal((await server.put({ ...user, FullName: 'Changed' }, { token })).status, 500);
    const ready = await server.call('GET', '/readyz');
    assert.equal(ready.status, 503);
    assert.match(ready.text, /database is damaged/);
    assert.match(server.stderr, /database: .*roster\.db is damaged/);
    assert.ok(!server.stderr.includes('full?'), server.stderr);
    assert.equal((await server.get(userId, token)).FullName, user.FullName, 'reads go on');
});
