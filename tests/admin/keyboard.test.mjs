// The keyboard alone reaches and does everything in the admin UI: Tab goes to each control of each screen in the order of the
// page, which shows where the focus is, and each main task is done without a pointer.
import test from 'node:test';
import assert from 'node:assert/strict';
import { addMembers, addNeighbours } from '../lib/world.mjs';
import { adminId, userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';
import { Ui } from './ui.mjs';

const receiver = await startWebhookReceiver(() => 200);
const server = await Server.start(['--webhook-hosts', receiver]);
const token = await server.admin();
await addNeighbours(server);
await addMembers(server, 12);
const hook = await server.call('POST', '/api/sys/webhooks', {
    token,
    body: {
        BusinessId: 301,
        Name: 'A directory',
        Action: 1002,
        Active: true,
        URL: `http://${receiver}/`,
    },
});
assert.equal(hook.status, 200, hook.text);
await server.call('PATCH', `/api/sys/users/${userId}`, {
    token,
    body: { FullName: 'Ada King', UserRoles: [401] },
});
await until('the delivery is made', async () => {
    const { json } = await server.call('GET', '/api/sys/webhookdeliveries', { token });
    return json.TotalItems === 1 && json.Records[0].Attempts > 0;
});

const screens = {
    users: ['#/users?size=10', 'tbody tr'],
    user: [`#/users/${userId}`, '#file'],
    'user-access': [`#/users/${userId}?tab=Access`, '.chips li'],
    'user-permissions': [`#/users/${userId}?tab=Permissions`, '#panel tbody a'],
    'user-notifications': [`#/users/${userId}?tab=Notifications`, '#field-OnNewEmail'],
    'user-status': [`#/users/${userId}?tab=Status`, '#field-CreatedOn'],
    'user-sessions': [`#/users/${adminId}?tab=Sessions`, '#panel tbody button'],
    'user-history': [`#/users/${userId}?tab=History`, '#panel tbody button'],
    import: ['#/users/import', '#file'],
    roles: ['#/roles', 'tbody tr'],
    role: ['#/roles/401', 'main table input'],
    audit: ['#/audit?size=10', 'tbody tr'],
    overview: ['#/overview', 'main dl'],
    settings: ['#/settings', 'main tbody tr'],
    webhooks: ['#/webhooks', 'tbody tr'],
    deliveries: [`#/webhooks/${hook.json.Value.Id}?tab=Deliveries`, '#panel tbody button'],
    businesses: ['#/businesses', 'tbody tr'],
};

// Controls that a person sees, without those that the arrows reach, and the one of its radio buttons that Tab goes to.
const controls = `[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')].filter((one) =>
    one.checkVisibility() && !one.disabled && one.tabIndex >= 0 && !one.closest('[aria-hidden=true]'))`;

test('Tab goes to each control of each screen, in order, and the focus is seen', async () => {
    const ui = await Ui.open(server);
    await ui.signedIn();
    for (const [screen, [hash, selector]] of Object.entries(screens)) {
        await ui.go(hash, selector);
        await ui.wait("!document.querySelector('[aria-busy=true]')");
        await ui.misses('Loading…');
        if (screen === 'user-history') await ui.compareMoments();
        const count = await ui.evaluate(`{ const all = window.all = ${controls}; window.seen = [];
            window.onfocusin ??= document.addEventListener('focusin', ({ target }) => {
                const { outlineStyle, outlineWidth } = getComputedStyle(target);
                window.seen.push({ target, isMarked: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 });
            }) ?? true;
            all[0].focus(); all.length }`);
        assert.ok(count > 8, screen);
        // A date has a stop for each of its parts.
        for (let i = 0; i < count * 8 + 20; i++) {
            if (await ui.evaluate('document.activeElement === window.all.at(-1)')) break;
            await ui.key('Tab');
        }
        const html = '({ target }) => target.outerHTML.slice(0, 160)';
        assert.deepEqual(
            await ui.evaluate(`window.all.filter((one) => one.isConnected && !window.seen.some(({ target }) => target === one))
                .map((target) => (${html})({ target }))`),
            [],
            `${screen}: not reached`,
        );
        assert.deepEqual(
            await ui.evaluate(
                `window.seen.filter(({ target, isMarked }) => !isMarked && target !== window.all[0] && window.all.includes(target)).map(${html})`,
            ),
            [],
            `${screen}: the focus is not seen`,
        );
        const order = await ui.evaluate(
            'window.seen.map(({ target }) => window.all.indexOf(target)).filter((at) => at >= 0)',
        );
        assert.deepEqual(
            order,
            [...order].sort((a, b) => a - b),
            `${screen}: in another order`,
        );
    }
    await ui.close();
});

// The name that a person knows the focused control by.
const called = `(() => { const one = document.activeElement;
    if (one.matches('body, main, [role=dialog], [role=alertdialog], [role=menu]')) return '';
    return (one.getAttribute('aria-label') ?? one.labels?.[0]?.innerText ?? one.placeholder ?? one.innerText ?? '').trim(); })()`;

// Presses a key until the control of this name has the focus.
async function press(ui, key, name, options) {
    for (let i = 0; i < 150; i++) {
        if ((await ui.evaluate(called)).startsWith(name)) return;
        await ui.key(key, options);
    }
    assert.fail(`${name} is not reached by ${key}, but ${await ui.evaluate(called)}`);
}
const tabTo = (ui, name) => press(ui, 'Tab', name);
const insert = (ui, text) => ui.page.send('Input.insertText', { text });
const focusIsOn = (ui, name) => ui.wait(`${called}.startsWith(${JSON.stringify(name)})`);
async function choose(ui, menu, item) {
    await tabTo(ui, menu);
    await ui.key('Enter');
    await ui.wait("document.activeElement.closest('[role=menu]')");
    await press(ui, 'ArrowDown', item);
    await ui.key('Enter');
}

test('a person signs in, finds a user, changes and undoes it, without a pointer', async () => {
    const ui = await Ui.open(server);
    await ui.go('', '#password');
    await focusIsOn(ui, 'E-mail address');
    await insert(ui, adminEmail);
    await tabTo(ui, 'Password');
    await insert(ui, password);
    await ui.key('Enter');
    await ui.wait("document.querySelector('header nav')");
    await tabTo(ui, 'Users');
    await ui.key('Enter');
    await ui.wait("document.activeElement.id === 'content' && document.querySelector('tbody tr')");
    await ui.key('/');
    await focusIsOn(ui, 'Search by name');
    await insert(ui, 'Member 12');
    await ui.wait("document.querySelectorAll('tbody tr').length === 1");
    await tabTo(ui, 'Member 12');
    await ui.key('Enter');
    await ui.wait("document.querySelector('#field-FullName')");
    const id = Number(await ui.evaluate("location.hash.split('/').at(-1)"));
    await tabTo(ui, 'Details');
    await press(ui, 'ArrowRight', 'Access');
    await tabTo(ui, 'API access');
    await ui.key(' ');
    await ui.evaluate("document.querySelector('.skip').focus()"); // from the top again
    await ui.wait("document.querySelector('#field-UserRoles')");
    for (
        let i = 0;
        i < 60 && (await ui.evaluate('document.activeElement.id')) !== 'field-UserRoles';
        i++
    )
        await ui.key('Tab');
    await insert(ui, 'May reader');
    await ui.wait("document.querySelector('[role=option]')?.innerText === 'May reader'");
    await ui.wait(
        "document.querySelector('[role=option][data-highlighted]')?.innerText === 'May reader'",
    );
    await ui.key('Enter');
    await ui.sees('May reader', '.chips');
    await ui.key('Escape');
    await ui.key('s', { modifiers: 2 });
    await ui.sees('Saved.', '.notice');
    const { APIAccess, UserRoles } = await server.get(id);
    assert.deepEqual([APIAccess, UserRoles], [true, [402]]);
    await ui.evaluate("document.querySelector('.skip').focus()");
    await tabTo(ui, 'Access');
    await press(ui, 'ArrowRight', 'History');
    await ui.wait("document.querySelector('#panel tbody button')");
    await tabTo(ui, 'Undo all 2…');
    await ui.key('Enter');
    await ui.wait("document.activeElement.closest('[role=alertdialog]')");
    await tabTo(ui, 'Undo');
    await ui.key('Enter');
    await ui.wait("!document.querySelector('[role=alertdialog]')");
    await until('it is undone', async () => !(await server.get(id)).APIAccess);
    assert.deepEqual(ui.page.complaints, []);
    await ui.close();
});

test('users are chosen, deactivated and deleted, and the columns are chosen, without a pointer', async () => {
    const ui = await Ui.open(server);
    await ui.signedIn();
    await ui.go('#/users?q=Member%201&sort=FullName', 'tbody tr:nth-child(3)');
    await ui.wait("document.querySelector('tbody .record').innerText === 'Member 1'");
    const id = Number(
        await ui.evaluate("document.querySelector('tbody .record').hash.split('/').at(-1)"),
    );
    await tabTo(ui, 'Choose Member 1');
    await ui.key(' ');
    await ui.sees('1 chosen', 'main');
    await ui.evaluate("document.querySelector('#search').focus()");
    await choose(ui, 'Actions', 'Deactivate…');
    await ui.wait("document.activeElement.closest('[role=alertdialog]')");
    await tabTo(ui, 'Deactivate');
    await ui.key('Enter');
    await ui.sees('Done for 1.', '.notice');
    assert.equal((await server.get(id)).Active, false);
    await ui.evaluate("document.querySelector('#search').focus()");
    await choose(ui, 'Columns', 'Language');
    await ui.key('Escape');
    await ui.wait(
        "[...document.querySelectorAll('thead th')].some((one) => one.innerText.trim() === 'Language')",
    );
    await focusIsOn(ui, 'Columns'); // the focus is back where it was
    await ui.go(`#/users/${id}`, '#field-FullName');
    await tabTo(ui, 'Delete…');
    await ui.key('Enter');
    await ui.wait("document.activeElement.closest('[role=alertdialog]')");
    await tabTo(ui, 'Delete');
    await ui.key('Enter');
    await ui.wait("location.hash.startsWith('#/users?cols=')");
    assert.equal((await server.call('GET', `/api/sys/users/${id}`, { token })).status, 404);
    assert.deepEqual(ui.page.complaints, []);
    await ui.close();
});
