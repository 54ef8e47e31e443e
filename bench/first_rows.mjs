// first_rows.mjs URL: how long the admin UI of a server takes to show the rows of its list, in ms: from the navigation of a
// browser that has none of its files, with the processor slowed 6 times.
import { Page } from '../tests/lib/browser.mjs';

const [url] = process.argv.slice(2);
const page = await Page.open();
await page.goto(`${url}/admin/`, "document.querySelector('#password')");
const signedIn = await page.evaluate(`fetch('../api/auth/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Roster-Session': 'http' },
    body: JSON.stringify({ Email: 'admin@example.com', Password: 'demo-password' }),
}).then(async (reply) => { localStorage.setItem('signed-in', ''); return reply.ok || reply.text(); })`);
if (signedIn !== true) throw new Error(`no session: ${signedIn}`);
await page.goto('about:blank', 'true');
await page.send('Network.setCacheDisabled', { cacheDisabled: true });
await page.send('Emulation.setCPUThrottlingRate', { rate: 6 });
// The frame after the one in which the rows are there has been painted.
await page.send('Page.addScriptToEvaluateOnNewDocument', {
    source: `new MutationObserver((_, observer) => {
        if (!document.querySelector('tbody tr:nth-child(25)')) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => { window.shown = performance.now(); }));
    }).observe(document, { childList: true, subtree: true });`,
});
await page.goto(`${url}/admin/#/users`, 'window.shown');
console.log(`rows ${await page.evaluate('window.shown')}`); // beside what node:test prints
await page.close();
