// Every operation of the server's own description, for every kind of caller, on the caller's own
// record, on another user's and on an unrestricted administrator's. The expected outcome follows
// from the rules here, not from the roles that the server's description names. An operation without
// a rule fails.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:http';
import { adminId, businessId, staff } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { isSampled, Server } from '../lib/server.mjs';
import { adminEmail } from '../lib/users.mjs';
import { timestampText, until } from '../lib/wait.mjs';

// ---- The rules ----

const resources = {
    '/api/sys/users': 'User',
    '/api/sys/businesses': 'Business',
    '/api/security/userroles': 'UserRole',
    '/api/security/roles': 'Role',
    '/api/support/chatrooms': 'ChatRoom',
    '/api/sys/languages': 'Language',
    '/api/apps/applications': 'Application',
    '/api/sys/webhooks': 'WebHook',
    '/api/sys/webhookdeliveries': 'WebHook',
    '/api/sys/audittrailentries': 'AuditTrailEntry',
    '/api/sys/refreshtokens': 'RefreshToken',
};
const uniform = {
    GET: 'List',
    'GET /{id}': 'Read',
    POST: 'Create',
    PUT: 'Edit',
    'PUT /{id}': 'Edit',
    'PATCH /{id}': 'Edit',
    'DELETE /{id}': 'Delete',
    'GET /commands': 'List',
    'POST /runcommand': 'Edit',
};
// Needed: nothing. Any caller, with any credentials.
const open = {
    'GET /api/sys/businesses/getByHost': 400,
    'GET /api/auth/firstadministrator': 200,
    'POST /api/auth/firstadministrator': 403, // there is no link
    'GET /api/docs': 200,
    'GET /api/openapi.json': 200,
    'GET /healthz': 200,
    'GET /readyz': 200,
    'GET /metrics': 404,
    'GET /api/sys/users/getavatar/{id}': 200,
    'POST /api/token': 400,
    'POST /api/auth/resetpassword': 400,
    'POST /api/auth/session': 400,
    'POST /api/sys/users/token': 200,
    'POST /api/sys/users/exchange': 401,
};
const special = {
    'GET /api/auth/me': [],
    'GET /api/auth/session': [],
    'DELETE /api/auth/session': [],
    'GET /api/utils/enums': [],
    'GET /api/utils/fields': [],
    'GET /api/utils/settings': [], // only of unrestricted administrators, see outcome(), as the next three
    'GET /api/utils/maintenance': [],
    'POST /api/utils/maintenance/backup': [],
    'POST /api/utils/maintenance/check': [],
    'GET /api/sys/audittrailentries/export.csv': ['AuditTrailEntry-List', 'User-Read'],
    'GET /api/sys/audittrailentries/export.jsonl': ['AuditTrailEntry-List', 'User-Read'],
    'GET /api/utils/figures': ['AuditTrailEntry-List'],
    'POST /api/sys/users/token/refresh': [],
    'GET /api/apps/applications/my': ['Application-List'],
    'GET /api/sys/users/export.csv': ['User-List', 'User-Read'],
    'GET /api/sys/users/export.jsonl': ['User-List', 'User-Read'],
    'POST /api/sys/users/import': ['User-Edit'],
    'POST /api/sys/users/validate': ['User-Read'],
    'GET /api/sys/users/{id}/token/refresh': ['User-Edit'],
    'POST /api/sys/users/{id}/token/refresh': ['User-Edit'],
    // and what an update of the record needs (revert.test.mjs)
    'POST /api/sys/audittrailentries/revert': ['AuditTrailEntry-Read', 'User-Read'],
};
// A webhook sends users' records away, a delivery has one, audit rows and refresh tokens have users' values.
const showsUsers = ({ path, needs: [role] }) =>
    (path.startsWith('/api/sys/webhooks') && /-(Create|Edit)$/.test(role)) ||
    path.startsWith('/api/sys/webhookdeliveries') ||
    (/^.api.sys.(audittrailentries|refreshtokens)/.test(path) && /-(List|Read)$/.test(role));
const targets = ['own', 'other', 'admin'];

// The outcome of a call that is let through.
function outcome({ title, resource, suffix, key }, isAdmin, target) {
    const isProtected = target === 'admin' && !isAdmin;
    if (title.endsWith(' /api/sys/users/{id}/token/refresh'))
        return target === 'own' || isAdmin ? 200 : 403;
    if (/^GET .api.utils.(settings|maintenance)$/.test(title)) return isAdmin ? 200 : 403;
    if (title.startsWith('POST /api/utils/maintenance/')) return isAdmin ? 404 : 403; // no backup-dir
    if (title === 'POST /api/sys/audittrailentries/revert') return 400; // there is no such row
    if (suffix === 'POST /runcommand')
        return !key
            ? 400
            : resource === '/api/sys/users' && (isProtected || (key === 'erase' && !isAdmin))
              ? 'refused'
              : 'done';
    if (
        isProtected &&
        ((resource === '/api/sys/users' && /^(PUT|PATCH|DELETE)/.test(suffix)) ||
            title === 'DELETE /api/sys/refreshtokens/{id}')
    )
        return 403;
    return title === 'DELETE /api/security/userroles/{id}' ? 409 : 200; // somebody has it
}

// ---- The operations ----

const told = createServer((request, response) => {
    request.resume();
    response.end();
});
await new Promise((ready) => {
    told.listen(0, '127.0.0.1', ready);
});
after(() => told.close());
const receiver = `127.0.0.1:${told.address().port}`;
const server = await Server.start(['--webhook-hosts', receiver, '--lockout-attempts', '3']);
const token = await server.admin();
const call = (method, path, body) => server.call(method, path, { token, body });
const { json: doc } = await server.call('GET', '/api/openapi.json');

function operation(method, path, { requestBody, security, description = '' }) {
    const title = `${method} ${path}`;
    const [, stem, tail] = /^(.*?)(\/\{id\}|\/commands|\/runcommand)?$/.exec(path);
    const suffix = tail ? `${method} ${tail}` : method,
        entity = resources[stem];
    const one = {
        title,
        method,
        path,
        suffix,
        resource: entity && stem,
        isOpen: security?.length === 0,
    };
    const content = requestBody && Object.entries(requestBody.content)[0];
    one.type = content?.[0];
    one.schema = resolve(content?.[1].schema);
    one.needs = special[title] ?? (entity && uniform[suffix] && [`${entity}-${uniform[suffix]}`]);
    if (one.needs && !special[title] && showsUsers(one)) one.needs.push('User-Read');
    one.said =
        /Needs the roles? ([\w-]+)(?: and ([\w-]+))?\./
            .exec(description)
            ?.slice(1)
            .filter(Boolean) ?? [];
    one.hasTarget = /\{id\}|runcommand|validate/.test(path) || method === 'PUT';
    return one;
}

function resolve(schema) {
    return schema?.$ref
        ? resolve(
              schema.$ref
                  .slice(2)
                  .split('/')
                  .reduce((at, name) => at[name], doc),
          )
        : schema;
}

const creation = (resource) =>
    resolve(doc.paths[resource].post.requestBody.content['application/json'].schema);
const described = Object.entries(doc.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]) => operation(method.toUpperCase(), path, one)),
);
const closed = [];
for (const one of described.filter(({ isOpen }) => !isOpen)) {
    const commands =
        one.suffix === 'POST /runcommand'
            ? (await call('GET', `${one.resource}/commands`)).json
            : [];
    closed.push(
        ...(commands.length
            ? commands.map(({ Key }) => ({ ...one, title: `${one.title} ${Key}`, key: Key }))
            : [one]),
    );
}

let count = 0;
const known = { BusinessId: businessId, DeveloperId: adminId };
function sample(name, schema) {
    const { type, format, minimum, enum: values } = resolve(schema);
    if (known[name] || values) return known[name] ?? values[0];
    if (type.includes('integer')) return minimum;
    return (
        { 'idn-email': `matrix${++count}@example.com`, uri: 'https://example.com/hook' }[format] ??
        `Matrix ${name}`
    );
}

// A body as the description has it, about a record.
function bodyOf({ path, suffix, key, schema, resource }, id, person) {
    if (!schema) return undefined;
    if (suffix === 'POST /runcommand') return { Key: key ?? 'none', Ids: [id] };
    if (path === '/api/sys/audittrailentries/revert') return { Ids: [id] };
    if (path === '/api/sys/users/validate') return { Email: person.email, Password: 'wrong' };
    if (path === '/api/sys/users/import') return { Id: id };
    const whole = suffix === 'PATCH /{id}' ? creation(resource) : schema;
    const body = Object.fromEntries(
        whole.required.map((name) => [name, sample(name, whole.properties[name])]),
    );
    return suffix === 'PUT' ? { ...body, Id: id } : body;
}

function ask(one, headers, id, person, on = server) {
    const names = { '/api/utils/enums': 'eLanguage', '/api/utils/fields': 'User' };
    const query = names[one.path] ? `?name=${names[one.path]}` : '';
    const body = bodyOf(one, id, person);
    const form =
        one.type === 'application/x-www-form-urlencoded' && new URLSearchParams(body).toString();
    return on.call(one.method, one.path.replace('{id}', id) + query, {
        headers: { ...headers, ...(form && { 'Content-Type': one.type }) },
        body: form || body,
    });
}

// ---- The people and their records ----

const roles = Object.fromEntries(
    (await call('GET', '/api/security/roles?size=1000')).json.Records.map(({ Name, Id }) => [
        Name,
        Id,
    ]),
);
const made = async (path, body) => {
    const reply = await call('POST', path, body);
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value.Id;
};
const userRole = (Name, Roles) =>
    made('/api/security/userroles', { BusinessId: businessId, Name, Roles });
const single = {}; // for each role, a user role that has it alone
for (const [name, id] of Object.entries(roles)) single[name] = await userRole(name, [id]);
const plain = {
    own: await userRole('own', []),
    other: await userRole('other', []),
    admin: await userRole('admin', []),
};
await made('/api/sys/webhooks', {
    BusinessId: businessId,
    Name: 'Matrix',
    Action: 1001,
    URL: `http://${receiver}/`,
    Active: true,
});

async function person(target, permissions, more = {}) {
    const body = bodyOf({ schema: creation('/api/sys/users') });
    const id = await made('/api/sys/users', {
        ...body,
        Active: true,
        APIAccess: true,
        UserRoles: [plain[target], ...permissions.map((name) => single[name])],
        ...more,
    });
    const oneTime = (await call('GET', `/api/sys/users/${id}/token/refresh`)).json.Value;
    const { json } = await server.call('POST', `/api/sys/users/exchange?token=${oneTime}`);
    return {
        id,
        email: body.Email,
        role: plain[target],
        refresh: json.refresh_token,
        bearer: { Authorization: `Bearer ${json.access_token}` },
    };
}

const firstOf =
    (path, filter) =>
    async ({ id }) =>
        (await call('GET', `${path}?${filter}=${id}&size=1`)).json.Records[0].Id;
const recordOf = {
    '/api/sys/users': ({ id }) => id,
    '/api/security/userroles': ({ role }) => role,
    '/api/sys/webhookdeliveries': firstOf('/api/sys/webhookdeliveries', 'WebHookDelivery_EntityId'),
    '/api/sys/audittrailentries': firstOf('/api/sys/audittrailentries', 'AuditTrailEntry_EntityId'),
    '/api/sys/refreshtokens': firstOf('/api/sys/refreshtokens', 'RefreshToken_UserId'),
    '/api/security/roles': () => 1,
};
// The rest is nobody's: a new one each.
function findRecord({ resource, path, key }, who) {
    const found = recordOf[resource ?? '/api/sys/users'];
    if (found) return found(who);
    const body = bodyOf({ path, schema: creation(resource) });
    return made(
        resource,
        key === 'test' ? { ...body, URL: `http://${receiver}/`, Active: true } : body,
    );
}

// The results, in the order of the list.
async function inParallel(list, work) {
    const results = [];
    let next = 0;
    await Promise.all(
        Array.from({ length: 8 }, async () => {
            for (let i = next++; i < list.length; i = next++) results[i] = await work(list[i]);
        }),
    );
    return results;
}

// As a sample one in so many, another one each time: who is let through by which code is seen in whole elsewhere.
const STRIDE = isSampled() ? 5 : 1,
    offset = randomInt(STRIDE);
const cells = (list, kinds) =>
    list
        .flatMap((one) =>
            kinds(one).flatMap((kind) =>
                (one.hasTarget ? targets : ['other']).map((target) => ({ one, kind, target })),
            ),
        )
        .filter((_, i) => i % STRIDE === offset);
const other = await person('other', Object.keys(roles)),
    boss = await person('admin', [], { IsAdmin: true });
// Rows of the audit trail, but for those that wrong passwords leave.
const rowsOf = async (filter) =>
    (await call('GET', `/api/sys/audittrailentries?size=1&${filter}`)).json.TotalItems;
const changes = async () =>
    (await rowsOf('')) - (await rowsOf('AuditTrailEntry_PropertyName=LockOut'));

// Asks for each cell with people who stay, for nothing may come of it.
async function refuseAll(list, check) {
    const records = {};
    for (const cell of list) {
        cell.person = { own: cell.kind.person ?? other, other, admin: boss }[cell.target];
        const name = `${cell.one.resource} ${cell.person.id}`;
        cell.id = records[name] ??= await findRecord(cell.one, cell.person);
    }
    const before = await changes();
    await inParallel(list, async ({ one, kind, target, id, person: of }) =>
        check(
            await ask(one, kind.headers ?? kind.person.bearer, id, of),
            `${one.title}, ${kind.name}, ${target}`,
        ),
    );
    assert.equal(await changes(), before, 'nothing was changed');
}

// ---- The tests ----

test('every operation has a rule, and says what it needs', () => {
    assert.ok(described.length >= 75, `${described.length}`);
    assert.deepEqual(
        described
            .filter(({ isOpen }) => isOpen)
            .map(({ title }) => title)
            .sort(),
        Object.keys(open).sort(),
        'whatever is open to all is so on purpose',
    );
    assert.deepEqual(
        closed.filter(({ needs }) => !needs).map(({ title }) => title),
        [],
    );
    for (const { title, needs, said } of closed) assert.deepEqual(said, needs, title);
    const named = new Set(closed.flatMap(({ needs }) => needs));
    assert.ok(Object.values(uniform).every((operationName) => named.has(`User-${operationName}`)));
});

const basic = (email, secret) => ({ Authorization: `Basic ${btoa(`${email}:${secret}`)}` });

test('an open operation answers all callers the same', () =>
    inParallel(
        described.filter(({ isOpen }) => isOpen),
        async (one) => {
            for (const headers of [
                {},
                boss.bearer,
                { Authorization: 'Bearer x' },
                basic(adminEmail, 'wrong'),
            ])
                for (const { id } of [other, boss]) {
                    const reply = await ask(one, headers, id, other);
                    assert.equal(reply.status, open[one.title], `${one.title}: ${reply.text}`);
                    assert.ok(
                        !/access_token|ey[\w-]+\.ey/.test(reply.text) ||
                            one.path === '/api/openapi.json',
                        one.title,
                    );
                }
        },
    ));

// Each once had, or nearly has, what would let it pass.
async function strangers() {
    const everything = Object.keys(roles),
        secret = 'correct horse battery';
    const after = async (name, ends, more) => {
        const who = await person('own', everything, more);
        await ends(who);
        return { name, headers: who.bearer };
    };
    const patch =
        (body) =>
        ({ id }) =>
            call('PATCH', `/api/sys/users/${id}`, body);
    const run =
        (Key) =>
        ({ id }) =>
            call('POST', '/api/sys/users/runcommand', { Key, Ids: [id] });
    const admin = { IsAdmin: true };
    const locked = await person('own', everything, { NewPassword: secret }),
        idle = await person('own', everything, { NewPassword: secret, Active: true });
    for (let i = 0; i < 3; i++)
        assert.equal(
            (
                await server.grant({
                    grant_type: 'password',
                    username: locked.email,
                    password: 'wrong',
                })
            ).status,
            400,
        );
    await patch({ Active: false })(idle);
    const reset = await person('own', everything, { NewPassword: secret });
    await patch({ MustResetPassword: true })(reset);
    const { json: resetReply } = await server.grant({
        grant_type: 'password',
        username: reset.email,
        password: secret,
    });
    assert.equal(resetReply.error, 'must_reset_password');
    const oneTime = (await call('GET', `/api/sys/users/${adminId}/token/refresh`)).json.Value;
    return [
        { name: 'no credentials', headers: {} },
        { name: 'an empty header', headers: { Authorization: '' } },
        { name: 'a token of no shape', headers: { Authorization: 'Bearer x' } },
        {
            name: 'a token of the right shape',
            headers: { Authorization: `Bearer ${'A'.repeat(43)}` },
        },
        { name: 'a token cut short', headers: { Authorization: `Bearer ${token.slice(0, -1)}` } },
        { name: 'a token of another scheme', headers: { Authorization: `Token ${token}` } },
        { name: 'a refresh token', headers: { Authorization: `Bearer ${boss.refresh}` } },
        { name: 'a one-time token', headers: { Authorization: `Bearer ${oneTime}` } },
        {
            name: 'a reset token',
            headers: { Authorization: `Bearer ${resetReply.error_description}` },
        },
        await after('deleted', ({ id }) => call('DELETE', `/api/sys/users/${id}`)),
        await after('inactive', patch({ Active: false })),
        await after('inactive and active again', async (who) => {
            await patch({ Active: false })(who);
            await patch({ Active: true })(who);
        }),
        await after('no access to the API', patch({ APIAccess: false })),
        await after('revoked', run('revoke-tokens')),
        await after('deactivated by command', run('deactivate')),
        await after('a new password', patch({ NewPassword: secret })),
        await after('an inactive administrator', patch({ Active: false }), admin),
        await after('a demoted administrator', patch({ IsAdmin: false }), admin),
        await after(
            'a deleted administrator',
            ({ id }) => call('DELETE', `/api/sys/users/${id}`),
            admin,
        ),
        { name: 'Basic with a wrong password', headers: basic(adminEmail, 'wrong'), isSlow: true },
        { name: 'Basic of a locked account', headers: basic(locked.email, secret), isSlow: true },
        { name: 'Basic of an inactive account', headers: basic(idle.email, secret), isSlow: true },
    ];
}

test('every operation answers 401 without a valid credential', async () => {
    const kinds = await strangers();
    // To check a password takes its time: an operation of each resource and method, for whom there is a password.
    const checked = new Set([
        ...new Map(closed.map((one) => [`${one.method} ${one.resource}`, one])).values(),
    ]);
    const isWanted = ({ one, kind, target }) =>
        !kind.isSlow || (target === 'other' && checked.has(one));
    await refuseAll(cells(closed, () => kinds).filter(isWanted), (reply, title) => {
        assert.equal(reply.status, 401, `${title}: ${reply.text}`);
        assertFailure(reply, 401);
    });
});

test('a token that expired is 401 to every operation', async () => {
    const brief = await Server.start(['--token-lifetime', '1']);
    const headers = { Authorization: `Bearer ${await brief.token()}` };
    await until(
        'the token expires',
        async () => (await brief.call('GET', '/api/auth/me', { headers })).status !== 200,
        { pause: 100 },
    );
    await inParallel(closed, async (one) => {
        for (const id of [adminId, staff.editor])
            assertFailure(await ask(one, headers, id, other, brief), 401);
    });
});

test("every operation answers 403 without a role that it needs, whoever's record it is", async () => {
    const everything = Object.keys(roles),
        kinds = { nobody: { name: 'no role', person: await person('own', []) } };
    await inParallel(everything, async (name) => {
        kinds[name] = { name: `only ${name}`, person: await person('own', [name]) };
        kinds[`all but ${name}`] = {
            name: `all but ${name}`,
            person: await person(
                'own',
                everything.filter((one) => one !== name),
            ),
        };
    });
    const guarded = closed.filter(({ needs }) => needs.length);
    assert.ok(guarded.length >= 60);
    const list = cells(guarded, ({ needs }) => [
        kinds.nobody,
        ...everything
            .filter((name) => needs.some((one) => one !== name))
            .map((name) => kinds[name]),
        ...needs.map((name) => kinds[`all but ${name}`]),
    ]);
    await refuseAll(list, (reply, title) => {
        assert.equal(reply.status, 403, `${title}: ${reply.text}`);
        assert.equal(reply.json.Value, null);
    });
});

test('a caller with just the roles that an operation needs, or with all, passes as far as the record allows', async () => {
    const everything = Object.keys(roles);
    const lock = ({ id }) =>
        call('PATCH', `/api/sys/users/${id}`, {
            InvalidLoginAttempts: 3,
            LastLoginAttempt: timestampText(),
        });
    const kinds = ({ needs }) => [
        { name: 'what is needed', roles: needs },
        { name: 'every role', roles: everything },
        { name: 'every role, locked since', roles: everything, then: lock },
        { name: 'an administrator', roles: everything, more: { IsAdmin: true } },
        {
            name: 'an administrator without role or access',
            roles: [],
            more: { IsAdmin: true, APIAccess: false },
        },
    ];
    await inParallel(cells(closed, kinds), async ({ one, kind, target }) => {
        const title = `${one.title}, ${kind.name}, ${target}`,
            isAdmin = kind.more?.IsAdmin ?? false;
        const caller = await person('own', kind.roles, kind.more);
        await kind.then?.(caller);
        const of = {
            own: () => caller,
            other: () => person('other', []),
            admin: () => person('admin', [], { IsAdmin: true }),
        }[target];
        const who = await of(),
            id = await findRecord(one, who);
        const reply = await ask(one, caller.bearer, id, who);
        const expected = outcome(one, isAdmin, target);
        assert.equal(
            reply.status,
            typeof expected === 'number' ? expected : 200,
            `${title}: ${reply.text}`,
        );
        if (typeof expected !== 'number')
            assert.equal(reply.json.WasSuccessful, expected === 'done', `${title}: ${reply.text}`);
        if (one.resource === '/api/sys/webhooks')
            // there may only be so many
            for (const hook of [id, reply.json?.Value?.Id])
                if (hook)
                    await server.call('DELETE', `/api/sys/webhooks/${hook}`, {
                        headers: boss.bearer,
                    });
    });
});

test('a caller with every role who is no administrator cannot become one, nor make one', async () => {
    const { id, bearer: headers } = await person('own', Object.keys(roles));
    const as = (method, path, body) => server.call(method, path, { headers, body });
    const own = await server.get(id),
        before = await server.get(boss.id);
    for (const [method, path, body] of [
        ['PUT', '/api/sys/users', { ...own, IsAdmin: true }],
        ['PATCH', `/api/sys/users/${id}`, { IsAdmin: true }],
        ['PATCH', `/api/sys/users/${other.id}`, { NewPassword: 'correct horse battery' }],
        ['PATCH', `/api/sys/users/${boss.id}`, { NewPassword: 'correct horse battery' }],
        [
            'POST',
            '/api/sys/users',
            { ...bodyOf({ schema: creation('/api/sys/users') }), IsAdmin: true },
        ],
    ])
        assertFailure(await as(method, path, body), 403);
    assert.equal((await server.get(id)).IsAdmin, false);
    assert.deepEqual(await server.get(boss.id), before);
    assert.equal(
        (
            await server.grant({
                grant_type: 'password',
                username: other.email,
                password: 'correct horse battery',
            })
        ).status,
        400,
    );
});
