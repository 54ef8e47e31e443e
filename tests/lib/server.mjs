// Starts the real server on a free port and speaks to it as clients do. ROSTERD names the binary.
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import net from 'node:net';
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { pack, sql, usersBy } from './database.mjs';
import { isOnPostgres, newDatabase, psql, rowsIn } from './postgres.mjs';
import { adminEmail, password, required } from './users.mjs';
import { deadlines, until } from './wait.mjs';
import { worldFolder } from './world.mjs';

process.env.ROSTER_ALLOW_ROOT ??= '1'; // whoever runs the tests
export const binary =
    process.env.ROSTERD ?? new URL('../../build/rosterd', import.meta.url).pathname;
// A sanitizer has memory of its own for each allocation, and keeps what was freed.
export const isSanitized = () =>
    /, (address|thread|undefined)/.test(execFileSync(binary, ['--version'], { encoding: 'utf8' }));
// The long tests take a sample where they are not run for the first time: under a sanitizer, on PostgreSQL (tools/test), and
// on the other release of Debian (tools/test-on), which has other libraries but the same rules.
export const isSampled = () => isSanitized() || process.env.TESTS === 'sampled';

// A test of what only SQLite has, such as the database's files: there is none of it when servers are on PostgreSQL.
export const testOnSqlite = isOnPostgres() ? () => {} : test;

// On a busy machine a test may need longer than the default for the next step on a connection. Of a setting that is
// given twice the last counts, so a test of the timeout itself sets its own.
const PATIENCE_S = 600;
// For a test of what a stop waits for: a busy machine may take longer than the usual 20 s.
export const patientStop = ['--stop-timeout', `${PATIENCE_S}`];

// All servers of this file.
const launched = [];

// A new folder, removed after the tests of the file. The servers in it end first: they write to it until then, and the hooks
// of a test run in the order in which they were made.
export function temporaryFolder() {
    const folder = mkdtempSync(join(tmpdir(), 'roster-test-'));
    after(async () => {
        const servers = launched.filter((server) => server.folder.startsWith(folder));
        await Promise.all(servers.map((server) => server.end()));
        rmSync(folder, { recursive: true, force: true });
    });
    return folder;
}

// Copies a data folder without the socket in it, which a server that was killed leaves.
export const copyData = (from, to) =>
    cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('/roster.sock') });

// The servers that run end with this process, also when it is ended before the tests of the file are.
const children = new Set();
process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
});

// The databases of this file's data folders, when servers are on PostgreSQL.
const databases = new Map();

// The data folder that the last of these arguments names.
function dataOf(args) {
    const last = args.findLast((arg, i) => args[i - 1] === '--data' || /^--data=/.test(arg));
    return last.replace(/^--data=/, '');
}

// Do these arguments or variables say what the database begins with?
const beginsAsTold = (args, env) =>
    args.some((arg) => /^--(demo|data|config|admin-\w+)(=|$)/.test(arg)) ||
    Object.keys(env).some((name) => /^ROSTER_(DEMO|DATA|CONFIG|ADMIN_\w+)$/.test(name));

// Runs the binary, or another program, until it ends by itself.
export function run(args, env = {}, program = binary) {
    return new Promise((resolve) => {
        const child = spawn(program, args, { env: { ...process.env, ...env } });
        let stdout = '',
            stderr = '';
        child.stdout.on('data', (bytes) => {
            stdout += bytes;
        });
        child.stderr.on('data', (bytes) => {
            stderr += bytes;
        });
        child.on('close', (code) => resolve({ code, stdout, stderr }));
    });
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

// How many connections fetch may keep, as far as these tests go.
const KEPT_MAX = 32;

// Asks, and again so many times when the connection fails.
function repeat(ask, times) {
    return ask().catch((error) => {
        if (times && /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(error.cause?.code))
            return repeat(ask, times - 1);
        throw error;
    });
}

export class Server {
    program = binary;

    // Resolves once the server has printed its address. It is stopped after the tests of the file,
    // and has to end with 0. Its database has the world, unless the arguments say otherwise:
    // --demo, an administrator, a folder.
    static async start(args = [], env = {}) {
        const folder = temporaryFolder();
        if (!beginsAsTold(args, env)) await this.copyWorld(join(folder, 'data'), env);
        return this.open(folder, args, env);
    }

    static async copyWorld(data, env) {
        const world = await worldFolder(binary, (place, first) => Server.launch(place, first, env));
        cpSync(world.folder, data, { recursive: true });
        if (world.database) databases.set(data, await newDatabase(world.database));
    }

    // The same, with a new database in each case.
    static startNew(args = [], env = {}) {
        return this.open(temporaryFolder(), args, env);
    }

    static async open(folder, args, env) {
        const server = await this.launch(folder, args, env);
        after(() => server.stop());
        return server;
    }

    // The same, to be stopped by the caller.
    static async launch(folder, args, env) {
        const server = new this();
        server.folder = folder;
        const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']; // addresses add up
        server.args = [
            ...listen,
            '--data',
            join(server.folder, 'data'),
            '--idle-timeout',
            `${PATIENCE_S}`,
            '--head-timeout',
            `${PATIENCE_S}`,
            ...args,
        ];
        server.env = { ...process.env, ...env };
        if (isOnPostgres()) await server.moveToPostgres();
        launched.push(server);
        await server.spawn();
        return server;
    }

    // A data folder keeps its database.
    async moveToPostgres() {
        const data = dataOf(this.args),
            named = this.args.indexOf('--database');
        if (named < 0 && !databases.has(data)) databases.set(data, await newDatabase());
        this.database = named < 0 ? databases.get(data) : this.args[named + 1];
        if (named < 0) this.args.push('--database', this.database);
        this.args.push('--database-unsafe'); // the test's does not sync
    }

    // `url`, `host` and `port` are the first address's, `urls` has all of them.
    spawn() {
        this.stdout = this.stderr = '';
        this.child = spawn(this.program, this.args, { env: this.env });
        const { child } = this;
        children.add(child);
        this.ended = new Promise((resolve) => {
            child.on('close', (code, signal) => {
                children.delete(child);
                resolve({ code, signal });
            });
        });
        this.child.stderr.on('data', (bytes) => {
            this.stderr += bytes;
        });
        return new Promise((resolve, reject) => {
            this.child.stdout.on('data', (bytes) => {
                this.stdout += bytes;
                this.urls = [...this.stdout.matchAll(/listening on (.+)\n/g)].map(([, url]) => url);
                if (this.urls.length) {
                    [this.url] = this.urls;
                    [, this.host, this.port] =
                        /^https?:\/\/\[?(.+?)\]?:(\d+)$/.exec(this.url) ?? [];
                    resolve();
                }
            });
            this.ended.then(({ code }) => reject(new Error(`ended with ${code}: ${this.stderr}`)));
        });
    }

    // The database's file, if the server is on SQLite.
    get file() {
        return join(this.folder, 'data', 'roster.db');
    }

    // The arguments that tell a command where the server's data are.
    get where() {
        const where = ['--data', dataOf(this.args)];
        if (this.database) where.push('--database', this.database, '--database-unsafe');
        return where;
    }

    // `rosterd check` finds nothing wrong. Of PostgreSQL it always says what it did not look at.
    async assertWhole() {
        const { code, stdout, stderr } = await run(['check', ...this.where]);
        assert.deepEqual([code, stdout], [0, ''], stderr);
        if (!this.database) assert.equal(stderr, '');
    }

    // The output of an SQL text on the server's database. It has to be one that both kinds of database understand.
    sql(text) {
        return this.database ? psql(this.database, text) : sql(this.file, text);
    }

    // These bytes as SQL has them.
    bytes(content) {
        const hex = Buffer.from(content).toString('hex');
        return this.database ? `'\\x${hex}'::bytea` : `x'${hex}'`;
    }

    // SQL for a text, in a column for which PostgreSQL has bytes and SQLite the text itself.
    octets(text) {
        return this.database ? `convert_to(${text}, 'UTF8')` : text;
    }

    // The rows of a query, as objects.
    rows(query) {
        return JSON.parse(
            this.sql(
                this.database
                    ? `SELECT coalesce(json_agg(q), '[]') FROM (${query}) AS q`
                    : `.mode json\n${query};`,
            ) || '[]',
        );
    }

    // The names of the database's tables, and those of a table's columns.
    tables() {
        return this.sql(
            this.database
                ? 'SELECT tablename FROM pg_tables WHERE schemaname = current_schema()'
                : "SELECT name FROM sqlite_schema WHERE type = 'table'",
        ).split('\n');
    }

    columns(table) {
        return this.sql(
            this.database
                ? `SELECT column_name FROM information_schema.columns WHERE table_name = '${table}' ORDER BY ordinal_position`
                : `SELECT name FROM pragma_table_info('${table}')`,
        ).split('\n');
    }

    get hexMembers() {
        return this.database ? "encode(Members, 'hex')" : 'hex(Members)';
    }

    // A user as the database has it, and a record as it would have it (lib/database.mjs).
    packedUser(id) {
        return Buffer.from(
            this.sql(`SELECT ${this.hexMembers} FROM users WHERE Id = ${id}`),
            'hex',
        );
    }

    packed(user) {
        const dictionary = this.sql("SELECT max(id) FROM dictionaries WHERE kind = 'users'");
        return this.bytes(pack(JSON.stringify(user), Number(dictionary)));
    }

    // Users by Id, as replies show them.
    storedUsers(where = '1 = 1') {
        return usersBy((query) => this.rows(query), this.hexMembers, where);
    }

    // Those of these texts and bytes that the database has: SQLite's in its files, PostgreSQL's in its rows. A text is found
    // in any letter case.
    found(contents) {
        const all = this.database
            ? rowsIn(this.database)
            : ['', '-wal']
                  .map((end) => this.file + end)
                  .filter(existsSync)
                  .map((name) => readFileSync(name, 'latin1'))
                  .join('\n');
        const folded = all.toLowerCase(),
            isIn = (one) =>
                typeof one === 'string'
                    ? folded.includes(Buffer.from(one).toString('latin1').toLowerCase())
                    : all.includes(one.toString('latin1'));
        return contents.filter(isIn);
    }

    // How many bytes the records and their indexes take in the database.
    size() {
        return Number(
            this.sql(
                this.database
                    ? 'SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE oid >= 16384' // the first Id that is not the system's
                    : 'SELECT page_count * page_size FROM pragma_page_count, pragma_page_size',
            ),
        );
    }

    // Keeps the server from writing, as another process does that writes. Returns a function that ends this; so does the
    // end of the test file. On PostgreSQL it holds the turn, which every change takes.
    async holdWriter() {
        const child = this.database
            ? spawn('psql', ['-qAtX', `--dbname=${this.database}`])
            : spawn('sqlite3', [this.file]);
        let said = '';
        child.stdout.on('data', (bytes) => {
            said += bytes;
        });
        child.stdin.write(
            this.database
                ? "BEGIN; SELECT 'held', pg_advisory_xact_lock('turn'::regclass::bigint);\n"
                : "BEGIN IMMEDIATE; SELECT 'held';\n",
        );
        await until('the lock', () => said.includes('held'));
        for (const kept of [child, child.stdin, child.stdout, child.stderr]) kept.unref();
        return () => child.stdin.end('ROLLBACK;\n');
    }

    get isRunning() {
        return this.child.exitCode === null && this.child.signalCode === null;
    }

    // Ends the server, if it runs.
    end(signal = 'SIGTERM') {
        if (this.isRunning) this.child.kill(signal);
        return this.ended;
    }

    async stop(signal = 'SIGTERM') {
        const { code } = await this.end(signal);
        if (signal === 'SIGTERM')
            assert.equal(code, 0, `the server ended with ${code}: ${this.stderr}`);
    }

    async restart(signal = 'SIGTERM') {
        await this.stop(signal);
        await this.spawn();
    }

    // A request; `body` that is no string is sent as JSON.
    async call(method, path, { token, body, headers = {}, signal } = {}) {
        const all = { ...headers };
        // fetch keeps a connection for 4 s: one that the server closes sooner could be closed just as it is used again.
        if (Number(this.args?.[this.args.lastIndexOf('--idle-timeout') + 1]) < 5)
            all.Connection ??= 'close';
        if (token) all.Authorization = `Bearer ${token}`;
        if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
            body = JSON.stringify(body);
            all['Content-Type'] ??= 'application/json';
        }
        const ask = () =>
            fetch(this.url + path, { method, headers: all, body, redirect: 'manual', signal });
        // The server may close kept connections just as they are used again (RFC 9112 section 9.3.1): one after the
        // other, until fetch has none left and opens a new one.
        const response = await repeat(ask, method === 'GET' ? KEPT_MAX : 0);
        const text = await response.text();
        const json = parse(text);
        this.record({ method, path, headers: all, body }, response, text);
        return { status: response.status, headers: response.headers, text, json };
    }

    // The server's own setting: its description depends on it.
    get compatibility() {
        return this.args?.includes('nexudus') ? 'nexudus' : 'roster';
    }

    // For tests/openapi/check.py, if it is the first address that was asked: one for monitoring has no API.
    record({ method, path, headers = {}, body }, response, text) {
        if (!process.env.EXCHANGES_FILE || this.program !== binary || this.url !== this.urls[0])
            return;
        const isLong = body?.length >= 65536;
        appendFileSync(
            process.env.EXCHANGES_FILE,
            `${JSON.stringify({
                compatibility: this.compatibility,
                method,
                path,
                headers,
                isLong,
                body: isLong ? undefined : body?.toString(),
                status: response.status,
                replyHeaders: Object.fromEntries(response.headers),
                size: text.length,
                reply: parse(text),
            })}\n`,
        );
    }

    grant(form, headers = {}) {
        return this.call('POST', '/api/token', {
            body: new URLSearchParams(form).toString(),
            headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        });
    }

    async token(email = adminEmail, secret = password) {
        const { status, json, text } = await this.grant({
            grant_type: 'password',
            username: email,
            password: secret,
        });
        assert.equal(status, 200, text);
        return json.access_token;
    }

    // The administrator's token, asked for once.
    admin() {
        this.adminToken ??= this.token();
        return this.adminToken;
    }

    async get(id, token) {
        return (
            await this.call('GET', `/api/sys/users/${id}`, { token: token ?? (await this.admin()) })
        ).json;
    }

    async put(body, { token, headers } = {}) {
        return this.call('PUT', '/api/sys/users', {
            token: token ?? (await this.admin()),
            body,
            headers,
        });
    }

    // The six required fields of a user as they are, and `changes`.
    async update(id, changes, options) {
        return this.put({ ...required(await this.get(id)), ...changes }, options);
    }

    // Bytes over a bare socket; resolves with all that came back once the server closed, or after `wait` ms.
    raw(bytes, { wait = deadlines.usual, end = false } = {}) {
        return new Promise((resolve, reject) => {
            const socket = net.connect(this.port, this.host);
            let answer = '';
            const timer = setTimeout(() => socket.destroy(), wait);
            socket.on('data', (part) => {
                answer += part.toString('latin1');
            });
            socket.on('error', (error) => (answer ? resolve(answer) : reject(error)));
            socket.on('close', () => {
                clearTimeout(timer);
                resolve(answer);
            });
            socket.on('connect', () => {
                socket.write(bytes);
                if (end) socket.end();
            });
        });
    }
}
