// A person who may use one kind of records, and nothing else, sees all of its screens without a request that the server
// refuses: names of other records are Ids there, and what cannot be done is not offered.
import test from 'node:test';
import assert from 'node:assert/strict';
import { add } from '../lib/world.mjs';
import { businessId, staff } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { createPerson } from '../lib/users.mjs';
import { Ui } from './ui.mjs';

const server = await Server.start();
const token = await server.admin();
const all = (await server.call('GET', '/api/security/roles?size=1000', { token })).json.Records;
const idOf = Object.fromEntries(all.map(({ Name, Id }) => [Name, Id]));
await add(server, 'chat_rooms', 501, {
    Name: 'A room',
    BusinessId: businessId,
    Users: [staff.lister],
});
await server.call('PATCH', `/api/sys/users/${staff.lister}`, {
    token,
    body: { Businesses: [businessId] },
});

// Somebody who has these permissions, in a browser.
async function open(permissions) {
    const role = await server.call('POST', '/api/security/userroles', {
        token,
        body: {
            Name: permissions.join(),
            BusinessId: businessId,
            Roles: permissions.map((name) => idOf[name]),
        },
    });
    const { email } = await createPerson(server, token, 'walker', {
        UserRoles: [role.json.Value.Id],
    });
    const ui = await Ui.open(server);
    await ui.signedIn(email);
    ui.page.complaints.length = 0;
    return ui;
}

// Nothing is being loaded any more, neither the view nor a name.
const rest = (ui) =>
    ui.wait(
        "![...document.querySelectorAll('main *')].some((one) => ['…', 'Loading…'].includes(one.innerText?.trim()))",
    );

async function visit(ui, hash, selector) {
    await ui.go(hash, selector);
    await rest(ui);
    for (const tab of await ui.evaluate(
        "[...document.querySelectorAll('[role=tab]')].map(({ id }) => id)",
    )) {
        await ui.click(`#${tab}`);
        await ui.wait(`document.querySelector('#${tab}[aria-selected=true]')`);
        await rest(ui);
        for (const id of await ui.evaluate(
            "[...document.querySelectorAll('[role=combobox]')].map(({ id }) => id)",
        )) {
            await ui.type(`#${id}`, 'a');
            await ui.wait("document.querySelector('.popup')");
            await ui.key('Escape');
        }
    }
}

for (const [entity, path, id] of [
    ['User', 'users', staff.lister],
    ['UserRole', 'roles', 401],
    ['ChatRoom', 'chatrooms', 501],
])
    test(`all permissions on ${entity} and no other`, async () => {
        const operations = ['List', 'Read', 'Create', 'Edit'];
        const ui = await open(operations.map((name) => `${entity}-${name}`));
        await visit(ui, `#/${path}`, 'tbody tr');
        for (const hash of [`#/${path}/${id}`, `#/${path}/new`])
            await visit(ui, hash, '[role=tab]');
        assert.doesNotMatch(
            await ui.evaluate("document.querySelector('header').innerText"),
            /Audit|Overview/,
        );
        for (const hash of [
            '#/audit',
            '#/overview',
            '#/settings',
            '#/webhooks',
            '#/webhooks/1',
            '#/webhooks/new',
        ]) {
            await ui.go(hash, 'main p');
            await ui.sees('You have no permission to see this.', 'main');
        }
        assert.deepEqual(ui.page.complaints, []);
        await ui.close();
    });

test('the Id of a record whose name is hidden is typed', async () => {
    const ui = await open(['ChatRoom-List', 'ChatRoom-Read', 'ChatRoom-Create', 'ChatRoom-Edit']);
    await ui.go('#/chatrooms/new', '#field-Name');
    await ui.type('#field-Name', 'By its Id');
    await ui.type('#field-BusinessId', `${businessId}`);
    await ui.button('Create');
    await ui.sees('By its Id', 'h1');
    assert.equal(
        await ui.evaluate("document.querySelector('#field-BusinessId').value"),
        `${businessId}`,
    );
    assert.deepEqual(ui.page.complaints, []);
    await ui.close();
});
