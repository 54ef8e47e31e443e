// A store may answer later what an I/O thread asks it, as one whose database is another program does: SQLite never does
// so, and this store does on demand. Everything that asks gives the same as when it is answered at once, whatever comes
// meanwhile. And a store may not know of a change that it kept whether it did.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Client } from '../lib/client.mjs';
import {
    Connection,
    data,
    fields,
    flag,
    frame,
    last,
    put as putHead,
    request,
    type,
} from '../lib/frames.mjs';
import { adminId, staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { adminEmail, password, required, userBody } from '../lib/users.mjs';
import { sleep, until } from '../lib/wait.mjs';
import { Faults } from './faults.mjs';

const faults = new Faults();
const server = await faults.start([
    '--demo',
    '--metrics',
    '--http2',
    'clear',
    '--address-attempts',
    '0',
    '--io-threads',
    '1',
]);
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const basic = { Authorization: `Basic ${btoa(`${adminEmail}:${password}`)}` };
const unknown = bearer('A'.repeat((await server.token()).length));
const user = `/api/sys/users/${userId}`;
let number = 0;

// A token that no I/O thread remembers.
const newToken = () => server.token();
const call = async (method, path, options = {}) =>
    server.call(method, path, {
        token: options.headers ? undefined : await newToken(),
        ...options,
    });
const json = (body) => ({ body, headers: undefined });

const metric = async (name) => {
    const { text } = await server.call('GET', '/metrics');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
};

const first = await call('GET', user),
    etag = first.headers.get('etag'),
    original = required(first.json);

// Requests that read from the store.
const reads = {
    'a record': ['GET', user],
    'a record that is not there': ['GET', '/api/sys/users/1'],
    'a record that is known': async () => [
        'GET',
        user,
        { headers: { ...bearer(await newToken()), 'If-None-Match': etag } },
    ],
    'a record that has changed': async () => [
        'GET',
        user,
        { headers: { ...bearer(await newToken()), 'If-Match': '"0-0"' } },
    ],
    'a search by an index': ['GET', `/api/sys/users?Id=${userId}`],
    'a search by a text': ['GET', '/api/sys/users?User_FullName=e'],
    'a search of what is of the caller': ['GET', '/api/apps/applications/my'],
    'the calling user': ['GET', '/api/auth/me'],
    'a picture that is not there': ['GET', `/api/sys/users/getavatar/${userId}`, { headers: {} }],
    'a business by its host': ['GET', '/api/sys/businesses/getByHost?host=x', { headers: {} }],
    'an unknown token': ['GET', user, { headers: unknown }],
    'an unknown token, and a body': [
        'PUT',
        '/api/sys/users',
        { headers: unknown, body: { Id: userId } },
    ],
    'a token without the right': async () => [
        'GET',
        user,
        { token: await server.token('creator@example.com') },
    ],
    'a Basic password': ['GET', user, { headers: basic }],
    'a wrong Basic password': [
        'GET',
        user,
        { headers: { Authorization: `Basic ${btoa('nobody:x')}` } },
    ],
    'a password that is right': [
        'POST',
        '/api/sys/users/validate',
        json({ Email: adminEmail, Password: password }),
    ],
    'a password that is wrong': [
        'POST',
        '/api/sys/users/validate',
        json({ Email: 'ada@example.com', Password: 'wrong' }),
    ],
    'a change that is wrong': [
        'PUT',
        '/api/sys/users',
        json({ Id: userId, Email: 'no', Language: 9, Devices: 7 }),
    ],
    'a change of a record that is not there': [
        'PATCH',
        '/api/sys/users/1',
        json({ NewPassword: 'correct horse battery' }),
    ],
    'a password that is too weak': ['PATCH', user, json({ NewPassword: 'x' })],
    'an Idempotency-Key that was used': async () => [
        'POST',
        '/api/sys/users',
        {
            headers: { ...bearer(await newToken()), 'Idempotency-Key': 'used' },
            body: userBody({ FullName: 'Key', Email: 'key@example.com' }),
        },
    ],
    'an Idempotency-Key that was used for something else': async () => [
        'POST',
        '/api/sys/users',
        {
            headers: { ...bearer(await newToken()), 'Idempotency-Key': 'used' },
            body: userBody({ FullName: 'Other', Email: 'key@example.com' }),
        },
    ],
    'a reset token that is wrong': [
        'POST',
        '/api/auth/resetpassword',
        { headers: {}, body: { Token: 'x', NewPassword: 'correct horse battery' } },
    ],
};

const resolve = async (row) => (typeof row === 'function' ? row() : row);
// Of a reply: what is the same whenever it is made.
const shown = ({ status, headers, text }) => ({
    status,
    etag: headers.get('etag'),
    challenge: headers.get('www-authenticate'),
    text: text.replace(/"(UpdatedOn|LastAccess|LastLoginAttempt)":"[^"]*"/g, ''),
});

for (const [what, row] of Object.entries(reads))
    test(`${what}: the same when the store answers later`, async () => {
        faults.answerAtOnce();
        const [method, path, options] = await resolve(row);
        const atOnce = await call(method, path, options),
            before = faults.questions;
        faults.answerLater();
        const again = await resolve(row);
        assert.deepEqual(shown(await call(...again)), shown(atOnce));
        assert.ok(faults.questions > before, 'the store was asked');
    });

test('figures, signing in, changing, refreshing and setting a new password', async () => {
    faults.answerLater();
    assert.ok((await metric('roster_store_commands_total')) > 0);
    const { json: grant } = await server.grant({
        grant_type: 'password',
        username: adminEmail,
        password,
    });
    const { json: again } = await server.grant({
        grant_type: 'refresh_token',
        refresh_token: grant.refresh_token,
    });
    const token = again.access_token;
    const { json: made } = await server.call('POST', '/api/sys/users', {
        token,
        body: userBody({
            FullName: 'Later',
            Email: 'later@example.com',
            Active: true,
            APIAccess: true,
            NewPassword: password,
            MustResetPassword: true,
        }),
    });
    assert.ok(made.WasSuccessful, JSON.stringify(made));
    const changed = await server.update(made.Value.Id, { SystemId: 'later' }, { token });
    assert.equal(changed.status, 200, changed.text);
    assert.equal((await server.get(made.Value.Id, token)).SystemId, 'later');
    const due = await server.grant({
        grant_type: 'password',
        username: 'later@example.com',
        password,
    });
    assert.equal(due.json.error, 'must_reset_password');
    const reset = {
        Token: due.json.error_description,
        NewPassword: 'correct horse battery staple',
    };
    assert.equal(
        (await server.call('POST', '/api/auth/resetpassword', { body: reset })).status,
        200,
    );
    assert.equal(
        (await server.call('POST', '/api/auth/resetpassword', { body: reset })).status,
        400,
        'it works once',
    );
    assert.equal(
        (
            await server.call('GET', '/api/auth/me', {
                token: await server.token('later@example.com', reset.NewPassword),
            })
        ).json.Id,
        made.Value.Id,
    );
});

test('each of many questions has its own answer, in whatever order they come', async () => {
    const token = await server.admin();
    const ids = [adminId, userId, ...Object.values(staff)];
    const all = Array.from({ length: 60 }, (_, i) => ids[i % ids.length]);
    const replies = faults.whileAsked(
        () => Promise.all(all.map((id) => server.get(id, token))),
        () => {},
        6,
    );
    assert.deepEqual(
        (await replies).map(({ Id }) => Id),
        all,
    );
});

test('a token that is revoked between the question and the answer does not act', async () => {
    faults.answerLater();
    const path = `/api/sys/users/${staff.reader}`,
        token = await server.token('reader@example.com'),
        admin = await newToken();
    for (const one of [token, admin]) // both are remembered: what they come with is not asked about
        assert.equal((await server.call('GET', path, { token: one })).status, 200);
    const reply = await faults.whileAsked(
        () => server.call('GET', path, { token }),
        async () => {
            const { status, text } = await server.call('POST', '/api/sys/users/runcommand', {
                token: admin,
                body: { Key: 'revoke-tokens', Ids: [staff.reader] },
            });
            assert.equal(status, 200, text);
        },
    );
    assertFailure(reply, 401);
});

// ---- The body comes while it is asked whether it may ----

const body = () => JSON.stringify({ ...original, SystemId: `n${++number}` });
const stored = async () => (await server.get(userId, await newToken())).SystemId;
const put = (headers, bytes, ...more) =>
    [
        'PUT /api/sys/users HTTP/1.1',
        'Host: x',
        'Content-Type: application/json',
        `Authorization: ${headers.Authorization}`,
        `Content-Length: ${bytes.length}`,
        ...more,
        '',
        '',
    ].join('\r\n');

test('HTTP/1.1: a body that comes with its head, and what comes behind it', async () => {
    const bytes = body(),
        client = await Client.connect(server),
        token = bearer(await newToken());
    await faults.whileAsked(
        () => client.write(put(token, bytes) + bytes + 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'),
        () => sleep(20),
    );
    assert.equal((await client.reply()).status, 200);
    assert.equal((await client.reply()).status, 200);
    client.close();
    assert.equal(await stored(), `n${number}`);
});

test('HTTP/1.1: a client that waits is told to go on once it may', async () => {
    const bytes = body(),
        client = await Client.connect(server),
        token = bearer(await newToken());
    await faults.whileAsked(
        () => client.write(put(token, bytes, 'Expect: 100-continue')),
        () => {
            assert.equal(client.text, '');
        },
    );
    assert.equal((await client.reply()).status, 100);
    await client.write(bytes);
    assert.equal((await client.reply()).status, 200);
    client.close();
    assert.equal(await stored(), `n${number}`);
});

test('HTTP/1.1: a large body of a stranger is refused, and not read', async () => {
    const bytes = 'x'.repeat(1000000),
        client = await Client.connect(server);
    await faults.whileAsked(
        () => client.write(put(unknown, bytes) + bytes.slice(0, 5000)),
        () => sleep(20),
    );
    const replies = await client.rest();
    assert.deepEqual(
        replies.map(({ status }) => status),
        [401],
    );
});

for (const [what, has, pieces] of [
    ['a body that comes with its head', true, 1],
    ['a body in pieces', true, 7],
    ['a body of a length that nobody said', false, 3],
])
    test(`HTTP/2: ${what}`, async () => {
        const bytes = body(),
            connection = new Connection(server),
            { Authorization } = bearer(await newToken()),
            step = Math.ceil(bytes.length / pieces);
        await connection.settle();
        await faults.whileAsked(
            () => connection.send(putHead(1, has && bytes.length, Authorization)),
            async () => {
                for (let at = 0; at < bytes.length; at += step)
                    connection.send(
                        (at + step < bytes.length ? data : last)(1, bytes.slice(at, at + step)),
                    );
                await connection.settle();
                assert.equal(connection.stream(1).status, undefined);
            },
        );
        await connection.whole(1);
        assert.equal(connection.stream(1).status, 200, connection.stream(1).body);
        connection.close();
        assert.equal(await stored(), `n${number}`);
    });

test('HTTP/2: a body that goes on after the answer, past the window of its stream', async () => {
    const bytes = body().slice(0, -1) + ' '.repeat(100000) + '}',
        connection = new Connection(server),
        { Authorization } = bearer(await newToken());
    await connection.settle();
    await faults.whileAsked(
        () => connection.send(putHead(1, bytes.length, Authorization)),
        async () => {
            connection.send(data(1, bytes.slice(0, 16384)));
            await connection.settle();
        },
    );
    await connection.until(() =>
        connection.frames.some(
            ({ type: kind, stream }) => kind === type.WINDOW_UPDATE && stream === 1,
        ),
    );
    for (let at = 16384; at < bytes.length; at += 16384)
        connection.send((at + 16384 < bytes.length ? data : last)(1, bytes.slice(at, at + 16384)));
    await connection.whole(1);
    assert.equal(connection.stream(1).status, 200, connection.stream(1).body);
    connection.close();
    assert.equal(await stored(), `n${number}`);
});

test("HTTP/2: a stranger's body is refused, and other streams are answered meanwhile", async () => {
    const connection = new Connection(server);
    await connection.settle();
    await faults.whileAsked(
        () => connection.send(putHead(1, 20000, unknown.Authorization), data(1, 'x'.repeat(10000))),
        async () => {
            connection.send(
                frame(type.HEADERS, flag.END_HEADERS | flag.END_STREAM, 3, fields(request())),
            );
            await connection.whole(3);
        },
    );
    await connection.whole(1);
    assert.deepEqual(
        [1, 3].map((id) => connection.stream(id).status),
        [401, 200],
    );
    connection.close();
});

// ---- Who does not wait for the answer ----

test('clients that go while their question is open leave nothing behind', async () => {
    faults.answerLater();
    const token = await newToken(),
        fresh = await newToken(),
        bytes = body(),
        before = await metric('roster_http_unsent_total');
    const asked = {
        record: `GET ${user} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        search: `GET /api/sys/users?User_FullName=e HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        me: `GET /api/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        picture: `GET /api/sys/users/getavatar/${userId} HTTP/1.1\r\nHost: x\r\n\r\n`,
        stranger: `GET ${user} HTTP/1.1\r\nHost: x\r\nAuthorization: ${unknown.Authorization}\r\n\r\n`,
        head: put(unknown, bytes, 'Expect: 100-continue'),
        change: put(bearer(fresh), bytes) + bytes,
        password: `GET ${user} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${btoa('nobody:y')}\r\n\r\n`,
    };
    for (const [what, text] of Object.entries(asked)) {
        const client = await Client.connect(server);
        await faults.whileAsked(
            () => client.write(text),
            async () => {
                client.socket.resetAndDestroy();
                await sleep(5);
            },
        );
        assert.equal((await server.call('GET', '/healthz')).status, 200, what);
    }
    const connection = new Connection(server);
    await connection.settle();
    await faults.whileAsked(
        () =>
            connection.send(
                putHead(1, 20000, unknown.Authorization),
                data(1, 'x'.repeat(10000)),
                putHead(3, undefined, unknown.Authorization),
            ),
        async () => {
            connection.send(frame(type.RST_STREAM, 0, 3, Buffer.from([0, 0, 0, 8])));
            await connection.settle();
            connection.socket.resetAndDestroy();
            await sleep(5);
        },
        2,
    );
    const gone = async () => (await metric('roster_http_unsent_total')) - before;
    await until(
        async () => `${await gone()} requests have ended`,
        async () => (await gone()) === Object.keys(asked).length + 2,
    );
});

test('a crowd that comes, asks and goes', async () => {
    faults.answerLater();
    const token = await newToken(),
        texts = [
            `GET ${user} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(3),
            `GET ${user} HTTP/1.1\r\nHost: x\r\nAuthorization: ${unknown.Authorization}\r\n\r\n`,
            `GET /api/sys/users?User_FullName=e HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
            put(unknown, '{}') + '{}',
            put(bearer(token), body()) + body(),
        ];
    for (let round = 0; round < 25; round++)
        await Promise.all(
            texts.map(async (text, i) => {
                const client = await Client.connect(server);
                await client.write(text);
                await sleep((round + i) % 5);
                client.socket.resetAndDestroy();
            }),
        );
    assert.equal((await server.call('GET', user, { token })).status, 200);
});

// ---- It is not known whether a change was kept ----

const ended = (reply) =>
    assert.match(assertFailure(reply, 504).Message, /unknown whether this was done/);

for (const later of [false, true])
    test(`a change whose commit was lost sight of is there, and is said to be unknown${later ? ', when answers come later' : ''}`, async () => {
        if (later) faults.answerLater();
        else faults.answerAtOnce();
        const token = await newToken();
        faults.arm('commit', 1);
        ended(await server.put({ ...original, SystemId: `unknown ${later}` }, { token }));
        assert.equal(faults.mend('commit'), 1);
        assert.equal((await server.get(userId, token)).SystemId, `unknown ${later}`);

        const create = (key) =>
            server.call('POST', '/api/sys/users', {
                token,
                headers: { 'Idempotency-Key': key },
                body: userBody({ FullName: 'Once', Email: `once.${later}@example.com` }),
            });
        faults.arm('commit', 1);
        ended(await create(`key ${later}`));
        faults.mend('commit');
        const { json: repeated } = await create(`key ${later}`);
        assert.ok(repeated.WasSuccessful, 'the key has its first answer');
        const { Records } = (
            await server.call('GET', `/api/sys/users?User_Email=once.${later}@example.com`, {
                token,
            })
        ).json;
        assert.deepEqual(
            Records.map(({ Id }) => Id),
            [repeated.Value.Id],
        );

        faults.arm('commit', 1);
        ended(
            await server.call('POST', '/api/sys/users/runcommand', {
                token,
                body: { Key: 'deactivate', Ids: [repeated.Value.Id] },
            }),
        );
        faults.mend('commit');
        assert.equal((await server.get(repeated.Value.Id, token)).Active, false);
    });

test('a change that was refused is known to be refused', async () => {
    const token = await newToken();
    faults.arm('commit', 1);
    assert.equal(
        (await server.put({ ...original }, { token, headers: { 'If-Match': '"0-0"' } })).status,
        412,
    );
    assert.equal(faults.mend('commit'), 1);
});

test('who signs in, or refreshes, without the answer to the commit, has no tokens and can do it again', async () => {
    faults.arm('commit', 1);
    assert.equal(
        (await server.grant({ grant_type: 'password', username: adminEmail, password })).status,
        503,
    );
    faults.mend('commit');
    const { json: grant } = await server.grant({
        grant_type: 'password',
        username: adminEmail,
        password,
    });
    const refresh = () =>
        server.grant({ grant_type: 'refresh_token', refresh_token: grant.refresh_token });
    faults.arm('commit', 1);
    assert.equal((await refresh()).status, 504);
    faults.mend('commit');
    assert.equal((await refresh()).status, 200);
});
