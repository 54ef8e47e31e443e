// Backups as a timer makes them, checked and restored: complete or absent, no more than wanted, none that is not ours.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
    chmodSync,
    copyFileSync,
    existsSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    statSync,
    symlinkSync,
    writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { sql } from '../lib/database.mjs';
import { businessId, userId } from '../lib/ids.mjs';
import { binary, run, Server, temporaryFolder } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const [usage, dataError, noInput, cannotCreate, busy] = [64, 65, 66, 73, 75];
const server = await Server.start(),
    data = join(server.folder, 'data'),
    folder = temporaryFolder();
const name = /^roster-\d{8}T\d{6}\.\d{3}Z\.db$/;
let folders = 0;
const newFolder = () => {
    const made = join(folder, `f${folders++}`);
    mkdirSync(made);
    return made;
};
// A check of a backup found nothing wrong, and says who made it.
const assertMade = ({ code, stdout, stderr }, path) => {
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '');
    assert.ok(stderr.startsWith(`rosterd: ${path}: made by rosterd `), stderr);
    assert.equal(stderr.split('\n').length, 2, stderr);
};
const backup = (to, ...args) => run(['backup', '--to', to, '--data', data, ...args]);

test('30 backups leave the newest 14, each of which check accepts', async () => {
    const to = newFolder(),
        made = [];
    for (let i = 0; i < 30; i++) {
        const { code, stdout, stderr } = await backup(to, '--keep', '14');
        assert.equal(code, 0, stderr);
        assert.equal(stderr, '');
        made.push(stdout.trim());
    }
    assert.deepEqual(
        readdirSync(to)
            .sort()
            .map((one) => join(to, one)),
        made.slice(-14),
    );
    for (const path of made.slice(-2)) {
        assert.equal(statSync(path).mode & 0o777, 0o600);
        assertMade(await run(['check', path]), path);
    }
});

test('without --keep all stay, and only backups with a time in their names are ever removed', async () => {
    const to = newFolder(),
        others = [
            'other.db',
            'roster.db',
            'roster-20200101T000000.000Z.db.key',
            'roster-20200101T000000.000Z.db.abcdef-notes',
            'roster-2020010aT000000.000Z.db',
            'my-roster-20200101T000000.000Z.db',
        ];
    for (const one of others) writeFileSync(join(to, one), 'mine');
    symlinkSync('other.db', join(to, 'roster-20200101T000000.001Z.db'));
    mkdirSync(join(to, 'roster-20200101T000000.002Z.db'));
    for (let i = 0; i < 3; i++) assert.equal((await backup(to)).code, 0);
    assert.equal(readdirSync(to).length, others.length + 5);
    assert.equal((await backup(to, '--keep', '1')).code, 0);
    const left = readdirSync(to);
    for (const one of others) assert.ok(left.includes(one), one);
    assert.ok(left.includes('roster-20200101T000000.001Z.db'), 'a link is no backup');
    assert.ok(left.includes('roster-20200101T000000.002Z.db'), 'nor is a folder');
    assert.equal(readFileSync(join(to, 'other.db'), 'utf8'), 'mine');
    assert.equal(left.length, others.length + 3);
});

test('what a killed backup has left is removed by the next, and a failed one removes no older one', async () => {
    const to = newFolder();
    for (const end of ['', '-journal'])
        writeFileSync(join(to, `roster-20200101T000000.000Z.db.aB3xyz${end}`), 'half');
    assert.equal((await backup(to)).code, 0);
    assert.equal(readdirSync(to).filter((one) => name.test(one)).length, 1);
    assert.equal(readdirSync(to).length, 1);
    const nothing = await run(['backup', '--to', to, '--keep', '1', '--data', newFolder()]);
    assert.equal(nothing.code, noInput);
    assert.equal(readdirSync(to).length, 1);
    const child = spawn(binary, ['backup', '--to', to, '--data', data], { stdio: 'ignore' });
    child.kill('SIGKILL');
    await new Promise((resolve) => child.on('close', resolve));
    assert.equal((await backup(to, '--keep', '1')).code, 0);
    assert.equal(readdirSync(to).length, 1);
});

test('of several at once in one folder each is complete, or says that another one works there', async () => {
    const to = newFolder();
    const all = await Promise.all(Array.from({ length: 6 }, () => backup(to, '--keep', '3')));
    const made = all.filter(({ code }) => code === 0);
    assert.ok(made.length >= 1);
    for (const { code, stderr } of all)
        if (code !== 0) {
            assert.equal(code, busy, stderr);
            assert.match(stderr, /^rosterd: --to .*: another backup is being made there\n$/);
        }
    for (const one of readdirSync(to)) {
        assert.match(one, name);
        assert.equal((await run(['check', join(to, one)])).code, 0);
    }
});

test('wrong uses are refused and do nothing', async () => {
    const to = newFolder(),
        file = join(folder, 'surplus.db');
    for (const [args, code] of [
        [['backup'], usage],
        [['backup', file, '--to', to], usage],
        [['backup', file, '--keep', '3'], usage],
        [['backup', '--to', to, '--keep', '0'], usage],
        [['backup', '--to', to, '--keep', 'all'], usage],
        [['backup', '--to', join(to, 'missing')], cannotCreate],
        [['check', '--as-is'], usage],
        [['check', join(to, 'missing')], noInput],
        [['check', join(data, 'roster.db')], noInput], // has a WAL
    ]) {
        const { code: got, stderr } = await run([...args, '--data', data]);
        assert.equal(got, code, `${args}: ${stderr}`);
        assert.match(stderr, /^rosterd: .+\n$/);
    }
    assert.deepEqual(readdirSync(to), []);
    assert.ok(!existsSync(file));
});

test('check of a backup changes no byte of it, and finds what is damaged', async () => {
    const path = join(newFolder(), 'one ?#%41.db');
    assert.equal((await run(['backup', path, '--data', data])).code, 0);
    chmodSync(path, 0o400);
    const before = readFileSync(path);
    assertMade(await run(['check', path]), path);
    assert.ok(before.equals(readFileSync(path)));
    assert.deepEqual(readdirSync(join(path, '..')), ['one ?#%41.db']);
    chmodSync(path, 0o600);
    sql(path, `UPDATE row_counts SET rows = rows + 1 WHERE kind = 'users'`);
    const { code, stderr } = await run(['check', path]);
    assert.equal(code, dataError);
    assert.match(stderr, /is damaged or was changed/);
    assert.match(stderr, /rows are counted/);
});

// The page that a byte of a backup is in, by what SQLite says of it; the lines behind the pages are one kind more.
const kindOfPage = (file) => {
    const rows = sql(
        file,
        "SELECT pageno || '|' || pagetype || '|' || name FROM dbstat ORDER BY pageno",
    );
    const kinds = new Map(
        rows.split('\n').map((row) => [Number(row.split('|')[0]), row.split('|').slice(1).join()]),
    );
    return (at) => kinds.get(Math.floor(at / 4096) + 1) ?? 'other';
};

test('one wrong bit is found wherever in a backup it is, and the backup is not restored', async () => {
    const to = newFolder(),
        path = join(to, 'one.db'),
        wrong = join(to, 'wrong.db'),
        places = [],
        kinds = new Set();
    assert.equal((await run(['backup', path, '--data', data])).code, 0);
    const bytes = readFileSync(path),
        kind = kindOfPage(path);
    for (let page = 0; page * 4096 < bytes.length; page++)
        for (const at of [17, 28, 101, 1999, 4093].map((within) => page * 4096 + within))
            if (at < bytes.length) places.push(at);
    for (let at = bytes.length - 78; at < bytes.length; at += 7) places.push(at);
    assert.ok(places.length > 200, `${places.length} places`);
    const checkFlipped = async ([i, at], file) => {
        const flipped = Buffer.from(bytes);
        kinds.add(kind(at));
        flipped[at] ^= 1 << i % 8;
        writeFileSync(file, flipped);
        const { code, stderr } = await run(['check', file]);
        assert.equal(code, dataError, `bit ${i % 8} of byte ${at}: ${stderr}`);
    };
    const rest = [...places.entries()],
        lane = async (file) => {
            while (rest.length) await checkFlipped(rest.pop(), file);
        };
    await Promise.all([...Array(8).keys()].map((n) => lane(n ? `${wrong}${n}` : wrong)));
    assert.ok(kinds.size > 40, [...kinds].join(' '));
    const refused = await run(['restore', wrong, '--data', join(to, 'restored')]);
    assert.equal(refused.code, dataError, refused.stderr);
    assert.ok(!existsSync(join(to, 'restored', 'roster.db')));
});

test('a backup says which version made it, when, and for which key, and warns of a newer version', async () => {
    const to = newFolder(),
        path = join(to, 'one.db'),
        newer = join(to, 'newer.db'),
        plain = join(to, 'plain.db');
    assert.equal((await run(['backup', path, '--data', data])).code, 0);
    const bytes = readFileSync(path),
        end = Math.floor(bytes.length / 4096) * 4096,
        lines = bytes.subarray(end).toString();
    const [, version, key] =
        /^\nRoster backup\nprogram: (\d+\.\d+\.\d+)\nmade: [^ ]+Z\nkey: ([0-9a-f]{8})\nblake2b-256: [0-9a-f]{64}\n$/.exec(
            lines,
        );
    const mark = sql(path, 'SELECT lower(hex(substr(mark, 1, 4))) FROM seal_mark').trim();
    assert.equal(key, mark);
    const others = Buffer.concat([
        bytes.subarray(0, end),
        Buffer.from(lines.replace(`program: ${version}`, 'program: 99.0.1').slice(0, -78)),
    ]);
    const digest = spawnSync('b2sum', ['-l', '256'], { input: others }).stdout.toString();
    writeFileSync(
        newer,
        Buffer.concat([others, Buffer.from(`blake2b-256: ${digest.slice(0, 64)}\n`)]),
    );
    const warned = await run(['check', newer]);
    assert.equal(warned.code, 0, warned.stderr);
    assert.match(warned.stderr, /made by rosterd 99\.0\.1 .*; this is the older rosterd \d/);
    writeFileSync(plain, bytes.subarray(0, end)); // as a version without digests makes it
    const without = await run(['check', plain]);
    assert.equal(without.code, 0, without.stderr);
    assert.match(without.stderr, /has no digest/);
    writeFileSync(plain, bytes.subarray(0, bytes.length - 40));
    assert.equal((await run(['check', plain])).code, dataError);
});

// Needs the right to mount, in a user namespace of its own if necessary: inside a chroot there is none.
const mount = (place, script) =>
    spawnSync(
        'unshare',
        [
            ...(process.getuid() === 0 ? [] : ['--map-root-user']),
            '--mount',
            'sh',
            '-ec',
            `mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; ${script}`,
            place,
        ],
        { encoding: 'utf8', env: { ...process.env, BINARY: binary } },
    );
const canMount = mount(newFolder(), 'true').status === 0;

test(
    'a folder that cannot be written is checked and backed up, with the WAL that a killed server left',
    { skip: canMount ? false : 'this system lets nobody mount' },
    async () => {
        const killed = await Server.start(),
            token = await killed.admin();
        assert.equal(
            (await killed.update(userId, { FullName: 'In The WAL' }, { token })).status,
            200,
        );
        await killed.stop('SIGKILL');
        const place = join(killed.folder, 'data'),
            to = newFolder(),
            copy = join(to, 'copy.db');
        const read = mount(
            place,
            `"$BINARY" check --data "$0"; "$BINARY" backup ${copy} --data "$0"`,
        );
        assert.equal(read.status, 0, read.stderr);
        assert.equal(
            sql(copy, `SELECT count(*) FROM users WHERE Id = ${userId}`).toString().trim(),
            '1',
        );
        await killed.spawn(); // folds the WAL
        await killed.stop();
        const clean = mount(
            place,
            `"$BINARY" check --data "$0"; "$BINARY" backup ${copy}2 --data "$0"`,
        );
        assert.equal(clean.status, 0, clean.stderr);
        assert.equal((await run(['check', `${copy}2`])).code, 0);
    },
);

test('a restored copy accepts no token of before and sends nothing, unless --as-is', async () => {
    const from = await Server.start([], {}),
        token = await from.admin(),
        file = join(newFolder(), 'drill.db');
    const hook = await from.call('POST', '/api/sys/webhooks', {
        token,
        body: {
            BusinessId: businessId,
            Name: 'Drill',
            Action: 1002,
            URL: 'https://hooks.invalid/',
            Active: true,
        },
    });
    assert.equal(hook.status, 200, hook.text);
    const pending = (place) =>
        Number(
            sql(
                join(place, 'roster.db'),
                'SELECT count(*) FROM web_hook_deliveries WHERE Status = 1',
            ),
        );
    assert.equal((await from.update(userId, { FullName: 'For The Hook' }, { token })).status, 200);
    await until('a pending delivery', () => pending(join(from.folder, 'data')) > 0);
    assert.equal((await run(['backup', file, '--data', join(from.folder, 'data')])).code, 0);
    for (const [options, status] of [
        [[], 401],
        [['--as-is'], 200],
    ]) {
        const drill = newFolder(),
            place = join(drill, 'data');
        const { code, stderr } = await run(['restore', file, '--data', place, ...options]);
        assert.equal(code, 0, stderr);
        copyFileSync(join(from.folder, 'data', 'roster.key'), join(place, 'roster.key'));
        chmodSync(join(place, 'roster.key'), 0o600);
        assert.deepEqual(await run(['check', '--data', place]), {
            code: 0,
            stdout: '',
            stderr: '',
        });
        assert.equal(pending(place) > 0, options.length > 0);
        const restored = await Server.launch(drill, [], {});
        after(() => restored.stop());
        assert.equal(
            (await restored.call('GET', `/api/sys/users/${userId}`, { token })).status,
            status,
        );
        await restored.token(); // with the password
    }
});

test('the WAL does not keep its largest size once the server is idle', async () => {
    const token = await server.admin(),
        wal = () => statSync(join(data, 'roster.db-wal')).size;
    let largest = 0;
    for (let i = 0; i < 300 && largest < 8 * 2 ** 20; i++) {
        const { status, text } = await server.call('POST', '/api/sys/users', {
            token,
            body: userBody({
                FullName: `Large ${i}`,
                Email: `large${i}@example.com`,
                Devices: `${i} `.repeat(10000),
            }),
        });
        assert.equal(status, 200, text);
        largest = Math.max(largest, wal());
    }
    await until(
        () => `a small WAL, not ${wal()} of ${largest} bytes`,
        () => wal() <= 4 * 2 ** 20,
    );
});
