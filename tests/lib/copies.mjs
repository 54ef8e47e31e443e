// Very many users, who are put into a server's database at once, past the API.
import { businessId } from './ids.mjs';
import { userBody } from './users.mjs';
import { add } from './world.mjs';

// The copies have the Ids behind this one.
export const firstCopy = 500000000;
const original = 598765432; // no four digits repeat, so that these stand in the packed row as they are

// Their columns; the others are the original's. `name` is SQL for the name of the i-th.
const columnsOf = (name) => ({
    id: `${firstCopy} + i`,
    emailkey: "'copy' || i",
    email: "'copy@copy' || i || '.example.com'",
    fullname: name,
    active: '0',
    isadmin: '0',
});
const emailOf = (i) => `copy@copy${i}.example.com`;

// SQL that adds the folded texts of users, as store/sqlite/text_index.c keeps them, but in few blocks.
function addBlocks(table, count, text) {
    const blocks = [],
        atOnce = 30000;
    for (let first = 1; first <= count; first += atOnce) {
        const size = Math.min(atOnce, count + 1 - first),
            parts = [Buffer.from([size >> 8, size & 0xff, 0]), Buffer.alloc(size - 1, 1)];
        for (let i = first; i < first + size; i++)
            parts.push(Buffer.from(text(i)), Buffer.from([0xff]));
        blocks.push(`(${firstCopy + first}, x'${Buffer.concat(parts).toString('hex')}')`);
    }
    return `INSERT INTO ${table} VALUES ${blocks};`;
}

const onSqlite = (count, folded) => ({
    members: (before, after) =>
        `CAST(${before} || CAST(${firstCopy} + i AS TEXT) || ${after} AS BLOB)`,
    begin: 'PRAGMA synchronous = OFF;',
    texts: `${addBlocks('users_FullName_texts', count, folded)} ${addBlocks('users_Email_texts', count, emailOf)}`,
});

const onPostgres = (count, folded) => ({
    members: (before, after) =>
        `${before} || convert_to((${firstCopy} + i)::text, 'UTF8') || ${after}`,
    begin: 'ALTER TABLE users DISABLE TRIGGER users_counted;', // which counts one by one
    texts: [
        'ALTER TABLE users ENABLE TRIGGER users_counted;',
        `UPDATE row_counts SET rows = rows + ${count} WHERE kind = 'users';`,
        'COPY users_texts (owner, FullName, Email) FROM STDIN;',
        ...Array.from(
            { length: count },
            (_, i) => `${firstCopy + 1 + i}\t${folded(i + 1)}\t${emailOf(i + 1)}`,
        ),
        '\\.',
        'ANALYZE;',
    ].join('\n'),
});

// Adds `count` copies of a user, and stops the server. `folded` gives the name of the i-th, folded.
export async function addCopies(server, { count, name, folded }) {
    await add(
        server,
        'users',
        original,
        userBody({
            FullName: 'The Original',
            Email: 'original@example.com',
            Businesses: [businessId],
        }),
    );
    await server.stop();
    const by = (server.database ? onPostgres : onSqlite)(count, folded),
        packed = server.packedUser(original),
        at = packed.indexOf(`${original}`),
        own = {
            ...columnsOf(name),
            members: by.members(
                server.bytes(packed.subarray(0, at)),
                server.bytes(packed.subarray(at + `${original}`.length)),
            ),
        };
    const columns = server.columns('users');
    server.sql(`${by.begin}
        INSERT INTO users (${columns}) SELECT ${columns.map((column) => own[column.toLowerCase()] ?? column)} FROM users,
            (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n) AS numbers
            WHERE Id = ${original};
        INSERT INTO users_Email_addresses SELECT ${server.octets("'ypoc@' || substr(Email, 6)")}, Id FROM users
            WHERE Id > ${firstCopy} AND Id <= ${firstCopy + count};
        ${by.texts}`);
}
