// Starts the real server on a free port and speaks to it as clients do. ROSTERD names the binary.
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import net from 'node:net';
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { deadlines, totpStep } from './wait.mjs';

process.env.ROSTER_ALLOW_ROOT ??= '1'; // whoever runs the tests
export const binary = process.env.ROSTERD ?? new URL('../../build/rosterd', import.meta.url).pathname;
// A sanitizer has memory of its own for each allocation, and keeps what was freed.
export const isSanitized = () => /, (address|thread|undefined)/.test(execFileSync(binary, ['--version'], { encoding: 'utf8' }));
export const adminEmail = 'admin@example.com';
export const password = 'demo-password';
export const adminId = 100000001;
export const userId = 87654321;
export const staff = {
    lister: 100000011, reader: 100000012, creator: 100000013, editor: 100000014,
    deleter: 100000015, frontdesk: 100000016, manager: 100000017,
};

export function temporaryFolder() {
    const folder = mkdtempSync(join(tmpdir(), 'roster-test-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
}

// ---- The world: what tests name. It is made through the API in a new database, so nothing of it is the demo's. ----

const businessId = 301, { List, Read, Create, Edit, Delete } = { List: 1, Read: 2, Create: 3, Edit: 4, Delete: 5 }; // the Ids of the roles on users
// By the Id of their user role: who holds it, and what it permits.
const staffRoles = Object.entries({ lister: [List], reader: [Read], creator: [Create], editor: [Edit], deleter: [Delete], frontdesk: [List, Read], manager: [List, Read, Edit] })
    .map(([name, permits], i) => ({ name, permits, role: 401 + i }));

// Makes a record by POST with the Id that is wanted; a database gives them one after the other.
export async function add(server, kind, id, body, token) {
    const paths = { users: 'sys/users', businesses: 'sys/businesses', languages: 'sys/languages', user_roles: 'security/userroles', chat_rooms: 'support/chatrooms', applications: 'apps/applications' };
    const sql = (text) => execFileSync('sqlite3', ['-cmd', '.timeout 10000', join(server.folder, 'data', 'roster.db'), text], { encoding: 'utf8' }).trim();
    const next = sql(`SELECT next FROM next_ids WHERE kind = '${kind}'`);
    sql(`UPDATE next_ids SET next = ${id} WHERE kind = '${kind}'`);
    const made = await server.call('POST', `/api/${paths[kind]}`, { token: token ?? await server.admin(), body });
    assert.equal(made.json?.Value?.Id, id, made.text);
    sql(`UPDATE next_ids SET next = ${Math.max(next, id + 1)} WHERE kind = '${kind}'`);
}

const person = (FullName, Email, more) => ({ FullName, Email, Language: 1, PasswordSalt: '', LastHelpVisited: 0, InvalidLoginAttempts: 0, Active: true, Validated: true, ...more });

// An administrator, one who holds each single permission on users and two who hold several, and an ordinary user.
async function makeWorld(folder, env) {
    const server = new Server();
    server.folder = folder;
    server.args = ['--listen', '127.0.0.1:0', '--data', join(folder, 'data'), '--admin-email', adminEmail, '--admin-password', password];
    server.env = { ...process.env, ...env };
    await server.spawn();
    await add(server, 'businesses', businessId, { Name: 'The House' });
    const hash = execFileSync('sqlite3', [join(folder, 'data', 'roster.db'), `SELECT Password FROM users WHERE Id = ${adminId}`], { encoding: 'utf8' }).trim();
    for (const { name, permits, role } of staffRoles) {
        await add(server, 'user_roles', role, { BusinessId: businessId, Name: `May ${name}`, Roles: permits });
        await add(server, 'users', staff[name], person(`The ${name}`, `${name}@example.com`, { APIAccess: true, Password: hash, Businesses: [businessId], UserRoles: [role] }));
    }
    await add(server, 'users', userId, person('Ada Lovelace', 'ada.lovelace@example.com', { Businesses: [businessId] }));
    await server.stop();
}

// Two businesses more, and two or three of each kind that a user's record points to.
export async function addNeighbours(server) {
    const BusinessId = businessId;
    for (const [id, Name] of [[302, 'The Mill'], [303, 'The Yard']])
        await add(server, 'businesses', id, { Name });
    for (const [id, Name] of [[501, 'Hall'], [502, 'Garden']])
        await add(server, 'chat_rooms', id, { BusinessId, Name, Active: true });
    for (const [id, Name] of [[601, 'en-GB'], [602, 'es-ES'], [603, 'fr-FR']])
        await add(server, 'languages', id, { BusinessId, Name, Culture: Name, DisplayOrder: id, Active: true });
    for (const [id, Name] of [[701, 'Gates'], [702, 'Presses']])
        await add(server, 'applications', id, { DeveloperId: adminId, Name, ShortDescription: 'Opens gates', InstallUrl: 'https://gates.example.com/install', Published: true });
}

// Ordinary users; their Ids.
export async function addMembers(server, count) {
    const ids = Array.from({ length: count }, (_, i) => 100000101 + i);
    for (const id of ids)
        await add(server, 'users', id, person(`Member ${id - 100000100}`, `member${id - 100000100}@example.com`, { Businesses: [businessId] }));
    return ids;
}

// A data folder with the world, to be copied; beside the binary, which it is made with once.
async function world(env) {
    const stamp = `${statSync(binary).mtimeMs}-${statSync(new URL(import.meta.url)).mtimeMs}`, place = `${binary}.world-${stamp}`;
    if (existsSync(place))
        return place;
    for (const name of readdirSync(dirname(binary)).filter((one) => one.startsWith(`${basename(binary)}.world-`) && !one.startsWith(basename(place))))
        rmSync(join(dirname(binary), name), { recursive: true, force: true }); // of an older binary
    const folder = mkdtempSync(join(tmpdir(), 'roster-test-'));
    try {
        await makeWorld(folder, env);
        cpSync(join(folder, 'data'), `${place}.${process.pid}`, { recursive: true });
        renameSync(`${place}.${process.pid}`, place);
    } catch (error) {
        if (!existsSync(place)) // another process may have been faster
            throw error;
    } finally {
        rmSync(folder, { recursive: true, force: true });
        rmSync(`${place}.${process.pid}`, { recursive: true, force: true });
    }
    return place;
}

// Do these say themselves what the database begins with?
const beginsAsTold = (args, env) => args.some((arg) => /^--(demo|data|config|admin-\w+)(=|$)/.test(arg)) || Object.keys(env).some((name) => /^ROSTER_(DEMO|DATA|CONFIG|ADMIN_\w+)$/.test(name));

// Runs the binary, or another program, until it ends by itself.
export function run(args, env = {}, program = binary) {
    return new Promise((resolve) => {
        const child = spawn(program, args, { env: { ...process.env, ...env } });
        let stdout = '', stderr = '';
        child.stdout.on('data', (bytes) => { stdout += bytes; });
        child.stderr.on('data', (bytes) => { stderr += bytes; });
        child.on('close', (code) => resolve({ code, stdout, stderr }));
    });
}

// What a node of an OpenAPI document stands for.
export const follow = (document, node) => (node?.$ref ? node.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : node);

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

export class Server {
    program = binary;

    // Resolves once the ready line is there. Stopped after the tests of the file, and then it must
    // have ended well. Has the world, unless told of something else: --demo, an administrator, a folder.
    static async start(args = [], env = {}) {
        const folder = temporaryFolder();
        if (!beginsAsTold(args, env))
            cpSync(await world(env), join(folder, 'data'), { recursive: true });
        return this.startIn(folder, args, env);
    }

    // The same, with a new database in each case.
    static startNew(args = [], env = {}) {
        return this.startIn(temporaryFolder(), args, env);
    }

    static async startIn(folder, args, env) {
        const server = new this();
        server.folder = folder;
        const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']; // addresses add up
        server.args = [...listen, '--data', join(server.folder, 'data'), ...args];
        server.env = { ...process.env, ...env };
        await server.spawn();
        after(() => server.stop());
        return server;
    }

    // `url`, `host` and `port` are the first address's, `urls` has all of them.
    spawn() {
        this.stdout = this.stderr = '';
        this.child = spawn(this.program, this.args, { env: this.env });
        this.ended = new Promise((resolve) => {
            this.child.on('close', (code, signal) => resolve({ code, signal }));
        });
        this.child.stderr.on('data', (bytes) => { this.stderr += bytes; });
        return new Promise((resolve, reject) => {
            this.child.stdout.on('data', (bytes) => {
                this.stdout += bytes;
                this.urls = [...this.stdout.matchAll(/listening on (.+)\n/g)].map(([, url]) => url);
                if (this.urls.length) {
                    [this.url] = this.urls;
                    [, this.host, this.port] = /^https?:\/\/\[?(.+?)\]?:(\d+)$/.exec(this.url) ?? [];
                    resolve();
                }
            });
            this.ended.then(({ code }) => reject(new Error(`ended with ${code}: ${this.stderr}`)));
        });
    }

    async stop(signal = 'SIGTERM') {
        if (this.child.exitCode === null && this.child.signalCode === null)
            this.child.kill(signal);
        const { code } = await this.ended;
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
        if (token)
            all.Authorization = `Bearer ${token}`;
        if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
            body = JSON.stringify(body);
            all['Content-Type'] ??= 'application/json';
        }
        const ask = () => fetch(this.url + path, { method, headers: all, body, redirect: 'manual', signal });
        // A kept connection may be closed by the server just as it is used again (RFC 9112 section 9.3.1).
        const response = await (method === 'GET' ? ask().catch(ask) : ask());
        const text = await response.text();
        const json = parse(text);
        this.record({ method, path, headers: all, body }, response, text);
        return { status: response.status, headers: response.headers, text, json };
    }

    // The server's own setting: its description depends on it.
    get compatibility() {
        return this.args?.includes('nexudus') ? 'nexudus' : 'roster';
    }

    // For tests/openapi/check.py.
    record({ method, path, headers = {}, body }, response, text) {
        if (!process.env.EXCHANGES_FILE || this.program !== binary)
            return;
        const isLong = body?.length >= 65536;
        appendFileSync(process.env.EXCHANGES_FILE, `${JSON.stringify({
            compatibility: this.compatibility, method, path, headers, isLong, body: isLong ? undefined : body?.toString(), status: response.status,
            replyHeaders: Object.fromEntries(response.headers), size: text.length, reply: parse(text),
        })}\n`);
    }

    grant(form, headers = {}) {
        return this.call('POST', '/api/token', {
            body: new URLSearchParams(form).toString(),
            headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        });
    }

    async token(email = adminEmail, secret = password) {
        const { status, json, text } = await this.grant({ grant_type: 'password', username: email, password: secret });
        assert.equal(status, 200, text);
        return json.access_token;
    }

    // The administrator's token, asked for once.
    admin() {
        this.adminToken ??= this.token();
        return this.adminToken;
    }

    async get(id, token) {
        return (await this.call('GET', `/api/sys/users/${id}`, { token: token ?? await this.admin() })).json;
    }

    async put(body, { token, headers } = {}) {
        return this.call('PUT', '/api/sys/users', { token: token ?? await this.admin(), body, headers });
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
            socket.on('data', (part) => { answer += part.toString('latin1'); });
            socket.on('error', (error) => (answer ? resolve(answer) : reject(error)));
            socket.on('close', () => { clearTimeout(timer); resolve(answer); });
            socket.on('connect', () => {
                socket.write(bytes);
                if (end)
                    socket.end();
            });
        });
    }
}

export function required(user) {
    const { Id, FullName, Email, Language, PasswordSalt, LastHelpVisited, InvalidLoginAttempts } = user;
    return { Id, FullName, Email, Language, PasswordSalt, LastHelpVisited, InvalidLoginAttempts };
}

// The code of a step of 30 s (RFC 6238) for a secret in base32.
export function totp(secret, step = totpStep()) {
    const bits = [...secret].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
    const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac('sha1', key).update(counter).digest();
    const at = mac[19] & 15;
    return String((mac.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

export function assertInvalid(reply, property, message) {
    assert.equal(reply.status, 400, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['Message', 'Value', 'Errors', 'WasSuccessful']);
    assert.equal(reply.json.Value, null);
    assert.equal(reply.json.WasSuccessful, false);
    const error = reply.json.Errors.find((one) => one.PropertyName === property);
    assert.ok(error, `no error on ${property}: ${reply.text}`);
    assert.deepEqual(Object.keys(error), ['AttemptedValue', 'Message', 'PropertyName']);
    assert.match(error.Message, message);
    assert.ok(reply.json.Message.includes(`${property}: ${error.Message}`));
    return error;
}

export function assertFailure(reply, status) {
    assert.equal(reply.status, status, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['Status', 'Message', 'Value', 'Errors', 'WasSuccessful']);
    assert.equal(reply.json.Status, status);
    assert.equal(reply.json.Value, null);
    assert.equal(reply.json.WasSuccessful, false);
    return reply.json;
}

// The one table of fields, as the server has it: src/model/user_fields.def with what it includes.
export function fieldTable() {
    const folder = new URL('../../src/model/', import.meta.url);
    const read = (name) => readFileSync(new URL(name, folder), 'utf8')
        .replace(/#include "model\/(.*)"/g, (_, other) => read(other));
    const rows = [...read('user_fields.def').matchAll(/^FIELD\((\w+), (\w+), (\d+), ([^,]+), (\w+)\)/gm)];
    return rows.map(([, name, type, max, flags, target]) => ({
        name, type, max: Number(max), flags: flags.split(/\s*\|\s*/), target,
    })).filter((field) => !field.flags.includes('HIDDEN'));
}

// Users of a database file, by Id, as replies show them. Rows are packed (src/store/row_compression.h): four bytes of
// head (which dictionary, a bit, how long the JSON is), then an LZ4 block.
export function storedUsers(file, where = '1') {
    const rows = (sql) => JSON.parse(execFileSync('sqlite3', ['-json', file, sql], { encoding: 'utf8', maxBuffer: 1 << 28 }) || '[]');
    const dictionaries = new Map(rows('SELECT id, text FROM dictionaries').map(({ id, text }) => [id, Buffer.from(text)]));
    return new Map(rows(`SELECT Id, hex(Members) AS packed FROM users WHERE ${where}`).map(({ Id, packed }) => [Id, unpack(Buffer.from(packed, 'hex'), dictionaries)]));
}

function unpack(packed, dictionaries) {
    if (packed[0] === '{'.charCodeAt())
        return JSON.parse(packed);
    const dictionary = dictionaries.get(packed[0]), json = Buffer.alloc(dictionary.length + (packed.readUIntBE(1, 3) & 0x7fffff));
    let from = 4, to = dictionary.copy(json);
    const extended = (length) => {
        for (let byte = length === 15 ? 255 : 0; byte === 255; length += byte)
            byte = packed[from++];
        return length;
    };
    while (from < packed.length) {
        const token = packed[from++], literals = extended(token >> 4);
        to += packed.copy(json, to, from, from + literals);
        from += literals;
        if (from === packed.length)
            break;
        const back = packed.readUInt16LE(from);
        from += 2;
        for (let length = extended(token & 15) + 4; length; length--, to++)
            json[to] = json[to - back];
    }
    return JSON.parse(json.subarray(dictionary.length));
}
