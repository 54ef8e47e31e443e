// How long a head and a body may be (docs of the settings, RFC 6585, RFC 9110 section 15.5.14). smuggling.test.mjs tries the
// same to the byte; here it is seen that nothing of what is allowed gets lost, and when a body is refused.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Client, ask, assertRefusal, statuses } from '../lib/client.mjs';
import { userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';

const server = await Server.start();
const token = await server.admin();
const text = JSON.stringify({ ...required(await server.get(userId)), Language: 99 });
const MIB = 1048576,
    HEAD = 16384;
const head = (method, path, ...lines) =>
    [`${method} ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
const bearer = `Authorization: Bearer ${token}`;
const put = (...lines) => head('PUT', '/api/sys/users', bearer, ...lines);

// Closed after the one reply, which this gives.
async function only(bytes) {
    const replies = await ask(server, bytes);
    assert.equal(replies.length, 1, `${statuses(replies)}`);
    return replies[0];
}

test('the last of 2,000 headers is seen as the first is', async () => {
    const many = Array.from({ length: 1990 }, () => 'a: b');
    const whole = await only(head('GET', '/api/auth/me', ...many, 'Connection: close', bearer));
    assert.equal(whole.status, 200);
    assert.equal(JSON.parse(whole.body).Email, 'admin@example.com');
    assert.equal(
        (await only(head('GET', '/api/auth/me', ...many, 'Connection: close', `${bearer}x`)))
            .status,
        401,
    );
});

test('a head of 16 KiB may be all cookies, one long value, or a token after them', async () => {
    const cookies = Array.from({ length: 300 }, (_, i) => `session${i}=${'v'.repeat(36)}`).join(
        '; ',
    );
    for (const line of [
        `Cookie: ${cookies}`,
        `Cookie: ${'a=b; '.repeat(3000)}`,
        `X: ${'y'.repeat(16000)}`,
    ]) {
        assert.ok(line.length > 13000 && line.length < 16100);
        assert.equal(
            (await only(head('GET', `/api/sys/users/${userId}`, line, 'Connection: close', bearer)))
                .status,
            200,
        );
    }
});

test('the last of 250 parameters counts as the first does', async () => {
    const many = Array.from(
        { length: 249 },
        (_, i) => `unknown_parameter_${i}=${'v'.repeat(30)}`,
    ).join('&');
    const { status, body, headers } = await only(
        head('GET', `/api/sys/users?${many}&size=3`, 'Connection: close', bearer),
    );
    assert.equal(status, 200);
    assert.equal(JSON.parse(body).Records.length, 3);
    assert.match(headers['x-ignored-parameters'], /^unknown_parameter_0, /);
});

test('a head of 16,384 bytes is served and one of 16,385 refused, whatever it is made of', async () => {
    const room = (size) => size - head('GET', '/api/auth/me', bearer, '').length;
    const fills = {
        'one header': (left) => `X: ${'y'.repeat(left - 3)}`,
        'headers of six bytes': (left) =>
            `${'a: b\r\n'.repeat(Math.floor(left / 6) - 1)}a: ${'c'.repeat((left % 6) + 3)}`,
        cookies: (left) => `Cookie: ${'a=b; '.repeat(4000).slice(0, left - 9)}c`,
        'a name': (left) => `${'X'.repeat(left - 1)}:`,
    };
    for (const [what, fill] of Object.entries(fills))
        for (const [size, ended] of [
            [HEAD, 200],
            [HEAD + 1, 431],
        ]) {
            const bytes = head('GET', '/api/auth/me', bearer, fill(room(size)));
            assert.equal(bytes.length, size);
            const client = await Client.connect(server);
            await client.write(bytes);
            const reply = await client.reply();
            assert.equal(reply.status, ended, `${what}, ${size} bytes`);
            if (ended === 431) {
                assertRefusal(reply, 431);
                assert.deepEqual(await client.rest(), []);
            }
            client.close();
        }
});

test('a head that is too long is refused before it ends', async () => {
    for (const [begin, status] of [
        ['GET /', 414],
        ['GET / HTTP/1.1\r\nX: ', 431],
        ['GET / HTTP/1.1\r\n', 431],
    ]) {
        const client = await Client.connect(server);
        await client.write(
            begin + (begin.endsWith('\n') ? 'a: b\r\n'.repeat(3000) : 'x'.repeat(HEAD)),
        );
        assertRefusal(await client.reply(), status);
        assert.deepEqual(await client.rest(), []);
    }
});

test('Content-Length of more than 1 MiB is 413 before any of the body, and nobody is asked to go on', async () => {
    for (const lines of [
        [`Content-Length: ${MIB + 1}`],
        [`Content-Length: ${MIB + 1}`, 'Expect: 100-continue'],
        ['Content-Length: 99999999999'],
        ['Expect: 100-continue', 'Content-Length: 16777217'],
    ])
        assertRefusal(await only(put(...lines)), 413);
});

test('a Content-Length of more than 1 MiB is 413 without credentials and on unknown paths too', async () => {
    for (const [method, path] of [
        ['POST', '/api/token'],
        ['PUT', '/api/sys/users'],
        ['POST', '/nowhere'],
        ['GET', '/healthz'],
        ['DELETE', '/healthz'],
    ])
        assertRefusal(await only(head(method, path, `Content-Length: ${MIB + 1}`)), 413);
});

// A user whose Language is wrong, of so many bytes, which says that all of it was read.
const sized = (size) => text.replace('}', `,"x":"${'y'.repeat(size - text.length - 7)}"}`);
const chunksOf = (bytes, size) => {
    const list = [];
    for (let at = 0; at < bytes.length; at += size) {
        const part = bytes.slice(at, at + size);
        list.push(`${part.length.toString(16)}\r\n${part}\r\n`);
    }
    return list.join('');
};

test('1 MiB is read to its end, by length and in chunks of any size', async () => {
    const whole = sized(MIB);
    assert.equal(whole.length, MIB);
    const bodies = [
        put(`Content-Length: ${MIB}`, 'Connection: close') + whole,
        ...[MIB, 65536, 1000, 17].map(
            (size) =>
                `${put('Transfer-Encoding: chunked', 'Connection: close')}${chunksOf(whole, size)}0\r\n\r\n`,
        ),
    ];
    for (const bytes of bodies) {
        const { status, body } = await only(bytes);
        assert.equal(status, 400);
        assert.deepEqual(
            JSON.parse(body).Errors.map((error) => error.PropertyName),
            ['Language'],
        );
    }
});

test('chunks that grow over 1 MiB are 413 with the first byte too many, before their end', async () => {
    for (const size of [MIB, 65536, 1000]) {
        const client = await Client.connect(server);
        await client.write(put('Transfer-Encoding: chunked') + chunksOf(sized(MIB), size));
        await client.write('1\r\nx');
        assertRefusal(await client.reply(), 413);
        assert.deepEqual(await client.rest(), []);
    }
});

test('a body that was refused changes nothing', async () => {
    const before = await server.get(userId);
    const change = JSON.stringify({
        ...required(before),
        LastHelpVisited: before.LastHelpVisited + 1,
    });
    const long = change.replace('}', `,"x":"${'y'.repeat(MIB)}"}`);
    assertRefusal(await only(put(`Content-Length: ${long.length}`) + long), 413);
    assertRefusal(
        await only(`${put('Transfer-Encoding: chunked')}${chunksOf(long, 65536)}0\r\n\r\n`),
        413,
    );
    assert.deepEqual(await server.get(userId), before);
});
