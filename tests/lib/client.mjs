// An HTTP/1.1 client that sends exactly the bytes that a test gives it, and reads replies as
// strictly as a server has to write them (RFC 9112).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { deadlines } from './wait.mjs';

const single = new Set([
    'connection',
    'content-length',
    'content-type',
    'date',
    'etag',
    'location',
]);

// The first reply in `text` from `at` on, or undefined while it is not whole. Each has its length as a header, since
// the server sends no chunks but in exports.
export function parseReply(text, at = 0, { isHead = false } = {}) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end < 0) return undefined;
    const [statusLine, ...lines] = text.slice(at, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]*$/.exec(statusLine)?.[1]);
    assert.ok(status, `no status line: ${JSON.stringify(statusLine)}`);
    const headers = {};
    for (const line of lines) {
        const [, name, value] =
            /^([!#$%&'*+.^_`|~\w-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ??
            assert.fail(`no header: ${JSON.stringify(line)}`);
        const key = name.toLowerCase();
        assert.ok(!(key in headers) || !single.has(key), `${name} twice`);
        headers[key] = key in headers ? `${headers[key]}, ${value}` : value; // RFC 9110 section 5.3
    }
    // RFC 9110 section 6.6.1
    if (status >= 200 && status < 500)
        assert.match(
            headers.date ?? 'none',
            /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
            `Date of ${statusLine}`,
        );
    const hasBody = status >= 200 && status !== 204 && status !== 304; // RFC 9112 section 6.3
    assert.ok(
        !hasBody || /^\d+$/.test(headers['content-length']),
        `no Content-Length: ${statusLine}`,
    );
    const start = end + 4,
        size = hasBody && !isHead ? Number(headers['content-length']) : 0;
    if (text.length < start + size) return undefined;
    return {
        status,
        headers,
        body: Buffer.from(text.slice(start, start + size), 'latin1').toString(),
        end: start + size,
    };
}

export class Client {
    #wake = () => {};
    #at = 0; // how much of what came was given as replies
    text = ''; // all that came, a character a byte
    isOver = false; // the server has closed its side, or there was an error

    // Of a connection that is only paused, nothing is read until `read`.
    static async connect(server, { isPaused = false } = {}) {
        const client = new Client();
        client.socket = net.connect({
            port: server.port,
            host: server.host,
            allowHalfOpen: true,
            noDelay: true,
        });
        client.socket
            .on('end', () => client.#end())
            .on('error', (error) => client.#end(error))
            .on('close', () => client.#end());
        await new Promise((resolve, reject) => {
            client.socket.once('connect', resolve).once('error', reject);
        });
        if (!isPaused) client.read();
        return client;
    }

    read() {
        this.socket.on('data', (part) => {
            this.text += part.toString('latin1');
            this.#wake();
        });
        return this;
    }

    #end(error) {
        this.error ??= error;
        this.isOver = true;
        this.#wake();
    }

    // Resolves once the system took all of it; `text` has a character a byte.
    write(text) {
        return new Promise((resolve, reject) => {
            this.socket.write(text, 'latin1', (error) => (error ? reject(error) : resolve()));
        });
    }

    // Each piece is sent by itself, and the server has a chance to read it before the next. What nobody reads any
    // more is not said.
    async writePieces(pieces) {
        for (const piece of pieces) {
            if (this.isOver) break;
            this.write(piece).catch(() => {}); // `error` tells
            await turn();
        }
    }

    // What `look` finds, once it finds something or the connection is over.
    async #until(look) {
        let timer;
        const late = new Promise((resolve, reject) => {
            timer = setTimeout(
                () =>
                    reject(
                        new Error(`nothing more after ${JSON.stringify(this.text.slice(-500))}`),
                    ),
                deadlines.usual,
            );
        });
        try {
            for (;;) {
                const woken = new Promise((resolve) => {
                    this.#wake = resolve;
                });
                const found = look();
                if (found !== undefined || this.isOver) return found;
                await Promise.race([woken, late]);
            }
        } finally {
            clearTimeout(timer);
            late.catch(() => {});
        }
    }

    // The next reply, also an interim one (100).
    async reply(options) {
        const reply = await this.#until(() => parseReply(this.text, this.#at, options));
        if (!reply)
            throw (
                this.error ?? new Error(`closed after ${JSON.stringify(this.text.slice(this.#at))}`)
            );
        this.#at = reply.end;
        return reply;
    }

    // All further replies, to requests of these methods (GET where none is named), until the server closes its side. What
    // is no whole reply, and a reset, are errors.
    async rest(methods = []) {
        await this.#until(() => undefined);
        if (this.error) throw this.error;
        const replies = [];
        let finals = 0;
        while (this.#at < this.text.length) {
            const reply = parseReply(this.text, this.#at, { isHead: methods[finals] === 'HEAD' });
            if (!reply)
                throw new Error(`half a reply: ${JSON.stringify(this.text.slice(this.#at))}`);
            this.#at = reply.end;
            finals += reply.status >= 200 ? 1 : 0;
            replies.push(reply);
        }
        this.close();
        return replies;
    }

    // Says that nothing more is said, but goes on listening.
    end() {
        this.socket.end();
        return this;
    }

    close() {
        this.socket.destroy();
    }
}

// All replies to what is said at once, until the server closes.
export async function ask(server, text, methods) {
    const client = await Client.connect(server);
    await client.write(text);
    return client.rest(methods);
}

export const statuses = (replies) => replies.map(({ status }) => status);

// A refusal by the HTTP layer itself: the envelope that every failure has, and the connection is closed.
export function assertRefusal(reply, status) {
    assert.equal(reply.status, status, reply.body);
    assert.match(reply.headers['content-type'] ?? '', /^application\/json(;|$)/);
    assert.equal(reply.headers.connection, 'close');
    const { Message, ...envelope } = JSON.parse(reply.body);
    assert.deepEqual(envelope, { Status: status, Value: null, Errors: null, WasSuccessful: false });
    assert.ok(typeof Message === 'string' && Message.length > 0);
}

// Runs `task` for each, so many at once; gives the outcomes in order.
export async function forEach(list, atOnce, task) {
    const outcomes = [];
    let next = 0;
    await Promise.all(
        Array.from({ length: Math.min(atOnce, list.length) }, async () => {
            for (let i = next++; i < list.length; i = next++) outcomes[i] = await task(list[i], i);
        }),
    );
    return outcomes;
}

// The system's connections over IPv4: a row of words each.
const connections = () =>
    readFileSync('/proc/net/tcp', 'latin1')
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/));
const ending = (port) => `:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`;

// How many bytes that a socket was given to send its peer, on this machine, has not read yet.
export function queued({ localPort, remotePort }) {
    const own = ending(localPort),
        other = ending(remotePort);
    return connections().reduce((sum, [, local, remote, , queues]) => {
        const [toSend, toRead] = queues?.split(':').map((digits) => parseInt(digits, 16)) ?? [];
        return (
            sum +
            (local?.endsWith(own) && remote.endsWith(other)
                ? toSend
                : local?.endsWith(other) && remote.endsWith(own)
                  ? toRead
                  : 0)
        );
    }, 0);
}

// The server's sides of its connections, as the system has them: those that the server holds open, and how many bytes of
// theirs it has not read yet.
export function held({ port }) {
    const local = ending(port),
        listening = '0A';
    const rows = connections().filter(
        ([, address, , state, , , , , , inode]) =>
            address?.endsWith(local) && state !== listening && inode !== '0',
    );
    return {
        count: rows.length,
        unread: rows.reduce((sum, [, , , , queues]) => sum + parseInt(queues.split(':')[1], 16), 0),
    };
}
