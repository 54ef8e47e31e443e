// A power cut at each step of a backup, of a restore and of a first start, and a file that appears
// meanwhile. A step that was reported as done is on the disk, and a folder has the old database
// with its own log, or the backup without any.
import test from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { storedUsers } from '../lib/database.mjs';
import { adminId } from '../lib/ids.mjs';
import { copyData, temporaryFolder } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { EIO, Faults } from './faults.mjs';

const faults = new Faults();
const server = await faults.start([], { ROSTER_ADMIN_PASSWORD: 'a-password-of-ours' });
const data = join(server.folder, 'data');
const token = await server.token('admin@localhost', 'a-password-of-ours');
const put = async (FullName) =>
    assert.equal(
        (await server.put({ ...required(await server.get(adminId, token)), FullName }, { token }))
            .status,
        200,
    );
const nameIn = (folder) =>
    storedUsers(join(folder, 'roster.db'), `Id = ${adminId}`).get(adminId).FullName;

// The calls that change the disk, in order: [call, path, other path].
const changesFile = () => join(temporaryFolder(), 'changes');
const changesIn = (file) =>
    readFileSync(file, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ').map((path, i) => (i && path ? resolve(path) : path)));

async function traced(args) {
    const file = changesFile();
    writeFileSync(file, '');
    const result = await faults.run(args, { CHANGES_FILE: file });
    return { ...result, changes: changesIn(file) };
}

// The folder after a power cut behind the first `steps` changes: each state that the disk may be in. Names that changed
// since their folder was synced may have or not, each by itself; a file is whole only if it was synced since it was
// written.
function* statesAfter(folder, names, changes, steps) {
    let durable = new Map(names.map((name) => [name, name])),
        pending = [];
    const dirty = new Set(),
        files = new Map(durable); // by the name that they had first
    const apply = (map, [what, from, to]) => {
        const file = what === 'unlink' ? undefined : (files.get(from) ?? from);
        if (what !== 'link') map.delete(from);
        if (what !== 'unlink') map.set(to, file);
    };
    for (const change of changes.slice(0, steps)) {
        const [what, path] = change;
        if (what === 'sync' && path === folder) {
            pending.forEach((one) => apply(durable, one));
            pending = [];
        } else if (what === 'sync') {
            dirty.delete(files.get(path) ?? path);
        } else if (what === 'write') {
            dirty.add(files.get(path) ?? path);
        } else if (dirname(path) === folder) {
            pending.push(change);
            if (what !== 'unlink') files.set(change[2], files.get(path) ?? path);
        }
    }
    for (let which = 0; which < 1 << pending.length; which++) {
        const now = new Map(durable);
        pending.forEach((one, i) => (which >> i) & 1 && apply(now, one));
        yield { now, isWhole: (path) => now.has(path) && !dirty.has(now.get(path)) };
    }
}

test('a backup that was reported as made outlives a power cut; before that there is none or a whole one under its name', async () => {
    const folder = temporaryFolder(),
        file = join(folder, 'backup.db');
    const { code, stderr, changes } = await traced(['backup', file, '--data', data]);
    assert.equal(code, 0, stderr);
    assert.ok(changes.length > 5 && changes.some(([what]) => what === 'link'), `${changes}`);
    for (let steps = 0; steps <= changes.length; steps++)
        for (const { now, isWhole } of statesAfter(folder, [], changes, steps))
            assert.ok(!now.has(file) || isWhole(file), `a power cut after ${changes[steps - 1]}`);
    for (const { isWhole } of statesAfter(folder, [], changes, changes.length))
        assert.ok(isWhole(file), 'it is there');
});

// The log of a file that is no database, or of a missing one, stays until it is deleted; SQLite
// handles that of a database.
for (const [what, isThere] of [
    ['what is no database', true],
    ['a database that is gone', false],
])
    test(`a power cut in a restore leaves ${what} with its log, or the backup without`, async () => {
        const folder = join(temporaryFolder(), 'data'),
            file = join(folder, 'roster.db'),
            backup = join(temporaryFolder(), 'backup.db');
        assert.equal((await faults.run(['backup', backup, '--data', data])).code, 0);
        const beside = ['-wal', '-shm', '-journal'].map((ending) => file + ending),
            old = isThere ? [file, ...beside] : beside;
        mkdirSync(folder, { mode: 0o700 });
        for (const path of old) writeFileSync(path, 'rubbish'.repeat(1000));
        const { code, stderr, changes } = await traced(['restore', backup, '--data', folder]);
        assert.equal(code, 0, stderr);
        assert.deepEqual(readdirSync(folder), ['roster.db'], 'no log of another one is left');
        const seen = { old: 0, new: 0 };
        for (let steps = 0; steps <= changes.length; steps++)
            for (const { now, isWhole } of statesAfter(folder, old, changes, steps)) {
                const isOld = now.get(file) === (isThere ? file : undefined);
                assert.ok(
                    isOld || (isWhole(file) && !beside.some((path) => now.has(path))),
                    `a power cut after ${changes[steps - 1]}: ${[...now.keys()].map((path) => basename(path))}`,
                );
                seen[isOld ? 'old' : 'new']++;
            }
        assert.ok(seen.old > 5 && seen.new > 1, JSON.stringify(seen));
        for (const { now, isWhole } of statesAfter(folder, old, changes, changes.length))
            assert.ok(isWhole(file) && now.get(file) !== file, 'what is said to be restored is');
    });

test('a restore whose last step fails leaves the old database with what was in its log', async () => {
    const folder = join(temporaryFolder(), 'data'),
        backup = join(temporaryFolder(), 'backup.db');
    await put('In the backup');
    assert.equal((await faults.run(['backup', backup, '--data', data])).code, 0);
    await put('In the log');
    await server.stop('SIGKILL');
    copyData(data, folder);
    assert.ok(statSync(join(folder, 'roster.db-wal')).size > 0);
    faults.arm('rename', 1, { code: EIO });
    const { code, stderr } = await faults.run(['restore', backup, '--data', folder]);
    assert.equal(faults.mend('rename'), 1);
    assert.equal(code, 74, stderr);
    assert.equal(nameIn(folder), 'In the log');
    assert.deepEqual(readdirSync(folder).sort(), ['last-backup', 'roster.db', 'roster.key']);
    assert.equal((await faults.run(['restore', backup, '--data', folder])).code, 0);
    assert.equal(nameIn(folder), 'In the backup');
    rmSync(folder, { recursive: true });
    await server.spawn();
});

test('a backup takes the place of no file, not even of one that comes at the last moment', async () => {
    const file = join(temporaryFolder(), 'backup.db');
    faults.arm('appear', 1);
    const { code, stderr } = await faults.run(['backup', file, '--data', data]);
    assert.equal(faults.mend('appear'), 1);
    assert.equal(code, 73, stderr);
    assert.equal(readFileSync(file, 'utf8'), 'theirs');
    assert.deepEqual(readdirSync(dirname(file)), ['backup.db']);
});

test('the key of a server that says it serves outlives a power cut; before, there is none or a whole one', async () => {
    const file = changesFile();
    writeFileSync(file, '');
    const own = await faults.start([], {
        ROSTER_ADMIN_PASSWORD: 'a-password-of-ours',
        CHANGES_FILE: file,
    });
    const changes = changesIn(file),
        folder = join(own.folder, 'data'),
        key = join(folder, 'roster.key');
    assert.ok(
        changes.some(([what, , to]) => what === 'link' && to === key),
        `${changes}`,
    );
    for (let steps = 0; steps <= changes.length; steps++)
        for (const { now, isWhole } of statesAfter(folder, [], changes, steps))
            assert.ok(!now.has(key) || isWhole(key), `a power cut after ${changes[steps - 1]}`);
    for (const { isWhole } of statesAfter(folder, [], changes, changes.length))
        assert.ok(isWhole(key), 'it is there');
});
