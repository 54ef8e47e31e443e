// Limits on the memory, disk space and time that clients without credentials and ordinary users may
// take. The figures of memory are those of the plain build; a sanitizer uses more.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { deflateSync } from 'node:zlib';
import { createHash, randomBytes } from 'node:crypto';
import { Wire, request } from '../lib/tls.mjs';
import { until, within } from '../lib/wait.mjs';
import { adminId, businessId, userId } from '../lib/ids.mjs';
import { assertInvalid } from '../lib/replies.mjs';
import { isSanitized, Server } from '../lib/server.mjs';
import { adminEmail, password } from '../lib/users.mjs';

const isJudged = !isSanitized(),
    MIB = 1024 * 1024;
const server = await Server.start(['--metrics']);
const token = await server.admin();

const open = (where = server) => Wire.clear({ host: where.host, port: where.port });
const resident = (where = server) =>
    1024 *
    Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${where.child.pid}/status`, 'utf8'))[1]);

// Where memory is short, requests for figures may be refused, too: how many were, of each server.
const unanswered = new Map();

async function figure(name, where = server) {
    const { text } = await until('/metrics answers', async () => {
        const reply = await where.call('GET', '/metrics');
        if (reply.status === 503) unanswered.set(where, (unanswered.get(where) ?? 0) + 1);
        return reply.status === 200 && reply;
    });
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
}

// The requests that were refused for this reason, but for those of `figure`.
async function refused(reason, where = server) {
    const all = await figure(`roster_refused_total{reason="${reason}"}`, where);
    return all - (reason === 'memory' ? (unanswered.get(where) ?? 0) : 0);
}

async function gather(count, write, where = server) {
    const wires = [];
    while (wires.length < count) {
        const wire = await open(where);
        write(wire, wires.length);
        wires.push(wire);
    }
    return wires;
}

const part = (wires) => wires.forEach((wire) => wire.socket.destroy());

function assertHolds(least, most, where = server) {
    const now = resident(where);
    if (isJudged)
        assert.ok(
            now >= least && now <= most,
            `${Math.round(now / MIB)} MiB are resident, where ${Math.round(most / MIB)} are allowed`,
        );
}

test('memory goes back to the system when the load is gone', async () => {
    const before = resident();
    const wires = await gather(90, (wire) =>
        wire.write(
            request('POST', '/api/sys/users', { token, headers: { 'Content-Length': MIB } }) +
                '{'.repeat(MIB - 1),
        ),
    );
    await until(
        'they are held',
        async () => (await figure('roster_request_memory_bytes')) > 85 * MIB,
    );
    assertHolds(before + 80 * MIB, before + 128 * MIB);
    part(wires);
    await until('they are not', () => !isJudged || resident() < before + 16 * MIB);
});

const KIB = 1024,
    stranger = 16 * KIB;
const basic = (email, secret) => ({
    Authorization: `Basic ${Buffer.from(`${email}:${secret}`).toString('base64')}`,
});
const openRoutes = [
    '/api/token',
    '/api/sys/users/token',
    '/api/auth/resetpassword',
    '/api/sys/users/exchange',
];

for (const path of openRoutes)
    test(`a client that is not signed in may send 16 KiB to ${path}, and more is refused at its head`, async () => {
        const before = await refused('body'),
            wire = await open();
        wire.write(request('POST', path, { headers: { 'Content-Length': stranger + 1 } }));
        const reply = await wire.reply(); // nothing of the body was sent
        assert.equal(reply.status, 413);
        assert.equal(
            JSON.parse(reply.body).Message,
            'The body is larger than 16 KiB, the limit for requests without credentials.',
        );
        part([wire]);
        assert.equal(await refused('body'), before + 1);
        const { status } = await server.call('POST', path, { body: 'x'.repeat(stranger) });
        assert.notEqual(status, 413);
    });

test('a chunked body of a client that is not signed in is refused as it passes 16 KiB', async () => {
    const wire = await open();
    wire.write(
        request('POST', '/api/token', { headers: { 'Transfer-Encoding': 'chunked' } }) +
            `4000\r\n${'x'.repeat(stranger)}\r\n`,
    );
    wire.write('1\r\n');
    assert.equal((await wire.reply()).status, 413);
    part([wire]);
});

test('wrong credentials are refused before a body is taken', async () => {
    for (const headers of [
        {},
        { Authorization: 'Bearer x' },
        { Authorization: `Bearer ${'x'.repeat(43)}` },
    ]) {
        const wire = await open();
        wire.write(
            request('PUT', '/api/sys/users', { headers: { ...headers, 'Content-Length': MIB } }),
        );
        assert.equal((await wire.reply()).status, 401);
        part([wire]);
    }
});

test('only 16 large bodies come before their Basic password is checked; small ones, and those of known callers, are taken', async () => {
    const guess = (i) => basic('nobody@example.com', `guess ${i}`);
    const put = (headers, size) =>
        server.call('PUT', '/api/sys/users', { headers, body: ' '.repeat(size) });
    const wires = await gather(17, (wire, i) =>
        wire.write(
            request('PUT', '/api/sys/users', { headers: { ...guess(i), 'Content-Length': MIB } }) +
                '{',
        ),
    );
    const one = await until('one is refused', () => wires.find((wire) => wire.text));
    const reply = await one.reply();
    await until(
        'the others are counted',
        async () => (await figure('roster_unchecked_bodies')) === 16,
    );
    assert.equal(await refused('large_body'), 1);
    assert.equal(reply.status, 503);
    assert.match(reply.head, /\r\nRetry-After: 1\r\n/);
    assert.match(
        JSON.parse(reply.body).Message,
        /^Too many large bodies are waiting for their passwords to be checked/,
    );
    assert.equal((await put(guess(17), 32 * KIB)).status, 503);
    assert.equal((await put({ Authorization: `Bearer ${token}` }, 32 * KIB)).status, 400);
    assert.equal((await put(guess(18), stranger)).status, 401);
    part(wires);
    await until('there is room again', async () => (await put(guess(19), 32 * KIB)).status === 401);
});

test('200 bodies of strangers that never end stay under 16 MiB', async () => {
    const before = resident();
    const wires = await gather(200, (wire) =>
        wire.write(
            request('POST', '/api/token', { headers: { 'Content-Length': stranger } }) +
                'x'.repeat(stranger - 1),
        ),
    );
    const late = await gather(200, (wire) =>
        wire.write(request('PUT', '/api/sys/users', { headers: { 'Content-Length': MIB } }) + '{'),
    );
    for (const wire of late) assert.equal((await wire.reply()).status, 401);
    await until(
        'they are held',
        async () => (await figure('roster_request_memory_bytes')) > 3 * MIB,
    );
    assertHolds(0, before + 16 * MIB);
    part([...wires, ...late]);
});

test('reading a body of 1 MiB holds at most 8 times as much, and 40 at once are answered in the default budget', async () => {
    const bodies = {
        'names that nobody knows': `{${Array.from({ length: 900 }, (_, i) => `"unknown${i}":"${'x'.repeat(1000)}"`).join()}}`,
        'nothing but zeros': `{"Businesses":[${'0,'.repeat(500000)}0]}`,
        ids: `{"Businesses":[${'100000,'.repeat(140000)}1]}`,
        'spread lines': `{"Businesses":[\n        ${'0,\n        '.repeat(95000)}1]}`,
        'empty lists': `{"x":[${'[],'.repeat(300000)}0]}`,
    };
    for (const [name, body] of Object.entries(bodies)) {
        const wires = await gather(40, (wire) =>
            wire.write(request('PUT', '/api/sys/users', { token, body })),
        );
        for (const wire of wires) {
            const { status } = await wire.reply();
            assert.ok(status === 400 || status === 503, `${name}: ${status}`);
        }
        part(wires);
    }
    assertHolds(0, 320 * MIB);
    assert.ok((await figure('roster_request_memory_bytes')) < 4 * MIB);
});

function crc32(bytes) {
    let crc = -1;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    return ~crc >>> 0;
}

// A PNG of 1,100 x 1,100 pixels that cannot be compressed.
function largePicture() {
    const side = 1100,
        row = 1 + 3 * side,
        pixels = randomBytes(side * row);
    for (let y = 0; y < side; y++) pixels[y * row] = 0; // no filter
    const header = Buffer.alloc(13);
    header.writeUInt32BE(side, 0);
    header.writeUInt32BE(side, 4);
    header.set([8, 2], 8);
    const chunks = [
        ['IHDR', header],
        ['IDAT', deflateSync(pixels, { level: 0 })],
        ['IEND', Buffer.alloc(0)],
    ].map(([type, data]) => {
        const body = Buffer.concat([Buffer.from(type), data]),
            out = Buffer.alloc(body.length + 8);
        out.writeUInt32BE(data.length, 0);
        body.copy(out, 4);
        out.writeUInt32BE(crc32(body), body.length + 4);
        return out;
    });
    return Buffer.concat([
        Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
        ...chunks,
    ]);
}

test('a picture is held once for 100 who do not read it, each of whom gets it; and a new one is another', async () => {
    const sent = [largePicture(), largePicture()],
        pictures = http.createServer((asked, reply) => reply.end(sent[Number(asked.url[1])]));
    await new Promise((resolve) => {
        pictures.listen(0, '127.0.0.1', resolve);
    });
    const other = await Server.start([
        '--metrics',
        '--avatar-hosts',
        `127.0.0.1:${pictures.address().port}`,
    ]);
    const choose = async (which) => {
        const reply = await other.update(userId, {
            NewAvatarUrl: `http://127.0.0.1:${pictures.address().port}/${which}`,
        });
        assert.equal(reply.status, 200, reply.text);
    };
    try {
        await choose(0);
        const before = resident(other),
            ask = (wire) => {
                wire.socket.pause();
                wire.write(request('GET', `/api/sys/users/getavatar/${userId}`).repeat(4)); // the system's buffers take some
            };
        const old = await gather(100, ask, other);
        await until(
            'it is held',
            async () => (await figure('roster_request_memory_bytes', other)) > sent[0].length,
        );
        await choose(1);
        const fresh = await gather(20, ask, other);
        // A request that waits for PostgreSQL may have one of its own for a while.
        await until('both are held, each once', async () => {
            const beyond =
                (await figure('roster_request_memory_bytes', other)) - 2 * sent[0].length;
            return beyond > 0 && beyond < 4 * MIB;
        });
        assertHolds(0, before + 24 * MIB, other);
        for (const [wires, picture] of [
            [old, sent[0]],
            [fresh, sent[1]],
        ])
            for (const wire of wires.slice(0, 3)) {
                wire.socket.resume();
                assert.equal((await wire.reply()).body, picture.toString('latin1'));
            }
        part([...old, ...fresh]);
        await until(
            'nothing is held',
            async () => (await figure('roster_request_memory_bytes', other)) < 2 * MIB,
        );
    } finally {
        pictures.close();
    }
});

test('unread replies count towards the memory of all requests; past its limit new requests are refused, then unread replies are ended', async () => {
    const other = await Server.start(['--metrics', '--request-memory', '32']),
        secret = await other.admin();
    for (let i = 0; i < 40; i++)
        assert.equal(
            (
                await other.call('POST', '/api/sys/webhooks', {
                    token: secret,
                    body: {
                        BusinessId: businessId,
                        Name: `Long ${i}`,
                        Action: 1,
                        URL: 'http://127.0.0.1:1/',
                        Description: '\n'.repeat(65536),
                    },
                })
            ).status,
            200,
        );
    const held = () => figure('roster_request_memory_bytes', other),
        again = () => other.call('GET', '/api/sys/webhooks?size=100', { token: secret });
    await within(25000, async () => {
        // where nobody is refused they are ended after 30 s
        const wires = [];
        try {
            for (let inARow = 0; inARow < 3; ) {
                // 5 MiB for each, of which the system's buffers take some
                const before = [await held(), await refused('memory', other)],
                    [wire] = await gather(1, () => {}, other);
                wire.socket.pause();
                wire.write(request('GET', '/api/sys/webhooks?size=100', { token: secret }));
                wires.push(wire);
                await until(
                    'it is held, or refused',
                    async () =>
                        (await held()) > before[0] + MIB ||
                        (await refused('memory', other)) > before[1],
                );
                inARow = (await refused('memory', other)) > before[1] ? inARow + 1 : 0;
            }
            assert.ok((await held()) > 16 * MIB && (await held()) <= 33 * MIB);
            assert.equal((await other.call('GET', '/healthz')).status, 200);
            await until(
                'there is room for who comes again',
                async () => (await again()).status === 200,
                { deadline: 20000, pause: 200 },
            );
            wires.forEach((wire) => wire.socket.resume());
            const ends = []; // a reply to each, or its end
            for (const wire of wires)
                ends.push(
                    await until('a reply, or the end', () => wire.replies()[0]?.status ?? wire.how),
                );
            assert.ok(
                ends.includes(503) && ends.some((end) => typeof end === 'string'),
                ends.join(),
            );
        } finally {
            part(wires);
            await until('nothing is held', async () => (await held()) < 2 * MIB);
        }
    });
});

test('replies over HTTP/2 whose window stays closed are in that account, too, and are ended', async () => {
    const other = await Server.start(['--metrics', '--request-memory', '16', '--http2', 'clear']),
        sessions = [],
        codes = [];
    const open100 = () => {
        const session = http2
            .connect(other.url, { settings: { initialWindowSize: 0 } })
            .on('error', () => {});
        sessions.push(session);
        for (let i = 0; i < 100; i++) {
            const stream = session.request({ ':path': '/api/nothing', x: 'x'.repeat(15000) });
            stream.on('error', () => {}).on('close', () => codes.push(stream.rstCode));
        }
    };
    await within(25000, async () => {
        // where nobody is refused they are ended after 30 s
        await until(
            'some are ended',
            () => {
                open100();
                return codes.includes(http2.constants.NGHTTP2_CANCEL);
            },
            { deadline: 20000, pause: 200 },
        );
        assert.ok((await refused('memory', other)) > 0);
    });
    assert.ok((await figure('roster_request_memory_bytes', other)) <= 17 * MIB);
    for (const session of sessions) session.destroy();
});

test('the connections of one address are limited, directly or through a proxy; other addresses and this machine are not affected', async () => {
    const other = await Server.start([
        '--metrics',
        '--address-connections',
        '10',
        '--proxy-protocol',
        '127.0.0.3',
    ]);
    const from = (localAddress) => Wire.clear({ host: other.host, port: other.port, localAddress });
    const proxied = async (address, family = 'TCP4') => {
        const wire = await from('127.0.0.3');
        wire.write(
            `PROXY ${family} ${address} ${family === 'TCP4' ? '127.0.0.1' : '::1'} 1234 80\r\n`,
        );
        return wire;
    };
    const alive = async (wire) => {
        wire.write(request('GET', '/healthz'));
        return until('a reply, or the end', () => wire.replies()[0]?.status ?? wire.how);
    };
    const ways = {
        'an address': [() => from('127.0.0.2'), () => from('127.0.0.4')],
        'behind a proxy': [() => proxied('192.0.2.1'), () => proxied('192.0.2.2')],
        'a network of IPv6': [
            (i) => proxied(`2001:db8::${i}`, 'TCP6'),
            () => proxied('2001:db8:0:1::1', 'TCP6'),
        ],
    };
    let count = 0;
    for (const [name, [open_, another]] of Object.entries(ways)) {
        const wires = [];
        for (let i = 0; i < 10; i++) {
            wires.push(await open_(i));
            assert.equal(await alive(wires[i]), 200, name);
        }
        assert.notEqual(await alive(await open_(10)), 200, name);
        assert.equal(await refused('connections', other), ++count);
        const stranger = await another();
        assert.equal(await alive(stranger), 200, name);
        part([...wires, stranger]);
        await until(`${name}: again`, async () => {
            const wire = await open_(11),
                is = (await alive(wire)) === 200;
            part([wire]);
            return is;
        });
        count = await refused('connections', other);
    }
    const local = await gather(30, () => {}, other);
    for (const wire of local) assert.equal(await alive(wire), 200);
    part(local);
});

test('a long text is in the audit trail as its length and hash, a short one as it is', async () => {
    const long = [...'ab'].map((letter) => letter.repeat(60000)),
        edge = 'e'.repeat(1024);
    for (const Devices of [...long, edge, `${edge}e`])
        assert.equal((await server.update(userId, { Devices })).status, 200);
    const { json } = await server.call(
        'GET',
        `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${userId}&AuditTrailEntry_PropertyName=Devices&size=100`,
        { token },
    );
    const digest = (text) =>
        `(${text.length} bytes, SHA-256 ${createHash('sha256').update(text).digest('hex')})`;
    const values = json.Records.map(({ NewValue }) => NewValue);
    for (const value of [...long.map(digest), edge, digest(`${edge}e`)])
        assert.ok(values.includes(value), value);
    assert.ok(
        json.Records.some(
            ({ OldValue, NewValue }) =>
                OldValue === digest(long[0]) && NewValue === digest(long[1]),
        ),
    );
    assert.ok(
        json.Records.every(
            ({ OldValue, NewValue }) => (OldValue ?? '').length <= 1024 && NewValue.length <= 1024,
        ),
    );
});

test('there are at most 100 webhooks; deleting one makes room', async () => {
    const make = (i) =>
        server.call('POST', '/api/sys/webhooks', {
            token,
            body: {
                BusinessId: businessId,
                Name: `Hook ${i}`,
                Action: 1,
                URL: `http://127.0.0.1:1/${i}`,
                Active: false,
            },
        });
    const {
        json: { TotalItems },
    } = await server.call('GET', '/api/sys/webhooks?size=1', { token });
    let last;
    for (let i = TotalItems; i < 100; i++) {
        last = await make(i);
        assert.equal(last.status, 200, last.text);
    }
    assertInvalid(await make(100), 'URL', /there are 100 webhooks already/);
    assert.equal(
        (await server.call('DELETE', `/api/sys/webhooks/${last.json.Value.Id}`, { token })).status,
        200,
    );
    assert.equal((await make(100)).status, 200);
});

test('the payload of a change is stored once, whatever the number of webhooks, and is deleted with its last delivery', async () => {
    const other = await Server.start(),
        secret = await other.admin();
    const sql = (text) => other.sql(text);
    const Devices = 'd'.repeat(60000),
        ask = (method, path, body) => other.call(method, path, { token: secret, body });
    for (let i = 0; i < 100; i++)
        assert.equal(
            (
                await ask('POST', '/api/sys/webhooks', {
                    BusinessId: businessId,
                    Name: `Hook ${i}`,
                    Action: 1002,
                    URL: 'http://127.0.0.1:1/',
                    Active: true,
                })
            ).status,
            200,
        );
    const before = other.size();
    assert.equal((await ask('PATCH', `/api/sys/users/${userId}`, { Devices })).status, 200);
    assert.equal(
        sql(
            'SELECT count(*), count(DISTINCT Payload), (SELECT count(*) FROM payloads) FROM web_hook_deliveries',
        ),
        '100|1|1',
    );
    assert.ok(
        other.size() - before < 3 * Devices.length,
        'the record, its copy to be told, and little else',
    );
    const { json } = await ask('GET', '/api/sys/webhookdeliveries?size=100');
    assert.deepEqual(
        [...new Set(json.Records.map(({ Payload }) => JSON.parse(Payload)[0].Devices))],
        [Devices],
    );
    assert.equal(json.Records.length, 100);
    sql('DELETE FROM web_hook_deliveries WHERE Id <> (SELECT max(Id) FROM web_hook_deliveries)');
    assert.equal(sql('SELECT count(*) FROM payloads'), '1');
    sql('DELETE FROM web_hook_deliveries');
    assert.equal(sql('SELECT count(*) FROM payloads'), '0');
});

// Another process that writes keeps the writer waiting.
test('while 4,096 commands wait for the writer, further ones get 429, and reading goes on', async () => {
    const other = await Server.start(['--metrics']),
        secret = await other.token();
    const letGo = await other.holdWriter(),
        wires = [];
    try {
        while (wires.length < 6000 && !wires.some((wire) => / 429 /.test(wire.text)))
            wires.push(
                ...(await gather(
                    100,
                    (wire) =>
                        wire.write(
                            request('POST', '/api/sys/users/token/refresh', { token: secret }),
                        ),
                    other,
                )),
            );
        const one = await until('a refusal', () => wires.find((wire) => / 429 /.test(wire.text)));
        assert.ok((await refused('changes', other)) > 0);
        assert.match((await one.reply()).head, /\r\nRetry-After: 1\r\n/);
        assert.equal(
            (await other.call('GET', `/api/sys/users/${userId}`, { token: secret })).status,
            200,
        );
    } finally {
        letGo();
        part(wires);
    }
    await until(
        'the queue is empty',
        async () => (await figure('roster_store_queue_length', other)) === 0,
    );
    assert.equal((await other.update(userId, { FullName: 'Afterwards' })).status, 200);
});

test('a user has 100 tokens of each kind, of which the oldest goes; those of others stay', async () => {
    const other = await Server.start(),
        mine = await other.token('lister@example.com');
    const count = (kind, id) =>
        Number(other.sql(`SELECT count(*) FROM tokens WHERE kind = ${kind} AND user_id = ${id}`));
    const first = await other.token(),
        lives = async (token) =>
            (await other.call('GET', '/api/auth/me', { token })).status === 200;
    const signIns = [];
    for (let i = 0; i < 100; i++) {
        assert.ok(i < 99 || (await lives(first)), 'the hundredth is still there');
        signIns.push(await other.token());
    }
    assert.ok(!(await lives(first)), 'the oldest has gone');
    assert.ok((await lives(signIns[0])) && (await lives(signIns[99])) && (await lives(mine)));
    assert.equal(count(0, adminId), 100);
    let { json: pair } = await other.grant({
        grant_type: 'password',
        username: adminEmail,
        password,
    });
    for (let i = 0; i < 110; i++)
        ({ json: pair } = await other.grant({
            grant_type: 'refresh_token',
            refresh_token: pair.refresh_token,
        }));
    for (let i = 0; i < 110; i++)
        assert.equal(
            (await other.call('POST', '/api/sys/users/token/refresh', { token: pair.access_token }))
                .status,
            200,
        );
    for (const kind of [0, 1, 4])
        assert.ok(count(kind, adminId) <= 100, `kind ${kind}: ${count(kind, adminId)}`);
    assert.ok((await lives(pair.access_token)) && (await lives(mine)));
});

test('how many tokens a user has is a setting', async () => {
    const other = await Server.start(['--user-tokens', '2']),
        tokens = [];
    for (let i = 0; i < 3; i++) tokens.push(await other.token());
    const alive = await Promise.all(
        tokens.map(async (one) => (await other.call('GET', '/api/auth/me', { token: one })).status),
    );
    assert.deepEqual(alive, [401, 200, 200]);
});

test('10,000 Idempotency-Keys of a user are remembered; the oldest is forgotten first, and those of others stay', async () => {
    const other = await Server.start(),
        secret = await other.admin();
    const sql = (text) => other.sql(text);
    const make = (key) =>
        other.call('POST', '/api/sys/languages', {
            token: secret,
            headers: { 'Idempotency-Key': key },
            body: {
                BusinessId: businessId,
                Name: 'Keyed',
                Culture: 'xx',
                DisplayOrder: 1,
                Active: true,
            },
        });
    const first = await make('first');
    assert.equal(first.status, 200, first.text);
    const at = Number(sql('SELECT at_ms FROM idempotency_keys'));
    sql(`INSERT INTO idempotency_keys SELECT c.id, ${other.octets("'Language made ' || value")}, ${other.bytes(Buffer.alloc(32))}, 1, ${at} - 20000 + value, '' FROM generate_series(1, 9999) AS value,
        (SELECT ${adminId} AS id UNION ALL SELECT ${userId}) AS c`);
    sql(
        `UPDATE idempotency_keys SET at_ms = ${at} - 19990 WHERE key = ${other.octets("'Language first'")}`,
    );
    assert.equal((await make('first')).json.Value.Id, first.json.Value.Id, 'it is the 10,000th');
    assert.equal((await make('one more')).status, 200);
    assert.equal(
        sql(`SELECT count(*), min(at_ms) - ${at} FROM idempotency_keys WHERE caller = ${adminId}`),
        '10000|-19998',
    );
    for (let i = 0; i < 100; i++) assert.equal((await make(`more ${i}`)).status, 200);
    assert.ok(
        Number(sql(`SELECT count(*) FROM idempotency_keys WHERE caller = ${adminId}`)) < 10010,
    );
    assert.equal(sql(`SELECT count(*) FROM idempotency_keys WHERE caller = ${userId}`), '9999');
    assert.notEqual((await make('first')).json.Value.Id, first.json.Value.Id);
});

test('100 bodies of 1 MiB by strangers, and 10 sign-ins with names of 1 MB, are refused and stay under 128 MB', async () => {
    await until('what other tests held has gone', () => !isJudged || resident() < 64 * MIB);
    const body = `{"Email":"a@example.com","Password":[${'0,'.repeat(MIB / 2 - 30)}0]}`,
        form = `grant_type=password&password=x&username=${'%CE%B1'.repeat(170000)}`;
    const wires = await gather(110, (wire, i) =>
        wire.write(
            i < 100
                ? request('POST', '/api/sys/users/token', { body })
                : request('POST', '/api/token', {
                      body: form,
                      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
                  }),
        ),
    );
    assertHolds(0, 128e6);
    for (const wire of wires) assert.equal((await wire.reply()).status, 413);
    assertHolds(0, 128e6);
    assert.equal(await figure('roster_password_queue_length'), 0);
    part(wires);
});
