// The contents of a database file, and the field tables of the source.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

// The output of an SQL text; a server may have the database open.
export const sql = (file, text) =>
    execFileSync('sqlite3', ['-cmd', '.timeout 10000', file, text], { encoding: 'utf8' }).trim();

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

// Users of a database file, by Id, as replies show them. Rows are packed (src/store/row_compression.h): four bytes of
// head (which dictionary, a bit, how long the JSON is), then an LZ4 block.
export function storedUsers(file, where = '1') {
    const rows = (sql) =>
        JSON.parse(
            execFileSync('sqlite3', ['-json', file, sql], {
                encoding: 'utf8',
                maxBuffer: 1 << 28,
            }) || '[]',
        );
    const dictionaries = new Map(
        rows('SELECT id, text FROM dictionaries').map(({ id, text }) => [id, Buffer.from(text)]),
    );
    return new Map(
        rows(`SELECT Id, hex(Members) AS packed FROM users WHERE ${where}`).map(
            ({ Id, packed }) => [Id, unpack(Buffer.from(packed, 'hex'), dictionaries)],
        ),
    );
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
