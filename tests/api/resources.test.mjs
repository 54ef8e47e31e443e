// The resources that a user record points to (docs/contract.md section 7.1), tokens, the audit trail and enums.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
await server.update(userId, { AddedBusinesses: [302] }); // which it is not to lose
const token = await server.admin();
const call = (method, path, body, options) =>
    server.call(method, path, { token, body, ...options });

// A valid body of each resource, a change of it, and the entity that its filters and roles are called by.
const resources = {
    '/api/sys/businesses': ['Business', { Name: 'Quay House' }, { Name: 'Quay Houses' }],
    '/api/security/userroles': [
        'UserRole',
        { BusinessId: businessId, Name: 'Greeters', Roles: [1, 2] },
        { Roles: [2] },
    ],
    '/api/support/chatrooms': [
        'ChatRoom',
        { BusinessId: 302, Name: 'Lobby', Active: true },
        { Active: false },
    ],
    '/api/sys/languages': [
        'Language',
        { BusinessId: businessId, Name: 'Deutsch', Culture: 'de-DE', DisplayOrder: 4 },
        { DisplayOrder: 5 },
    ],
    '/api/apps/applications': [
        'Application',
        {
            DeveloperId: adminId,
            Name: 'Doors',
            ShortDescription: 'Opens doors',
            InstallUrl: 'https://example.com/',
        },
        { Published: true },
    ],
    '/api/sys/webhooks': [
        'WebHook',
        { BusinessId: businessId, Name: 'Events', Action: 1001, URL: 'https://example.com/x' },
        { Description: 'Two\nlines' },
    ],
};

for (const [path, [entity, body, change]] of Object.entries(resources)) {
    test(`${entity}: create, read, search, update, patch, delete`, async () => {
        const made = await call('POST', path, body);
        assert.equal(made.status, 200, made.text);
        assert.equal(made.json.Message, `${entity} was successfully created.`);
        const { Id } = made.json.Value;
        const get = async () => (await call('GET', `${path}/${Id}`)).json;
        for (const [name, value] of Object.entries(body))
            assert.deepEqual((await get())[name], value, name);
        assert.deepEqual(
            (
                await call('GET', `${path}?${entity}_Name=${body.Name.slice(1).toUpperCase()}`)
            ).json.Records.map((row) => row.Id),
            [Id],
        );
        const put = await call('PUT', path, { ...body, ...change, Id });
        assert.equal(put.json.Message, `${entity} was successfully updated.`);
        for (const [name, value] of Object.entries(change))
            assert.deepEqual((await get())[name], value, name);
        assert.equal(
            (await call('PATCH', `${path}/${Id}`, { Name: 'Patched' })).json.Message,
            `${entity} was successfully updated.`,
        );
        assert.equal((await get()).ToStringText, 'Patched');
        assert.equal(
            (await call('DELETE', `${path}/${Id}`)).json.Message,
            `${entity} was successfully deleted.`,
        );
        assertFailure(await call('GET', `${path}/${Id}`), 404);
    });

    test(`${entity}: every required field is asked for, and an update without Id`, async () => {
        const reply = await call('POST', path, {});
        const required = Object.keys(body).filter(
            (name) =>
                !['Roles', 'Active'].includes(name) && `${entity}.${name}` !== 'ChatRoom.Name',
        );
        assert.deepEqual(
            reply.json.Errors.map((error) => [
                error.PropertyName,
                error.Message,
                error.AttemptedValue,
            ]),
            required.map((name) => [name.replace(/Id$/, ''), 'is a required field', null]),
            'a missing link goes by its name without Id',
        );
        for (const missing of required)
            assertInvalid(
                await call('POST', path, { ...body, [missing]: null }),
                missing.replace(/Id$/, ''),
                /^is a required field$/,
            );
        assertInvalid(await call('PUT', path, body), 'Id', /is a required field/);
        assertFailure(await call('PUT', path, { ...body, Id: 999999 }), 404);
    });

    test(`${entity}: without the role it is refused`, async () => {
        const reader = await server.token('reader@example.com');
        for (const [method, to] of [
            ['GET', path],
            ['GET', `${path}/1`],
            ['POST', path],
            ['PUT', path],
            ['PATCH', `${path}/1`],
            ['DELETE', `${path}/1`],
        ])
            assert.match(
                assertFailure(
                    await call(method, to, method === 'GET' ? undefined : body, { token: reader }),
                    403,
                ).Message,
                new RegExp(`${entity}-`),
            );
    });
}

test('roles are read-only: one for each entity and operation', async () => {
    const { json } = await call('GET', '/api/security/roles?size=100');
    assert.equal(json.TotalItems, 50);
    // Databases know them by these Ids.
    const entities = [
        'User',
        'UserRole',
        'Role',
        'Business',
        'ChatRoom',
        'Language',
        'Application',
        'AuditTrailEntry',
        'RefreshToken',
        'WebHook',
    ];
    assert.deepEqual(
        json.Records.map((role) => [role.Id, role.Name]),
        entities
            .flatMap((entity) =>
                ['List', 'Read', 'Create', 'Edit', 'Delete'].map(
                    (operation) => `${entity}-${operation}`,
                ),
            )
            .map((name, i) => [i + 1, name]),
    );
    assertFailure(await call('POST', '/api/security/roles', { Name: 'x' }), 405);
    assertFailure(await call('DELETE', '/api/security/roles/1'), 405);
});

test('a chat room needs no name', async () => {
    const made = await call('POST', '/api/support/chatrooms', { BusinessId: businessId });
    assert.equal(made.status, 200, made.text);
    const path = `/api/support/chatrooms/${made.json.Value.Id}`,
        { json } = await call('GET', path);
    assert.deepEqual([json.Name, json.ToStringText], [null, '']);
    assert.equal((await call('PUT', '/api/support/chatrooms', json)).status, 200);
    assert.equal((await call('PATCH', path, { Name: 'Named' })).status, 200);
    assert.equal((await call('PATCH', path, { Name: null })).status, 200);
    assert.deepEqual((await call('GET', path)).json.Name, null);
    assert.equal(
        (await call('GET', '/api/support/chatrooms?orderBy=Name&size=1')).json.Records[0].Id,
        made.json.Value.Id,
    );
    await call('PATCH', `/api/sys/users/${userId}`, { AddedChatRooms: [made.json.Value.Id] });
    assertFailure(await call('DELETE', path), 409);
    await call('PATCH', `/api/sys/users/${userId}`, { RemovedChatRooms: [made.json.Value.Id] });
    assert.equal((await call('DELETE', path)).status, 200);
});

test('a refused write names the version that is there: 412 and 409 carry its ETag', async () => {
    for (const [path, id, change] of [
        ['/api/sys/users', userId, { FullName: 'Not This' }],
        ['/api/sys/businesses', 302, { Name: 'Not This' }],
    ]) {
        const { json, headers } = await call('GET', `${path}/${id}`),
            present = headers.get('etag');
        const stale = { headers: { 'If-Match': '"0-0"' } };
        assert.match(present, /^".+"$/);
        for (const reply of [
            await call('PUT', path, { ...json, ...change }, stale),
            await call('PATCH', `${path}/${id}`, change, stale),
            await call('DELETE', `${path}/${id}`, undefined, id === 302 ? {} : stale),
        ]) {
            assertFailure(reply, reply.json.Status === 409 ? 409 : 412);
            assert.equal(reply.headers.get('etag'), present, `${path}: ${reply.text}`);
        }
        assert.equal(
            (await call('PATCH', `${path}/${id}`, {}, { headers: { 'If-Match': present } })).status,
            200,
        );
    }
    assertFailure(
        await call('PATCH', '/api/sys/businesses/5', {}, { headers: { 'If-Match': '*' } }),
        404,
    );
});

test('PATCH: null empties a collection, as RFC 7396 says, and PUT leaves it', async () => {
    const role = await call('POST', '/api/security/userroles', {
        BusinessId: businessId,
        Name: 'Emptied',
        Roles: [1, 2],
        Users: [userId],
    });
    const rolePath = `/api/security/userroles/${role.json.Value.Id}`,
        userPath = `/api/sys/users/${userId}`;
    await call('PATCH', userPath, { ChatRooms: [501, 502] });
    const user = await server.get(userId);
    assert.equal(
        (await call('PUT', '/api/sys/users', { ...user, ChatRooms: null, Businesses: null }))
            .status,
        200,
    );
    assert.deepEqual((await server.get(userId)).ChatRooms, user.ChatRooms);
    assert.deepEqual((await server.get(userId)).Businesses, user.Businesses);
    assert.equal(
        (await call('PATCH', userPath, { ChatRooms: null, AddedBusinesses: null })).status,
        200,
    );
    assert.deepEqual((await server.get(userId)).ChatRooms, []);
    assert.deepEqual(
        (await server.get(userId)).Businesses,
        user.Businesses,
        'an Added member is nothing that can be removed',
    );
    assert.equal(
        (await call('PATCH', userPath, { ChatRooms: null, AddedChatRooms: [502] })).status,
        200,
    );
    assert.deepEqual((await server.get(userId)).ChatRooms, [502]);
    const put = (await call('GET', rolePath)).json;
    assert.equal(
        (await call('PUT', '/api/security/userroles', { ...put, Users: null, Roles: null })).status,
        200,
    );
    assert.deepEqual(
        [(await call('GET', rolePath)).json.Users, (await call('GET', rolePath)).json.Roles],
        [[userId], [1, 2]],
    );
    assert.equal((await call('PATCH', rolePath, { Users: null, Roles: null })).status, 200);
    assert.deepEqual(
        [(await call('GET', rolePath)).json.Users, (await call('GET', rolePath)).json.Roles],
        [[], []],
    );
    assert.ok(
        !(await server.get(userId)).UserRoles.includes(role.json.Value.Id),
        'seen from the other side too',
    );
    assert.equal((await call('DELETE', rolePath)).status, 200);
});

test('a record that users refer to is not deleted, and the message names them', async () => {
    assert.match(
        assertFailure(await call('DELETE', '/api/security/userroles/404'), 409).Message,
        /still used by 1 user: .*\(100000014\)/,
    );
    assert.match(
        assertFailure(await call('DELETE', '/api/sys/businesses/302'), 409).Message,
        /still used by/,
    );
    await server.update(userId, { PreferredLanguageId: 603 });
    assert.match(
        assertFailure(await call('DELETE', '/api/sys/languages/603'), 409).Message,
        /87654321/,
    );
    await server.update(userId, { PreferredLanguageId: null });
    assert.equal((await call('DELETE', '/api/sys/languages/603')).status, 200);
    for (const [path, of, taken] of [
        ['/api/support/chatrooms/501', { ChatRooms: [501] }, { ChatRooms: [] }],
        ['/api/apps/applications/701', { ApplicationId: 701 }, { ApplicationId: null }],
    ]) {
        for (const { Id } of (await call('GET', '/api/sys/users?User_ChatRooms=501&size=1000')).json
            .Records)
            await call('PATCH', `/api/sys/users/${Id}`, { RemovedChatRooms: [501] });
        await server.update(userId, of);
        assert.match(
            assertFailure(await call('DELETE', path), 409).Message,
            /still used by 1 user: .*\(87654321\)/,
        );
        await server.update(userId, taken);
        assert.equal((await call('DELETE', path)).status, 200, path);
    }
});

test('a user role never grants more than its maker has', async () => {
    const { json } = await call('POST', '/api/security/userroles', {
        BusinessId: businessId,
        Name: 'Role makers',
        Roles: [6, 7, 8, 9],
    });
    await server.call('PATCH', `/api/sys/users/${staff.lister}`, {
        token,
        body: { AddedUserRoles: [json.Value.Id] },
    });
    const maker = await server.token('lister@example.com');
    const own = { BusinessId: businessId, Name: 'Mine' };
    assert.equal(
        assertFailure(
            await call('POST', '/api/security/userroles', { ...own, Roles: [4] }, { token: maker }),
            403,
        ).Errors[0].PropertyName,
        'Roles',
    );
    assert.equal(
        (await call('POST', '/api/security/userroles', { ...own, Roles: [1, 6] }, { token: maker }))
            .status,
        200,
    );
});

test('a change of a user role is felt by the next request', async () => {
    const { json } = await call('POST', '/api/security/userroles', {
        BusinessId: businessId,
        Name: 'Passing',
        Roles: [2],
    });
    const path = `/api/sys/users/${staff.deleter}`;
    await call('PATCH', path, { AddedUserRoles: [json.Value.Id] });
    const bearer = await server.token('deleter@example.com');
    assert.equal((await call('GET', path, undefined, { token: bearer })).status, 200);
    assert.equal(
        (await call('PATCH', `/api/security/userroles/${json.Value.Id}`, { Roles: [] })).status,
        200,
    );
    assertFailure(await call('GET', path, undefined, { token: bearer }), 403);
});

test('refresh tokens are listed without their hashes, and revoked', async () => {
    const grant = (
        await server.grant(
            { grant_type: 'password', username: 'editor@example.com', password: 'demo-password' },
            { client_id: 'laptop' },
        )
    ).json;
    const { json } = await call(
        'GET',
        `/api/sys/refreshtokens?RefreshToken_Subject=editor@example.com`,
    );
    assert.equal(json.TotalItems, 1);
    const [row] = json.Records;
    assert.deepEqual(
        [
            row.Subject,
            row.ClientId,
            row.UserId,
            row.ProtectedTicket,
            row.TicketHash,
            row.TicketSalt,
        ],
        ['editor@example.com', 'laptop', staff.editor, null, null, null],
    );
    assert.equal((await call('DELETE', `/api/sys/refreshtokens/${row.Id}`)).status, 200);
    assert.equal(
        (
            await server.grant(
                { grant_type: 'refresh_token', refresh_token: grant.refresh_token },
                { client_id: 'laptop' },
            )
        ).status,
        400,
    );
    assertFailure(
        await call('GET', '/api/sys/users', undefined, { token: grant.access_token }),
        401,
    );
});

test('audit trail entries are read-only, newest searchable by user', async () => {
    await server.call('PATCH', `/api/sys/users/${userId}`, {
        token,
        body: { FullName: 'Audited Anew' },
    });
    const { json } = await call(
        'GET',
        '/api/sys/audittrailentries?orderBy=UpdatedOn&dir=1&size=1&AuditTrailEntry_PropertyName=FullName',
    );
    const [row] = json.Records;
    assert.deepEqual(
        [row.EntityShortName, row.EntityId, row.AuditType, row.NewValue, row.ActionBy],
        ['User', userId, 2, 'Audited Anew', 'admin@example.com'],
    );
    assertFailure(await call('DELETE', `/api/sys/audittrailentries/${row.Id}`), 405);
});

test('audit trail entries come in the order of UpdatedOn, page after page', async () => {
    const { json } = await call('GET', '/api/sys/audittrailentries?size=1000');
    assert.deepEqual([json.CurrentOrderField, json.CurrentSortDirection], ['UpdatedOn', 0]);
    const key = (row) => `${new Date(row.UpdatedOn).toISOString()} ${String(row.Id).padStart(12)}`;
    assert.ok(json.Records.length > 20);
    assert.deepEqual(json.Records.map(key), json.Records.map(key).sort());
    const pages = [];
    for (let page = 1; page <= 3; page++)
        pages.push(
            ...(await call('GET', `/api/sys/audittrailentries?size=7&page=${page}`)).json.Records,
        );
    assert.deepEqual(
        pages.map((row) => row.Id),
        json.Records.slice(0, 21).map((row) => row.Id),
    );
    assert.equal(
        (await call('GET', '/api/sys/audittrailentries?orderBy=Id')).json.CurrentOrderField,
        'Id',
    );
    assert.equal((await call('GET', '/api/sys/businesses')).json.CurrentOrderField, 'Id');
});

test('GET /api/utils/enums?name=eLanguage', async () => {
    assert.deepEqual((await call('GET', '/api/utils/enums?name=eLanguage')).json, [
        { Id: 1, Name: 'EnglishUS', Label: 'EnglishUS' },
        { Id: 2, Name: 'Spanish', Label: 'Spanish' },
        { Id: 3, Name: 'EnglishUK', Label: 'EnglishUK' },
    ]);
    assertInvalid(await call('GET', '/api/utils/enums?name=eNothing'), 'name', /is not an enum/);
    for (const query of ['', '?name=', '?other=eLanguage'])
        assertInvalid(await call('GET', `/api/utils/enums${query}`), 'name', /is a required field/);
    assertFailure(await server.call('GET', '/api/utils/enums?name=eLanguage'), 401);
});

test('enums go by their public names, without regard to case; a number without a known name is called by itself', async () => {
    const actions = (await call('GET', '/api/utils/enums?NAME=eWebhookAction')).json;
    assert.deepEqual(actions, (await call('GET', '/api/utils/enums?name=EACTION')).json);
    assert.deepEqual(
        actions.map((one) => one.Id),
        [...Array(90).keys()].map((i) => i + 1).concat([1001, 1002, 1003]),
    );
    const named = {
        2: 'CoworkerUpdate',
        3: 'CoworkerCreate',
        50: 'CoworkerDelete',
        84: 'BusinessUpdate',
        1001: 'UserCreate',
        1002: 'UserUpdate',
        1003: 'UserDelete',
    };
    for (const { Id, Name, Label } of actions)
        assert.deepEqual([Name, Label], [named[Id] ?? String(Id), named[Id] ?? String(Id)]);
    assert.deepEqual(
        (await call('GET', '/api/utils/enums?name=eWebHookDeliveryStatus')).json.map(
            (one) => one.Name,
        ),
        ['Pending', 'Delivered', 'Failed', 'Cancelled'],
    );
});

test("audit trail entries name the business: the record's, or a user's default one as it was then", async () => {
    const entries = async (query) =>
        (await call('GET', `/api/sys/audittrailentries?size=1000&${query}`)).json.Records;
    const { Id } = (
        await call('POST', '/api/sys/languages', {
            BusinessId: 302,
            Name: 'Audited',
            Culture: 'xx',
            DisplayOrder: 1,
        })
    ).json.Value;
    await call('PATCH', `/api/sys/languages/${Id}`, { Culture: 'yy' });
    const rows = await entries(
        `AuditTrailEntry_EntityShortName=Language&AuditTrailEntry_EntityId=${Id}`,
    );
    assert.deepEqual(
        rows.map((row) => row.BusinessId),
        [302, 302],
    );
    await server.update(staff.frontdesk, { Businesses: [businessId] });
    await server.update(staff.frontdesk, { FullName: 'Of one place' });
    await server.update(staff.frontdesk, { Businesses: [303] });
    await server.update(staff.frontdesk, { FullName: 'Of another place' });
    await call('POST', '/api/sys/users/runcommand', {
        Key: 'revoke-tokens',
        Ids: [staff.frontdesk],
        Parameters: [],
    });
    const own = await entries(
        `AuditTrailEntry_EntityShortName=User&AuditTrailEntry_EntityId=${staff.frontdesk}&orderBy=Id`,
    );
    const of = (name) =>
        own.filter((row) => row.PropertyName === name).map((row) => row.BusinessId);
    assert.deepEqual(of('FullName'), [301, 303]);
    assert.deepEqual(of('RefreshTokens'), [303]);
    const made = (await call('POST', '/api/sys/businesses', { Name: 'New house' })).json.Value.Id;
    assert.deepEqual(
        (await entries(`AuditTrailEntry_Business=${made}`)).map((row) => [
            row.EntityShortName,
            row.EntityId,
            row.BusinessId,
        ]),
        [['Business', made, made]],
    );
    assert.equal(
        (await call('DELETE', `/api/sys/businesses/${made}`)).status,
        200,
        'the trail keeps nothing from being deleted',
    );
    assert.equal(
        (await entries('AuditTrailEntry_EntityShortName=Role'))[0].BusinessId,
        null,
        'a role has none',
    );
});

test('every record of every resource has a UniqueId of its own, which stays and finds it', async () => {
    await server.token('manager@example.com');
    const webHook = {
        BusinessId: businessId,
        Name: 'Told',
        Action: 1002,
        URL: 'http://127.0.0.1:1/',
        Active: true,
    };
    const hook = (await call('POST', '/api/sys/webhooks', webHook)).json.Value.Id;
    await server.update(userId, { LastHelpVisited: 5 });
    await call('PATCH', `/api/sys/webhooks/${hook}`, { Active: false });
    const seen = new Set();
    for (const path of [
        '/api/sys/users',
        ...Object.keys(resources),
        '/api/security/roles',
        '/api/sys/audittrailentries',
        '/api/sys/webhookdeliveries',
        '/api/sys/refreshtokens',
    ]) {
        const { Records, TotalItems } = (await call('GET', `${path}?size=1000`)).json;
        assert.ok(Records.length === TotalItems && TotalItems > 0, path);
        for (const { Id, UniqueId } of Records) {
            assert.match(
                UniqueId,
                /^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
                `${path} ${Id}`,
            );
            assert.ok(!seen.has(UniqueId), UniqueId);
            seen.add(UniqueId);
        }
        const [{ Id, UniqueId }] = Records.slice(-1);
        assert.deepEqual(
            (await call('GET', `${path}?UniqueId=${UniqueId.toUpperCase()}`)).json.Records.map(
                (row) => row.Id,
            ),
            [Id],
            path,
        );
        assert.equal((await call('GET', `${path}/${Id}`)).json.UniqueId, UniqueId);
    }
});
