// The files of the admin UI: compressed as the client takes them, kept as long as they are valid, under a strict policy,
// and small.
import test from 'node:test';
import assert from 'node:assert/strict';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { Server } from '../lib/server.mjs';
import { ask } from '../lib/tls.mjs';

const server = await Server.start(['--cors-origins', 'https://a.example']);
const dist = new URL('../../web/admin/dist/', import.meta.url);
const assets = readdirSync(new URL('assets/', dist)).filter((name) => !/\.(br|gz)$/.test(name));
const get = (path, headers = {}, method = 'GET') =>
    fetch(server.url + path, { method, headers, redirect: 'manual' });
const page = await (await get('/admin/', { 'Accept-Encoding': 'identity' })).text();

test('the root leads to the page, which a slash ends', async () => {
    const root = await get('/');
    assert.deepEqual([root.status, root.headers.get('location')], [302, '/admin/']);
    const bare = await get('/admin');
    assert.deepEqual([bare.status, bare.headers.get('location')], [308, 'admin/']);
    assert.equal((await get('/admin/')).headers.get('content-type'), 'text/html; charset=utf-8');
});

test('each file is the built one, in the coding that the client takes', async () => {
    for (const [path, file] of [
        ['/admin/', 'index.html'],
        ...assets.map((name) => [`/admin/assets/${name}`, `assets/${name}`]),
    ])
        for (const [accepts, coding, decode] of [
            ['br, gzip', 'br', brotliDecompressSync],
            ['gzip, deflate', 'gzip', gunzipSync],
            ['gzip, br;q=0', 'gzip', gunzipSync],
            ['identity', undefined, (bytes) => bytes],
            ['br;q=0.0, gzip; q=0', undefined, (bytes) => bytes],
        ]) {
            // fetch would decode it by itself
            const { host, port } = server;
            const raw = await new Promise((resolve, reject) => {
                import('node:http').then(({ get: send }) =>
                    send({ host, port, path, headers: { 'Accept-Encoding': accepts } }, (reply) => {
                        const parts = [];
                        reply
                            .on('data', (part) => parts.push(part))
                            .on('end', () => resolve({ reply, body: Buffer.concat(parts) }));
                    }).on('error', reject),
                );
            });
            assert.equal(raw.reply.statusCode, 200);
            assert.equal(raw.reply.headers['content-encoding'], coding, `${path} ${accepts}`);
            assert.match(raw.reply.headers.vary, /Accept-Encoding/);
            assert.ok(
                decode(raw.body).equals(readFileSync(new URL(file, dist))),
                `${path} ${accepts}`,
            );
        }
});

test('what has a name of its own is kept for ever, the page is confirmed each time', async () => {
    for (const name of assets.filter((one) => /\.(js|css)$/.test(one)))
        assert.equal(
            (await get(`/admin/assets/${name}`)).headers.get('cache-control'),
            'public, max-age=31536000, immutable',
        );
    const licences = await get('/admin/assets/licences.txt');
    assert.equal(licences.headers.get('cache-control'), 'no-cache');
    const first = await get('/admin/');
    assert.equal(first.headers.get('cache-control'), 'no-cache');
    for (const tag of [
        first.headers.get('etag'),
        `W/${first.headers.get('etag')}`,
        `"other", ${first.headers.get('etag')}`,
        '*',
    ]) {
        const again = await get('/admin/', { 'If-None-Match': tag });
        assert.deepEqual([again.status, await again.text()], [304, ''], tag);
    }
    assert.equal((await get('/admin/', { 'If-None-Match': '"other"' })).status, 200);
    const plain = await get('/admin/', { 'Accept-Encoding': 'identity' });
    assert.notEqual(
        plain.headers.get('etag'),
        first.headers.get('etag'),
        'another coding is another representation',
    );
    assert.equal((await get('/admin/', {}, 'HEAD')).status, 200);
});

test('the policy allows nothing but files of this server, and no text as markup', async () => {
    for (const path of ['/admin/', ...assets.map((name) => `/admin/assets/${name}`)]) {
        const { headers } = await get(path),
            policy = headers.get('content-security-policy');
        for (const part of [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "require-trusted-types-for 'script'",
        ])
            assert.ok(policy.split(/; */).includes(part), `${path}: ${part}`);
        assert.doesNotMatch(policy, /unsafe|\*|https?:/);
        assert.equal(headers.get('x-content-type-options'), 'nosniff');
        assert.equal(headers.get('referrer-policy'), 'no-referrer');
    }
    assert.doesNotMatch(page, /<script(?![^>]*\ssrc=)|<style|\son\w+=|style=/, 'nothing inline');
});

test('a request from another origin gets the headers of CORS besides', async () => {
    const { status, headers } = await get('/admin/', { Origin: 'https://a.example' });
    assert.equal(status, 200);
    assert.equal(headers.get('access-control-allow-origin'), 'https://a.example');
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
});

test('there is no other file', async () => {
    for (const path of [
        '/admin/assets/',
        '/admin/assets/none.js',
        '/admin/assets/a/b',
        '/admin/assets/..%2findex.html',
        `/admin/assets/${assets[0].toUpperCase()}`,
        '/admin/index.html',
    ])
        assert.equal((await get(path)).status, 404, path);
    assert.equal(
        (
            await ask({
                host: server.host,
                port: server.port,
                path: '/admin/assets/../../etc/passwd',
            })
        ).status,
        404,
    );
    assert.equal((await get('/admin/', {}, 'POST')).status, 405);
});

test('the first screen takes at most 100 KB, all of it at most 250 KB; the licences go along', async () => {
    const size = (name) => statSync(new URL(`${name}.br`, dist)).size;
    const linked = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(
        ([, name]) => name,
    );
    assert.ok(linked.length >= 2, page);
    const language = Math.max(
        ...assets.filter((name) => /^(en|es)-/.test(name)).map((name) => size(`assets/${name}`)),
    );
    const first = [...linked, 'index.html'].reduce((sum, name) => sum + size(name), 2 * language);
    const whole = [...assets.map((name) => `assets/${name}`), 'index.html'].reduce(
        (sum, name) => sum + size(name),
        0,
    );
    assert.ok(first <= 100000, `${first}`);
    assert.ok(whole <= 250000, `${whole}`);
    const licences = readFileSync(new URL('assets/licences.txt', dist), 'utf8');
    for (const name of ['svelte', 'bits-ui', '@floating-ui/dom'])
        assert.match(licences, new RegExp(`^${name} \\d`, 'm'));
});
