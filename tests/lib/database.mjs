// The contents of a database file, and the field tables of the source.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// Without the functions of the sums of rows (row_sums.c) the shell can only read.
const built = new URL('../../build/rosterd', import.meta.url).pathname,
    module = [process.env.ROSTERD ?? built, built]
        .map((binary) => join(dirname(binary), 'row_sums.so'))
        .find(existsSync),
    load = module ? ['-cmd', `.load ${module}`] : [];

// The output of an SQL text; a server may have the database open.
export const sql = (file, text) =>
    execFileSync('sqlite3', ['-batch', '-bail', '-cmd', '.timeout 10000', ...load, file], {
        input: text,
        encoding: 'utf8',
        maxBuffer: 1 << 28,
    }).trim();

// The fields of users, as the server has them: the rows of src/model/user_fields.def, where COMMON_FIELDS stands for
// those of common_fields.h.
export function fieldTable() {
    const folder = new URL('../../src/model/', import.meta.url);
    const read = (name) => readFileSync(new URL(name, folder), 'utf8');
    const text = read('user_fields.def').replace(/^COMMON_FIELDS\(.*/m, () =>
        read('common_fields.h'),
    );
    const rows = [
        ...text.matchAll(
            /^ *FIELD\(\w+, (\w+), (\w+), (\d+), ([^,)]+)(?:, \.\w+ = &?(\w+?)(?:_table)?)?\)/gm,
        ),
    ];
    return rows
        .map(([, name, type, max, flags, target]) => ({
            name,
            type,
            max: Number(max),
            flags: flags.split(/\s*\|\s*/),
            target,
        }))
        .filter((field) => !field.flags.includes('HIDDEN'));
}

// Users by Id, as replies show them, by a function that runs a query; `hex` is SQL. Rows are packed
// (src/store/row_compression.h): four bytes of head (which dictionary, a bit, how long the JSON is), then an LZ4 block.
export function usersBy(rows, hex, where) {
    const dictionaries = new Map(
        rows('SELECT id, text FROM dictionaries').map(({ id, text }) => [id, Buffer.from(text)]),
    );
    return new Map(
        rows(`SELECT Id AS of, ${hex} AS packed FROM users WHERE ${where}`).map(
            ({ of, packed }) => [of, unpack(Buffer.from(packed, 'hex'), dictionaries)],
        ),
    );
}

// The users of a database file.
export const storedUsers = (file, where = '1 = 1') =>
    usersBy(
        (query) => JSON.parse(sql(file, `.mode json\n${query}`) || '[]'),
        'hex(Members)',
        where,
    );

// A packed row, which refers to a dictionary and takes nothing from it: all of the block is one literal.
export function pack(json, dictionary) {
    const text = Buffer.from(json),
        head = Buffer.alloc(4),
        rest = text.length - 15; // a literal that is shorter has its length in the first byte
    head.writeUIntBE(dictionary, 0, 1);
    head.writeUIntBE(text.length, 1, 3);
    const length = [15 << 4, ...Array(Math.floor(rest / 255)).fill(255), rest % 255];
    return Buffer.concat([head, Buffer.from(length), text]);
}

function unpack(packed, dictionaries) {
    if (packed[0] === '{'.charCodeAt()) return JSON.parse(packed);
    const dictionary = dictionaries.get(packed[0]),
        json = Buffer.alloc(dictionary.length + (packed.readUIntBE(1, 3) & 0x7fffff));
    let from = 4,
        to = dictionary.copy(json);
    const extended = (length) => {
        for (let byte = length === 15 ? 255 : 0; byte === 255; length += byte)
            byte = packed[from++];
        return length;
    };
    while (from < packed.length) {
        const token = packed[from++],
            literals = extended(token >> 4);
        to += packed.copy(json, to, from, from + literals);
        from += literals;
        if (from === packed.length) break;
        const back = packed.readUInt16LE(from);
        from += 2;
        for (let length = extended(token & 15) + 4; length; length--, to++)
            json[to] = json[to - back];
    }
    return JSON.parse(json.subarray(dictionary.length));
}
