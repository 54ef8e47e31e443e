// Requests as real clients send them: names in any case, forms, marks, slashes, codings.
import test from 'node:test';
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { adminId, businessId, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { password, required } from '../lib/users.mjs';

const server = await Server.start(['--demo']);
const token = await server.admin();
const user = `/api/sys/users/${userId}`;
const strict = { Prefer: 'handling=strict' };
const ask = (method, path, body, headers) => server.call(method, path, { token, body, headers });
const patch = (body, headers) => ask('PATCH', user, body, headers);
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const ignored = (reply) => reply.headers.get('x-ignored-parameters');

test('names of members are taken without regard to case', async () => {
    for (const [body, shown] of [
        [{ active: false }, false],
        [{ ACTIVE: true }, true],
        [{ aCtIvE: 'False' }, false],
        [{ Active: true }, true],
    ]) {
        const reply = await patch(body);
        assert.equal(reply.status, 200, reply.text);
        assert.equal(ignored(reply), null);
        assert.equal((await server.get(userId)).Active, shown);
    }
    const lower = Object.fromEntries(
        Object.entries(required(await server.get(userId))).map(([name, value]) => [
            name.toLowerCase(),
            value,
        ]),
    );
    assert.equal((await server.put(lower)).status, 200);
});

test('two spellings of a name are a property twice', async () => {
    assertInvalid(
        await patch('{"active":true,"Active":false}'),
        'Active',
        /^is given more than once$/,
    );
    assertInvalid(
        await patch('{"active":true,"active":false}'),
        'Active',
        /^is given more than once$/,
    );
});

test('an error has the documented name of its property', async () => {
    assert.equal(
        assertInvalid(await patch({ fullname: '' }), 'FullName', /^is a required field$/)
            .AttemptedValue,
        '',
    );
});

test('members that mean nothing are named in X-Ignored-Parameters, whatever becomes of the rest', async () => {
    const reply = await patch({
        Activ: false,
        UpdatedBy: 'x',
        'strange \r\nname': 1,
        FullName: 'Ada Lovelace',
    });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(ignored(reply), 'Activ, UpdatedBy, strange???name');
    assert.equal(ignored(await patch({ Activ: false, Language: 9 })), 'Activ');
    assert.equal(ignored(await ask('PATCH', '/api/sys/users/424242', { Activ: false })), 'Activ');
    assert.equal(
        ignored(
            await ask('POST', '/api/sys/users/runcommand', {
                Key: 'activate',
                Ids: [userId],
                Keys: 1,
            }),
        ),
        'Keys',
    );
    assert.equal(
        ignored(
            await ask('POST', '/api/sys/users/validate', {
                Email: 'x@example.org',
                Password: 'y',
                Else: 1,
            }),
        ),
        'Else',
    );
    const long = await patch(
        Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`none${i}`, i])),
    );
    assert.equal(long.status, 200);
    assert.match(ignored(long), /^none0, none1, .*, \.\.\.$/);
    assert.ok(ignored(long).length <= 1024);
});

test('handling=strict keeps to the letter: names, booleans, marks, forms', async () => {
    assertInvalid(
        await patch({ active: true }, strict),
        'active',
        /^is not a property that can be set$/,
    );
    assertInvalid(await patch({ Active: 'True' }, strict), 'Active', /^must be true or false$/);
    assertInvalid(await patch({ Language: 'EnglishUS' }, strict), 'Language', /^must be one of/);
    assertInvalid(await patch('\ufeff{"Active":true}', strict), 'Body', /^is not valid JSON/);
    assertInvalid(await patch('Active=true', { ...form, ...strict }), 'Body', /^is not valid JSON/);
    assertInvalid(
        await ask(
            'POST',
            '/api/sys/users/validate',
            { email: 'x@example.org', Password: 'y' },
            strict,
        ),
        'email',
        /not a property/,
    );
});

test('a byte order mark before a body is skipped', async () => {
    assert.equal((await patch('\ufeff{"FullName":"Marked"}')).status, 200);
    assert.equal((await server.get(userId)).FullName, 'Marked');
    assert.equal(
        (await patch('\ufeff {"FullName":"Marked"}', form)).status,
        200,
        'also of JSON that is called a form',
    );
    assert.equal((await patch('\ufeffFullName=A+form', form)).status, 200);
    assert.equal((await server.get(userId)).FullName, 'A form');
    assert.equal(
        (
            await server.call('POST', '/api/token', {
                headers: form,
                body: `\ufeffgrant_type=password&username=admin@example.com&password=${password}`,
            })
        ).status,
        200,
    );
    assertInvalid(await patch('\ufeff'), 'Body', /^is empty/);
    assertInvalid(await patch('\ufeff\ufeff{}'), 'Body', /^is not valid JSON/);
});

test('a form is an object of strings on PUT, PATCH and POST, and names that come again are lists', async () => {
    const before = await server.get(userId);
    const put = new URLSearchParams({
        ...required(before),
        FullName: 'Ada & Söhne + 1',
        Active: 'True',
        LastAccess: '',
        Language: 'Spanish',
    });
    for (const id of [301, 303]) put.append('Businesses', id);
    const reply = await ask('PUT', '/api/sys/users', put.toString(), {
        'Content-Type': 'Application/X-WWW-Form-Urlencoded; charset=utf-8',
    });
    assert.equal(reply.status, 200, reply.text);
    let now = await server.get(userId);
    assert.deepEqual(
        [now.FullName, now.Active, now.LastAccess, now.Language, now.Businesses],
        ['Ada & Söhne + 1', true, null, 2, [301, 303]],
    );
    for (const [list, ids] of [
        ['Businesses=303', [303]],
        ['Businesses%5B%5D=301&Businesses%5B%5D=303', [301, 303]],
        ['businesses[0]=303', [303]],
        ['AddedBusinesses=301', [303, 301]],
        ['Businesses=', []],
    ]) {
        assert.equal((await patch(list, form)).status, 200, list);
        now = await server.get(userId);
        assert.deepEqual(now.Businesses, ids, list);
    }
    const made = await ask(
        'POST',
        '/api/sys/languages',
        'name=Form&culture=xx&displayorder=1&active=on',
        form,
    );
    assertInvalid(made, 'Active', /^must be true or false$/);
    const language = await ask(
        'POST',
        '/api/sys/languages',
        'BusinessId=301&Name=Formish&Culture=xx&DisplayOrder=3&Whatever=1',
        form,
    );
    assert.equal(language.status, 200, language.text);
    assert.equal(ignored(language), 'Whatever');
    assert.equal(
        (await ask('POST', '/api/sys/users/runcommand', `Key=activate&Ids=${userId}`, form)).json
            .WasSuccessful,
        true,
    );
    assert.equal((await patch('LastAccess=2025-01-15T10:30:00+02:00', form)).status, 200);
    assert.equal(
        (await server.get(userId)).LastAccess,
        '2025-01-15T08:30:00Z',
        'a plus that was not escaped',
    );
    assert.equal((await patch('SupportTeamUserEmail=ada+tag@example.org', form)).status, 200);
    assert.equal((await server.get(userId)).SupportTeamUserEmail, 'ada+tag@example.org');
});

test('an error in a form is reported on its member, or on the body', async () => {
    assert.equal(
        assertInvalid(await patch('Language=7&FullName=', form), 'Language', /^must be one of/)
            .AttemptedValue,
        '7',
    );
    assertInvalid(await patch('FullName=a&FullName=b', form), 'FullName', /^must be a string$/);
    assertInvalid(
        await patch('FullName=a&fullname=b', form),
        'FullName',
        /^is given more than once$/,
    );
    assertInvalid(await patch('FullName=%zz', form), 'Body', /percent-encoded/);
    assertInvalid(await patch('FullName=%ff', form), 'Body', /UTF-8/);
    assertInvalid(await patch('nothing', form), 'Body', /neither a JSON object nor a form/);
    assertInvalid(await patch('', form), 'Body', /^is empty/);
    assertInvalid(
        await patch(Array.from({ length: 1001 }, (_, i) => `unknown${i}=`).join('&'), form),
        'Body',
        /^has more than 1000 members$/,
    );
    assertInvalid(
        await patch('Businesses=1&'.repeat(10001), form),
        'Body',
        /^has more than 10000 values/,
    );
    assertInvalid(
        await patch(`FullName=${'"'.repeat(100000)}`, form),
        'Body',
        /^is a form with too many control characters, quotes/,
    );
    assertInvalid(await patch('[{"op":"replace"}]', form), 'Body', /^must be a JSON object$/);
    assertInvalid(await patch('{"FullName":"a"', form), 'Body', /^is not valid JSON/);
});

test('a body with a Content-Encoding is 415, with Accept-Encoding, before the body comes', async () => {
    const zipped = gzipSync('{"FullName":"Zipped"}');
    for (const coding of ['gzip', 'br', 'deflate', 'zstd', 'identity, gzip', 'GZIP']) {
        const reply = await patch(zipped, { 'Content-Encoding': coding });
        assertFailure(reply, 415);
        assert.equal(reply.headers.get('accept-encoding'), 'identity');
    }
    for (const coding of ['identity', 'Identity'])
        assert.equal(
            (await patch('{"FullName":"Plain"}', { 'Content-Encoding': coding })).status,
            200,
        );
    const head = `PATCH ${user} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n`;
    assert.match(
        await server.raw(`${head}Content-Encoding: identity\r\nContent-Encoding: gzip\r\n\r\n`, {
            wait: 10000,
            end: true,
        }),
        /^HTTP\/1.1 415 /,
    );
    assert.equal(
        (await ask('GET', user, undefined, { 'Content-Encoding': 'gzip' })).status,
        200,
        'where there is no body',
    );
});

test('PUT with the Id in the path is PUT: the Id of the body is absent or the same', async () => {
    const { Id, ...rest } = required(await server.get(userId));
    for (const body of [
        { ...rest, FullName: 'By path' },
        { ...rest, Id, FullName: 'By both' },
        { ...rest, id: String(Id), FullName: 'By string' },
    ]) {
        const reply = await ask('PUT', user, body);
        assert.equal(reply.status, 200, reply.text);
        assert.equal(reply.json.Value.Id, userId);
        assert.equal((await server.get(userId)).FullName, body.FullName);
    }
    assertInvalid(
        await ask('PUT', user, { ...rest, Id: adminId }),
        'Id',
        /^must be the Id in the path/,
    );
    assertInvalid(await ask('PUT', user, { ...rest, Id: null }), 'Id', /^is a required field$/);
    assertInvalid(await ask('PUT', user, { Id }), 'FullName', /^is a required field$/);
    assertFailure(await ask('PUT', '/api/sys/users/424242', rest), 404);
    assertFailure(await ask('PUT', '/api/sys/users/424242', { ...rest, Language: 9 }), 404);
});

test('POST of a token for a user is as GET', async () => {
    const reply = await ask('POST', `/api/sys/users/${adminId}/token/refresh`);
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.json.Value, /^[\w.-]+$/);
    assert.equal((await server.call('POST', `${user}/token/refresh`)).status, 401);
});

test('several slashes are one, and escaped unreserved characters are themselves', async () => {
    for (const path of [
        `//api/sys/users/${userId}`,
        `/api//sys///users/${userId}//`,
        `/api/sys/users/%38${String(userId).slice(1)}`,
        `/%61pi/sys/user%73/${userId}`,
        `/%61%70%69/sys/%2F/users/${userId}`.replace('/%2F', ''),
    ]) {
        const reply = await ask('GET', path);
        assert.equal(reply.status, 200, `${path}: ${reply.text}`);
        assert.equal(reply.json.Id, userId);
    }
    for (const path of [
        `/api%2Fsys/users/${userId}`,
        `/api/sys/users/${userId}%`,
        `/api/sys/users/${userId}%3`,
        `/api/sys/users/%zz`,
        '/api/sys/users/%00',
    ])
        assertFailure(await ask('GET', path), 404);
    assert.match(
        await server.raw('GET http://x//healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', {
            wait: 10000,
        }),
        /^HTTP\/1.1 200 /,
    );
});

test('two Authorization headers are 400, whichever comes first', async () => {
    const good = `Authorization: Bearer ${token}\r\n`,
        bad = 'authorization: Bearer nope\r\n';
    for (const both of [good + bad, bad + good, good + good])
        for (const head of ['GET /api/auth/me', 'POST /api/token', 'GET /nothing']) {
            const answer = await server.raw(
                `${head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n${both}\r\n`,
                { wait: 10000 },
            );
            assert.match(answer, /^HTTP\/1.1 400 /);
            assert.match(
                answer,
                /"Status":400,"Message":"A request must not have more than one Authorization header\."/,
            );
        }
});

test('two Content-Type headers are 400, whichever comes first', async () => {
    const types = [
        'Content-Type: application/json\r\n',
        'content-type: application/x-www-form-urlencoded\r\n',
    ];
    for (const both of [types.join(''), types.toReversed().join(''), types[0] + types[0]])
        for (const [head, body] of [
            [`PATCH ${user}`, 'LastHelpVisited=3'],
            ['POST /api/token', 'grant_type=password'],
            ['POST /api/auth/resetpassword', '{}'],
        ]) {
            const answer = await server.raw(
                `${head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${both}` +
                    `Authorization: Bearer ${token}\r\n\r\n${body}`,
                { wait: 10000 },
            );
            assert.match(
                answer,
                /^HTTP\/1.1 400 [^]*"Message":"A request must not have more than one Content-Type header\."/,
            );
        }
});

test('two Idempotency-Key headers are 400', async () => {
    const body = JSON.stringify({ Name: 'Twice', Culture: 'tw', DisplayOrder: 1 });
    const answer = await server.raw(
        `POST /api/sys/languages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
            `Content-Length: ${body.length}\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n${body}`,
        { wait: 10000 },
    );
    assert.match(answer, /^HTTP\/1.1 400 [^]*Idempotency-Key: is given more than once/);
});

test('a path that is not here is named, and what is here too', async () => {
    const missing = await ask('GET', '/api/spaces/coworkers/7?size=1');
    assert.equal(
        assertFailure(missing, 404).Message,
        'Roster has no /api/spaces/coworkers/7; /api/docs lists what it has.',
    );
    const long = await ask('GET', `/api/${'x'.repeat(3000)}`);
    assert.match(assertFailure(long, 404).Message, /^Roster has no \/api\/x{195}\.\.\.; /);
    assert.match(
        assertFailure(await ask('POST', '/api/%22%3Cb%3E%0d%0a'), 404).Message,
        /^Roster has no \/api\/%22%3Cb%3E%0d%0a; /,
    );
    assert.equal(
        assertFailure(await ask('GET', '/api/sys/users/424242'), 404).Message,
        'Not found',
        'a record that is not there is another thing',
    );
});

test('If-None-Match keeps PUT, PATCH and DELETE from what it names: 412, and nothing changes', async () => {
    const etag = async () => (await ask('GET', user)).headers.get('etag');
    for (const [condition, holds] of [
        ['*', false],
        [await etag(), false],
        [`W/${await etag()}`, false],
        [`"x-1", ${await etag()}`, false],
        ['"x-1"', true],
    ]) {
        const headers = { 'If-None-Match': condition };
        const before = await server.get(userId);
        const replies = [
            await patch({ LastHelpVisited: 7 }, { ...headers }),
            await ask('PUT', '/api/sys/users', required(before), headers),
            await ask('PUT', user, required(before), headers),
        ];
        if (holds) {
            assert.deepEqual(
                replies.map(({ status }) => status),
                [200, 200, 200],
            );
            continue;
        }
        for (const reply of replies) {
            assert.match(assertFailure(reply, 412).Message, /^If-None-Match/);
            assert.equal(reply.headers.get('etag'), await etag());
        }
        assert.deepEqual(await server.get(userId), before);
        assertFailure(await ask('DELETE', user, undefined, headers), 412);
        const command = await ask(
            'POST',
            '/api/sys/users/runcommand',
            { Key: 'activate', Ids: [userId] },
            headers,
        );
        assert.match(command.json.Errors[0].Message, /^If-None-Match/);
        assert.deepEqual(await server.get(userId), before);
    }
    const language = { Name: 'New', Culture: 'nn', DisplayOrder: 1 };
    const made = await ask(
        'POST',
        '/api/sys/languages',
        { ...language, BusinessId: businessId },
        { 'If-None-Match': '*' },
    );
    assert.equal(made.status, 200, made.text);
    const { Id } = made.json.Value;
    assertFailure(
        await ask('DELETE', `/api/sys/languages/${Id}`, undefined, { 'If-None-Match': '*' }),
        412,
    );
    assert.equal((await ask('DELETE', `/api/sys/languages/${Id}`)).status, 200);
    const answer = await server.raw(
        `DELETE ${user} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
            `If-None-Match: "x-1"\r\nIf-None-Match: ${await etag()}\r\n\r\n`,
        { wait: 10000 },
    );
    assert.match(answer, /^HTTP\/1.1 412 /, 'several headers are one list');
});

test('a blank where an address cannot have one is the plus it was', async () => {
    const Email = 'ada+tag@example.net',
        headers = form;
    const made = await ask('POST', '/api/sys/users', {
        ...required(await server.get(userId)),
        Id: undefined,
        FullName: 'Plus',
        Email,
        Active: true,
        APIAccess: true,
        NewPassword: password,
    });
    assert.equal(made.status, 200, made.text);
    const found = async (query) =>
        (await ask('GET', `/api/sys/users?${query}`)).json.Records.map((one) => one.Id);
    for (const query of [
        `User_Email=${Email}`,
        'User_Email=ada%20tag@example.net',
        'User_Email=+tag@example',
        'User_Email=ADA%2Btag',
    ])
        assert.deepEqual(await found(query), [made.json.Value.Id], query);
    for (const username of [
        Email,
        'ada%20tag@example.net',
        'ada%2Btag@example.net',
        '%20ada+tag@example.net%20',
    ]) {
        const reply = await server.call('POST', '/api/token', {
            body: `grant_type=password&username=${username}&password=${password}`,
            headers,
        });
        assert.equal(reply.status, 200, `${username}: ${reply.text}`);
    }
    assert.equal(
        (
            await server.call('POST', '/api/sys/users/token', {
                body: `email=${Email}&password=${password}`,
                headers,
            })
        ).json.WasSuccessful,
        true,
    );
    assert.equal(
        (await ask('GET', `/api/sys/users?User_Email=${Email}`, undefined, strict)).json.TotalItems,
        0,
    );
    // by whom: an address in another field
    const { Id } = made.json.Value;
    assert.equal(
        (
            await server.call('PATCH', `/api/sys/users/${Id}`, {
                token: await server.token(Email),
                body: { FullName: 'By Plus' },
            })
        ).status,
        403,
    );
    assert.equal((await ask('PATCH', `/api/sys/users/${Id}`, { IsAdmin: true })).status, 200);
    assert.equal(
        (
            await server.call('PATCH', `/api/sys/users/${Id}`, {
                token: await server.token(Email),
                body: { FullName: 'By Plus' },
            })
        ).status,
        200,
    );
    const total = async (query) => (await ask('GET', `/api/${query}`)).json.TotalItems;
    assert.equal(await total(`sys/users?User_UpdatedBy=${Email}`), 1);
    assert.ok((await total(`sys/audittrailentries?AuditTrailEntry_ActionBy=${Email}`)) >= 1);
    assert.ok((await total(`sys/refreshtokens?RefreshToken_Subject=${Email}`)) >= 1);
    assert.equal(
        (await ask('POST', '/api/sys/users/runcommand', { Key: 'erase', Ids: [Id] })).json
            .WasSuccessful,
        true,
    );
    assert.ok(
        (await total('sys/audittrailentries?AuditTrailEntry_ActionBy=erased+user')) >= 1,
        'words stay words',
    );
});

test('a blank before an offset of a query is the plus it was', async () => {
    await patch({ LastAccess: '2031-05-06T07:08:09Z' });
    const total = async (query, headers) =>
        (await ask('GET', `/api/sys/users?${query}`, undefined, headers)).json?.TotalItems;
    for (const query of [
        'from_User_LastAccess=2031-05-06T09:08:09+02:00',
        'from_User_LastAccess=2031-05-06+09:08:09+0200',
        'from_User_LastAccess=2031-05-06%2009:08:09%2B02',
        'User_LastAccess=2031-05-06T07:08+00:00',
    ])
        assert.equal(await total(query), 1, query);
    assert.equal(await total('from_User_LastAccess=2031-05-06T07:08:09+00:00', strict), undefined);
    assertInvalid(
        await ask('GET', '/api/sys/users?from_User_LastAccess=2031-05-06T07:08:09++00:00'),
        'from_User_LastAccess',
        /date and time/,
    );
});

test('id[] and id[0] are id again, as other names with brackets are themselves', async () => {
    const ids = async (query) =>
        (await ask('GET', `/api/sys/users?${query}`)).json.Records.map((one) => one.Id).sort();
    for (const query of [
        `id[]=${userId}&id[]=${adminId}`,
        `id[0]=${userId}&id[1]=${adminId}`,
        `Id%5B%5D=${adminId}&id=${userId}`,
    ])
        assert.deepEqual(await ids(query), [adminId, userId].sort(), query);
    assert.deepEqual(await ids(`User_Email[]=admin@example.com`), [adminId]);
    const odd = await ask('GET', '/api/sys/users?id[x]=5&[]=1');
    assert.equal(ignored(odd), 'id?x?, ??');
    assertInvalid(
        await ask('GET', `/api/sys/users?id[]=${userId}`, undefined, strict),
        'id[]',
        /not a known parameter/,
    );
});

test('null and notnull find references that point to nothing, or to something', async () => {
    await patch({ PreferredLanguageId: 601 });
    const all = (await ask('GET', '/api/sys/users')).json.TotalItems;
    const total = async (query) => (await ask('GET', `/api/sys/users?${query}`)).json.TotalItems;
    const none = await total('User_PreferredLanguage=NULL'),
        some = await total('User_PreferredLanguageId=NotNull');
    assert.ok(some >= 1);
    assert.equal(none + some, all);
    assert.equal(await total(`User_PreferredLanguage=null&id=${userId}`), 0);
    assert.equal(await total(`User_PreferredLanguage=notnull&id=${userId}`), 1);
    assert.equal(
        (await ask('GET', '/api/sys/audittrailentries?AuditTrailEntry_Business=null')).status,
        200,
    );
    assert.equal(
        (await ask('GET', '/api/apps/applications?Application_Developer_PreferredLanguage=notnull'))
            .status,
        200,
    );
    assert.equal(
        assertInvalid(
            await ask('GET', '/api/sys/users?User_PreferredLanguage=none'),
            'User_PreferredLanguage',
            /must be an Id/,
        ).AttemptedValue,
        'none',
    );
});

test('a filter takes an enum by its name, in any case, as by its number', async () => {
    const found = async (path, query) => (await ask('GET', `${path}?${query}`)).json;
    await patch({ Language: 2 });
    for (const [path, query, number, name] of [
        ['/api/sys/users', 'User_Language', 2, 'SPANISH'],
        ['/api/sys/audittrailentries', 'AuditTrailEntry_AuditType', 1, 'create'],
    ]) {
        const by = await found(path, `${query}=${number}`);
        assert.ok(by.TotalItems > 0);
        assert.deepEqual(await found(path, `${query}=%20${name}`), by, query);
        assertInvalid(await ask('GET', `${path}?${query}=nothing`), query, /^must be an integer$/);
        assertInvalid(
            await ask('GET', `${path}?${query}=${name}`, undefined, strict),
            query,
            /^must be an integer$/,
        );
    }
});

test('getByHost says without credentials which business it is, and how this server is reached', async () => {
    const path = '/api/sys/businesses/getByHost',
        get = (query, headers) => server.call('GET', path + query, { headers });
    const own = `http://127.0.0.1:${server.port}`;
    const [first, second] = (await ask('GET', '/api/sys/businesses?orderBy=Id')).json.Records;
    for (const [host, Id] of [
        ['nobody', first.Id],
        [encodeURIComponent(second.Name), second.Id],
        [encodeURIComponent(second.Name.toUpperCase()), second.Id],
        ['%00', first.Id],
    ]) {
        const reply = await get(`?host=${host}`);
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual(reply.json, { Id, WebAddress: own });
    }
    assert.equal(
        (await get('?Host=x', { 'X-Forwarded-Proto': 'https' })).json.WebAddress,
        `127.0.0.1:${server.port}`,
    );
    for (const query of ['', '?host=', '?name=x'])
        assertInvalid(await get(query), 'host', /^is a required field$/);
    assert.match(
        await server.raw(`GET ${path}?host=x HTTP/1.0\r\n\r\n`, { wait: 10000 }),
        /^HTTP\/1.1 400 /,
    );
});

test('the root leads to a page for people', async () => {
    const reply = await server.call('GET', '/');
    assert.deepEqual([reply.status, reply.text], [302, '']);
    assert.match(reply.headers.get('location'), /^\/(admin\/|api\/docs)$/); // with the admin UI, or without
    assert.equal((await server.call('GET', reply.headers.get('location'))).status, 200);
});

test('X-Ignored-Parameters stays within 1,024 characters, whatever the query', async () => {
    const query = Array.from({ length: 90 }, (_, i) => `unknown_parameter_${i}=1`).join('&');
    const reply = await ask('GET', `/api/sys/users?${query}`);
    assert.equal(reply.status, 200);
    assert.ok(ignored(reply).length <= 1024, ignored(reply));
    assert.match(ignored(reply), /^unknown_parameter_0, (unknown_parameter_\d+, )+\.\.\.$/);
});
