// A rotation of the key that is killed at any step leaves a folder whose next start, and next rotation, read each
// sealed value.
import test from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { adminId } from '../lib/ids.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { password, totp, userBody } from '../lib/users.mjs';
import { Faults } from './faults.mjs';

const KILL = -1;
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const faults = new Faults();
const people = 12;

const origin = await (async () => {
    const server = await faults.start([], { ROSTER_ADMIN_PASSWORD: password });
    const token = await server.token('admin@localhost');
    for (let i = 0; i < people; i++) {
        const made = await server.call('POST', '/api/sys/users', {
            token,
            body: userBody({
                FullName: `Sealed ${i}`,
                Email: `sealed${i}@example.com`,
                Active: true,
                APIAccess: true,
                NewPassword: password,
                TwoFactorSecret: secret,
                AccessToken: String(i).repeat(2000),
            }),
        });
        assert.equal(made.status, 200, made.text);
    }
    await server.stop();
    return join(server.folder, 'data');
})();
const key = (folder) => readFileSync(join(folder, 'roster.key'), 'latin1');

// A sign-in with a code opens TwoFactorSecret.
async function assertServes(parent, where) {
    const server = await Server.launch(parent, ['--data', join(parent, 'data')], faults.env);
    const signedIn = await server.grant({
        grant_type: 'password',
        username: `sealed${people - 1}@example.com`,
        password,
        totp: totp(secret),
    });
    await server.stop();
    assert.equal(signedIn.status, 200, `${where}: ${signedIn.text}`);
}

async function assertWhole(folder, where) {
    const checked = await faults.run(['check', '--data', folder]);
    assert.deepEqual([checked.code, checked.stderr], [0, ''], where);
}

// A rotation opens all values, or changes nothing.
async function assertReadable(folder, where) {
    if (readdirSync(folder).includes('roster.key.next')) await assertWhole(folder, where);
    const rotated = await faults.run(['key', 'rotate', '--data', folder]);
    assert.equal(rotated.code, 0, `${where}: ${rotated.stderr}`);
    assert.match(rotated.stdout, new RegExp(`is new, and ${2 * people} values are sealed with it`));
    const names = readdirSync(folder).sort();
    assert.deepEqual(names.slice(0, 2), ['roster.db', 'roster.key'], where);
    assert.ok(
        names.slice(2).every((name) => /^roster\.key\.([0-9a-f]{8}|next\.\w{6})$/.test(name)),
        `${where}: ${names}`,
    );
}

test('kill -9 at 50 steps of a rotation, or more, leaves every sealed value readable', async (context) => {
    const seen = { old: 0, new: 0, kills: 0, next: 0 };
    // `appear` is before a link, and before a rename.
    for (const kind of ['write', 'plain', 'sync', 'rename', 'appear']) {
        const struck = await faults.sweep(
            kind,
            1,
            async (arm) => {
                const parent = temporaryFolder(),
                    folder = join(parent, 'data');
                cpSync(origin, folder, { recursive: true });
                arm();
                const { code, stdout } = await faults.run(['key', 'rotate', '--data', folder]);
                return async (where) => {
                    assert.ok(code === 0 || stdout === '', where);
                    assert.equal(statSync(join(folder, 'roster.key')).size, 32, where);
                    seen[key(folder) === key(origin) ? 'old' : 'new']++;
                    seen.next += readdirSync(folder).includes('roster.key.next') ? 1 : 0;
                    if (kind !== 'write') await assertServes(parent, where);
                    await assertReadable(folder, where);
                    if (kind !== 'write') await assertWhole(folder, where);
                    rmSync(parent, { recursive: true });
                };
            },
            { code: KILL },
        );
        seen.kills += struck;
    }
    context.diagnostic(JSON.stringify(seen));
    assert.ok(
        seen.kills >= 50 && seen.old > 1 && seen.new > 1 && seen.next > 1,
        JSON.stringify(seen),
    );
});

test('a value that the key does not open is named, and nothing is changed', async () => {
    const parent = temporaryFolder(),
        folder = join(parent, 'data');
    cpSync(origin, folder, { recursive: true });
    const server = await Server.launch(parent, ['--data', folder], faults.env);
    await server.stop();
    server.sql(`UPDATE users SET AccessToken = zeroblob(64) WHERE Id = ${adminId + 1}`);
    const before = key(folder),
        dump = server.sql('SELECT Id, hex(AccessToken), hex(TwoFactorSecret) FROM users');
    const { code, stdout, stderr } = await faults.run(['key', 'rotate', '--data', folder]);
    assert.deepEqual([code, stdout], [65, '']);
    assert.match(
        stderr,
        new RegExp(
            `^rosterd: user ${adminId + 1}: the key does not open its AccessToken, .*Nothing is changed$`,
            'm',
        ),
    );
    assert.equal(key(folder), before);
    assert.equal(server.sql('SELECT Id, hex(AccessToken), hex(TwoFactorSecret) FROM users'), dump);
});
