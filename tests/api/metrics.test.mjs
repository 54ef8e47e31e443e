// GET /metrics: what it says of the process, the disk and sign-ins, how large it is, that promtool finds
// nothing wrong with it, the addresses for monitoring alone, and that dist/ has alerts and a dashboard for figures
// that exist.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:net';
import { assertFailure } from '../lib/replies.mjs';
import { run, Server, temporaryFolder, testOnSqlite } from '../lib/server.mjs';
import { userId } from '../lib/ids.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const server = await Server.start(['--metrics', '--lockout-attempts', '2']);
const dist = (path) => readFileSync(new URL(`../../dist/${path}`, import.meta.url), 'utf8');
const documented = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');

const scrape = async (at = server) => {
    const { text, status } = await at.call('GET', '/metrics');
    assert.equal(status, 200);
    return text;
};
const value = (text, name) => {
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
};
const promtool = (args, input) =>
    execFileSync('promtool', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

test('a scrape of a new server is less than 20 KB, and has no series of a route that nobody asked for', async () => {
    const fresh = await Server.startNew(['--metrics', '--demo']);
    const text = await scrape(fresh);
    assert.ok(text.length < 20000, `${text.length} bytes`);
    assert.doesNotMatch(text, /route=/);
    await fresh.call('GET', '/healthz');
    const routes = new Set(
        [...(await scrape(fresh)).matchAll(/route="([^"]*)"/g)].map(([, at]) => at),
    );
    assert.deepEqual([...routes].sort(), ['/healthz', '/metrics']);
});

test('promtool finds nothing wrong with a scrape in which all kinds of series are', async () => {
    const token = await server.admin();
    await server.get(userId, token);
    await server.call('GET', '/nowhere');
    promtool(['check', 'metrics'], await scrape());
});

test('the process is shown as they are', async () => {
    const text = await scrape();
    const stat = readFileSync(`/proc/${server.child.pid}/statm`, 'utf8').split(' ');
    assert.equal(value(text, 'process_virtual_memory_bytes') % 4096, 0);
    assert.ok(value(text, 'process_resident_memory_bytes') > 1e6, stat);
    assert.ok(value(text, 'process_cpu_seconds_total') > 0);
    assert.ok(value(text, 'process_start_time_seconds') > 1.6e9);
    assert.ok(value(text, 'process_max_fds') >= value(text, 'process_open_fds'));
    const fds = readdirSync(`/proc/${server.child.pid}/fd`).length;
    assert.ok(Math.abs(value(text, 'process_open_fds') - fds) <= 4, `${fds}`);
    assert.match(text, /^roster_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);
});

testOnSqlite('the database and its disk are shown as they are', async () => {
    const text = await scrape();
    assert.equal(value(text, 'roster_store_bytes'), statSync(server.file).size);
    assert.ok(value(text, 'roster_store_log_bytes') > 4096);
    assert.ok(value(text, 'roster_disk_free_bytes') > 0);
});

test('connections are counted while they are open', async () => {
    const own = await Server.start(['--metrics']);
    const before = value(await scrape(own), 'roster_http_connections');
    const sockets = Array.from({ length: 10 }, () => connect(own.port, own.host));
    const count = async () => value(await scrape(own), 'roster_http_connections') - before;
    await until('ten more', async () => (await count()) >= 10);
    for (const socket of sockets) socket.destroy();
    await until('none of them', async () => (await count()) <= 1);
});

test('refused sign-ins are counted by their true reason, and lock-outs', async () => {
    const grown = async (work) => {
        const before = await scrape();
        await work();
        const after = await scrape();
        const found = {};
        for (const [, name] of after.matchAll(/^(roster_sign_in_events_total\{.*\}) /gm)) {
            const more = value(after, name) - value(before, name);
            if (more) found[/event="(.*)"/.exec(name)[1]] = more;
        }
        return found;
    };
    const fail = (username, secret) =>
        server.grant({ grant_type: 'password', username, password: secret });
    assert.deepEqual(await grown(() => fail('nobody@example.com', 'x')), { unknown: 1 });
    assert.deepEqual(
        await grown(async () => {
            for (let i = 0; i < 3; i++) await fail(adminEmail, 'x');
        }),
        { password: 2, lock_out: 1, locked: 1 },
    );
});

test('the last backup has a time from the first one on', async () => {
    const own = await Server.start(['--metrics']);
    const last = async () => value(await scrape(own), 'roster_last_backup_timestamp_seconds');
    assert.equal(await last(), undefined);
    const copy = join(temporaryFolder(), 'copy.db');
    const backup = await run(['backup', copy, ...own.where]);
    assert.deepEqual([backup.code, backup.stderr], [0, '']);
    const time = await last();
    assert.ok(Math.abs(time - statSync(copy).mtimeMs / 1000) < 3600, `${time}`);
    const again = await run(['backup', copy, ...own.where]);
    assert.equal(again.code, 73, 'a backup that fails');
    assert.equal(await last(), time, 'does not count');
});

// ---- Addresses for monitoring alone ----

test('--metrics-listen answers monitoring, and nothing else; other addresses do not answer /metrics', async () => {
    const own = await Server.start(['--metrics-listen', '127.0.0.1:0']);
    assert.equal(own.urls.length, 2);
    const [api, monitoring] = own.urls;
    assertFailure(await own.call('GET', '/metrics'), 404);
    assert.equal((await own.call('GET', '/healthz')).status, 200);
    const token = await own.admin();
    own.url = monitoring;
    assert.match((await own.call('GET', '/metrics')).text, /^roster_build_info/m);
    for (const path of ['/healthz', '/readyz'])
        assert.equal((await own.call('GET', path)).status, 200);
    const others = [
        ['GET', '/'],
        ['GET', '/admin'],
        ['GET', '/api/openapi.json'],
        ['GET', `/api/sys/users/${userId}`, { token }],
        [
            'POST',
            '/api/token',
            { body: `grant_type=password&username=${adminEmail}&password=${password}` },
        ],
        ['POST', '/healthz'],
        ['OPTIONS', '/api/sys/users'],
    ];
    for (const [method, path, options] of others)
        assertFailure(await own.call(method, path, options), 404);
    own.url = api;
    assert.equal((await own.call('GET', `/api/sys/users/${userId}`, { token })).status, 200);
});

test('an address for monitoring does not do without one for clients', async () => {
    const { code, stderr } = await run([
        '--demo',
        '--listen',
        '',
        '--metrics-listen',
        '127.0.0.1:0',
    ]);
    assert.equal(code, 64, stderr);
    const wrong = await run(['--demo', '--listen', '127.0.0.1:0', '--metrics-listen', 'nonsense']);
    assert.equal(wrong.code, 64);
    assert.match(wrong.stderr, /^rosterd: --metrics-listen nonsense: /);
});

// ---- dist/ ----

// The names of figures in an expression of Prometheus.
const names = (text) =>
    [...text.matchAll(/\b(?:roster|process)_[a-z_]+/g)].map(([name]) =>
        name.replace(/_(bucket|sum|count)$/, ''),
    );

// PostgreSQL has no figure for its log.
testOnSqlite(
    'the alerts are valid, use figures that a server has, and each is explained',
    async () => {
        const rules = new URL('../../dist/prometheus/roster.rules.yml', import.meta.url).pathname;
        promtool(['check', 'rules', rules]);
        promtool(['test', 'rules', rules.replace('rules.yml', 'test.yml')]);
        const text = await scrape();
        const served = new Set([...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name));
        served.add('roster_last_backup_timestamp_seconds');
        const used = names(dist('prometheus/roster.rules.yml').replaceAll(/#.*/g, ''));
        assert.ok(used.length >= 10);
        assert.deepEqual(
            [...new Set(used)].filter((name) => !served.has(name)),
            [],
        );
        const alerts = [...dist('prometheus/roster.rules.yml').matchAll(/- alert: (\w+)/g)].map(
            ([, name]) => name,
        );
        assert.ok(alerts.length >= 10);
        const tested = dist('prometheus/roster.test.yml');
        for (const alert of alerts) {
            const fires = `alertname: ${alert}\n        exp_alerts:\n          - `;
            assert.ok(tested.includes(fires), `${alert} is never seen to fire`);
            assert.ok(
                tested.includes(`alertname: ${alert}, exp_alerts: [] }`),
                `${alert} is never seen not to fire`,
            );
        }
        const explained = [...documented.matchAll(/^\| `(Roster\w+)` \|/gm)].map(
            ([, name]) => name,
        );
        assert.deepEqual(explained, alerts);
    },
);

testOnSqlite('the dashboard is JSON, and its panels use figures that a server has', async () => {
    const { panels, title, uid } = JSON.parse(dist('grafana/roster.json'));
    assert.deepEqual([title, uid], ['Roster', 'roster']);
    const text = await scrape();
    const served = new Set([...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name));
    served.add('roster_last_backup_timestamp_seconds');
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    assert.ok(expressions.length >= 12);
    for (const expression of expressions) {
        assert.ok(names(expression).length, expression);
        assert.deepEqual(
            names(expression).filter((name) => !served.has(name)),
            [],
            expression,
        );
    }
    // promtool reads the expressions as those of rules.
    const file = join(temporaryFolder(), 'panels.yml');
    const rules = expressions.map((expr, i) => ({
        record: `panel:${i}`,
        expr: expr.replaceAll('$__rate_interval', '5m'),
    }));
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    promtool(['check', 'rules', file]);
});
