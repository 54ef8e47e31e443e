// The proxies of dist/, each as its file there has it, before a server of a test, and clients that send bytes through them.
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { until } from './wait.mjs';

export const host = 'users.example.com';

const freePort = () =>
    new Promise((resolve) => {
        const probe = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = probe.address();
            probe.close(() => resolve(port));
        });
    });

function makeCertificate(folder) {
    const [cert, key, both] = ['cert.pem', 'key.pem', 'both.pem'].map((name) => join(folder, name));
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync(
        'openssl',
        [...made, '-days', '2', '-subj', `/CN=${host}`, '-keyout', key, '-out', cert],
        { stdio: 'ignore' },
    );
    writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
    return { cert, key, both };
}

const isRoot = process.getuid() === 0;
const files = ({ cert, key }) => [
    [`/etc/ssl/certs/${host}.pem`, cert],
    [`/etc/ssl/private/${host}.key`, key],
];

// For each proxy: its file in dist/, what a test changes in it (addresses, certificates, logs), the configuration around it, the
// command, and whether a line of its access log is of a request that it passed on. Each has as few connections to rosterd as there
// can be, so that whatever stays behind on one is met by the next request.
const kinds = {
    nginx: {
        file: 'nginx.conf',
        changes: (own) => [
            ['listen 443 ssl', `listen 127.0.0.1:${own.port} ssl`],
            ['server 127.0.0.1:8080', `server ${own.to}`],
            ['keepalive 32', 'keepalive 1'],
            ['/var/log/nginx/roster.log', own.access],
            ['/var/log/nginx/roster-error.log', own.errors],
            ...files(own),
        ],
        around: (site, { folder }) => {
            const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
                (kind) => `${kind}_temp_path ${join(folder, kind)};`,
            );
            return `daemon off; ${isRoot ? 'user root; ' : ''}worker_processes 1; pid ${join(folder, 'pid')};
                error_log stderr crit; events {} http { ${places.join(' ')} include ${site}; }\n`;
        },
        command: (main) => ['/usr/sbin/nginx', '-e', 'stderr', '-c', main],
        isPassedOn: (upstream) => /^\d/.test(upstream),
    },
    haproxy: {
        file: 'haproxy.cfg',
        changes: (own) => [
            ['bind :443', `bind 127.0.0.1:${own.port}`],
            ['/etc/haproxy/users.example.com.pem', own.both],
            ['127.0.0.1:8080', own.to],
        ],
        around: (site) =>
            `global\n  log stdout format raw local0\n  nbthread 1\n  maxconn 1000\n\n${readFileSync(site, 'utf8')}`,
        command: (main) => ['/usr/sbin/haproxy', '-db', '-f', main],
        isPassedOn: (name) => name === 'roster',
    },
    caddy: {
        file: 'Caddyfile',
        changes: (own) => [
            [`\n${host} {`, `\n:${own.port} {\n\tbind 127.0.0.1\n\ttls ${own.cert} ${own.key}`],
            ['\tlog {', `\tlog {\n\t\toutput file ${own.access}`],
            ['127.0.0.1:8080', own.to],
        ],
        around: (site) =>
            `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${readFileSync(site, 'utf8')}`,
        command: (main) => ['/usr/bin/caddy', 'run', '--adapter', 'caddyfile', '--config', main],
        // Go refuses what it cannot read before it is logged.
        parse: (line) => JSON.parse(line).request.uri,
    },
    apache: {
        file: 'apache.conf',
        changes: (own) => [
            ['*:443', `127.0.0.1:${own.port}`],
            ['http://127.0.0.1:8080/', `http://${own.to}/`],
            ['/var/log/apache2/roster.log', own.access],
            ...files(own),
        ],
        around: (site, { folder, port, errors }) =>
            [
                ...'mpm_event authz_core authz_host ssl http2 proxy proxy_http headers socache_shmcb'
                    .split(' ')
                    .map(
                        (name) =>
                            `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
                    ),
                ...(isRoot ? ['User www-data', 'Group www-data'] : []),
                `ServerRoot ${folder}`,
                `DefaultRuntimeDir ${folder}`,
                `PidFile ${join(folder, 'pid')}`,
                `ErrorLog ${errors}`,
                `ServerName ${host}`,
                'StartServers 1\nServerLimit 1\nThreadsPerChild 32\nMaxRequestWorkers 32',
                `Listen 127.0.0.1:${port}`,
                `Include ${site}`,
                '',
            ].join('\n'),
        command: (main) => ['/usr/sbin/apache2', '-D', 'FOREGROUND', '-f', main],
        isPassedOn: (handler) => /^proxy-server|^proxy:/.test(handler),
    },
};
export const names = Object.keys(kinds);

// The text of dist/, with the changes, each of which must find its place.
function adapted(kind, own) {
    const site = readFileSync(new URL(`../../dist/${kind.file}`, import.meta.url), 'utf8');
    return kind.changes(own).reduce((text, [from, to]) => {
        assert.ok(text.includes(from), `${kind.file}: ${from}`);
        return text.replaceAll(from, to);
    }, site);
}

// The part of a site that rosterd on three machines has a file of its own for.
const ofMachines = {
    nginx: { file: 'nginx-machines.conf', part: /^upstream roster \{[^}]*\}\n/m, check: '-t' },
    haproxy: { file: 'haproxy-machines.cfg', part: /^backend roster\n[^]*/m, check: '-c' },
};

// Has a proxy read its site for three machines. Gives what it says, once it is content.
export async function checkSiteOfMachines(name, parent) {
    const kind = kinds[name],
        { file, part, check } = ofMachines[name],
        folder = mkdtempSync(join(parent, `${name}-machines-`)),
        read = (one) => readFileSync(new URL(`../../dist/${one}`, import.meta.url), 'utf8');
    const own = { ...makeCertificate(folder), folder, port: await freePort() };
    Object.assign(own, { access: join(folder, 'access'), errors: join(folder, 'errors') });
    const [site, main] = ['site', 'main'].map((one) => join(folder, one)),
        whole = read(kind.file);
    assert.match(whole, part, kind.file);
    const text = whole.replace(part, () => read(file));
    const changed = kind.changes(own).reduce((old, [from, to]) => old.replaceAll(from, to), text);
    writeFileSync(site, changed);
    writeFileSync(main, kind.around(site, own));
    const [program, ...args] = kind.command(main);
    const { status, stdout, stderr } = spawnSync(program, [...args, check], { encoding: 'utf8' });
    assert.equal(status, 0, `${name}: ${stdout}${stderr}`);
    for (const n of [1, 2, 3]) assert.ok(changed.includes(`10.0.0.1${n}:8080`), `${file}: ${n}`);
    return stdout + stderr;
}

// HAProxy before several rosterd, by the backend that dist/ has for three machines. Its reply names the one that made it
// (X-Served-By), and `states` says what HAProxy thinks of each.
export async function startBalancer(servers, parent) {
    const folder = mkdtempSync(join(parent, 'balancer-')),
        [port, figures] = [await freePort(), await freePort()];
    const backend = readFileSync(
        new URL(`../../dist/${ofMachines.haproxy.file}`, import.meta.url),
        'utf8',
    ).replace(/( {4}server machine\d .*\n)+/, () =>
        servers.map(({ host: at, port: of }, i) => `    server s${i} ${at}:${of}\n`).join(''),
    );
    const site = `defaults
    mode http
    timeout client 600s
    timeout http-request 600s
frontend roster
    bind 127.0.0.1:${port}
    http-response set-header X-Served-By %s
    default_backend roster
listen figures
    bind 127.0.0.1:${figures}
    stats enable
    stats uri /
`;
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, site + backend);
    const child = spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'ignore' });
    const ended = once(child, 'close');
    after(async () => {
        child.kill('SIGTERM');
        await ended;
    });
    const states = async () => {
        const table = await (await fetch(`http://127.0.0.1:${figures}/;csv`)).text();
        return [...table.matchAll(/^roster,s\d.*$/gm)].map(([row]) => row.split(',')[17]);
    };
    await until(
        'HAProxy has found all',
        async () => {
            assert.equal(child.exitCode, null, 'HAProxy ended');
            return (await listens(figures)) && (await states()).every((state) => state === 'UP');
        },
        { pause: 50 },
    );
    return { url: `http://127.0.0.1:${port}`, states };
}

const listens = (port) =>
    new Promise((resolve) => {
        const socket = net
            .connect(port, '127.0.0.1', () => {
                socket.destroy();
                resolve(true);
            })
            .on('error', () => resolve(false));
    });

const read = (file) => {
    try {
        return readFileSync(file, 'utf8');
    } catch {
        return ''; // not written yet
    }
};

// Starts a proxy before the server; it ends with the test file. `port` is its own, `cert` its certificate, `said` all that it wrote
// to logs, and `passedOn` the paths of the requests that it passed on, in the order of its log.
export async function startProxy(name, server, parent) {
    const kind = kinds[name],
        folder = mkdtempSync(join(parent, `${name}-`)),
        port = await freePort();
    const own = {
        ...makeCertificate(folder),
        folder,
        port,
        to: `${server.host}:${server.port}`,
        access: join(folder, 'access'),
        errors: join(folder, 'errors'),
    };
    const [site, main] = ['site', 'main'].map((part) => join(folder, part));
    writeFileSync(site, adapted(kind, own));
    writeFileSync(main, kind.around(site, own));
    mkdirSync(join(folder, 'home'));
    const [program, ...args] = kind.command(main);
    const child = spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH, HOME: join(folder, 'home') },
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
        stream.on('data', (bytes) => {
            printed += bytes;
        });
    const ended = new Promise((resolve) => {
        child.on('close', resolve);
    });
    after(async () => {
        child.kill('SIGTERM');
        await ended;
    });
    const said = () => read(own.access) + read(own.errors) + printed;
    await until(
        () => `${name} listens: ${said()}`,
        () => {
            assert.equal(child.exitCode, null, `${name} ended: ${said()}`);
            return listens(port);
        },
        { pause: 50 },
    );
    const parse =
        kind.parse ??
        ((line) => {
            const [, path, upstream] = /"\S+ (.*)" \d+ .*passed=(.*)$/.exec(line) ?? [];
            return upstream !== undefined && kind.isPassedOn(upstream) ? path : undefined;
        });
    const paths = [];
    let lines = 0; // of the log that have been read
    const passedOn = () => {
        const whole = (read(own.access) || printed).split('\n').slice(0, -1);
        for (; lines < whole.length; lines++) {
            const path = parse(whole[lines]);
            if (path !== undefined) paths.push(path);
        }
        return paths;
    };
    return { name, port, cert: own.cert, said, passedOn };
}

// ---- Clients ----

// Each time a client at an address of its own, which is neither limited yet nor allowed anything.
let clients = 0;
export const stranger = () => `127.${++clients >> 8}.${clients & 255}.2`;

// Sends bytes through a proxy and gives what comes until it closes, or `isWhole` says that it is all.
export function send(
    { port },
    bytes,
    { wait = 30000, from = stranger(), protocol = 'http/1.1', isWhole = () => false } = {},
) {
    return new Promise((resolve) => {
        const socket = tls.connect({
            port,
            host: '127.0.0.1',
            localAddress: from,
            ALPNProtocols: [protocol],
            rejectUnauthorized: false,
            servername: host,
        });
        let answer = '';
        const timer = setTimeout(() => socket.destroy(), wait);
        socket.on('data', (part) => {
            answer += part.toString('latin1');
            if (isWhole(answer)) socket.destroy();
        });
        socket.on('error', () => {});
        socket.on('close', () => {
            clearTimeout(timer);
            resolve(answer);
        });
        socket.on('secureConnect', () => socket.write(Buffer.from(bytes, 'latin1')));
    });
}

export const request = (method, path, { token, body = '', lines = [] } = {}) =>
    [
        `${method} ${path} HTTP/1.1`,
        `Host: ${host}`,
        'Connection: close',
        ...lines,
        ...(token ? [`Authorization: Bearer ${token}`] : []),
        ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : []),
        '',
        body,
    ].join('\r\n');
export const statusOf = (answer) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
// With Content-Length, or in one chunk.
export function bodyOf(answer) {
    const [head, rest] = [
        answer.slice(0, answer.indexOf('\r\n\r\n')),
        answer.slice(answer.indexOf('\r\n\r\n') + 4),
    ];
    if (!/^transfer-encoding: chunked$/im.test(head)) return rest;
    return rest.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/gi, '').replace(/\r\n$/, '');
}

// As rosterd finds the route: whatever the case, with a slash at the end, with a query, as a whole address.
export const spellings = (path) => [
    path,
    `${path}/`,
    path.toUpperCase(),
    `${path.toUpperCase()}/`,
    path.replace(/[a-z](?=[^/]*$)/, (letter) => letter.toUpperCase()),
    `${path}?x`,
    `${path}/?x=/`,
    `http://${host}${path}/`,
];

// ---- Smuggled requests ----

export const smuggled = 'GET /api/sys/users/1?smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
// A spelling of /healthz that no attempt uses.
const marker = '/HealthZ/';

// The requests that rosterd answered, by its own count, without those of this function.
let asked = 0;
async function answered(server) {
    const { text } = await server.call('GET', '/metrics');
    return (
        [...text.matchAll(/^roster_http_requests_total\{.*?\} (\d+)$/gm)].reduce(
            (sum, match) => sum + Number(match[1]),
            0,
        ) - asked++
    );
}

// After the attempts rosterd has answered no more requests than the proxy passed on, and after each the next client gets its own
// answer. `attempt` makes each. `judge`, if it is given, gets what came of it and how many requests the proxy passed on; the sums
// are then compared after each attempt, otherwise after some of them, since that takes longer than an attempt.
export async function assertNothingSmuggled(server, proxy, attempts, attempt, judge) {
    const marked = () => proxy.passedOn().filter((path) => path === marker).length;
    const before = await answered(server),
        passedBefore = proxy.passedOn().length,
        each = judge ? 1 : 40;
    let passedLast = passedBefore,
        nexts = marked();
    for (const [number, [name, value]] of attempts.entries()) {
        const outcome = await attempt(value);
        const next = await send(proxy, request('GET', marker));
        assert.deepEqual(
            [statusOf(next), bodyOf(next)],
            [200, '{"status":"ok"}'],
            `${name}: ${next}`,
        );
        nexts++;
        if ((number + 1) % each && number + 1 < attempts.length) continue;
        // The proxy may write its line after the client has the reply.
        await until(
            () => `${name}: ${proxy.name} logs ${nexts} of ${marker}`,
            () => marked() >= nexts,
        );
        const passed = proxy.passedOn().length;
        // rosterd counts a request after the client has the reply, so only the sums so far are
        // compared. Refusals by the HTTP layer itself are not counted.
        const sum = await answered(server);
        assert.ok(
            sum - before <= passed - passedBefore,
            `${sum - before} of ${passed - passedBefore}: ${name}, or one of the ${each - 1} before`,
        );
        judge?.(name, value, outcome, passed - passedLast - 1);
        passedLast = passed;
    }
}
