// An operator sees where each setting comes from and all that is wrong with them at once, and secrets may stand in files.
import test from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, Server, temporaryFolder } from '../lib/server.mjs';
import { password } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const [usage, noInput, config] = [64, 66, 78];
const folder = temporaryFolder();
const secret = 'a-secret-of-the-test';

const write = (name, text) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
};

// { setting: [value, from] }, from both forms of the output, which have to agree.
async function shown(args = [], env = {}) {
    const text = await run(['config', ...args], env),
        json = await run(['config', '--json', ...args], env);
    assert.deepEqual([text.code, text.stderr, json.code], [0, '', 0]);
    const [heading, ...lines] = text.stdout.trimEnd().split('\n');
    assert.equal(heading, 'setting\tvalue\tfrom');
    const rows = lines.map((line) => line.split('\t'));
    assert.deepEqual(
        JSON.parse(json.stdout).map(({ setting, value, from }) => [setting, value, from]),
        rows,
    );
    return Object.fromEntries(rows.map(([setting, value, from]) => [setting, [value, from]]));
}

test('config shows each setting, its value and the source that wins', async () => {
    const file = write(
        'roster.conf',
        '# a comment\nlisten = 127.0.0.1:1\nlog-level = error\n\nlisten = [::1]:2\nbasic = no\nunix-mode = 600\n',
    );
    const defaults = await shown();
    const { stdout: help } = await run(['--help'], { ARGP_HELP_FMT: 'rmargin=4000' });
    assert.ok(Object.keys(defaults).length > 40);
    for (const [setting, [, from]] of Object.entries(defaults)) {
        assert.ok(help.includes(`--${setting}`), setting);
        const variable = `ROSTER_${setting.toUpperCase().replaceAll('-', '_')}`; // the tests have some
        assert.equal(from, process.env[variable] === undefined ? 'default' : variable, setting);
    }
    const all = await shown(['--config', file, '--log-level', 'debug', '--no-seccomp'], {
        ROSTER_TOKEN_LIFETIME: '77',
        ROSTER_UNIX_MODE: '0640',
    });
    assert.deepEqual(all.listen, ['127.0.0.1:1,[::1]:2', `${file}:5`]);
    assert.deepEqual(all['log-level'], ['debug', '--log-level']);
    assert.deepEqual(all.seccomp, ['no', '--seccomp']);
    assert.deepEqual(all.basic, ['no', `${file}:6`]);
    assert.deepEqual(all['unix-mode'], ['0640', 'ROSTER_UNIX_MODE']);
    assert.deepEqual(all['token-lifetime'], ['77', 'ROSTER_TOKEN_LIFETIME']);
    assert.deepEqual(all['refresh-lifetime'], defaults['refresh-lifetime']);
});

test('a secret comes from a flag, a variable, the file of a variable, a credential or the file of settings, and is not shown', async () => {
    const credentials = join(folder, 'credentials');
    mkdirSync(credentials);
    write('credentials/rosterd.admin-password', secret);
    const file = write('secret.conf', `admin-password = ${secret}\n`),
        named = write('password', `${secret}\n`);
    const sources = [
        [['--admin-password', secret], {}, '--admin-password'],
        [[], { ROSTER_ADMIN_PASSWORD: secret }, 'ROSTER_ADMIN_PASSWORD'],
        [[], { ROSTER_ADMIN_PASSWORD_FILE: named }, 'ROSTER_ADMIN_PASSWORD_FILE'],
        [[], { CREDENTIALS_DIRECTORY: credentials }, 'the credential rosterd.admin-password'],
        [['--config', file], {}, `${file}:1`],
    ];
    for (const [i, [args, env, from]] of sources.entries())
        for (const [lowerArgs, lowerEnv] of sources.slice(i)) {
            const both = { ...lowerEnv, ...env };
            if (both.ROSTER_ADMIN_PASSWORD) delete both.ROSTER_ADMIN_PASSWORD_FILE; // one of the two
            const all = await shown([...args, ...lowerArgs], both);
            assert.deepEqual(all['admin-password'], ['(set)', from]);
            assert.ok(!JSON.stringify(all).includes(secret));
        }
});

test('the first administrator has the password of a file, with or without a line break at its end', async () => {
    for (const ending of ['', '\n', '\r\n']) {
        const server = await Server.startNew([], {
            ROSTER_ADMIN_PASSWORD_FILE: write('first', `${password}${ending}`),
        });
        await server.token('admin@localhost', password);
        await server.restart();
        await until('the log says that it is ignored', () =>
            /warning: the password of the first administrator \(ROSTER_ADMIN_PASSWORD\) is ignored/.test(
                server.stderr,
            ),
        );
        await server.stop();
    }
});

test('a file of a secret that cannot be taken is refused, and its name is not printed', async () => {
    for (const [value, code, says] of [
        [join(folder, 'nowhere'), noInput, /names a file that cannot be opened: No such file/],
        ['', noInput, /names a file that cannot be opened/],
        [folder, noInput, /names a file that cannot be read/],
        [write('nul', 'a\0b'), usage, /too long for a secret, or contains a NUL/],
        [write('long', 'x'.repeat(10000)), usage, /too long for a secret, or contains a NUL/],
    ]) {
        const result = await run(['--check-config'], { ROSTER_ADMIN_PASSWORD_FILE: value });
        assert.equal(result.code, code, result.stderr);
        assert.match(result.stderr, says);
        assert.match(result.stderr, /^rosterd: ROSTER_ADMIN_PASSWORD_FILE .*\n$/);
        assert.ok(!value || !result.stderr.includes(value));
    }
    const both = await run(['--check-config'], {
        ROSTER_ADMIN_PASSWORD_FILE: write('one', secret),
        ROSTER_ADMIN_PASSWORD: secret,
    });
    assert.equal(both.code, usage);
    assert.match(both.stderr, /ROSTER_ADMIN_PASSWORD_FILE must not be set together with/);
    for (const name of ['ROSTER_LISTEN_FILE', 'ROSTER_DATA_FILE'])
        assert.match(
            (await run(['--check-config'], { [name]: 'x' })).stderr,
            new RegExp(`${name}: no such setting`),
            'only secrets have one',
        );
});

test('--check-config names every mistake with its line and the nearest name, and starts nothing', async () => {
    const file = write(
        'wrong.conf',
        'lissten = x\nlog-level = loud\nbasic = yes\nbasic = yes\n\nio-threads = many\n',
    );
    const { code, stdout, stderr } = await run(
        ['--check-config', '--config', file, '--http2', 'on', '--data', join(folder, 'none')],
        { ROSTER_LISEN: 'x', ROSTER_USER_TOKENS: '0' },
    );
    assert.deepEqual([code, stdout], [usage, ''], 'the code of the first');
    const lines = stderr.trimEnd().split('\n');
    for (const says of [
        '--http2 must be one of tls|clear|off',
        'ROSTER_LISEN: no such setting; the nearest is ROSTER_LISTEN ',
        'ROSTER_USER_TOKENS must be a whole number from 1 to 100000',
        `${file}:1: lissten is not a setting; the nearest is listen`,
        `${file}:2: log-level must be one of info|error|warning|debug`,
        `${file}:4: basic`,
        `${file}:6: io-threads must be`,
    ])
        assert.equal(lines.filter((line) => line.includes(says)).length, 1, `${says}: ${stderr}`);
    assert.equal(lines.length, 7, stderr);
    assert.equal((await run(['--check-config', '--config', file])).code, config);
});

test('--check-config tries certificates, addresses and the data folder, and says where each mistake stands', async () => {
    const taken = write('no-folder', ''),
        pem = write('empty.pem', '');
    const file = write(
        'meant.conf',
        [
            `listen = 127.0.0.1:99999`,
            'redirect-listen = nowhere',
            `metrics-listen = unix:${'x'.repeat(200)}`,
            `tls-cert = ${pem}`,
            `tls-key = ${pem}`,
            'trusted-proxies = 10.0.0.0/99',
            `data = ${taken}`,
            'database = mysql://db/roster',
            'unix-group = no-such-group',
            'listen = unix:/run/roster.sock',
        ].join('\n'),
    );
    const { code, stdout, stderr } = await run(['--check-config', '--config', file], {
        ROSTER_PROXY_PROTOCOL: 'elsewhere',
        ROSTER_ADMIN_EMAIL: 'nobody',
        ROSTER_ADMIN_PASSWORD_FILE: write('common', 'password\n'),
    });
    assert.equal(stdout, '');
    const lines = stderr.trimEnd().split('\n');
    for (const [place, says] of [
        ['ROSTER_PROXY_PROTOCOL', '--proxy-protocol elsewhere: must be '],
        ['ROSTER_ADMIN_EMAIL', '--admin-email must be an e-mail address'],
        ['ROSTER_ADMIN_PASSWORD_FILE', '--admin-password must have 8 to 256 characters'],
        [`${file}:8`, '--database must be sqlite, or a URL that begins with postgresql://'],
        [`${file}:9`, '--unix-group no-such-group: there is no such group'],
        [`${file}:10`, '--listen 127.0.0.1:99999: must be like 127.0.0.1:8080'],
        [`${file}:2`, '--redirect-listen nowhere: must be like '],
        [`${file}:3`, '--metrics-listen unix:xxx'],
        [`${file}:4`, `--tls-cert ${pem}: holds no certificate`],
        [`${file}:6`, '--trusted-proxies 10.0.0.0/99: must be '],
        [`${file}:7`, `--data ${taken}: Not a directory`],
    ])
        assert.equal(
            lines.filter((line) => line.startsWith(`rosterd: ${place}: `) && line.includes(says))
                .length,
            1,
            `${place} ${says}: ${stderr}`,
        );
    assert.equal(lines.length, 11, stderr);
    assert.equal(code, usage);
    const deep = await run(['--check-config', '--data', join(folder, 'no', 'such', 'folder')]);
    assert.equal(deep.code, 73, deep.stderr);
    const plain = await run([
        '--check-config',
        '--redirect-listen=127.0.0.1:0',
        '--listen=unix:/tmp/x',
        '--unix-group=no-such-group',
    ]);
    assert.equal(plain.code, usage);
    assert.match(plain.stderr, /no such group/);
    assert.match(plain.stderr, /--redirect-listen sends clients to HTTPS/);
});

test('--check-config checks what a start would refuse beyond types, and says nothing if all is right', async () => {
    const { code, stderr } = await run([
        '--check-config',
        '--database=mysql://x',
        '--admin-email=nobody',
        '--trusted-proxies=10.0.0.0/99',
        '--proxy-protocol=elsewhere',
    ]);
    assert.equal(code, usage);
    for (const option of ['--database', '--admin-email', '--trusted-proxies', '--proxy-protocol'])
        assert.match(stderr, new RegExp(`^rosterd: ${option}\\b.*$`, 'm'));
    for (const [args, says] of [
        [['--demo', '--listen=0.0.0.0:0'], /^rosterd: --listen 0\.0\.0\.0:0 with --demo would let/],
        [['--listen='], /^rosterd: --listen names no address\n$/],
        [['--tls-key=/nowhere'], /^rosterd: --tls-key: certificates: 0, keys: 1; name a key/],
    ]) {
        const refused = await run(['--check-config', ...args]);
        assert.match(refused.stderr, says);
        assert.ok(refused.code !== 0);
    }
    assert.deepEqual(await run(['--check-config', '--data', join(folder, 'none')]), {
        code: 0,
        stdout: '',
        stderr: '',
    });
});

test('a start names the place of a mistake, too', async () => {
    const file = write(
        'start.conf',
        'database = mysql://x\nlisten = nowhere\ntrusted-proxies = nginx\nadmin-email = nobody\n',
    );
    const { code, stderr } = await run(['--allow-root', '--config', file]);
    assert.equal(code, usage);
    assert.deepEqual(
        stderr.match(/^rosterd: .*?: --[a-z-]+/gm),
        [`${file}:1: --database`, `${file}:4: --admin-email`, `${file}:3: --trusted-proxies`].map(
            (line) => `rosterd: ${line}`,
        ),
    );
    const address = await run(['--demo'], { ROSTER_LISTEN: 'unix:/nowhere/at/all' });
    assert.match(
        address.stderr,
        /^rosterd: ROSTER_LISTEN: --listen unix:\/nowhere\/at\/all: No such file/,
    );
});

test('a list refuses an item that no host and no origin can equal', async () => {
    const hosts = 'must be hosts like 10.0.0.5, [fd00::5], app.internal or app.internal:8443',
        origins =
            'must be origins like https://app.example.com, without a path and a default port, or *';
    for (const [setting, refused, taken, says] of [
        [
            'HOSTS',
            [
                'http://a.example',
                'a.example/',
                '10.0.0.0/8',
                '*.a.example',
                'a:0',
                'a:65536',
                ':80',
            ].concat([
                'a:',
                '::1',
                '[::1',
                '[]',
                '[::1]80',
                '[::1]:x',
                'me@a',
                '"a"',
                'a b',
                'ok.example,a/',
            ]),
            [
                '10.0.0.5',
                'a.example:65535',
                '[::1]',
                '[::1]:1',
                'b\u00fccher.example',
                'a, b:1,',
                '',
            ],
            hosts,
        ],
        [
            'ORIGINS',
            [
                'a.example',
                'https://',
                'https://a.example/',
                'https://a.example/x',
                '://a',
                'https://*',
            ].concat([
                'https://a.example:443',
                'http://a.example:80',
                'https://a:b',
                'https://a, a',
                '**',
            ]),
            ['https://a.example', 'http://a:443', 'https://[::1]:8443', '*', 'null', 'app://a, *'],
            origins,
        ],
    ])
        for (const variable of setting === 'HOSTS'
            ? ['ROSTER_WEBHOOK_HOSTS', 'ROSTER_AVATAR_HOSTS']
            : ['ROSTER_CORS_ORIGINS'])
            for (const value of [...refused, ...taken])
                assert.deepEqual(
                    await run(['--check-config', '--data', join(folder, 'none')], {
                        [variable]: value,
                    }),
                    refused.includes(value)
                        ? { code: usage, stdout: '', stderr: `rosterd: ${variable} ${says}\n` }
                        : { code: 0, stdout: '', stderr: '' },
                    `${variable}=${value}`,
                );
});

test('a file of settings that cannot be read is refused with the reason, and a variable in it with its setting', async () => {
    for (const [file, named, reason] of [
        [folder, folder, 'Is a directory'],
        [join(folder, 'nowhere'), join(folder, 'nowhere'), 'No such file or directory'],
        ['', 'the file of settings ""', 'No such file or directory'],
    ])
        assert.deepEqual(await run(['--check-config', '--config', file]), {
            code: noInput,
            stdout: '',
            stderr: `rosterd: ${named} cannot be read: ${reason}; check --config or ROSTER_CONFIG\n`,
        });
    const file = write('variable.conf', 'ROSTER_LISTEN=127.0.0.1:0\n');
    assert.match(
        (await run(['--check-config', '--config', file])).stderr,
        /:1: ROSTER_LISTEN is not a setting; the nearest is listen\n$/,
    );
});
