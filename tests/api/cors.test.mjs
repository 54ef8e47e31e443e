// Cross-origin requests (the Fetch standard): which origins a reply admits, and preflights.
import test from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';

const origin = 'https://app.example.com';
const server = await Server.start(['--cors-origins', `${origin}, http://localhost:3000`]);
const token = await server.admin();

test('a configured origin is answered with its headers, others are not', async () => {
    const ask = (from) =>
        server.call('GET', `/api/sys/users/${userId}`, { token, headers: { Origin: from } });
    for (const from of [origin, 'http://localhost:3000']) {
        const { headers } = await ask(from);
        assert.equal(headers.get('access-control-allow-origin'), from);
        assert.match(headers.get('access-control-expose-headers'), /ETag/);
        assert.equal(headers.get('vary'), 'Origin');
        assert.equal(headers.get('access-control-allow-credentials'), null);
    }
    for (const from of ['https://evil.example.com', 'https://app.example.com.evil.org', 'null']) {
        const { headers } = await ask(from);
        assert.equal(headers.get('access-control-allow-origin'), null, from);
        assert.equal(headers.get('vary'), 'Origin');
    }
});

test('any origin is answered with *, however long it is', async () => {
    const open = await Server.start(['--cors-origins', '*']);
    for (const from of [origin, `https://${'x'.repeat(3000)}.example.com`]) {
        const { headers } = await open.call('GET', '/healthz', { headers: { Origin: from } });
        assert.equal(headers.get('access-control-allow-origin'), '*');
    }
});

test('a preflight needs no credentials and names what the path offers', async () => {
    const ask = (path, from = origin) =>
        server.call('OPTIONS', path, {
            headers: { Origin: from, 'Access-Control-Request-Method': 'PUT' },
        });
    const reply = await ask('/api/sys/users');
    assert.equal(reply.status, 204);
    assert.equal(reply.headers.get('access-control-allow-methods'), 'PUT, GET, HEAD, POST');
    assert.match(
        reply.headers.get('access-control-allow-headers'),
        /Authorization.*If-Match.*Idempotency-Key/,
    );
    assertFailure(await ask('/api/nothing'), 404);
    assertFailure(await ask('/api/sys/users', 'https://evil.example.com'), 405);
    const unauthenticated = await server.call('GET', '/api/sys/users', {
        headers: { Origin: origin },
    });
    assert.equal(
        unauthenticated.headers.get('access-control-allow-origin'),
        origin,
        'the page may read why it failed',
    );
});
