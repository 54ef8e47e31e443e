// The calls that move a client's bytes fail, one after the other, at every place of a fixed
// sequence of requests. Other clients are served, a change that was answered is stored, later
// requests work, and no descriptor is left.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { userId } from '../lib/ids.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';
import { deadlines, sleep, until } from '../lib/wait.mjs';
import {
    ECONNABORTED,
    ECONNRESET,
    EINTR,
    EMFILE,
    ENOBUFS,
    ENOMEM,
    EPERM,
    EPIPE,
    ETIMEDOUT,
    Faults,
    stride,
} from './faults.mjs';

const faults = new Faults();
const server = await faults.start(['--demo', '--io-threads', '1']);
const token = await server.admin();
const original = required(await server.get(userId, token));
const whole = (await server.call('GET', '/api/openapi.json')).text;
let number = 0;

// One connection, on which replies are read by their length.
class Wire {
    constructor() {
        this.bytes = Buffer.alloc(0);
        this.isOver = false;
        this.wake = () => {};
        this.socket = net.connect(server.port, server.host);
        this.socket.setNoDelay();
        this.socket.on('data', (part) => {
            this.bytes = Buffer.concat([this.bytes, part]);
            this.wake();
        });
        this.socket.on('error', () => {});
        this.socket.on('close', () => {
            this.isOver = true;
            this.wake();
        });
    }

    // Waits until `found` returns something. undefined when the connection ends before.
    async until(found) {
        const timer = setTimeout(
            () => this.socket.destroy(new Error('nothing came')),
            deadlines.usual,
        );
        for (;;) {
            const what = found();
            if (what !== undefined || this.isOver) {
                clearTimeout(timer);
                return what;
            }
            await new Promise((resolve) => {
                this.wake = resolve;
            });
        }
    }

    take() {
        const head = this.bytes.indexOf('\r\n\r\n');
        if (head < 0) return undefined;
        const text = this.bytes.toString('latin1', 0, head);
        const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]);
        const length = status === 100 ? 0 : Number(/^content-length: (\d+)$/im.exec(text)?.[1]);
        assert.ok(status >= 100 && length >= 0, text);
        if (this.bytes.length < head + 4 + length) return undefined;
        const body = this.bytes.toString('utf8', head + 4, head + 4 + length);
        this.bytes = this.bytes.subarray(head + 4 + length);
        return { status, body };
    }

    async send(bytes, size = Infinity) {
        for (let at = 0; at < bytes.length && !this.isOver; at += size)
            await new Promise((resolve) => {
                this.socket.write(bytes.slice(at, at + size), 'latin1', resolve);
            });
    }

    // The reply, { status, body }; status 0: none came.
    async reply() {
        return (await this.until(() => this.take())) ?? { status: 0 };
    }

    async ask(bytes, size) {
        await this.send(bytes, size);
        return this.reply();
    }

    // Reads nothing for a while, so that the server cannot send all at once.
    async askSlowly(bytes, size) {
        this.socket.pause();
        await this.send(bytes, size);
        await sleep(10);
        this.socket.resume();
        return this.reply();
    }

    async end() {
        this.socket.destroy();
        await this.until(() => undefined);
    }
}

function head(method, path, headers = '') {
    return `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${headers}\r\n`;
}

function put(changes, { padding = 0, headers = '' } = {}) {
    const body = JSON.stringify({ ...original, ...changes }) + ' '.repeat(padding);
    return [
        head(
            'PUT',
            '/api/sys/users',
            `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers}`,
        ),
        body,
    ];
}

const get = head('GET', `/api/sys/users/${userId}`);
const isServed = ({ status, body }) => status === 200 && JSON.parse(body).Id === userId;

// The sequence, until the connection breaks: how many replies came, and what is known to be stored.
async function run(size) {
    const wire = new Wire();
    const first = ++number,
        second = ++number;
    let stored = null,
        replies = 0;
    const next = async (reply, check) => {
        if (reply.status === 0) return false;
        assert.ok(check(reply), `${reply.status} ${reply.body.slice(0, 200)}`);
        replies++;
        return true;
    };
    const isStored =
        (what) =>
        ({ status }) => {
            stored = status === 200 ? what : stored;
            return status === 200;
        };
    const expecting = put(
        { LastHelpVisited: second },
        { padding: 200000, headers: 'Expect: 100-continue\r\n' },
    );
    const steps = [
        async () =>
            next(await wire.ask(put({ LastHelpVisited: first }).join(''), size), isStored(first)),
        async () => next(await wire.ask(get, size), isServed),
        async () =>
            next(await wire.ask(get + get, size), isServed) && next(await wire.reply(), isServed),
        async () =>
            next(
                await wire.askSlowly(head('GET', '/api/openapi.json'), size),
                ({ body }) => body === whole,
            ),
        async () => next(await wire.ask(expecting[0], size), ({ status }) => status === 100),
        async () =>
            next(
                await wire.ask(expecting[1], size === undefined ? size : size * 1000),
                isStored(second),
            ),
    ];
    for (const step of steps) if (!(await step())) break;
    await wire.end();
    return { replies, stored, attempted: [first, second] };
}

const all = 7; // replies of the sequence
const count = () => readdirSync(`/proc/${server.child.pid}/fd`).length;

// The descriptors are those that there were; the server closes at its own pace.
async function assertNoneLeft(before, where) {
    await until(
        () => `${where}: ${count()} descriptors, ${before} before`,
        () => count() <= before,
    );
}

// After each fault: others are served as before, and what was answered is stored.
async function assertAlive(other, result, where) {
    assert.ok(isServed(await other.ask(get)), `${where}: the other connection`);
    const fresh = new Wire();
    const reply = await fresh.ask(get);
    assert.ok(isServed(reply), `${where}: a fresh connection`);
    const found = JSON.parse(reply.body).LastHelpVisited;
    const last = result.attempted.indexOf(result.stored);
    const possible = [
        ...result.attempted.slice(Math.max(last, 0)),
        ...(last < 0 ? [result.before] : []),
    ];
    assert.ok(possible.includes(found), `${where}: ${found} is stored, not one of ${possible}`);
    await fresh.end();
    return found;
}

// Lets the n-th call of a kind fail, for all n that there are. Transparent faults are not noticed at all.
async function sweep(kind, code, { step = 1, isTransparent = false, size } = {}) {
    const other = new Wire();
    assert.ok(isServed(await other.ask(get)));
    const descriptors = count();
    let before = (await run(size)).stored,
        broken = 0;
    await assertNoneLeft(descriptors, 'before');
    const struck = await faults.sweep(
        kind,
        step,
        async (arm) => {
            arm();
            const result = await run(size);
            return async (where) => {
                assert.ok(
                    !isTransparent || result.replies === all,
                    `${where}: ${result.replies} replies`,
                );
                broken += result.replies < all;
                before = await assertAlive(other, { ...result, before }, where);
                await assertNoneLeft(descriptors, where);
            };
        },
        { code },
    );
    await other.end();
    console.log(`# ${kind}: ${struck} struck, ${broken} connections broke`);
    return { struck, broken };
}

for (const [kind, code, name] of [
    ['recv', ECONNRESET, 'ECONNRESET'],
    ['recv', ETIMEDOUT, 'ETIMEDOUT'],
    ['recv', ENOMEM, 'ENOMEM'],
    ['send', EPIPE, 'EPIPE'],
    ['send', ECONNRESET, 'ECONNRESET'],
    ['send', ENOBUFS, 'ENOBUFS'],
])
    test(`${name} from each ${kind} ends that connection alone`, async () => {
        const { struck, broken } = await sweep(kind, code);
        assert.ok(broken >= 6, `${broken} of ${struck}`); // the last one may be that of the end
    });

for (const kind of ['recv', 'send'])
    test(`EINTR from each ${kind} is not noticed`, async () => {
        const { struck } = await sweep(kind, EINTR, { isTransparent: true });
        assert.ok(struck >= 6, `${struck}`);
    });

test('a connection that epoll does not take is closed', async () => {
    for (const code of [ENOMEM, ENOBUFS]) {
        const { struck, broken } = await sweep('poll', code);
        assert.ok(struck === 1 && broken === 1, `${broken} of ${struck}`);
    }
});

test('a connection that cannot be accepted now is accepted later', async () => {
    for (const code of [EMFILE, ENOMEM, ENOBUFS, EINTR, ECONNABORTED, EPERM]) {
        const { struck } = await sweep('accept', code, { isTransparent: true });
        assert.ok(struck >= 1, `${struck}`);
    }
});

test('EINTR from each epoll_wait is not noticed', async () => {
    let number_of = 0;
    for (let n = 1; n <= 30; n++) {
        faults.arm('wait', n, { code: EINTR });
        const result = await run();
        number_of += faults.mend('wait');
        assert.equal(result.replies, all);
    }
    assert.ok(number_of >= 5, `${number_of}`);
});

test('with the smallest buffer, and requests byte by byte, everything is as ever', async () => {
    faults.setSendBuffer(1);
    for (const size of [undefined, 1, 7]) {
        const result = await run(size);
        assert.equal(result.replies, all, `in pieces of ${size}`);
        assert.equal(result.stored, result.attempted[1]);
    }
    for (const [kind, code] of [
        ['recv', EINTR],
        ['send', EINTR],
        ['recv', ECONNRESET],
        ['send', EPIPE],
    ]) {
        const { struck } = await sweep(kind, code, { isTransparent: code === EINTR });
        assert.ok(struck >= 6, `${struck}`);
    }
    faults.setSendBuffer(0);
});

for (const kind of ['arena', 'memory'])
    test(`each piece of ${kind} is refused once: a 500 or no reply, and then all is as before`, async () => {
        const other = new Wire();
        assert.ok(isServed(await other.ask(get)));
        const descriptors = count();
        const struck = await faults.sweep(kind, stride, async (arm) => {
            const wire = new Wire();
            arm();
            const replies = [await wire.ask(get + get), await wire.reply()];
            replies.push(
                await wire.ask(put({ LastHelpVisited: ++number }, { padding: 200000 }).join('')),
            );
            replies.push(await wire.ask(head('GET', '/api/openapi.json')));
            return async (where) => {
                for (const { status } of replies)
                    assert.ok([0, 200, 500, 503].includes(status), `${where}: ${status}`);
                await wire.end();
                assert.ok(isServed(await other.ask(get)), `${where}: the other connection`);
                await assertNoneLeft(descriptors, where);
            };
        });
        assert.ok(struck > 0);
        await other.end();
    });

test('signing in goes on through EINTR at every call', async () => {
    const body = `grant_type=password&username=${adminEmail}&password=${password}`;
    const bytes =
        'POST /api/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n' +
        `Content-Length: ${body.length}\r\n\r\n${body}`;
    for (const kind of ['recv', 'send'])
        await faults.sweep(
            kind,
            1,
            async (arm) => {
                arm();
                const wire = new Wire();
                const reply = await wire.ask(bytes);
                return async (where) => {
                    assert.equal(reply.status, 200, where);
                    await wire.end();
                };
            },
            { code: EINTR },
        );
});
