// Applications (docs/api.md "applications"): their developers, their secret and the roles that they
// ask for.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, businessId, staff } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';
import { addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
const token = await server.admin();
const path = '/api/apps/applications';
const call = (method, to, body, options) => server.call(method, to, { token, body, ...options });
const body = {
    DeveloperId: staff.manager,
    Name: 'Lockers',
    ShortDescription: 'Opens lockers',
    InstallUrl: 'https://lockers.example.com/',
};
async function make(more) {
    const reply = await call('POST', path, { ...body, ...more });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value.Id;
}
const get = async (id) => (await call('GET', `${path}/${id}`)).json;

test('an application has the documented members', async () => {
    const id = await make({
        Published: true,
        ApplicationKey: 'lockers-1',
        Description: 'Two\nlines',
        RequiredRoles: [2, 1],
    });
    const {
        Id,
        DeveloperId,
        Name,
        Published,
        ApplicationKey,
        SecretKey,
        ShortDescription,
        Description,
        InstallUrl,
        RequiredRoles,
    } = await get(id);
    assert.deepEqual(
        [
            Id,
            DeveloperId,
            Name,
            Published,
            ApplicationKey,
            SecretKey,
            ShortDescription,
            Description,
            InstallUrl,
        ],
        [
            id,
            staff.manager,
            'Lockers',
            true,
            'lockers-1',
            null,
            'Opens lockers',
            'Two\nlines',
            'https://lockers.example.com/',
        ],
    );
    assert.deepEqual(RequiredRoles.sort(), [1, 2]);
    const [listed] = (await call('GET', `${path}?Id=${id}`)).json.Records;
    assert.ok(!('RequiredRoles' in listed) && listed.ApplicationKey === 'lockers-1');
    assert.equal((await call('PUT', path, await get(id))).status, 200, 'a GET is a legal PUT');
});

test('create and update ask for what is starred', async () => {
    const id = await make();
    for (const [method, more] of [
        ['POST', {}],
        ['PUT', { Id: id }],
    ]) {
        const { Errors } = (await call(method, path, more)).json;
        const names = Errors.map((error) => error.PropertyName.replace(/Id$/, ''));
        assert.deepEqual(names.sort(), ['Developer', 'InstallUrl', 'Name', 'ShortDescription']);
    }
    assertInvalid(
        await call('PATCH', `${path}/${id}`, { DeveloperId: 5 }),
        'DeveloperId',
        /no user with Id 5 exists/,
    );
});

test('SecretKey is sealed, and neither shown, found, nor told to the audit trail', async () => {
    const secret = 'the-lockers-own-secret';
    const id = await make({ SecretKey: secret });
    const before = await get(id);
    assert.equal(before.SecretKey, null);
    assert.equal((await call('PATCH', `${path}/${id}`, { SecretKey: `${secret}-2` })).status, 200);
    assert.equal((await call('GET', `${path}?Application_SecretKey=${secret}`)).json.TotalItems, 0);
    const trail = (
        await call(
            'GET',
            `/api/sys/audittrailentries?AuditTrailEntry_EntityShortName=Application&AuditTrailEntry_EntityId=${id}&AuditTrailEntry_PropertyName=SecretKey`,
        )
    ).json.Records;
    assert.deepEqual(
        trail.map((row) => [row.OldValue, row.NewValue]),
        [[null, 'changed']],
    );
    assertInvalid(
        await call('PATCH', `${path}/${id}`, { SecretKey: 5 }),
        'SecretKey',
        /must be a string/,
    );
    assert.deepEqual(server.found([secret]), []);
    assert.ok(!server.stderr.includes(secret));
});

test('RequiredRoles: replaced, added to and taken from; roles that do not exist are errors', async () => {
    const id = await make({ RequiredRoles: [1, 2, 3] });
    const patch = (more) => call('PATCH', `${path}/${id}`, more);
    await patch({ AddedRequiredRoles: [4, 1], RemovedRequiredRoles: [2] });
    assert.deepEqual((await get(id)).RequiredRoles.sort(), [1, 3, 4]);
    await patch({ RequiredRoles: [5] });
    assert.deepEqual((await get(id)).RequiredRoles, [5]);
    assertInvalid(
        await patch({ AddedRequiredRoles: [999] }),
        'AddedRequiredRoles',
        /no role with Id 999 exists/,
    );
    assert.deepEqual(
        (await call('GET', `${path}?Application_RequiredRoles=5`)).json.Records.map(
            (row) => row.Id,
        ),
        [id],
    );
});

test('GET /api/apps/applications/my: a search of those that the caller develops', async () => {
    const role = (
        await call('POST', '/api/security/userroles', {
            BusinessId: businessId,
            Name: 'Developers',
            Roles: [31],
        })
    ).json.Value.Id;
    await server.update(staff.reader, { AddedUserRoles: [role] });
    const reader = await server.token('reader@example.com');
    const mine = async (query = '') =>
        (await call('GET', `${path}/my?${query}`, undefined, { token: reader })).json;
    const empty = await mine();
    assert.deepEqual(Object.keys(empty), Object.keys((await call('GET', path)).json));
    assert.deepEqual([empty.Records, empty.TotalItems], [[], 0]);
    const ids = [];
    for (let i = 0; i < 5; i++)
        ids.push(await make({ DeveloperId: staff.reader, Name: `Mine ${i}` }));
    assert.deepEqual(
        (await mine()).Records.map((row) => row.Id),
        ids,
    );
    assert.deepEqual(
        (await mine('size=2&page=2')).Records.map((row) => row.Id),
        ids.slice(2, 4),
    );
    assert.deepEqual(
        (await mine('Application_Name=mine 3')).Records.map((row) => row.Id),
        [ids[3]],
    );
    assert.equal((await mine(`Application_Developer=${adminId}`)).TotalItems, 0);
    // Pages of this and of all applications do not begin where the other's ended.
    const all = (await call('GET', `${path}?size=2`, undefined, { token: reader })).json;
    assert.deepEqual(
        (await mine('size=2&page=2')).Records.map((row) => row.Id),
        ids.slice(2, 4),
    );
    assert.ok(all.Records[1].Id < ids[0]);
    assert.ok(
        (await call('GET', `${path}/my`)).json.Records.every((row) => row.DeveloperId === adminId),
    );
    assert.deepEqual(
        (await call('GET', `${path}/my?id=[701,${ids[0]}]`)).json.map((row) => [
            row.Id,
            row.RequiredRoles,
        ]),
        [[701, []]],
        'a batch, of its own',
    );
    assertFailure(
        await call('GET', `${path}/my?id=[${ids[0]}]`, undefined, { token: reader }),
        403,
    );
    assertFailure(
        await call('GET', `${path}/my`, undefined, {
            token: await server.token('lister@example.com'),
        }),
        403,
    );
    assertFailure(await server.call('GET', `${path}/my`), 401);
    assertFailure(await call('DELETE', `${path}/my`), 405);
});

test('the developer of an application is not deleted, and the message names the application', async () => {
    const made = await call(
        'POST',
        '/api/sys/users',
        userBody({ FullName: 'Devi Developer', Email: 'devi@example.com' }),
    );
    const developer = made.json.Value.Id,
        id = await make({ DeveloperId: developer });
    assert.match(
        assertFailure(await call('DELETE', `/api/sys/users/${developer}`), 409).Message,
        new RegExp(`still used by 1 application: Lockers \\(${id}\\)`),
    );
    await call('DELETE', `${path}/${id}`);
    assert.equal((await call('DELETE', `/api/sys/users/${developer}`)).status, 200);
});

test('InstallUrl is an http or https URL, or an IRI, which is kept as the URL that it stands for', async () => {
    for (const wrong of [
        'javascript:alert(1)',
        'data:text/html,x',
        'ftp://example.com/',
        'example.com',
        '//example.com/',
        'https://user@example.com/',
        ' https://example.com/',
    ])
        assertInvalid(
            await call('POST', '/api/apps/applications', { ...body, InstallUrl: wrong }),
            'InstallUrl',
            /^must be an http or https URL$/,
        );
    const reply = await call('POST', '/api/apps/applications', {
        ...body,
        InstallUrl: 'https://bücher.example/größe?x=ä',
    });
    assert.equal(
        (await get(reply.json.Value.Id)).InstallUrl,
        'https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe?x=%C3%A4',
    );
});
