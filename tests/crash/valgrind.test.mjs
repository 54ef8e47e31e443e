// Start, sign in, update, read, picture, refusals, connections of all kinds, stop: under valgrind, without an
// error or a leak.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { userId } from '../lib/ids.mjs';
import { assertInvalid } from '../lib/replies.mjs';
import { binary, Server } from '../lib/server.mjs';

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
    };
}

class UnderValgrind extends Server {
    program = 'valgrind';

    spawn() {
        this.log = join(this.folder, 'valgrind.log');
        this.args = [
            '--quiet',
            '--leak-check=full',
            '--show-leak-kinds=definite,indirect,possible',
            '--errors-for-leak-kinds=all',
            '--error-exitcode=99',
            `--log-file=${this.log}`,
            binary,
            ...this.args,
        ];
        return super.spawn();
    }
}

test('start, update and stop leak nothing and read nothing wrong', async () => {
    const server = await UnderValgrind.start(['--demo', '--no-seccomp']);
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
    await Promise.all(
        Object.entries(connections(await server.admin())).map(
            async ([name, [bytes, statuses, end]]) => {
                const answer = await server.raw(bytes, { end });
                assert.deepEqual(
                    [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((found) => Number(found[1])),
                    statuses,
                    `${name}: ${answer}`,
                );
            },
        ),
    );
    server.child.kill('SIGTERM');
    const { code } = await server.ended;
    assert.equal(code, 0, readFileSync(server.log, 'utf8'));
});
