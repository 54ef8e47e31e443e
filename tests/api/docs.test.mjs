// GET /api/docs in a real browser: it shows all of the description, and asks nobody else for anything.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Page } from '../lib/browser.mjs';
import { businessId, userId } from '../lib/ids.mjs';
import { follow } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';

const server = await Server.start();
const { json: doc } = await server.call('GET', '/api/openapi.json');
const operations = Object.entries(doc.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, one]) => ({ path, method, ...one })),
);
const page = await Page.open();
const url = `${server.url}/api/docs`;
const loaded = "document.querySelectorAll('main details').length";
// Opens an operation or a schema and waits for what is in it; its text.
const opened = (id) =>
    page.evaluate(`new Promise((resolve) => {
    const details = document.getElementById(${JSON.stringify(id)});
    details.addEventListener('toggle', () => resolve(details.innerText), { once: true });
    details.open = true;
})`);
const visible = () =>
    page.evaluate(
        "[...document.querySelectorAll('main section > details')].filter((one) => one.checkVisibility()).map((one) => one.id)",
    );
const search = (words) =>
    page.evaluate(
        `{ const input = document.getElementById('filter'); input.value = ${JSON.stringify(words)}; input.dispatchEvent(new Event('input')); }`,
    );

test('the reference page is one text, and says so to browsers', async () => {
    const reply = await server.call('GET', '/api/docs');
    assert.equal(reply.status, 200);
    assert.match(reply.headers.get('content-type'), /^text\/html/);
    const policy = reply.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'.*require-trusted-types-for 'script'/);
    assert.doesNotMatch(policy, /unsafe/);
    const slashed = await server.call('GET', '/api/docs/');
    assert.deepEqual(
        [
            slashed.status,
            new URL(slashed.headers.get('location'), 'http://host/api/docs/').pathname,
        ],
        [308, '/api/docs'],
        'the page asks for a neighbour of its own address',
    );
    assert.match(reply.text, /^<!doctype html>[\s\S]*<\/html>\n$/);
});

test('the page has a section for each group with its operations, and all schemas', async () => {
    await page.goto(url, loaded);
    const sections = await page.evaluate(
        "[...document.querySelectorAll('main section')].map((one) => [one.querySelector('h2').textContent, [...one.children].map(({ id }) => id).filter(Boolean)])",
    );
    const tags = [...new Set(operations.map(({ tags: [tag] }) => tag))];
    assert.deepEqual(
        sections.map(([title]) => title),
        [...tags, 'Schemas'],
    );
    for (const [title, ids] of sections.slice(0, -1))
        assert.deepEqual(
            ids,
            operations
                .filter(({ tags: [tag] }) => tag === title)
                .map(({ operationId }) => operationId),
            title,
        );
    assert.deepEqual(
        sections.at(-1)[1],
        Object.keys(doc.components.schemas).map((name) => `schema-${name}`),
    );
    assert.deepEqual(
        await page.evaluate(
            "[...document.querySelectorAll('nav a[href^=\"#\"]')].map((one) => one.getAttribute('href'))",
        ),
        [...tags, 'Schemas'].map((name) => `#group-${name}`),
    );
});

test('an operation shows an example, its parameters, its body and every status', async () => {
    for (const {
        path,
        method,
        operationId,
        parameters = [],
        requestBody,
        responses,
        summary,
    } of operations) {
        const text = await opened(operationId);
        const says = (what) =>
            assert.ok(text.includes(what), `${method} ${path}: ${what}\n${text}`);
        says(summary);
        says(
            `curl${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} "${server.url}${path.replace('{id}', userId)}`,
        );
        for (const one of parameters
            .map((each) => follow(doc, each))
            .filter(({ name }) => !/^[A-Z]\w*_|^(from|to)_/.test(name)))
            says(one.name);
        for (const { schema } of Object.values(requestBody?.content ?? {}))
            Object.keys(follow(doc, schema).properties ?? {}).forEach(says);
        for (const [status, reply] of Object.entries(responses))
            says(`${status} ${follow(doc, reply).description}`);
    }
});

test('a field shows its type, limits, choices and whether it is required or only written', async () => {
    const rows =
        await page.evaluate(`Object.fromEntries([...document.querySelectorAll('#updateUser td:first-child code')]
        .map((one) => [one.textContent, [...one.closest('tr').cells].slice(1).map((cell) => cell.innerText.replace(/\\s*\\n\\s*/g, ': ').trim()).filter(Boolean).join(' | ')]))`);
    assert.equal(rows.FullName, 'string, not blank, at most 255 characters | required');
    assert.equal(
        rows.Language,
        'integer 1, 2, 3: 1: EnglishUS, 2: Spanish, 3: EnglishUK | required',
    );
    assert.equal(rows.LastHelpVisited, 'integer, 0 to 2147483647 | required');
    assert.equal(
        rows.NewPassword,
        'string, at most 256 characters, or null: must have at least 8 characters | write-only',
    );
    assert.match(await opened('schema-User'), /UpdatedOn\s+string, date and time\s+read-only/);
});

test('the examples work as they are', async () => {
    const text = await page.evaluate("document.querySelector('#createChatRoom pre').innerText");
    const [, type] = /-H "Content-Type: ([^"]+)"/.exec(text),
        [, body] = /-d '([^']+)'$/.exec(text);
    const known = { ...JSON.parse(body), BusinessId: businessId };
    const reply = await server.call('POST', '/api/support/chatrooms', {
        token: await server.admin(),
        body: known,
        headers: { 'Content-Type': type },
    });
    assert.equal(reply.status, 200, reply.text);
});

test('a word finds the operations and schemas that have it, and a link opens what it names', async () => {
    await search('refreshtokens');
    const found = await visible();
    assert.ok(found.includes('listRefreshTokens') && !found.includes('updateUser'), `${found}`);
    await search('TwoFactorSecret');
    assert.ok((await visible()).includes('updateUser'));
    await search('nothing has this');
    assert.deepEqual(await visible(), []);
    await search('');
    assert.equal(
        (await visible()).length,
        operations.length + Object.keys(doc.components.schemas).length,
    );
    const other = `${url}#schema-Failure`;
    await page.goto(other, "document.getElementById('schema-Failure')?.open");
});

test('the page loads from this server alone, and the browser refuses nothing of it', () => {
    assert.ok(page.requests.length >= 2);
    for (const request of page.requests)
        assert.ok(request.startsWith(`${server.url}/api/`), request);
    assert.deepEqual(page.complaints, []);
});
