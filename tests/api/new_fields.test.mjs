// A line more in a field table, on a database that is there. The servers that tests/fields makes have more fields than
// this version: `more` has some of each type that its line alone adds, `next` also some that need a version of the schema
// of their own. Each is started in turn on the database of another.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fieldTable, sql as runSql } from '../lib/database.mjs';
import { businessId, staff, userId } from '../lib/ids.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';
import { addNeighbours } from '../lib/world.mjs';

const programs = {
    today: binary,
    more: join(dirname(binary), 'rosterd-more-fields'),
    next: join(dirname(binary), 'rosterd-next-schema'),
};
const sql = (data, text) => runSql(join(data, 'roster.db'), text);

// Each field of tests/fields/more.def: its value in a row that was written without it, and a value
// to set.
const nothing = {
    MoreText: null,
    MoreLines: null,
    MoreEmail: null,
    MoreUrl: null,
    MoreInteger: 0,
    MoreBoolean: false,
    MoreDate: null,
    MoreGuid: null,
    MoreChoice: 0,
    MoreSealed: null,
    MoreEmpty: null,
    MoreNo: false,
};
const values = {
    MoreText: 'Zoë "Z" \\',
    MoreLines: 'one\ntwo',
    MoreEmail: 'more@example.com',
    MoreUrl: 'https://example.com/more',
    MoreInteger: 7,
    MoreBoolean: true,
    MoreDate: '2026-01-02T03:04:05Z',
    MoreGuid: '0f8fad5b-d9cb-469f-a165-70867728950e',
    MoreChoice: 2,
};
const nothingIn = (path) =>
    path === '/api/sys/users' ? { ...nothing, LaterName: null, LaterIndexed: null } : nothing;
const isNew = (name) => /^(More|Later)/.test(name);
const withoutNew = (record) =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !isNew(name)));
const onlyNew = (record) =>
    Object.fromEntries(Object.entries(record).filter(([name]) => isNew(name)));

async function start(program, data, args = []) {
    const server = new Server();
    Object.assign(server, {
        program: programs[program],
        folder: dirname(data),
        args: ['--listen', '127.0.0.1:0', '--data', data, ...args],
        env: process.env,
    });
    await server.spawn();
    test.after(() => server.stop());
    return server;
}

async function ask(server, method, path, body) {
    const reply = await server.call(method, path, { token: await server.admin(), body });
    assert.equal(reply.status, 200, `${method} ${path}: ${reply.text}`);
    return reply.json;
}

const check = (program, data) => run(['check', '--data', data], {}, programs[program]);
const isSound = async (program, data) =>
    assert.deepEqual(await check(program, data), { code: 0, stdout: '', stderr: '' });

// One record of each resource that can be written, by its path.
const records = {
    '/api/sys/users': userId,
    '/api/sys/businesses': 301,
    '/api/security/userroles': 401,
    '/api/support/chatrooms': 501,
    '/api/sys/languages': 601,
    '/api/apps/applications': 701,
};
const entities = {
    '/api/sys/users': 'User',
    '/api/sys/businesses': 'Business',
    '/api/security/userroles': 'UserRole',
    '/api/support/chatrooms': 'ChatRoom',
    '/api/sys/languages': 'Language',
    '/api/apps/applications': 'Application',
    '/api/sys/webhooks': 'WebHook',
};

const readAll = async (server) =>
    Object.fromEntries(
        await Promise.all(
            Object.entries(records).map(async ([path, id]) => [
                path,
                await ask(server, 'GET', `${path}/${id}`),
            ]),
        ),
    );
const lastPayload = async (server) =>
    JSON.parse(
        (await ask(server, 'GET', '/api/sys/webhookdeliveries?orderBy=Id&dir=1')).Records[0]
            .Payload,
    )[0];
const audited = async (server) =>
    (await ask(server, 'GET', '/api/sys/audittrailentries?size=1000')).Records.filter(
        ({ PropertyName }) => isNew(PropertyName ?? ''),
    );

const fixture = (data, version) => {
    mkdirSync(data, { mode: 0o700 });
    execFileSync('sqlite3', [join(data, 'roster.db')], {
        input: readFileSync(new URL(`../fixtures/schema-${version}.sql`, import.meta.url)),
    });
};

// Fields without a column need this check: a missing column would end the start in every test of an
// upgrade.
test('a reference or list of users says which version of the schema it came with', () => {
    const data = join(temporaryFolder(), 'data');
    fixture(data, 4);
    const members = JSON.parse(
        sql(data, "SELECT text FROM dictionaries WHERE kind = 'users' ORDER BY id DESC LIMIT 1"),
    );
    const linked = fieldTable().filter(
        ({ type, flags }) => /^(reference|links)$/.test(type) && !flags.includes('READ_ONLY'),
    );
    assert.ok(linked.length >= 5);
    for (const { name, flags } of linked)
        assert.ok(name in members || flags.some((flag) => /^SINCE\(\d+\)$/.test(flag)), name);
});

// A database of this version with one of everything.
async function makeDatabase() {
    const server = await Server.start(),
        data = join(server.folder, 'data');
    await addNeighbours(server);
    // One webhook of changes, so that there are payloads, and one whose failed deliveries change
    // nothing.
    const hook = {
        BusinessId: businessId,
        Name: 'Changes',
        Action: 1002,
        URL: 'http://127.0.0.1:1/',
        Active: true,
    };
    await ask(server, 'POST', '/api/sys/webhooks', hook);
    records['/api/sys/webhooks'] = (
        await ask(server, 'POST', '/api/sys/webhooks', { ...hook, Name: 'Nothing', Action: 2 })
    ).Value.Id;
    await ask(server, 'PATCH', `/api/sys/users/${userId}`, {
        PreferredLanguageId: 601,
        ChatRooms: [501],
        Devices: 'a\n"b"',
    });
    const all = await readAll(server);
    await server.stop();
    return { data, all };
}

// All that a change of a record of `more` shows elsewhere.
async function setAll(server) {
    for (const [path, id] of Object.entries(records)) {
        const before = await ask(server, 'GET', `${path}/${id}`);
        await ask(server, 'PUT', path, {
            ...before,
            ...values,
            MoreSealed: 'hush',
            MoreInteger: 6,
        });
        await ask(server, 'PATCH', `${path}/${id}`, { MoreInteger: values.MoreInteger });
        assert.deepEqual(
            onlyNew(await ask(server, 'GET', `${path}/${id}`)),
            { ...onlyNew(before), ...values },
            path,
        );
        const entity = entities[path],
            found = async (query) =>
                (await ask(server, 'GET', `${path}?${query}`)).Records.map(({ Id }) => Id);
        for (const query of [
            `${entity}_MoreText=zo%C3%AB`,
            `${entity}_MoreBoolean=true`,
            `${entity}_MoreInteger=7`,
            `from_${entity}_MoreDate=2026-01-01T00:00:00Z`,
            `${entity}_MoreGuid=${values.MoreGuid}`,
            `${entity}_MoreChoice=2`,
            `${entity}_MoreEmail=more%40example`,
        ])
            assert.deepEqual(await found(query), [id], query);
        assert.equal((await found('orderBy=MoreText&dir=1'))[0], id, path);
    }
    const rows = await audited(server);
    for (const [path, id] of Object.entries(records)) {
        const row = (property) =>
            rows.find(
                (one) =>
                    one.EntityShortName === entities[path] &&
                    one.EntityId === id &&
                    one.PropertyName === property,
            );
        assert.deepEqual(
            [row('MoreText').OldValue, row('MoreText').NewValue, row('MoreSealed').NewValue],
            [null, values.MoreText, 'changed'],
            path,
        );
        assert.equal(row('MoreEmpty'), undefined);
    }
    assert.equal((await lastPayload(server)).MoreText, values.MoreText);
    const { components } = await ask(server, 'GET', '/api/openapi.json');
    assert.ok(
        Object.values(components.schemas).filter(({ properties }) => properties?.MoreGuid).length >=
            Object.keys(records).length,
    );
}

test('one line adds a field of each type to an existing database, and to each resource', async () => {
    const { data, all } = await makeDatabase();
    const { code, stderr } = await check('more', data);
    assert.deepEqual([code, /an older version made this/.test(stderr)], [78, true], stderr);
    const server = await start('more', data);
    const found = await readAll(server);
    for (const path of Object.keys(records)) {
        assert.deepEqual(withoutNew(found[path]), all[path]);
        assert.deepEqual(onlyNew(found[path]), nothingIn(path));
        for (const record of (await ask(server, 'GET', `${path}?size=1000`)).Records)
            assert.deepEqual(onlyNew(record), nothingIn(path), path);
    }
    // A reset to what a row without the field reads as is no change.
    const rowsBefore = (await audited(server)).length;
    await ask(server, 'PUT', '/api/sys/users', {
        ...found['/api/sys/users'],
        MoreInteger: 0,
        MoreBoolean: false,
        MoreChoice: undefined,
    });
    assert.equal((await audited(server)).length, rowsBefore);
    await setAll(server);
    for (const program of ['more', 'today']) assert.equal((await check(program, data)).code, 0);
    await server.stop();
    await isSound('more', data);
});

test('versions with and without a field serve one database in turn, and nothing is lost', async () => {
    const { data } = await makeDatabase();
    const first = await start('more', data);
    await setAll(first);
    let all = await readAll(first);
    const sealed = () =>
        sql(
            data,
            ['users', 'businesses', 'web_hooks']
                .map((table) => `SELECT hex(MoreSealed) FROM ${table} WHERE MoreSealed IS NOT NULL`)
                .join(' UNION ALL '),
        );
    const secrets = sealed();
    assert.equal(secrets.split('\n').length, 3);
    await first.stop();
    for (let round = 1; round <= 3; round++) {
        const old = await start('today', data),
            rows = (await audited(old)).length;
        assert.match(
            old.stderr,
            /businesses: columns that this version does not know are left alone: MoreText, /,
        );
        const seen = await readAll(old);
        for (const path of Object.keys(records)) {
            assert.deepEqual(seen[path], withoutNew(all[path]), path);
            assert.deepEqual(
                (await ask(old, 'GET', `${path}?size=1000`)).Records.flatMap((record) =>
                    Object.keys(record),
                ).filter(isNew),
                [],
            );
            const reply = await old.call('PUT', path, {
                token: await old.admin(),
                body: { ...seen[path], SystemId: `round ${round}`, MoreText: 'mine' },
            });
            assert.deepEqual(
                [reply.status, /\bMoreText\b/.test(reply.headers.get('x-ignored-parameters'))],
                [200, true],
                path,
            );
            await ask(old, 'PATCH', `${path}/${records[path]}`, { SystemId: `patch ${round}` });
        }
        // From the other side of the links; a sign-in writes the row too.
        await ask(old, 'PATCH', '/api/security/userroles/401', {
            [round % 2 ? 'AddedUsers' : 'RemovedUsers']: [userId],
        });
        await ask(old, 'PATCH', `/api/sys/users/${userId}`, {
            NewPassword: `another-password-${round}`,
            Active: true,
            APIAccess: true,
        });
        await old.token('ada.lovelace@example.com', `another-password-${round}`);
        assert.deepEqual(Object.keys(await lastPayload(old)).filter(isNew), []);
        if (round === 1) {
            // whoever changed a record last may be erased, which writes the record
            const editor = await old.token('editor@example.com');
            assert.equal(
                (
                    await old.call('PATCH', `/api/sys/users/${userId}`, {
                        token: editor,
                        body: { Devices: 'changed' },
                    })
                ).status,
                200,
            );
            await ask(old, 'POST', '/api/sys/users/runcommand', {
                Key: 'erase',
                Ids: [staff.editor],
            });
            assert.equal((await old.get(userId)).UpdatedBy, 'erased user');
        }
        const {
            Value: { Id: added },
        } = await ask(
            old,
            'POST',
            '/api/sys/users',
            userBody({ FullName: `Round ${round}`, Email: `round${round}@example.com` }),
        );
        const {
            Value: { Id: business },
        } = await ask(old, 'POST', '/api/sys/businesses', { Name: `Round ${round}` });
        assert.equal((await audited(old)).length, rows);
        assert.equal(
            (await ask(old, 'GET', '/api/sys/users?User_FullName=Round')).TotalItems,
            round,
        );
        const told = await check('today', data);
        assert.equal(told.code, 0, told.stderr);
        assert.match(
            told.stderr,
            /users: rows with members that this version does not know, which are kept: 1\n/,
        );
        assert.match(
            told.stderr,
            /users: columns that this version does not know are left alone: MoreSealed, MoreHidden\n/,
        );
        const after = await readAll(old);
        await old.stop();

        const server = await start('more', data),
            again = await readAll(server);
        for (const path of Object.keys(records)) {
            assert.deepEqual(onlyNew(again[path]), onlyNew(all[path]), path);
            assert.deepEqual(withoutNew(again[path]), after[path], path);
            assert.equal(again[path].SystemId, `patch ${round}`);
        }
        assert.equal(sealed(), secrets);
        assert.deepEqual(onlyNew(await server.get(added)), nothingIn('/api/sys/users'));
        assert.deepEqual(
            onlyNew(await ask(server, 'GET', `/api/sys/businesses/${business}`)),
            nothing,
        );
        assert.deepEqual(
            (await ask(server, 'GET', '/api/sys/users?User_MoreText=zo%C3%AB')).Records.map(
                ({ Id }) => Id,
            ),
            [userId],
        );
        await server.token('ada.lovelace@example.com', `another-password-${round}`);
        // The next round starts from another value in each field.
        for (const [path, id] of Object.entries(records))
            await ask(server, 'PATCH', `${path}/${id}`, {
                MoreText: `round ${round}`,
                MoreInteger: 0,
                MoreLines: null,
            });
        await ask(server, 'PATCH', `/api/sys/users/${userId}`, { MoreText: values.MoreText });
        all = await readAll(server);
        await server.stop();
        await isSound('more', data);
    }
    assert.equal(
        sql(data, "SELECT count(*) FROM dictionaries WHERE kind = 'users'"),
        '2',
        'one of each version',
    );

    const last = await start('today', data);
    for (const [path, id] of Object.entries(records).reverse())
        if (path === '/api/sys/users' || path === '/api/sys/webhooks')
            await ask(last, 'DELETE', `${path}/${id}`);
    await last.stop();
    for (const program of ['more', 'today']) assert.equal((await check(program, data)).code, 0);
});

test('a version that lacks a field serves a database that began with it', async () => {
    const data = join(temporaryFolder(), 'data');
    const server = await start('more', data, [
        '--admin-email',
        adminEmail,
        '--admin-password',
        password,
    ]);
    const {
        Value: { Id },
    } = await ask(
        server,
        'POST',
        '/api/sys/users',
        userBody({ FullName: 'Ada', Email: 'ada@example.com', ...values }),
    );
    await server.stop();
    const old = await start('today', data);
    assert.deepEqual(Object.keys(await old.get(Id)).filter(isNew), []);
    await ask(old, 'PATCH', `/api/sys/users/${Id}`, { FullName: 'Ada Lovelace' });
    await ask(old, 'POST', '/api/sys/businesses', { Name: 'Another' });
    await old.stop();
    const again = await start('more', data),
        user = await again.get(Id);
    assert.deepEqual(
        [user.FullName, onlyNew(user)],
        ['Ada Lovelace', { ...nothingIn('/api/sys/users'), ...values }],
    );
    await again.stop();
    await isSound('more', data);
});

// All that only a version of the schema of its own can add: a searched field, a unique one, links and references.
async function useLater(server, data) {
    const guid = '1f8fad5b-d9cb-469f-a165-70867728950e',
        found = async (query) =>
            (await ask(server, 'GET', `/api/sys/users?${query}`)).Records.map(({ Id }) => Id);
    const [first, second, third] = (
        await ask(server, 'GET', '/api/sys/languages?orderBy=Id')
    ).Records.map(({ Id }) => Id);
    await ask(server, 'PATCH', `/api/sys/users/${userId}`, {
        LaterName: 'Zoë Quartermaine',
        LaterUnique: guid,
        LaterLanguageId: second,
        LaterRoles: [1, 2],
        LaterLanguages: [first],
    });
    await ask(server, 'PATCH', `/api/sys/languages/${third}`, {
        AddedLaterUsers: [userId],
        LaterRoles: [3],
        LaterLanguageId: first,
    });
    const { LaterUnique, LaterLanguageId, LaterRoles, LaterLanguages } = await server.get(userId);
    assert.deepEqual(
        [LaterUnique, LaterLanguageId, LaterRoles, LaterLanguages],
        [guid, second, [1, 2], [first, third]],
    );
    for (const id of [first, third])
        assert.deepEqual((await ask(server, 'GET', `/api/sys/languages/${id}`)).LaterUsers, [
            userId,
        ]);
    for (const query of [
        'User_LaterName=quarter',
        'User_LaterName=zoe%20q',
        `User_LaterUnique=${guid}`,
        `User_LaterLanguage=${second}`,
        `User_LaterLanguages=${third}`,
        'User_LaterRoles=2',
    ])
        assert.deepEqual(await found(query), [userId], query);
    assert.equal((await found('orderBy=LaterName&dir=1'))[0], userId);
    for (const id of [first, second, third])
        assert.equal(
            (
                await server.call('DELETE', `/api/sys/languages/${id}`, {
                    token: await server.admin(),
                })
            ).status,
            409,
            'somebody refers to it',
        );
    await useParcels(server);
    assert.deepEqual(
        sql(
            data,
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND name GLOB 'users_Later*' ORDER BY 1",
        ).split('\n'),
        ['users_LaterIndexed', 'users_LaterName', 'users_LaterUnique'],
    );
    assert.equal((await check('next', data)).code, 0);
}

// A resource that came with that version: its table, its roles, and links from it.
async function useParcels(server) {
    const roles = (await ask(server, 'GET', '/api/security/roles?size=1000&Role_Name=Parcel'))
        .Records;
    assert.deepEqual(
        roles.map(({ Id, Name, ToStringText }) => [Id, Name, ToStringText]),
        ['List', 'Read', 'Create', 'Edit', 'Delete'].map((name, i) => [
            51 + i,
            `Parcel-${name}`,
            `Parcel-${name}`,
        ]),
    );
    for (const { UniqueId, CreatedOn, UpdatedBy } of roles)
        assert.ok(
            /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(UniqueId) &&
                CreatedOn &&
                UpdatedBy,
        );
    assert.equal(new Set(roles.map(({ UniqueId }) => UniqueId)).size, 5);
    const {
        Value: { Id: receiver },
    } = await ask(
        server,
        'POST',
        '/api/sys/users',
        userBody({ FullName: 'Receiver', Email: 'receiver@example.com' }),
    );
    const {
        Value: { Id },
    } = await ask(server, 'POST', '/api/sys/parcels', { Name: 'Box', ReceiverId: receiver });
    assert.equal(
        (await ask(server, 'GET', `/api/sys/parcels?Parcel_Receiver=${receiver}`)).Records[0].Id,
        Id,
    );
    assert.equal(
        (await server.call('DELETE', `/api/sys/users/${receiver}`, { token: await server.admin() }))
            .status,
        409,
    );
    await ask(server, 'PATCH', `/api/sys/parcels/${Id}`, { Name: 'Crate' });
    assert.equal((await ask(server, 'GET', `/api/sys/parcels/${Id}`)).Name, 'Crate');
    assert.equal((await ask(server, 'GET', '/api/sys/parcels')).TotalItems, 1);
}

test('searched, unique and linked fields and a new resource come with a schema version, and keep values that older versions stored', async () => {
    const { data } = await makeDatabase(),
        kept = { LaterName: 'Zoë of old', LaterIndexed: '2026-02-03T04:05:06Z' };
    const plain = await start('more', data);
    await ask(plain, 'PATCH', `/api/sys/users/${userId}`, kept);
    await plain.stop();
    const today = await start('today', data);
    await ask(today, 'PATCH', `/api/sys/users/${userId}`, { SystemId: 'kept' });
    const all = await readAll(today);
    await today.stop();
    const { code, stderr } = await check('next', data);
    assert.deepEqual([code, /an older version made this/.test(stderr)], [78, true], stderr);

    const server = await start('next', data),
        found = await readAll(server);
    for (const path of Object.keys(records))
        assert.deepEqual(withoutNew(found[path]), all[path], path);
    const user = await server.get(userId);
    assert.deepEqual({ LaterName: user.LaterName, LaterIndexed: user.LaterIndexed }, kept);
    assert.deepEqual(
        [user.LaterUnique, user.LaterLanguageId, user.LaterLanguages],
        [null, null, []],
    );
    assert.equal((await ask(server, 'GET', '/api/sys/users?User_LaterName=ZOE')).TotalItems, 1);
    await isSound('next', data);
    await useLater(server, data);
    await server.stop();
    await isSound('next', data);
    assert.equal(sql(data, 'PRAGMA user_version'), '7');

    const before = sql(data, '.sha3sum');
    assert.match(before, /^[0-9a-f]{56,}$/);
    for (const program of ['today', 'more']) {
        const refused = await run(
                ['--listen', '127.0.0.1:0', '--data', data],
                {},
                programs[program],
            ),
            checked = await check(program, data);
        assert.deepEqual([refused.code, checked.code], [78, 78]);
        assert.match(refused.stderr, /made by a newer version of Roster/);
        assert.match(checked.stderr, /a newer version made this/);
    }
    assert.equal(sql(data, '.sha3sum'), before);
});

test('a new database has the columns and indexes of new fields', async () => {
    const data = join(temporaryFolder(), 'data'),
        server = await start('next', data, ['--demo']);
    await useLater(server, data);
    await server.stop();
    await isSound('next', data);
});

for (const version of [1, 2, 3, 4])
    for (const program of ['more', 'next'])
        test(`a database of version ${version} takes the fields of ${program}`, async () => {
            const data = join(temporaryFolder(), 'data');
            fixture(data, version);
            writeFileSync(join(data, 'roster.key'), new Uint8Array(32).fill(7), { mode: 0o600 });
            const server = await start(program, data);
            for (const path of ['/api/sys/users', '/api/sys/businesses', '/api/apps/applications'])
                for (const record of (await ask(server, 'GET', `${path}?size=1000`)).Records)
                    assert.equal(record.MoreText, null);
            await ask(server, 'PATCH', `/api/sys/users/${userId}`, values);
            assert.deepEqual(
                Object.entries(await server.get(userId)).filter(([name]) => name in values),
                Object.entries(values),
            );
            if (program === 'next') await useLater(server, data);
            await server.stop();
            await isSound(program, data);
        });
