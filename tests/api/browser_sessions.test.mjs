// A browser's session is a cookie that no script reads, that only this server's own pages can use, and that ends with
// its family of tokens (docs/api.md "sessions of browsers").
import test from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { TlsServer, makeCertificate } from '../lib/tls.mjs';
import { adminEmail, createPerson, password, totp } from '../lib/users.mjs';

const listed = 'https://app.example.com',
    evil = 'https://evil.example.org';
const server = await Server.start(['--cors-origins', listed]);
const admin = await server.admin();
const own = { 'Roster-Session': 'http' };
const path = '/api/auth/session';

const ask = (Email, more = {}, headers = {}, at = server) =>
    at.call('POST', path, {
        body: { Email, Password: password, ...more },
        headers: { ...own, ...headers },
    });
const cookieOf = (reply) => /^[^;]+/.exec(reply.headers.get('set-cookie') ?? '')?.[0];
async function signIn(email = adminEmail, more = {}) {
    const reply = await ask(email, more);
    assert.deepEqual([reply.status, reply.json?.State], [200, 'SignedIn'], reply.text);
    return cookieOf(reply);
}
const by = (cookie, method = 'GET', to = path, { headers = {}, body } = {}) =>
    server.call(method, to, { body, headers: { ...own, Cookie: cookie, ...headers } });
const works = async (cookie) => (await by(cookie)).status === 200;

const person = (more) => createPerson(server, admin, 'browser', more);

test('signing in sets a cookie for this host alone that no script reads, and hands out no token', async () => {
    const reply = await ask(adminEmail);
    assert.deepEqual(reply.json, { State: 'SignedIn', ResetToken: null });
    assert.match(
        reply.headers.get('set-cookie'),
        /^roster-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const { status, json } = await by(cookieOf(reply));
    assert.equal(status, 200);
    assert.equal(json.Email, adminEmail);
    assert.ok(json.IsAdmin && json.Permissions.includes('User-Edit'));
    assert.deepEqual((await by(await signIn('reader@example.com'))).json.Permissions, [
        'User-Read',
    ]);
});

test('the cookie acts like the token that it is: routes, permissions, changes', async () => {
    const cookie = await signIn('editor@example.com');
    const change = { body: { FullName: 'Ada By Cookie' } };
    assert.equal((await by(cookie, 'PATCH', `/api/sys/users/${userId}`, change)).status, 200);
    assert.equal((await server.get(userId)).FullName, 'Ada By Cookie');
    assertFailure(await by(cookie, 'DELETE', `/api/sys/users/${userId}`), 403);
    assertFailure(await by(cookie, 'GET', '/api/sys/users'), 403);
});

test('what is wrong gets the same answer, whoever it is, and no cookie', async () => {
    for (const reply of [
        await ask(adminEmail, { Password: 'wrong' }),
        await ask('nobody@example.com'),
        await ask('ada.lovelace@example.com'),
    ]) {
        assert.equal(assertFailure(reply, 400).Message, 'The user name or password is incorrect.');
        assert.equal(reply.headers.get('set-cookie'), null);
    }
    assertInvalid(await ask(''), 'Email', /required/);
    const { json } = await ask(adminEmail, { Password: 12345678 });
    assert.equal(json.Errors[0].AttemptedValue, null, 'a password is never repeated');
});

test('a user with a second factor is asked for a code, which works once', async () => {
    const TwoFactorSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
        { email } = await person({ TwoFactorSecret });
    const asked = await ask(email);
    assert.deepEqual([asked.json.State, asked.headers.get('set-cookie')], ['CodeNeeded', null]);
    assert.equal((await ask(email, { Code: '12' })).json.State, 'CodeWrong');
    const Code = totp(TwoFactorSecret);
    assert.ok(await works(await signIn(email, { Code })));
    assert.equal((await ask(email, { Code })).json.State, 'CodeWrong');
});

test('a user who must set a new password gets a token for that, and no session before', async () => {
    const { email } = await person({ MustResetPassword: true });
    const due = await ask(email);
    assert.deepEqual([due.json.State, due.headers.get('set-cookie')], ['PasswordDue', null]);
    const Token = due.json.ResetToken,
        NewPassword = 'correct horse battery';
    assert.equal(await works(`roster-session=${Token}`), false, 'it is no session itself');
    const reset = { body: { Token, NewPassword } };
    assert.equal((await by('', 'POST', '/api/auth/resetpassword', reset)).status, 200);
    assert.ok(await works(await signIn(email, { Password: NewPassword })));
});

test('the cookie counts only with the header Roster-Session, once, with one of its values', async () => {
    const cookie = await signIn(),
        get = (headers) => server.call('GET', path, { headers: { Cookie: cookie, ...headers } });
    for (const headers of [{}, { 'Roster-Session': '' }, { 'Roster-Session': 'yes' }])
        assertFailure(await get(headers), 401);
    const twice = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: ${cookie}\r\nRoster-Session: http\r\n`;
    assert.match(await server.raw(`${twice}\r\n`), /^HTTP\/1\.1 200 /);
    assert.match(await server.raw(`${twice}Roster-Session: http\r\n\r\n`), /^HTTP\/1\.1 401 /);
    assertFailure(
        await server.call('POST', path, { body: { Email: adminEmail, Password: password } }),
        400,
    );
});

test('no page of another origin uses the cookie, not even to read, nor one that --cors-origins lists', async () => {
    const cookie = await signIn();
    for (const headers of [
        { 'Sec-Fetch-Site': 'cross-site' },
        { 'Sec-Fetch-Site': 'same-site' },
        { 'Sec-Fetch-Site': 'none' },
        { Origin: evil },
        { Origin: 'null' },
        { Origin: listed },
        { Origin: listed, 'Sec-Fetch-Site': 'cross-site' },
        { Origin: server.url.replace(/\d+$/, '1'), 'Sec-Fetch-Site': 'same-site' },
    ]) {
        const what = JSON.stringify(headers);
        for (const [method, to] of [
            ['GET', path],
            ['PATCH', `/api/sys/users/${userId}`],
            ['DELETE', path],
        ]) {
            const body = method === 'PATCH' ? { FullName: 'Forged' } : undefined;
            const reply = await by(cookie, method, to, { headers, body });
            assert.match(assertFailure(reply, 403).Message, /page of another origin/, what);
        }
        assertFailure(await ask(adminEmail, {}, headers), 403); // signing somebody in is an attack, too
        const bare = { Cookie: cookie, ...headers };
        assertFailure(await server.call('GET', path, { headers: bare }), 401);
    }
    assert.notEqual((await server.get(userId)).FullName, 'Forged');
    for (const headers of [
        { Origin: server.url, 'Sec-Fetch-Site': 'same-origin' },
        { 'Sec-Fetch-Site': 'same-origin' },
        {},
    ])
        assert.equal((await by(cookie, 'GET', path, { headers })).status, 200);
});

test('CORS lets no page send the cookie or the header', async () => {
    const preflight = await server.call('OPTIONS', path, {
        headers: {
            Origin: listed,
            'Access-Control-Request-Method': 'POST',
            'Access-Control-Request-Headers': 'roster-session',
        },
    });
    assert.equal(preflight.status, 204);
    assert.doesNotMatch(preflight.headers.get('access-control-allow-headers'), /roster/i);
    for (const reply of [
        preflight,
        await by(await signIn(), 'GET', path, { headers: { Origin: listed } }),
    ])
        assert.equal(reply.headers.get('access-control-allow-credentials'), null);
});

test('a sign-in takes nothing of a cookie that is there: no session is fixed', async () => {
    const planted = await signIn('reader@example.com');
    const reply = await ask(adminEmail, {}, { Cookie: planted });
    assert.notEqual(cookieOf(reply), planted);
    assert.equal((await by(planted)).json.Email, 'reader@example.com');
    assert.equal((await by(cookieOf(reply))).json.Email, adminEmail);
    assert.equal(
        await works(`${planted}; ${cookieOf(reply)}`),
        false,
        'two of them: neither counts',
    );
    assert.ok(await works(`other=1; ${planted}; more=2`));
});

test('an Authorization header counts in place of the cookie', async () => {
    const cookie = await signIn('reader@example.com');
    const headers = { Authorization: `Bearer ${admin}` };
    assert.equal((await by(cookie, 'GET', path, { headers })).json.Email, adminEmail);
    headers.Authorization = 'Bearer wrong';
    assertFailure(await by(cookie, 'GET', path, { headers }), 401);
});

test('a page is not asked for a password by the browser itself', async () => {
    const reply = await by('roster-session=wrong');
    assertFailure(reply, 401);
    assert.doesNotMatch(reply.headers.get('www-authenticate'), /Basic/);
});

// How a session ends, given its cookie.
const ends = {
    'signing out': async ({ cookie }) => {
        const reply = await by(cookie, 'DELETE');
        assert.equal(reply.status, 200, reply.text);
        assert.match(reply.headers.get('set-cookie'), /^roster-session=; .*Max-Age=0/);
    },
    'deleting its refresh token': async ({ id }) => {
        const found = await server.call('GET', `/api/sys/refreshtokens?RefreshToken_UserId=${id}`, {
            token: admin,
        });
        const rows = found.json.Records.filter(({ ClientId }) => ClientId === 'browser');
        assert.equal(rows.length, 1);
        const at = `/api/sys/refreshtokens/${rows[0].Id}`;
        assert.equal((await server.call('DELETE', at, { token: admin })).status, 200);
    },
    'revoke-tokens': ({ id }) =>
        server.call('POST', '/api/sys/users/runcommand', {
            token: admin,
            body: { Key: 'revoke-tokens', Ids: [id] },
        }),
    'a new password': ({ id }) =>
        server.call('PATCH', `/api/sys/users/${id}`, {
            token: admin,
            body: { NewPassword: 'correct horse battery' },
        }),
    deactivation: ({ id }) =>
        server.call('PATCH', `/api/sys/users/${id}`, { token: admin, body: { Active: false } }),
    deletion: ({ id }) => server.call('DELETE', `/api/sys/users/${id}`, { token: admin }),
};

for (const [name, end] of Object.entries(ends))
    test(`${name} ends the session, and what was made with it`, async () => {
        const { id, email } = await person(),
            cookie = await signIn(email);
        const jwt = (await by(cookie, 'POST', '/api/sys/users/token/refresh')).json.Value;
        const traded = await server.call('POST', `/api/sys/users/exchange?token=${jwt}`);
        assert.equal(traded.status, 200, traded.text);
        await end({ id, email, cookie });
        assert.equal(await works(cookie), false);
        const token = traded.json.access_token;
        assertFailure(await server.call('GET', '/api/auth/me', { token }), 401);
    });

test('a permission that is taken away, and one that is given, count from the next request on', async () => {
    const { id, email } = await person(),
        cookie = await signIn(email);
    const change = (UserRoles) =>
        server.call('PATCH', `/api/sys/users/${id}`, { token: admin, body: { UserRoles } });
    assertFailure(await by(cookie, 'GET', `/api/sys/users/${userId}`), 403);
    assert.equal((await change([402])).status, 200); // the reader's
    assert.equal((await by(cookie, 'GET', `/api/sys/users/${userId}`)).status, 200);
    await change([]);
    assertFailure(await by(cookie, 'GET', `/api/sys/users/${userId}`), 403);
});

test('signing out ends no other sign-in of the user; a bearer token can sign out as well, Basic cannot', async () => {
    const { email } = await person(),
        cookie = await signIn(email),
        token = await server.token(email);
    assert.equal((await server.call('DELETE', path, { token })).status, 200);
    assertFailure(await server.call('GET', path, { token }), 401);
    assert.ok(await works(cookie));
    const Authorization = `Basic ${btoa(`${email}:${password}`)}`;
    assertFailure(await server.call('DELETE', path, { headers: { Authorization } }), 409);
});

test('over TLS only the cookie that nobody can set over plain HTTP counts, over HTTP/2 as well', async () => {
    const secure = await TlsServer.start(await makeCertificate(temporaryFolder(), 'own'));
    for (const scheme of ['https', 'http']) {
        const headers = { 'Roster-Session': scheme };
        const reply = await secure.call('POST', path, {
            headers,
            body: { Email: adminEmail, Password: password },
        });
        const [cookie, ...attributes] = reply.headers.get('set-cookie').split('; ');
        assert.match(cookie, /^__Host-roster-session=[\w-]{43}$/);
        assert.deepEqual(attributes, ['Path=/', 'HttpOnly', 'SameSite=Strict', 'Secure']);
        const get = (Cookie) => secure.call('GET', path, { headers: { ...headers, Cookie } });
        assert.equal((await get(cookie)).status, 200);
        assertFailure(await get(cookie.replace('__Host-', '')), 401);
        const session = http2.connect(`https://localhost:${secure.port}`, { ca: secure.ca });
        const status = await new Promise((resolve, reject) => {
            session
                .request({
                    ':path': path,
                    'roster-session': scheme,
                    cookie: ['a=1', cookie, 'b=2'],
                })
                .on('response', (fields) => resolve(fields[':status']))
                .on('error', reject)
                .end();
        });
        session.close();
        assert.equal(status, 200, 'HTTP/2 may split the cookies into several headers');
    }
});

test('behind a proxy that ends TLS the page says so, and the plain cookie does not count there', async () => {
    const reply = await ask(adminEmail, {}, { 'Roster-Session': 'https' });
    const cookie = cookieOf(reply);
    assert.match(cookie, /^__Host-/);
    const https = { headers: { 'Roster-Session': 'https' } };
    assert.equal((await by(cookie, 'GET', path, https)).status, 200);
    assertFailure(await by(await signIn(), 'GET', path, https), 401);
    assertFailure(await by(cookie), 401);
});

test('forms learn the fields of an entity from the server, each once, and who may write them', async () => {
    const { json: doc } = await server.call('GET', '/api/openapi.json');
    const cookie = await signIn('reader@example.com');
    const { status, json } = await by(cookie, 'GET', '/api/utils/fields?name=user');
    assert.equal(status, 200);
    const fields = new Map(json.Fields.map((field) => [field.Name, field]));
    assert.equal(fields.size, json.Fields.length);
    const known = Object.entries(doc.components.schemas.User.properties)
        .filter(([, { type, const: always }]) => always === undefined && type !== 'null')
        .map(([name]) => name);
    assert.deepEqual(
        known.filter((name) => !fields.has(name)),
        [],
    );
    for (const [name, expected] of Object.entries({
        FullName: {
            Group: 'Details',
            Type: 'Text',
            Max: 255,
            IsRequired: true,
            WrittenBy: 'User-Edit',
        },
        IsAdmin: { Group: 'Access', Type: 'Boolean', WrittenBy: 'Administrator' },
        OnNewEmail: { Group: 'Notifications', Type: 'Boolean', Label: 'On new email' },
        APIAccess: { Label: 'API access', Group: 'Access' },
        UpdatedOn: { Group: 'Status', WrittenBy: null },
        NewPassword: { Type: 'Secret', IsShown: false },
        UserRoles: {
            Type: 'Links',
            Target: { Entity: 'UserRole', Path: '/api/security/userroles' },
        },
    }))
        for (const [member, value] of Object.entries(expected))
            assert.deepEqual(fields.get(name)[member], value, `${name}.${member}`);
    assert.deepEqual(
        fields.get('Language').Choices.map(({ Id }) => Id),
        [1, 2, 3],
    );
    for (const entity of Object.values(doc.paths)
        .flatMap(Object.values)
        .map(({ tags }) => tags[0])
        .filter((tag) => tag !== 'Server'))
        assert.equal(
            (await by(cookie, 'GET', `/api/utils/fields?name=${entity}`)).status,
            200,
            entity,
        );
    assertInvalid(
        await by(cookie, 'GET', '/api/utils/fields?name=Nothing'),
        'name',
        /not an entity/,
    );
    assertInvalid(await by(cookie, 'GET', '/api/utils/fields'), 'name', /required/);
    assertFailure(await server.call('GET', '/api/utils/fields?name=User'), 401);
});
