// Builds the admin UI into dist/: hashed names, and each file compressed as well, since the server sends it as it is.
import { constants, brotliCompressSync, gzipSync } from 'node:zlib';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The folders of the packages that the build took code from, and their licences, which have to go along.
const licences = {
    name: 'licences',
    generateBundle() {
        const folders = new Set();
        for (const id of this.getModuleIds()) {
            const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ''));
            if (found && existsSync(join(found[0], 'package.json'))) folders.add(found[0]);
        }
        const texts = [...folders].sort().map((folder) => {
            const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
            const file = readdirSync(folder).find((one) => /^licen[cs]e(\.\w+)?$/i.test(one));
            const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${license}`;
            if (!file && !license) throw new Error(`${name} has no licence`);
            return `${name} ${version}\n\n${text}\n`;
        });
        this.emitFile({ type: 'asset', fileName: 'assets/licences.txt', source: texts.join('\n---\n\n') });
    },
};

const compressed = {
    name: 'compressed',
    writeBundle({ dir }, bundle) {
        for (const name of Object.keys(bundle)) {
            const content = readFileSync(join(dir, name));
            const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
            writeFileSync(join(dir, `${name}.br`), brotliCompressSync(content, { params: quality }));
            writeFileSync(join(dir, `${name}.gz`), gzipSync(content, { level: 9 }));
        }
    },
};

export default defineConfig({
    base: './',
    plugins: [svelte(), licences, compressed],
    build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, cssCodeSplit: false },
});
