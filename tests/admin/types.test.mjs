// The admin UI has no error of types, and each language has the same texts with the same parameters.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

const ui = new URL('../../web/admin/', import.meta.url);
const texts = (language) =>
    JSON.parse(readFileSync(new URL(`src/messages/${language}.json`, ui), 'utf8'));
const parameters = (text) => (text.match(/\{\w+\}/g) ?? []).sort();

test('svelte-check finds no error', async () => {
    const program = new URL('node_modules/svelte-check/bin/svelte-check', import.meta.url).pathname;
    const { code, output } = await new Promise((resolve) => {
        const args = [program, '--workspace', ui.pathname, '--output', 'machine'];
        execFile(process.execPath, args, (error, stdout, stderr) =>
            resolve({ code: error?.code ?? 0, output: stdout + stderr }),
        );
    });
    assert.equal(code, 0, output);
    const [, files] = /COMPLETED (\d+) FILES 0 ERRORS 0 WARNINGS/.exec(output) ?? [];
    assert.ok(files > 20, output);
});

test('each language has the same texts, with the same parameters, and none is empty', () => {
    const english = texts('en'),
        spanish = texts('es');
    assert.deepEqual(Object.keys(spanish).sort(), Object.keys(english).sort());
    for (const [key, text] of Object.entries(english)) {
        assert.ok(text && spanish[key], key);
        assert.deepEqual(parameters(spanish[key]), parameters(text), key);
    }
});
