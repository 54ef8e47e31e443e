// Bytes that are not UTF-8, and the character 0, in every text of a request that may reach SQL: none makes an error of the
// database, which would be 500.
import test from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { usePostgres } from '../lib/postgres.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, required, userBody } from '../lib/users.mjs';

usePostgres();
const server = await Server.start(['--address-attempts', '0', '--lockout-attempts', '1000000']),
    token = await server.admin();
const { json: document } = await server.call('GET', '/api/openapi.json');
const { properties } = document.components.schemas.UserUpdate;
const texts = Object.keys(properties).filter((name) =>
    JSON.stringify(properties[name].type ?? properties[name]).includes('string'),
);
assert.ok(texts.length > 10, `${texts}`);
const bad = ['%ff', '%00', 'a%00b', '%c0%80', '%ed%a0%80', '%f8%88%80%80%80'];
// The same in a body of JSON, where a character may be written as its number.
const quoted = bad
    .map((one) => Buffer.from(unescape(one), 'latin1'))
    .concat(['\\u0000', '\\ud800', '\\udc00\\ud800'].map((one) => Buffer.from(one)));

let asked = 0;
async function ask(method, path, options) {
    const reply = await server.call(method, path, { token, ...options });
    assert.ok(reply.status < 500, `${method} ${path}: ${reply.status} ${reply.text}`);
    asked++;
    return reply;
}
const between = (head, bytes, tail) => Buffer.concat([Buffer.from(head), bytes, Buffer.from(tail)]);

test('in each text of a body', async () => {
    const user = required(await server.get(userId, token));
    for (const name of texts) {
        const marked = JSON.stringify({ ...user, [name]: 'HERE' }),
            [head, tail] = marked.split('HERE');
        for (const bytes of quoted)
            await ask('PUT', '/api/sys/users', {
                body: between(head, bytes, tail),
                headers: { 'Content-Type': 'application/json' },
            });
    }
});

test('in each filter, order and path', async () => {
    for (const one of bad) {
        for (const name of texts) {
            await ask('GET', `/api/sys/users?User_${name}=${one}`);
            await ask('GET', `/api/sys/users?User_${name}_eq=${one}`);
        }
        await ask('GET', `/api/sys/users?orderBy=${one}`);
        await ask('GET', `/api/sys/users/${one}`);
        await ask('GET', `/api/sys/users?id=[${one}]`);
        await ask('GET', `/api/sys/audittrailentries?AuditTrailEntry_EntityName=${one}`);
        await ask('GET', `/api/sys/businesses/getByHost?host=${one}`);
        await ask('POST', `/api/sys/users/exchange?token=${one}`);
    }
});

test('in each header', async () => {
    const body = userBody({ FullName: 'Bytes', Email: 'bytes@example.com' });
    for (const bytes of ['\xff', 'a\xc0\x80', '\xed\xa0\x80']) {
        for (const name of ['Idempotency-Key', 'X-Request-Id', 'User-Agent', 'If-Match', 'Origin'])
            await ask('POST', '/api/sys/users', { body, headers: { [name]: bytes } });
        for (const [name, secret] of [
            [bytes, password],
            ['\0', password],
            [adminEmail, `${bytes}\0`],
        ])
            await ask('GET', '/api/auth/me', {
                token: undefined,
                headers: { Authorization: `Basic ${btoa(`${name}:${secret}`)}` },
            });
        await ask('GET', '/api/auth/me', {
            token: undefined,
            headers: { Authorization: `Bearer ${bytes}` },
        });
    }
});

test('in each field of the form that asks for tokens', async () => {
    const forms = [
        { grant_type: 'password', username: adminEmail, password, client_id: 'bytes' },
        { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'bytes' },
    ];
    for (const form of forms)
        for (const name of Object.keys(form))
            for (const one of bad) {
                const rest = new URLSearchParams(form);
                rest.delete(name);
                await ask('POST', '/api/token', {
                    token: undefined,
                    body: `${rest}&${name}=${one}`,
                    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
                });
            }
});

test('the database has complained of none of them', () => {
    assert.ok(asked > 400, `${asked} requests`);
    assert.doesNotMatch(server.stderr, /database:/);
});
