// An operator who has no password recovers with `rosterd user` and `rosterd token`, while the server runs and while it
// does not: the same rules, rows of the audit trail, events and revocations as a request of an administrator.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { adminId, businessId, userId } from '../lib/ids.mjs';
import { binary, Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, totp, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const [usage, dataError, noInput, noUser, temporary, noPermission] = [64, 65, 66, 67, 75, 77];
const fresh = 'another-password-of-mine';

// Runs a command on the folder of a server, with a line for standard input.
function command(server, words, { input = '', env = {}, program = binary, args = [] } = {}) {
    return new Promise((resolve) => {
        const child = spawn(program, [...args, ...words, ...server.where], {
            env: { ...process.env, ...env },
        });
        const result = { stdout: '', stderr: '' };
        for (const stream of ['stdout', 'stderr'])
            child[stream].on('data', (bytes) => {
                result[stream] += bytes;
            });
        child.stdin.on('error', () => {}); // it may end without reading
        child.stdin.end(input);
        child.on('close', (code) => resolve({ code, ...result }));
    });
}

// Calls `attempt` on a server that runs, and on another one that is stopped meanwhile.
async function bothWays(attempt, args = []) {
    for (const isStopped of [false, true]) {
        const server = await Server.start(args);
        const offline = async (words, options) => {
            if (isStopped) await server.stop();
            const result = await command(server, words, options);
            if (isStopped) await server.spawn();
            return result;
        };
        await attempt(server, offline);
        await server.stop();
    }
}

const signIn = (server, email, secret, more = {}) =>
    server.grant({ grant_type: 'password', username: email, password: secret, ...more });
const trail = async (server, id) =>
    (
        await server.call(
            'GET',
            `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${id}&size=100`,
            { token: await server.token(adminEmail, fresh) },
        )
    ).json.Records;

test('a locked-out only administrator is back with one command, and the trail names the operator', () =>
    bothWays(
        async (server, offline) => {
            const before = await server.token();
            for (let i = 0; i < 3; i++)
                assert.equal((await signIn(server, adminEmail, 'wrong')).status, 400);
            assert.equal((await signIn(server, adminEmail, password)).status, 400, 'locked');
            const { code, stdout, stderr } = await offline(['user', 'set-password', adminEmail], {
                input: `${fresh}\n`,
            });
            assert.deepEqual([code, stderr], [0, '']);
            assert.equal(stdout, `user ${adminId} (${adminEmail}) has a new password\n`);
            assert.equal((await signIn(server, adminEmail, password)).status, 400);
            assert.equal((await signIn(server, adminEmail, fresh)).status, 200);
            assert.equal(
                (await server.call('GET', `/api/sys/users/${adminId}`, { token: before })).status,
                401,
                'the sessions of the old password ended',
            );
            const rows = (await trail(server, adminId)).filter((row) =>
                Object.values(row).includes(`local:${process.getuid()}`),
            );
            assert.ok(rows.length > 0, 'the trail has the change');
            assert.ok(!JSON.stringify(rows).includes(fresh));
        },
        ['--lockout-attempts', '3'],
    ));

test('unlock ends a lock, disable a session, and enable and reset-2fa let a user in again', () =>
    bothWays(
        async (server, offline) => {
            const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
                email = 'clerk@example.com';
            const made = await server.call('POST', '/api/sys/users', {
                token: await server.admin(),
                body: userBody({
                    FullName: 'Clerk',
                    Email: email,
                    Active: true,
                    APIAccess: true,
                    NewPassword: fresh,
                }),
            });
            const id = made.json.Value.Id;
            for (let i = 0; i < 3; i++) await signIn(server, email, 'wrong');
            assert.equal((await signIn(server, email, fresh)).status, 400, 'locked');
            assert.equal(
                (await offline(['user', 'unlock', `${id}`])).stdout,
                `user ${id} (${email}) is not locked\n`,
            );
            const token = (await signIn(server, email, fresh)).json.access_token;
            const me = async () => (await server.call('GET', '/api/auth/me', { token })).status;
            assert.equal(await me(), 200);
            assert.equal((await offline(['user', 'disable', email])).code, 0);
            assert.equal(await me(), 401, 'from the next request on');
            assert.equal((await signIn(server, email, fresh)).status, 400);
            assert.equal((await offline(['user', 'enable', email])).code, 0);
            assert.equal((await signIn(server, email, fresh)).status, 200);
            assert.equal(
                (
                    await server.call('PATCH', `/api/sys/users/${id}`, {
                        token: await server.admin(),
                        body: { TwoFactorSecret: secret },
                    })
                ).status,
                200,
            );
            assert.equal((await signIn(server, email, fresh)).status, 400, 'a code is missing');
            assert.equal((await signIn(server, email, fresh, { totp: totp(secret) })).status, 200);
            const reset = await offline(['user', 'reset-2fa', email, '--json']);
            assert.equal(JSON.parse(reset.stdout).TwoFactorEnabled, false);
            assert.equal((await signIn(server, email, fresh)).status, 200);
        },
        ['--lockout-attempts', '3'],
    ));

test('create-admin makes an administrator who may do anything', () =>
    bothWays(async (server, offline) => {
        const made = await offline(
            ['user', 'create-admin', 'new@example.com', '--name', 'New Admin', '--json'],
            { input: fresh },
        );
        assert.equal(made.code, 0, made.stderr);
        const { Id, FullName, IsAdmin, UpdatedBy } = JSON.parse(made.stdout);
        assert.deepEqual(
            { FullName, IsAdmin, UpdatedBy },
            { FullName: 'New Admin', IsAdmin: true, UpdatedBy: `local:${process.getuid()}` },
        );
        const token = await server.token('new@example.com', fresh);
        assert.equal((await server.get(Id, token)).Active, true);
        const again = await offline(['user', 'create-admin', 'NEW@example.com'], { input: fresh });
        assert.deepEqual(again, {
            code: dataError,
            stdout: '',
            stderr: 'rosterd: Email: is already used by another user\n',
        });
    }));

test('the rules of a request hold: all mistakes are named, and nothing is changed', () =>
    bothWays(async (server, offline) => {
        const before = await server.get(adminId);
        for (const [words, input, says] of [
            [
                ['user', 'disable', `${adminId}`],
                '',
                /^rosterd: Active: must stay as it is: this is the last active/,
            ],
            [
                ['user', 'set-password', `${adminId}`],
                'short',
                /^rosterd: NewPassword: must have at least 8 characters\n$/,
            ],
            [
                ['user', 'set-password', `${adminId}`],
                adminEmail,
                /^rosterd: NewPassword: must not be the user's e-mail/,
            ],
            [
                ['user', 'create-admin', 'nobody'],
                'short',
                /^rosterd: Email: .*\nrosterd: NewPassword: .*\n$/,
            ],
        ]) {
            const { code, stdout, stderr } = await offline(words, { input });
            assert.deepEqual([code, stdout], [dataError, ''], words.join(' '));
            assert.match(stderr, says);
        }
        for (const who of ['4711', 'nobody@example.com', '0', '', 'x'.repeat(3000)]) {
            const { code, stderr } = await offline(['user', 'unlock', who]);
            assert.deepEqual(
                [code, stderr],
                [noUser, 'rosterd: there is no user with this Id or e-mail address\n'],
            );
        }
        assert.equal(
            (await offline(['user', 'set-password', '4711'], { input: '' })).code,
            noInput,
            'no password',
        );
        const after = await server.get(adminId);
        assert.equal(after.UpdatedOn, before.UpdatedOn);
    }));

test('list and show print users as they are; what a terminal would obey is escaped; secrets are not shown', () =>
    bothWays(async (server, offline) => {
        await server.update(userId, { Devices: 'one\ntwo\tthree' });
        const all = (
            await server.call('GET', '/api/sys/users?size=1000&orderBy=Id', {
                token: await server.admin(),
            })
        ).json.Records;
        const listed = await offline(['user', 'list']);
        assert.equal(listed.code, 0, listed.stderr);
        const [heading, ...rows] = listed.stdout
            .trimEnd()
            .split('\n')
            .map((line) => line.split('\t'));
        assert.deepEqual(
            rows.map((row) => [Number(row[0]), row[1], row[heading.indexOf('FullName')]]),
            all.sort((a, b) => a.Id - b.Id).map(({ Id, Email, FullName }) => [Id, Email, FullName]),
        );
        assert.deepEqual(
            JSON.parse((await offline(['user', 'list', '--json'])).stdout).map(({ Id }) => Id),
            all.map(({ Id }) => Id),
        );
        const shown = await offline(['user', 'show', `${userId}`]);
        assert.match(shown.stdout, /^Devices +"one\\ntwo\\tthree"$/m);
        assert.match((await offline(['user', 'show', adminEmail])).stdout, /^Password +\(set\)$/m);
        const json = JSON.parse((await offline(['user', 'show', adminEmail, '--json'])).stdout);
        assert.deepEqual(json, await server.get(adminId));
    }));

test('token revoke-all ends the tokens of one user, or of all', () =>
    bothWays(async (server, offline) => {
        const tokens = [
            await server.token(),
            await server.token('lister@example.com'),
            await server.token('reader@example.com'),
        ];
        const valid = async () =>
            Promise.all(
                tokens.map(
                    async (token) => (await server.call('GET', '/api/auth/me', { token })).status,
                ),
            );
        assert.deepEqual(await valid(), [200, 200, 200]);
        assert.equal((await offline(['token', 'revoke-all', 'lister@example.com'])).code, 0);
        assert.deepEqual(await valid(), [200, 401, 200]);
        assert.deepEqual(JSON.parse((await offline(['token', 'revoke-all', '--json'])).stdout), {
            Users: 2,
        });
        assert.deepEqual(await valid(), [401, 401, 401]);
        assert.equal(
            (await offline(['token', 'revoke-all'])).stdout,
            'revoked the tokens of 0 users\n',
        );
    }));

test('a list and a revocation of more users than a page or a transaction has are complete', async () => {
    const server = await Server.start(),
        count = 700;
    const users = Array.from({ length: count }, (_, i) => 1000000 + i);
    const token = await server.admin();
    const bodies = users.map((_, i) =>
        userBody({
            FullName: `Many ${i}`,
            Email: `many${i}@example.com`,
            Active: true,
            APIAccess: true,
        }),
    );
    for (let i = 0; i < count; i += 50)
        await Promise.all(
            bodies
                .slice(i, i + 50)
                .map((body) => server.call('POST', '/api/sys/users', { token, body })),
        );
    await server.stop();
    const tokens = server
        .rows('SELECT Id AS id FROM users')
        .map(({ id }) => `(${server.bytes(randomBytes(32))}, ${id})`);
    server.sql(
        'INSERT INTO tokens (hash, kind, user_id, client_id, issued_ms, expires_ms, family, parent, ends_ms, id)' +
            ` SELECT column1, 1, column2, 'c', 1, 9000000000000000, column2 + 1, 0, 9000000000000000, column2 FROM (VALUES ${tokens}) AS made`,
    );
    const total = tokens.length;
    const listed = (await command(server, ['user', 'list'])).stdout.trimEnd().split('\n');
    assert.equal(new Set(listed).size, total + 1);
    assert.equal(
        JSON.parse((await command(server, ['user', 'list', '--json'])).stdout).length,
        total,
    );
    assert.equal(
        (await command(server, ['token', 'revoke-all'])).stdout,
        `revoked the tokens of ${total} users\n`,
    );
    assert.equal(server.sql('SELECT count(*) FROM tokens'), '0');
    await server.spawn();
});

test('a change without a server is told to webhooks once the server runs', async () => {
    const server = await Server.start();
    const made = await server.call('POST', '/api/sys/webhooks', {
        token: await server.admin(),
        body: {
            BusinessId: businessId,
            Name: 'Updates',
            Action: 1002,
            Active: true,
            URL: 'https://hooks.example.com/',
        },
    });
    assert.equal(made.status, 200, made.text);
    await server.stop();
    assert.equal((await command(server, ['user', 'disable', `${userId}`])).code, 0);
    assert.equal(server.sql('SELECT count(*) FROM web_hook_deliveries'), '1');
    await server.spawn();
    assert.equal((await server.get(userId)).Active, false);
});

test('wrong commands are refused in one line that says what is right, and change nothing', async () => {
    const server = await Server.start();
    for (const [words, says] of [
        [['user'], /the commands are: user list, user show USER, user create-admin EMAIL/],
        [['user', 'frobnicate'], /the commands are: user list/],
        [['token'], /the commands are: token revoke-all \[USER\]/],
        [
            ['user', 'show'],
            /the command is user show USER, where USER is an Id or an e-mail address/,
        ],
        [['user', 'list', 'surplus'], /the command is user list$/m],
        [['user', 'show', 'one', 'two'], /two: is neither an option nor a command/],
        [['check', '--json'], /--json is no option of this command/],
        [['--json'], /--json is an option of commands/],
    ]) {
        const { code, stdout, stderr } = await command(server, words);
        assert.deepEqual([code, stdout], [usage, ''], words.join(' '));
        assert.match(stderr, says);
        assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    }
});

test('a folder without a database is left as it is', async () => {
    const folder = temporaryFolder(),
        empty = { where: ['--data', join(folder, 'data')] };
    const missing = await command(empty, ['user', 'list']);
    assert.deepEqual([missing.code, existsSync(join(folder, 'data'))], [noInput, false]);
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    const without = await command(empty, ['user', 'create-admin', 'a@example.com'], {
        input: fresh,
    });
    assert.deepEqual(
        [without.code, readdirSync(join(folder, 'data'))],
        [noInput, []],
        without.stderr,
    );
});

test('commands at once, while the server is killed, stops and starts again, are done or say that they are not', async () => {
    const server = await Server.start();
    let ends = 0;
    const codes = [];
    const one = async (i) => {
        const { code, stderr } = await command(server, [
            'user',
            i % 2 ? 'disable' : 'enable',
            `${userId}`,
        ]);
        codes.push(code);
        assert.ok(code === 0 || (code === temporary && stderr), `${code}: ${stderr}`);
    };
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM']) {
        const running = Array.from({ length: 6 }, (_, i) => one(i));
        await server.restart(signal);
        await Promise.all(running);
        ends += running.length;
    }
    await server.stop();
    await Promise.all(Array.from({ length: 4 }, (_, i) => one(i)));
    assert.equal(codes.length, ends + 4);
    assert.ok(codes.filter((code) => code === 0).length >= 4, `${codes}`);
    if (!server.database)
        assert.deepEqual(await command(server, ['check']), { code: 0, stdout: '', stderr: '' });
    assert.deepEqual(
        readdirSync(join(server.folder, 'data')).sort(),
        server.database ? ['roster.key'] : ['roster.db', 'roster.key'],
        'nothing is left behind',
    );
    await server.spawn();
});

test('the socket is open to nobody else, by its mode and by the credentials of who connects', async () => {
    const server = await Server.start(),
        data = join(server.folder, 'data'),
        socket = join(data, 'roster.sock');
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    if (process.getuid() !== 0) return; // only root can be another user
    const nobody = 65534,
        asNobody = { program: 'setpriv', args: [`--reuid=${nobody}`, '--clear-groups', binary] };
    for (const path of [server.folder, data]) chmodSync(path, 0o755);
    const byMode = await command(server, ['user', 'list'], asNobody);
    assert.deepEqual([byMode.code, byMode.stdout], [noPermission, ''], byMode.stderr);
    chmodSync(socket, 0o666);
    const byPeer = await command(server, ['user', 'disable', `${userId}`], asNobody);
    assert.deepEqual([byPeer.code, byPeer.stdout], [noPermission, ''], byPeer.stderr);
    assert.match(byPeer.stderr, /only root and the user that the server runs as may do this/);
    for (const path of [server.folder, data]) chmodSync(path, 0o700);
    assert.equal((await server.get(userId)).Active, true);
});

test('what root does in the folder of another user leaves the files to that user', async () => {
    if (process.getuid() !== 0) return; // only root can
    const server = await Server.start(),
        data = join(server.folder, 'data'),
        nobody = 65534;
    await server.stop();
    for (const path of [data, ...readdirSync(data).map((name) => join(data, name))])
        chownSync(path, nobody, nobody);
    assert.equal((await command(server, ['user', 'disable', `${userId}`])).code, 0);
    for (const name of readdirSync(data))
        assert.equal(statSync(join(data, name)).uid, nobody, name);
    chownSync(server.folder, nobody, nobody);
    await server.spawn();
    assert.equal((await server.get(userId)).Active, false);
});

test('the key is not rotated while a server uses the folder, and no other word follows key', async () => {
    const server = await Server.start();
    const served = await command(server, ['key', 'rotate']);
    assert.deepEqual([served.code, served.stdout], [temporary, ''], served.stderr);
    assert.match(served.stderr, /in use by another rosterd|a server uses this folder/);
    assert.equal((await command(server, ['key'])).code, usage);
    assert.equal((await command(server, ['key', 'show'])).code, usage);
    await server.stop();
    const rotated = await command(server, ['key', 'rotate']);
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.match(
        rotated.stdout,
        /is new, and 0 values are sealed with it; backups made until now need .*roster\.key\.[0-9a-f]{8}$/m,
    );
    await server.spawn();
});

test('a data folder whose path is too long for an address of a socket can be commanded', async () => {
    const deep = join(temporaryFolder(), 'a'.repeat(100), 'b'.repeat(100));
    mkdirSync(deep, { recursive: true });
    const server = await Server.open(deep, [], { ROSTER_ADMIN_PASSWORD: password });
    const { code, stdout } = await command(server, ['user', 'show', 'admin@localhost', '--json']);
    assert.deepEqual([code, JSON.parse(stdout).IsAdmin], [0, true]);
    await until('the log has the command', () =>
        /operator: user \d+ of the system: user show: done/.test(server.stderr),
    );
});
