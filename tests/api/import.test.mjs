// POST /api/sys/users/import: each row is a single change by all its rules, and the reply says what became of it. A trial
// run says the same and writes nothing; a repeat changes nothing; whatever ends an import leaves whole rows.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { isSampled, Server } from '../lib/server.mjs';
import { createPerson, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start();
const token = await server.admin();
const path = '/api/sys/users/import';

async function load(body, query = '', as = token) {
    const { status, text, headers } = await server.call('POST', path + query, {
        token: as,
        body,
        headers: { 'Content-Type': body.startsWith('{') ? 'application/jsonl' : 'text/csv' },
    });
    assert.equal(status, 200, text);
    assert.equal(headers.get('content-type'), 'application/jsonl');
    const rows = text.split('\n').slice(0, -1).map(JSON.parse);
    return { summary: rows.pop(), rows };
}
const outcomes = ({ rows }) => rows.map(({ Outcome }) => Outcome).join();
const total = async (filter = '') =>
    (await server.call('GET', `/api/sys/users?size=1${filter}`, { token })).json.TotalItems;
const stored = async (email) => {
    const { json } = await server.call('GET', `/api/sys/users?User_Email=${email}`, { token });
    assert.equal(json.TotalItems, 1, email);
    return server.get(json.Records[0].Id);
};
const trail = async (id) =>
    (
        await server.call(
            'GET',
            `/api/sys/audittrailentries?size=1000&AuditTrailEntry_EntityId=${id}`,
            { token },
        )
    ).json.Records;

const csv = [
    'Mail,Name,Active,UserRoles,Devices,Colour',
    'first@example.com,"=Ann ""A"" Lee",true,401 402,"a phone\na desk",red',
    'second@example.com,Ben,maybe,,,',
    'FIRST@example.com,Twice,,,,',
    'third@example.com,Cid,,999999,,',
    'fourth@example.com',
    '"fifth@example.com",\'=Eve,1,,,',
    'not an address,Dan,,,,',
].join('\r\n');
const mapped = '?map=Mail:Email&map=Name:FullName';

test('a trial run says what the import then does, and writes nothing', async () => {
    const before = await total();
    const trial = await load(csv, `${mapped}&dryRun=true`);
    assert.equal(await total(), before);
    const real = await load(csv, mapped);
    assert.equal(await total(), before + 2);
    assert.equal(outcomes(real), 'created,refused,refused,refused,refused,created,refused');
    const withoutIds = ({ rows }) => rows.map((row) => ({ ...row, Id: null }));
    assert.deepEqual(withoutIds(trial), withoutIds(real));
    assert.deepEqual({ ...trial.summary, DryRun: false }, real.summary);
    assert.deepEqual(real.summary, {
        IsWhole: true,
        DryRun: false,
        Rows: 7,
        Counts: { created: 2, updated: 0, unchanged: 0, deleted: 0, refused: 5 },
        IgnoredColumns: ['Colour'],
        NextLine: null,
        Message: null,
    });
});

test('errors name the line, the column as the file has it, the field and the value', async () => {
    const { rows } = await load(csv, `${mapped}&dryRun=true`);
    const errors = rows.flatMap(({ Line, Errors }) =>
        Errors.map(({ Column, PropertyName, Message, AttemptedValue }) => [
            Line,
            Column,
            PropertyName,
            Message.split(',')[0],
            AttemptedValue,
        ]),
    );
    assert.deepEqual(errors, [
        [4, 'Active', 'Active', 'must be true or false', 'maybe'],
        [5, 'Mail', 'Email', 'is the user of line 2 already', null],
        [6, 'UserRoles', 'UserRoles', 'no user role with Id 999999 exists', ['999999']],
        [7, 'Body', 'Body', 'has 1 cells', null],
        [9, 'Mail', 'Email', 'must be a valid e-mail address', 'not an address'],
    ]);
});

test('the rows become users, with audit rows in the name of the caller', async () => {
    const first = await stored('first@example.com');
    assert.equal(first.FullName, '=Ann "A" Lee');
    assert.equal(first.Devices, 'a phone\na desk');
    assert.deepEqual([first.Active, first.UserRoles, first.Language], [true, [401, 402], 1]);
    assert.equal((await stored('fifth@example.com')).FullName, '=Eve', 'the apostrophe is gone');
    const rows = await trail(first.Id);
    assert.ok(rows.length > 0);
    for (const { ActionBy } of rows) assert.equal(ActionBy, 'admin@example.com');
});

test('a repeat changes nothing, a changed row just what it says; an empty cell says nothing', async () => {
    const first = await stored('first@example.com');
    const rows = (await trail(first.Id)).length;
    assert.equal(outcomes(await load(csv, mapped)).split(',')[0], 'unchanged');
    assert.deepEqual(await stored('first@example.com'), first);
    const changed = await load(`Id,FullName,Devices\n${first.Id},Ann Lee,\n`);
    assert.equal(outcomes(changed), 'updated');
    const { FullName, Devices, UserRoles } = await server.get(first.Id);
    assert.deepEqual([FullName, Devices, UserRoles], ['Ann Lee', first.Devices, [401, 402]]);
    assert.equal((await trail(first.Id)).length, rows + 1);
});

test('what was exported is unchanged when it comes back, as CSV and as JSON Lines', async () => {
    for (const format of ['csv', 'jsonl']) {
        const { text } = await server.call('GET', `/api/sys/users/export.${format}`, { token });
        const { summary } = await load(text);
        assert.equal(summary.Counts.unchanged, summary.Rows, JSON.stringify(summary));
        assert.ok(summary.Rows > 5);
    }
});

test('JSON Lines: null clears, lists of Ids, Added and Removed; an Id that nobody has is refused', async () => {
    const first = await stored('first@example.com');
    const lines = [
        { Id: first.Id, Devices: null, RemovedUserRoles: [401], AddedUserRoles: [403] },
        { Email: 'lines@example.com', FullName: 'Lines', UserRoles: [401] },
        { Id: null, Email: 'first@example.com', FullName: 'Twice' },
        { Id: null, Email: 'idless@example.com', FullName: 'Without an Id' },
        { Id: 5, FullName: 'Nobody' },
        { FullName: 'Who' },
    ];
    const done = await load(`${lines.map((one) => JSON.stringify(one)).join('\n')}\n{"Id":}\n`);
    assert.equal(outcomes(done), 'updated,created,refused,created,refused,refused,refused');
    assert.deepEqual(
        done.rows.map(({ Line }) => Line),
        [1, 2, 3, 4, 5, 6, 7],
    );
    assert.equal(done.rows[4].Message, 'Not found');
    assert.match(done.rows[5].Errors[0].Message, /one of the two says who is meant/);
    assert.match(done.rows[6].Errors[0].Message, /is not valid JSON/);
    const now = await server.get(first.Id);
    assert.deepEqual([now.Devices, now.UserRoles], [null, [402, 403]]);
});

test('cells stand between semicolons or tabs as well, as spreadsheets of some countries write them', async () => {
    for (const [name, between] of [
        ['semicolon', ';'],
        ['tab', '\t'],
    ]) {
        const own = (one) => `${one}.${name}@example.com`;
        const rows = [
            ['Email', 'FullName', 'Devices', 'UserRoles'],
            [own('a'), 'Lee, Ann', `"a phone${between} ""a desk"""`, '401,402'],
            [own('b'), 'Ben', '', ''],
        ];
        // A byte order mark, an empty line before: as files come.
        const file = `\uFEFF\r\n${rows.map((row) => row.join(between)).join('\r\n')}\r\n`;
        assert.equal(outcomes(await load(file)), 'created,created', name);
        const { FullName, Devices, UserRoles } = await stored(own('a'));
        assert.deepEqual(
            [FullName, Devices, UserRoles],
            ['Lee, Ann', `a phone${between} "a desk"`, [401, 402]],
        );
        const [refused] = (await load(`${rows[0].join(between)}\n${own('c')},C\n`)).rows;
        assert.match(refused.Errors[0].Message, /has 1 cells?.* 4/);
    }
});

test('a hash is imported, and signs in; a password in clear and a picture are refused', async () => {
    const hash = '$2b$04$abcdefghijklmnopqrstuu5Lm0g4ZgZCtGqwAHnbRwyEEfqDVTzau';
    const known = server.sql(`SELECT Password FROM users WHERE Id = ${adminId}`);
    const done = await load(
        [
            'Email,FullName,Active,APIAccess,Password,NewPassword,NewAvatarUrl',
            `hash@example.com,Hash,true,true,"${known}",,`,
            'clear@example.com,Clear,,,correct horse,,',
            'new@example.com,New,,,,correct horse,',
            'picture@example.com,Picture,,,,,https://example.com/a.png',
            `cheap@example.com,Cheap,,,${hash.slice(0, 20)},,`,
        ].join('\n'),
    );
    assert.equal(outcomes(done), 'created,refused,refused,refused,refused');
    assert.deepEqual(
        done.rows.flatMap(({ Errors }) => Errors.map(({ PropertyName }) => PropertyName)),
        ['Password', 'NewPassword', 'NewAvatarUrl', 'Password'],
    );
    assert.ok(!JSON.stringify(done).includes('correct horse'), 'no secret comes back');
    await server.token('hash@example.com', password);
});

test('delete=true deletes by Id or address, by the rules of DELETE', async () => {
    const file = 'Email,Id\nlines@example.com,\nadmin@example.com,\nnobody@example.com,\n';
    const trial = await load(file, '?delete=true&dryRun=true');
    const real = await load(file, '?delete=true');
    assert.deepEqual(trial.rows, real.rows);
    assert.equal(outcomes(real), 'deleted,refused,refused');
    assert.match(real.rows[1].Errors[0].Message, /last active unrestricted administrator/);
    assert.equal(await total('&User_Email=lines@example.com'), 0);
});

test('nobody does by an import what they may not do by a request', async () => {
    const manager = await server.token('manager@example.com'); // List, Read, Edit
    const file = [
        { Id: userId, FullName: 'Ada' },
        { Id: userId + 1, FullName: 'Nobody' },
        { Email: 'fresh@example.com', FullName: 'Fresh' },
        { Id: adminId, FullName: 'Hacked' },
        { Email: 'frontdesk@example.com', IsAdmin: true },
        { Email: 'reader@example.com', UserRoles: [405] },
    ];
    const lines = file.map((one) => JSON.stringify(one)).join('\n');
    for (const query of ['?dryRun=true', '']) {
        const done = await load(lines, query, manager);
        assert.equal(outcomes(done), 'updated,refused,refused,refused,refused,refused');
        assert.match(done.rows[2].Message, /User-Create/);
        assert.match(done.rows[3].Errors[0].Message, /unrestricted administrator/);
        assert.equal(done.rows[4].Errors[0].PropertyName, 'IsAdmin');
        assert.match(done.rows[5].Errors[0].Message, /grants a permission that you do not have/);
        if (!query) assert.equal((await server.get(userId)).FullName, 'Ada');
    }
    const deleting = await load(`Id\n${userId}\n`, '?delete=true', manager);
    assert.match(deleting.rows[0].Message, /User-Delete/);
    for (const name of ['lister', 'creator', 'frontdesk']) {
        const own = await server.token(`${name}@example.com`);
        const reply = await server.call('POST', path, { token: own, body: 'Id\n1\n' });
        assertFailure(reply, 403);
    }
});

test('a row that takes the right away stops the import right there', async () => {
    const own = await createPerson(server, token, 'mighty', { IsAdmin: true });
    const as = await server.token(own.email);
    const rows = Array.from({ length: 250 }, (_, i) => `stop${i}@example.com,Stop ${i},`);
    rows[120] = `${own.email},Mighty,false`;
    const { rows: done, summary } = await load(`Email,FullName,Active\n${rows.join('\n')}`, '', as);
    assert.equal(done.length, 121);
    assert.equal(await total('&User_FullName=Stop%20'), 120);
    assert.deepEqual(
        [summary.IsWhole, summary.Rows, summary.NextLine, summary.Message],
        [false, 121, 123, 'Authentication is required.'],
    );
});

test('a file or a parameter that is wrong is refused before anything is done', async () => {
    const before = await total();
    const wrong = async (body, query, property, message) =>
        assertInvalid(await server.call('POST', path + query, { token, body }), property, message);
    await wrong('', '', 'Body', /has no rows/);
    await wrong('Email\n\n', '', 'Body', /has no rows/);
    await wrong('Colour\nred\n', '', 'Body', /names no field/);
    await wrong('Email,"FullName\nx@example.com,X\n', '', 'Body', /quote that is not closed/);
    await wrong('Email,email\nx@example.com,X\n', '', 'Body', /column email is for Email/);
    await wrong(Buffer.from('Email,FullName\nx@example.com,\xff\n', 'latin1'), '', 'Body', /UTF-8/);
    await wrong(`Id\n${'1\n'.repeat(20000)}`, '', 'Body', /more than 20000 lines/);
    await wrong(`${'a,'.repeat(200)}Id\n1\n`, '', 'Body', /more than 200 columns/);
    await wrong('{"Id":1}', '?map=Id:Email', 'Body', /is for CSV alone/);
    await wrong('Id\n1\n', '?dryRun=perhaps', 'dryRun', /true or false/);
    await wrong('Id\n1\n', '?map=Id', 'map', /COLUMN:FIELD/);
    await wrong('Id\n1\n', '?map=Id:CreatedOn', 'map', /COLUMN:FIELD/);
    const strict = { token, body: 'Id\n1\n', headers: { Prefer: 'handling=strict' } };
    assertInvalid(await server.call('POST', `${path}?fast=true`, strict), 'fast', /not a known/);
    strict.body = 'Id,Colour\n1,red\n';
    assertInvalid(await server.call('POST', path, strict), 'Body', /column Colour is for no field/);
    assertFailure(await server.call('POST', path, { token, body: 'x'.repeat(1048577) }), 413);
    const open = await load('Email,FullName\nx@example.com,"X\n');
    assert.match(open.rows[0].Errors[0].Message, /quote that is not closed/);
    assert.equal(await total(), before);
});

const count = isSampled() ? 1000 : 10000;
const many = (name) =>
    `Email,FullName\n${Array.from({ length: count }, (_, i) => `${name}${i}@example.com,${name} ${i}`).join('\n')}\n`;

test(`${count} rows are imported by one request; a client that leaves ends it after whole rows`, async () => {
    const { summary } = await load(many('crowd'));
    assert.deepEqual([summary.IsWhole, summary.Counts.created], [true, count]);
    const controller = new AbortController();
    const reply = await fetch(server.url + path, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}` },
        body: many('gone'),
        signal: controller.signal,
    });
    const reader = reply.body.getReader();
    await reader.read();
    controller.abort();
    const done = await until('the import has ended', async () => {
        const before = await total('&User_FullName=gone%20');
        return before === (await total('&User_FullName=gone%20')) && before;
    });
    assert.equal(done % 100, 0, 'whole batches');
});

test('after kill -9 the rows up to a line are stored, at least those that the reply told of', async () => {
    const victim = await Server.start();
    const reply = await fetch(victim.url + path, {
        method: 'POST',
        headers: { Authorization: `Bearer ${await victim.admin()}` },
        body: many('victim'),
    });
    let text = '';
    const reading = (async () => {
        const decoder = new TextDecoder();
        for await (const part of reply.body) {
            text += decoder.decode(part, { stream: true });
            if (text.includes('victim200@')) victim.child.kill('SIGKILL');
        }
    })();
    await reading.catch((error) => assert.match(`${error}`, /terminated/));
    await victim.restart('SIGKILL');
    victim.adminToken = undefined;
    const as = await victim.admin();
    const { text: lines } = await victim.call(
        'GET',
        '/api/sys/users/export.jsonl?User_FullName=victim%20',
        { token: as },
    );
    const emails = lines
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).Email);
    const told = text.match(/"Outcome":"created"/g).length;
    assert.ok(emails.length >= told, `${emails.length} of ${told}`);
    assert.deepEqual(
        emails,
        emails.map((_, i) => `victim${i}@example.com`),
    );
});
