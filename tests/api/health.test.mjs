// What those see who watch over a server: /healthz, /readyz, /metrics.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Server, assertFailure, required, userId } from './harness.mjs';

const server = await Server.start(['--demo', '--metrics', '--lockout-attempts', '2']);

// The text format: name and labels to number, after a TYPE for each name.
async function metrics() {
    const { status, text, headers } = await server.call('GET', '/metrics');
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    const values = new Map(), types = new Set();
    for (const line of text.trimEnd().split('\n')) {
        const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
        if (type)
            types.add(type[1]);
        if (line.startsWith('#'))
            continue;
        const sample = /^(\w+(?:\{.*\})?) (\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line);
        assert.ok(sample, line);
        assert.ok(types.has(sample[1].replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, '')) , line);
        values.set(sample[1], Number(sample[2]));
    }
    return values;
}

test('alive and ready', async () => {
    for (const path of ['/healthz', '/readyz']) {
        const reply = await server.call('GET', path);
        assert.equal(reply.status, 200);
        assert.deepEqual(reply.json, { status: 'ok' });
    }
});

test('requests are counted by route, status and time, over all threads', async () => {
    const token = await server.admin();
    const body = required(await server.get(userId, token));
    const before = await metrics();
    await Promise.all(Array.from({ length: 20 }, () => server.get(userId, token)));
    assert.equal((await server.put(body, { token })).status, 200);
    assert.equal((await server.put({ ...body, Email: 'no' }, { token })).status, 400);
    await server.call('GET', '/api/sys/users/1', { token });
    await server.call('GET', '/nowhere');
    const after = await metrics();
    const grown = (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const get = 'method="GET",route="/api/sys/users/{id}"', put = 'method="PUT",route="/api/sys/users"';
    assert.equal(grown(`roster_http_requests_total{${get},status="200"}`), 20);
    assert.equal(grown(`roster_http_requests_total{${get},status="404"}`), 1);
    assert.equal(grown(`roster_http_requests_total{${put},status="200"}`), 1);
    assert.equal(grown(`roster_http_requests_total{${put},status="400"}`), 1);
    assert.equal(grown('roster_http_requests_total{method="",route="",status="404"}'), 1);
    assert.equal(grown(`roster_http_request_seconds_count{${get}}`), 21);
    assert.equal(grown(`roster_http_request_seconds_bucket{${get},le="+Inf"}`), 21);
    assert.ok(grown(`roster_http_request_seconds_sum{${get}}`) > 0);
    assert.equal(grown('roster_store_commands_total'), 1);
    assert.ok(after.get('roster_store_log_bytes') > 4096);
    assert.equal(after.get('roster_store_refuses'), 0);
    let last = 0;
    for (const [name, value] of after)
        if (name.startsWith(`roster_http_request_seconds_bucket{${get}`)) {
            assert.ok(value >= last, 'buckets are cumulative');
            last = value;
        }
});

test('sign-ins and lock-outs are counted', async () => {
    const before = await metrics();
    const grant = (secret) => server.grant({ grant_type: 'password', username: 'reader@example.com', password: secret });
    await grant('demo-password');
    for (let i = 0; i < 4; i++)
        await grant('not-the-password');
    const after = await metrics();
    const grown = (result) => after.get(`roster_sign_ins_total{result="${result}"}`) - before.get(`roster_sign_ins_total{result="${result}"}`);
    assert.deepEqual([grown('ok'), grown('wrong'), grown('locked_out')], [1, 2, 2]);
});

test('without --metrics there are none', async () => {
    const other = await Server.start();
    assertFailure(await other.call('GET', '/metrics'), 404);
});

test('the server leaves no core', () => {
    const limits = readFileSync(`/proc/${server.child.pid}/limits`, 'utf8');
    assert.match(limits, /^Max core file size +0 +0 /m);
});
