// HTTP/2 frame by frame (RFC 9113): what no ordinary client would send.
import net from 'node:net';
import { queued } from './client.mjs';
import { deadlines, until } from './wait.mjs';

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const type = {
    DATA: 0,
    HEADERS: 1,
    PRIORITY: 2,
    RST_STREAM: 3,
    SETTINGS: 4,
    PUSH_PROMISE: 5,
    PING: 6,
    GOAWAY: 7,
    WINDOW_UPDATE: 8,
    CONTINUATION: 9,
};
export const flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 };
export const code = {
    NO_ERROR: 0,
    PROTOCOL_ERROR: 1,
    INTERNAL_ERROR: 2,
    FLOW_CONTROL_ERROR: 3,
    SETTINGS_TIMEOUT: 4,
    STREAM_CLOSED: 5,
    FRAME_SIZE_ERROR: 6,
    REFUSED_STREAM: 7,
    CANCEL: 8,
    COMPRESSION_ERROR: 9,
    CONNECT_ERROR: 10,
    ENHANCE_YOUR_CALM: 11,
};
export const setting = {
    HEADER_TABLE_SIZE: 1,
    ENABLE_PUSH: 2,
    MAX_CONCURRENT_STREAMS: 3,
    INITIAL_WINDOW_SIZE: 4,
    MAX_FRAME_SIZE: 5,
    MAX_HEADER_LIST_SIZE: 6,
};

const number = (bytes, value) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntBE(value, 0, bytes);
    return buffer;
};

export function frame(kind, flags, stream, payload = Buffer.alloc(0)) {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
    return Buffer.concat([
        number(3, bytes.length),
        Buffer.from([kind, flags]),
        number(4, stream),
        bytes,
    ]);
}

// RFC 7541 section 5.1: an integer behind `bits` of a first byte.
function integer(value, bits, first = 0) {
    const most = (1 << bits) - 1;
    if (value < most) return Buffer.from([first | value]);
    const bytes = [first | most];
    for (value -= most; value >= 128; value >>= 7) bytes.push((value & 127) | 128);
    return Buffer.from([...bytes, value]);
}

const literal = (text) => Buffer.concat([integer(text.length, 7), Buffer.from(text, 'latin1')]);

// A list of fields, each as a literal that changes no table (RFC 7541 section 6.2.2).
export const fields = (list) =>
    Buffer.concat(
        list.map(([name, value]) =>
            Buffer.concat([Buffer.from([0]), literal(name), literal(value)]),
        ),
    );

// One that is kept in the table (section 6.2.1), and a reference to one that is there (section 6.1).
export const kept = (name, value) =>
    Buffer.concat([Buffer.from([0x40]), literal(name), literal(value)]);
export const reference = (index) => integer(index, 7, 0x80);

// The fields of a request; `more` stand behind them, an entry of `instead` replaces or (undefined) removes one.
export function request(method = 'GET', path = '/healthz', more = [], instead = {}) {
    const pseudo = {
        ':method': method,
        ':scheme': 'http',
        ':path': path,
        ':authority': 'x',
        ...instead,
    };
    return [...Object.entries(pseudo).filter(([, value]) => value !== undefined), ...more];
}

export const get = (stream, more = [], instead = {}) =>
    frame(
        type.HEADERS,
        flag.END_HEADERS | flag.END_STREAM,
        stream,
        fields(request('GET', '/healthz', more, instead)),
    );
// The head of a request with a body; the body is to come.
export const post = (stream, more = []) =>
    frame(type.HEADERS, flag.END_HEADERS, stream, fields(request('POST', '/api/token', more)));
// The same of one that may be large: its password is only looked at when the body is there. Without a length the head
// names none.
export const put = (stream, length, authorization = 'Basic bm9ib2R5OndvcmQ=') =>
    frame(
        type.HEADERS,
        flag.END_HEADERS,
        stream,
        fields(
            request('PUT', '/api/sys/users', [
                ['authorization', authorization],
                ...(length ? [['content-length', String(length)]] : []),
            ]),
        ),
    );
export const data = (stream, payload, flags = 0) => frame(type.DATA, flags, stream, payload);
export const last = (stream, payload = '') => data(stream, payload, flag.END_STREAM);
export const settings = (list = [], flags = 0) =>
    frame(
        type.SETTINGS,
        flags,
        0,
        Buffer.concat(
            list.map(([name, value]) => Buffer.concat([number(2, name), number(4, value)])),
        ),
    );
export const acknowledge = () => settings([], flag.ACK);
export const ping = (payload = 'pingpong', flags = 0) => frame(type.PING, flags, 0, payload);
export const reset = (stream, why = code.CANCEL) =>
    frame(type.RST_STREAM, 0, stream, number(4, why));
export const windowUpdate = (stream, more) => frame(type.WINDOW_UPDATE, 0, stream, number(4, more));
export const priority = (stream, on = 0) =>
    frame(type.PRIORITY, 0, stream, Buffer.concat([number(4, on), Buffer.from([15])]));
export const goaway = (stream = 0, why = 0) =>
    frame(type.GOAWAY, 0, 0, Buffer.concat([number(4, stream), number(4, why)]));

// RFC 7541 appendix B, as far as a status takes it.
const digits = {
    '00000': 0,
    '00001': 1,
    '00010': 2,
    '011001': 3,
    '011010': 4,
    '011011': 5,
    '011100': 6,
    '011101': 7,
    '011110': 8,
    '011111': 9,
};

function huffmanDigits(bytes) {
    let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join(''),
        text = '';
    for (let length = 5; length <= 6; length++) {
        const digit = digits[bits.slice(0, length)];
        if (digit === undefined) continue;
        text += digit;
        bits = bits.slice(length);
        length = 4;
    }
    return text;
}

// The :status of a head of a reply. It comes first, and with a table of size 0 always stands for itself.
export function statusOf(block) {
    const known = [200, 204, 206, 304, 400, 404, 500];
    let at = 0;
    while ((block[at] & 0xe0) === 0x20) at++; /* the table's size, here less than 31 */
    if (block[at] & 0x80) return known[(block[at] & 0x7f) - 8];
    const size = block[at + 1] & 0x7f,
        value = block.subarray(at + 2, at + 2 + size);
    return Number(block[at + 1] & 0x80 ? huffmanDigits(value) : value.toString('latin1'));
}

// A connection. Frames that come are kept in `frames`, and summed up in `streams` and `goaway`.
export class Connection {
    frames = [];
    streams = new Map(); // stream => { status, interim, size, isWhole, reset }
    goaway = undefined; // the last one: { last, code }
    closed = false;
    #rest = Buffer.alloc(0);
    #waiting = new Set();

    // `begin`: sends the preface and SETTINGS. Unless `acknowledges` is false the server's are acknowledged.
    constructor(
        { port, host },
        { begin = true, list = [], acknowledges = true, reads = true } = {},
    ) {
        this.acknowledges = acknowledges;
        this.socket = net.connect(port, host);
        this.socket.setNoDelay(true);
        this.socket.on('data', (part) => this.#take(part));
        this.socket.on('error', () => {});
        this.socket.on('end', () => this.#end());
        this.socket.on('close', () => this.#end());
        this.gone = new Promise((resolve) => {
            this.socket.on('close', resolve);
        });
        if (!reads) this.socket.pause();
        if (begin) this.send(preface, settings([[setting.HEADER_TABLE_SIZE, 0], ...list]));
    }

    send(...frames) {
        if (this.socket.writable) this.socket.write(Buffer.concat(frames));
    }

    #end() {
        this.closed = true;
        this.#look();
    }

    #take(part) {
        this.#rest = Buffer.concat([this.#rest, part]);
        while (this.#rest.length >= 9) {
            const size = this.#rest.readUIntBE(0, 3);
            if (this.#rest.length < 9 + size) break;
            const one = {
                type: this.#rest[3],
                flags: this.#rest[4],
                stream: this.#rest.readUInt32BE(5),
                payload: this.#rest.subarray(9, 9 + size),
            };
            this.#rest = this.#rest.subarray(9 + size);
            this.frames.push(one);
            this.#note(one);
        }
        this.#look();
    }

    stream(id) {
        if (!this.streams.has(id)) this.streams.set(id, { size: 0, body: '' });
        return this.streams.get(id);
    }

    #note({ type: kind, flags, stream: id, payload }) {
        const stream = id ? this.stream(id) : undefined;
        if (kind === type.HEADERS) {
            const status = statusOf(payload);
            stream[status < 200 ? 'interim' : 'status'] = status;
        } else if (kind === type.DATA) {
            stream.size += payload.length;
            if (stream.body.length < 1000) stream.body += payload.toString();
        } else if (kind === type.RST_STREAM) {
            stream.reset = payload.readUInt32BE(0);
        } else if (kind === type.GOAWAY) {
            this.goaway = { last: payload.readUInt32BE(0), code: payload.readUInt32BE(4) };
        } else if (kind === type.SETTINGS && !(flags & flag.ACK) && this.acknowledges) {
            this.send(acknowledge());
        }
        if (stream && flags & flag.END_STREAM && (kind === type.HEADERS || kind === type.DATA))
            stream.isWhole = true;
    }

    #look() {
        for (const waiting of this.#waiting)
            if (waiting.condition()) {
                this.#waiting.delete(waiting);
                clearTimeout(waiting.timer);
                waiting.resolve();
            }
    }

    // Resolves once the condition holds.
    until(condition, what = condition.toString()) {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                this.close();
                reject(
                    new Error(
                        `never came: ${what}; ${JSON.stringify({ goaway: this.goaway, closed: this.closed, streams: [...this.streams] }).slice(0, 500)}`,
                    ),
                );
            }, deadlines.usual);
            this.#waiting.add({ condition, resolve, timer });
            this.#look();
        });
    }

    // Resolves once the server has read all that was sent, or the connection is over.
    allRead() {
        return until('all is read', () => this.closed || queued(this.socket) === 0, { pause: 0 });
    }

    count(kind, flags = 0) {
        return this.frames.filter((one) => one.type === kind && (one.flags & flags) === flags)
            .length;
    }

    // Resolves once the server has answered all that was sent, or has closed. The answer to a PING
    // overtakes replies, but the server reads the second PING only after it has sent those.
    async settle() {
        for (let round = 0; round < 2 && !this.closed; round++) {
            const before = this.count(type.PING, flag.ACK);
            this.send(ping());
            await this.until(
                () => this.closed || this.count(type.PING, flag.ACK) > before,
                'the answer to PING',
            );
        }
    }

    // Waits for the reply to a stream, or the end of the connection.
    whole(...ids) {
        return this.until(
            () =>
                this.closed ||
                ids.every(
                    (id) =>
                        this.streams.get(id)?.isWhole || this.streams.get(id)?.reset !== undefined,
                ),
            `replies to ${ids}`,
        );
    }

    ended() {
        return this.until(() => this.closed, 'the end of the connection');
    }

    close() {
        this.socket.destroy();
    }
}
