// `rosterd health` ends with 0 if the server that its settings name can take requests, and otherwise with 1 and one line.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { makeCertificate } from '../lib/tls.mjs';

const [unhealthy, usage] = [1, 64];
const folder = temporaryFolder(),
    file = join(folder, 'roster.sock');
const certificate = await makeCertificate(folder, 'public', ['users.example.com']);
const plain = await Server.start();
const sealed = await Server.start(certificate.options);
const behind = await Server.start(['--proxy-protocol', '127.0.0.1']);
const local = await Server.start(['--listen', `unix:${file}`]);

async function assertHealthy(args, env) {
    assert.deepEqual(await run(['health', ...args], env), { code: 0, stdout: '', stderr: '' });
}
async function assertRefused(code, says, args) {
    const result = await run(['health', ...args]);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, says);
    assert.equal(result.stderr.trimEnd().split('\n').length, 1, result.stderr);
}
const at = (server) => ['--listen', `${server.host}:${server.port}`];

test('a server that can take requests is healthy: TCP, TLS, a UNIX socket, a PROXY header', async () => {
    await assertHealthy(at(plain));
    await assertHealthy([], { ROSTER_LISTEN: `${plain.host}:${plain.port},127.0.0.1:1` });
    await assertHealthy([...at(sealed), ...certificate.options]);
    await assertHealthy(['--listen', `unix:${file}`, ...certificate.options]);
    await assertHealthy([...at(behind), '--proxy-protocol', '127.0.0.1']);
    await assertHealthy([...at(plain), '--proxy-protocol', '10.0.0.0/8']); // of others
    assert.ok(local.urls.length);
});

test('it asks at an address that stands for all, at a name, and without a proxy of the environment', async () => {
    await assertHealthy(['--listen', `localhost:${plain.port}`]);
    await assertHealthy(at(plain), {
        http_proxy: 'http://127.0.0.1:9',
        ALL_PROXY: 'http://127.0.0.1:9',
    });
    const all = await Server.start(['--listen', '0.0.0.0:0']);
    await assertHealthy(['--listen', `0.0.0.0:${all.port}`]);
    const hasSix = Object.values(networkInterfaces())
        .flat()
        .some(({ address }) => address === '::1');
    if (!hasSix) return;
    const six = await Server.start(['--listen', '[::]:0']);
    await assertHealthy(['--listen', `[::]:${six.port}`]);
});

test('a server that is not there, that is not ready, or that is another one is not', async () => {
    await assertRefused(unhealthy, /^rosterd: health: 127\.0\.0\.1:1: .*connect/i, [
        '--listen',
        '127.0.0.1:1',
    ]);
    await assertRefused(unhealthy, /nobody\.sock: /, [
        '--listen',
        `unix:${join(folder, 'nobody.sock')}`,
    ]);
    await assertRefused(unhealthy, /^rosterd: health: .*: replied 400$/m, at(sealed));
    const busy = createServer((asked, reply) => {
        reply.statusCode = asked.url === '/readyz' ? 503 : 200;
        reply.end();
    });
    await new Promise((resolve) => {
        busy.listen(0, '127.0.0.1', resolve);
    });
    after(() => busy.close());
    await assertRefused(unhealthy, /: replied 503$/m, [
        '--listen',
        `127.0.0.1:${busy.address().port}`,
    ]);
});

test('without an address to ask it says what to set', async () => {
    for (const listen of ['', '127.0.0.1:0'])
        await assertRefused(usage, /^rosterd: health: --listen must name/, ['--listen', listen]);
});
