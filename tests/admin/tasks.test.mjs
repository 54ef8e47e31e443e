// The main tasks in the admin UI, done by a person in a real browser: signing in, finding, creating, changing, deleting,
// undoing. A lost connection, an ended session and another person's change lose nothing of it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { addMembers, addNeighbours } from '../lib/world.mjs';
import { adminId, userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, totp, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';
import { Ui } from './ui.mjs';

let isReceiving = false;
const receiver = await startWebhookReceiver(() => (isReceiving ? 200 : 503));
const server = await Server.start(['--webhook-hosts', receiver, '--webhook-retry', '20']);
const token = await server.admin();
await addNeighbours(server);
await addMembers(server, 60);
const value = (ui, selector) =>
    ui.evaluate(`document.querySelector(${JSON.stringify(selector)}).value`);

let count = 0;
async function person(more = {}) {
    const Email = `person${++count}@example.com`;
    const { status, json, text } = await server.call('POST', '/api/sys/users', {
        token,
        body: userBody({
            FullName: `Person ${count}`,
            Email,
            Active: true,
            APIAccess: true,
            NewPassword: password,
            ...more,
        }),
    });
    assert.equal(status, 200, text);
    return { id: json.Value.Id, email: Email };
}
async function signedIn(options) {
    const ui = await Ui.open(server, options);
    await ui.signedIn();
    return ui;
}

test('signing in: a wrong password, a code, a new password that is due', async () => {
    const TwoFactorSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
    const { email } = await person({ TwoFactorSecret, MustResetPassword: true });
    const ui = await Ui.open(server);
    await ui.signIn(email, 'wrong');
    await ui.sees('is wrong', '[role=alert]');
    await ui.type('#password', password);
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'code'");
    await ui.check('sign-in-code', { complaints: ui.page.complaints });
    await ui.type('#code', '1');
    await ui.key('Enter');
    await ui.sees('code is wrong', '[role=alert]');
    await ui.type('#code', totp(TwoFactorSecret).replace(/^(...)/, '$1 ')); // as apps show it
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'new'");
    await ui.check('sign-in-new', { complaints: ui.page.complaints });
    await ui.type('#new', 'short');
    await ui.key('Enter');
    await ui.sees('At least 8 characters.', '[role=alert]');
    await ui.type('#new', 'correct horse battery');
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'code'"); // a code works once
    await ui.close();
});

test('the search answers as one types, and an old answer never overwrites a newer one', async () => {
    const ui = await signedIn();
    await ui.go('#/users', 'tbody tr');
    // The answer to "Member 1" arrives after the one to "Member 11".
    await ui.evaluate(`{ const whole = window.fetch; window.late = [];
        window.fetch = (path, options) => whole(path, { ...options, signal: undefined }).then((reply) =>
            new URL(path, location).searchParams.get('User_FullName') === 'Member 1' ? new Promise((resolve) => { window.late.push(() => resolve(reply)); }) : reply); }`);
    await ui.type('#search', 'Member 1');
    await ui.wait('window.late.length === 1');
    await ui.page.send('Input.insertText', { text: '1' });
    const rows = "[...document.querySelectorAll('tbody a')].map((one) => one.innerText).join()";
    await ui.wait(`${rows} === 'Member 11'`);
    await ui.evaluate('window.late.forEach((go) => go())');
    await ui.evaluate('new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))');
    assert.equal(await ui.evaluate(rows), 'Member 11');
    await ui.type('#search', 'member12@');
    await ui.wait(`${rows} === 'Member 12'`);
    await ui.close();
});

test('order, page and search stand in the address: reload and the back button bring the same view', async () => {
    const ui = await signedIn();
    await ui.go('#/users?size=10', 'tbody tr');
    await ui.click('th button', 'Full name');
    await ui.wait("document.querySelector('th[aria-sort=ascending]')");
    await ui.click('th[aria-sort=ascending] button');
    await ui.wait(
        "document.querySelector('th[aria-sort=descending]') && document.querySelector('tbody a').innerText.startsWith('The ')",
    );
    await ui.button('›\nNext page');
    await ui.wait("location.hash.includes('page=2')");
    await ui.sees('11 to 20 of', 'main');
    const hash = await ui.evaluate('location.hash');
    await ui.page.send('Page.reload');
    await ui.sees('11 to 20 of', 'main');
    await ui.evaluate('history.back()');
    await ui.sees('1 to 10 of', 'main');
    await ui.evaluate('history.forward()');
    await ui.wait(`location.hash === ${JSON.stringify(hash)}`);
    await ui.sees('11 to 20 of', 'main');
    await ui.close();
});

test('a page of the history stands in the address', async () => {
    const { id } = await person();
    for (let i = 0; i < 26; i++)
        await server.call('PATCH', `/api/sys/users/${id}`, { token, body: { SystemId: `s-${i}` } });
    const ui = await signedIn();
    await ui.go(`#/users/${id}?tab=History`, '#panel tbody tr');
    await ui.sees('s-25', '#panel');
    await ui.button('Next page');
    await ui.sees('Created', '#panel');
    await ui.page.send('Page.reload');
    await ui.wait("document.querySelector('#panel tbody tr')");
    await ui.misses('s-25', '#panel');
    await ui.sees('Created', '#panel');
    await ui.evaluate('history.back()');
    await ui.sees('s-25', '#panel');
    await ui.close();
});

test('a user is created, found and changed; errors stand at their fields', async () => {
    const ui = await signedIn();
    await ui.go('#/users', 'tbody tr');
    await ui.button('New user');
    await ui.type('#field-FullName', 'Zoë Ångström');
    await ui.type('#field-Email', adminEmail);
    await ui.button('Create');
    await ui.sees('Another user has this e-mail address.', '#field-Email-error');
    assert.equal(
        await ui.evaluate(
            "document.querySelector('#field-Email').getAttribute('aria-describedby')",
        ),
        'field-Email-error',
    );
    await ui.wait("document.activeElement.getAttribute('role') === 'alert'");
    await ui.check('user-error', { complaints: ui.page.complaints });
    await ui.click('.banner button', 'E-mail address');
    await ui.wait("document.activeElement.id === 'field-Email'");
    await ui.type('#field-Email', 'zoe@example.com');
    await ui.button('Create');
    await ui.sees('Zoë Ångström', 'h1');
    await ui.click('[role=tab]', 'Access');
    await ui.click('label', 'API access');
    await ui.type('#field-UserRoles', 'May reader');
    await ui.click('[role=option]', 'May reader');
    await ui.sees('May reader', '.chips');
    await ui.key('Escape');
    await ui.key('s', { modifiers: 2 });
    await ui.sees('Saved.', '[role=status].notice');
    const id = Number(/\d+/.exec(await ui.evaluate('location.hash'))[0]);
    const stored = await server.get(id);
    assert.deepEqual([stored.APIAccess, stored.UserRoles, stored.Active], [true, [402], true]);
    await ui.close();
});

test('an error stands at its field in the language of the page', async () => {
    const { id } = await person();
    const ui = await signedIn({ language: 'es' });
    await ui.go(`#/users/${id}?tab=Access`, '#field-TwoFactorSecret');
    await ui.type('#field-TwoFactorSecret', 'no base32!');
    await ui.button('Guardar');
    await ui.sees('Base32 de 80 a 512 bits', '#field-TwoFactorSecret-error');
    await ui.click('[role=tab]', 'Datos');
    await ui.type('#field-NewAvatarUrl', 'ftp://example.com/');
    await ui.button('Guardar');
    await ui.sees('Una dirección que empiece por http', '#field-NewAvatarUrl-error');
    await ui.close();
});

test('what somebody else has saved meanwhile stands beside mine, and I choose for each field', async () => {
    const { id } = await person();
    const ui = await signedIn();
    await ui.go(`#/users/${id}`, '#field-FullName');
    await ui.type('#field-FullName', 'Mine');
    await ui.type('#field-SystemId', 'mine-1');
    await server.call('PATCH', `/api/sys/users/${id}`, {
        token,
        body: { FullName: 'Theirs', Devices: 'a phone', SystemId: 'theirs-1' },
    });
    await ui.button('Save');
    await ui.sees('Somebody else has changed this record', '[role=dialog]');
    await ui.check('user-conflict', { complaints: ui.page.complaints });
    await ui.click('[role=dialog] label', 'theirs-1');
    await ui.button('Keep what is chosen');
    assert.equal(await value(ui, '#field-FullName'), 'Mine');
    assert.equal(await value(ui, '#field-Devices'), 'a phone');
    await ui.button('Save');
    await ui.sees('Saved.');
    const stored = await server.get(id);
    assert.deepEqual(
        [stored.FullName, stored.Devices, stored.SystemId],
        ['Mine', 'a phone', 'theirs-1'],
    );
    await ui.close();
});

test('a session that ended elsewhere, and a lost connection, lose nothing that was typed', async () => {
    const { id } = await person();
    const ui = await signedIn();
    await ui.go(`#/users/${id}`, '#field-FullName');
    await ui.type('#field-FullName', 'Typed Before');
    await ui.page.send('Network.emulateNetworkConditions', {
        offline: true,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput: -1,
    });
    await ui.button('Save');
    await ui.sees('cannot be reached', '[role=alert]');
    await ui.page.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput: -1,
    });
    const session = await ui.page.send('Network.getCookies');
    const cookie = session.cookies.find(({ name }) => name === 'roster-session');
    assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict' && !cookie.domain.startsWith('.'));
    assert.equal(await ui.evaluate('document.cookie'), '', 'no script reads it');
    const ended = await server.call('DELETE', '/api/auth/session', {
        headers: { 'Roster-Session': 'http', Cookie: `roster-session=${cookie.value}` },
    });
    assert.equal(ended.status, 200);
    await ui.button('Save');
    await ui.sees('Your session has ended', '[role=dialog]');
    await ui.check('session-ended', { complaints: ui.page.complaints });
    await ui.type('#email', adminEmail);
    await ui.type('#password', password);
    await ui.key('Enter');
    await ui.wait("!document.querySelector('[role=dialog]')");
    assert.equal(await value(ui, '#field-FullName'), 'Typed Before');
    await ui.button('Save');
    await ui.sees('Saved.');
    assert.equal((await server.get(id)).FullName, 'Typed Before');
    await ui.close();
});

test('a change is undone from the history, and the record says who did it', async () => {
    const { id } = await person({ FullName: 'As It Was' });
    await server.call('PATCH', `/api/sys/users/${id}`, {
        token,
        body: { FullName: 'As It Is', OnNewEmail: true, UserRoles: [402] },
    });
    const ui = await signedIn();
    await ui.go(`#/users/${id}?tab=History`, '#panel tbody tr:nth-child(3)');
    for (const [what, is] of [
        ['Full name', ({ FullName }) => FullName === 'As It Was'],
        ['New e-mail', ({ OnNewEmail }) => !OnNewEmail],
        ['Roles', ({ UserRoles }) => !UserRoles.length],
    ]) {
        await ui.evaluate(
            `[...document.querySelectorAll('#panel tbody tr')].find((row) => row.cells[2].innerText === ${JSON.stringify(what)} && row.querySelector('button')).querySelector('button').id = 'undo'`,
        );
        await ui.click('#undo');
        await ui.sees('Undo this change?', '[role=alertdialog]');
        await ui.click('[role=alertdialog] button', 'Undo');
        await ui.wait("!document.querySelector('#undo')");
        assert.ok(is(await server.get(id)), what);
    }
    await ui.close();
});

test('all of one change is undone at once, with roles by their names, and not over a later value unasked', async () => {
    const { id } = await person({ FullName: 'As It Was', UserRoles: [401] });
    const change = (body) => server.call('PATCH', `/api/sys/users/${id}`, { token, body });
    await change({ FullName: 'As It Is', SystemId: 's-1', UserRoles: [402] });
    const ui = await signedIn();
    await ui.go(`#/users/${id}?tab=History`, '#panel tbody tr:nth-child(3)');
    await ui.sees('May reader', '#panel');
    await change({ SystemId: 's-2' }); // while the page shows the record as it was
    await ui.button('Undo all 3…');
    await ui.sees('3 fields get back', '[role=alertdialog]');
    await ui.sees('May lister', '[role=alertdialog] dl');
    await ui.misses('later value', '[role=alertdialog]');
    await ui.check('undo-all', { complaints: ui.page.complaints });
    await ui.click('[role=alertdialog] button', 'Undo');
    await ui.sees('later value is replaced', '[role=alertdialog]');
    assert.equal((await server.get(id)).FullName, 'As It Is');
    await ui.click('[role=alertdialog] button', 'Undo');
    await ui.wait("!document.querySelector('[role=alertdialog]')");
    await ui.sees('As It Was', 'h1');
    const { FullName, SystemId, UserRoles } = await server.get(id);
    assert.deepEqual([FullName, SystemId, UserRoles], ['As It Was', null, [401]]);
    await ui.close();
});

test('deleting says what will happen, and asks; leaving what is unsaved asks, too', async () => {
    const { id } = await person({ FullName: 'To Be Deleted' });
    const ui = await signedIn();
    await ui.go(`#/users/${id}`, '#field-FullName');
    await ui.type('#field-FullName', 'Unsaved');
    await ui.click('nav a', 'Roles');
    await ui.sees('Leave without saving?', '[role=alertdialog]');
    await ui.check('leave', { complaints: ui.page.complaints });
    await ui.button('Stay');
    await ui.wait("!document.querySelector('[role=alertdialog]')");
    assert.equal(await value(ui, '#field-FullName'), 'Unsaved');
    await ui.button('Discard changes');
    await ui.button('Delete…');
    await ui.sees('Delete To Be Deleted?', '[role=alertdialog]');
    await ui.key('Escape');
    await ui.wait(
        "!document.querySelector('[role=alertdialog]') && document.activeElement.innerText.startsWith('Delete')",
    );
    await ui.button('Delete…');
    await ui.click('[role=alertdialog] button', 'Delete');
    await ui.wait("location.hash === '#/users'");
    assert.equal((await server.call('GET', `/api/sys/users/${id}`, { token })).status, 404);
    await ui.close();
});

test('commands are run on several users after a question, and tell what was refused', async () => {
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await person({ FullName: `Bulk ${i}` })).id);
    const ui = await signedIn();
    await ui.go('#/users?q=Bulk&sort=FullName', 'tbody tr:nth-child(3)');
    await ui.click('tbody tr:nth-child(1) .tick');
    await ui.click('tbody tr:nth-child(3) .tick');
    await ui.sees('2 chosen', 'main');
    await ui.click('.chosen button[aria-haspopup=menu]');
    await ui.click('[role=menuitem]', 'Deactivate…');
    await ui.sees('This is done to 2 users.', '[role=alertdialog]');
    await ui.check('bulk', { complaints: ui.page.complaints });
    await ui.click('[role=alertdialog] button', 'Deactivate');
    await ui.sees('Done for 2.', '.notice');
    assert.deepEqual(await Promise.all(ids.map(async (id) => (await server.get(id)).Active)), [
        false,
        true,
        false,
    ]);
    await ui.go('#/users?q=Bulk%200&active=no', 'tbody tr');
    const last = (await server.call('GET', '/api/sys/users?User_IsAdmin=true', { token })).json;
    assert.equal(last.TotalItems, 1);
    await ui.go(`#/users/${last.Records[0].Id}`, '#field-FullName');
    await ui.click('main button[aria-haspopup=menu]');
    await ui.click('[role=menuitem]', 'Deactivate…');
    await ui.click('[role=alertdialog] button', 'Deactivate');
    await ui.sees('last active unrestricted administrator', '.banner');
    await ui.close();
});

test("a user's session is ended from the record, and no other", async () => {
    const { id, email } = await person();
    const grant = async (client_id) =>
        (await server.grant({ grant_type: 'password', username: email, password, client_id })).json
            .access_token;
    const tokens = [await grant('phone'), await grant('laptop')];
    const ui = await signedIn();
    await ui.go(`#/users/${id}?tab=Sessions`, '#panel tbody tr:nth-child(2)');
    await ui.evaluate(
        "[...document.querySelectorAll('#panel tr')].find((row) => row.innerText.includes('phone')).querySelector('button').id = 'end'",
    );
    await ui.click('#end');
    await ui.sees('client phone', '[role=alertdialog]');
    await ui.click('[role=alertdialog] button', 'End');
    await ui.misses('phone', '#panel');
    const status = (token) => server.call('GET', '/api/auth/session', { token });
    assert.deepEqual(
        (await Promise.all(tokens.map(status))).map((reply) => reply.status),
        [401, 200],
    );
    await ui.close();
});

test('a role gets permissions, by the keyboard alone', async () => {
    const made = await server.call('POST', '/api/security/userroles', {
        token,
        body: { BusinessId: 301, Name: 'By Keys', Roles: [1] },
    });
    const id = made.json.Value.Id;
    const ui = await signedIn();
    await ui.go(`#/roles/${id}`, 'main table input');
    await ui.evaluate("document.querySelector('.skip').focus()");
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'content'");
    const label = "document.activeElement.closest('label')?.innerText.trim()";
    for (let i = 0; i < 60 && (await ui.evaluate(label)) !== 'Users: Read'; i++)
        await ui.key('Tab');
    assert.equal(await ui.evaluate(label), 'Users: Read');
    await ui.key(' ');
    for (
        let i = 0;
        i < 90 && (await ui.evaluate('document.activeElement.innerText')) !== 'Save';
        i++
    )
        await ui.key('Tab');
    await ui.key('Enter');
    await ui.sees('Saved.');
    const stored = await server.call('GET', `/api/security/userroles/${id}`, { token });
    assert.deepEqual(stored.json.Roles, [1, 2]);
    await ui.close();
});

test('a webhook is created, tested, and a delivery is made again; what is refused says why', async () => {
    const ui = await signedIn();
    await ui.go('#/webhooks/new', '#field-Name');
    await ui.type('#field-Name', 'To the directory');
    await ui.type('#field-URL', `http://${receiver}/`);
    await ui.evaluate(
        "{ const select = document.querySelector('#field-Action'); select.value = '1003'; select.dispatchEvent(new Event('change')); }",
    );
    await ui.type('#field-BusinessId', 'The House');
    await ui.click('[role=option]', 'The House');
    await ui.button('Create');
    await ui.sees('To the directory', 'h1');
    await ui.click('[role=tab]', 'Deliveries');
    await ui.button('Send a test');
    await ui.sees('Pending', '#panel tbody');
    await ui.button('Send a test');
    await ui.sees('has a test that was not delivered yet', '[role=alert]');
    isReceiving = true;
    await ui.sees('Delivered', '#panel tbody'); // the page looks again by itself
    await ui.click('#panel summary');
    await ui.sees('Test delivery', '#panel pre');
    isReceiving = false;
    await ui.button('Deliver again…');
    await ui.click('[role=alertdialog] button', 'Deliver again');
    await ui.sees('503', '#panel tbody');
    isReceiving = true;
    await ui.sees('Delivered', '#panel tbody');
    const id = Number(/\d+/.exec(await ui.evaluate('location.hash'))[0]);
    await server.call('PATCH', `/api/sys/webhooks/${id}`, { token, body: { Active: false } });
    await ui.button('Send a test');
    await ui.sees('only an active webhook gets deliveries', '[role=alert]');
    await ui.page.send('Page.reload');
    await ui.sees('This webhook is not active', '#panel');
    assert.ok(!(await ui.text()).includes('Send a test'), 'what cannot be done is not offered');
    await ui.go(`#/webhooks/${id}?tab=History`, '#panel tbody tr');
    await ui.sees('Test delivery', '#panel');
    await ui.sees('Delivered again', '#panel');
    await ui.close();
});

test('the columns of a list are chosen, stand in the address, and are remembered', async () => {
    const ui = await signedIn();
    const heads =
        "[...document.querySelectorAll('thead th:not(.choice)')].map((one) => one.innerText.trim()).filter(Boolean).join()";
    await ui.go('#/users', 'tbody tr');
    await ui.click('.tools button[aria-haspopup=menu]');
    await ui.click('[role=menuitemcheckbox]', 'Default business');
    await ui.click('[role=menuitemcheckbox]', 'E-mail address');
    await ui.check('columns', { complaints: ui.page.complaints });
    await ui.key('Escape');
    const chosen = 'Full name,Active,Last access,Changed,Default business';
    await ui.wait(`${heads} === '${chosen}'`);
    await ui.sees('The House', 'tbody'); // by its name
    const hash = await ui.evaluate('location.hash');
    assert.match(hash, /cols=/);
    await ui.go('#/roles', 'tbody tr');
    assert.doesNotMatch(await ui.evaluate('location.hash'), /cols=/, 'another list has its own');
    await ui.evaluate("location.hash = '#/users'"); // the address gets the columns
    await ui.wait(`${heads} === '${chosen}' && location.hash === ${JSON.stringify(hash)}`);
    await ui.click('.tools button[aria-haspopup=menu]');
    await ui.click('[role=menuitem]', 'The usual columns');
    await ui.wait(`${heads} === 'Full name,E-mail address,Active,Last access,Changed'`);
    const other = await signedIn(); // another browser, with the copied address
    await other.go(hash, 'tbody tr');
    await other.wait(`${heads} === '${chosen}'`);
    await ui.close();
    await other.close();
});

test('what a user may do is shown with the role that gives it', async () => {
    const { id } = await person({ UserRoles: [401, 407], APIAccess: false });
    const ui = await signedIn();
    await ui.go(`#/users/${id}?tab=Permissions`, '#panel tbody tr');
    const cells =
        "[...document.querySelectorAll('#panel tbody tr')].map((row) => [...row.cells].map((one) => one.innerText.trim()).join('|')).join()";
    assert.equal(
        await ui.evaluate(cells),
        'Users|May lister, May manager|May manager||May manager|',
    );
    await ui.sees('may not use the API', '#panel');
    await ui.go(`#/users/${adminId}?tab=Permissions`, '#panel .banner');
    await ui.sees('may do everything', '#panel');
    await ui.close();
});

test('signing out ends the session for good, also for the back button', async () => {
    const ui = await signedIn();
    await ui.go(`#/users/${userId}`, '#field-FullName');
    await ui.click('.account');
    await ui.click('[role=menuitem]', 'Sign out');
    await ui.wait("document.querySelector('#password')");
    await ui.evaluate('history.back()');
    await ui.wait("document.querySelector('#password')");
    assert.ok(!(await ui.text()).includes('Ada'));
    await ui.close();
});
