// The settings of the server in the admin UI, in both languages, light and dark, wide and narrow.
import test from 'node:test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { Ui, variants } from './ui.mjs';

const long = Array.from({ length: 12 }, (_, i) => `https://app${i}.example.com`).join(',');
const server = await Server.start(['--audit-days', '90', '--cors-origins', long]);
const rows = (ui) => ui.evaluate("document.querySelectorAll('main tbody tr').length");

for (const [language, scheme, width] of variants)
    test(`the settings in ${language}, ${scheme}, ${width} px`, async () => {
        const ui = await Ui.open(server, { language, scheme, width });
        const name = (screen) => `${screen}-${language}-${scheme}-${width}`;
        await ui.signedIn();
        await ui.go('#/settings', 'main tbody tr');
        const all = await rows(ui);
        assert.ok(all > 40, `${all}`);
        await ui.sees('rosterd backup --to');
        await ui.sees('sqlite3', '.libraries');
        await ui.check(name('settings'));
        await ui.type('#search', 'audit');
        await ui.wait("document.querySelectorAll('main tbody tr').length === 1");
        await ui.sees('90', 'main tbody');
        await ui.check(name('settings-found'));
        await ui.type('#search', 'nothing at all');
        await ui.wait("document.querySelector('.empty')");
        await ui.check(name('settings-none'));
        await ui.close();
    });

test('the menu leads to the settings; a copied address brings the same view', async () => {
    const ui = await Ui.open(server);
    await ui.signedIn();
    await ui.click('.account');
    await ui.click('[role=menuitem]', 'Settings');
    await ui.wait(
        "document.querySelector('main .libraries') && document.querySelector('main tbody tr')",
    );
    const all = await rows(ui);
    await ui.click('.check input');
    await ui.wait("location.hash === '#/settings?set=1'");
    await ui.wait(`document.querySelectorAll('main tbody tr').length !== ${all}`);
    const few = await rows(ui);
    assert.ok(few > 0 && few < all, `${few} of ${all}`);
    await ui.page.send('Page.reload');
    await ui.wait(`document.querySelectorAll('main tbody tr').length === ${few}`);
    await ui.close();
});

test('a backup and a check are started, and the screen tells how they ended', async () => {
    const folder = join(temporaryFolder(), 'backups');
    mkdirSync(folder);
    const other = await Server.start(['--backup-dir', folder]);
    const ui = await Ui.open(other, { width: 390 });
    await ui.signedIn();
    await ui.go('#/settings', '.maintenance');
    await ui.sees(folder, '.maintenance');
    await ui.check('maintenance');
    await ui.click('.maintenance button', 'Back up now');
    await ui.wait(
        "document.querySelector('.maintenance')?.innerText.includes('Backup: succeeded')",
    );
    await ui.sees(`${folder}/roster-`, '.maintenance .lines');
    await ui.click('.maintenance button', 'Check now');
    await ui.wait(
        "document.querySelector('.maintenance')?.innerText.includes('Check of the database: succeeded')",
    );
    await ui.check('maintenance-done');
    await ui.close();
});

test('who is no unrestricted administrator sees no settings', async () => {
    const ui = await Ui.open(server);
    await ui.signedIn('manager@example.com');
    await ui.click('.account');
    await ui.wait("document.querySelector('[role=menu]')");
    await ui.misses('Settings', '[role=menu]');
    await ui.key('Escape');
    await ui.go('#/settings', 'main p');
    await ui.misses('audit-days');
    await ui.close();
});
