// The forms of the admin UI keep what a person types, whatever happens meanwhile, and send that and nothing else.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { createPerson } from '../lib/users.mjs';
import { Ui } from './ui.mjs';

const server = await Server.start();
const token = await server.admin();
const fetched = (ui, method) => ui.seen.filter((one) => one.method === method).length;
const value = (ui, name) => ui.evaluate(`document.querySelector('#field-${name}').value`);

// A signed-in browser in Madrid's time. `ui.seen` has the requests to the API; one for which `ui.meet` gives a promise waits
// for it, and gets the status that this gives in place of the server's answer.
async function open(person, account = []) {
    const ui = await Ui.open(server);
    await ui.page.send('Emulation.setTimezoneOverride', { timezoneId: 'Europe/Madrid' });
    await ui.signedIn(...account);
    ui.seen = [];
    ui.meet = () => null;
    const answer = async ({ requestId, request }) => {
        const status = await ui.meet(request);
        if (!status) return ui.page.send('Fetch.continueRequest', { requestId });
        return ui.page.send('Fetch.fulfillRequest', {
            requestId,
            responseCode: status,
            responseHeaders: [{ name: 'Retry-After', value: '1' }],
            body: Buffer.from(JSON.stringify({ Message: `no: ${status}` })).toString('base64'),
        });
    };
    let isOver = false;
    ui.page.on['Fetch.requestPaused'] = (paused) => {
        ui.seen.push({ method: paused.request.method, body: paused.request.postData });
        answer(paused).catch((error) => {
            if (!isOver) throw error; // the browser ends before its requests do
        });
    };
    const close = ui.close.bind(ui);
    ui.close = () => {
        isOver = true;
        return close();
    };
    await ui.page.send('Fetch.enable', { patterns: [{ urlPattern: `${server.url}/api/*` }] });
    if (person) await ui.go(`#/users/${person.id}`, '#field-FullName');
    return ui;
}

// Holds back the requests of a method; the result lets them go.
function hold(ui, method) {
    let release;
    const promise = new Promise((resolve) => {
        release = resolve;
    });
    ui.meet = (request) => (request.method === method ? promise : null);
    return release;
}

const retype = (ui, name, text) =>
    ui.evaluate(`{ const input = document.querySelector('#field-${name}'); input.value = ${JSON.stringify(text)};
        for (const kind of ['input', 'change']) input.dispatchEvent(new Event(kind, { bubbles: true })); }`);

test('what is typed while a save is on its way stays, and is saved next', async () => {
    const person = await createPerson(server, token, 'busy');
    const ui = await open(person);
    const release = hold(ui, 'PATCH');
    await ui.type('#field-FullName', 'First');
    await ui.button('Save');
    await ui.wait("document.querySelector('form[aria-busy=true]')");
    await ui.key('s', { modifiers: 2 }); // once more
    await ui.type('#field-SystemId', 'meanwhile');
    release();
    await ui.sees('Saved.', '.notice');
    await ui.sees('First', 'h1');
    assert.equal(await value(ui, 'SystemId'), 'meanwhile');
    await ui.button('Save');
    await ui.wait("!document.querySelector('.sticky')");
    const { FullName, SystemId } = await server.get(person.id);
    assert.deepEqual([FullName, SystemId], ['First', 'meanwhile']);
    assert.equal(fetched(ui, 'PATCH'), 2);
    await ui.close();
});

test('a record is made once, and leads nobody away who has gone elsewhere', async () => {
    const ui = await open();
    await ui.go('#/businesses/new', '#field-Name');
    const release = hold(ui, 'POST');
    await ui.type('#field-Name', 'Made once');
    await ui.key('Enter');
    await ui.wait("document.querySelector('form[inert]')");
    await ui.key('Enter');
    await ui.key('s', { modifiers: 2 });
    await ui.click('nav a', 'Roles');
    await ui.click('[role=alertdialog] button', 'Leave');
    await ui.wait("location.hash === '#/roles'");
    release();
    await ui.sees('Created.', '.notice');
    assert.equal(await ui.evaluate('location.hash'), '#/roles');
    assert.equal(fetched(ui, 'POST'), 1);
    await ui.close();
});

test('a record whose reply was lost is not made once more', async () => {
    const ui = await open();
    await ui.go('#/businesses/new', '#field-Name');
    let isLost = false;
    ui.page.on['Fetch.requestPaused'] = ({ requestId, request, responseStatusCode }) => {
        if (request.method !== 'POST' || isLost)
            return ui.page.send('Fetch.continueRequest', { requestId });
        if (!responseStatusCode)
            return ui.page.send('Fetch.continueRequest', { requestId, interceptResponse: true });
        isLost = true;
        return ui.page.send('Fetch.failRequest', { requestId, errorReason: 'ConnectionReset' });
    };
    await ui.type('#field-Name', 'Lost and found');
    await ui.key('Enter');
    await ui.sees('Nothing you typed is lost', 'form');
    await ui.button('Create');
    await ui.sees('Created.', '.notice');
    const made = await server.call('GET', '/api/sys/businesses?Business_Name=Lost and found', {
        token,
    });
    assert.equal(made.json.TotalItems, 1);
    await ui.close();
});

test('Enter in a search saves nothing and asks for nothing', async () => {
    const person = await createPerson(server, token, 'enter');
    const ui = await open(person);
    await ui.type('#field-FullName', 'Not saved');
    for (const search of ['#find', '#field-ApplicationId']) {
        await ui.type(search, 'name');
        await ui.key('Enter');
        await ui.type('#find', '');
    }
    await ui.button('Discard changes');
    const reader = await createPerson(server, token, 'reader', { UserRoles: [402] });
    const other = await open(person, [reader.email]);
    await other.type('#find', 'name');
    await other.key('Enter');
    await other.wait("document.querySelectorAll('#panel output').length < 20");
    assert.deepEqual([fetched(ui, 'PATCH'), fetched(other, 'PATCH')], [0, 0]);
    await ui.close();
    await other.close();
});

test('an undo leaves what is typed elsewhere', async () => {
    const person = await createPerson(server, token, 'undo');
    await server.call('PATCH', `/api/sys/users/${person.id}`, { token, body: { SystemId: 's-1' } });
    const ui = await open(person);
    await ui.type('#field-FullName', 'Typed');
    await ui.click('[role=tab]', 'History');
    await ui.button('Undo…');
    await ui.click('[role=alertdialog] button', 'Undo');
    await ui.sees('Undone', '.notice');
    await ui.click('[role=tab]', 'Details');
    await ui.wait("document.querySelector('#field-SystemId')?.value === ''");
    assert.equal(await value(ui, 'FullName'), 'Typed');
    await ui.close();
});

test('what is typed back is no change, and a change of one part leaves the others', async () => {
    const person = await createPerson(server, token, 'same');
    const before = {
        SystemId: '',
        Devices: 'one\r\ntwo\r\n',
        LastAccess: '2026-10-25T01:30:20.500Z', // in Madrid the second 02:30 of that night
        LastLoginAttempt: '9999-12-31T23:59:59Z', // the year 10000 there
    };
    await server.call('PATCH', `/api/sys/users/${person.id}`, { token, body: before });
    const ui = await open(person);
    const dates = ['LastAccess', 'LastLoginAttempt'];
    const visit = async (names) => {
        for (const name of names) {
            await ui.evaluate(`document.querySelector('#field-${name}').focus()`);
            await ui.key('Tab');
        }
    };
    for (const [tab, names] of [
        ['Details', ['SystemId', 'Devices']],
        ['Status', dates],
    ]) {
        await ui.click('[role=tab]', tab);
        await ui.wait(`document.querySelector('#field-${names[0]}')`);
        await visit(names);
        for (const name of names) {
            const shown = await value(ui, name);
            await retype(ui, name, dates.includes(name) ? '2026-11-01T10:00' : 'other');
            await ui.wait("document.querySelector('.sticky')");
            await retype(ui, name, shown);
            await ui.wait("!document.querySelector('.sticky')");
        }
    }
    assert.equal(await value(ui, 'LastAccess'), '2026-10-25T02:30:20.5');
    await ui.click('[role=tab]', 'Details');
    await ui.wait("document.querySelector('#field-Devices')");
    await retype(ui, 'Devices', 'one\nand\ntwo\n');
    await ui.button('Save');
    await ui.wait("!document.querySelector('.sticky')");
    assert.deepEqual(
        ui.seen.filter(({ method }) => method === 'PATCH').map(({ body }) => JSON.parse(body)),
        [{ Devices: 'one\r\nand\r\ntwo\r\n' }],
    );
    await ui.close();
});

test('what is no number and half a date are refused at the field, and empty none', async () => {
    const person = await createPerson(server, token, 'half');
    const LastAccess = '2026-01-01T10:20:30Z';
    await server.call('PATCH', `/api/sys/users/${person.id}`, {
        token,
        body: { LastAccess, InvalidLoginAttempts: 7 },
    });
    const ui = await open(person);
    await ui.click('[role=tab]', 'Status');
    await ui.type('#field-InvalidLoginAttempts', '12e');
    await ui.evaluate("document.querySelector('#field-LastAccess').focus()");
    await ui.key('Delete'); // the month alone
    await ui.key('Enter');
    await ui.sees('must be an integer', '#field-InvalidLoginAttempts-error');
    await ui.sees('must be a date', '#field-LastAccess-error');
    assert.equal(await value(ui, 'InvalidLoginAttempts'), '12e');
    const stored = await server.get(person.id);
    assert.deepEqual([stored.LastAccess, stored.InvalidLoginAttempts], [LastAccess, 7]);
    await ui.close();
});

test('a refusal of any kind says why, and keeps what was typed', async () => {
    const person = await createPerson(server, token, 'refused');
    const ui = await open(person);
    await ui.type('#field-FullName', 'Kept');
    for (const status of [409, 413, 429, 500, 503]) {
        ui.meet = ({ method }) => (method === 'PATCH' ? status : null);
        await ui.button('Save');
        await ui.sees(`no: ${status}`, '.banner');
        assert.equal(await value(ui, 'FullName'), 'Kept');
    }
    // Stored, but the record cannot be read again: what is shown is what is stored, and the next change meets no conflict.
    ui.meet = ({ method }) => (method === 'GET' ? 503 : null);
    await ui.button('Save');
    await ui.sees('Saved.', '.notice');
    await ui.sees('no: 503', '.banner');
    ui.meet = () => null;
    await ui.type('#field-FullName', 'And more');
    await ui.button('Save');
    await ui.sees('And more', 'h1');
    assert.equal((await server.get(person.id)).FullName, 'And more');
    await ui.type('#field-FullName', 'Too late');
    await server.call('DELETE', `/api/sys/users/${person.id}`, { token });
    await ui.button('Save');
    await ui.sees('There is no such record.', '.banner');
    assert.equal(await value(ui, 'FullName'), 'Too late');
    await ui.close();
});

test('a data address that is typed has no picture, and is refused at its field', async () => {
    const person = await createPerson(server, token, 'picture');
    const ui = await open(person);
    await ui.type('#field-NewAvatarUrl', 'data:');
    await ui.page.send('Input.insertText', { text: 'image/png;base64,AAAA' });
    assert.equal(await value(ui, 'NewAvatarUrl'), 'data:image/png;base64,AAAA');
    await ui.button('Save');
    await ui.wait("document.querySelector('#field-NewAvatarUrl-error')?.innerText");
    assert.deepEqual(
        ui.page.complaints.filter((one) => !/status of 400/.test(one)),
        [],
    );
    await ui.close();
});

test('an old page of the history never stands in place of a newer one', async () => {
    const person = await createPerson(server, token, 'pages');
    for (let i = 0; i < 26; i++)
        await server.call('PATCH', `/api/sys/users/${person.id}`, {
            token,
            body: { SystemId: `s-${i}` },
        });
    const ui = await open(person);
    await ui.click('[role=tab]', 'History');
    await ui.sees('s-25', '#panel');
    await ui.evaluate(`{ const whole = window.fetch; window.late = [];
        window.fetch = (path, options) => whole(path, options).then((reply) =>
            /page=2/.test(path) ? new Promise((resolve) => { window.late.push(() => resolve(reply)); }) : reply); }`);
    await ui.button('Next page');
    await ui.wait('window.late.length === 1');
    await ui.button('Previous page');
    await ui.wait("!location.hash.includes('page=2')");
    await ui.evaluate('window.late[0]()');
    await ui.evaluate('new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))');
    await ui.sees('s-25', '#panel');
    await ui.close();
});

test('who stays after the back button finds the view before it still there', async () => {
    const person = await createPerson(server, token, 'back');
    const ui = await open();
    await ui.go('#/roles', 'tbody tr');
    await ui.go(`#/users/${person.id}`, '#field-FullName');
    for (let i = 0; i < 2; i++) {
        await ui.type('#field-FullName', `Typed ${i}`);
        await ui.evaluate('history.back()');
        await ui.click('[role=alertdialog] button', 'Stay');
        await ui.wait("!document.querySelector('[role=alertdialog]')");
        assert.equal(await value(ui, 'FullName'), `Typed ${i}`);
    }
    await ui.button('Discard changes');
    await ui.evaluate('history.back()');
    await ui.wait("location.hash === '#/roles' && document.querySelector('tbody tr')");
    await ui.close();
});

test('a notice stays until the next key, and at least for a few seconds', async () => {
    const person = await createPerson(server, token, 'notice');
    const ui = await open(person);
    await ui.type('#field-FullName', 'Noticed');
    await ui.button('Save');
    await ui.sees('Saved.', '.notice');
    await ui.evaluate('new Promise((resolve) => setTimeout(resolve, 8000))');
    await ui.sees('Saved.', '.notice');
    await ui.key('Tab');
    await ui.misses('Saved.', '.notice');
    await ui.close();
});

test('an address that leads nowhere says so, and asks the server for nothing else', async () => {
    const person = await createPerson(server, token, 'nowhere');
    const ui = await open();
    const asked = () => ui.page.requests.filter((url) => url.includes('figures'));
    for (const hash of [
        '#/users/%zz',
        '#/users/..%2f..%2futils%2ffigures',
        '#/users/1%3f',
        '#/what',
    ]) {
        await ui.page.send('Page.navigate', { url: 'about:blank' });
        await ui.wait("location.href === 'about:blank'");
        await ui.page.send('Page.navigate', { url: `${server.url}/admin/${hash}` });
        await ui.sees('There is no such record.', 'main');
    }
    assert.deepEqual(asked(), []);
    for (const hash of ['#/users/new?tab=Sessions', `#/users/${person.id}?tab=Nothing`])
        await ui.go(hash, '#tab-Details[aria-selected=true]');
    assert.deepEqual(ui.page.complaints, []);
    await ui.close();
});
