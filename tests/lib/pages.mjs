// Where in a database file of SQLite each value lies, by https://sqlite.org/fileformat2.html: the places for damage.
import { sql } from './database.mjs';

const pageSize = 4096;

// A varint, and the offset behind it.
function varint(bytes, at) {
    let value = 0n;
    for (let i = 0; i < 9; i++) {
        const byte = BigInt(bytes[at + i]);
        if (i === 8) return [(value << 8n) | byte, at + 9];
        value = (value << 7n) | (byte & 127n);
        if (byte < 128n) return [value, at + i + 1];
    }
    return undefined;
}

const sizes = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0],
    sizeOf = (type) => (type < 12 ? sizes[type] : Math.floor((type - 12) / 2));

// The parts of a cell, as far as they are on the page: its head, each column's type, each column's bytes.
function partsOf(bytes, cell, isTable, end) {
    const parts = [],
        add = (name, from, to) => parts.push({ name, from, to: Math.min(to, end) }),
        [, behindLength] = varint(bytes, cell),
        payload = isTable ? varint(bytes, behindLength)[1] : behindLength;
    add('length', cell, behindLength);
    if (isTable) add('rowid', behindLength, payload);
    const [headSize, firstType] = varint(bytes, payload);
    let body = payload + Number(headSize);
    add('head', payload, firstType);
    for (let at = firstType, column = 0; at < payload + Number(headSize); column++) {
        const [type, next] = varint(bytes, at),
            size = sizeOf(Number(type));
        add(`type ${column}`, at, next);
        if (size && body < end) add(`column ${column}`, body, body + size);
        body += size;
        at = next;
    }
    return parts;
}

// The cells of a page, in the order of their keys. Those of interior pages begin with a child's number; of tables such a
// cell has no record.
function cellsOf(bytes, page, kind) {
    const start = page * pageSize,
        header = start + (page ? 0 : 100),
        pointers = header + (kind === 2 ? 12 : 8);
    return Array.from(
        { length: bytes.readUInt16BE(header + 3) },
        (_, i) => start + bytes.readUInt16BE(pointers + 2 * i) + (kind === 2 ? 4 : 0),
    );
}

// The values of the first, the middle and the last row of each page: { table, name, from, to }, offsets in the file.
export function valuesOf(file, bytes) {
    const owners = sql(file, "SELECT pageno || '|' || name FROM dbstat").split('\n');
    return owners.flatMap((owner) => {
        const [number, table] = owner.split('|'),
            page = Number(number) - 1,
            kind = bytes[page * pageSize + (page ? 0 : 100)];
        if (![2, 10, 13].includes(kind)) return []; // an interior page of a table, or the rest of a long value
        const cells = cellsOf(bytes, page, kind),
            chosen = new Set([0, cells.length >> 1, cells.length - 1]);
        return [...chosen]
            .filter((i) => i in cells)
            .flatMap((i) => partsOf(bytes, cells[i], kind === 13, (page + 1) * pageSize))
            .map((part) => ({ table, ...part }));
    });
}
