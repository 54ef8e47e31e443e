// Each screen of the admin UI, in both languages, light and dark, wide and narrow, at a zoom of 200 % and in forced colours:
// nothing that axe finds against WCAG 2.2 AA, nothing cut off or wider than the window, nothing that moves, no error in the console, no report of the policy, no request elsewhere. Names
// that are long, or look like markup, change nothing about that.
import test from 'node:test';
import assert from 'node:assert/strict';
import { addMembers, addNeighbours } from '../lib/world.mjs';
import { adminId, staff, userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';
import { until } from '../lib/wait.mjs';
import { userBody } from '../lib/users.mjs';
import { allVariants, Ui } from './ui.mjs';

const receiver = await startWebhookReceiver((user) => (user.FullName === 'Ada King' ? 500 : 200));
const server = await Server.start(['--webhook-hosts', receiver]);
const token = await server.admin();
await addNeighbours(server);
await addMembers(server, 40);
const hostile =
    '<img src=x onerror="document.title=1"><script>alert(1)</script> \u202e{{7*7}} ${1} ' +
    'W'.repeat(120);
const made = await server.call('POST', '/api/sys/users', {
    token,
    body: userBody({
        FullName: hostile,
        Email: 'hostile@example.com',
        Devices: hostile,
        Active: true,
        Businesses: [301, 302, 303],
    }),
});
assert.equal(made.status, 200, made.text);
const hostileId = made.json.Value.Id;
const role = await server.call('POST', '/api/security/userroles', {
    token,
    body: { BusinessId: 301, Name: hostile, Roles: [1, 2] },
});
assert.equal(role.status, 200, role.text);
const hook = await server.call('POST', '/api/sys/webhooks', {
    token,
    body: {
        BusinessId: 301,
        Name: hostile,
        Action: 1002,
        Active: true,
        URL: `http://${receiver}/`,
        SharedSecret: 'a secret',
    },
});
const hookId = hook.json.Value.Id;
await server.call('POST', '/api/sys/webhooks/runcommand', {
    token,
    body: { Key: 'test', Ids: [hookId] },
});
await server.call('PATCH', `/api/sys/users/${userId}`, {
    token,
    body: { FullName: 'Ada King', Language: 2, UserRoles: [401, role.json.Value.Id] },
});

// One has arrived, the other has failed once and waits.
await until('the deliveries are made', async () => {
    const { json } = await server.call('GET', '/api/sys/webhookdeliveries', { token });
    return json.TotalItems === 2 && json.Records.every((one) => one.Attempts > 0);
});

const screens = {
    users: ['#/users', 'tbody tr'],
    'users-found': ['#/users?q=member&sort=FullName&dir=desc', 'tbody tr'],
    'users-columns': ['#/users?cols=Email,Language,DefaultBusinessId,IsAdmin', 'tbody tr'],
    'users-none': ['#/users?q=nobody%20at%20all', '.empty'],
    user: [`#/users/${userId}`, '#field-FullName'],
    'user-access': [`#/users/${userId}?tab=Access`, '.chips li:nth-child(2)'],
    'user-permissions': [`#/users/${staff.manager}?tab=Permissions`, '#panel tbody tr'],
    'user-notifications': [`#/users/${userId}?tab=Notifications`, '#field-OnNewEmail'],
    'user-status': [`#/users/${userId}?tab=Status`, '#field-CreatedOn'],
    'user-sessions': [`#/users/${adminId}?tab=Sessions`, '#panel tbody tr'],
    'user-history': [`#/users/${userId}?tab=History`, '#panel tbody tr:nth-child(3)'],
    'user-hostile': [`#/users/${hostileId}`, '#field-FullName'],
    'user-new': ['#/users/new', '#field-FullName'],
    'users-import': ['#/users/import', '#file'],
    'user-gone': ['#/users/999999999', '[role=alert]'],
    roles: ['#/roles', 'tbody tr'],
    role: [`#/roles/${role.json.Value.Id}`, 'main table input'],
    audit: ['#/audit', 'tbody tr'],
    overview: ['#/overview', 'main dl'],
    settings: ['#/settings', 'main tbody tr'],
    webhooks: ['#/webhooks', 'tbody tr'],
    'webhook-deliveries': [`#/webhooks/${hookId}?tab=Deliveries`, '#panel tbody tr:nth-child(2)'],
    'chat-rooms-found': ['#/chatrooms?q=nothing%20at%20all', '.empty'],
};

for (const [language, scheme, width, more] of allVariants)
    test(`every screen in ${language}, ${scheme}, ${width} px ${more?.as ?? ''}`, async () => {
        const ui = await Ui.open(server, { language, scheme, width, ...more });
        const name = (screen) =>
            `${screen}-${language}-${scheme}-${width}${more ? Object.keys(more)[0] : ''}`;
        const check = async (screen) => {
            await ui.check(name(screen));
            if (more?.colours) assert.deepEqual(await ui.unmarked(), [], screen);
        };
        await ui.go('', '#password');
        await check('sign-in');
        await ui.signedIn();
        for (const [screen, [hash, selector]] of Object.entries(screens)) {
            await ui.go(hash, selector);
            await ui.wait("!document.querySelector('[aria-busy=true]')");
            if (screen === 'user-gone') ui.page.complaints.splice(0, Infinity); // the browser notes the 404
            await check(screen);
            if (screen !== 'user-history') continue;
            await ui.compareMoments();
            await check('user-moments');
        }
        assert.equal(await ui.evaluate('document.documentElement.lang'), language);
        assert.ok(!(await ui.text()).includes('undefined'));
        await ui.click('.account');
        await ui.wait("document.querySelector('[role=menu]')");
        await ui.check(name('menu'));
        await ui.close();
    });

test('the page is in the language that was chosen, from then on', async () => {
    const ui = await Ui.open(server, { language: 'fr' });
    await ui.signedIn();
    await ui.sees('Users', 'main');
    await ui.click('.account');
    await ui.click('[role=menuitemradio]', 'Español');
    await ui.sees('Usuarios', 'main');
    await ui.page.send('Page.reload');
    await ui.sees('Usuarios', 'main');
    await ui.close();
});

test('British English has its own words', async () => {
    for (const [language, word] of [
        ['en-GB', 'Licences of what'],
        ['en-US', 'Licenses of what'],
    ]) {
        const ui = await Ui.open(server, { language });
        await ui.signedIn();
        await ui.go('#/settings', 'main tbody tr');
        await ui.sees(word, 'main');
        await ui.sees('Backups and checks', 'main');
        await ui.close();
    }
});

test('a person sees no more than the permissions allow', async () => {
    const ui = await Ui.open(server);
    await ui.signedIn('frontdesk@example.com'); // List and Read
    await ui.go(`#/users/${adminId}`, 'output#field-FullName');
    const words = await ui.text();
    for (const absent of ['Save', 'Delete', 'Audit trail', 'Roles'])
        assert.ok(!words.split('\n').includes(absent), absent);
    await ui.check('user-read-only');
    await ui.close();
});
