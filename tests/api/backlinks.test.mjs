// Links seen and changed from their other side: the Users of user roles and chat rooms, the UserRoles
// of roles; and the names of what a record refers to.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail } from '../lib/users.mjs';

const server = await Server.start();
const token = await server.admin();
const call = (method, path, options) => server.call(method, path, { token, ...options });
const rolesPath = '/api/security/userroles',
    roomsPath = '/api/support/chatrooms';
const get = async (path, id) => (await call('GET', `${path}/${id}`)).json;
const make = async (path, body) => {
    const reply = await call('POST', path, {
        body: { BusinessId: businessId, Name: 'Made', ...body },
    });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value.Id;
};

test('a user role and a chat room list their users, a role its user roles, one at a time and in batches', async () => {
    const role = await make(rolesPath, { Roles: [1, 2] }),
        room = await make(roomsPath, {});
    await server.update(userId, { AddedUserRoles: [role], AddedChatRooms: [room] });
    await server.update(staff.lister, { AddedUserRoles: [role] });
    assert.deepEqual((await get(rolesPath, role)).Users, [userId, staff.lister]);
    assert.deepEqual((await get(roomsPath, room)).Users, [userId]);
    assert.ok((await get('/api/security/roles', 1)).UserRoles.includes(role));
    assert.deepEqual((await call('GET', `${rolesPath}?id=[${role}]`)).json[0].Users, [
        userId,
        staff.lister,
    ]);
    const listed = (await call('GET', `${rolesPath}?id=${role}`)).json.Records[0];
    assert.ok(!('Users' in listed) && !('Roles' in listed), 'lists leave lists out');
    assert.deepEqual(
        (
            await call('GET', `${rolesPath}?UserRole_Users=${staff.lister}&size=100`)
        ).json.Records.map((found) => found.Id).includes(role),
        true,
    );
});

test('Users, AddedUsers and RemovedUsers change those users, as one change', async () => {
    const room = await make(roomsPath, { Users: [userId, staff.lister] });
    assert.deepEqual((await server.get(userId)).ChatRooms.includes(room), true);
    const before = await server.get(staff.lister);
    const patch = (body) => call('PATCH', `${roomsPath}/${room}`, { body });
    assert.equal(
        (await patch({ AddedUsers: [staff.creator], RemovedUsers: [staff.lister] })).status,
        200,
    );
    assert.deepEqual((await get(roomsPath, room)).Users, [userId, staff.creator]);
    const after = await server.get(staff.lister);
    assert.ok(!after.ChatRooms.includes(room));
    assert.ok(
        Date.parse(after.UpdatedOn) >= Date.parse(before.UpdatedOn) &&
            after.UpdatedBy === adminEmail,
    );
    assert.equal((await patch({ Name: 'Renamed' })).status, 200);
    assert.deepEqual(
        (await get(roomsPath, room)).Users,
        [userId, staff.creator],
        'kept when omitted',
    );
    assert.equal((await patch({ Users: [] })).status, 200);
    assert.deepEqual((await get(roomsPath, room)).Users, []);
    assert.ok(!(await server.get(userId)).ChatRooms.includes(room));
    const rows = (
        await call(
            'GET',
            `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${staff.creator}&AuditTrailEntry_PropertyName=ChatRooms`,
        )
    ).json.Records;
    assert.ok(
        rows.some((row) => row.NewValue.includes(room)),
        'audited at the user',
    );
});

test('a role taken away from its side is gone with the next request', async () => {
    const role = await make(rolesPath, {
        Roles: (await call('GET', '/api/security/roles?size=200')).json.Records.filter((found) =>
            found.Name.startsWith('ChatRoom-'),
        ).map((found) => found.Id),
        Users: [staff.frontdesk],
    });
    const bearer = await server.token('frontdesk@example.com');
    assert.equal((await call('GET', roomsPath, { token: bearer })).status, 200);
    assert.equal(
        (await call('PATCH', `${rolesPath}/${role}`, { body: { RemovedUsers: [staff.frontdesk] } }))
            .status,
        200,
    );
    assertFailure(await call('GET', roomsPath, { token: bearer }), 403);
});

test('users who do not exist, and too many at once, are refused, and nothing is done', async () => {
    const role = await make(rolesPath, { Roles: [] });
    const patch = (body) => call('PATCH', `${rolesPath}/${role}`, { body });
    assertInvalid(
        await patch({ AddedUsers: [userId, 5] }),
        'AddedUsers',
        /no user with Id 5 exists/,
    );
    assertInvalid(await patch({ Users: 'all' }), 'Users', /must be/);
    assertInvalid(
        await patch({ AddedUsers: Array.from({ length: 1001 }, (_, i) => i + 1) }),
        'AddedUsers',
        /1000/,
    );
    assert.deepEqual((await get(rolesPath, role)).Users, []);
    assertInvalid(
        await call('POST', rolesPath, {
            body: { BusinessId: businessId, Name: 'New', Users: [5] },
        }),
        'Users',
        /no user with Id 5 exists/,
    );
});

test('a change from the other side needs the right to change the users as well', async () => {
    const permissions = (await call('GET', '/api/security/roles?size=200')).json.Records;
    const idsOf = (...names) =>
        names.map((name) => permissions.find((role) => role.Name === name).Id);
    const keeperRole = await make(rolesPath, {
        Roles: idsOf('UserRole-Edit', 'UserRole-Create', 'UserRole-Read'),
        Users: [staff.lister],
    });
    const keeper = await server.token('lister@example.com');
    const role = await make(rolesPath, { Roles: idsOf('UserRole-Read') });
    const patch = (body, bearer) => call('PATCH', `${rolesPath}/${role}`, { token: bearer, body });
    assert.equal((await patch({ Name: 'By the keeper' }, keeper)).status, 200);
    assert.equal(
        (
            await call('POST', rolesPath, {
                token: keeper,
                body: { BusinessId: businessId, Name: 'Own' },
            })
        ).status,
        200,
        'with no users',
    );
    assertFailure(await patch({ AddedUsers: [userId] }, keeper), 403);
    await call('PATCH', `${rolesPath}/${keeperRole}`, { body: { AddedRoles: idsOf('User-Edit') } });
    assert.equal((await patch({ AddedUsers: [userId] }, keeper)).status, 200);
    assertFailure(await patch({ AddedUsers: [adminId] }, keeper), 403);
    assert.equal((await patch({ AddedUsers: [adminId] }, token)).status, 200);
    for (const without of [{ RemovedUsers: [adminId] }, { Users: [] }, { Users: [userId] }])
        assertFailure(await patch(without, keeper), 403);
    assert.deepEqual(
        (await get(rolesPath, role)).Users.sort(),
        [adminId, userId].sort(),
        'nor is anything taken from who may not be changed',
    );
    assert.equal((await patch({ RemovedUsers: [userId] }, keeper)).status, 200);
    const stronger = await make(rolesPath, { Roles: idsOf('User-Delete') });
    assertFailure(
        await call('PATCH', `${rolesPath}/${stronger}`, {
            token: keeper,
            body: { AddedUsers: [staff.lister] },
        }),
        403,
    );
    assert.deepEqual((await get(rolesPath, stronger)).Users, []);
});

test('AddedRoles and RemovedRoles change a user role', async () => {
    const role = await make(rolesPath, { Roles: [1, 2] });
    await call('PATCH', `${rolesPath}/${role}`, { body: { AddedRoles: [3], RemovedRoles: [1] } });
    assert.deepEqual((await get(rolesPath, role)).Roles, [2, 3]);
});

test('a user role and a language show the name of their business, and are found by it', async () => {
    const business = await get('/api/sys/businesses', 301);
    const role = await make(rolesPath, { Name: 'Named', BusinessName: 'ignored' });
    assert.equal((await get(rolesPath, role)).BusinessName, business.Name);
    const found = (
        await call(
            'GET',
            `${rolesPath}?UserRole_BusinessName=${encodeURIComponent(business.Name)}&orderBy=BusinessName&size=100`,
        )
    ).json.Records;
    assert.ok(found.some((entry) => entry.Id === role && entry.BusinessName === business.Name));
    assert.ok(
        found.every((entry) =>
            entry.BusinessName.toLowerCase().includes(business.Name.toLowerCase()),
        ),
    );
});
