// The admin UI has no error of types, and expects replies as the description has them. Each language has the same texts
// with the same parameters.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server, temporaryFolder } from '../lib/server.mjs';

const ui = new URL('../../web/admin/', import.meta.url);
const texts = (language, kind = 'messages') =>
    JSON.parse(readFileSync(new URL(`src/${kind}/${language}.json`, ui), 'utf8'));
const parameters = (text) => (text.match(/\{\w+\}/g) ?? []).sort();

// Runs a program of a package; its exit code and all that it says.
const run = (program, ...args) =>
    new Promise((resolve) => {
        const path = new URL(`node_modules/${program}`, import.meta.url).pathname;
        execFile(process.execPath, [path, ...args], (error, stdout, stderr) =>
            resolve({ code: error?.code ?? 0, output: stdout + stderr }),
        );
    });

test('svelte-check finds no error', async () => {
    const { code, output } = await run(
        'svelte-check/bin/svelte-check',
        ...['--workspace', ui.pathname, '--output', 'machine'],
    );
    assert.equal(code, 0, output);
    const [, files] = /COMPLETED (\d+) FILES 0 ERRORS 0 WARNINGS/.exec(output) ?? [];
    assert.ok(files > 20, output);
});

// Each function compiles if a reply of the description's schema has the type that the UI expects.
const contract = `
import type { components } from './description';
import type { Answer, Page } from '${ui.pathname}src/lib/api';
import type { Schema } from '${ui.pathname}src/lib/schema';
import type { Caller } from '${ui.pathname}src/lib/state.svelte';
import type { Day } from '${ui.pathname}src/lib/figures';
import type { Maintenance, ServerSettings } from '${ui.pathname}src/lib/settings';
import type { SignIn } from '${ui.pathname}src/lib/session';
type Described = components['schemas'];
export const fields = (reply: Described['EntityFields']): Schema => reply;
export const caller = (reply: Described['Caller']): Caller => reply;
export const day = (reply: Described['Day']): Day => reply;
export const settings = (reply: Described['Settings']): ServerSettings => reply;
export const maintenance = (reply: Described['Maintenance']): Maintenance => reply;
export const state = (reply: Described['SessionState']): SignIn => reply;
export const users = (reply: Described['UserPage']): Page => reply;
export const trail = (reply: Described['AuditTrailEntryPage']): Page => reply;
export const made = (reply: Described['Done']): Answer<{ Value: { Id: number } }>['value'] => reply;
`;

test('what the UI takes replies for is what the description says', async () => {
    const server = await Server.start(),
        folder = temporaryFolder(),
        at = (name) => join(folder, name);
    writeFileSync(at('api.json'), (await server.call('GET', '/api/openapi.json')).text);
    const made = await run(
        'openapi-typescript/bin/cli.js',
        ...[at('api.json'), '--output', at('description.d.ts')],
    );
    assert.equal(made.code, 0, made.output);
    const compile = async (source) => {
        writeFileSync(at('contract.ts'), source);
        writeFileSync(
            at('tsconfig.json'),
            JSON.stringify({
                extends: `${ui.pathname}tsconfig.json`,
                compilerOptions: { types: [], typeRoots: [] },
                include: [],
                files: [
                    at('contract.ts'),
                    `${ui.pathname}node_modules/svelte/types/index.d.ts`,
                    `${ui.pathname}node_modules/vite/client.d.ts`,
                ],
            }),
        );
        return run('typescript/bin/tsc', '--project', at('tsconfig.json'));
    };
    const { code, output } = await compile(contract);
    assert.equal(code, 0, output);
    const wrong = await compile(contract.replace("Described['Caller']", "Described['Choice']"));
    assert.match(wrong.output, /contract\.ts.*error TS2/, 'another reply does not pass');
});

test('each language has the same texts, with the same parameters, and none is empty', () => {
    const english = texts('en'),
        spanish = texts('es');
    const plurals = (all) => Object.keys(all).filter((key) => !key.endsWith('_one'));
    assert.deepEqual(plurals(spanish).sort(), plurals(english).sort());
    for (const key of plurals(english)) {
        assert.ok(english[key] && spanish[key], key);
        assert.deepEqual(parameters(spanish[key]), parameters(english[key]), key);
    }
    for (const all of [english, spanish])
        for (const [key, text] of Object.entries(all)) {
            if (!key.endsWith('_one')) continue;
            const many = all[key.slice(0, -4)];
            assert.ok(many && text !== many, key);
            for (const one of parameters(text)) assert.ok(parameters(many).includes(one), key);
        }
});

test('each error that has a text of another language is one of the server', () => {
    const server = readFileSync(new URL('../../src/rules/messages.def', ui), 'utf8');
    const formats = Object.entries(texts('es', 'errors'));
    assert.ok(formats.length > 30);
    for (const [format, text] of formats) {
        assert.ok(server.includes(`"${format}"`), format);
        const slots = (format.match(/%/g) ?? []).map((_, at) => `{${at + 1}}`);
        for (const slot of text.match(/\{\d\}/g) ?? []) assert.ok(slots.includes(slot), text);
    }
});

test('British English differs from American English in words, not in what there is to say', () => {
    const american = texts('en'),
        british = Object.entries(texts('en-GB'));
    assert.ok(british.length > 0);
    for (const [key, text] of british) {
        assert.ok(american[key] && american[key] !== text, key);
        assert.deepEqual(parameters(text), parameters(american[key]), key);
    }
});
