// Makes the pictures of docs/admin-ui.md (tools/admin-pictures): the admin UI in the browser of the tests, with a small
// directory of its own.
import test from 'node:test';
import { writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';
import { Ui } from './ui.mjs';

const folder = new URL('../../docs/pictures/', import.meta.url);
const receiver = await startWebhookReceiver((user) =>
    user.FullName === 'Tomás Vidal' ? 503 : 200,
);
const server = await Server.startNew([
    ...['--admin-email', 'admin@example.com', '--admin-password', 'demo-password'],
    ...['--webhook-hosts', receiver],
]);
const token = await server.admin();
async function call(method, path, body) {
    const { status, text, json } = await server.call(method, path, { token, body });
    assert.equal(status, 200, text);
    return json;
}
const made = async (path, body) => (await call('POST', path, body)).Value.Id;

const BusinessId = await made('/api/sys/businesses', { Name: 'Harbour Works' });
const reception = await made('/api/security/userroles', {
    BusinessId,
    Name: 'Reception',
    Roles: [1, 2],
});
const office = await made('/api/security/userroles', {
    BusinessId,
    Name: 'Office',
    Roles: [1, 2, 3, 4],
});
const hook = await made('/api/sys/webhooks', {
    BusinessId,
    Name: 'Door system',
    Action: 1002,
    Active: true,
    URL: `http://${receiver}/`,
});
const people = {};
for (const [FullName, more] of [
    ['Amara Okafor', { UserRoles: [office], Businesses: [BusinessId] }],
    ['Bruno Keller', { UserRoles: [reception] }],
    ['Chloé Martin', {}],
    ['Daniel Novák', { Active: false }],
    ['Ines Fischer', { UserRoles: [reception, office], APIAccess: true }],
    ['Tomás Vidal', {}],
])
    people[FullName] = await made(
        '/api/sys/users',
        userBody({
            FullName,
            Email: `${FullName.split(' ')[0]
                .normalize('NFD')
                .replace(/[^a-z]/gi, '')
                .toLowerCase()}@example.com`,
            Active: true,
            ...more,
        }),
    );
await call('POST', '/api/sys/webhooks/runcommand', { Key: 'test', Ids: [hook] });
await call('PATCH', `/api/sys/users/${people['Amara Okafor']}`, {
    SystemId: 'HW-0042',
    UserRoles: [reception],
});
await call('PATCH', `/api/sys/users/${people['Tomás Vidal']}`, { Devices: 'Desk phone 12' });
await until('the deliveries are made', async () => {
    const { TotalItems, Records } = await call('GET', '/api/sys/webhookdeliveries');
    return TotalItems === 3 && Records.every((one) => one.Attempts > 0);
});

test('the pictures are made', async () => {
    const ui = await Ui.open(server, { width: 960, height: 600 });
    async function picture(name, { hash, selector, of = ui } = {}) {
        if (hash !== undefined) await of.go(hash, selector);
        await of.wait("!document.querySelector('[aria-busy=true]')");
        const { data } = await of.page.send('Page.captureScreenshot', {
            format: 'webp',
            quality: 70,
        });
        writeFileSync(new URL(`${name}.webp`, folder), Buffer.from(data, 'base64'));
    }
    const fresh = await Server.startNew();
    const first = await Ui.open(fresh, { width: 960, height: 700 });
    await first.go(/(#\/first\/[\w-]{43})\n/.exec(fresh.stdout)[1]);
    await first.wait("document.activeElement.id === 'FullName'");
    await picture('first-run', { of: first });
    await first.close();
    await picture('sign-in', { hash: '', selector: '#password' });
    await ui.signedIn();
    await ui.resize(960, 420);
    await picture('overview', { hash: '#/overview', selector: 'main dl' });
    await ui.resize(960, 600);
    await picture('users', { hash: '#/users?sort=FullName', selector: 'tbody tr' });
    await picture('user', {
        hash: `#/users/${people['Amara Okafor']}`,
        selector: '#field-FullName',
    });
    // A face, as far as a canvas draws one.
    const face = await ui.evaluate(`(() => {
        const canvas = document.createElement('canvas'), context = canvas.getContext('2d');
        canvas.width = 640; canvas.height = 400;
        const fill = (colour, draw) => { context.fillStyle = colour; context.beginPath(); draw(); context.fill(); };
        fill('#9ec9d6', () => context.rect(0, 0, 640, 400));
        fill('#34657a', () => context.ellipse(360, 420, 150, 140, 0, 0, 7));
        fill('#3b2a20', () => context.ellipse(360, 160, 98, 110, 0, 0, 7));
        fill('#c98d6a', () => context.ellipse(360, 180, 78, 96, 0, 0, 7));
        for (const x of [330, 390]) fill('#2a1c16', () => context.ellipse(x, 168, 8, 9, 0, 0, 7));
        fill('#8c3b34', () => context.ellipse(360, 226, 26, 9, 0, 0, 7));
        return canvas.toDataURL('image/png');
    })()`);
    await ui.go(`#/users/${people['Amara Okafor']}`, '#file');
    await ui.choose('amara.png', Buffer.from(face.split(',')[1], 'base64'));
    await ui.wait("document.querySelector('#field-NewAvatarUrl:focus')");
    await ui.key('ArrowRight');
    await ui.key('ArrowRight');
    await ui.evaluate('scrollTo(0, 0)');
    await picture('avatar');
    await ui.button('Discard changes');
    await ui.wait("document.querySelector('#file')");
    await picture('settings', { hash: '#/settings?q=webhook', selector: 'main tbody tr' });
    await picture('permissions', {
        hash: `#/users/${people['Ines Fischer']}?tab=Permissions`,
        selector: '#panel tbody tr',
    });
    await picture('role', { hash: `#/roles/${reception}`, selector: 'main table input' });
    await ui.go(`#/users/${people['Amara Okafor']}?tab=History`, '#panel tbody tr:nth-child(2)');
    await ui.sees('Undo all', '#panel');
    await picture('history');
    await picture('deliveries', {
        hash: `#/webhooks/${hook}?tab=Deliveries`,
        selector: '#panel tbody tr:nth-child(3)',
    });

    await ui.go('#/users/import', '#file');
    await ui.choose(
        'people.csv',
        'Mail;Name;Devices;Birthday\nlena@example.com;Lena Vogt;Desk phone 14;1 May\n' +
            'omar.example.com;Omar Haddad;;2 June\nines@example.com;Ines Fischer;Desk phone 15;3 July\n',
    );
    await ui.wait("document.querySelector('#column-2')?.value === 'Devices'");
    await ui.select('#column-0', 'Email');
    await ui.select('#column-1', 'FullName');
    await ui.button('Check 3 rows');
    await ui.sees('1 would be refused', 'main .banner');
    await ui.resize(960, 1020);
    await ui.evaluate('scrollTo(0, 0)');
    await picture('import');
    await ui.resize(960, 640);

    await ui.go('#/users', 'tbody tr');
    await ui.button('Change all 7…');
    await ui.wait("document.querySelector('[role=dialog] #bulk-action')");
    await ui.select('#bulk-action', 'deactivate');
    await ui.click('[role=dialog] button', 'Preview');
    await ui.sees('1 would be refused', '[role=dialog]');
    await picture('change-all');
    assert.deepEqual(ui.page.complaints, []);
    await ui.close();
});
