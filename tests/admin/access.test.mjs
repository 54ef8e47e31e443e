// Roles and sessions in the admin UI: how many users have a role, and who; where a user is signed in, ending one of these
// sessions or all; in both languages, light and dark, wide and narrow.
import test from 'node:test';
import assert from 'node:assert/strict';
import { staff } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { createPerson, password } from '../lib/users.mjs';
import { Ui, variants } from './ui.mjs';
import { words } from './words.mjs';

const server = await Server.start();
const token = await server.admin();
for (let i = 0; i < 3; i++) await createPerson(server, token, 'holder', { UserRoles: [402] });

for (const [language, scheme, width] of variants)
    test(`holders of roles, and sessions, in ${language}, ${scheme}, ${width} px`, async () => {
        const name = (screen) => `${screen}-${language}-${scheme}-${width}`,
            { m } = words(language);
        const ui = await Ui.open(server, { language, scheme, width });
        await ui.signedIn();
        await ui.go('#/roles', 'tbody tr');
        const link = `main a[aria-label="${m.holders_of({ count: 4, name: 'May reader' })}"]`;
        await ui.wait(`document.querySelector('${link}')`);
        await ui.wait("!document.querySelector('main tbody').innerText.includes('…')");
        await ui.check(name('roles-holders'));
        await ui.click(link);
        await ui.sees(m.holders_shown({ name: 'May reader' }), 'main');
        await ui.wait("document.querySelectorAll('main tbody tr').length === 4");
        await ui.check(name('holders'));
        await ui.page.send('Page.reload');
        await ui.sees(m.holders_shown({ name: 'May reader' }), 'main');
        await ui.wait("document.querySelectorAll('main tbody tr').length === 4");
        await ui.button(m.audit_all());
        await ui.wait("document.querySelectorAll('main tbody tr').length > 4");

        const sessions = [];
        for (const client_id of ['laptop', 'telephone', 'script']) {
            const { json } = await server.grant({
                grant_type: 'password',
                username: 'reader@example.com',
                password,
                client_id,
            });
            sessions.push(json.access_token);
        }
        const statuses = () =>
            Promise.all(
                sessions.map(
                    async (one) =>
                        (await server.call('GET', '/api/auth/me', { token: one })).status,
                ),
            );
        await ui.go(`#/users/${staff.reader}?tab=Sessions`, '#panel tbody tr:nth-child(3)');
        const cells = (selector) =>
            ui.evaluate(
                `[...document.querySelectorAll('#panel ${selector}')].map((cell) => cell.textContent.trim())`,
            );
        assert.deepEqual(await cells('thead th'), [
            m.session_client(),
            m.session_since(),
            m.session_last(),
            m.session_address(),
            m.session_until(),
            m.session_end(),
        ]);
        const shown = await cells('tbody tr:first-child td');
        assert.equal(shown[3], '127.0.0.1');
        assert.ok(
            shown.slice(0, 5).every((cell) => cell && cell !== '–'),
            `${shown}`,
        );
        await ui.check(name('sessions'));
        await ui.button(`${m.session_end()}…`);
        await ui.wait("document.querySelector('[role=dialog], [role=alertdialog]')");
        await ui.click('[role=dialog] button, [role=alertdialog] button', m.session_end());
        await ui.wait("document.querySelectorAll('#panel tbody tr').length === 2");
        assert.deepEqual((await statuses()).sort(), [200, 200, 401]);
        await ui.button(`${m['cmd_revoke-tokens']()}…`);
        await ui.wait("document.querySelector('[role=dialog], [role=alertdialog]')");
        await ui.check(name('sessions-end-all'));
        await ui.click('[role=dialog] button, [role=alertdialog] button', m['cmd_revoke-tokens']());
        await ui.sees(m.session_none(), '#panel');
        assert.deepEqual(await statuses(), [401, 401, 401]);
        await ui.close();
    });
