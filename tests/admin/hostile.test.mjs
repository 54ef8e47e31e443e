// Names that look like markup, scripts, templates, formulas or nothing, in every screen of the admin UI: they are shown as
// they are, nothing of them is executed, fetched or cut off, and they move nothing else. So are 10,000 roles of one user.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId } from '../lib/ids.mjs';
import { isSampled, Server } from '../lib/server.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';
import { userBody } from '../lib/users.mjs';
import { Ui } from './ui.mjs';

const receiver = await startWebhookReceiver(() => 503);
const server = await Server.start(['--webhook-hosts', receiver]);
const token = await server.admin();

const names = [
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script><svg onload="window.hacked=1">',
    '"\'`></textarea></select></title></style><iframe src="javascript:top.hacked=1">',
    '{{constructor.constructor("window.hacked=1")()}} ${window.hacked=1} {@html 1} {count} %s $& $1',
    'javascript:window.hacked=1//',
    '&lt;b&gt; &amp;amp; &#60;i&#62; \\u003cb\\u003e',
    '\u202eright to left\u2067 \u0634\u062e\u0635 \u05d0\u05d3\u05dd',
    `Z${'\u0301\u0323\u0336\u0489'.repeat(20)}algo`,
    '👩🏽‍💻🏳️‍🌈👨‍👩‍👧‍👦'.repeat(12),
    'W'.repeat(150),
    'ﷺ'.repeat(40),
    'ديفيد 田中さん Ωμέγα ß ﬃ İı',
    '=HYPERLINK("http://127.0.0.1:1/?"&A1,"x")',
    '../../etc/passwd%00%2e%2e%2f?a=b#c&q=/users/1',
    '__proto__',
    'constructor',
    'undefined',
    '\u00a0\u2003.\u200b',
];

async function make(path, body) {
    const { status, json, text } = await server.call('POST', path, { token, body });
    assert.equal(status, 200, text);
    return json.Value.Id;
}

// One of each kind for each name; the first of each is what the records' screens show.
const made = { users: [], roles: [], businesses: [], chatrooms: [], languages: [], webhooks: [] };
for (const [i, Name] of names.entries()) {
    const BusinessId = await make('/api/sys/businesses', { Name });
    const role = await make('/api/security/userroles', { BusinessId, Name, Roles: [1, 2] });
    const room = await make('/api/support/chatrooms', { BusinessId, Name, Active: true });
    made.businesses.push(BusinessId);
    made.roles.push(role);
    made.chatrooms.push(room);
    made.languages.push(
        await make('/api/sys/languages', {
            BusinessId,
            Name,
            Culture: 'en-GB',
            DisplayOrder: i,
            Active: true,
        }),
    );
    made.webhooks.push(
        await make('/api/sys/webhooks', {
            BusinessId,
            Name,
            Action: 1002,
            Active: i === 0,
            URL: `http://${receiver}/`,
        }),
    );
    const id = await make(
        '/api/sys/users',
        userBody({
            FullName: 'Before',
            Email: `hostile${i}@example.com`,
            Active: true,
            Businesses: [BusinessId],
            DefaultBusinessId: BusinessId,
            UserRoles: [role],
            ChatRooms: [room],
        }),
    );
    const change = { FullName: Name, Devices: Name, SystemId: Name.slice(0, 50) };
    const { status, text } = await server.call('PATCH', `/api/sys/users/${id}`, {
        token,
        body: change,
    });
    assert.equal(status, 200, text);
    made.users.push(id);
}

async function look(ui, screen, hash, selector) {
    await ui.go(hash, selector);
    await ui.wait("!document.querySelector('[aria-busy=true]')");
    await ui.misses('Loading…');
    await ui.check(screen);
    assert.equal(await ui.evaluate('typeof window.hacked'), 'undefined', screen);
    assert.match(await ui.evaluate('document.title'), / – Roster$/);
}
// As text that a person sees, whatever the white space in it.
const shows = (ui, name) =>
    ui.wait(`document.querySelector('main').textContent.includes(${JSON.stringify(name)})`);

for (const width of [1280, 390])
    test(`hostile names in every screen, at ${width} px`, async () => {
        const ui = await Ui.open(server, { width });
        await ui.signedIn();
        for (const kind of Object.keys(made)) {
            await look(ui, `hostile-${kind}-${width}`, `#/${kind}?size=50`, 'tbody tr');
            for (const name of names) await shows(ui, name);
            const record = `#/${kind}/${made[kind][0]}`;
            await look(ui, `hostile-${kind}-record-${width}`, record, '#panel .field');
            if (width > 640) continue;
            await look(
                ui,
                `hostile-${kind}-history-${width}`,
                `${record}?tab=History`,
                '#panel tr',
            );
        }
        const columns = 'Email,Devices,SystemId,DefaultBusinessId';
        await look(ui, `hostile-columns-${width}`, `#/users?size=50&cols=${columns}`, 'tbody tr');
        await look(ui, `hostile-audit-${width}`, '#/audit', 'tbody tr');
        await look(ui, `hostile-overview-${width}`, '#/overview', 'main tbody tr');
        await look(ui, `hostile-settings-${width}`, '#/settings?q=%3Cimg%20src%3Dx%3E', '.empty');
        for (const id of made.users) {
            await ui.go(`#/users/${id}?tab=History`, '#panel tbody tr');
            await ui.compareMoments();
            await ui.check(`hostile-moments-${id}-${width}`);
        }
        const deliveries = `#/webhooks/${made.webhooks[0]}?tab=Deliveries`;
        await look(ui, `hostile-deliveries-${width}`, deliveries, '#panel tbody tr');
        for (const [i, id] of width < 640 ? made.users.entries() : []) {
            await ui.go(`#/users/${id}?tab=Access`, '.chips li');
            await shows(ui, names[i]);
            await ui.check(`hostile-user-${i}-${width}`);
        }
        const [id] = made.users;
        await look(ui, `hostile-permissions-${width}`, `#/users/${id}?tab=Permissions`, '#panel a');
        await ui.go(`#/users/${id}`, '#field-FullName');
        await ui.button('Delete…');
        await ui.wait("document.querySelector('[role=alertdialog]')");
        await ui.check(`hostile-delete-${width}`);
        await ui.button('Cancel');
        await ui.wait("!document.querySelector('[role=alertdialog]')");
        assert.equal(await ui.evaluate('typeof window.hacked'), 'undefined');
        await ui.close();
    });

const many = isSampled() ? 1000 : 10000;

test(`a user with ${many} roles: the page shows the first and counts the others, and saves all of them`, async () => {
    const ids = [];
    const body = (i) => ({ BusinessId: businessId, Name: `Role ${i}`, Roles: [(i % 5) + 1] });
    for (let at = 0; at < many; at += 100)
        ids.push(
            ...(await Promise.all(
                Array.from({ length: 100 }, (_, i) =>
                    make('/api/security/userroles', body(at + i)),
                ),
            )),
        );
    const id = await make(
        '/api/sys/users',
        userBody({
            FullName: 'Of many roles',
            Email: 'many@example.com',
            Active: true,
            APIAccess: true,
            UserRoles: ids,
        }),
    );
    const ui = await Ui.open(server);
    await ui.signedIn();
    await ui.go(`#/users/${id}?tab=Access`, '.chips li');
    await ui.sees(`+${many - 100}`, '.chips');
    await ui.sees('Role', '.chips');
    assert.equal(await ui.evaluate("document.querySelectorAll('.chips li').length"), 101);
    await ui.check('many-roles');
    await ui.click('.chips li:first-child button');
    await ui.button('Save');
    await ui.sees('Saved.');
    assert.equal((await server.get(id)).UserRoles.length, many - 1);
    await ui.go(`#/users/${id}?tab=Permissions`, '#panel tbody tr');
    await ui.check('many-roles-permissions');
    await ui.go('#/roles', 'tbody tr');
    await ui.sees(`of ${(many + names.length + 7).toLocaleString('en-US')}`, 'main');
    await ui.type('#search', 'Role 777');
    await ui.sees('Role 777', 'tbody');
    await ui.close();
});
