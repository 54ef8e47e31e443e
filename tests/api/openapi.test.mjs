// GET /api/openapi.json says what the field and route tables say. tests/openapi/check.py compares it with
// every exchange that the tests make.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Server, fieldTable, follow } from './harness.mjs';

const server = await Server.start();
const { json: doc, status } = await server.call('GET', '/api/openapi.json');
const schemas = doc.components.schemas;

// What the OpenAPI Initiative's schema says against a document.
function judge(document) {
    const program = new URL('../openapi/valid.py', import.meta.url).pathname;
    const { status, stdout, stderr } = spawnSync('/usr/bin/python3', [program], { input: JSON.stringify(document), encoding: 'utf8' });
    assert.equal(stderr, '');
    assert.equal(status, stdout ? 1 : 0);
    return stdout;
}

test('it is valid OpenAPI 3.1, open to all, and every reference leads somewhere', () => {
    assert.equal(status, 200);
    assert.equal(doc.openapi, '3.1.0');
    assert.equal(judge(doc), '');
    const refs = [...JSON.stringify(doc).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path);
    assert.ok(refs.length > 100);
    for (const ref of new Set(refs))
        assert.ok(ref.split('/').reduce((at, name) => at?.[name], doc), ref);
});

test('what judges it would see what is wrong', () => {
    for (const [spoil, says] of [
        [(it) => { delete it.info.title; }, /^info 'title' is a required property$/m],
        [(it) => { it.paths['/api/token'].pots = {}; }, /^paths\/\/api\/token .*'pots'/m],
        [(it) => { delete it.paths['/api/auth/me'].get.responses['200'].$ref; }, /'description' is a required property/],
        [(it) => { it.components.schemas.User.properties.Email.type = 'text'; }, /^components\/schemas\/User\/properties\/Email\/type 'text'/m],
    ]) {
        const spoilt = structuredClone(doc);
        spoil(spoilt);
        assert.match(judge(spoilt), says);
    }
});

test('every operation has an id of its own, a summary, and replies', () => {
    const operations = Object.values(doc.paths).flatMap((path) => Object.values(path));
    assert.equal(new Set(operations.map((one) => one.operationId)).size, operations.length);
    for (const one of operations) {
        assert.ok(one.summary, one.operationId);
        for (const [status, reply] of Object.entries(one.responses)) {
            const described = follow(doc, reply);
            assert.ok(described.description, `${one.operationId} ${status}`);
            assert.equal(!described.content, status === '304', `${one.operationId} ${status} has a body`);
        }
        assert.ok(one.responses['200'] && one.responses['400'] && one.responses['503'], one.operationId);
    }
    const routes = readFileSync(new URL('../../src/api/routes.def', import.meta.url), 'utf8');
    for (const [, path] of routes.matchAll(/^[A-Z]+\([^"]*"([^"]+)"/gm))
        assert.ok(doc.paths[path], path);
});

test('every field of a user is there, with its limits, as the table has it', () => {
    const { UserCreate, UserUpdate, UserPatch, User } = schemas;
    for (const { name, type, max, flags } of fieldTable()) {
        const body = UserUpdate.properties[name], shown = User.properties[name];
        const writable = !flags.includes('READ_ONLY') && !['empty', 'no'].includes(type);
        const secret = ['sealed', 'totp', 'password'].includes(type), delta = ['added', 'removed'].includes(type);
        const transient = flags.includes('TRANSIENT');
        assert.equal(!!body, writable, `${name} in a body`);
        assert.equal(!!shown, !delta, `${name} in a record`);
        if (shown)
            assert.equal([].concat(shown.type).includes('null'), secret || transient || type === 'empty'
                || !(flags.includes('REQUIRED') || flags.includes('ALWAYS') || ['boolean', 'links', 'no'].includes(type)), `${name} may be null in a record`);
        if (secret)
            assert.equal(shown.type, 'null', name);
        if (!writable)
            continue;
        const required = flags.includes('REQUIRED');
        assert.deepEqual(UserPatch.properties[name], body);
        assert.deepEqual(UserCreate.properties[name], name === 'Id' ? undefined : body);
        assert.equal(body.type.includes('null'), !required, `${name} may be null in a body`);
        assert.equal(UserUpdate.required.includes(name), required, `${name} is required`);
        assert.equal(!!body.writeOnly, secret || transient || delta, name);
        if (['text', 'email', 'url', 'sealed', 'totp', 'password'].includes(type))
            assert.equal(body.maxLength, max, name);
        if (type === 'integer')
            assert.deepEqual([body.minimum, body.maximum], [0, max], name);
        if (['links', 'added', 'removed'].includes(type))
            assert.equal(body.maxItems, max, name);
        assert.equal(body.minLength, flags.includes('FILLED') ? 1 : undefined, name);
    }
    assert.deepEqual(User.properties.Language.enum, [1, 2, 3]);
    assert.deepEqual(UserUpdate.properties.Language.enum, [1, '1', 2, '2', 3, '3']);
    const six = ['FullName', 'Email', 'Language', 'PasswordSalt', 'LastHelpVisited', 'InvalidLoginAttempts'];
    assert.deepEqual(UserUpdate.required, [...six, 'Id']);
    assert.deepEqual(UserCreate.required, six);
    assert.deepEqual(UserPatch.required, []);
});

test('what is asked for and given in headers and queries is there', () => {
    const asked = ({ parameters = [] }, place) => parameters.map((one) => follow(doc, one)).filter((one) => one.in === place).map(({ name }) => name);
    const users = doc.paths['/api/sys/users'], user = doc.paths['/api/sys/users/{id}'];
    assert.deepEqual(asked(users.put, 'header'), ['If-Match', 'Prefer']);
    assert.deepEqual(asked(users.post, 'header'), ['Idempotency-Key', 'Prefer']);
    assert.deepEqual(asked(user.get, 'header'), ['If-None-Match']);
    assert.deepEqual(asked(doc.paths['/api/token'].post, 'header'), ['client_id']);
    assert.deepEqual(asked(doc.paths['/api/sys/users/exchange'].post, 'query'), ['token', 'validForInMinutes']);
    const filters = asked(users.get, 'query');
    assert.equal(new Set(filters).size, filters.length);
    for (const name of ['page', 'size', 'orderBy', 'dir', 'id', 'UniqueId', 'User_ClearAvatar', 'User_ClearAvatarFile', 'User_EnablePassportAccess',
        'User_Application', 'User_ApplicationId', 'User_Businesses', 'from_User_LastAccess', 'to_User_LastAccess', 'User_PassportNumber'])
        assert.ok(filters.includes(name), name);
    const given = (operation, code) => Object.keys(follow(doc, operation.responses[code]).headers ?? {});
    assert.deepEqual(given(users.get, 200), ['X-Ignored-Parameters']);
    assert.deepEqual(['put', 'post'].flatMap((method) => given(users[method], 200)), ['ETag', 'ETag']);
    assert.deepEqual([200, 304, 401, 429, 503].flatMap((code) => given(user.get, code)), ['ETag', 'ETag', 'WWW-Authenticate', 'Retry-After', 'Retry-After']);
    assert.deepEqual(Object.keys(doc.components.responses['405'].headers), ['Allow']);
});

test('the reference page needs nothing from elsewhere', async () => {
    const page = await server.call('GET', '/api/docs');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type'), /^text\/html/);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
    assert.match(page.text, /^<!doctype html>[\s\S]*fetch\('openapi\.json'\)[\s\S]*<\/html>\n$/);
    assert.doesNotMatch(page.text, /https?:\/\//);
});
