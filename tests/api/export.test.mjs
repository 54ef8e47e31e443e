// GET /api/sys/users/export.csv and .jsonl, and those of the audit trail: every record that the filters find, once, whole and readable again, in bounded
// memory; what cannot be finished does not look finished.
import test from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { Client } from '../lib/client.mjs';
import { adminId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { createPerson, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start(['--http2', 'clear', '--access-log']);
const token = await server.admin();
const csv = '/api/sys/users/export.csv',
    lines = '/api/sys/users/export.jsonl';

async function create(fields) {
    const { status, json, text } = await server.call('POST', '/api/sys/users', {
        token,
        body: userBody(fields),
    });
    assert.equal(status, 200, text);
    return json.Value.Id;
}
const records = async (path, as = token) => {
    const { status, text } = await server.call('GET', path, { token: as });
    assert.equal(status, 200, text);
    return text.split('\n').slice(0, -1).map(JSON.parse);
};

// RFC 4180, as strictly as it says.
function parseCsv(text) {
    const rows = [[]];
    let at = 0;
    while (at < text.length) {
        const [cell] =
            text[at] === '"'
                ? /^"([^"]|"")*"/.exec(text.slice(at))
                : /^[^,"\r\n]*/.exec(text.slice(at, at + 70000));
        rows.at(-1).push(cell[0] === '"' ? cell.slice(1, -1).replaceAll('""', '"') : cell);
        at += cell.length;
        if (text[at] === ',') at++;
        else {
            assert.equal(text.slice(at, at + 2), '\r\n', text.slice(at - 50, at + 50));
            at += 2;
            if (at < text.length) rows.push([]);
        }
    }
    const [names, ...rest] = rows;
    return rest.map((row) => {
        assert.equal(row.length, names.length);
        return Object.fromEntries(row.map((cell, i) => [names[i], cell]));
    });
}

const long = 'A device, "quoted"\r\nand a line more. '.repeat(1600); // 60,800 characters
const names = [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    "'=1",
    "O'Brien",
    'a, "b"',
    '  blanks  ',
    'Zoë 名前',
];
for (const [i, FullName] of names.entries())
    await create({
        FullName,
        Email: `name${i}@example.com`,
        UserRoles: [401, 402],
        Devices: i ? null : long,
    });

// More than the buffers of a connection hold, and several pages of a search.
const BIG = 220;
const bigOnes = `${lines}?User_FullName=big`;
async function createBigOnes() {
    for (let i = 0; i < BIG; i++)
        await create({ FullName: `Big ${i}`, Email: `big${i}@example.com`, Devices: long });
}

test('JSON Lines have every user once, in the order of Ids, as GET shows them, without secrets', async () => {
    const all = await records(lines);
    const total = (await server.call('GET', '/api/sys/users?size=1', { token })).json.TotalItems;
    assert.equal(all.length, total);
    const ids = all.map(({ Id }) => Id);
    assert.deepEqual(
        ids,
        [...new Set(ids)].sort((a, b) => a - b),
    );
    for (const record of all.slice(0, 20)) {
        const whole = await server.get(record.Id);
        for (const [name, value] of Object.entries(record))
            assert.deepEqual(value, whole[name], name);
        for (const name of [
            'Password',
            'NewPassword',
            'PasswordSalt',
            'AccessToken',
            'TwoFactorSecret',
        ])
            assert.ok(!(name in record), name);
    }
    assert.deepEqual(Object.keys(all[0]).includes('UserRoles'), true);
});

test('CSV has the same, a list as Ids with blanks, and no cell that a spreadsheet would run', async () => {
    const { status, headers, text } = await server.call('GET', csv, { token });
    assert.equal(status, 200);
    assert.equal(headers.get('content-type'), 'text/csv; charset=utf-8');
    assert.equal(headers.get('content-disposition'), 'attachment; filename="users.csv"');
    const rows = parseCsv(text),
        all = await records(lines);
    assert.equal(rows.length, all.length);
    for (const [i, row] of rows.entries())
        for (const [name, cell] of Object.entries(row)) {
            assert.doesNotMatch(cell, /^[=+\-@\t\r]/, name);
            const value = all[i][name],
                plain = /^'+[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell;
            assert.equal(plain, Array.isArray(value) ? value.join(' ') : `${value ?? ''}`, name);
        }
    assert.equal(rows.find(({ Email }) => Email === 'name0@example.com').FullName, "'=1+1");
    assert.equal(rows.find(({ Email }) => Email === 'name4@example.com').FullName, "''=1");
    assert.equal(rows.find(({ Email }) => Email === 'name5@example.com').FullName, "O'Brien");
    assert.equal(rows.find(({ Email }) => Email === 'name0@example.com').UserRoles, '401 402');
});

test('the filters are those of a search; page and order are ignored, and refused by the strict', async () => {
    assert.equal((await records(`${lines}?User_FullName=zoe`)).length, 1);
    assert.deepEqual(
        (await records(`${lines}?id=${adminId}`)).map(({ Id }) => Id),
        [adminId],
    );
    assert.deepEqual(await records(`${lines}?User_Email=nobody@example.com`), []);
    assert.deepEqual(
        parseCsv(
            (await server.call('GET', `${csv}?User_Email=nobody@example.com`, { token })).text,
        ),
        [],
    );
    const paged = await server.call('GET', `${lines}?User_FullName=zoe&page=2&orderBy=Email`, {
        token,
    });
    assert.equal(paged.headers.get('x-ignored-parameters'), 'page, orderBy');
    const headers = { Prefer: 'handling=strict' };
    assert.equal((await server.call('GET', `${lines}?page=2`, { token, headers })).status, 400);
    assert.equal(
        (await server.call('GET', `${lines}?User_LastAccess=never`, { token })).status,
        400,
    );
});

test('it needs the permissions to list users and to read them', async () => {
    assert.equal((await server.call('GET', lines)).status, 401);
    for (const [name, wanted] of [
        ['lister', 403],
        ['reader', 403],
        ['editor', 403],
        ['frontdesk', 200],
    ]) {
        const own = await server.token(`${name}@example.com`);
        for (const path of [csv, lines])
            assert.equal((await server.call('GET', path, { token: own })).status, wanted, name);
    }
});

const head = (method, version, path = lines) =>
    `${method} ${path} HTTP/${version}\r\nHost: roster\r\nAuthorization: Bearer ${token}\r\n\r\n`;

test('HTTP/1.0, HTTP/1.1 and HTTP/2 have the same bytes; HEAD has none; the connection goes on', async () => {
    await createBigOnes();
    const { text } = await server.call('GET', bigOnes, { token });
    assert.equal(text.split('\n').length, BIG + 1);
    const old = await server.raw(head('GET', '1.0', bigOnes));
    const [oldHead] = old.split('\r\n\r\n', 1);
    assert.doesNotMatch(oldHead, /transfer-encoding|content-length/i);
    assert.equal(Buffer.from(old.slice(oldHead.length + 4), 'latin1').toString(), text);
    const both = await server.raw(
        head('HEAD', '1.1') +
            head('GET', '1.1', bigOnes) +
            'GET /healthz HTTP/1.1\r\nHost: roster\r\nConnection: close\r\n\r\n',
    );
    const heads = both.match(/HTTP\/1\.1 200 OK\r\n/g);
    assert.equal(heads.length, 3);
    const [first] = both.split('\r\n\r\n', 1);
    assert.match(first, /Transfer-Encoding: chunked/);
    assert.ok(both.slice(first.length + 4).startsWith('HTTP/1.1 200 OK'), 'HEAD has no body');
    assert.ok(both.includes('\r\n0\r\n\r\nHTTP/1.1 200 OK'), 'the last chunk, then the next reply');

    const session = http2.connect(server.url);
    const stream = session.request({ ':path': bigOnes, authorization: `Bearer ${token}` });
    const other = session.request({ ':path': '/healthz' });
    const whole = async (one) => {
        const parts = [];
        for await (const part of one) parts.push(part);
        return Buffer.concat(parts).toString();
    };
    const [got, health] = await Promise.all([whole(stream), whole(other)]);
    session.close();
    assert.equal(got, text);
    assert.equal(JSON.parse(health).status, 'ok');
});

const unsent = () =>
    server.stderr.match(/path=\S*export\.jsonl status=200 .* unsent=1/g)?.length ?? 0;
async function begun(as) {
    const client = await Client.connect(server, { isPaused: true });
    await client.write(head('GET', '1.1', bigOnes).replace(token, as));
    await until('the reply has begun', () => {
        client.socket.read(0); // fills the buffer alone
        return client.socket.readableLength > 0;
    });
    return client;
}

test('a client that leaves ends the export', async () => {
    assert.equal(unsent(), 0);
    const client = await begun(token);
    client.socket.destroy();
    await until('the log has it', () => unsent() === 1);
});

test('a caller who loses the right in the middle gets no more, and sees that it is not all', async () => {
    const own = await createPerson(server, token, 'leaver', { UserRoles: [406] });
    const as = await server.token(own.email);
    const client = await begun(as);
    const ended = await server.call('PATCH', `/api/sys/users/${own.id}`, {
        token,
        body: { Active: false },
    });
    assert.equal(ended.status, 200);
    client.read();
    await until('the connection ended', () => client.isOver);
    assert.match(client.text, /^HTTP\/1\.1 200 OK/);
    assert.ok(!client.text.endsWith('\r\n0\r\n\r\n'), 'the body has no end');
    assert.ok(client.text.length < BIG * long.length, `${client.text.length} bytes`);
});

// ---- The audit trail ----

test('the audit trail is exported as the search shows it, in the order of Ids, and every row once', async () => {
    const trail = '/api/sys/audittrailentries';
    const id = await create({ FullName: 'Traced', Email: 'traced@example.com' });
    await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
            for (let n = 0; n < 70; n++)
                await server.call('PATCH', `/api/sys/users/${id}`, {
                    token,
                    body: { FullName: `=Traced ${i} ${n}` },
                });
        }),
    );
    const filter = `AuditTrailEntry_EntityId=${id}`;
    const rows = await records(`${trail}/export.jsonl?${filter}`);
    assert.ok(rows.length > 500, 'more than one page of the store');
    const searched = [];
    for (let page = 1; searched.length < rows.length; page++) {
        const { json } = await server.call(
            'GET',
            `${trail}?${filter}&orderBy=Id&size=400&page=${page}`,
            { token },
        );
        assert.ok(json.Records.length, `${searched.length} of ${rows.length}`);
        searched.push(...json.Records);
    }
    const form = ({ Id, PropertyName, OldValue, NewValue, ActionBy, RequestId, UpdatedOn }) =>
        JSON.stringify([Id, PropertyName, OldValue, NewValue, ActionBy, RequestId, UpdatedOn]);
    assert.deepEqual(rows.map(form), searched.map(form));
    const { text, headers } = await server.call('GET', `${trail}/export.csv?${filter}`, { token });
    assert.match(headers.get('content-disposition'), /filename="audit_trail_entries\.csv"/);
    const cells = parseCsv(text);
    assert.equal(cells.length, rows.length);
    for (const [at, row] of cells.entries()) {
        const { Id, NewValue } = rows[at];
        assert.equal(row.Id, `${Id}`);
        const isFormula = /^=/.test(NewValue ?? '');
        assert.equal(row.NewValue, isFormula ? `'${NewValue}` : (NewValue ?? ''));
    }
});

test('the audit trail is exported for those who may search it, and without secrets', async () => {
    const trail = '/api/sys/audittrailentries/export.jsonl';
    for (const [as, status] of [
        [undefined, 401],
        [await server.token('frontdesk@example.com'), 403],
    ])
        assert.equal((await server.call('GET', trail, { token: as })).status, status);
    const secret = 'a password that nobody else has';
    await create({ FullName: 'Secret', Email: 'secret@example.com', NewPassword: secret });
    const { text } = await server.call('GET', trail, { token });
    assert.ok(!text.includes(secret));
});
