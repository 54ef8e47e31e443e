// Users in numbers, in a real browser: a file is checked and imported with its errors by line, many users are changed after
// a preview, what the list finds is saved as a file. Progress is seen, and each of them can be cancelled.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addMembers } from '../lib/world.mjs';
import { isSampled, Server, temporaryFolder } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { Ui, variants } from './ui.mjs';
import { words } from './words.mjs';

const server = await Server.start();
const token = await server.admin();
await addMembers(server, 30);

async function signedIn(options) {
    const ui = await Ui.open(server, options);
    await ui.signedIn();
    return ui;
}
async function found(email) {
    const { json } = await server.call('GET', `/api/sys/users?User_Email=${email}`, { token });
    return json.Records;
}
const total = async (filter) =>
    (await server.call('GET', `/api/sys/users?size=1&${filter}`, { token })).json.TotalItems;

// Replies of imports stop after their first piece, until the request is cancelled.
const hold = (ui) =>
    ui.evaluate(`{ const whole = window.fetch;
        window.fetch = async (path, options) => {
            const reply = await whole(path, options);
            if (!path.includes('/import')) return reply;
            const reader = reply.body.getReader();
            let pieces = 0;
            return new Response(new ReadableStream({ async pull(controller) {
                if (pieces++) await new Promise((resolve, reject) => options.signal.addEventListener('abort', () => reject(options.signal.reason)));
                controller.enqueue((await reader.read()).value);
            } }), { status: reply.status });
        }; }`);

for (const [language, scheme, width] of variants) {
    const { m } = words(language);
    const name = (screen) => `${screen}-${language}-${scheme}-${width}`;

    test(`a file is mapped, checked, and imported, in ${language} at ${width} px`, async () => {
        const ui = await signedIn({ language, scheme, width });
        await ui.go('#/users/import', '#file');
        await ui.check(name('import'));
        const own = (one) => `${one}-${language}-${width}@example.com`;
        await ui.choose(
            'some.csv',
            `Mail,FullName,Active,Colour\n${own('a')},"Ann, A",true,red\n${own('b')},Ben,perhaps,\n` +
                `nobody,Cid,,\n${own('d')},<img src=x onerror=alert(1)>,,\n`,
        );
        await ui.wait("document.querySelector('#column-1')?.value === 'FullName'");
        await ui.select('#column-0', 'Email');
        await ui.button(m.import_check({ count: 4 }));
        await ui.sees(m.run_created_dry({ count: 2 }), 'main .banner');
        await ui.sees(m.run_refused_dry({ count: 2 }), 'main .banner');
        await ui.inView('main .banner');
        const lines = await ui.evaluate(
            "[...document.querySelectorAll('main tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText.trim()).slice(0, 4).join('|'))",
        );
        assert.equal(lines.length, 2);
        assert.match(lines[0], /^3\|b-.*\|Active\|perhaps$/);
        assert.match(lines[1], /^4\|.*\|Mail\|nobody$/);
        await ui.check(name('import-checked'));
        assert.equal((await found(own('a'))).length, 0, 'a check writes nothing');
        await ui.button(m.import_do({ count: 2 }));
        await ui.sees(m.run_created({ count: 2 }), 'main .banner');
        await ui.sees(m.run_refused({ count: 2 }), 'main .banner');
        assert.equal((await found(own('a')))[0].FullName, 'Ann, A');
        await ui.check(name('imported'));
        await ui.close();
    });

    test(`chosen users are changed after a preview, in ${language} at ${width} px`, async () => {
        const ui = await signedIn({ language, scheme, width });
        const value = `by-${language}-${width}`;
        await ui.go('#/users?q=member&size=10', 'tbody tr');
        await ui.wait("document.querySelectorAll('tbody tr').length === 10");
        for (const row of [1, 2]) await ui.click(`tbody tr:nth-child(${row}) .tick`);
        await ui.sees(m.chosen({ count: 2 }));
        await ui.click('.chosen button', `${m.bulk_chosen()}…`);
        await ui.wait("document.querySelector('[role=dialog] #bulk-action')");
        await ui.select('#bulk-action', 'set');
        await ui.wait("document.querySelectorAll('#bulk-field option').length > 10");
        await ui.select('#bulk-field', 'SystemId');
        await ui.type('#field-SystemId', value);
        await ui.click('[role=dialog] button', m.bulk_preview());
        await ui.sees(m.run_updated_dry({ count: 2 }), '[role=dialog]');
        await ui.check(name('bulk-preview'));
        await ui.click('[role=dialog] button', m.bulk_do({ count: 2 }));
        await ui.sees(m.run_updated({ count: 2 }), '[role=dialog]');
        await ui.click('[role=dialog] button', m.bulk_close());
        await ui.wait("!document.querySelector('[role=dialog]')");
        const ids = await ui.evaluate(
            "[...document.querySelectorAll('tbody .record')].slice(0, 2).map((one) => Number(one.hash.split('/').at(-1)))",
        );
        for (const id of ids) assert.equal((await server.get(id)).SystemId, value);
        await ui.close();
    });

    test(`all that a filter finds: the preview says who is refused and why, in ${language}`, async () => {
        const ui = await signedIn({ language, scheme, width });
        const count = await total('');
        await ui.go('#/users', 'tbody tr');
        await ui.button(`${m.bulk_found({ count })}…`);
        await ui.wait("document.querySelector('[role=dialog] #bulk-action')");
        await ui.select('#bulk-action', 'deactivate');
        await ui.click('[role=dialog] button', m.bulk_preview());
        await ui.sees(m.run_refused_dry({ count: 1 }), '[role=dialog]');
        await ui.sees('admin@example.com', '[role=dialog] tbody');
        await ui.check(name('bulk-refused'));
        await ui.key('Escape');
        await ui.wait("!document.querySelector('[role=dialog]')");
        assert.ok((await total('User_Active=true')) > 1, 'a preview changes nothing');
        await ui.close();
    });

    test(`what the list finds is saved as a file, by keyboard, in ${language}`, async () => {
        const ui = await signedIn({ language, scheme, width });
        const downloads = temporaryFolder();
        await ui.page.send('Page.setDownloadBehavior', {
            behavior: 'allow',
            downloadPath: downloads,
        });
        await ui.go('#/users?q=member', 'tbody tr');
        await ui.wait(
            `[...document.querySelectorAll('button')].find((one) => one.innerText.trim() === ${JSON.stringify(`${m.export()}…`)})?.focus() === undefined`,
        );
        await ui.key('Enter');
        await ui.wait("document.activeElement.closest('[role=dialog]')");
        await ui.check(name('export'));
        await ui.click('[role=dialog] button', m.export_do());
        await ui.sees(m.export_done(), '[role=dialog]');
        const file = join(downloads, 'users.csv');
        await until('the file', () => existsSync(file));
        const wanted = (await total('User_FullName=member')) + 1;
        await until(
            'all of it',
            () => readFileSync(file, 'utf8').split('\r\n').length - 1 === wanted,
        );
        await ui.key('Escape');
        await ui.wait("!document.querySelector('[role=dialog]')");
        assert.deepEqual(ui.page.complaints, []);
        await ui.close();
    });
}

test('cells between semicolons are found, and a file that is not in UTF-8 is refused before it spoils names', async () => {
    const ui = await signedIn();
    await ui.go('#/users/import', '#file');
    await ui.choose('excel.csv', Buffer.from('Email;FullName\nj@example.com;Jos\xe9\n', 'latin1'));
    await ui.sees('not in UTF-8', 'main [role=alert]');
    assert.ok(!(await ui.text()).includes('Check'), 'there is nothing to go on with');
    await ui.choose(
        'excel.csv',
        '\uFEFFEmail;FullName;"Devices;"\r\njose@example.com;"Martí, José";"a;b"\r\n',
    );
    await ui.misses('not in UTF-8', 'main');
    await ui.wait("document.querySelector('#column-1')?.value === 'FullName'");
    assert.equal(
        await ui.evaluate("document.querySelector('label[for=column-2]').innerText"),
        'Devices;\na;b',
    );
    await ui.button('Check 1 row');
    await ui.sees('1 would be created', 'main .banner');
    await ui.button('Import 1 user');
    await ui.sees('1 created', 'main .banner');
    assert.equal((await found('jose@example.com'))[0].FullName, 'Martí, José');
    await ui.close();
});

const count = isSampled() ? 1000 : 10000;

// More than one request takes (1 MiB), with all columns that there are and two lines to each row. Two of them are wrong.
async function manyRows(name) {
    const { json } = await server.call('GET', '/api/utils/fields?name=User', { token });
    const refused = [
        'NewPassword',
        'NewAvatarUrl',
        'ClearAvatarFile',
        'Email',
        'FullName',
        'Devices',
    ];
    const others = json.Fields.filter((one) => one.WrittenBy && !refused.includes(one.Name));
    const head = ['Email', 'FullName', 'Devices', ...others.map((one) => one.Name)];
    const filler = 'd'.repeat(Math.ceil(2_500_000 / count));
    const rest = ','.repeat(others.length);
    const rows = Array.from(
        { length: count },
        (_, i) =>
            `${i % (count - 3) === 1 ? 'nobody' : `${name}-${i}@example.com`},${name} ${i},"${filler}\n, ""${i}"""${rest}`,
    );
    assert.ok(head.length > 40, `${head.length}`);
    return `${head.join()}\n${rows.join('\n')}\n`;
}

for (const [language, scheme, width] of variants)
    test(`${count} rows: the progress is seen, a cancelled import says how far it came, a repeat does the rest, in ${language}, ${scheme}, ${width} px`, async () => {
        const { m, number } = words(language);
        const ui = await signedIn({ language, scheme, width });
        const check = (screen) => ui.check(`${screen}-${language}-${scheme}-${width}`);
        const name = `row-${language}-${width}`,
            good = count - 2;
        const content = await manyRows(name);
        assert.ok(Buffer.byteLength(content) > 2 * 1024 * 1024);
        await ui.go('#/users/import', '#file');
        await ui.choose('many.csv', content);
        await ui.button(m.import_check({ count }));
        await ui.sees(m.run_created_dry({ count: good }), 'main .banner');
        await ui.sees(m.run_refused_dry({ count: 2 }), 'main .banner');
        // The lines are those of the whole file: row 1 begins on line 4.
        const lines =
            "[...document.querySelectorAll('main tbody tr')].map((row) => row.cells[0].innerText).join('|')";
        assert.equal(await ui.evaluate(lines), `4|${number(2 * (count - 2) + 2)}`);
        await check('many-checked');
        await hold(ui);
        await ui.button(m.import_do({ count: good }));
        await ui.wait("document.querySelector('progress')");
        const after = (text) => text.split('#')[1];
        await ui.sees(after(m.run_progress({ done: '#', total: count })), 'main');
        await check('import-running');
        await ui.button(m.cancel());
        await ui.sees(m.run_cancelled(), 'main [role=alert]');
        await ui.sees(after(m.run_stopped({ done: '#', total: count })), 'main [role=alert]');
        await check('import-cancelled');
        const all = `User_FullName=${name}%20`;
        assert.ok((await total(all)) < good, 'no later part was sent');
        await ui.evaluate('window.isOld = true');
        await ui.page.send('Page.reload');
        await ui.wait("!window.isOld && document.querySelector('#file')");
        await ui.choose('many.csv', content);
        await ui.button(m.import_check({ count }));
        await ui.sees(m.run_refused_dry({ count: 2 }), 'main .banner');
        await ui.click('main button.main');
        await ui.sees(m.run_refused({ count: 2 }), 'main .banner');
        await ui.wait("!document.querySelector('progress')");
        assert.equal(await total(all), good);
        await check('many-imported');
        await ui.close();
    });

test('a quote without its pair loses no row: the rest of the file is refused', async () => {
    const ui = await signedIn();
    await ui.go('#/users/import', '#file');
    await ui.choose(
        'quote.csv',
        'Email,FullName\na@example.com,A\nb@example.com,"B\nc@example.com,C\n',
    );
    await ui.button('Check 2 rows');
    await ui.sees('1 would be refused', 'main .banner');
    await ui.close();
});

test('who leaves a change of many users is asked, and stops it; Escape stops none', async () => {
    const ui = await signedIn();
    await ui.go('#/users?q=Member', 'tbody tr');
    const found = await total('User_FullName=Member');
    await ui.button(`Change all ${found}…`);
    await ui.wait("document.querySelector('#bulk-action')");
    await ui.select('#bulk-action', 'deactivate');
    await ui.button('Preview');
    await ui.sees(`${found} would be changed`, '[role=dialog]');
    await ui.evaluate("location.hash = '#/users'"); // beneath the dialog, which keeps to whom it was opened for
    await ui.wait(`!document.querySelector('#search').value`);
    await ui.sees(`Change ${found} users`, '[data-dialog-title]');
    const held = [];
    ui.page.on['Fetch.requestPaused'] = ({ requestId }) => held.push(requestId);
    await ui.page.send('Fetch.enable', { patterns: [{ urlPattern: '*/users/import*' }] });
    await ui.button(`Change ${found} users`);
    await until('the change is on its way', () => held.length);
    await ui.key('Escape');
    await ui.evaluate("location.hash = '#/roles'");
    await ui.click('[role=alertdialog] button', 'Leave');
    await ui.wait("!document.querySelector('[role=dialog]') && location.hash === '#/roles'");
    await ui.page.send('Fetch.disable');
    assert.equal(await total('User_FullName=Member&User_Active=false'), 0);
    await ui.close();
});

test('who may not change users sees neither import nor bulk changes; who may not read, no export', async () => {
    for (const [email, absent] of [
        ['frontdesk@example.com', ['Import…', 'Change all']],
        ['lister@example.com', ['Export…', 'Import…', 'Change all']],
    ]) {
        const ui = await Ui.open(server);
        await ui.signedIn(email);
        await ui.go('#/users', 'tbody tr');
        const text = await ui.text();
        for (const one of absent) assert.ok(!text.includes(one), `${email}: ${one}`);
        await ui.close();
    }
});
