// Start, sign in, update, read, picture, refusals, connections of all kinds, stop: under valgrind, without an
// error or a leak.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import { assertInvalid } from '../lib/replies.mjs';
import { binary, Server, temporaryFolder } from '../lib/server.mjs';

// Courses of a connection: bytes, the statuses of the replies, and whether the client closes its
// side then.
function connections(token) {
    const head = (method, path, headers = '') =>
        `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
    const signed = `Authorization: Bearer ${token}\r\n`;
    const get = head('GET', `/api/sys/users/${userId}`, signed);
    const last = head('GET', '/healthz', 'Connection: close\r\n');
    const chunked = `${signed}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n`;
    return {
        pipelined: [get + head('HEAD', '/healthz') + get + last, [200, 200, 200, 200]],
        chunked: [
            head('PUT', '/api/sys/users', chunked) + '2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n' + last,
            [400, 200],
        ],
        'chunked badly': [
            head('PUT', '/api/sys/users', chunked) + '2\r\n{}X0\r\n\r\n' + last,
            [400],
        ],
        'refused before the body': [
            head('PUT', '/api/sys/users', 'Content-Length: 2\r\n') + '{}' + last,
            [401, 200],
        ],
        'refused before it is sent': [
            head('PUT', '/api/sys/users', 'Content-Length: 2\r\nExpect: 100-continue\r\n'),
            [401],
        ],
        'too large': [
            head('PUT', '/api/sys/users', `${signed}Content-Length: 99999999\r\n`) + '{',
            [413],
        ],
        'awaited, and it ends': [
            head('PUT', '/api/sys/users', `${signed}Content-Length: 2\r\nExpect: 100-continue\r\n`),
            [100, 400],
            true,
        ],
        'a head that is too large': [head('GET', '/', `X: ${'x'.repeat(20000)}\r\n`), [431]],
        'an absolute target': [head('GET', 'http://y/healthz', 'Connection: close\r\n'), [200]],
        'HTTP/1.0': ['GET /healthz HTTP/1.0\r\n\r\n', [200]],
        'no HTTP': ['hello\r\n', [400]],
        'a part of a head, and it ends': ['GET / HT', [400], true],
        'a part of a head': ['GET / HT', [408]],
    };
}

test(
    'start, update and stop leak nothing and read nothing wrong',
    { timeout: 240000 },
    async () => {
        const server = new Server();
        const folder = temporaryFolder();
        const arguments_ = [
            '--quiet',
            '--leak-check=full',
            '--show-leak-kinds=definite,indirect,possible',
            '--errors-for-leak-kinds=all',
            '--error-exitcode=99',
            `--log-file=${join(folder, 'valgrind.log')}`,
            binary,
            '--demo',
            '--no-seccomp',
            '--listen',
            '127.0.0.1:0',
            '--data',
            join(folder, 'data'),
        ];
        server.child = spawn('valgrind', arguments_);
        server.stderr = '';
        server.child.stderr.on('data', (bytes) => {
            server.stderr += bytes;
        });
        server.ended = new Promise((resolve) => {
            server.child.on('close', (code) => resolve({ code }));
        });
        server.url = await new Promise((resolve, reject) => {
            let said = '';
            server.child.stdout.on('data', (bytes) => {
                said += bytes;
                const ready = /listening on (http:\S+)/.exec(said);
                if (ready) resolve(ready[1]);
            });
            server.ended.then(({ code }) =>
                reject(new Error(`ended with ${code}: ${server.stderr}`)),
            );
        });
        for (let i = 0; i < 10; i++)
            assert.equal(
                (
                    await server.update(userId, {
                        FullName: `Name ${i}`,
                        Businesses: [301, 302],
                        AccessToken: 'secret',
                    })
                ).status,
                200,
            );
        assertInvalid(await server.put({}), 'FullName', /required/);
        assertInvalid(await server.put('{"a'), 'Body', /JSON/);
        assertInvalid(
            await server.update(userId, { NewAvatarUrl: 'http://127.0.0.1/' }),
            'NewAvatarUrl',
            /public/,
        );
        assert.equal((await server.update(userId, { NewPassword: 'under-valgrind' })).status, 200);
        ({ hostname: server.host, port: server.port } = new URL(server.url));
        await Promise.all(
            Object.entries(connections(await server.admin())).map(
                async ([name, [bytes, statuses, end]]) => {
                    const answer = await server.raw(bytes, { wait: 120000, end });
                    assert.deepEqual(
                        [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((found) =>
                            Number(found[1]),
                        ),
                        statuses,
                        `${name}: ${answer}`,
                    );
                },
            ),
        );
        server.child.kill('SIGTERM');
        const { code } = await server.ended;
        const { readFileSync } = await import('node:fs');
        assert.equal(code, 0, readFileSync(join(folder, 'valgrind.log'), 'utf8'));
    },
);
