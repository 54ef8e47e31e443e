// Memory is refused at one allocation after the other while anything is done, once and for good. The
// answer is the right one, a 500, a 503 or none; what was answered with an error is not done and what
// was acknowledged is; and there is full service once there is memory again.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { sql } from '../lib/database.mjs';
import { businessId, staff, userId } from '../lib/ids.mjs';
import { temporaryFolder } from '../lib/server.mjs';
import { password, required, userBody } from '../lib/users.mjs';
import { ENOSPC, Faults, ask, stride } from './faults.mjs';
import { deadlines, until } from '../lib/wait.mjs';

const picture = Buffer.from('R0lGODdhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=', 'base64');
const told = new Set();
const listener = http.createServer((request, reply) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
        if (request.method === 'POST') told.add(JSON.parse(Buffer.concat(parts))[0].FullName);
        reply.end(request.method === 'GET' ? picture : '');
    });
});
await new Promise((ready) => listener.listen(0, '127.0.0.1', ready));
after(() => {
    listener.close();
    listener.closeAllConnections();
});
const host = `127.0.0.1:${listener.address().port}`;

const faults = new Faults();
const server = await faults.start([
    '--demo',
    '--avatar-hosts',
    host,
    '--webhook-hosts',
    host,
    '--webhook-retry',
    '20',
]);
const token = await server.admin();
let number = 0;

// A connection each, or one that a fault closed would be used again.
const call = (method, path, options = {}) =>
    server.call(method, path, {
        token,
        ...options,
        headers: { Connection: 'close', ...options.headers },
        signal: AbortSignal.timeout(options.timeout ?? deadlines.usual),
    });
const grant = (form, options) =>
    call('POST', '/api/token', {
        ...options,
        token: undefined,
        body: new URLSearchParams(form).toString(),
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
const user = (id) => call('GET', `/api/sys/users/${id}`);
const works = async (bearer) =>
    (await call('GET', '/api/auth/me', { token: bearer })).status === 200;
const fresh = () =>
    userBody({ Active: true, FullName: `Name ${++number}`, Email: `made${number}@example.com` });
const made = async () => (await call('POST', '/api/sys/users', { body: fresh() })).json.Value.Id;
const found = async (email) =>
    (await call('GET', `/api/sys/users?User_Email=${email}`)).json.Records.some(
        (one) => one.Email === email,
    );
const search = '/api/sys/users?User_FullName=e&User_Active=true&orderBy=FullName&size=5';

// Each time another one: a further one than --user-tokens replaces the oldest, so each sign-in finds as many.
const signIn = async () =>
    (
        await grant({
            grant_type: 'password',
            username: 'lister@example.com',
            password,
            client_id: `client ${++number}`,
        })
    ).json;

function isSpent(refresh_token) {
    const hash = createHash('sha256').update(refresh_token).digest('hex');
    const kind = execFileSync(
        'sqlite3',
        [
            '-readonly',
            join(server.folder, 'data/roster.db'),
            `SELECT kind FROM tokens WHERE hash = x'${hash}'`,
        ],
        { encoding: 'utf8' },
    );
    assert.match(kind, /^[12]\n$/, 'it is there');
    return kind === '2\n';
}

// Each prepares something, does it, and then looks whether it was done, whatever the reply was.
// `prepare` returns the argument of the other two; `isDone` also gets the reply.
const operations = {
    'creating a user': {
        prepare: async () => fresh(),
        act: (body, options) => call('POST', '/api/sys/users', { body, ...options }),
        isDone: ({ Email }) => found(Email),
    },
    'changing some members': {
        prepare: async () => ({
            FullName: `Patched ${++number}`,
            Businesses: number % 2 ? [301, 302] : [302],
        }),
        act: (body, options) => call('PATCH', `/api/sys/users/${userId}`, { body, ...options }),
        isDone: async ({ FullName }) => (await user(userId)).json.FullName === FullName,
    },
    'deleting a user': {
        prepare: made,
        act: (id, options) => call('DELETE', `/api/sys/users/${id}`, options),
        isDone: async (id) => (await user(id)).status === 404,
    },
    'a command for some users': {
        prepare: async () => [await made(), await made()],
        act: (Ids, options) =>
            call('POST', '/api/sys/users/runcommand', {
                body: { Key: 'deactivate', Ids },
                ...options,
            }),
        isDone: async (ids) => {
            const active = await Promise.all(ids.map(async (id) => (await user(id)).json.Active));
            assert.equal(active[0], active[1], 'one of them');
            return !active[0];
        },
    },
    'a search': {
        prepare: async () => (await call('GET', search)).json,
        act: (_, options) => call('GET', search, options),
        isDone: (right, reply) => {
            if (reply.status === 200) assert.deepEqual(reply.json, right);
            return reply.status === 200;
        },
    },
    'a refresh': {
        prepare: async () => (await signIn()).refresh_token,
        act: (refresh_token, options) =>
            grant(
                { grant_type: 'refresh_token', refresh_token, client_id: `client ${number}` },
                options,
            ),
        // Looked up where it was not answered well: asked again, it would be done, or be the same once more.
        isDone: async (refresh_token, reply) =>
            reply.status === 200 ? works(reply.json.access_token) : isSpent(refresh_token),
    },
    'trading a one-time token': {
        prepare: async () =>
            (
                await call('POST', '/api/sys/users/token/refresh', {
                    token: (await signIn()).access_token,
                })
            ).json.Value,
        act: (jwt, options) =>
            call('POST', `/api/sys/users/exchange?token=${jwt}`, { token: undefined, ...options }),
        isDone: async (jwt, reply) =>
            reply.status === 200
                ? works(reply.json.access_token)
                : (await call('POST', `/api/sys/users/exchange?token=${jwt}`, { token: undefined }))
                      .status !== 200,
    },
    'a picture': {
        mayRefuse: /does not lead to a valid PNG/, // the formats' libraries do not say why they failed
        prepare: async () => ({
            ...required((await user(staff.reader)).json),
            LastHelpVisited: ++number,
            NewAvatarUrl: `http://${host}/`,
        }),
        act: (body, options) => call('PUT', '/api/sys/users', { body, ...options }),
        isDone: async ({ LastHelpVisited }) =>
            (await user(staff.reader)).json.LastHelpVisited === LastHelpVisited &&
            (await call('GET', `/api/sys/users/getavatar/${staff.reader}`)).status === 200,
    },
};

// Nothing is refused while something is prepared; the connection it is asked on may still be lost.
const retry = (what) => what().catch(what);

for (const [name, { prepare, act, isDone, mayRefuse }] of Object.entries(operations)) {
    for (const [kind, step, options] of [
        ['arena', 1],
        ['memory', stride],
        ['memory', stride, { lasts: true }],
    ])
        test(`${name}, ${kind} refused ${options ? 'from then on' : 'once'}`, async (context) => {
            const tally = {};
            const struck = await faults.sweep(
                kind,
                step,
                async (arm) => {
                    const prepared = await retry(prepare);
                    arm();
                    const reply = await ask(() => act(prepared, { timeout: 5000 }));
                    return async (where) => {
                        tally[reply.status] = (tally[reply.status] ?? 0) + 1;
                        assert.ok(
                            [0, 200, 500, 503].includes(reply.status) ||
                                mayRefuse?.test(reply.text),
                            `${where}: ${reply.status} ${reply.text}`,
                        );
                        const done = await retry(async () => isDone(prepared, reply));
                        if (reply.status)
                            assert.equal(
                                done,
                                reply.status === 200,
                                `${where}: ${reply.status} ${reply.text}`,
                            );
                        const again = await retry(prepare);
                        const right = await act(again);
                        assert.equal(right.status, 200, `after ${where}: ${right.text}`);
                        assert.ok(await isDone(again, right), `after ${where}`);
                    };
                },
                options,
            );
            context.diagnostic(`${struck} faults: ${JSON.stringify(tally)}`);
            assert.ok(struck > 0);
        });
}

test('a change is delivered, whatever memory is refused on the way', async (context) => {
    const hook = await call('POST', '/api/sys/webhooks', {
        body: {
            BusinessId: businessId,
            Name: 'Memory',
            Action: 1002,
            Active: true,
            URL: `http://${host}/`,
            SharedSecret: 'a shared secret',
        },
    });
    assert.equal(hook.status, 200, hook.text);
    for (const [kind, step] of [
        ['arena', 1],
        ['memory', 3 * stride],
    ]) {
        const struck = await faults.sweep(kind, step, async (arm) => {
            const FullName = `Told ${++number}`;
            assert.equal(
                (
                    await retry(() =>
                        call('PATCH', `/api/sys/users/${userId}`, { body: { FullName } }),
                    )
                ).status,
                200,
            );
            arm();
            await until(`${FullName} is told`, () => told.has(FullName));
            return async () => {};
        });
        context.diagnostic(`${kind}: ${struck} faults`);
        assert.ok(struck > 0);
    }
    await call('DELETE', `/api/sys/webhooks/${hook.json.Value.Id}`);
});

test('a check and a backup without memory end with a code of sysexits.h, and leave a whole copy or none', async (context) => {
    const data = ['--data', join(server.folder, 'data')],
        folder = temporaryFolder();
    for (const command of ['check', 'backup']) {
        let refused = 0;
        const struck = await faults.sweep('memory', 41 * stride, async (arm) => {
            const file = join(folder, `${++number}.db`);
            arm();
            const { code, stderr } = await faults.run(
                command === 'check' ? [command, ...data] : [command, file, ...data],
            );
            refused += code !== 0;
            return async (where) => {
                assert.ok(
                    [0, 64, 65, 66, 71, 73, 74].includes(code),
                    `${command}, ${where}: ended with ${code}: ${stderr}`,
                );
                assert.ok(code === 0 || stderr, `${command}, ${where}: says nothing`);
                if (command === 'backup') assert.equal(existsSync(file), code === 0, where);
                if (existsSync(file))
                    assert.equal(
                        execFileSync('sqlite3', [file, 'PRAGMA integrity_check'], {
                            encoding: 'utf8',
                        }).trim(),
                        'ok',
                        where,
                    );
                const again = await faults.run(['check', ...data]);
                assert.equal(again.code, 0, `after ${command}, ${where}: ${again.stderr}`);
            };
        });
        context.diagnostic(`${command}: ${struck} faults, ${refused} refused`);
        assert.ok(refused > 0);
    }
});

test('a backup onto a full disk says so and leaves nothing; with room again it is made', async () => {
    const folder = temporaryFolder(),
        file = join(folder, 'backup.db'),
        data = ['--data', join(server.folder, 'data')];
    const struck = await faults.sweep(
        'write',
        7,
        async (arm) => {
            arm();
            const { code, stderr } = await faults.run(['backup', file, ...data]);
            return async (where) => {
                if (code === 0) {
                    rmSync(file);
                    return;
                }
                assert.equal(code, 74, `${where}: ended with ${code}: ${stderr}`);
                assert.match(stderr, /^rosterd: .*(full|I\/O|No space)/m);
                assert.deepEqual(readdirSync(folder), [], where);
            };
        },
        { code: ENOSPC, lasts: true },
    );
    assert.ok(struck > 2, `${struck} faults`);
});

test('a restore without memory or onto a full disk puts the backup in place or leaves the old database, whole', async (context) => {
    const backup = join(temporaryFolder(), 'backup.db');
    assert.equal(
        (await faults.run(['backup', backup, '--data', join(server.folder, 'data')])).code,
        0,
    );
    sql(backup, 'UPDATE unknown_logins SET sign_ins = 2222');
    for (const [kind, every, options] of [
        ['memory', 41 * stride, {}],
        ['write', 7, { code: ENOSPC, lasts: true }],
    ]) {
        const seen = { restored: 0, refused: 0 };
        const struck = await faults.sweep(
            kind,
            every,
            async (arm) => {
                const data = temporaryFolder(),
                    file = join(data, 'roster.db');
                copyFileSync(backup, file);
                copyFileSync(join(server.folder, 'data', 'roster.key'), join(data, 'roster.key'));
                sql(file, 'UPDATE unknown_logins SET sign_ins = 1111');
                arm();
                const { code, stderr } = await faults.run(['restore', backup, '--data', data]);
                seen[code === 0 ? 'restored' : 'refused']++;
                return async (where) => {
                    assert.ok(
                        [0, 64, 65, 66, 71, 73, 74].includes(code),
                        `${where}: ended with ${code}: ${stderr}`,
                    );
                    assert.ok(code === 0 || stderr, `${where}: says nothing`);
                    assert.deepEqual(readdirSync(data).sort(), ['roster.db', 'roster.key'], where);
                    assert.equal(
                        sql(file, 'SELECT sign_ins FROM unknown_logins'),
                        code === 0 ? '2222' : '1111',
                        where,
                    );
                    assert.deepEqual(
                        await faults.run(['check', '--data', data]),
                        { code: 0, stdout: '', stderr: '' },
                        where,
                    );
                };
            },
            options,
        );
        context.diagnostic(`restore: ${struck} faults of ${kind}, ${seen.refused} refused`);
        assert.ok(seen.refused > 0);
    }
});

// Looking a name up takes a thread of libcurl's.
test('a thread that cannot be made while serving fails only the request that needed it', async () => {
    const body = {
        ...required((await user(staff.reader)).json),
        NewAvatarUrl: 'http://nowhere.example/x.png',
    };
    const name = () => call('PUT', '/api/sys/users', { body });
    assert.equal((await name()).status, 400, 'there is no such name');
    faults.arm('thread', 1, { lasts: true });
    const refused = await name();
    assert.equal((await user(staff.reader)).status, 200);
    assert.ok(faults.mend('thread') > 0, 'no thread was asked for');
    assert.ok([400, 500].includes(refused.status), refused.text);
    assert.equal((await name()).status, 400);
    const right = await operations['a picture'].prepare();
    assert.equal((await operations['a picture'].act(right)).status, 200);
});
