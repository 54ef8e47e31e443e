// The first administrator, made in a real browser by the link that the server printed at its start, in both languages,
// light and dark, wide and narrow.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Server } from '../lib/server.mjs';
import { allVariants, Ui } from './ui.mjs';
import { words } from './words.mjs';

const linkOf = ({ stdout }) => /(#\/first\/[\w-]{43})\n/.exec(stdout)[1];
const secret = 'a-word-of-her-own';
for (const [language, scheme, width, more] of allVariants)
    test(`the first administrator is made, by keyboard alone, in ${language}, ${scheme}, ${width} px ${more?.as ?? ''}`, async () => {
        const server = await Server.startNew();
        const link = linkOf(server);
        const { m } = words(language);
        const ui = await Ui.open(server, { language, scheme, width, ...more });
        const check = async (screen) => {
            await ui.check(
                `${screen}-${language}-${scheme}-${width}${more ? Object.keys(more)[0] : ''}`,
            );
            if (more?.colours) assert.deepEqual(await ui.unmarked(), [], screen);
        };
        await ui.go('', '#password');
        await ui.sees(m.first_due());
        await check('sign-in-no-administrator');
        await ui.go(link);
        await ui.wait("document.activeElement.id === 'FullName'");
        await check('first-run');
        await ui.page.send('Input.insertText', { text: 'Bea Boss' });
        await ui.key('Tab');
        await ui.page.send('Input.insertText', { text: 'bea@example.org' });
        await ui.key('Tab');
        await ui.page.send('Input.insertText', { text: 'short' });
        await ui.key('Enter');
        await ui.sees(m.error_password_short(), '.error');
        await ui.wait("document.activeElement.id === 'NewPassword'");
        ui.page.complaints.splice(0, Infinity); // the browser notes the 400
        await check('first-run-refused');
        await ui.type('#NewPassword', secret);
        await ui.key('Tab');
        await ui.key(' ');
        await ui.key('Enter');
        await ui.sees(m.users(), 'main h1');
        await ui.sees('48', 'main'); // with the demo's people
        assert.ok(!(await ui.evaluate('location.href')).includes(link));
        await check('first-run-done');
        await ui.close();
        assert.equal((await server.token('bea@example.org', secret)).length, 43);

        const late = await Ui.open(server, { language, scheme, width, ...more });
        await late.go(link);
        await late.sees(m.first_spent(), '[role=alert]');
        await late.check(`first-run-late-${language}-${scheme}-${width}`);
        await late.click('main a');
        await late.wait("document.querySelector('#password')");
        await late.misses(m.first_due());
        await late.close();
    });

test('who fills in the form while another one wins is told so', async () => {
    const server = await Server.startNew();
    const link = linkOf(server);
    const ui = await Ui.open(server);
    await ui.go(link);
    await ui.type('#FullName', 'Late Lee');
    await ui.type('#Email', 'late@example.org');
    await ui.type('#NewPassword', secret);
    const { status, text } = await server.call('POST', '/api/auth/firstadministrator', {
        body: {
            Secret: link.slice('#/first/'.length),
            FullName: 'Bea Boss',
            Email: 'bea@example.org',
            NewPassword: secret,
        },
    });
    assert.equal(status, 200, text);
    await ui.key('Enter');
    await ui.sees('not valid any more', '[role=alert]');
    await ui.close();
});
