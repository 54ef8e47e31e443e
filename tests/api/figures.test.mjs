// GET /api/utils/figures: what the process did in the last day follows what it does, from the first request on; who may
// read it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';
import { startWebhookReceiver } from '../lib/webhook_receiver.mjs';

const receiver = await startWebhookReceiver((user) => (user.FullName === 'Refused' ? 500 : 200));
const server = await Server.start(['--webhook-hosts', receiver]);
const token = await server.admin();

const figures = async (at = server, by = token) => {
    const { status, json, text } = await at.call('GET', '/api/utils/figures', { token: by });
    assert.equal(status, 200, text);
    return json;
};
// A sample may end between two readings, so the sum of all is compared.
const sums = ({ Figures: columns }) =>
    Object.fromEntries(
        Object.entries(columns)
            .filter(([name]) => name !== 'Until')
            .map(([name, values]) => [name, values.reduce((sum, value) => sum + value, 0)]),
    );
const grown = async (work) => {
    const before = sums(await figures());
    await work();
    const after = sums(await figures());
    return (name) => after[name] - before[name];
};

test('a new server has the present sample, and says which process it is', async () => {
    const fresh = await Server.start([]);
    const day = await figures(fresh, await fresh.admin());
    assert.equal(day.ProcessId, fresh.child.pid);
    assert.ok(day.Host.length > 0);
    assert.match(day.Version, /^\d+\.\d+\.\d+$/);
    assert.deepEqual([day.IsReady, day.LastBackup, day.PeriodSeconds], [true, null, 300]);
    for (const [name, values] of Object.entries(day.Figures)) assert.equal(values.length, 1, name);
    const [until, seconds] = [day.Figures.Until[0], day.Figures.Seconds[0]];
    assert.ok(seconds > 0 && seconds < 300, `${seconds}`);
    assert.ok(Date.parse(day.StartedOn) <= Date.parse(until), `${day.StartedOn} ${until}`);
    assert.ok(day.Figures.StoreBytes[0] > 4096 && day.Figures.DiskFreeBytes[0] > 0);
    assert.ok(day.Figures.MemoryBytes[0] > 1e6 && day.Figures.Connections[0] >= 1);
});

test('requests and writes are counted as they come; probes and scrapes are not', async () => {
    const more = await grown(async () => {
        for (let i = 0; i < 20; i++) await server.get(userId, token);
        for (let i = 0; i < 5; i++)
            await server.call('PATCH', `/api/sys/users/${userId}`, {
                token,
                body: { FullName: `Name ${i}` },
            });
        for (let i = 0; i < 30; i++) await server.call('GET', '/healthz');
    });
    assert.equal(more('Requests'), 26, 'and the reading of the figures before');
    assert.ok(more('Writes') >= 5);
    assert.equal(more('ServerErrors'), 0);
    const { Figures: columns } = await figures();
    assert.ok(columns.P99Microseconds.at(-1) > 0);
});

test('sign-ins are counted by what came of them', async () => {
    const grant = (username, secret) =>
        server.grant({ grant_type: 'password', username, password: secret });
    const more = await grown(async () => {
        await grant(adminEmail, password);
        await grant(adminEmail, password);
        await grant(adminEmail, 'wrong');
        await grant('nobody@example.com', 'wrong');
        await grant('nobody@example.com', 'wrong');
    });
    assert.deepEqual([more('SignIns'), more('SignInFailures')], [2, 3]);
});

test('attempts of webhooks are counted by what came of them', async () => {
    const hook = await server.call('POST', '/api/sys/webhooks', {
        token,
        body: {
            BusinessId: 301,
            Name: 'Told',
            Action: 1002,
            Active: true,
            URL: `http://${receiver}/`,
        },
    });
    assert.equal(hook.status, 200, hook.text);
    const rename = async (FullName) => {
        const { status, text } = await server.call('PATCH', `/api/sys/users/${userId}`, {
            token,
            body: { FullName },
        });
        assert.equal(status, 200, text);
    };
    const before = sums(await figures());
    await rename('Accepted');
    await until('one has arrived', async () => {
        const { WebhookDeliveries: now } = sums(await figures());
        return now === before.WebhookDeliveries + 1;
    });
    await rename('Refused');
    await until('one has failed', async () => {
        const { WebhookFailures: now } = sums(await figures());
        return now >= before.WebhookFailures + 1;
    });
});

test('who may list the audit trail may read the figures, and nobody else', async () => {
    assertFailure(await server.call('GET', '/api/utils/figures'), 401);
    assertFailure(await server.call('GET', '/api/utils/figures', { token: 'x'.repeat(43) }), 401);
    const frontdesk = await server.token('frontdesk@example.com');
    assertFailure(await server.call('GET', '/api/utils/figures', { token: frontdesk }), 403);
    const { json: roles } = await server.call('GET', '/api/security/roles?size=100', { token });
    const list = roles.Records.find((one) => one.Name === 'AuditTrailEntry-List').Id;
    const role = await server.call('POST', '/api/security/userroles', {
        token,
        body: { BusinessId: 301, Name: 'Operators', Roles: [list] },
    });
    assert.equal(role.status, 200, role.text);
    const made = await server.call('POST', '/api/sys/users', {
        token,
        body: userBody({
            FullName: 'An Operator',
            Email: 'operator@example.com',
            NewPassword: 'a password of theirs',
            Active: true,
            APIAccess: true,
            AccessAllBusinesses: true,
            UserRoles: [role.json.Value.Id],
        }),
    });
    assert.equal(made.status, 200, made.text);
    const operator = await server.token('operator@example.com', 'a password of theirs');
    assert.equal((await figures(server, operator)).IsReady, true);
    assertFailure(
        await server.call('GET', `/api/sys/users/${staff.manager}`, { token: operator }),
        403,
    );
});
