// Start, sign in, update, read, picture, refusal, stop: under valgrind, without an error or a leak.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Server, assertInvalid, binary, temporaryFolder, userId } from '../api/harness.mjs';

test('start, update and stop leak nothing and read nothing wrong', { timeout: 240000 }, async () => {
    const server = new Server();
    const folder = temporaryFolder();
    const arguments_ = ['--quiet', '--leak-check=full', '--show-leak-kinds=definite,indirect,possible', '--errors-for-leak-kinds=all',
        '--error-exitcode=99', `--log-file=${join(folder, 'valgrind.log')}`, binary, '--demo', '--no-sandbox', '--listen', '127.0.0.1:0', '--data', join(folder, 'data')];
    server.child = spawn('valgrind', arguments_);
    server.stderr = '';
    server.child.stderr.on('data', (bytes) => { server.stderr += bytes; });
    server.ended = new Promise((resolve) => { server.child.on('close', (code) => resolve({ code })); });
    server.url = await new Promise((resolve, reject) => {
        let said = '';
        server.child.stdout.on('data', (bytes) => {
            said += bytes;
            const ready = /listening on (http:\S+)/.exec(said);
            if (ready)
                resolve(ready[1]);
        });
        server.ended.then(({ code }) => reject(new Error(`ended with ${code}: ${server.stderr}`)));
    });
    for (let i = 0; i < 10; i++)
        assert.equal((await server.update(userId, { FullName: `Name ${i}`, Businesses: [301, 302], AccessToken: 'secret' })).status, 200);
    assertInvalid(await server.put({}), 'FullName', /required/);
    assertInvalid(await server.put('{"a'), 'Body', /JSON/);
    assertInvalid(await server.update(userId, { NewAvatarUrl: 'http://127.0.0.1/' }), 'NewAvatarUrl', /public/);
    assert.equal((await server.update(userId, { NewPassword: 'under-valgrind' })).status, 200);
    server.child.kill('SIGTERM');
    const { code } = await server.ended;
    const { readFileSync } = await import('node:fs');
    assert.equal(code, 0, readFileSync(join(folder, 'valgrind.log'), 'utf8'));
});
