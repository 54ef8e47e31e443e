// GET /api/sys/users: docs/contract.md section 5, and random searches compared with a naive model in memory.
import test from 'node:test';
import assert from 'node:assert/strict';
import { fieldTable } from '../lib/database.mjs';
import { staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';
import { addMembers, addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
await addMembers(server, 40);
const token = await server.admin();
const search = (query, options) =>
    server.call('GET', `/api/sys/users?${query}`, { token, ...options });
const found = async (query) => {
    const reply = await search(query);
    assert.equal(reply.status, 200, reply.text);
    return reply.json;
};
const names = async (query) => (await found(query)).Records.map((user) => user.FullName);

// Every user, whole.
const people = [];
async function readPeople() {
    people.length = 0;
    for (let page = 1, more = true; more; page++) {
        const part = await found(`size=20&page=${page}`);
        const ids = part.Records.map((user) => user.Id);
        people.push(...(await server.call('GET', `/api/sys/users?id=[${ids}]`, { token })).json);
        more = part.HasNextPage;
    }
}
await readPeople();

test('the envelope has the eleven members, and pages of 25 ordered by Id', async () => {
    const first = await found('');
    assert.deepEqual(Object.keys(first), [
        'Records',
        'CurrentPage',
        'CurrentPageSize',
        'CurrentOrderField',
        'CurrentSortDirection',
        'FirstItem',
        'LastItem',
        'TotalItems',
        'TotalPages',
        'HasNextPage',
        'HasPreviousPage',
    ]);
    const { Records, ...rest } = first;
    assert.deepEqual(rest, {
        CurrentPage: 1,
        CurrentPageSize: 25,
        CurrentOrderField: 'Id',
        CurrentSortDirection: 0,
        FirstItem: 1,
        LastItem: 25,
        TotalItems: people.length,
        TotalPages: 2,
        HasNextPage: true,
        HasPreviousPage: false,
    });
    assert.deepEqual(
        Records.map((user) => user.Id),
        people
            .map((user) => user.Id)
            .sort((a, b) => a - b)
            .slice(0, 25),
    );
    const last = await found('page=2');
    assert.deepEqual(
        [last.FirstItem, last.LastItem, last.HasNextPage, last.HasPreviousPage],
        [26, people.length, false, true],
    );
});

test('a listed record leaves the three collections out and shows everything else truly', async () => {
    const { Devices } = await server.get(userId);
    for (const odd of [
        Devices,
        '[',
        ']',
        '"Businesses":[1]',
        ',"UserRoles":[],[[]]',
        `${'['.repeat(5000)}"ChatRooms":[`,
    ]) {
        assert.equal((await server.update(userId, { Devices: odd })).status, 200);
        const { Businesses, UserRoles, ChatRooms, ...whole } = await server.get(userId);
        assert.equal(whole.Devices, odd);
        for (const query of [`Id=${userId}`, `User_Email=${encodeURIComponent(whole.Email)}`])
            assert.deepEqual((await found(query)).Records, [whole]);
    }
    await server.update(userId, { Devices });
});

test('TotalPages is as many as have somebody: no page more when the last one is full, and none when nobody is found', async () => {
    const half = await found(`Id=${people.slice(0, 10).map((user) => user.Id)}&size=5&page=2`);
    assert.deepEqual([half.TotalItems, half.TotalPages, half.HasNextPage], [10, 2, false]);
    for (const [query, pages] of [
        [`size=${people.length}`, 1],
        [`size=${people.length - 1}`, 2],
        ['User_FullName=nobody%20at%20all', 0],
        ['Id=5', 0],
    ])
        assert.equal((await found(query)).TotalPages, pages, query);
});

test('a page past the end is empty, and size is cut to 1000', async () => {
    const past = await found('page=99');
    assert.deepEqual(
        [past.Records, past.FirstItem, past.LastItem, past.TotalItems],
        [[], 0, 0, people.length],
    );
    assert.equal((await found('size=5000')).CurrentPageSize, 1000);
});

test('dir in all its spellings', async () => {
    for (const dir of ['0', 'asc', 'Ascending', 'ASCENDING'])
        assert.equal((await found(`orderBy=FullName&dir=${dir}`)).CurrentSortDirection, 0);
    for (const dir of ['1', '-1', 'desc', 'Descending'])
        assert.equal((await found(`orderby=fullname&dir=${dir}`)).CurrentSortDirection, 1);
    assert.deepEqual(
        (await found('orderBy=FullName&dir=1&size=1000')).Records.map((user) => user.Id),
        (await found('orderBy=FullName&dir=0&size=1000')).Records.map((user) => user.Id).reverse(),
    );
    assertInvalid(await search('dir=sideways'), 'dir', /must be 0, asc or Ascending/);
});

test('in any order pages follow each other without a gap, also of a search and backwards', async () => {
    for (const query of [
        'orderBy=FullName',
        'orderBy=FullName&dir=desc',
        'orderBy=Email&User_FullName=e',
        'orderBy=LastAccess&dir=desc',
        'orderBy=Active&User_Email=example',
        'User_FullName=member',
        'orderBy=Id&dir=desc',
    ]) {
        const all = (await found(`${query}&size=1000`)).Records.map((user) => user.Id),
            seen = [];
        assert.ok(all.length > 14, query);
        for (let page = 1, more = true; more; page++) {
            const part = await found(`${query}&size=7&page=${page}`);
            seen.push(...part.Records.map((user) => user.Id));
            more = part.HasNextPage;
            assert.deepEqual(
                [part.TotalItems, part.TotalPages],
                [all.length, Math.ceil(all.length / 7)],
                query,
            );
        }
        assert.deepEqual(seen, all, query);
    }
});

test('orderBy takes every scalar field, and nothing else', async () => {
    const ids = people.map((user) => user.Id).sort((a, b) => a - b);
    for (const { name, type, flags } of fieldTable()) {
        const scalar =
            !['added', 'removed', 'links', 'sealed', 'totp', 'password'].includes(type) &&
            !flags.includes('CONFIDENTIAL');
        const reply = await search(`orderBy=${name}&size=1000`);
        assert.equal(reply.status, scalar ? 200 : 400, name);
        if (!scalar) continue;
        if (['empty', 'no'].includes(type) || flags.includes('TRANSIENT'))
            assert.deepEqual(
                reply.json.Records.map((user) => user.Id),
                ids,
                `${name} is the same for all`,
            );
        const key = (user) =>
            typeof user[name] === 'string' ? user[name].toLowerCase() : (user[name] ?? -Infinity);
        const keys = reply.json.Records.map(key);
        assert.equal(reply.json.CurrentOrderField, name);
        if (['text', 'email', 'integer', 'reference', 'choice', 'id'].includes(type))
            for (let i = 1; i < keys.length; i++)
                assert.ok(!(keys[i] < keys[i - 1]), `${name}: ${keys[i - 1]} before ${keys[i]}`);
    }
});

test('text filters contain the value, without regard to case, and the exact match comes first', async () => {
    await server.update(userId, { FullName: 'Zoë Ökonom' });
    assert.deepEqual(await names('User_FullName=zOË ö'), ['Zoë Ökonom']);
    const make = (FullName, Email) =>
        server.call('POST', '/api/sys/users', { token, body: userBody({ FullName, Email }) });
    const longer = (await make('Longer', 'aa@x.example.com')).json.Value.Id;
    const exact = (await make('Exact', 'a@x.example.com')).json.Value.Id;
    assert.deepEqual(
        (await found('User_Email=A@x.example.com')).Records.map((user) => user.Id),
        [exact, longer],
    );
    assert.deepEqual(
        (await found('User_Email=a@x.example.com&size=1')).Records.map((user) => user.Id),
        [exact],
    );
    for (const id of [longer, exact])
        assert.equal((await server.call('DELETE', `/api/sys/users/${id}`, { token })).status, 200);
    await server.update(userId, { FullName: people.find((user) => user.Id === userId).FullName });
});

test('every part of an address finds those that contain it, and counts them', async () => {
    const addresses = [
        'maria@q.example.com',
        'Anna-Maria@q.example.com.au',
        '"x@maria"@q.example.org',
        'zo\u00eb.maria@Q.EXAMPLE.com',
    ];
    const users = [];
    for (const Email of addresses)
        users.push(
            (
                await server.call('POST', '/api/sys/users', {
                    token,
                    body: userBody({ FullName: 'Addressee', Email }),
                })
            ).json.Value.Id,
        );
    const shown = await Promise.all(
        users.map(async (id) => (await server.get(id)).Email.toLowerCase()),
    );
    const parts = new Set();
    for (const email of shown)
        for (let from = 0; from < email.length; from++)
            for (let to = email.indexOf('@') + 1; to <= email.length; to += 2)
                if (email.slice(from, to).includes('@')) parts.add(email.slice(from, to));
    assert.ok(parts.size > 100);
    for (const part of parts) {
        const expected = users.filter((id, i) => shown[i].includes(part));
        const page = await found(
            `User_Email=${encodeURIComponent(part)}&User_FullName=addressee&orderBy=Id`,
        );
        assert.deepEqual(
            page.Records.map((user) => user.Id),
            expected,
            part,
        );
        const alone = await found(`User_Email=${encodeURIComponent(part)}&size=1`);
        assert.ok(
            alone.TotalItems >= expected.length &&
                (!part.includes('q.') || alone.TotalItems === expected.length),
            part,
        );
    }
    await server.update(users[0], { Email: 'moved@q.example.com' });
    assert.equal((await found('User_Email=maria@q.example.com')).TotalItems, 2);
    for (const id of users)
        assert.equal((await server.call('DELETE', `/api/sys/users/${id}`, { token })).status, 200);
    assert.equal((await found('User_Email=maria@q.example.com')).TotalItems, 0);
});

test('an address is not found by another of which its quoted local part has the pieces', async () => {
    const make = async (FullName, Email) =>
        (
            await server.call('POST', '/api/sys/users', {
                token,
                body: userBody({ FullName, Email }),
            })
        ).json.Value.Id;
    const quoted = [
        await make('Quoted', '"ilse@x@q.example.com"@q.example.net'),
        await make('Quoted', '"olaf@x@q.example.com"@q.example.net'),
    ];
    const named = await make('Named', 'olaf@q.example.com');
    for (const [needle, ids] of [
        ['ilse@q.example.com', []],
        ['olaf@q.example.com', [named]],
        ['ilse@q.example', []],
        ['olaf@x@q.example.com', [quoted[1]]],
        ['@x@q.example.com', quoted],
        ['@q.example.com"@q', quoted],
        ['x@q.example.net', []],
    ])
        for (const more of ['', '&User_FullName=named', '&orderBy=Id'])
            assert.deepEqual(
                (await found(`User_Email=${encodeURIComponent(needle)}${more}`)).Records.map(
                    (user) => user.Id,
                ),
                more.includes('named') ? ids.filter((id) => id === named) : ids,
                needle + more,
            );
    for (const id of [...quoted, named])
        assert.equal((await server.call('DELETE', `/api/sys/users/${id}`, { token })).status, 200);
});

test('a page of more than 8 MiB is refused and names size; a smaller one is given', async () => {
    const lines = (n) => `${n}`.padEnd(65536, '\n');
    const ids = [];
    for (let n = 0; n < 70; n++)
        ids.push(
            (
                await server.call('POST', '/api/sys/users', {
                    token,
                    body: userBody({
                        FullName: `Has Devices ${n}`,
                        Email: `devices${n}@example.com`,
                        Devices: lines(n),
                    }),
                })
            ).json.Value.Id,
        );
    const users = (query) =>
        server.call('GET', `/api/sys/users?User_FullName=has+devices&${query}`, { token });
    assertInvalid(await users('size=1000'), 'size', /more than 8 MiB/);
    assert.equal((await users('size=5&orderBy=Id&dir=1')).json.Records.length, 5);
    for (const id of ids)
        assert.equal((await server.call('DELETE', `/api/sys/users/${id}`, { token })).status, 200);
});

test('foreign keys are filtered by without Id, ClearAvatarFile as ClearAvatar, names in any case', async () => {
    await server.update(userId, { PreferredLanguageId: 601, ApplicationId: 701 });
    for (const query of [
        'User_PreferredLanguage=601',
        'user_preferredlanguage=601',
        'User_Application=701',
        'User_PreferredLanguageId=601',
    ])
        assert.deepEqual(
            (await found(query)).Records.map((user) => user.Id),
            [userId],
            query,
        );
    assert.equal((await found('User_ClearAvatar=true')).TotalItems, 0);
    await server.update(userId, { PreferredLanguageId: null, ApplicationId: null });
});

test('linked records: User_Businesses, User_UserRoles, User_ChatRooms', async () => {
    for (const [name, id] of [
        ['Businesses', 301],
        ['Businesses', 302],
        ['UserRoles', 404],
        ['ChatRooms', 501],
    ])
        assert.deepEqual(
            (await found(`User_${name}=${id}&size=1000`)).Records.map((user) => user.Id).sort(),
            people
                .filter((user) => user[name].includes(id))
                .map((user) => user.Id)
                .sort(),
            `${name} ${id}`,
        );
});

test('several ids in every spelling; brackets give a bare array of whole records', async () => {
    const ids = [userId, staff.lister, staff.editor].sort((a, b) => a - b);
    for (const query of [
        `Id=${ids}`,
        `id=${ids.join('&id=')}`,
        `User_Id=[${ids}]`,
        `User_Id=${ids.join(', ')}`,
    ])
        assert.deepEqual(
            (await found(query)).Records.map((user) => user.Id),
            ids,
            query,
        );
    for (const query of [`id=[${ids}]`, `id=%5B${ids}%5D`, `ID=[${ids}, 5]`]) {
        const { json } = await search(query);
        assert.deepEqual(json, await Promise.all(ids.map((id) => server.get(id))), query);
    }
    assert.deepEqual(await found('id=[]'), []);
    assert.equal((await search(`id=[${ids}]&size=1&page=2`)).json.length, 3, 'whatever the page');
    for (const query of ['Id=-1', `Id=${ids},`, `Id=${ids[0]},-1`, 'Id=1.5', `Id=[${ids}`])
        assertInvalid(await search(query), 'Id', /must be an Id/);
    for (const name of ['Businesses', 'UserRoles', 'ChatRooms'])
        for (const several of ['1,2', '[1,2]', '', '[]'])
            assertInvalid(
                await search(`User_${name}=${several}`),
                `User_${name}`,
                /must be one Id/,
            );
});

test('a boolean is asked for by true and false, or 1 and 0', async () => {
    for (const [values, is] of [
        [['true', 'TRUE', ' true', '1'], true],
        [['false', 'False', '0'], false],
    ])
        for (const value of values)
            assert.equal(
                (await found(`User_IsAdmin=${value}&size=1`)).TotalItems,
                people.filter(({ IsAdmin }) => IsAdmin === is).length,
                value,
            );
    for (const value of ['2', '', 'yes', '-1', '01'])
        assertInvalid(await search(`User_IsAdmin=${value}`), 'User_IsAdmin', /true or false/);
});

test('a batch needs User-Read, a search User-List', async () => {
    const lister = await server.token('lister@example.com'),
        reader = await server.token('reader@example.com');
    assert.equal((await search('size=1', { token: lister })).status, 200);
    assert.equal((await search(`id=[${userId}]`, { token: reader })).status, 200);
    assertFailure(await search('size=1', { token: reader }), 403);
    assertFailure(await search(`id=[${userId}]`, { token: lister }), 403);
});

test('ranges are inclusive', async () => {
    await server.update(userId, { LastAccess: '2025-06-01T10:30:00Z', LastHelpVisited: 77 });
    for (const query of [
        'from_User_LastAccess=2025-06-01T10:30',
        'to_User_LastAccess=2025-06-01T10:30:00.000Z&from_User_LastAccess=2025-05-31T00:00',
        'From_User_LastHelpVisited=77',
        'from_User_LastHelpVisited=1&To_user_lasthelpvisited=77',
    ])
        assert.ok(
            (await found(query)).Records.some((user) => user.Id === userId),
            query,
        );
    for (const query of ['to_User_LastAccess=2025-06-01T10:29', 'from_User_LastHelpVisited=78'])
        assert.ok(!(await found(query)).Records.some((user) => user.Id === userId), query);
    await server.update(userId, { LastAccess: '2025-06-01T10:30:59.999Z' });
    for (const [value, from, to, equal] of [
        ['2025-06-01T10:30', true, true, true],
        ['2025-06-01T10:30Z', true, true, true],
        ['2025-06-01', true, true, true],
        ['2025-06-01T12:30:59%2B02:00', true, true, true],
        ['2025-06-01T10:30:59.999Z', true, true, true],
        ['2025-06-01T10:29', true, false, false],
        ['2025-06-01T10:31', false, true, false],
        ['2025-06-01T10:30:59.998Z', true, false, false],
        ['2025-06-01T10:30:58', true, false, false],
        ['2025-05-31', true, false, false],
        ['2025-06-02', false, true, false],
    ])
        for (const [prefix, holds] of [
            ['from_', from],
            ['to_', to],
            ['', equal],
        ])
            assert.equal(
                (await found(`${prefix}User_LastAccess=${value}&Id=${userId}`)).TotalItems,
                Number(holds),
                `${prefix} ${value}`,
            );
    await server.update(userId, { LastAccess: null, LastHelpVisited: 0 });
});

test('a bad value of a known filter is 400 and names the parameter', async () => {
    for (const [query, name, message] of [
        ['User_Active=maybe', 'User_Active', /true or false/],
        ['Id=x', 'Id', /must be an Id/],
        ['User_LastAccess=yesterday', 'User_LastAccess', /date and time/],
        ['User_Language=one', 'User_Language', /integer/],
        ['UniqueId=1', 'UniqueId', /GUID/],
        ['page=0', 'page', /at least 1/],
        ['size=-3', 'size', /at least 1/],
        ['page=x', 'page', /at least 1/],
        ['page=9223372036854775807', 'page', /at least 1/],
        ['page=-9223372036854775808', 'page', /at least 1/],
        ['orderBy=Nothing', 'orderBy', /name of a property/],
        ['User_Businesses=a', 'User_Businesses', /must be an Id/],
        ['User_FullName=%zz', 'User_FullName', /percent-encoded/],
        ['%ff=%zz', 'query', /percent-encoded/],
        ['%00=%zz', 'query', /percent-encoded/],
        ['%ff=1', 'query', /must be UTF-8/],
    ])
        assertInvalid(await search(query), name, message);
});

test('unknown names are ignored and named in X-Ignored-Parameters; 400 under handling=strict', async () => {
    const reply = await search('UpdatedSince=1&User_Nothing=2&size=1&from_User_FullName=a');
    assert.equal(
        reply.headers.get('x-ignored-parameters'),
        'UpdatedSince, User_Nothing, from_User_FullName',
    );
    assert.equal(reply.json.TotalItems, people.length);
    assert.equal((await search('a%0d%0aSet-Cookie:%20x=1')).headers.get('set-cookie'), null);
    assertInvalid(
        await search('UpdatedSince=1', { headers: { Prefer: 'handling=strict' } }),
        'UpdatedSince',
        /not a known parameter/,
    );
});

test('secrets never filter: nothing matches, whatever the guess', async () => {
    const secrets = fieldTable().filter(
        ({ type, flags }) =>
            ['sealed', 'totp', 'password'].includes(type) || flags.includes('CONFIDENTIAL'),
    );
    assert.ok(secrets.length >= 5);
    assert.ok(
        secrets.some(({ name }) => name === 'PasswordSalt'),
        'it is shown, but is part of a secret',
    );
    await server.update(userId, { PasswordSalt: 'a salt' });
    for (const { name } of secrets)
        for (const guess of ['', 'a', 'a salt', '$argon2id$', 'demo-password']) {
            assert.equal(
                (await found(`User_${name}=${encodeURIComponent(guess)}`)).TotalItems,
                0,
                name,
            );
            assertInvalid(await search(`orderBy=${name}`), 'orderBy', /single value/);
        }
    await server.update(userId, { PasswordSalt: '' });
    assert.equal(
        (await search('User_EmailKey=admin')).headers.get('x-ignored-parameters'),
        'User_EmailKey',
    );
});

// ---- A model: each kind of filter as a function on the whole record ----

let seed = 20250115;
const random = (n) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor(seed / 65536) % n;
};
const pick = (list) => list[random(list.length)];
// Full case folding: by way of upper case, which writes ß as SS; only these two are not brought back by lower case.
const foldLetter = (c) =>
    c === '\u0131' ? c : c.toLowerCase().toUpperCase().toLowerCase().replaceAll('\u03c2', '\u03c3');
const foldCase = (text) => [...text.normalize('NFD')].map(foldLetter).join('').normalize('NFC');
// Without accents, unless there is nothing else.
const fold = (text) =>
    foldCase(text)
        .normalize('NFD')
        .replace(/[\u0300-\u036f]/g, '')
        .replaceAll('\u0131', 'i')
        .normalize('NFC') || foldCase(text);
const fields = fieldTable().filter(({ flags }) => !flags.includes('CONFIDENTIAL'));
const byType = (...types) =>
    fields.filter((field) => types.includes(field.type) && !field.flags.includes('TRANSIENT'));
const respell = (text) =>
    pick([text, text.toUpperCase(), text.toLowerCase(), text.normalize('NFD')]);
const part = (whole) => {
    const text = [...whole],
        from = random(text.length + 1);
    return text.slice(from, from + 1 + random(6)).join('');
};
const contains = ({ name }, text = pick(people)[name] ?? 'x') => {
    const needle = respell(random(4) ? part(text) : text);
    const folded = fold(needle),
        all = { query: `User_${name}=${encodeURIComponent(needle)}` };
    if (folded === '') return { ...all, holds: () => true };
    return {
        ...all,
        holds: (user) => user[name] !== null && fold(user[name]).includes(folded),
        isExact: (user) => user[name] !== null && fold(user[name]) === folded,
        isSame: (user) => user[name] !== null && foldCase(user[name]) === foldCase(needle),
    };
};
const equals = ({ name }) => {
    const value = pick(people)[name];
    return value === null
        ? { query: '', holds: () => true }
        : { query: `User_${name}=${value}`, holds: (user) => user[name] === value };
};
const range = ({ name }) => {
    const value = pick(people)[name],
        low = random(2);
    return value === null
        ? { query: '', holds: () => true }
        : {
              query: `${low ? 'from' : 'to'}_User_${name}=${value}`,
              holds: (user) =>
                  user[name] !== null && (low ? user[name] >= value : user[name] <= value),
          };
};
// A time as replies have it, or cut to its second, minute or day; each stands for all of its unit.
const timestamp = ({ name }) => {
    const value = pick(people)[name] ?? '2025-03-01T10:30:00Z',
        whole = new Date(value).toISOString();
    const [length, unit] = pick([
            [23, 1],
            [19, 1000],
            [16, 60000],
            [10, 86400000],
        ]),
        text = whole.slice(0, length);
    const zone = length > 10 ? pick(['', 'Z']) : '',
        first = Date.parse(length > 10 ? `${text}Z` : text),
        last = first + unit - 1;
    const [prefix, holds] = pick([
        ['', (at) => at >= first && at <= last],
        ['from_', (at) => at >= first],
        ['to_', (at) => at <= last],
    ]);
    return {
        query: `${prefix}User_${name}=${text}${zone}`,
        holds: (user) => user[name] !== null && holds(Date.parse(user[name])),
    };
};
const linked = ({ name }) => {
    const id = pick(pick(people)[name]) ?? 1;
    return { query: `User_${name}=${id}`, holds: (user) => user[name].includes(id) };
};
const anyId = () => {
    const ids = Array.from({ length: 1 + random(40) }, () =>
        random(5) ? pick(people).Id : 1 + random(1000),
    );
    const query = pick([`Id=${ids}`, `User_Id=[${ids.join(', ')}]`, `Id=${ids.join('&id=')}`]);
    return { query, isIds: true, holds: (user) => ids.includes(user.Id) };
};
const anyReference = ({ name }) => {
    const ids = [pick(people)[name] ?? 1, 601 + random(3)];
    return {
        query: `User_${name.slice(0, -2)}=${pick([ids[0], ids, `[${ids}]`])}`.replace(
            /=(\d+)$/,
            (_, id) => {
                ids.length = 1;
                return `=${id}`;
            },
        ),
        holds: (user) => ids.includes(user[name]),
    };
};
const makers = [
    () => contains(pick(byType('text', 'email'))),
    () => contains(fields[0], pick(pieces)),
    () => contains(pick(fields.filter(({ name }) => ['FullName', 'Email'].includes(name)))),
    () => equals(pick(byType('boolean'))),
    () => range(pick(byType('integer'))),
    () => timestamp(pick(byType('date'))),
    () => timestamp(fields.find(({ name }) => name === 'LastAccess')),
    () => linked(pick(byType('links'))),
    () => equals(pick(byType('choice', 'guid'))),
    anyId,
    () => anyReference(pick(byType('reference'))),
];
const makeFilters = () => {
    if (random(6) === 0) return [contains(fields[0], pick(pieces))];
    const filters = Array.from({ length: random(4) }, () => pick(makers)());
    return filters.filter(({ isIds }, i) => !isIds || filters.findIndex((one) => one.isIds) === i); // further Ids would be added to the first
};

// Names that are hard to compare, alone and together, of whom many are the same but for case.
const pieces = [
    'Straße',
    'STRASSE',
    'Maße',
    'masse',
    'ẞ',
    'ΣΊΣΥΦΟΣ',
    'σίσυφος',
    'Zoë',
    'Zoe\u0308',
    'zoe',
    'ﬁsch',
    'Fisch',
    '\u212aelvin',
    'kelvin',
    '\u212bngström',
    'A\u030angstro\u0308m',
    'İstanbul',
    'ısı',
    'ſenf',
    'senf',
    '日本語',
    '日本',
    '한국어',
    '\u1112\u1161\u11ab',
    '𝔘𝔫𝔦',
    '😀',
    '👩‍👩‍👧',
    'O"Neil',
    "O'Brien",
    '100%',
    'a_b',
    'back\\slash',
    'ab',
    'a',
    'A',
    '*',
    '"',
    'x OR y',
    'NEAR(a b)',
    '-minus',
    'ǅ',
    'ŉ',
    'ﬃ',
    '\u03c2',
    'e\u0301\u0327',
    '  ',
    '&=+#',
    '[1,2]',
    'Ünïcödé',
];
async function makeAwkward(count) {
    const make = async (n) => {
        const FullName = Array.from({ length: 1 + random(2) }, () => pick(pieces)).join(
            random(2) ? ' ' : '',
        );
        const body = {
            FullName: FullName.trim() ? FullName : 'blank',
            Email: `${pick(['', 'Zoë.', 'straße', '"x@y"'])}awkward${n}@${pick(['x', 'X', 'bücher'])}.example.com`.replace(
                /^"x@y"awkward(\d+)/,
                '"x@y$1"',
            ),
            Language: 1 + random(3),
            PasswordSalt: '',
            LastHelpVisited: random(5),
            InvalidLoginAttempts: random(3),
            SystemId: random(3) ? pick(pieces) : null,
            LastAccess: random(3)
                ? `2025-03-0${1 + random(2)}T10:${30 + random(3)}:${pick(['00', '59', '30.500', '59.999', '00.001'])}Z`
                : null,
            NextCommunityDigest: random(2) ? '1969-12-31T23:59:59.999Z' : null,
            PreferredLanguageId: random(2) ? 601 + random(3) : null,
            OnNewEmail: random(2) === 1,
            Businesses: random(2) ? [301 + random(2)] : [],
        };
        const reply = await server.call('POST', '/api/sys/users', { token, body });
        assert.equal(reply.status, 200, reply.text);
    };
    for (let n = 0; n < count; n += 10)
        await Promise.all(Array.from({ length: 10 }, (_, i) => make(n + i)));
}

test('letters that are one without regard to case and accents find each other: ß, the final sigma, é, ł, the Turkish i', async () => {
    const before = people.find((user) => user.Id === userId).FullName;
    for (const [name, ...needles] of [
        ['Straße 7', 'STRASSE', 'aße', 'ASSE', 'straße 7'],
        ['STRASSE 7', 'aße', 'ẞ'],
        ['Σίσυφος', 'ΣΊΣΥΦΟΣ', 'φος', 'φοσ', 'ς'],
        ['Zoe\u0308 A\u030angstro\u0308m', 'zoë', 'ZOË', '\u212bngström', 'oe\u0308 a\u030a'],
        ['ﬁsch', 'FISCH', 'fi', 'isc'],
        ['José Łukasz Ørsted', 'jose', 'LUKASZ', 'orsted', 'JOSÉ', 'josè'],
        ['Jose Lukasz', 'josé', 'łukasz'],
        ['İzmir', 'izmir', 'İZMİR', 'IZMIR'],
        ['ısı', 'isi', 'ISI'],
        ['IZMIR', 'İzmir', 'ızmir'],
    ]) {
        await server.update(userId, { FullName: name });
        for (const needle of needles)
            assert.ok(
                (await found(`User_FullName=${encodeURIComponent(needle)}&size=1000`)).Records.some(
                    (user) => user.Id === userId,
                ),
                `${name}: ${needle}`,
            );
        assert.equal(
            (await found(`User_FullName=${encodeURIComponent(name.toUpperCase())}`)).Records[0].Id,
            userId,
            'exact, so it comes first',
        );
    }
    await server.update(userId, { FullName: before });
});

test('exact matches come first, and of them those with the same accents', async () => {
    const make = async (FullName, n) =>
        (
            await server.call('POST', '/api/sys/users', {
                token,
                body: userBody({ FullName, Email: `accents${n}@example.com` }),
            })
        ).json.Value.Id;
    const names = [
            'Rene Quartz the Second',
            'René Quartz',
            'Rene Quartz',
            'RENÉ QUARTZ',
            'Renè Quartz',
        ],
        ids = [];
    for (const [n, name] of names.entries()) ids.push(await make(name, n));
    const order = async (needle, more = '') =>
        (await found(`User_FullName=${encodeURIComponent(needle)}${more}`)).Records.map((user) =>
            ids.indexOf(user.Id),
        );
    assert.deepEqual(await order('rene quartz'), [2, 1, 3, 4, 0]);
    assert.deepEqual(await order('rené quartz'), [1, 3, 2, 4, 0]);
    assert.deepEqual(await order('rené quartz', '&dir=desc'), [3, 1, 4, 2, 0]);
    assert.deepEqual(
        await order('rené quartz', '&User_Email=accents'),
        [1, 3, 2, 4, 0],
        'with another condition too',
    );
    assert.deepEqual(
        [
            ...(await order('rené quartz', '&size=2')),
            ...(await order('rené quartz', '&size=2&page=2')),
        ],
        [1, 3, 2, 4],
        'page after page',
    );
    for (const id of ids) await server.call('DELETE', `/api/sys/users/${id}`, { token });
});

test('2,000 random searches find what a naive model finds', async () => {
    await makeAwkward(300);
    await readPeople();
    const seen = { some: 0, exact: 0 };
    const one = async () => {
        const filters = makeFilters(),
            isOrdered = random(3) > 0,
            exacts = isOrdered ? [] : filters.filter(({ isExact }) => isExact);
        const order = isOrdered
                ? pick(byType('text', 'email', 'integer', 'boolean', 'id')).name
                : 'Id',
            dir = random(2);
        const size = 1 + random(30),
            page = 1 + random(3);
        const query = [
            ...filters.map(({ query: text }) => text).filter(Boolean),
            ...(isOrdered ? [`orderBy=${order}`] : []),
            `dir=${dir}`,
            `size=${size}`,
            `page=${page}`,
        ].join('&');
        const key = (user) =>
            typeof user[order] === 'string'
                ? user[order].replace(/[A-Z]/g, (c) => c.toLowerCase())
                : user[order];
        const sign = dir ? -1 : 1;
        const bytes = (text) => Buffer.from(String(text));
        const compare = (a, b) => {
            for (const comesFirst of exacts.flatMap(({ isSame, isExact }) => [isSame, isExact]))
                if (comesFirst(a) !== comesFirst(b)) return comesFirst(a) ? -1 : 1;
            const [x, y] = [key(a), key(b)];
            if (x === y) return sign * (a.Id - b.Id);
            if (x === null || y === null) return x === null ? -sign : sign;
            return sign * (typeof x === 'string' ? Buffer.compare(bytes(x), bytes(y)) : x - y);
        };
        const expected = people
            .filter((user) => filters.every(({ holds }) => holds(user)))
            .sort(compare);
        seen.some += filters.length > 0 && expected.length > 0;
        seen.exact +=
            exacts.length > 0 &&
            expected.some((user, i) => i && sign * user.Id < sign * expected[i - 1].Id);
        const reply = await found(query);
        assert.equal(reply.TotalItems, expected.length, query);
        assert.deepEqual(
            reply.Records.map((user) => user.Id),
            expected.slice((page - 1) * size, page * size).map((user) => user.Id),
            query,
        );
    };
    for (let i = 0; i < 2000; i += 10) await Promise.all(Array.from({ length: 10 }, one));
    assert.ok(
        seen.some > 500 && seen.exact > 20,
        `${JSON.stringify(seen)}: too few of them say anything`,
    );
});

test('paging by Id neither repeats nor skips who was there throughout, while others come and go', async () => {
    const stable = new Set(people.map((user) => user.Id));
    let done = false,
        made = 0;
    const churn = (async () => {
        while (!done) {
            const reply = await server.call('POST', '/api/sys/users', {
                token,
                body: userBody({ FullName: 'Passing By', Email: `passing.${made++}@example.com` }),
            });
            assert.equal(reply.status, 200, reply.text);
            if (made % 3)
                await server.call('DELETE', `/api/sys/users/${reply.json.Value.Id}`, { token });
        }
    })();
    for (let round = 0; round < 5; round++) {
        const seen = [];
        for (let page = 1, more = true; more; page++) {
            const part = await found(`orderBy=Id&size=7&page=${page}`);
            seen.push(...part.Records.map((user) => user.Id).filter((id) => stable.has(id)));
            more = part.HasNextPage;
        }
        assert.deepEqual(
            seen,
            [...stable].sort((a, b) => a - b),
        );
    }
    done = true;
    await churn;
});
