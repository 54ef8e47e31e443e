// A TCP proxy between a server and PostgreSQL, which cuts, holds and freezes connections where a test says so. Of
// PostgreSQL's protocol it knows how messages are framed, so that it finds the COMMIT of a transaction that writes.
import { cpSync, mkdirSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import { folderOf } from './postgres.mjs';
import { Server, temporaryFolder } from './server.mjs';

const letter = { parse: 'P'.charCodeAt(), completed: 'C'.charCodeAt() };

// Splits a stream into messages: `take` gets the whole ones of all that has come. The first that a client sends has no type.
class Messages {
    rest = Buffer.alloc(0);

    constructor(isFirstBare) {
        this.isBare = isFirstBare;
    }

    *take(bytes) {
        this.rest = Buffer.concat([this.rest, bytes]);
        for (;;) {
            const head = this.isBare ? 0 : 1;
            if (this.rest.length < head + 4) return;
            const size = head + this.rest.readUInt32BE(head);
            if (this.rest.length < size) return;
            yield this.rest.subarray(0, size);
            this.rest = this.rest.subarray(size);
            this.isBare = false;
        }
    }
}

// The SQL text that a message has prepared; a Parse has the name of the statement before it.
function textOf(message) {
    if (message[0] !== letter.parse) return undefined;
    const begin = message.indexOf(0, 5) + 1;
    return message.toString('latin1', begin, message.indexOf(0, begin));
}

const isCommitted = (message) =>
    message[0] === letter.completed &&
    message.toString('latin1', 5, message.length - 1) === 'COMMIT';

// One connection of a client, and the proxy's own to PostgreSQL.
class Link {
    up = new Messages(true);
    down = new Messages(false);
    writes = false; // it is in a transaction that writes
    held; // what PostgreSQL has answered since a COMMIT was caught; undefined: nothing is held

    constructor(proxy, client, server) {
        Object.assign(this, { proxy, client, server });
        this.committed = new Promise((resolve) => {
            this.noteCommitted = resolve;
        });
        client.on('data', (bytes) => this.fromClient(bytes));
        server.on('data', (bytes) => this.fromServer(bytes));
        for (const [one, other] of [
            [client, server],
            [server, client],
        ]) {
            one.on('error', () => {});
            one.on('close', () => {
                other.destroy();
                proxy.links.delete(this);
            });
        }
        if (proxy.isFrozen) this.freeze();
    }

    fromClient(bytes) {
        for (const message of this.up.take(bytes)) {
            if (this.proxy.freezeAt && message.includes(this.proxy.freezeAt)) this.freeze();
            const text = textOf(message);
            if (text?.startsWith('BEGIN')) this.writes = text === 'BEGIN'; // a reading says more
            const { atCommit } = this.proxy;
            if (text === 'COMMIT' && this.writes && atCommit) {
                this.proxy.atCommit = undefined;
                this.held = [];
                this.kept = [];
                void atCommit(this);
            }
            (this.kept ?? this).push(message);
        }
    }

    push(message) {
        this.server.write(message);
    }

    fromServer(bytes) {
        for (const message of this.down.take(bytes)) if (isCommitted(message)) this.noteCommitted();
        if (this.held) this.held.push(bytes);
        else this.client.write(bytes);
    }

    // Sends the COMMIT that was caught, and what the client has sent behind it. The answer is still held.
    send() {
        const kept = this.kept;
        this.kept = undefined;
        for (const message of kept) this.push(message);
    }

    // Passes on the answer that was held, and all that follows.
    answer() {
        for (const bytes of this.held) this.client.write(bytes);
        this.held = undefined;
    }

    // Nothing passes any more, nor does the end of a connection; the kernel still takes what is sent.
    freeze() {
        this.client.pause();
        this.server.pause();
    }

    thaw() {
        this.client.resume();
        this.server.resume();
    }

    // Ends the connection on both sides. PostgreSQL still gets the messages that were sent before.
    cut() {
        this.client.destroy();
        this.server.end();
    }
}

export class TcpProxy {
    links = new Set();
    isAway = false; // new connections are refused
    silent = new Set(); // at these addresses of this machine nobody says anything to new connections
    came = []; // the sockets of all connections, in the order in which they came
    isFrozen = false; // new connections are accepted, and hear nothing
    freezeAt; // a text of SQL: a connection hangs that sends it
    atCommit; // is called once, with the link, when a COMMIT was caught: nothing of it was sent yet

    // `url` is that of `database` by way of the proxy. It ends with the tests of the file.
    static async start(database) {
        const proxy = new this();
        const socket = `${folderOf(database)}/.s.PGSQL.5432`;
        proxy.listener = net.createServer((client) => {
            proxy.came.push(client);
            client.address = client.localAddress; // which is gone with the connection
            if (proxy.isAway) client.destroy();
            else if (proxy.silent.has(client.address)) proxy.keep(client);
            else proxy.links.add(new Link(proxy, client, net.connect(socket)));
        });
        await new Promise((resolve) => {
            proxy.listener.listen(0, '0.0.0.0', resolve);
        });
        after(() => {
            proxy.cut();
            for (const client of proxy.came) client.destroy();
            proxy.listener.close();
        });
        const { pathname, searchParams } = new URL(database);
        proxy.url = `postgresql://${searchParams.get('user')}@127.0.0.1:${proxy.listener.address().port}${pathname}?sslmode=disable`;
        return proxy;
    }

    // Lets a connection be, without an answer.
    keep(client) {
        client.on('error', () => {});
        client.resume();
    }

    // Ends all connections.
    cut() {
        for (const link of this.links) link.cut();
    }

    // Lets the database be away: no connection stays, and none can be made, until `comeBack`.
    goAway() {
        this.isAway = true;
        this.cut();
    }

    comeBack() {
        this.isAway = false;
    }

    // Lets the database hang: all connections stay, and nothing is heard on them, until `thaw`.
    freeze() {
        this.isFrozen = true;
        for (const link of this.links) link.freeze();
    }

    thaw() {
        this.isFrozen = false;
        for (const link of this.links) link.thaw();
    }

    // The next COMMIT of a transaction that writes, which is not sent before the test says so.
    nextCommit() {
        return new Promise((resolve) => {
            this.atCommit = resolve;
        });
    }
}

// A folder for another server of the same directory.
export function folderWithKey(origin) {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    cpSync(join(origin.folder, 'data', 'roster.key'), join(folder, 'data', 'roster.key'));
    return folder;
}

// A server that reaches the database of another one through a proxy.
export async function startBehindProxy(origin, args = []) {
    const proxy = await TcpProxy.start(origin.database),
        where = ['--database', proxy.url];
    return { proxy, server: await Server.open(folderWithKey(origin), [...args, ...where], {}) };
}
