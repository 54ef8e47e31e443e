// Writes the corpus of tests/fuzz/h2.c: each row of tests/api/http2_rows.mjs in the form that the fuzzer reads.
import { mkdirSync, writeFileSync } from 'node:fs';
import { rows } from '../api/http2_rows.mjs';

const folder = new URL('corpus/h2/', import.meta.url);
mkdirSync(folder, { recursive: true });
const endings = ['', 'h', 'd', 'c'],
    pieces = ['~', '   ', '/~'];

function short(bytes) {
    const parts = [];
    for (let at = 0; at + 9 <= bytes.length; ) {
        const size = bytes.readUIntBE(at, 3),
            content = bytes.subarray(at + 9, at + 9 + size);
        parts.push(Buffer.from([bytes[at + 3], bytes[at + 4], bytes[at + 8]]));
        parts.push(
            size < 255 ? Buffer.from([size]) : Buffer.from([255, size >> 8, size & 255]),
            content,
        );
        at += 9 + size;
    }
    return Buffer.concat(parts);
}

rows.forEach(([section, , bytes, , begin], i) => {
    if (bytes.length > 20000) return;
    const isBare = begin?.begin === false;
    const plan =
        endings[i % 4] +
        (isBare ? 'r' : i % 3 ? 'a' : '') +
        (i % 5 ? '' : 'l') +
        pieces[i % pieces.length];
    // The fuzzer's application answers by the path.
    const content = Buffer.from(
        (isBare ? bytes : short(bytes))
            .toString('latin1')
            .replaceAll('/healthz', ['/healthz', '/slowers', '/bigness', '/nothing'][i % 4])
            .replaceAll('/api/token', ['/api/token', '/elemental'][i % 2]),
        'latin1',
    );
    writeFileSync(
        new URL(`${section}-${String(i).padStart(3, '0')}`, folder),
        Buffer.concat([Buffer.from(`${plan}\n`), content]),
    );
});
