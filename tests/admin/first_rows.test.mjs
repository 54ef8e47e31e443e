// The rows of a list are drawn from the first answers: with the processor slowed 6 times, and while everything is held back
// that the page asks for besides. Each of the answers is asked for once.
import test from 'node:test';
import assert from 'node:assert/strict';
import { addMembers } from '../lib/world.mjs';
import { Server } from '../lib/server.mjs';
import { Ui } from './ui.mjs';

const server = await Server.start();
await server.admin();
await addMembers(server, 30);

test('a first visit draws the rows from the page, its linked files, two files of texts and three answers', async () => {
    const ui = await Ui.open(server);
    await ui.signedIn();
    const page = await (await fetch(`${server.url}/admin/`)).text();
    const linked = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(
        ([, name]) => name,
    );
    assert.ok(linked.length >= 2, page);
    const needed = [
        '/admin/',
        ...linked.map((name) => `/admin/${name}`),
        /^\/admin\/assets\/en-[\w-]+\.js$/,
        /^\/admin\/assets\/en-[\w-]+\.js$/,
        '/api/auth/session',
        '/api/sys/users?size=25',
        '/api/utils/fields?name=User',
    ];
    const asked = [];
    const held = [];
    const rest = [...needed];
    ui.page.on['Fetch.requestPaused'] = ({ requestId, request }) => {
        const path = request.url.slice(server.url.length);
        asked.push(path);
        const at = rest.findIndex((one) => (one.test ? one.test(path) : one === path));
        if (at < 0) return held.push(path);
        rest.splice(at, 1);
        return ui.page.send('Fetch.continueRequest', { requestId });
    };
    await ui.page.send('Network.setCacheDisabled', { cacheDisabled: true });
    await ui.page.send('Page.navigate', { url: 'about:blank' });
    await ui.wait("location.href === 'about:blank'");
    await ui.page.send('Emulation.setCPUThrottlingRate', { rate: 6 });
    await ui.page.send('Fetch.enable', { patterns: [{ urlPattern: `${server.url}/*` }] });
    await ui.go('#/users', 'tbody tr:nth-child(25)');
    assert.deepEqual(rest, [], `asked for: ${asked}; held back: ${held}`);
    await ui.page.send('Emulation.setCPUThrottlingRate', { rate: 1 });
    await ui.close();
});
