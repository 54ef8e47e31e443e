// Clients that others wrote: curl, Python's requests, a browser; by every way in that they know.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Page } from '../lib/browser.mjs';
import { TlsServer, makeCertificate } from '../lib/tls.mjs';
import { userId } from '../lib/ids.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';

const run = promisify(execFile),
    folder = temporaryFolder(),
    own = await makeCertificate(folder, 'own'),
    socket = join(folder, 'roster.sock');
const [clear, sealed, proxied] = await Promise.all([
    Server.start(['--listen', '127.0.0.1:0', '--listen', `unix:${socket}`]),
    TlsServer.start(own, ['--listen', '127.0.0.1:0', '--redirect-listen', '127.0.0.1:0']),
    Server.start(['--proxy-protocol', '127.0.0.1']),
]);
const secure = `https://localhost:${sealed.port}`;
const ways = {
    'HTTP/1.0': [clear.url, ['--http1.0']],
    'HTTP/1.1': [clear.url, ['--http1.1']],
    'a UNIX socket': ['http://roster', ['--unix-socket', socket]],
    'the PROXY protocol': [proxied.url, ['--haproxy-protocol']],
    'HTTPS, HTTP/1.1': [secure, ['--http1.1', '--cacert', own.cert]],
    'HTTPS, TLS 1.2': [secure, ['--http1.1', '--cacert', own.cert, '--tls-max', '1.2']],
    'HTTPS, as curl likes it': [secure, ['--cacert', own.cert]],
};

// A call by curl: the status, the version of HTTP, the body.
async function curl(...args) {
    const { stdout } = await run(
        'curl',
        [
            '-sS',
            '--max-time',
            '60',
            '-w',
            '\n%{http_code} %{http_version} %{num_connects}',
            ...args,
        ],
        { maxBuffer: 1 << 26 },
    );
    const [, body, status, version, connects] = /^([\s\S]*)\n(\d+) (\S+) (\d+)$/.exec(stdout);
    return { status: Number(status), version, connects: Number(connects), body };
}

for (const [name, [url, options]] of Object.entries(ways))
    test(`curl by ${name}: a token, a record, an update of 1 MiB, one that is too long`, async () => {
        const granted = await curl(
            ...options,
            `${url}/api/token`,
            '-d',
            `grant_type=password&username=${adminEmail}&password=${password}`,
        );
        assert.equal(granted.status, 200, granted.body);
        const token = JSON.parse(granted.body).access_token,
            authorized = [...options, '-H', `Authorization: Bearer ${token}`];
        const got = await curl(...authorized, `${url}/api/sys/users/${userId}`);
        assert.equal(got.status, 200, got.body);
        const user = JSON.stringify({ ...required(JSON.parse(got.body)), FullName: `By ${name}` }),
            file = join(folder, name.replace(/\W/g, '')),
            long = `${file}.long`;
        writeFileSync(file, user + ' '.repeat(1024 * 1024 - user.length));
        writeFileSync(long, user + ' '.repeat(5 * 1024 * 1024));
        const put = (...more) =>
            curl(
                ...authorized,
                '-X',
                'PUT',
                '-H',
                'Content-Type: application/json',
                `${url}/api/sys/users`,
                ...more,
            );
        const expects = ['-H', 'Expect: 100-continue', '--expect100-timeout', '60'],
            chunked = ['-H', 'Transfer-Encoding: chunked'];
        // HTTP/1.0 knows neither; HTTP/2 has no chunks.
        const forms = [
            [],
            ['-H', 'Expect:'],
            ...(name === 'HTTP/1.0' ? [] : [expects]),
            ...(/1\.0|likes/.test(name) ? [] : [chunked, [...chunked, ...expects]]),
        ];
        for (const more of forms) {
            const { status, body } = await put('--data-binary', `@${file}`, ...more);
            assert.equal(status, 200, `${more}: ${body}`);
            const refused = await put('--data-binary', `@${long}`, ...more);
            assert.equal(refused.status, 413, `${more}: ${refused.body}`);
            assert.equal(JSON.parse(refused.body).Status, 413);
        }
        assert.equal(
            JSON.parse((await curl(...authorized, `${url}/api/sys/users/${userId}`)).body).FullName,
            `By ${name}`,
        );
        assert.equal((await curl(...options, '-I', `${url}/healthz`)).status, 200, 'HEAD');
        const many = await run('curl', [
            '-sS',
            '--max-time',
            '60',
            ...options,
            '-w',
            '%{num_connects}\n',
            ...Array(5)
                .fill(['-o', '/dev/null', `${url}/healthz`])
                .flat(),
        ]);
        const connects = many.stdout.trim().split('\n').map(Number);
        assert.deepEqual(
            connects,
            name === 'HTTP/1.0' ? [1, 1, 1, 1, 1] : [1, 0, 0, 0, 0],
            'as many connections as the version needs',
        );
    });

test('curl follows the redirect to HTTPS, with its method and body', async () => {
    const from = `http://localhost:${new URL(sealed.urls.at(-1)).port}`;
    const followed = await curl(
        '-L',
        '--cacert',
        own.cert,
        `${from}/api/token`,
        '-d',
        `grant_type=password&username=${adminEmail}&password=${password}`,
    );
    assert.equal(followed.status, 200, followed.body);
    assert.ok(JSON.parse(followed.body).access_token);
    const large = join(folder, 'large');
    writeFileSync(large, ' '.repeat(16000)); // as much as a client without credentials may send
    assert.equal(
        (
            await curl(
                '-L',
                '--cacert',
                own.cert,
                `${from}/api/token?x=y`,
                '--data-binary',
                `@${large}`,
            )
        ).status,
        400,
    );
});

test('curl does not trust what it should not', async () => {
    await assert.rejects(curl(`${secure}/healthz`), { code: 60 });
    await assert.rejects(
        curl(
            '--cacert',
            own.cert,
            '--resolve',
            `other.example:${sealed.port}:127.0.0.1`,
            `https://other.example:${sealed.port}/healthz`,
        ),
        { code: 60 },
    );
});

test('Python: requests in a session, by HTTPS and HTTP', async () => {
    const script = `
import json, sys, requests
url, verify = sys.argv[1], sys.argv[2] or True
with requests.Session() as session:
    session.trust_env, session.verify = False, verify
    granted = session.post(url + '/api/token', data={'grant_type': 'password', 'username': sys.argv[3], 'password': sys.argv[4]}, timeout=60)
    granted.raise_for_status()
    session.headers['Authorization'] = 'Bearer ' + granted.json()['access_token']
    for number in range(20):
        user = session.get(url + '/api/sys/users/' + sys.argv[5], timeout=60).json()
        changed = {name: user[name] for name in ('Id', 'FullName', 'Email', 'Language', 'PasswordSalt', 'InvalidLoginAttempts')}
        changed['LastHelpVisited'] = number
        assert session.put(url + '/api/sys/users', json=changed, timeout=60).json()['WasSuccessful']
    pieces = (piece.encode() for piece in (json.dumps(changed), *[' ' * 10000] * 100))
    chunked = session.put(url + '/api/sys/users', data=pieces, headers={'Content-Type': 'application/json'}, timeout=60)
    assert chunked.status_code == 200, chunked.text
    assert session.get(url + '/api/sys/users/' + sys.argv[5], timeout=60).json()['LastHelpVisited'] == 19
    assert session.get(url + '/nowhere', timeout=60).status_code == 404
print('done')
`;
    for (const [url, verify] of [
        [secure, own.cert],
        [clear.url, ''],
    ]) {
        const { stdout } = await run('/usr/bin/python3', [
            '-c',
            script,
            url,
            verify,
            adminEmail,
            password,
            `${userId}`,
        ]);
        assert.equal(stdout, 'done\n');
    }
});

test('a browser shows /api/docs by HTTPS, and asks nobody else', async () => {
    const key = new X509Certificate(own.pem).publicKey.export({ type: 'spki', format: 'der' });
    const page = await Page.open([
        `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`,
    ]);
    await page.goto(`${secure}/api/docs`, "document.querySelectorAll('main details').length");
    assert.ok(
        await page.evaluate(
            "isSecureContext && document.querySelectorAll('main section > details').length > 50",
        ),
    );
    const asked = page.requests.filter((url) => !url.startsWith('data:'));
    assert.ok(
        asked.length >= 2 && asked.every((url) => url.startsWith(`${secure}/`)),
        asked.join(),
    );
    assert.deepEqual(page.complaints, []);
    assert.equal(
        await page.evaluate("fetch('/healthz').then((reply) => reply.text())"),
        '{"status":"ok"}',
    );
});
