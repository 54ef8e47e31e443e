// A credential or a right that a caller loses while his request waits for the writer does not act
// any more: neither when it ended earlier in the same commit, nor in the commit before. Every
// operation that submits a command has a row here, and one without a row fails.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { adminId, businessId, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { password, userBody } from '../lib/users.mjs';
import { Faults } from './faults.mjs';
import { timestampText, until } from '../lib/wait.mjs';

const told = createServer((request, reply) => {
    request.resume();
    reply.end();
});
await new Promise((ready) => {
    told.listen(0, '127.0.0.1', ready);
});
after(() => told.close());
const host = `127.0.0.1:${told.address().port}`;
const faults = new Faults();
const server = await faults.start([
    '--demo',
    '--metrics',
    '--webhook-hosts',
    host,
    '--avatar-hosts',
    host,
]);
const admin = await server.admin();
const call = (method, path, body, headers = { Authorization: `Bearer ${admin}` }) =>
    server.call(method, path, { headers, body });
const send = ([method, path, body], headers) => call(method, path, body, headers);
const done = async (...request) => {
    const reply = await call(...request);
    assert.equal(reply.status, 200, reply.text);
    return reply.json;
};
const { json: doc } = await call('GET', '/api/openapi.json');
const sql = (text) => server.sql(text);
const waiting = async () =>
    Number(
        /^roster_store_queue_length (\d+)$/m.exec((await server.call('GET', '/metrics')).text)[1],
    );
const commands = async () =>
    Number(
        /^roster_store_commands_total (\d+)$/m.exec((await server.call('GET', '/metrics')).text)[1],
    );

async function untilWaiting(count) {
    await until(
        async () => `${await waiting()} of ${count} wait`,
        async () => (await waiting()) >= count,
    );
}

// ---- The people ----

const roleIds = (await done('GET', '/api/security/roles?size=1000')).Records.map(({ Id }) => Id);
const everything = (
    await done('POST', '/api/security/userroles', {
        BusinessId: businessId,
        Name: 'Everything',
        Roles: roleIds,
    })
).Value.Id;
let count = 0;
const newUser = () => userBody({ FullName: 'Of A Race', Email: `race${++count}@example.com` });

async function person(more = {}) {
    const body = {
        ...newUser(),
        Active: true,
        APIAccess: true,
        UserRoles: [everything],
        NewPassword: password,
        ...more,
    };
    const {
        Value: { Id: id },
    } = await done('POST', '/api/sys/users', body);
    return {
        id,
        email: body.Email,
        basic: { Authorization: `Basic ${btoa(`${body.Email}:${password}`)}` },
    };
}

async function signIn(who) {
    const { json } = await server.grant({
        grant_type: 'password',
        username: who.email,
        password,
        client_id: 'phone',
    });
    return {
        ...who,
        refresh: json.refresh_token,
        bearer: { Authorization: `Bearer ${json.access_token}` },
    };
}

// ---- What can be asked of the writer, each as a request that is right: the method, the path, and a body ----

const made = async (path, body) => (await done('POST', path, body)).Value.Id;
const resources = {
    '/api/sys/users': newUser,
    '/api/sys/businesses': () => ({ Name: 'Raced' }),
    '/api/security/userroles': () => ({
        BusinessId: businessId,
        Name: `Raced ${++count}`,
        Roles: [1],
    }),
    '/api/support/chatrooms': () => ({ BusinessId: businessId, Name: 'Raced', Active: true }),
    '/api/sys/languages': () => ({
        BusinessId: businessId,
        Name: 'Raced',
        Culture: 'en-GB',
        DisplayOrder: 1,
    }),
    '/api/apps/applications': () => ({
        DeveloperId: adminId,
        Name: 'Raced',
        ShortDescription: 'Raced',
        InstallUrl: 'https://raced.example.com/',
    }),
    '/api/sys/webhooks': () => ({
        BusinessId: businessId,
        Name: 'Raced',
        Action: 1001,
        URL: `http://${host}/`,
    }),
};
const table = {};
for (const [path, body] of Object.entries(resources)) {
    table[`POST ${path}`] = () => ['POST', path, body()];
    table[`PUT ${path}`] = async () => ['PUT', path, { ...body(), Id: await made(path, body()) }];
    table[`PUT ${path}/{id}`] = async () => ['PUT', `${path}/${await made(path, body())}`, body()];
    table[`PATCH ${path}/{id}`] = async () => [
        'PATCH',
        `${path}/${await made(path, body())}`,
        body(),
    ];
    table[`DELETE ${path}/{id}`] = async () => ['DELETE', `${path}/${await made(path, body())}`];
}
const run = (path, Key, find) => async (caller) => [
    'POST',
    `${path}/runcommand`,
    { Key, Ids: [await find(caller)] },
];
const delivery = async () => {
    const hook = await made('/api/sys/webhooks', {
        BusinessId: businessId,
        Name: 'Told',
        Action: 1003,
        URL: `http://${host}/`,
        Active: true,
    });
    await done('DELETE', `/api/sys/users/${await made('/api/sys/users', newUser())}`);
    return until('the delivery', async () => {
        const [one] = (
            await done('GET', `/api/sys/webhookdeliveries?WebHookDelivery_WebHookId=${hook}`)
        ).Records;
        return one?.Status === 2 && one.Id;
    });
};
for (const key of [
    'unlock',
    'revoke-tokens',
    'require-password-reset',
    'deactivate',
    'activate',
    'erase',
])
    table[`POST /api/sys/users/runcommand ${key}`] = run('/api/sys/users', key, () =>
        made('/api/sys/users', newUser()),
    );
table['POST /api/sys/webhookdeliveries/runcommand repeat'] = run(
    '/api/sys/webhookdeliveries',
    'repeat',
    delivery,
);
table['POST /api/sys/webhooks/runcommand test'] = run('/api/sys/webhooks', 'test', () =>
    // It waits for an event that never comes, so that no delivery is a command that later tests count.
    made('/api/sys/webhooks', { ...resources['/api/sys/webhooks'](), Action: 1, Active: true }),
);
table['POST /api/sys/audittrailentries/revert'] = async () => {
    const id = await made('/api/sys/users', newUser());
    await done('PATCH', `/api/sys/users/${id}`, { SystemId: 'reverted' });
    const found = `AuditTrailEntry_EntityId=${id}&AuditTrailEntry_PropertyName=SystemId`;
    const { Records } = await done('GET', `/api/sys/audittrailentries?${found}`);
    return ['POST', '/api/sys/audittrailentries/revert', { Ids: [Records[0].Id] }];
};
table['DELETE /api/sys/refreshtokens/{id}'] = async () => {
    const { id } = await signIn(await person());
    return [
        'DELETE',
        `/api/sys/refreshtokens/${(await done('GET', `/api/sys/refreshtokens?RefreshToken_UserId=${id}`)).Records[0].Id}`,
    ];
};
table['POST /api/sys/users/validate'] = async () => [
    'POST',
    '/api/sys/users/validate',
    { Email: (await person()).email, Password: 'not-the-password' },
];
table['POST /api/sys/users/import'] = () => ['POST', '/api/sys/users/import', newUser()];
table['DELETE /api/auth/session'] = () => ['DELETE', '/api/auth/session'];
table['POST /api/sys/users/token/refresh'] = () => ['POST', '/api/sys/users/token/refresh'];
for (const method of ['GET', 'POST'])
    table[`${method} /api/sys/users/{id}/token/refresh`] = ({ id }) => [
        method,
        `/api/sys/users/${id}/token/refresh`,
    ];

// The operations of the description that need credentials, by the same names, and each command of a
// resource.
const operations = [],
    reads = [];
for (const [path, item] of Object.entries(doc.paths))
    for (const [method, { security }] of Object.entries(item)) {
        const title = `${method.toUpperCase()} ${path}`;
        // These ask the writer nothing: who may is known when the request is served.
        if (security?.length === 0 || path.startsWith('/api/utils/maintenance/')) continue;
        if (method === 'get' && !table[title]) reads.push(path);
        else if (path.endsWith('/runcommand'))
            operations.push(
                ...(await done('GET', path.replace('/runcommand', '/commands'))).map(
                    ({ Key }) => `${title} ${Key}`,
                ),
            );
        else operations.push(title);
    }

test('every operation that the description has as a change has a row, and no other one gives the writer anything', async () => {
    assert.deepEqual(operations.sort(), Object.keys(table).sort());
    const before = await commands();
    const needed = { '/api/utils/enums': '?name=eLanguage', '/api/utils/fields': '?name=User' };
    for (const path of reads) {
        const id = path.includes('users') ? userId : 1;
        const { status, text } = await call('GET', path.replace('{id}', id) + (needed[path] ?? ''));
        assert.ok(status === 200 || status === 404, `${path}: ${text}`);
    }
    assert.equal(await commands(), before, 'reads are no commands');
});

// Each command names the caller on whose behalf it runs. These files submit commands for no caller:
// the server's own, and those of open routes.
test("only what the server does itself, and what weighs a stranger's credential, acts on nobody's behalf", () => {
    const folder = new URL('../../src/', import.meta.url).pathname;
    const uses = {};
    for (const name of readdirSync(folder, { recursive: true }).filter(
        (one) => one.endsWith('.c') && !one.endsWith('_test.c'),
    )) {
        const found = readFileSync(join(folder, name), 'utf8').match(/&store_nobody/g);
        if (found) uses[name] = found.length;
    }
    assert.deepEqual(uses, {
        'server/cleanup.c': 1,
        'service/seed.c': 1,
        'service/operator.c': 2, // whom the system let at the data folder or at its socket
        'webhooks/deliver.c': 3,
        'store/seal_mark.c': 1, // maintenance, as the next three
        'store/change_key.c': 1,
        'store/copy.c': 3,
        'store/copy_chunk.c': 1,
        'auth/token_pair.c': 1,
        'auth/address_attempt.c': 1, // gives back what a sign-in has begun
        'api/nexudus/token.c': 1,
        'api/ui/session.c': 1, // a sign-in by password
        'api/dispatch.c': 2,
        'api/nexudus/one_time.c': 1, // refresh, sign-in, Basic and Bearer, by password
        'api/nexudus/account.c': 1, // a reset token
        'api/wait.c': 2, // routes that are open: exchange, readyz
    });
});

// ---- Between the door and the writer ----

const touch = () => call('PATCH', `/api/sys/users/${userId}`, { LastHelpVisited: ++count });

// Asks for `act` once `end` is on its way, and before it is answered: with it in one commit, or in the commit after it.
async function race(mode, end, act) {
    const isOneCommit = mode === modes[0];
    let ended, acted;
    const begin = () => (isOneCommit ? touch() : (ended = end()));
    await faults.whileHeld(begin, async () => {
        if (isOneCommit) {
            ended = end();
            await untilWaiting(1);
        }
        acted = act();
        await untilWaiting(isOneCommit ? 2 : 1);
    });
    return [await ended, await acted];
}
const modes = ['the same commit', 'the next commit'];
// Each caller may do these with its own sign-in.
const needNoRole = ['POST /api/sys/users/token/refresh', 'DELETE /api/auth/session'];

// Traces of the caller: audit rows, tokens, and guesses at others' passwords.
const traces = ({ id, email }) =>
    sql(`SELECT count(*) FROM audit WHERE action_by = '${email}';
    SELECT count(*) FROM tokens WHERE kind = 4 AND user_id = ${id};
    SELECT sum(Version) FROM users WHERE Id <> ${id} AND Id <> ${userId}`);
const revoke = ({ id }) =>
    call('POST', '/api/sys/users/runcommand', { Key: 'revoke-tokens', Ids: [id] });
const takeRoles = ({ id }) => call('PATCH', `/api/sys/users/${id}`, { UserRoles: [] });

for (const title of Object.keys(table))
    test(`${title}: not with a credential, nor with a right, that ended while it waited`, async () => {
        const who = await person();
        let caller = await signIn(who);
        const control = await send(await table[title](caller), caller.bearer);
        assert.equal(control.status, 200, `it is right: ${control.text}`);
        const needsRole = !needNoRole.includes(title);
        for (const mode of modes) {
            for (const [end, status] of [[revoke, 401], ...(needsRole ? [[takeRoles, 403]] : [])]) {
                await revoke(who); // what the rounds before left
                caller = await signIn(who);
                const request = await table[title](caller),
                    before = traces(caller);
                const [ended, acted] = await race(
                    mode,
                    () => end(caller),
                    () => send(request, caller.bearer),
                );
                assert.equal(ended.status, 200, ended.text);
                assert.equal(acted.status, status, `${mode}: ${acted.text}`);
                assertFailure(acted, status);
                assert.equal(traces(caller), before, `${mode}, ${status}: nothing came of it`);
                if (status === 401)
                    assert.match(acted.headers.get('www-authenticate'), /error="invalid_token"/);
                await done('PATCH', `/api/sys/users/${who.id}`, { UserRoles: [everything] });
            }
        }
    });

// ---- Each way that a credential or a right ends ----

const patch =
    (body) =>
    ({ id }) =>
        call('PATCH', `/api/sys/users/${id}`, body);
const ways = {
    'a new password': [401, patch({ NewPassword: 'correct horse battery' })],
    'an imported hash': [
        401,
        patch({
            Password:
                '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/',
        }),
    ],
    'revoke-tokens': [401, revoke],
    deactivation: [401, patch({ Active: false })],
    'the command deactivate': [
        401,
        ({ id }) => call('POST', '/api/sys/users/runcommand', { Key: 'deactivate', Ids: [id] }),
    ],
    demotion: [401, patch({ IsAdmin: false }), { IsAdmin: true }],
    'no access to the API any more': [401, patch({ APIAccess: false })],
    deletion: [401, ({ id }) => call('DELETE', `/api/sys/users/${id}`)],
    'the deletion of its refresh token': [
        401,
        async ({ refreshId }) => call('DELETE', `/api/sys/refreshtokens/${refreshId}`),
    ],
    'a refresh token that is used twice': [
        401,
        ({ spent }) =>
            server.grant({
                grant_type: 'refresh_token',
                refresh_token: spent,
                client_id: 'another',
            }),
    ],
    'a user role that is taken away': [403, takeRoles],
    'a user role that grants less': [
        403,
        ({ role }) => call('PATCH', `/api/security/userroles/${role}`, { Roles: [1] }),
    ],
    'a user role that loses its users': [
        403,
        ({ role, id }) => call('PATCH', `/api/security/userroles/${role}`, { RemovedUsers: [id] }),
    ],
};
const ofPasswords = [
    'a new password',
    'an imported hash',
    'deactivation',
    'no access to the API any more',
    'deletion',
    'a user role that is taken away',
];
const ofBasic = {
    'a lock-out': [
        401,
        ({ id }) =>
            call('PATCH', `/api/sys/users/${id}`, {
                InvalidLoginAttempts: 10,
                LastLoginAttempt: timestampText(),
            }),
    ],
    'a demand for a new password': [401, patch({ MustResetPassword: true })],
    'a second factor': [401, patch({ TwoFactorSecret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' })],
};
// Requests that would undo the loss, by the caller who loses it.
const undo = {
    demotion: ({ id }) => ['PATCH', `/api/sys/users/${id}`, { IsAdmin: true }],
    'a user role that is taken away': ({ id }) => [
        'PATCH',
        `/api/sys/users/${id}`,
        { AddedUserRoles: [everything] },
    ],
    'a user role that grants less': ({ role }) => [
        'PATCH',
        `/api/security/userroles/${role}`,
        { Roles: roleIds },
    ],
    'a user role that loses its users': ({ role, id }) => [
        'PATCH',
        `/api/security/userroles/${role}`,
        { AddedUsers: [id] },
    ],
    deactivation: ({ id }) => ['PATCH', `/api/sys/users/${id}`, { Active: true }],
    'no access to the API any more': ({ id }) => [
        'PATCH',
        `/api/sys/users/${id}`,
        { APIAccess: true },
    ],
    'a new password': ({ id }) => [
        'PATCH',
        `/api/sys/users/${id}`,
        { NewPassword: 'another horse battery' },
    ],
};

async function victim(more) {
    const role = await made('/api/security/userroles', {
        BusinessId: businessId,
        Name: `Own ${++count}`,
        Roles: roleIds,
    });
    const who = await signIn(await person({ UserRoles: [role], ...more }));
    const next = (await server.grant({ grant_type: 'refresh_token', refresh_token: who.refresh }))
        .json;
    const [{ Id: refreshId }] = (
        await done('GET', `/api/sys/refreshtokens?RefreshToken_UserId=${who.id}`)
    ).Records;
    return {
        ...who,
        role,
        spent: who.refresh,
        refreshId,
        bearer: { Authorization: `Bearer ${next.access_token}` },
    };
}

for (const [way, [status, end, more]] of Object.entries({ ...ways, ...ofBasic }))
    test(`${way} is felt by what waits behind it`, async () => {
        const kinds = [
            ...(ways[way] ? ['bearer'] : []),
            ...(ofPasswords.includes(way) || ofBasic[way] ? ['basic'] : []),
        ];
        for (const kind of kinds)
            for (const mode of modes)
                for (const act of [
                    ({ id }) => ['PATCH', `/api/sys/users/${id}`, { FullName: 'Acts On' }],
                    undo[way],
                ].filter(Boolean)) {
                    const who = await victim(more),
                        by = who[kind];
                    await done('GET', '/api/auth/me', undefined, by); // it is remembered at the door
                    const [ended, acted] = await race(
                        mode,
                        () => end(who),
                        () => send(act(who), by),
                    );
                    assert.equal(
                        ended.status,
                        way === 'a refresh token that is used twice' ? 400 : 200,
                        ended.text,
                    );
                    assert.equal(acted.status, status, `${kind}, ${mode}: ${acted.text}`);
                    assert.equal(
                        sql(
                            `SELECT count(*) FROM audit WHERE action_by = '${who.email}' AND property IS NOT 'SignIn'`,
                        ),
                        '0',
                        `${kind}, ${mode}: nothing came of it`,
                    );
                }
    });

test('a token that expires while its change waits changes nothing', async () => {
    const who = await signIn(await person());
    let acted;
    await faults.whileHeld(touch, async () => {
        acted = call('PATCH', `/api/sys/users/${userId}`, { FullName: 'Too Late' }, who.bearer);
        await untilWaiting(1);
        faults.setClock(8 * 24 * 3600 * 1000);
    });
    assertFailure(await acted, 401);
    faults.setClock(0);
    assert.equal(
        sql(
            `SELECT count(*) FROM audit WHERE action_by = '${who.email}' AND property IS NOT 'SignIn'`,
        ),
        '0',
    );
});

test('a reset token sets one password, also for two who come at once', async () => {
    const { id, email } = await person();
    await done('PATCH', `/api/sys/users/${id}`, { MustResetPassword: true });
    const Token = (await server.grant({ grant_type: 'password', username: email, password })).json
        .error_description;
    const reset = (NewPassword) =>
        call('POST', '/api/auth/resetpassword', { Token, NewPassword }, {});
    const [ended, acted] = await race(
        modes[0],
        () => reset('correct horse battery'),
        () => reset('another horse battery'),
    );
    assert.deepEqual([ended.status, acted.status], [200, 400], acted.text);
    assert.match(acted.json.Message, /^Token: .*not a valid reset token/);
    assert.equal(
        (
            await server.grant({
                grant_type: 'password',
                username: email,
                password: 'correct horse battery',
            })
        ).status,
        200,
    );
});

test('a password that ends before the one-time token that it is to make is a wrong one', async () => {
    const { id, email } = await person();
    let made, ended;
    await faults.whileHeld(touch, async () => {
        made = call('POST', '/api/sys/users/token', { email, password }, {});
        await untilWaiting(1); // its sign-in; the token is another command, after it
        ended = patch({ NewPassword: 'correct horse battery' })({ id });
        await untilWaiting(2);
    });
    const { status, json } = await made;
    assert.equal((await ended).status, 200);
    assert.deepEqual([status, json.Status, json.Value], [200, 500, null], 'as a wrong password');
    assert.equal(sql(`SELECT count(*) FROM tokens WHERE kind = 4 AND user_id = ${id}`), '0');
});

test('a password that has to be changed is not changed to one that was set meanwhile', async () => {
    const { id, email } = await person({ MustResetPassword: true });
    const set = (NewPassword) => patch({ NewPassword, MustResetPassword: true })({ id });
    const [ended, acted] = await race(
        modes[0],
        () => set('correct horse battery'),
        () => patch({ NewPassword: 'another horse battery' })({ id }),
    );
    assert.deepEqual([ended.status, acted.status], [200, 409], acted.text);
    assertFailure(acted, 409);
    assert.equal(
        (
            await server.grant({
                grant_type: 'password',
                username: email,
                password: 'correct horse battery',
            })
        ).json.error,
        'must_reset_password',
    );
});

test('a user who ends his own access still gets the reply', async () => {
    const who = await signIn(await person());
    const reply = await call(
        'PATCH',
        `/api/sys/users/${who.id}`,
        { NewPassword: 'correct horse battery', UserRoles: [] },
        who.bearer,
    );
    assert.equal(reply.status, 200, reply.text);
    assertFailure(await call('GET', '/api/auth/me', undefined, who.bearer), 401);
});

test('a command is not refused because of a change that its failed commit undid', async () => {
    const who = await signIn(await person());
    let ended, acted;
    await faults.whileHeld(touch, async () => {
        ended = takeRoles(who);
        await untilWaiting(1);
        acted = call(
            'PATCH',
            `/api/sys/users/${userId}`,
            { FullName: 'Still Allowed' },
            who.bearer,
        );
        await untilWaiting(2);
        faults.arm('write', 1, { code: 28, lasts: true });
    });
    assert.deepEqual(
        [(await ended).status, (await acted).status],
        [500, 500],
        'nobody was told anything else',
    );
    assert.ok(faults.mend('write') > 0);
    await done('PATCH', `/api/sys/users/${userId}`, { FullName: 'Still Allowed' }, who.bearer);
});
