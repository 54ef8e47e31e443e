// Bad bodies for every operation that takes one. The list of operations is the server's own
// description, so a new operation cannot escape. bad_input.test.mjs has more bad bodies for PUT of
// users.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId } from '../lib/ids.mjs';
import { assertInvalid, follow } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
const token = await server.admin();
const { json: doc } = await server.call('GET', '/api/openapi.json');
// A record that is there, so that it is the body that is judged.
const hook = await server.call('POST', '/api/sys/webhooks', {
    token,
    body: { BusinessId: businessId, Name: 'Events', Action: 1001, URL: 'https://example.com/x' },
});
assert.equal(hook.status, 200, hook.text);
const existing = {};
for (const path of Object.keys(doc.paths).filter((one) => doc.paths[one].patch))
    existing[path] = (
        await server.call('GET', `${path.replace('/{id}', '')}?size=1`, { token })
    ).json.Records[0].Id;
const operations = Object.entries(doc.paths).flatMap(([path, item]) =>
    Object.entries(item)
        .filter(([, one]) => one.requestBody)
        .map(([method, { requestBody }]) => {
            const [[type, { schema }]] = Object.entries(requestBody.content);
            return {
                method: method.toUpperCase(),
                path: path.replace('{id}', existing[path]),
                type,
                properties: follow(doc, schema).properties,
            };
        }),
);
const json = operations.filter(({ type }) => type.endsWith('json'));
const ask = ({ method, path, type }, body) =>
    server.call(method, path, {
        token,
        body,
        headers: {
            'Content-Type': type,
            ...(path === '/api/auth/session' ? { 'Roster-Session': 'http' } : {}), // required there
        },
    });
const changes = async () =>
    (await server.call('GET', '/api/sys/audittrailentries?size=1', { token })).json.TotalItems;
// Members that take any value are left out.
const writable = ({ properties }) =>
    Object.keys(properties).filter((name) => properties[name].type);
const title = ({ method, path }) => `${method} ${path}`;

// Runs `attack` on each of the operations and sees that nothing was changed by it.
async function harmless(list, attack) {
    const before = await changes();
    assert.ok(before > 0, 'changes leave a trail');
    for (const one of list) await attack(one);
    assert.equal(await changes(), before);
    assert.ok(!server.stderr.includes(token));
}

const invalidUtf8 = Buffer.concat([
    Buffer.from('{"Id":"'),
    Buffer.from([0xc0, 0xaf]),
    Buffer.from('"}'),
]);
const malformed = {
    'no body': ['', /^is empty/],
    'half an object': ['{"Id":1,"x', /^is not valid JSON/],
    'a trailing comma': ['{"Id":1,}', /^is not valid JSON/],
    'an array': ['[]', /^must be a JSON object$/],
    'a lone surrogate': ['{"x":"\\ud800"}', /^is not valid JSON/],
    'invalid UTF-8': [invalidUtf8, /^is not valid JSON/],
    'a raw NUL': ['{"x":"\u0000"}', /^is not valid JSON/],
    '65 levels': [
        `{"x":${'['.repeat(65)}${']'.repeat(65)}}`,
        /^is nested more than 64 levels deep$/,
    ],
};

test('the description has the operations that take a body', () => {
    assert.ok(json.length >= 30, `${json.length}`);
    assert.deepEqual(
        json.filter((one) => writable(one).length === 0).map(title),
        [],
        'each says what its body has',
    );
    assert.deepEqual(
        operations
            .filter((one) => !json.includes(one))
            .map(title)
            .sort(),
        ['POST /api/sys/users/import', 'POST /api/token'],
    );
});

for (const [name, [body, says]] of Object.entries(malformed))
    test(`${name} is 400 on Body everywhere`, () =>
        harmless(json, async (one) => {
            assertInvalid(await ask(one, body), 'Body', says);
        }));

test('a property of a wrong type is refused by name everywhere', () =>
    harmless(json, async (one) => {
        for (const name of writable(one)) {
            const reply = await ask(one, JSON.stringify({ [name]: { wrong: [] } }));
            assert.equal(reply.status, 400, `${title(one)} ${name}: ${reply.text}`);
            assert.ok(
                reply.json.Errors?.some((error) => error.PropertyName === name),
                `${title(one)} ${name}: ${reply.text}`,
            );
        }
    }));

test('a property twice is refused by name everywhere', () =>
    harmless(json, async (one) => {
        for (const name of writable(one)) {
            const reply = await ask(one, `{"${name}":null,"${name}":null}`);
            assert.equal(reply.status, 400, `${title(one)} ${name}: ${reply.text}`);
            assert.ok(
                reply.json.Errors?.some(
                    (error) =>
                        error.PropertyName === name && error.Message === 'is given more than once',
                ),
                `${title(one)} ${name}: ${reply.text}`,
            );
        }
    }));

test('more than 1 MiB is 413 everywhere, before any of it is sent if the client waits for 100', () =>
    harmless(operations, async ({ method, path, type }) => {
        const answer = await server.raw(
            `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
                `Content-Type: ${type}\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n`,
        );
        assert.match(answer, /^HTTP\/1\.1 413 /, `${method} ${path}`);
    }));

test('a body that is no form is an error of OAuth, and gives no token', async () => {
    for (const body of [
        '',
        '%',
        '%zz=1',
        'grant_type',
        'grant_type=password&grant_type=password',
        Buffer.from([0xff, 0x3d, 0xfe]),
    ]) {
        const reply = await ask(
            { method: 'POST', path: '/api/token', type: 'application/x-www-form-urlencoded' },
            body,
        );
        assert.equal(reply.status, 400, reply.text);
        assert.match(reply.json.error, /^(invalid_request|unsupported_grant_type)$/);
        assert.equal(reply.json.access_token, undefined);
    }
});
