// A database and the key of its sealed fields belong together: one without the other, or with another's, is refused
// in one line, before anything is changed.
import test from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql as runSql } from '../lib/database.mjs';
import { adminId } from '../lib/ids.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { password, totp, userBody } from '../lib/users.mjs';

const [dataError, noInput] = [65, 66];
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const sql = (folder, text) => runSql(join(folder, 'roster.db'), text);
const files = (folder) =>
    readdirSync(folder)
        .sort()
        .map((name) => [name, statSync(join(folder, name)).size]);
const env = { ROSTER_ADMIN_PASSWORD: password };
const serve = (folder, ...args) => Server.start(['--data', folder, ...args], env);

// The data of a server that was stopped, with a sealed value in it.
const origin = await (async () => {
    const server = await Server.start([], env);
    const token = await server.token('admin@localhost');
    assert.equal(
        (
            await server.call('PATCH', `/api/sys/users/${adminId}`, {
                token,
                body: { AccessToken: 'a sealed text' },
            })
        ).status,
        200,
    );
    await server.stop();
    return join(server.folder, 'data');
})();

function copy() {
    const folder = join(temporaryFolder(), 'data');
    cpSync(origin, folder, { recursive: true });
    return folder;
}

async function assertRefused(folder, says, ...args) {
    const before = files(folder);
    // A server that serves is ended, or it would serve for ever.
    const { code, stdout, stderr } = await run(
        ['60', binary, '--data', folder, '--listen', '127.0.0.1:0', ...args],
        env,
        'timeout',
    );
    assert.equal(code, noInput, stderr);
    assert.match(stderr, says);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.equal(stdout, '');
    assert.deepEqual(files(folder), before, 'nothing is changed');
}

const change = (folder, name, bytes) => writeFileSync(join(folder, name), bytes, { mode: 0o600 });
const remove = (folder, ...names) =>
    names.forEach((name) => rmSync(join(folder, name), { force: true }));

test("a key that is not the database's is refused, by check too, and the right one serves", async () => {
    const folder = copy(),
        key = readFileSync(join(folder, 'roster.key'));
    change(folder, 'roster.key', randomBytes(32));
    await assertRefused(folder, /roster\.key: is not the key of this database/);
    await assertRefused(folder, /roster\.key: is not the key of this database/, '--init');
    const checked = await run(['check', '--data', folder]);
    assert.equal(checked.code, dataError);
    assert.match(checked.stderr, /^rosterd: .*roster\.key: is not the key of this database\n$/);
    change(folder, 'roster.key', key);
    assert.deepEqual(await run(['check', '--data', folder]), { code: 0, stdout: '', stderr: '' });
    await (await serve(folder)).stop();
});

test('a database without its key is refused', async () => {
    const folder = copy();
    remove(folder, 'roster.key');
    await assertRefused(folder, /roster\.key: there is no such key file/);
    await assertRefused(folder, /roster\.key: there is no such key file/, '--init');
});

const losses = {
    'no database': (folder) => remove(folder, 'roster.db'),
    'a database of 0 bytes': (folder) => change(folder, 'roster.db', ''),
    'a database whose log is lost with all that there was': (folder) => {
        remove(folder, 'roster.db');
        change(folder, 'roster.db', '');
        sql(folder, 'PRAGMA journal_mode = WAL; PRAGMA user_version = 0');
    },
    'a database whose log is lost with its users': (folder) =>
        sql(
            folder,
            'DELETE FROM users; DELETE FROM roles; DELETE FROM tokens; DELETE FROM users_FullName_texts; DELETE FROM users_Email_texts;' +
                'DELETE FROM users_Email_addresses; PRAGMA wal_checkpoint(TRUNCATE)',
        ),
};
for (const [what, lose] of Object.entries(losses))
    test(`a key with ${what} is refused; --init makes a new one beside the key`, async () => {
        const folder = copy(),
            key = readFileSync(join(folder, 'roster.key'));
        lose(folder);
        await assertRefused(folder, /roster\.db: .*--init/);
        const server = await serve(folder, '--init');
        assert.equal(
            (
                await server.call('GET', '/api/sys/users', {
                    token: await server.token('admin@localhost'),
                })
            ).json.TotalItems,
            1,
        );
        await server.stop();
        assert.ok(key.equals(readFileSync(join(folder, 'roster.key'))), 'the key stays');
        await (await serve(folder)).stop();
        const again = await serve(folder, '--init');
        assert.equal(
            (
                await again.call('GET', '/api/sys/users', {
                    token: await again.token('admin@localhost'),
                })
            ).json.TotalItems,
            1,
            '--init leaves alone what is there',
        );
        await again.stop();
    });

test('a first start that ended before its key was made, or noted, goes on with the next one', async () => {
    for (const names of [['roster.key'], []]) {
        const folder = copy();
        sql(folder, "UPDATE seal_mark SET mark = x''; UPDATE users SET AccessToken = NULL");
        remove(folder, ...names);
        await (await serve(folder)).stop();
        assert.equal(sql(folder, 'SELECT length(mark) FROM seal_mark'), '32');
        change(folder, 'roster.key', randomBytes(32));
        await assertRefused(folder, /is not the key of this database/);
    }
});

test('a database from before takes the key that opens a sealed value, or any where none is sealed', async () => {
    const folder = copy(),
        key = readFileSync(join(folder, 'roster.key'));
    sql(folder, 'DELETE FROM seal_mark');
    change(folder, 'roster.key', randomBytes(32));
    await assertRefused(folder, /is not the key of this database/);
    change(folder, 'roster.key', key);
    await (await serve(folder)).stop();
    assert.equal(sql(folder, 'SELECT length(mark) FROM seal_mark'), '32');
    sql(folder, 'DELETE FROM seal_mark; UPDATE users SET AccessToken = NULL');
    change(folder, 'roster.key', randomBytes(32));
    await (await serve(folder)).stop();
    change(folder, 'roster.key', key);
    await assertRefused(folder, /is not the key of this database/);
});

test('one sealed value that the key opens is enough, whichever others it does not', async () => {
    const folder = copy(),
        sealed = ['AccessToken', 'TwoFactorSecret'];
    const server = await serve(folder),
        token = await server.token('admin@localhost');
    assert.equal(
        (
            await server.call('PATCH', `/api/sys/users/${adminId}`, {
                token,
                body: { TwoFactorSecret: secret },
            })
        ).status,
        200,
    );
    await server.stop();
    for (const damaged of sealed) {
        sql(
            folder,
            `DELETE FROM seal_mark; CREATE TABLE kept AS SELECT * FROM users; UPDATE users SET ${damaged} = zeroblob(64)`,
        );
        assert.equal((await run(['check', '--data', folder])).code, 0, damaged);
        await (await serve(folder)).stop();
        sql(
            folder,
            `UPDATE users SET ${damaged} = (SELECT ${damaged} FROM kept WHERE kept.Id = users.Id); DROP TABLE kept`,
        );
    }
    sql(
        folder,
        `DELETE FROM seal_mark; UPDATE users SET ${sealed.map((one) => `${one} = zeroblob(64)`)}`,
    );
    await assertRefused(folder, /is not the key of this database/);
});

test("restore says that the key there is not the backup's", async () => {
    const folder = join(temporaryFolder(), 'data'),
        backup = join(temporaryFolder(), 'backup.db');
    assert.equal((await run(['backup', backup, '--data', origin])).code, 0);
    await (await serve(folder)).stop();
    const { code, stderr } = await run(['restore', backup, '--data', folder]);
    assert.equal(code, 0, stderr);
    assert.match(
        stderr,
        /^rosterd: .*: made by rosterd .*\nrosterd: .*roster\.key: is not the key of the backup; copy that key there before the start\n$/,
    );
    await assertRefused(folder, /is not the key of this database/);
    cpSync(join(origin, 'roster.key'), join(folder, 'roster.key'));
    await (await serve(folder)).stop();
});

// The key authenticates where a value belongs: a value that is moved to another row or column opens for nobody.
test('a sealed value that is moved to another row, or another field, is not what it was', async () => {
    const folder = copy();
    const server = await serve(folder),
        token = await server.token('admin@localhost');
    const make = async (name) =>
        (
            await server.call('POST', '/api/sys/users', {
                token,
                body: userBody({
                    FullName: name,
                    Email: `${name}@example.com`,
                    Active: true,
                    APIAccess: true,
                    NewPassword: password,
                    TwoFactorSecret: secret,
                    AccessToken: secret,
                }),
            })
        ).json.Value.Id;
    const [first, second, third] = [await make('first'), await make('second'), await make('third')];
    await server.stop();
    sql(
        folder,
        `UPDATE users SET TwoFactorSecret = (SELECT TwoFactorSecret FROM users WHERE Id = ${first}) WHERE Id = ${second};` +
            `UPDATE users SET TwoFactorSecret = AccessToken WHERE Id = ${third}`,
    );
    await server.spawn();
    const signIn = (name) =>
        server.grant({
            grant_type: 'password',
            username: `${name}@example.com`,
            password,
            totp: totp(secret),
        });
    assert.equal((await signIn('first')).status, 200);
    for (const name of ['second', 'third'])
        assert.deepEqual([(await signIn(name)).json.error, name], ['server_error', name]);
});
