// The audit trail in the admin UI: names in place of Ids, what one request changed, its export, and what a record was at
// two times; in both languages, light and dark, wide and narrow.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { Ui, variants } from './ui.mjs';
import { words } from './words.mjs';

const server = await Server.start();
const token = await server.admin();
const change = async (body) => {
    const reply = await server.call('PATCH', `/api/sys/users/${userId}`, { token, body });
    assert.equal(reply.status, 200, reply.text);
    return reply.headers.get('x-request-id');
};
await change({ FullName: 'First' });
await change({ FullName: 'Second', UserRoles: [401] });
const both = await change({ FullName: '=Third', UserRoles: [402, 403] });
await change({ FullName: 'Second', Devices: 'Phone' });
await change({ Devices: 'Tablet' });
const { json: trail } = await server.call(
    'GET',
    `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${userId}&orderBy=Id&size=1000`,
    { token },
);
// The time of the row with this new value, and one millisecond before it.
const timeOf = (value) => {
    const row = trail.Records.find(({ NewValue }) => NewValue === value);
    assert.ok(row, value);
    return Date.parse(row.UpdatedOn);
};

// A time as the input of a browser takes it.
const setTime = (ui, id, ms) =>
    ui.evaluate(`{
        const input = document.querySelector('#${id}');
        input.value = new Date(${ms} - new Date(${ms}).getTimezoneOffset() * 60000).toISOString().slice(0, -1);
        input.dispatchEvent(new Event('input', { bubbles: true }));
    }`);

for (const [language, scheme, width] of variants)
    test(`the audit trail in ${language}, ${scheme}, ${width} px`, async () => {
        const name = (screen) => `${screen}-${language}-${scheme}-${width}`,
            { m } = words(language);
        const ui = await Ui.open(server, { language, scheme, width });
        const rows = () => ui.evaluate("document.querySelectorAll('main tbody tr').length");
        await ui.signedIn();
        await ui.go('#/audit', 'tbody tr');
        await ui.sees('May reader, May creator', 'main');
        await ui.misses('[402', 'main');

        // The changes of one request, by the keyboard; the back button brings all again.
        const everything = await rows();
        await ui.evaluate(`document.querySelector('button[title="${both}"]').focus()`);
        await ui.key('Enter');
        await ui.wait("document.querySelectorAll('main tbody tr').length === 2");
        await ui.sees('=Third', 'main');
        await ui.check(name('audit-request'));
        await ui.evaluate('history.back()');
        await ui.wait(`document.querySelectorAll('main tbody tr').length === ${everything}`);
        await ui.go(`#/audit?request=${both}`, 'tbody tr');
        await ui.wait("document.querySelectorAll('main tbody tr').length === 2");

        // Its export has these rows alone, and no formula.
        const downloads = temporaryFolder();
        await ui.page.send('Page.setDownloadBehavior', {
            behavior: 'allow',
            downloadPath: downloads,
        });
        await ui.button(`${m.export()}…`);
        await ui.wait("document.querySelector('[role=dialog]')");
        await ui.check(name('audit-export'));
        await ui.button(m.export_do());
        const file = join(downloads, 'audit.csv');
        await until('the file', () => existsSync(file) && readFileSync(file, 'utf8').length > 0);
        const lines = readFileSync(file, 'utf8').split('\r\n');
        assert.equal(lines.length, 4, lines.join('\n'));
        assert.ok(lines.some((line) => line.includes("'=Third")));
        await ui.key('Escape');
        await ui.wait("!document.querySelector('[role=dialog]')");
        await ui.button(m.audit_all());
        await ui.wait(`document.querySelectorAll('main tbody tr').length === ${everything}`);

        // Between these times the name was changed and changed back, so only the roles and the devices differ.
        await ui.go(`#/users/${userId}?tab=History`, '#panel tbody tr');
        await ui.click('details summary');
        await setTime(ui, 'moment-from', timeOf('=Third') - 1);
        await setTime(ui, 'moment-to', timeOf('Tablet'));
        await ui.button(m.moments_compare());
        await ui.wait("document.querySelectorAll('#moments tbody tr').length === 2");
        await ui.sees('May lister', '#moments');
        await ui.sees('May reader, May creator', '#moments');
        await ui.check(name('moments'));
        await setTime(ui, 'moment-from', timeOf('Tablet'));
        await setTime(ui, 'moment-to', timeOf('Tablet') + 1000);
        await ui.button(m.moments_compare());
        await ui.sees(m.moments_same(), 'details');
        await setTime(ui, 'moment-to', timeOf('Tablet') - 1);
        await ui.button(m.moments_compare());
        await ui.sees(m.moments_order(), 'details');
        await ui.close();
    });

for (const how of ['click', 'Enter'])
    test(`comparing two moments saves nothing that was typed before (${how})`, async () => {
        const ui = await Ui.open(server);
        await ui.signedIn();
        const before = (await server.get(userId)).Devices;
        await ui.go(`#/users/${userId}`, '#field-Devices');
        await ui.type('#field-Devices', 'not to be saved');
        await ui.click('[role=tab]', 'History');
        await ui.click('details summary');
        await setTime(ui, 'moment-from', Date.UTC(2020, 0));
        await setTime(ui, 'moment-to', Date.UTC(2100, 0));
        if (how === 'click') await ui.button('Compare');
        else {
            await ui.evaluate("document.getElementById('moment-to').focus()");
            await ui.key('Enter');
        }
        await ui.wait("document.querySelector('#moments')");
        await ui.sees('1 unsaved', 'main');
        assert.equal((await server.get(userId)).Devices, before);
        await ui.close();
    });
