// GET /api/utils/settings shows what `rosterd config` shows, to unrestricted administrators alone, and never a secret.
import test from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertFailure } from '../lib/replies.mjs';
import { Server, run, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const file = join(temporaryFolder(), 'roster.conf');
const write = (...lines) => writeFileSync(file, `${lines.join('\n')}\n`);
write('audit-days = 90', 'search-limit = 2000');
const server = await Server.startNew(
    ['--config', file, '--admin-email', adminEmail, '--log-level', 'debug'],
    { ROSTER_ADMIN_PASSWORD: password, ROSTER_HTTP2: 'off' },
);
const path = '/api/utils/settings';
const shown = async () =>
    Object.fromEntries(
        (await server.call('GET', path, { token: await server.admin() })).json.Settings.map(
            (one) => [one.Name, one],
        ),
    );

test('each setting is there with its value and source, as `rosterd config` prints them', async () => {
    const settings = await shown();
    assert.deepEqual(
        ['audit-days', 'http2', 'log-level', 'user-tokens'].map((name) => {
            const { Value, From, IsReloadable } = settings[name];
            return [Value, From, IsReloadable];
        }),
        [
            ['90', `${file}:1`, true],
            ['off', 'ROSTER_HTTP2', false],
            ['debug', '--log-level', true],
            ['100', 'default', false],
        ],
    );
    const { stdout } = await run(['config', '--json', ...server.args], server.env);
    assert.deepEqual(
        Object.keys(settings),
        JSON.parse(stdout).map(({ setting }) => setting),
    );
});

test('no secret is shown', async () => {
    const { text, json } = await server.call('GET', path, { token: await server.admin() });
    assert.ok(!text.includes(password));
    assert.match(json.Version, /^\d+\.\d+\.\d+/);
});

test('the version, the libraries and the licences are those of `rosterd --version`', async () => {
    const { json } = await server.call('GET', path, { token: await server.admin() });
    const lines = json.Libraries.map((one) => `  ${one.Name} ${one.Version} (${one.Licence})\n`);
    assert.ok(lines.length > 10, `${lines}`);
    assert.equal(
        (await run(['--version'])).stdout,
        `rosterd ${json.Version} (${json.Build})\nLicence: ${json.Licence}\n` +
            `Built with these libraries:\n${lines.join('')}`,
    );
});

test('a reload is shown, and what needs a restart stays as the server has it', async () => {
    write('audit-days = 30', 'search-limit = 4000');
    server.child.kill('SIGHUP');
    await until('the new value', async () => (await shown())['audit-days'].Value === '30');
    assert.equal((await shown())['search-limit'].Value, '2000');
});

test('who is no unrestricted administrator is refused', async () => {
    const token = await server.admin();
    const { json } = await server.call('GET', '/api/security/roles?size=1000', { token });
    const ok = async (route, body) => {
        const reply = await server.call('POST', route, { token, body });
        assert.equal(reply.status, 200, reply.text);
        return reply.json.Value.Id;
    };
    const BusinessId = await ok('/api/sys/businesses', { Name: 'Here' });
    const Roles = json.Records.map(({ Id }) => Id);
    const role = await ok('/api/security/userroles', { BusinessId, Name: 'Everything', Roles });
    await ok('/api/sys/users', {
        FullName: 'Mara Manager',
        Email: 'mara@example.org',
        Language: 1,
        PasswordSalt: '',
        LastHelpVisited: 0,
        InvalidLoginAttempts: 0,
        Active: true,
        APIAccess: true,
        NewPassword: password,
        UserRoles: [role],
    });
    const hers = await server.token('mara@example.org', password);
    assertFailure(await server.call('GET', path, { token: hers }), 403);
    assertFailure(await server.call('GET', path), 401);
});
