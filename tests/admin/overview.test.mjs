// The overview of the admin UI: what a server that has just started shows, a day with failures, the plots and their
// tables, for those who may see it; nothing that axe finds, in both languages, light and dark, wide and narrow.
import test from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { Ui } from './ui.mjs';

const server = await Server.start();
const token = await server.admin();
for (const FullName of ['Ada King', 'Ada Lovelace'])
    await server.call('PATCH', `/api/sys/users/${userId}`, { token, body: { FullName } });
await server.call('PATCH', `/api/sys/users/${userId}`, { token, body: { UserRoles: [401] } });
const { json: fresh } = await server.call('GET', '/api/utils/figures', { token });

// A day of a server that is a day old, with failures in its last hour.
const samples = 288;
const day = () => {
    const now = Date.parse(fresh.Figures.Until[0]);
    const column = (value) => Array.from({ length: samples + 1 }, (_, at) => value(at));
    const busy = (at) => Math.max(0, Math.sin((at / samples) * Math.PI * 2 - 1));
    return {
        ...fresh,
        StartedOn: new Date(now - 3 * 86400e3).toISOString(),
        LastBackup: new Date(now - 3 * 86400e3).toISOString(),
        Figures: {
            Until: column((at) => new Date(now - (samples - at) * 300e3).toISOString()),
            Seconds: column(() => 300),
            Requests: column((at) => Math.round(4000 * busy(at)) + 20),
            ServerErrors: column((at) => (at > 280 ? 3 : 0)),
            P99Microseconds: column((at) =>
                at % 50 === 7 ? null : Math.round(900 + 4000 * busy(at)),
            ),
            Writes: column((at) => Math.round(900 * busy(at))),
            SignIns: column((at) => Math.round(40 * busy(at))),
            SignInFailures: column((at) => (at > 276 ? 90 : at % 7)),
            WebhookDeliveries: column((at) => Math.round(300 * busy(at))),
            WebhookFailures: column((at) => (at > 285 ? 12 : 0)),
            StoreBytes: column((at) => 41_000_000 + at * 12_345),
            DiskFreeBytes: column(() => 73_400_000_000),
            MemoryBytes: column(() => 64_000_000),
            Connections: column(() => 12),
        },
    };
};

const open = async (options, figures) => {
    const ui = await Ui.open(server, { height: 2600, ...options });
    if (figures)
        await ui.page.send('Page.addScriptToEvaluateOnNewDocument', {
            source: `const real = fetch; window.fetch = (path, ...rest) => path.endsWith('/utils/figures')
                ? Promise.resolve(Response.json(${JSON.stringify(figures)})) : real(path, ...rest);`,
        });
    await ui.signedIn();
    await ui.go('#/overview', 'main dl');
    await ui.wait("document.querySelector('main tbody tr')");
    await ui.wait("!document.querySelector('main dl').innerText.includes('…')");
    return ui;
};
// Of how many plots are there lines in the canvas?
const drawn = (ui) =>
    ui.evaluate(`[...document.querySelectorAll('canvas')].filter((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size > 3;
    }).length`);

for (const [language, scheme, width] of [
    ['en-US', 'light', 1280],
    ['es', 'dark', 1280],
    ['es', 'light', 390],
    ['en-GB', 'dark', 390],
])
    test(`the overview in ${language}, ${scheme}, ${width} px`, async () => {
        const name = (screen) => `${screen}-${language}-${scheme}-${width}`;
        const ui = await open({ language, scheme, width });
        assert.equal(await ui.evaluate("document.querySelectorAll('canvas').length"), 0);
        await ui.check(name('overview-new'));
        await ui.close();
        const full = await open({ language, scheme, width }, day());
        assert.equal(await full.evaluate("document.querySelectorAll('canvas').length"), 6);
        assert.equal(await drawn(full), 6);
        await full.check(name('overview'));
        await full.evaluate(
            "document.querySelectorAll('details').forEach((one) => (one.open = true))",
        );
        await full.check(name('overview-tables'));
        await full.close();
    });

test('what fails is said at the top, the last changes at the end with names for Ids', async () => {
    const figures = day();
    const ui = await open({}, figures);
    for (const words of [
        '24 requests of the last hour failed with a status from 500 on.',
        '36 attempts to deliver to webhooks failed in the last hour.',
        '1,080 sign-ins were refused in the last hour, more than succeeded.',
        'The last backup is older than two days.',
        `process ${figures.ProcessId} on`,
    ])
        await ui.sees(words);
    await ui.sees('Ada Lovelace', 'table.cards');
    await ui.sees('May lister', 'table.cards');
    await ui.misses('[401]', 'table.cards');
    await ui.close();
});

test('a server of which nothing failed says so, and counts what its people do', async () => {
    const ui = await open({});
    await ui.sees('Nothing has failed in the last hour.');
    await ui.sees('The server has just started.');
    const { json } = await server.call('GET', '/api/sys/users?User_Active=true&size=1', { token });
    await ui.sees(`Active users\n${json.TotalItems}`);
    await ui.close();
});

test('the table has the sums of the hours, for the keyboard and for readers', async () => {
    const figures = day();
    const ui = await open({}, figures);
    await ui.evaluate("document.querySelector('summary').focus()");
    await ui.key('Enter');
    await ui.wait("document.querySelector('details').open");
    const sum = await ui.evaluate(
        "[...document.querySelectorAll('details')][0].querySelectorAll('td:nth-child(2)').values().reduce((sum, cell) => sum + Number(cell.innerText.replace(',', '')), 0)",
    );
    const { SignIns: all } = figures.Figures;
    assert.equal(
        sum,
        all.slice(0, -1).reduce((total, one) => total + one, 0),
    );
    assert.match(
        await ui.evaluate("document.querySelector('[role=img]').getAttribute('aria-label')"),
        /^Sign-ins\. [\d,]+ succeeded, [\d,]+ refused$/,
    );
    await ui.close();
});

test('in forced colours the lines are drawn, and told apart by their dashes', async () => {
    const ui = await open({}, day());
    await ui.page.send('Emulation.setEmulatedMedia', {
        features: [
            { name: 'forced-colors', value: 'active' },
            { name: 'prefers-color-scheme', value: 'dark' },
        ],
    });
    await ui.wait("matchMedia('(forced-colors: active)').matches");
    assert.equal(await drawn(ui), 6);
    await ui.check('overview-forced');
    await ui.close();
});

test('who may not read the figures sees no overview, and no other screen loads its plots', async () => {
    const ui = await Ui.open(server);
    await ui.signedIn('frontdesk@example.com');
    await ui.sees('Users', 'nav');
    await ui.misses('Overview', 'nav');
    await ui.evaluate("location.href = '#/overview'");
    await ui.sees('You have no permission to see this.');
    assert.deepEqual(
        ui.page.requests.filter((url) => /Dashboard|utils\/figures/.test(url)),
        [],
    );
    await ui.close();
});
