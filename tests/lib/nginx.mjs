// nginx as dist/nginx.conf has it, before a server of a test.
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { until } from './wait.mjs';

const freePort = () =>
    new Promise((resolve) => {
        const probe = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });

// The port of an nginx before the server, which ends with the test file. The site is dist/nginx.conf with ports and
// certificates of its own in `folder`, and as few connections to rosterd as there can be, so that whatever stays
// behind on one is met by the next request.
export async function startNginx(server, folder) {
    const port = await freePort();
    execFileSync(
        'openssl',
        [
            'req',
            '-x509',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:P-256',
            '-nodes',
            '-days',
            '2',
            '-subj',
            '/CN=users.example.com',
            '-keyout',
            join(folder, 'key.pem'),
            '-out',
            join(folder, 'cert.pem'),
        ],
        { stdio: 'ignore' },
    );
    const site = readFileSync(new URL('../../dist/nginx.conf', import.meta.url), 'utf8');
    const changes = [
        ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
        ['server 127.0.0.1:8080', `server ${server.host}:${server.port}`],
        ['keepalive 32', 'keepalive 1'],
        ['/etc/ssl/certs/users.example.com.pem', join(folder, 'cert.pem')],
        ['/etc/ssl/private/users.example.com.key', join(folder, 'key.pem')],
    ];
    for (const [from] of changes) assert.ok(site.includes(from), from);
    writeFileSync(
        join(folder, 'site.conf'),
        changes.reduce((text, [from, to]) => text.replace(from, to), site),
    );
    mkdirSync(join(folder, 'temp'));
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`)
        .join(' ');
    writeFileSync(
        join(folder, 'nginx.conf'),
        `daemon off; ${process.getuid() ? '' : 'user root; '}worker_processes 1; pid ${join(folder, 'pid')}; error_log stderr error;
        events {} http { log_format sent '$upstream_status $request_uri'; access_log ${join(folder, 'access')} sent; ${temp} include ${join(folder, 'site.conf')}; }\n`,
    );
    const nginx = spawn('/usr/sbin/nginx', ['-e', 'stderr', '-c', join(folder, 'nginx.conf')], {
        stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    nginx.stderr.on('data', (bytes) => {
        said += bytes;
    });
    const ended = new Promise((resolve) => {
        nginx.on('close', resolve);
    });
    after(async () => {
        nginx.kill('SIGTERM');
        await ended;
    });
    await until(
        () => `nginx listens: ${said}`,
        () => {
            assert.equal(nginx.exitCode, null, `nginx ended: ${said}`);
            return new Promise((resolve) => {
                const socket = net
                    .connect(port, '127.0.0.1', () => {
                        socket.destroy();
                        resolve(true);
                    })
                    .on('error', () => resolve(false));
            });
        },
        { pause: 50 },
    );
    return port;
}
