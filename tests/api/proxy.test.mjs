// Behind nginx as dist/nginx.conf has it: clients are served, and nobody's request becomes two.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import net from 'node:net';
import tls from 'node:tls';
import { refused, understood } from './framing.mjs';
import { Server, adminEmail, password, temporaryFolder, userId } from './harness.mjs';

const server = await Server.start(['--demo', '--metrics', '--no-basic']);
const folder = temporaryFolder();

const freePort = () => new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
        const { port } = probe.address();
        probe.close(() => resolve(port));
    });
});

// The file as it is, with ports and certificates of this test, and as few connections to rosterd as
// there can be, so that whatever stays behind on one is met by the next request.
async function start() {
    const port = await freePort();
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
        '-subj', '/CN=users.example.com', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')], { stdio: 'ignore' });
    const site = readFileSync(new URL('../../dist/nginx.conf', import.meta.url), 'utf8');
    const changes = [['listen 443 ssl', `listen 127.0.0.1:${port} ssl`], ['server 127.0.0.1:8080', `server ${server.host}:${server.port}`],
        ['keepalive 32', 'keepalive 1'], ['/etc/ssl/certs/users.example.com.pem', join(folder, 'cert.pem')],
        ['/etc/ssl/private/users.example.com.key', join(folder, 'key.pem')], ['rate=60r/m', 'rate=6000r/m']];
    for (const [from] of changes)
        assert.ok(site.includes(from), from);
    writeFileSync(join(folder, 'site.conf'), changes.reduce((text, [from, to]) => text.replace(from, to), site));
    mkdirSync(join(folder, 'temp'));
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`).join(' ');
    writeFileSync(join(folder, 'nginx.conf'), `daemon off; ${process.getuid() ? '' : 'user root; '}worker_processes 1; pid ${join(folder, 'pid')}; error_log stderr error;
        events {} http { log_format sent '$upstream_status'; access_log ${join(folder, 'access')} sent; ${temp} include ${join(folder, 'site.conf')}; }\n`);
    const nginx = spawn('/usr/sbin/nginx', ['-e', 'stderr', '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    nginx.stderr.on('data', (bytes) => { said += bytes; });
    const ended = new Promise((resolve) => { nginx.on('close', resolve); });
    after(async () => { nginx.kill('SIGTERM'); await ended; });
    for (let tries = 0; ; tries++) {
        const open = await new Promise((resolve) => {
            const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); }).on('error', () => resolve(false));
        });
        if (open)
            return port;
        assert.ok(tries < 200 && nginx.exitCode === null, `nginx does not listen: ${said}`);
        await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
}
const port = await start();

// Sends bytes through nginx and gives what comes until it closes.
function send(bytes, wait = 1000) {
    return new Promise((resolve) => {
        const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'users.example.com' });
        let answer = '';
        const timer = setTimeout(() => socket.destroy(), wait);
        socket.on('data', (part) => { answer += part.toString('latin1'); });
        socket.on('error', () => {});
        socket.on('close', () => { clearTimeout(timer); resolve(answer); });
        socket.on('secureConnect', () => socket.write(Buffer.from(bytes, 'latin1')));
    });
}
const request = (method, path, { token, body = '' } = {}) => [`${method} ${path} HTTP/1.1`, 'Host: users.example.com', 'Connection: close',
    ...(token ? [`Authorization: Bearer ${token}`] : []), ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : []), '', body].join('\r\n');
const statusOf = (answer) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
const bodyOf = (answer) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));

// What rosterd answered, by its own count, without what this asks itself.
async function answered() {
    const { text } = await server.call('GET', '/metrics');
    return [...text.matchAll(/^roster_http_requests_total\{.*?\} (\d+)$/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
}
// What nginx passed on, by its log.
const passedOn = () => readFileSync(join(folder, 'access'), 'utf8').split('\n').filter((line) => /^\d/.test(line)).length;

test('a client is served through nginx: a token, an update, the record', async () => {
    const granted = await send(request('POST', '/api/token', { body: `grant_type=password&username=${adminEmail}&password=${password}` }));
    assert.equal(statusOf(granted), 200, granted);
    const token = bodyOf(granted).access_token;
    const body = JSON.stringify({ Id: userId, FullName: 'Ada Lovelace', Email: 'ada@example.com', Language: 1, PasswordSalt: '',
        LastHelpVisited: 0, InvalidLoginAttempts: 0 });
    assert.equal(bodyOf(await send(request('PUT', '/api/sys/users', { token, body }))).WasSuccessful, true);
    assert.equal(bodyOf(await send(request('GET', `/api/sys/users/${userId}`, { token }))).FullName, 'Ada Lovelace');
    assert.equal(statusOf(await send(request('PUT', '/api/sys/users', { token, body: 'x'.repeat(1024 * 1024 + 1) }))), 413);
});

test('whatever comes to nginx, rosterd answers no more requests than nginx passed on, and the next client gets its own answer', async () => {
    const smuggled = 'GET /api/sys/users/1?smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const inside = {
        'a request in a body with Content-Length': request('POST', '/api/token', { body: smuggled }),
        'Content-Length that ends before it, with chunked': `POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
        'chunked that ends before it, with Content-Length': `POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
        'a request in a header after NUL': `GET /healthz HTTP/1.1\r\nHost: x\r\nX: \0${smuggled}\r\n`,
        'a request after a bare LF in a header': `GET /healthz HTTP/1.1\nHost: x\nX: y\n\n${smuggled}`,
        'a request in a path': `GET /healthz%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0a${encodeURIComponent(smuggled)} HTTP/1.1\r\nHost: x\r\n\r\n`,
        'a request in Host': `GET /healthz HTTP/1.1\r\nHost: x%0d%0a%0d%0a${encodeURIComponent(smuggled)}\r\n\r\n`,
        'a request in a trailer': `POST /api/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ${smuggled}\r\n`,
        'Expect with a request in its body': `POST /api/token HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
        'a GET with a request in its body': `GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    };
    const all = [...Object.entries(inside), ...Object.entries(refused), ...Object.entries(understood).map(([name, [bytes]]) => [name, bytes])];
    let before = await answered(), passedBefore = passedOn();
    for (const [name, bytes] of all) {
        await send(bytes + smuggled, 150);
        const next = await send(request('GET', '/healthz?next'));
        assert.deepEqual([statusOf(next), bodyOf(next)], [200, { status: 'ok' }], `${name}: ${next}`);
        const now = await answered(), passed = passedOn();
        // What rosterd's HTTP library refuses by itself is not counted.
        assert.ok(now - before - 1 <= passed - passedBefore, `${name}: ${now - before - 1} of ${passed - passedBefore}`);
        [before, passedBefore] = [now, passed];
    }
});
