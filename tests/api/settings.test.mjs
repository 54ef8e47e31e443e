// The table of settings in README.md is the server's own: what --help says, no more and no less. And no document names a
// setting that does not exist.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, temporaryFolder } from '../lib/server.mjs';

const root = new URL('../../', import.meta.url);
const read = (name) => readFileSync(new URL(name, root), 'utf8');
const [usage, noInput, config] = [64, 66, 78];
const folder = temporaryFolder();
const variable = (option) => `ROSTER_${option.toUpperCase().replaceAll('-', '_')}`;

// Of --help: { option: { argument, initial } }, where a flag has no argument.
async function helped() {
    const { code, stdout } = await run(['--help'], { ARGP_HELP_FMT: 'rmargin=4000' }); // a line each
    assert.equal(code, 0);
    const text = stdout.replace(/^ Options of commands:\n+( {6}.*\n)+/m, ''); // no settings
    assert.notEqual(text, stdout);
    const lines = [...text.matchAll(/^ {6,}--([a-z0-9-]+)(?:=(\S+))?\s+(.+)$/gm)]; // not argp's own: --help, --usage, --version
    return Object.fromEntries(
        lines
            .filter(
                ([, option, , text]) =>
                    !['usage', 'check-config'].includes(option) && text !== 'the opposite',
            )
            .map(([, option, argument, text]) => [
                option,
                { argument, initial: /\(default: ([^()]*)\)$/.exec(text)?.[1] ?? '' },
            ]),
    );
}

// How README.md is to show a setting: a flag as what turns it away from its default.
function shown(option, { argument, initial }) {
    if (!argument)
        return initial === 'yes'
            ? { flag: `--no-${option}`, initial: 'no' }
            : { flag: `--${option}`, initial };
    return { flag: `--${option}`, argument, initial };
}

// Of README.md: [{ flag, argument, initial, text }], one for each setting. A row may have several, with as many defaults.
function documented() {
    const table = read('README.md')
        .split('\n| setting | default | what it is |\n|---|---|---|\n')[1]
        .split('\n\n')[0];
    return table.split('\n').flatMap((row) => {
        const [, names, initials, text] = row.split('|').map((cell) => cell.trim());
        const flags = [...names.matchAll(/`(--[a-z0-9-]+)(?: ([^`]+))?`/g)];
        const defaults =
            initials === ''
                ? flags.map(() => '')
                : initials.split(', ').map((word) => word.replace(/^`(.*)`$/, '$1'));
        assert.equal(
            flags.map(([all]) => all).join(', '),
            names,
            'settings have commas between them, and nothing else',
        );
        assert.equal(defaults.length, flags.length, `${names}: a default for each`);
        return flags.map(([, flag, argument], at) => ({
            flag,
            argument,
            initial: defaults[at],
            text,
        }));
    });
}

test('README.md has each setting of --help once, with its argument and its default, and no other', async () => {
    const settings = await helped(),
        rows = documented();
    assert.ok(Object.keys(settings).length > 40, 'of --help');
    const expected = Object.entries(settings).map(([option, setting]) => shown(option, setting));
    const byFlag = (one, other) => (one.flag < other.flag ? -1 : 1);
    const choices = new Map(
        expected
            .filter(({ argument }) => argument?.includes('|'))
            .map(({ flag, argument }) => [flag, argument]),
    );
    const found = rows.map(({ flag, argument, initial, text }) => {
        if (!choices.has(flag)) return { flag, ...(argument && { argument }), initial };
        assert.match(argument, /^[A-Z]+$/, flag);
        for (const choice of choices.get(flag).split('|'))
            assert.ok(
                choice === initial || text.includes(`\`${choice}\``),
                `${flag} may be ${choice}`,
            );
        return { flag, argument: choices.get(flag), initial };
    });
    assert.deepEqual(found.sort(byFlag), expected.sort(byFlag));
});

test('each setting of README.md has the variable and the line of a file that README.md says it has', async () => {
    const settings = await helped(),
        file = join(folder, 'roster.conf');
    const data = ['--data', join(folder, 'missing')];
    const values = Object.entries(settings)
        .filter(([option]) => !['config', 'data'].includes(option))
        .map(([option, { initial }]) => [option, option === 'unix-group' ? '' : initial]);
    const ended = async (args, env = {}) => {
        const { code, stderr } = await run(['check', ...data, ...args], env);
        return [code, stderr];
    };
    const nothing = await ended([]);
    assert.equal(nothing[0], noInput, nothing[1]);
    writeFileSync(file, values.map(([option, value]) => `${option} = ${value}\n`).join(''));
    assert.deepEqual(await ended(['--config', file]), nothing, 'all in a file');
    assert.deepEqual(
        await ended(
            [],
            Object.fromEntries(values.map(([option, value]) => [variable(option), value])),
        ),
        nothing,
        'all as variables',
    );
    for (const option of Object.keys(settings).filter((one) => one !== 'config')) {
        const [code, said] = await ended([], { [`${variable(option)}X`]: '1' });
        assert.equal(code, usage);
        assert.ok(
            said.includes(
                `${variable(option)}X: no such setting; the nearest is ${variable(option)} `,
            ),
            said,
        );
        writeFileSync(file, `${option}x = 1\n`);
        const [other, says] = await ended(['--config', file]);
        assert.equal(other, config);
        assert.ok(says.endsWith(`${option}x is not a setting; the nearest is ${option}\n`), says);
    }
});

test('no document, and no file for operators, names a setting that does not exist', async () => {
    const settings = Object.keys(await helped());
    const flags = new Set([
        '--help',
        '--version',
        '--check-config',
        ...read('src/base/command_options.def')
            .match(/(?<=^COMMAND_OPTION\(\w+, \w+, ")[a-z-]+/gm)
            .map((option) => `--${option}`),
        ...settings.flatMap((option) => [`--${option}`, `--no-${option}`]),
    ]);
    const variables = new Set([
        ...settings.map(variable),
        'ROSTER_ADMIN_PASSWORD_FILE',
        'ROSTER_PORT',
        'ROSTER_PORT_',
        'ROSTER_SERVICE_',
    ]); // README.md says that these are none
    const ofOthers = new Set([
        '--cap-drop',
        '--create',
        '--heapallindexed',
        '--data-binary',
        '--data-checksums',
        '--enable',
        '--format',
        '--isolation',
        '--http2-prior-knowledge',
        '--keep',
        '--no-healthcheck',
        '--now',
        '--offline',
        '--prefix',
        '--read-only',
        '--reconfigure',
        '--runtime',
        '--strict',
        '--ulimit',
    ]); // flags of other programs
    const files = [
        'README.md',
        'SECURITY.md',
        ...['docs', 'dist'].flatMap((place) =>
            readdirSync(new URL(place, root), { withFileTypes: true })
                .filter((one) => one.isFile())
                .map(({ name }) => `${place}/${name}`),
        ),
    ];
    const unused = new Set(ofOthers);
    for (const name of files) {
        const text = read(name);
        for (const [, flag] of text.matchAll(/(?<![\w-])(--[a-z][a-z0-9-]*)/g)) {
            assert.ok(flags.has(flag) || ofOthers.has(flag), `${name}: ${flag}`);
            unused.delete(flag);
        }
        for (const [word] of text.matchAll(/\bROSTER_[A-Z_]+/g))
            assert.ok(variables.has(word), `${name}: ${word}`);
    }
    assert.deepEqual([...unused], [], 'nobody names these any more');
});
