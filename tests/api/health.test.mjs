// Monitoring: /healthz, /readyz, /metrics.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Wire, request } from '../lib/tls.mjs';
import { businessId, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { patientStop, Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start([
    '--metrics',
    '--lockout-attempts',
    '2',
    '--password-threads',
    '1',
    '--webhook-hosts',
    '127.0.0.1:9',
]);

// The text format: name and labels to number, after a TYPE for each name.
async function metrics() {
    const { status, text, headers } = await server.call('GET', '/metrics');
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    const values = new Map(),
        types = new Set();
    for (const line of text.trimEnd().split('\n')) {
        const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
        if (type) types.add(type[1]);
        if (line.startsWith('#')) continue;
        const sample = /^(\w+(?:\{.*\})?) (\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line);
        assert.ok(sample, line);
        assert.ok(
            types.has(sample[1].replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, '')),
            line,
        );
        values.set(sample[1], Number(sample[2]));
    }
    return values;
}

// The server changed something so often. On PostgreSQL it also cleans up once, some time after its start, when it has become
// the process that does.
const assertChanged = (times, expected) =>
    assert.ok(
        times === expected || (server.database && times === expected + 1),
        `${times}, not ${expected}`,
    );

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
    const get = 'method="GET",route="/api/sys/users/{id}"',
        put = 'method="PUT",route="/api/sys/users"';
    assert.equal(grown(`roster_http_requests_total{${get},status="200"}`), 20);
    assert.equal(grown(`roster_http_requests_total{${get},status="404"}`), 1);
    assert.equal(grown(`roster_http_requests_total{${put},status="200"}`), 1);
    assert.equal(grown(`roster_http_requests_total{${put},status="400"}`), 1);
    assert.equal(grown('roster_http_requests_total{method="",route="",status="404"}'), 1);
    assert.equal(grown(`roster_http_request_seconds_count{${get}}`), 21);
    assert.equal(grown(`roster_http_request_seconds_bucket{${get},le="+Inf"}`), 21);
    assert.ok(grown(`roster_http_request_seconds_sum{${get}}`) > 0);
    assertChanged(grown('roster_store_commands_total'), 1);
    assert.ok(after.get('roster_store_bytes') > 4096);
    assert.equal(after.get('roster_store_refuses'), 0);
    let last = 0;
    for (const [name, value] of after)
        if (name.startsWith(`roster_http_request_seconds_bucket{${get}`)) {
            assert.ok(value >= last, 'buckets are cumulative');
            last = value;
        }
});

test('every figure is documented, and every documented one served', async () => {
    const { text } = await server.call('GET', '/metrics');
    const served = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name);
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const rows = /## Metrics\n(.*?)\n## /s.exec(page)[1].match(/^\| `[^|]*\|/gm);
    const documented = rows.flatMap((row) => row.match(/(?:roster|process)_\w+/g) ?? []);
    const missing = [
        'roster_last_backup_timestamp_seconds', // it is there after a backup
        server.database ? 'roster_store_log_bytes' : 'roster_store_office',
    ];
    assert.deepEqual([...served, ...missing].sort(), documented.sort());
});

test('commits are counted by how many changes they hold', async () => {
    const sizes =
        '{le="1"} {le="2"} {le="4"} {le="8"} {le="16"} {le="32"} {le="64"} {le="128"} {le="+Inf"}'.split(
            ' ',
        );
    const before = await metrics();
    assert.equal((await server.update(userId, { LastHelpVisited: 1 })).status, 200);
    const one = await metrics();
    const alone = one.get('roster_store_commits_total') - before.get('roster_store_commits_total');
    assertChanged(alone, 1);
    for (const size of sizes)
        assert.equal(
            one.get(`roster_store_commit_commands_bucket${size}`) -
                before.get(`roster_store_commit_commands_bucket${size}`),
            alone,
            size,
        );
    const body = required(await server.get(userId));
    await Promise.all(
        Array.from({ length: 40 }, (_, i) => server.put({ ...body, LastHelpVisited: i })),
    );
    const after = await metrics();
    assertChanged(
        after.get('roster_store_commit_commands_sum') - one.get('roster_store_commit_commands_sum'),
        40,
    );
    assert.equal(
        after.get('roster_store_commit_commands_sum'),
        after.get('roster_store_commands_total'),
    );
    assert.equal(
        after.get('roster_store_commit_commands_count'),
        after.get('roster_store_commits_total'),
    );
    assert.equal(
        after.get('roster_store_commit_commands_bucket{le="+Inf"}'),
        after.get('roster_store_commits_total'),
    );
});

test('queue lengths are shown while something waits, and are 0 again afterwards', async () => {
    const waiting = async (what) => (await metrics()).get(`roster_${what}`);
    for (const what of [
        'store_queue_length',
        'search_queue_length',
        'password_queue_length',
        'picture_queue_length',
        'webhook_deliveries_pending',
    ])
        assert.equal(await waiting(what), 0, what);
    const most = await until('sign-ins wait', async () => {
        // a batch may be over before this process is woken
        let signedIn = false,
            seen = 0;
        const signIns = Promise.all(
            Array.from({ length: 30 }, () => server.token('lister@example.com')),
        ).finally(() => {
            signedIn = true;
        });
        while (!signedIn) seen = Math.max(seen, await waiting('password_queue_length'));
        await signIns;
        return seen;
    });
    assert.ok(most <= 30, `${most} waited`);
    assert.equal(await waiting('password_queue_length'), 0);

    const token = await server.admin();
    const hook = await server.call('POST', '/api/sys/webhooks', {
        token,
        body: {
            BusinessId: businessId,
            Name: 'Nobody listens',
            Action: 1002,
            Active: true,
            URL: 'http://127.0.0.1:9/',
        },
    });
    assert.equal(hook.status, 200, hook.text);
    assert.equal((await server.update(userId, { FullName: 'To be told' })).status, 200);
    assert.equal(await waiting('webhook_deliveries_pending'), 1);
    assert.equal(
        (await server.call('DELETE', `/api/sys/webhooks/${hook.json.Value.Id}`, { token })).status,
        200,
    );
    await until(
        'deliveries end with their webhook',
        async () => (await waiting('webhook_deliveries_pending')) === 0,
    );
});

test('sign-ins and lock-outs are counted', async () => {
    const before = await metrics();
    const grant = (secret) =>
        server.grant({ grant_type: 'password', username: 'reader@example.com', password: secret });
    await grant('demo-password');
    for (let i = 0; i < 4; i++) await grant('not-the-password');
    const after = await metrics();
    const grown = (result) =>
        after.get(`roster_sign_ins_total{result="${result}"}`) -
        before.get(`roster_sign_ins_total{result="${result}"}`);
    assert.deepEqual([grown('ok'), grown('wrong'), grown('locked_out')], [1, 2, 2]);
});

test('without --metrics there is no /metrics', async () => {
    const other = await Server.start();
    assertFailure(await other.call('GET', '/metrics'), 404);
});

test('while it stops it is not ready: idle connections are closed, what is in progress ends well', async () => {
    const stopping = await Server.start(['--io-threads', '1', ...patientStop]),
        token = await stopping.admin(),
        where = { host: stopping.host, port: stopping.port };
    const body = JSON.stringify({
        ...required(await stopping.get(userId)),
        FullName: 'Began in time',
    });
    const [kept, half, busy] = [
        await Wire.clear(where),
        await Wire.clear(where),
        await Wire.clear(where),
    ];
    const probe = request('GET', '/readyz');
    for (const wire of [kept, busy]) {
        wire.write(probe);
        assert.equal((await wire.reply()).status, 200);
    }
    half.write(probe.slice(0, 10));
    busy.write(
        request('PUT', '/api/sys/users', {
            token,
            headers: { Expect: '100-continue', 'Content-Length': Buffer.byteLength(body) },
        }),
    );
    assert.equal((await busy.reply(2)).status, 100); // it is in progress now
    stopping.child.kill('SIGTERM');
    await kept.ended();
    assert.equal(kept.replies().length, 1);
    half.write(probe.slice(10));
    const late = await half.reply();
    assert.equal(late.status, 503);
    assert.match(late.head, /^Connection: close\r$/im);
    busy.write(body);
    assert.equal((await busy.reply(3)).status, 200);
    await stopping.stop();
    await stopping.spawn();
    assert.equal((await stopping.get(userId, token)).FullName, 'Began in time');
});

test('the server leaves no core', () => {
    const limits = readFileSync(`/proc/${server.child.pid}/limits`, 'utf8');
    assert.match(limits, /^Max core file size +0 +0 /m);
});
