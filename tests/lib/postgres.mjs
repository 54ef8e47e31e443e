// PostgreSQL for tests. ROSTER_TEST_DATABASE is its URL, as tools/with-postgres sets it for a whole run; a file that runs
// alone starts one of its own. Each server gets a new database in it.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

let wanted = process.env.ROSTER_TEST_DATABASE;
delete process.env.ROSTER_TEST_DATABASE; // it is no setting of rosterd

// Are the servers of this file to be on PostgreSQL?
export const isOnPostgres = () => Boolean(wanted);

// Has them there even if this run does not ask for it.
export function usePostgres() {
    wanted ??= 'postgresql';
}

// Has them on SQLite, even if this run asks for PostgreSQL.
export function useSqlite() {
    wanted = undefined;
}

// Has them on a PostgreSQL for this file alone: it changes what holds for the whole of it.
export function useOwnPostgres() {
    wanted = 'postgresql';
}

// PostgreSQL ends when its standard input does: with this process, however that ends, and after all servers of it.
async function startOwn() {
    const program = new URL('../../tools/with-postgres', import.meta.url).pathname;
    const child = spawn(program, ['sh', '-c', 'echo "$ROSTER_TEST_DATABASE"; exec cat'], {
        stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = await Promise.race([
        once(child.stdout, 'data'),
        once(child, 'exit').then(([code]) => {
            throw new Error(`tools/with-postgres ended with ${code}`);
        }),
    ]);
    for (const held of [child, child.stdin, child.stdout]) held.unref();
    return line.toString().trim();
}

let started;
// The URL of a database from which others can be made.
export function postgres() {
    started ??= /^postgresql:\/\//.test(wanted) ? Promise.resolve(wanted) : startOwn();
    return started;
}

// The output of an SQL text on a database, as sqlite3 prints it.
export const psql = (url, text) =>
    execFileSync('psql', ['-qAtX', '--set=ON_ERROR_STOP=1', `--dbname=${url}`, '--file=-'], {
        input: text,
        encoding: 'utf8',
        maxBuffer: 1 << 28,
    }).trim();

// All rows of a database, as text of Latin-1: bytes are as they are.
export const rowsIn = (url) =>
    execFileSync('pg_dump', ['--data-only', `--dbname=${url}`], {
        encoding: 'latin1',
        maxBuffer: 1 << 28,
    }).replace(/\\\\x([0-9a-f]+)/g, (_, hex) => Buffer.from(hex, 'hex').toString('latin1'));

// The URL of another database of the same server.
function sibling(url, name) {
    const other = new URL(url);
    other.pathname = `/${name}`;
    return other.href;
}

// The URL as which a superuser connects.
export function superuserOf(url) {
    const own = new URL(url);
    own.searchParams.set('user', 'postgres');
    return own.href;
}

// The folder of the server's socket, which lasts as long as the server.
export const folderOf = (url) => new URL(url).searchParams.get('host');

// How many statements that begin with `kind` a database executes meanwhile, as the server's log has them, of connections that
// begin then.
export async function countStatements(url, action, kind = '') {
    const read = () => readFileSync(join(folderOf(url), 'log'), 'utf8'),
        before = read().length,
        alter = (what) =>
            psql(superuserOf(url), `ALTER DATABASE ${new URL(url).pathname.slice(1)} ${what}`);
    alter("SET log_statement = 'all'");
    try {
        await action();
    } finally {
        alter('RESET log_statement');
    }
    return read()
        .slice(before)
        .match(new RegExp(`LOG:  execute \\w+: ${kind}`, 'g')).length;
}

let made = 0;
const dropped = new Set();
// The URL of a new database: empty, or a copy of the one that is named. It is dropped when this process ends.
export async function newDatabase(template = 'template0') {
    const url = await postgres(),
        name = `t${process.pid}_${++made}`;
    // By copying files, which is the faster way on a server that does not sync.
    psql(url, `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`);
    if (made === 1)
        process.once('exit', () =>
            dropped.forEach((one) => psql(url, `DROP DATABASE ${one} WITH (FORCE)`)),
        );
    dropped.add(name);
    return sibling(url, name);
}

// Lets a database last as long as PostgreSQL does. Its name.
export function keepDatabase(url) {
    const name = new URL(url).pathname.slice(1);
    dropped.delete(name);
    return name;
}
