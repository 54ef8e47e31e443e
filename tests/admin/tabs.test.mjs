// Two tabs of one browser have one session: what one of them does to it, the other one shows.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { adminEmail, createPerson, password } from '../lib/users.mjs';
import { Ui } from './ui.mjs';

const server = await Server.start();
const token = await server.admin();

// Another tab of the same browser. `ui.page` drives the one that was chosen last.
async function tabs(ui) {
    const first = ui.page.sessionId;
    const { targetId } = await ui.page.send('Target.createTarget', {
        url: 'about:blank',
        browserContextId: ui.page.browserContextId,
    });
    const second = (await ui.page.send('Target.attachToTarget', { targetId, flatten: true }))
        .sessionId;
    const choose = (sessionId) => {
        ui.page.sessionId = sessionId;
    };
    choose(second);
    for (const domain of ['Page', 'Runtime']) await ui.page.send(`${domain}.enable`);
    return [() => choose(first), () => choose(second)];
}

const isSignedInAs = (email) => `document.querySelector('header .email')?.innerText === '${email}'`;

async function signOut(ui) {
    await ui.click('.account');
    await ui.click('[role=menuitem]', 'Sign out');
    await ui.wait("document.querySelector('main #password')");
}

test('who signs out in one tab has signed out in all, and loses nothing that was typed', async () => {
    const { id } = await createPerson(server, token, 'changed');
    const { email } = await createPerson(server, token, 'tab', { UserRoles: [407] });
    const ui = await Ui.open(server);
    await ui.signedIn();
    await ui.go(`#/users/${id}`, '#field-FullName');
    const [inFirst, inSecond] = await tabs(ui);
    await ui.go('#/users', 'tbody tr'); // signed in as well
    await signOut(ui);
    inFirst();
    await ui.wait("document.querySelector('main #password')");
    assert.ok(!(await ui.text()).includes('A Person'), 'nothing is shown any more');
    inSecond();
    await ui.signedIn(email);
    inFirst();
    await ui.wait(isSignedInAs(email));
    await ui.type('#field-FullName', 'Typed');
    inSecond();
    await signOut(ui);
    inFirst();
    await ui.sees('Your session has ended', '[role=dialog]');
    assert.equal(await ui.evaluate("document.querySelector('#field-FullName').value"), 'Typed');
    inSecond();
    await ui.signedIn(email);
    inFirst();
    await ui.wait("!document.querySelector('[role=dialog]')");
    await ui.button('Save');
    await ui.sees('Saved.', '.notice');
    inSecond();
    await signOut(ui);
    await ui.signedIn(adminEmail, password);
    inFirst();
    await ui.wait(isSignedInAs(adminEmail)); // somebody else: another page
    await ui.close();
});
