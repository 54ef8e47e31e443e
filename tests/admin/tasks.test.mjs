// The main tasks in the admin UI, done by a person in a real browser, in both languages, light and dark, wide and narrow:
// signing in, finding, creating, changing, deleting, undoing. A lost connection, an ended session and another person's
// change lose nothing of it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { addMembers, addNeighbours } from '../lib/world.mjs';
import { adminId, userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, createPerson, password, totp } from '../lib/users.mjs';
import { totpStep, until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';
import { Ui, variants } from './ui.mjs';
import { words } from './words.mjs';

let isReceiving = false;
const receiver = await startWebhookReceiver(() => (isReceiving ? 200 : 503));
const server = await Server.start(['--webhook-hosts', receiver, '--webhook-retry', '20']);
const token = await server.admin();
await addNeighbours(server);
await addMembers(server, 60);
const { json: schema } = await server.call('GET', '/api/utils/fields?name=User', { token });
const person = (more) => createPerson(server, token, 'person', more);
const change = async (id, body) => {
    const { status, text } = await server.call('PATCH', `/api/sys/users/${id}`, { token, body });
    assert.equal(status, 200, text);
};
const text = JSON.stringify;
const value = (ui, selector) => ui.evaluate(`document.querySelector(${text(selector)}).value`);
const names = "[...document.querySelectorAll('tbody .record')].map((one) => one.innerText).join()";

// The tasks of each language, scheme and width. A person at a browser `ui` knows the words of the page (words.mjs), and looks
// at it (`check`) with the statuses that the server has refused requests by until then.
const tasks = [];
const task = (name, does) => tasks.push([name, does]);

task('signing in: a wrong password, a code, a new password that is due', async (at) => {
    const { ui, m, check } = at;
    const TwoFactorSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
    const { email } = await person({ TwoFactorSecret, MustResetPassword: true });
    await ui.signIn(email, 'wrong');
    await ui.sees(m.sign_in_wrong(), '[role=alert]');
    await check('sign-in-wrong', 400);
    await ui.type('#password', password);
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'code'");
    await check('sign-in-code', 400);
    await ui.type('#code', '1');
    await ui.key('Enter');
    await ui.sees(m.code_wrong(), '[role=alert]');
    const step = totpStep();
    await ui.type('#code', totp(TwoFactorSecret, step).replace(/^(...)/, '$1 ')); // as apps show it
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'new'");
    await check('sign-in-new', 400);
    await ui.type('#new', 'short');
    await ui.key('Enter');
    await ui.sees(m.error_password_short(), '[role=alert]');
    await ui.type('#new', 'correct horse battery');
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'code'"); // a code works once
    await ui.type('#code', totp(TwoFactorSecret, step + 1));
    await ui.key('Enter');
    await ui.sees(m.not_permitted(), 'main');
    await check('signed-in', 400);
});

task(
    'a user is found by name and by address; the back button brings the list again',
    async (at) => {
        const { ui, m, check } = at;
        await ui.signedIn();
        await ui.go('#/users', 'tbody tr');
        await ui.type('#search', 'Member 1');
        await ui.wait(`${names}.split(',').length === 11`);
        await ui.type('#search', 'member12@');
        await ui.wait(`${names} === 'Member 12'`);
        await check('found');
        await ui.click('tbody .record', 'Member 12');
        await ui.sees('Member 12', 'h1');
        await ui.evaluate('history.back()');
        await ui.wait(`${names} === 'Member 12'`);
        await ui.type('#search', 'nobody at all');
        await ui.button(m.clear_search());
        await ui.wait(`${names}.split(',').length === 25`);
        await check('found-all');
    },
);

task('a user is created, found and changed; errors stand at their fields', async (at) => {
    const { ui, m, label, check } = at;
    const email = `zoe-${at.language}-${at.width}@example.com`;
    await ui.signedIn();
    await ui.go('#/users', 'tbody tr');
    await ui.button(m.new_user());
    await ui.type('#field-FullName', 'Zoë Ångström');
    await ui.type('#field-Email', adminEmail);
    await ui.button(m.create());
    await ui.sees(m.error_taken(), '#field-Email-error');
    assert.equal(
        await ui.evaluate(
            "document.querySelector('#field-Email').getAttribute('aria-describedby')",
        ),
        'field-Email-error',
    );
    await ui.wait("document.activeElement.getAttribute('role') === 'alert'");
    await check('user-error', 400);
    await ui.click('.banner button', label('Email'));
    await ui.wait("document.activeElement.id === 'field-Email'");
    await ui.type('#field-Email', email);
    await ui.button(m.create());
    await ui.sees('Zoë Ångström', 'h1');
    await ui.click('[role=tab]', m.access());
    await ui.click('label', label('APIAccess'));
    await ui.type('#field-UserRoles', 'May reader');
    await ui.wait("document.querySelectorAll('[role=option]').length === 1");
    await check('user-role', 400);
    await ui.click('[role=option]', 'May reader');
    await ui.sees('May reader', '.chips');
    await ui.key('Escape');
    await ui.sees(m.unsaved({ count: 2 }), '.sticky');
    await check('user-unsaved', 400);
    await ui.key('s', { modifiers: 2 });
    await ui.sees(m.saved(), '[role=status].notice');
    await check('user-saved', 400);
    assert.equal(
        await ui.evaluate("document.querySelector('[role=option]')"),
        null,
        'Ctrl+S opens no list',
    );
    const id = Number(/\d+/.exec(await ui.evaluate('location.hash'))[0]);
    const stored = await server.get(id);
    assert.deepEqual([stored.APIAccess, stored.UserRoles, stored.Active], [true, [402], true]);
});

task(
    'what somebody else has saved meanwhile stands beside mine, and I choose for each field',
    async (at) => {
        const { ui, m, check } = at;
        const { id } = await person();
        await ui.signedIn();
        await ui.go(`#/users/${id}`, '#field-FullName');
        await ui.type('#field-FullName', 'Mine');
        await ui.type('#field-SystemId', 'mine-1');
        await change(id, { FullName: 'Theirs', Devices: 'a phone', SystemId: 'theirs-1' });
        await ui.button(m.save());
        await ui.sees(m.conflict_title(), '[role=dialog]');
        await check('user-conflict', 412);
        await ui.click('[role=dialog] label', 'theirs-1');
        await ui.button(m.conflict_save());
        assert.equal(await value(ui, '#field-FullName'), 'Mine');
        assert.equal(await value(ui, '#field-Devices'), 'a phone');
        await ui.button(m.save());
        await ui.sees(m.saved());
        const stored = await server.get(id);
        assert.deepEqual(
            [stored.FullName, stored.Devices, stored.SystemId],
            ['Mine', 'a phone', 'theirs-1'],
        );
        await check('user-settled', 412);
    },
);

const network = (ui, offline) =>
    ui.page.send('Network.emulateNetworkConditions', {
        offline,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput: -1,
    });

task(
    'a session that ended elsewhere, and a lost connection, lose nothing that was typed',
    async (at) => {
        const { ui, m, check } = at;
        const { id } = await person();
        await ui.signedIn();
        await ui.go(`#/users/${id}`, '#field-FullName');
        await ui.type('#field-FullName', 'Typed Before');
        await network(ui, true);
        await ui.button(m.save());
        await ui.sees(m.connection_lost(), '[role=alert]');
        await ui.inView('form > [role=alert]');
        await check('connection-lost', 0);
        await network(ui, false);
        const session = await ui.page.send('Network.getCookies');
        const cookie = session.cookies.find(({ name }) => name === 'roster-session');
        assert.ok(
            cookie.httpOnly && cookie.sameSite === 'Strict' && !cookie.domain.startsWith('.'),
        );
        assert.equal(await ui.evaluate('document.cookie'), '', 'no script reads it');
        const ended = await server.call('DELETE', '/api/auth/session', {
            headers: { 'Roster-Session': 'http', Cookie: `roster-session=${cookie.value}` },
        });
        assert.equal(ended.status, 200);
        await ui.button(m.save());
        await ui.sees(m.sign_in_again(), '[role=dialog]');
        await check('session-ended', 0, 401);
        await ui.type('#email', adminEmail);
        await ui.type('#password', password);
        await ui.key('Enter');
        await ui.wait("!document.querySelector('[role=dialog]')");
        assert.equal(await value(ui, '#field-FullName'), 'Typed Before');
        await ui.button(m.save());
        await ui.sees(m.saved());
        assert.equal((await server.get(id)).FullName, 'Typed Before');
        await check('session-again', 0, 401);
    },
);

task('a change is undone from the history, and the record says who did it', async (at) => {
    const { ui, m, label, check } = at;
    const { id } = await person({ FullName: 'As It Was' });
    await change(id, { FullName: 'As It Is', OnNewEmail: true, UserRoles: [402] });
    await ui.signedIn();
    await ui.go(`#/users/${id}?tab=History`, '#panel tbody tr:nth-child(3)');
    await check('history');
    const rows = "document.querySelectorAll('#panel tbody tr').length";
    for (const [what, is] of [
        ['FullName', ({ FullName }) => FullName === 'As It Was'],
        ['OnNewEmail', ({ OnNewEmail }) => !OnNewEmail],
        ['UserRoles', ({ UserRoles }) => !UserRoles.length],
    ]) {
        const count = await ui.evaluate(rows);
        await ui.evaluate(
            `[...document.querySelectorAll('#panel tbody tr')].find((row) => row.cells[2].innerText === ${text(label(what))} && row.querySelector('button')).querySelector('button').id = 'undo'`,
        );
        await ui.click('#undo');
        await ui.sees(m.undo_title(), '[role=alertdialog]');
        if (what === 'FullName') await check('undo');
        await ui.click('[role=alertdialog] button', m.undo());
        await ui.wait(`${rows} === ${count + 1}`);
        assert.ok(is(await server.get(id)), what);
    }
    await check('undone');
});

task(
    'all of one change is undone at once, with roles by their names, and not over a later value unasked',
    async (at) => {
        const { ui, m, check } = at;
        const { id } = await person({ FullName: 'As It Was', UserRoles: [401] });
        await change(id, { FullName: 'As It Is', SystemId: 's-1', UserRoles: [402] });
        await ui.signedIn();
        await ui.go(`#/users/${id}?tab=History`, '#panel tbody tr:nth-child(3)');
        await ui.sees('May reader', '#panel');
        await change(id, { SystemId: 's-2' }); // while the page shows the record as it was
        await ui.button(`${m.undo_all({ count: 3 })}…`);
        await ui.sees(m.undo_all_what({ count: 3 }), '[role=alertdialog]');
        await ui.sees('May lister', '[role=alertdialog] dl');
        await ui.misses(m.undo_newer(), '[role=alertdialog]');
        await check('undo-all');
        await ui.click('[role=alertdialog] button', m.undo());
        await ui.sees(m.undo_newer(), '[role=alertdialog]');
        await check('undo-newer', 412);
        assert.equal((await server.get(id)).FullName, 'As It Is');
        await ui.click('[role=alertdialog] button', m.undo());
        await ui.wait("!document.querySelector('[role=alertdialog]')");
        await ui.sees('As It Was', 'h1');
        const { FullName, SystemId, UserRoles } = await server.get(id);
        assert.deepEqual([FullName, SystemId, UserRoles], ['As It Was', null, [401]]);
        await check('undone-all', 412);
    },
);

task('deleting says what will happen, and asks; leaving what is unsaved asks, too', async (at) => {
    const { ui, m, check } = at;
    const { id } = await person({ FullName: 'To Be Deleted' });
    await ui.signedIn();
    await ui.go(`#/users/${id}`, '#field-FullName');
    await ui.type('#field-FullName', 'Unsaved');
    await ui.click('nav a', m.roles());
    await ui.sees(m.leave_title(), '[role=alertdialog]');
    await check('leave');
    await ui.button(m.stay());
    await ui.wait("!document.querySelector('[role=alertdialog]')");
    assert.equal(await value(ui, '#field-FullName'), 'Unsaved');
    await ui.button(m.discard());
    await ui.wait("document.querySelector('main button[aria-haspopup=menu]')"); // moves what is beside it
    await ui.button(`${m.delete()}…`);
    await ui.sees(m.delete_title({ name: 'To Be Deleted' }), '[role=alertdialog]');
    await check('delete');
    await ui.key('Escape');
    await ui.wait(
        `!document.querySelector('[role=alertdialog]') && document.activeElement.innerText === ${text(`${m.delete()}…`)}`,
    );
    await ui.button(`${m.delete()}…`);
    await ui.click('[role=alertdialog] button', m.delete());
    await ui.wait("location.hash === '#/users'");
    assert.equal((await server.call('GET', `/api/sys/users/${id}`, { token })).status, 404);
    await check('deleted');
});

task(
    'commands are run on several users after a question, and tell what was refused',
    async (at) => {
        const { ui, m, check } = at;
        const people = [],
            name = `Bulk ${at.language} ${at.width}`;
        for (let i = 0; i < 3; i++) people.push(await person({ FullName: `${name} ${i}` }));
        await ui.signedIn();
        await ui.go(`#/users?q=${encodeURIComponent(name)}&sort=FullName`, 'tbody tr:nth-child(3)');
        await ui.click('tbody tr:nth-child(1) .tick');
        await ui.click('tbody tr:nth-child(3) .tick');
        await ui.sees(m.chosen({ count: 2 }), 'main');
        await check('chosen');
        await ui.click('.chosen button[aria-haspopup=menu]');
        await ui.click('[role=menuitem]', `${m.cmd_deactivate()}…`);
        await ui.sees(m.cmd_many({ count: 2 }), '[role=alertdialog]');
        await check('bulk');
        await ui.click('[role=alertdialog] button', m.cmd_deactivate());
        await ui.sees(m.cmd_done({ count: 2 }), '.notice');
        const isActive = async ({ id }) => (await server.get(id)).Active;
        assert.deepEqual(await Promise.all(people.map(isActive)), [false, true, false]);
        await ui.go(`#/users?q=${encodeURIComponent(`${name} 0`)}&active=no`, 'tbody tr');
        await check('inactive');
        const last = (await server.call('GET', '/api/sys/users?User_IsAdmin=true', { token })).json;
        assert.equal(last.TotalItems, 1);
        await ui.go(`#/users/${adminId}`, '#field-FullName');
        await ui.click('main button[aria-haspopup=menu]');
        await ui.click('[role=menuitem]', `${m.cmd_deactivate()}…`);
        await ui.click('[role=alertdialog] button', m.cmd_deactivate());
        await ui.sees(m.error_last_admin(), '.banner');
        await ui.inView('.actions [role=alert]');
        await check('command-refused', 400);
    },
);

task('a role gets permissions, by the keyboard alone', async (at) => {
    const { ui, m, check } = at;
    const made = await server.call('POST', '/api/security/userroles', {
        token,
        body: { BusinessId: 301, Name: `By Keys ${at.language} ${at.width}`, Roles: [1] },
    });
    const id = made.json.Value.Id;
    await ui.signedIn();
    await ui.go(`#/roles/${id}`, 'main table input');
    await ui.evaluate("document.querySelector('.skip').focus()");
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'content'");
    const label = "document.activeElement.closest('label')?.innerText.trim()";
    const reads = `${m.users()}: ${m.op_Read()}`;
    for (let i = 0; i < 60 && (await ui.evaluate(label)) !== reads; i++) await ui.key('Tab');
    assert.equal(await ui.evaluate(label), reads);
    await ui.key(' ');
    await check('role-changed');
    const focused = 'document.activeElement.innerText';
    for (let i = 0; i < 90 && (await ui.evaluate(focused)) !== m.save(); i++) await ui.key('Tab');
    await ui.key('Enter');
    await ui.sees(m.saved());
    const stored = await server.call('GET', `/api/security/userroles/${id}`, { token });
    assert.deepEqual(stored.json.Roles, [1, 2]);
    await check('role-saved');
});

task(
    'a webhook is created, tested, and a delivery is made again; what is refused says why',
    async (at) => {
        const { ui, m, label, error, check } = at;
        await ui.signedIn();
        await ui.go('#/webhooks/new', '#field-Name');
        await ui.type('#field-Name', 'To the directory');
        await ui.type('#field-URL', `http://${receiver}/`);
        await ui.select('#field-Action', '1003');
        await ui.type('#field-BusinessId', 'The House');
        await ui.click('[role=option]', 'The House');
        await check('webhook-new');
        await ui.button(m.create());
        await ui.sees('To the directory', 'h1');
        await ui.click('[role=tab]', m.deliveries());
        await ui.button(m.cmd_test());
        await ui.sees(m.delivery_Pending(), '#panel tbody');
        await ui.button(m.cmd_test());
        await ui.sees(error('has a test that was not delivered yet'), '[role=alert]');
        await check('test-refused', 400);
        isReceiving = true;
        await ui.sees(m.delivery_Delivered(), '#panel tbody'); // the page looks again by itself
        await ui.click('#panel summary');
        await ui.sees('Test delivery', '#panel pre');
        await check('test-delivered', 400);
        isReceiving = false;
        await ui.button(`${m.delivery_again()}…`);
        await ui.click('[role=alertdialog] button', m.delivery_again());
        await ui.sees('503', '#panel tbody');
        isReceiving = true;
        await ui.sees(m.delivery_Delivered(), '#panel tbody');
        const id = Number(/\d+/.exec(await ui.evaluate('location.hash'))[0]);
        await server.call('PATCH', `/api/sys/webhooks/${id}`, { token, body: { Active: false } });
        await ui.button(m.cmd_test());
        await ui.sees(error('is not set: only an active webhook gets deliveries'), '[role=alert]');
        await ui.page.send('Page.reload');
        await ui.sees(m.delivery_inactive(), '#panel');
        assert.ok(!(await ui.text()).includes(m.cmd_test()), 'what cannot be done is not offered');
        await check('webhook-inactive', 400);
        await ui.go(`#/webhooks/${id}?tab=History`, '#panel tbody tr');
        await ui.sees(label('Test'), '#panel');
        await ui.sees(label('Redelivery'), '#panel');
        await check('webhook-history', 400);
        isReceiving = false;
    },
);

task('signing out ends the session for good, also for the back button', async (at) => {
    const { ui, m, check } = at;
    await ui.signedIn();
    await ui.go(`#/users/${userId}`, '#field-FullName');
    await ui.click('.account');
    await ui.click('[role=menuitem]', m.sign_out());
    await ui.wait("document.querySelector('#password')");
    await ui.evaluate('history.back()');
    await ui.wait("document.querySelector('#password')");
    assert.ok(!(await ui.text()).includes('Ada'));
    await check('signed-out');
});

async function signedIn(options) {
    const ui = await Ui.open(server, options);
    await ui.signedIn();
    return ui;
}

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

test('the columns of a list are chosen, stand in the address, and are remembered', async () => {
    const ui = await signedIn();
    const heads =
        "[...document.querySelectorAll('thead th:not(.choice)')].map((one) => one.innerText.trim()).filter(Boolean).join()";
    await ui.go('#/users', 'tbody tr');
    await ui.click('.tools button[aria-haspopup=menu]');
    await ui.click('[role=menuitemcheckbox]', 'Default business');
    await ui.click('[role=menuitemcheckbox]', 'E-mail address');
    await ui.check('columns');
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

for (const [language, scheme, width] of variants)
    test(`the main tasks in ${language}, ${scheme}, ${width} px`, async (all) => {
        const ui = await Ui.open(server, { language, scheme, width });
        const say = words(language);
        const label = (name) =>
            say.label(schema.Fields.find((one) => one.Name === name) ?? { Name: name });
        const check = (screen, ...refused) =>
            ui.check(`${screen}-${language}-${scheme}-${width}`, { refused });
        for (const [name, does] of tasks)
            await all.test(name, async () => {
                await ui.renew();
                await does({ language, width, ...say, ui, label, check });
            });
        await ui.close();
    });
