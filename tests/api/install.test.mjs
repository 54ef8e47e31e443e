// `meson install` brings the program, its service, its pages, its completions and a sample of its settings, and none of them lacks
// a setting, a command or an exit code.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary, run, temporaryFolder } from '../lib/server.mjs';

const noInput = 66;
const commandOptions = /^ Options of commands:\n+( {6}.*\n)+/m; // which are no settings
const root = temporaryFolder(),
    prefix = join(root, 'usr/local'); // meson's own
const install = () =>
    execFileSync('meson', ['install', '-C', dirname(binary), '--no-rebuild', '--destdir', root], {
        stdio: 'pipe',
    });
install();
const read = (name) => readFileSync(join(prefix, name), 'utf8');
const { stdout: help } = await run(['--help'], { ARGP_HELP_FMT: 'rmargin=4000' });
const settings = [
    ...help.replace(commandOptions, '').matchAll(/^ {6,}--([a-z0-9-]+)(=\S+)?\s+(.+)$/gm),
]
    .filter(
        ([, option, , text]) =>
            !['usage', 'check-config'].includes(option) && text !== 'the opposite',
    )
    .map(([, option]) => option)
    .filter((option) => option !== 'config');
const commands = [
    ...readFileSync(new URL('../../src/base/subcommands.def', import.meta.url), 'utf8').matchAll(
        /^SUBCOMMAND\((\w+),/gm,
    ),
].map(([, name]) => name);

test('the pages have each setting, each command and each exit code', () => {
    assert.ok(settings.length > 40 && commands.length > 3);
    const plain = (name) => read(`share/man/${name}`).replaceAll('\\-', '-');
    const [program, file] = [plain('man8/rosterd.8'), plain('man5/roster.conf.5')];
    for (const option of settings) {
        assert.ok(program.includes(`\n.BR --${option} `), option);
        assert.ok(file.includes(`\n.BR ${option} `), option);
    }
    for (const command of commands)
        assert.match(program, new RegExp(`^\\.BI? "?${command}[ "\\n]`, 'm'));
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const codes = [...readme.matchAll(/^\| (\d+) \| /gm)].map(([, code]) => code);
    const shown = program.split('.SH "EXIT STATUS"')[1].split('.SH')[0];
    assert.deepEqual(
        [...shown.matchAll(/^\.B (\d+)$/gm)].map(([, code]) => code),
        ['0', ...codes],
    );
});

test('the sample of the settings has each of them once, with its default, and is accepted', async () => {
    const sample = read('etc/roster/roster.conf');
    const named = [...sample.matchAll(/^#?([a-z0-9-]+) =/gm)].map(([, name]) => name);
    assert.deepEqual([...named].sort(), [...settings].sort());
    const all = join(root, 'all.conf');
    writeFileSync(all, sample.replaceAll(/^#([a-z0-9-]+ =)/gm, '$1'));
    for (const file of [all, join(prefix, 'etc/roster/roster.conf')]) {
        const { code, stderr } = await run([
            'check',
            '--config',
            file,
            '--data',
            join(root, 'none'),
        ]);
        assert.equal(code, noInput, stderr);
    }
});

test('a second installation leaves the settings as the operator has them', () => {
    const file = join(prefix, 'etc/roster/roster.conf');
    appendFileSync(file, '# mine\n');
    install();
    assert.match(readFileSync(file, 'utf8'), /# mine\n$/);
});

test('the service names the program and the settings where they are', () => {
    const unit = read('lib/systemd/system/rosterd.service');
    assert.match(
        unit,
        /^ExecStart=\/usr\/local\/bin\/rosterd --config \/usr\/local\/etc\/roster\/roster\.conf$/m,
    );
    const user = /^User=(\w+)$/m.exec(unit)[1];
    assert.match(read('lib/sysusers.d/rosterd.conf'), new RegExp(`^u ${user} `, 'm'));
    assert.match(
        read('lib/tmpfiles.d/rosterd.conf'),
        new RegExp(`^z /usr/local/etc/roster/roster.conf 0640 root ${user}$`, 'm'),
    );
});

test('the template of the service has settings, variables and data of its own for each instance', () => {
    const [unit, template] = ['rosterd', 'rosterd@'].map((name) =>
        read(`lib/systemd/system/${name}.service`).split('\n'),
    );
    assert.deepEqual(
        template.filter((line, i) => line !== unit[i]),
        [
            'Description=Roster user administration server (%i)',
            'ExecStart=/usr/local/bin/rosterd --config /usr/local/etc/roster/%i.conf',
            'EnvironmentFile=-/usr/local/etc/roster/%i.environment',
            'StateDirectory=roster-%i',
        ],
    );
});

// The words that bash offers for the last of these.
function offered(...words) {
    const script = `source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _rosterd rosterd "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "\${COMPREPLY[@]}"`;
    const file = join(prefix, 'share/bash-completion/completions/rosterd');
    return execFileSync(
        'bash',
        ['-c', `complete() { :; }\n${script}`, 'bash', file, 'rosterd', ...words],
        { encoding: 'utf8', cwd: prefix },
    )
        .trim()
        .split('\n');
}

test('bash completes commands, options, words and files', () => {
    assert.deepEqual(offered(''), commands);
    assert.deepEqual(offered('--http'), ['--http2']);
    for (const option of settings)
        assert.ok(offered(`--${option}`).includes(`--${option}`), option);
    assert.deepEqual(offered('--no-bas'), ['--no-basic']);
    assert.deepEqual(offered('--http2', ''), ['tls', 'clear', 'off']);
    assert.deepEqual(offered('--http2', '=', 'cl'), ['clear']);
    assert.deepEqual(offered('--data', 'l'), ['lib']);
    assert.deepEqual(offered('--config', 'e'), ['etc']);
    assert.deepEqual(offered('--token-lifetime', ''), ['']);
});

test('zsh is told of each setting and command', () => {
    const script = read('share/zsh/site-functions/_rosterd');
    for (const option of settings) assert.match(script, new RegExp(`^ +'--${option}(=?)\\[`, 'm'));
    assert.ok(script.includes(`'1:command:(${commands.join(' ')})'`));
});

const project = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

test('the image has all that the program loads, and less than 60 MB', () => {
    const image = join(root, 'image');
    execFileSync(project('tools/image-root'), [binary, image]);
    const places = readdirSync(image, { recursive: true }).map((name) => join(image, name));
    const size = places.reduce((sum, place) => sum + statSync(place).size, 0);
    assert.ok(size < 60e6, `${size} bytes`);
    const folders = new Set(places.filter((place) => /\.so/.test(place)).map(dirname));
    const loader = places.find((place) => /\/ld-linux[^/]*$/.test(place));
    const loaded = execFileSync(
        loader,
        [
            '--inhibit-cache',
            '--library-path',
            [...folders].join(':'),
            '--list',
            join(image, 'usr/bin/rosterd'),
        ],
        { encoding: 'utf8' },
    );
    const libraries = [...loaded.matchAll(/ => (\S+)/g)].map(([, library]) => library);
    assert.ok(libraries.length > 20);
    assert.deepEqual(
        libraries.filter((library) => !library.startsWith(image)),
        [],
        'none of them comes from this machine',
    );
});
