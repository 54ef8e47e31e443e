// For tests of addresses and TLS: certificates, requests over any kind of address, and connections
// that are read byte by byte.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import { Server } from './server.mjs';
import { inTime, until } from './wait.mjs';

export const openssl = (...args) => promisify(execFile)('openssl', args);

const kinds = { ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['rsa:2048'] };

// NAME.pem and NAME.key, self-signed for these host names or addresses.
export async function makeCertificate(
    folder,
    name,
    hosts = ['localhost', '127.0.0.1'],
    kind = 'ec',
) {
    const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
    const names = hosts.map((host) => (net.isIP(host) ? `IP:${host}` : `DNS:${host}`)).join(',');
    await openssl(
        'req',
        '-x509',
        '-newkey',
        ...kinds[kind],
        '-nodes',
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=${names}`,
        '-keyout',
        key,
        '-out',
        cert,
    );
    return {
        name,
        cert,
        key,
        pem: readFileSync(cert, 'utf8'),
        options: ['--tls-cert', cert, '--tls-key', key],
    };
}

// A request by node's http or https (with `ca`), as Server.call answers it.
export function ask({ ca, method = 'GET', path = '/healthz', headers = {}, body, ...where }) {
    return new Promise((resolve, reject) => {
        const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
        const request = (ca ? https : http).request(
            { method, path, headers: { ...length, ...headers }, ca, ...where },
            (response) => {
                let text = '';
                response
                    .setEncoding('utf8')
                    .on('data', (part) => {
                        text += part;
                    })
                    .on('error', reject)
                    .on('end', () => {
                        const isJson = /json/.test(response.headers['content-type']);
                        resolve({
                            status: response.statusCode,
                            headers: new Headers(response.headers),
                            text,
                            json: isJson ? JSON.parse(text) : undefined,
                            wasReused: request.reusedSocket,
                        });
                    });
            },
        );
        request.on('error', reject).end(body);
    });
}

// A server whose first address is HTTPS with the certificate `identity`.
export class TlsServer extends Server {
    static async start(identity, args = ['--demo']) {
        const server = await super.start([...identity.options, ...args]);
        server.ca = identity.pem;
        return server;
    }

    get where() {
        return { ca: this.ca, host: this.host, port: this.port, servername: 'localhost' };
    }

    async call(method, path, { token, body, headers = {}, ...where } = {}) {
        const isJson = body !== undefined && typeof body !== 'string';
        return ask({
            ...this.where,
            ...where,
            method,
            path,
            body: isJson ? JSON.stringify(body) : body,
            headers: {
                ...(token ? { Authorization: `Bearer ${token}` } : {}),
                ...(isJson ? { 'Content-Type': 'application/json' } : {}),
                ...headers,
            },
        });
    }
}

export const request = (method, path, { token, body = '', headers = {} } = {}) =>
    [
        `${method} ${path} HTTP/1.1`,
        'Host: localhost',
        ...(token ? [`Authorization: Bearer ${token}`] : []),
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : []),
        '',
        body,
    ].join('\r\n');

// A socket of node's (clear or TLS), all that came by it, and how it ended: 'end' or the code of an error.
export class Wire {
    constructor(socket) {
        this.socket = socket;
        this.parts = [];
        this.size = 0;
        this.unread = ''; // what came behind the replies that were found
        this.found = [];
        socket.on('data', (part) => {
            this.parts.push(part);
            this.size += part.length;
            this.unread += part.toString('latin1');
        });
        socket.on('end', () => {
            this.how ??= 'end';
        });
        socket.on('error', (error) => {
            this.how ??= error.code;
        });
        this.over = new Promise((resolve) => {
            socket.on('close', resolve);
        });
    }

    static async open(socket, event = 'connect') {
        const wire = new Wire(socket);
        await inTime(
            event,
            new Promise((resolve, reject) => {
                socket.once(event, resolve).once('error', reject);
            }),
        );
        return wire;
    }

    static clear(where) {
        return Wire.open(net.connect(where));
    }

    get text() {
        return Buffer.concat(this.parts).toString('latin1');
    }

    write(bytes) {
        this.socket.write(bytes);
    }

    // The replies that are whole so far; Content-Length gives the length of each body.
    replies() {
        for (let end; (end = this.unread.indexOf('\r\n\r\n')) >= 0; ) {
            const head = this.unread.slice(0, end + 2),
                status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
            assert.ok(status, `no reply: ${head.slice(0, 200)}`);
            const length =
                status === 100 ? 0 : Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
            assert.ok(length >= 0, `no length: ${head}`);
            if (end + 4 + length > this.unread.length) break;
            this.found.push({ status, head, body: this.unread.slice(end + 4, end + 4 + length) });
            this.unread = this.unread.slice(end + 4 + length);
        }
        return this.found;
    }

    // The bytes behind the last whole reply.
    get rest() {
        this.replies();
        return this.unread;
    }

    // Waits for so many replies in all.
    async reply(count = 1) {
        await until(
            () => `reply ${count}, after ${this.text.slice(-300)} (${this.how})`,
            () => this.replies().length >= count || this.how,
        );
        const replies = this.replies();
        assert.ok(
            replies.length >= count,
            `${this.how} after ${replies.length} of ${count} replies: ${this.text.slice(-300)}`,
        );
        return replies[count - 1];
    }

    // Waits for its end; how it came.
    async ended() {
        await inTime(`the end, after ${this.text.slice(0, 200)}`, this.over);
        return this.how;
    }
}
