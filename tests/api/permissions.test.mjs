// Permissions: single roles, escalation, the last administrator.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { password } from '../lib/users.mjs';

const server = await Server.start();
const editor = await server.token('editor@example.com');
const manager = await server.token('manager@example.com');

function assertDenied(reply, property) {
    const { Errors } = assertDeniedEnvelope(reply);
    assert.deepEqual(
        Errors.map((error) => error.PropertyName),
        [property],
    );
}

function assertDeniedEnvelope(reply) {
    assert.equal(reply.status, 403, reply.text);
    assert.equal(reply.json.Status, 403);
    assert.equal(reply.json.WasSuccessful, false);
    return reply.json;
}

test('each single role opens its own operation and no other', async () => {
    const expected = {
        lister: [403, 403],
        reader: [200, 403],
        creator: [403, 403],
        editor: [403, 200],
        deleter: [403, 403],
        frontdesk: [200, 403],
        manager: [200, 200],
    };
    for (const [name, [get, put]] of Object.entries(expected)) {
        const token = await server.token(`${name}@example.com`);
        assert.equal(
            (await server.call('GET', `/api/sys/users/${userId}`, { token })).status,
            get,
            `${name} GET`,
        );
        assert.equal((await server.update(userId, {}, { token })).status, put, `${name} PUT`);
    }
});

test('an editor may not change IsAdmin', async () => {
    assertDenied(await server.update(userId, { IsAdmin: true }, { token: editor }), 'IsAdmin');
    assert.equal((await server.get(userId)).IsAdmin, false);
    assert.equal(
        (await server.update(userId, { IsAdmin: false }, { token: editor })).status,
        200,
        'as it is',
    );
});

test('an editor may not edit an unrestricted administrator', async () => {
    assertDenied(await server.update(adminId, { FullName: 'Owned' }, { token: editor }), 'Id');
    assert.equal((await server.get(adminId)).FullName, 'Administrator');
});

test("an editor may not change another user's password, but the own one", async () => {
    for (const name of ['NewPassword', 'Password'])
        assertDenied(
            await server.update(userId, { [name]: 'quite-good-pass' }, { token: editor }),
            name,
        );
    const own = await server.update(
        staff.editor,
        { NewPassword: 'quite-good-pass' },
        { token: editor },
    );
    assert.equal(own.status, 200, own.text);
    assert.equal(
        (await server.update(userId, {}, { token: editor })).status,
        401,
        'which ends the own session too',
    );
    await server.update(staff.editor, { NewPassword: password });
});

test('nobody gives a role with a permission that the giver lacks', async () => {
    const token = await server.token('editor@example.com');
    for (const property of ['UserRoles', 'AddedUserRoles']) {
        assertDenied(await server.update(userId, { [property]: [407] }, { token }), property);
        assertDenied(
            await server.update(staff.editor, { [property]: [404, 405] }, { token }),
            property,
        );
    }
    assert.equal(
        (await server.update(userId, { UserRoles: [404] }, { token })).status,
        200,
        'the own one may be given',
    );
    assert.equal(
        (await server.update(userId, { UserRoles: [402, 404] }, { token: manager })).status,
        200,
        'what one has in sum',
    );
    assert.equal(
        (await server.update(userId, { RemovedUserRoles: [402], AddedUserRoles: [404] }, { token }))
            .status,
        200,
    );
    assert.equal((await server.update(userId, { UserRoles: [] }, { token })).status, 200);
});

test('403 comes before 400, 400 before 412, and 404 before all of them', async () => {
    const token = await server.token('editor@example.com');
    const stale = { 'If-Match': '"0-0"' };
    assertDenied(
        await server.update(userId, { IsAdmin: true, Language: 9 }, { token, headers: stale }),
        'IsAdmin',
    );
    assertInvalid(
        await server.update(userId, { Language: 9 }, { token, headers: stale }),
        'Language',
        /must be one of/,
    );
    assertFailure(await server.update(userId, {}, { token, headers: stale }), 412);
    assertFailure(
        await server.update(
            userId,
            { Id: 5, Language: 9, IsAdmin: true },
            { token, headers: stale },
        ),
        404,
    );
});

test('nobody puts a role into a user role that the giver lacks, by whatever member and method', async () => {
    const admin = await server.admin(),
        call = (method, path, body, token) => server.call(method, path, { token, body });
    const roles = Object.fromEntries(
        (await call('GET', '/api/security/roles?size=1000', undefined, admin)).json.Records.map(
            ({ Name, Id }) => [Name, Id],
        ),
    );
    const of = (...names) => names.map((name) => roles[name]);
    const granted = of('UserRole-Edit', 'UserRole-Create', 'UserRole-Read', 'User-List'),
        beyond = of('User-Edit');
    const made = async (body) =>
        (
            await call(
                'POST',
                '/api/security/userroles',
                { BusinessId: businessId, Name: 'Guarded', ...body },
                admin,
            )
        ).json.Value.Id;
    const own = await made({ Roles: granted }),
        other = await made({ Roles: of('User-List') });
    assert.equal(
        (await call('PATCH', `/api/sys/users/${staff.creator}`, { UserRoles: [own] }, admin))
            .status,
        200,
    );
    const token = await server.token('creator@example.com');
    for (const id of [own, other])
        for (const member of ['Roles', 'AddedRoles']) {
            const whole = { BusinessId: businessId, Name: 'Guarded', Id: id };
            assertDenied(
                await call('PATCH', `/api/security/userroles/${id}`, { [member]: beyond }, token),
                member,
            );
            assertDenied(
                await call(
                    'PATCH',
                    `/api/security/userroles/${id}`,
                    { [member]: [...granted, ...beyond] },
                    token,
                ),
                member,
            );
            assertDenied(
                await call('PUT', '/api/security/userroles', { ...whole, [member]: beyond }, token),
                member,
            );
            assertDenied(
                await call(
                    'POST',
                    '/api/security/userroles',
                    { BusinessId: businessId, Name: 'More', [member]: beyond },
                    token,
                ),
                member,
            );
            assertDenied(
                await call(
                    'PATCH',
                    `/api/security/userroles/${id}`,
                    { RemovedRoles: beyond, [member]: beyond },
                    token,
                ),
                member,
            );
        }
    const stored = async (id) =>
        (await call('GET', `/api/security/userroles/${id}`, undefined, admin)).json.Roles;
    assert.deepEqual(
        [new Set(await stored(own)), await stored(other)],
        [new Set(granted), of('User-List')],
    );
    assert.equal(
        (
            await call(
                'PATCH',
                `/api/security/userroles/${other}`,
                { AddedRoles: of('UserRole-Edit') },
                token,
            )
        ).status,
        200,
        'what one has may be given',
    );
    assert.equal(
        (
            await call(
                'PATCH',
                `/api/security/userroles/${other}`,
                { RemovedRoles: of('UserRole-Edit') },
                token,
            )
        ).status,
        200,
    );
});

test('the last active unrestricted administrator cannot be deactivated or demoted, not even by itself', async () => {
    assertInvalid(
        await server.update(adminId, { Active: false }),
        'Active',
        /last active unrestricted administrator/,
    );
    assertInvalid(
        await server.update(adminId, { IsAdmin: false }),
        'IsAdmin',
        /last active unrestricted administrator/,
    );
    assertInvalid(
        await server.update(adminId, { IsAdmin: null }),
        'IsAdmin',
        /last active unrestricted administrator/,
    );
    assert.equal((await server.update(staff.manager, { IsAdmin: true })).status, 200);
    assert.equal(
        (await server.update(adminId, { Active: false, IsAdmin: false })).status,
        200,
        'with another one it can',
    );
    server.adminToken = server.token('manager@example.com');
    assertInvalid(
        await server.update(staff.manager, { IsAdmin: false }),
        'IsAdmin',
        /last active unrestricted administrator/,
    );
});
