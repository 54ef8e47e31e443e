// GET /api/openapi.json says what the field and route tables say. tests/openapi/check.py compares it with
// every exchange that the tests make.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Server, fieldTable } from './harness.mjs';

const server = await Server.start();
const { json: doc, status } = await server.call('GET', '/api/openapi.json');
const schemas = doc.components.schemas;

test('it is OpenAPI 3.1, open to all, and every reference leads somewhere', () => {
    assert.equal(status, 200);
    assert.equal(doc.openapi, '3.1.0');
    const refs = [...JSON.stringify(doc).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path);
    assert.ok(refs.length > 100);
    for (const ref of new Set(refs))
        assert.ok(ref.split('/').reduce((at, name) => at?.[name], doc), ref);
});

test('every operation has an id of its own, a summary, and replies', () => {
    const operations = Object.values(doc.paths).flatMap((path) => Object.values(path));
    assert.equal(new Set(operations.map((one) => one.operationId)).size, operations.length);
    for (const one of operations)
        assert.ok(one.summary && one.responses['200'], one.operationId);
    const routes = readFileSync(new URL('../../src/api/routes.def', import.meta.url), 'utf8');
    for (const [, path] of routes.matchAll(/^[A-Z]+\([^"]*"([^"]+)"/gm))
        assert.ok(doc.paths[path], path);
});

test('every field of a user is there, with its limits, as the table has it', () => {
    for (const { name, type, max, flags } of fieldTable()) {
        const inChange = schemas.UserChange.properties[name], inRecord = schemas.User.properties[name];
        const writable = !flags.includes('READ_ONLY') && !['empty', 'no'].includes(type);
        const secret = ['sealed', 'totp', 'password'].includes(type);
        assert.equal(!!inChange, writable, `${name} in a change`);
        assert.equal(!!inRecord, !['added', 'removed'].includes(type), `${name} in a record`);
        if (inChange && ['text', 'email', 'url', 'sealed', 'totp', 'password'].includes(type) && max)
            assert.equal(inChange.maxLength, max, name);
        if (type === 'integer' && inChange)
            assert.deepEqual([inChange.minimum, inChange.maximum], [0, max], name);
        if (inChange)
            assert.equal(!!inChange.writeOnly, secret || flags.includes('TRANSIENT') || ['added', 'removed'].includes(type), name);
        if (secret)
            assert.equal(inRecord.type, 'null', name);
    }
    assert.deepEqual(schemas.UserChange.properties.Language.enum, [1, 2, 3, null]);
    assert.deepEqual(schemas.UserChange.required, ['FullName', 'Email', 'Language', 'PasswordSalt', 'LastHelpVisited', 'InvalidLoginAttempts']);
    assert.equal(schemas.UserPatch.required, undefined);
});

test('the reference page needs nothing from elsewhere', async () => {
    const page = await server.call('GET', '/api/docs');
    const slashed = await server.call('GET', '/api/docs/');
    assert.deepEqual([slashed.status, new URL(slashed.headers.get('location'), 'http://host/api/docs/').pathname], [308, '/api/docs'],
        'the page asks for a neighbour of its own address');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type'), /^text\/html/);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
    assert.match(page.text, /^<!doctype html>[\s\S]*fetch\('openapi\.json'\)[\s\S]*<\/html>\n$/);
    assert.doesNotMatch(page.text, /https?:\/\//);
});
