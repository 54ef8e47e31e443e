// Unrestricted administrators start backups and checks over the API, into the folder of backup-dir alone, one at a time.
import test from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertFailure } from '../lib/replies.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const path = '/api/utils/maintenance';
const folder = join(temporaryFolder(), 'backups');
mkdirSync(folder);
const server = await Server.start(['--backup-dir', folder, '--backup-keep', '2']);
const token = await server.admin();
const begin = (task) => server.call('POST', `${path}/${task}`, { token });
const state = async () => (await server.call('GET', path, { token })).json;
const made = () =>
    readdirSync(folder)
        .filter((name) => name.endsWith('.db'))
        .sort();

async function ended() {
    let last;
    await until('the end of the task', async () => (last = await state()).EndedOn !== null);
    return last;
}

// The helper of the server: its only child.
const helper = (of) =>
    Number(readFileSync(`/proc/${of.child.pid}/task/${of.child.pid}/children`, 'utf8').trim());

// Gone, or left to a parent that does not ask for it.
function hasEnded(child) {
    try {
        return readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1][0] === 'Z';
    } catch (error) {
        assert.equal(error.code, 'ENOENT');
        return true;
    }
}

test('a backup is made into the folder, is shown, and the oldest ones go', async () => {
    assert.deepEqual(await state(), {
        BackupFolder: folder,
        Task: null,
        StartedOn: null,
        EndedOn: null,
        IsRunning: false,
        HasSucceeded: null,
        Lines: [],
        HasMoreLines: false,
    });
    for (let i = 0; i < 3; i++) {
        const { status, json, text } = await begin('backup');
        assert.equal(status, 200, text);
        assert.equal(json.Task, 'Backup');
        const last = await ended();
        assert.ok(last.HasSucceeded, last.Lines.join('\n'));
        assert.deepEqual(last.Lines, [join(folder, made().at(-1))]);
    }
    assert.equal(made().length, 2);
    const { code, stderr } = await run(['check', join(folder, made()[0])]);
    assert.equal(code, 0, stderr);
    const { json } = await server.call('GET', '/api/utils/figures', { token });
    assert.notEqual(json.LastBackup, null);
});

test('a check finds nothing wrong', async () => {
    assert.equal((await begin('check')).status, 200);
    const { Task, HasSucceeded, Lines } = await ended();
    assert.deepEqual([Task, HasSucceeded], ['Check', true], Lines.join('\n'));
});

test('of many at once one is started, the others get 409', async () => {
    const child = helper(server);
    process.kill(child, 'SIGSTOP'); // so that the first one cannot end before the last one comes
    try {
        const replies = await Promise.all(
            Array.from({ length: 8 }, (_, i) => begin(i % 2 ? 'check' : 'backup')),
        );
        assert.deepEqual(replies.map(({ status }) => status).sort(), [200, ...Array(7).fill(409)]);
        assertFailure(await begin('backup'), 409);
        assert.equal((await state()).IsRunning, true);
    } finally {
        process.kill(child, 'SIGCONT');
    }
    assert.ok((await ended()).HasSucceeded);
});

test('a folder that is gone fails the backup, with a line, and the next one works', async () => {
    rmSync(folder, { recursive: true });
    assert.equal((await begin('backup')).status, 200);
    const { HasSucceeded, Lines } = await ended();
    assert.equal(HasSucceeded, false);
    assert.match(Lines.join('\n'), /No such file or directory/);
    mkdirSync(folder);
    assert.equal((await begin('backup')).status, 200);
    assert.ok((await ended()).HasSucceeded);
});

const isOfBackups = (at) => server.args[at]?.startsWith('--backup-');

test('rosterd backup without a file takes the folder of backup-dir', async () => {
    const file = join(temporaryFolder(), 'roster.conf');
    writeFileSync(file, `backup-dir = ${folder}\nbackup-keep = 1\n`);
    const others = server.args.filter((_, at) => !isOfBackups(at) && !isOfBackups(at - 1));
    const before = made();
    const { code, stdout, stderr } = await run(['backup', '--config', file, ...others]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(made(), [stdout.trim().slice(folder.length + 1)]);
    assert.ok(!before.includes(made()[0]), 'a new one');
});

test('who is no unrestricted administrator is refused, and without backup-dir nothing starts', async () => {
    const demo = await Server.start();
    const admin = await demo.admin();
    assert.equal((await demo.call('GET', path, { token: admin })).json.BackupFolder, null);
    assertFailure(await demo.call('POST', `${path}/backup`, { token: admin }), 404);
    const manager = await demo.token('manager@example.com', 'demo-password');
    for (const [method, at] of [
        ['GET', path],
        ['POST', `${path}/backup`],
        ['POST', `${path}/check`],
    ]) {
        assertFailure(await demo.call(method, at, { token: manager }), 403);
        assertFailure(await demo.call(method, at), 401);
    }
});

test('a helper that has ended is told, and the server serves on', async () => {
    const child = helper(server);
    process.kill(child, 'SIGSTOP');
    assert.equal((await begin('check')).status, 200);
    process.kill(child, 'SIGKILL');
    assert.equal((await ended()).HasSucceeded, false);
    assertFailure(await begin('check'), 503);
});

test('the helper ends with the server, and with a server that is killed', async () => {
    const other = await Server.start(['--backup-dir', folder]);
    for (const signal of ['SIGTERM', 'SIGKILL']) {
        const child = helper(other);
        assert.ok(!hasEnded(child));
        await other.restart(signal);
        await until('the end of the helper', () => hasEnded(child));
    }
});

test('a start refuses a folder that is not there or cannot be written', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const [name, says] of [
        [join(folder, 'none'), 'No such file or directory'],
        [file, 'Not a directory'],
    ]) {
        const { code, stderr } = await run(['--backup-dir', name, '--data', temporaryFolder()]);
        assert.equal(code, 73);
        assert.match(stderr, new RegExp(`^rosterd: --backup-dir .*: ${says}; name a folder.*\n$`));
    }
});
