// Expect: 100-continue (RFC 9110 section 10.1.1): a client that waits gets 100, or at once the
// refusal that makes the body unnecessary.
import test from 'node:test';
import assert from 'node:assert/strict';
import { Client, ask, assertRefusal, statuses } from '../lib/client.mjs';
import { Server } from '../lib/server.mjs';

const server = await Server.start();
const token = await server.admin();
const bearer = `Authorization: Bearer ${token}`;
const head = (method, path, ...lines) =>
    [`${method} ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
const command = (...lines) => head('POST', '/api/sys/users/runcommand', bearer, ...lines);
const body = '{"Key":"hello"}',
    length = `Content-Length: ${body.length}`,
    last = head('GET', '/healthz', 'Connection: close');
const keyOf = (reply) => JSON.parse(reply.body).Errors[0].AttemptedValue;

test('100 comes before the body, once, and the connection goes on', async () => {
    for (const expect of [
        'Expect: 100-continue',
        'expect:100-Continue',
        'EXPECT: \t100-CONTINUE\t',
    ])
        for (const [framing, pieces] of [
            [length, [...body]],
            ['Transfer-Encoding: chunked', ['f\r\n', ...body, '\r\n', '0\r\n', '\r\n']],
        ]) {
            const client = await Client.connect(server);
            await client.write(command(expect, framing));
            const { status, headers } = await client.reply();
            assert.deepEqual([status, headers], [100, {}]);
            await client.writePieces(pieces);
            assert.equal(keyOf(await client.reply()), 'hello');
            await client.write(last);
            assert.deepEqual(statuses(await client.rest()), [200]);
        }
});

test('each of several bodies gets its own 100', async () => {
    const client = await Client.connect(server);
    for (let i = 0; i < 20; i++) {
        await client.write(command('Expect: 100-continue', length));
        assert.equal((await client.reply()).status, 100);
        await client.write(body);
        assert.equal(keyOf(await client.reply()), 'hello');
    }
    client.close();
});

test('100 waits for the replies to the requests before it', async () => {
    const client = await Client.connect(server);
    const slow = head(
        'GET',
        '/api/sys/users?orderBy=Devices&User_FullName=a',
        `Authorization: Basic ${Buffer.from('lister@example.com:demo-password').toString('base64')}`,
    );
    await client.write(slow + head('GET', '/nowhere') + command('Expect: 100-continue', length));
    assert.deepEqual(
        [
            (await client.reply()).status,
            (await client.reply()).status,
            (await client.reply()).status,
        ],
        [200, 404, 100],
    );
    await client.write(body + last);
    assert.equal(keyOf(await client.reply()), 'hello');
    assert.deepEqual(statuses(await client.rest()), [200]);
});

test('a body that does not wait is answered all the same', async () => {
    const client = await Client.connect(server);
    await client.write(command('Expect: 100-continue', length) + body + last);
    const replies = (await client.rest()).filter(({ status }) => status !== 100); // which nobody needs any more
    assert.deepEqual(statuses(replies), [400, 200]);
    assert.equal(keyOf(replies[0]), 'hello');
});

test('no 100 where there is no body to wait for', async () => {
    for (const [bytes, status] of [
        [head('GET', '/healthz', 'Expect: 100-continue'), 200],
        [command('Expect: 100-continue', 'Content-Length: 0'), 400],
        [head('DELETE', '/healthz', 'Expect: 100-continue'), 405],
    ])
        assert.deepEqual(statuses(await ask(server, bytes + last)), [status, 200], bytes);
});

test('no 100 for HTTP/1.0, which does not know it', async () => {
    const client = await Client.connect(server);
    await client.write(command('Expect: 100-continue', length).replace('HTTP/1.1', 'HTTP/1.0'));
    await client.write(body);
    const replies = await client.rest();
    assert.deepEqual(statuses(replies), [400]);
    assert.equal(keyOf(replies[0]), 'hello');
});

test('a refusal replaces 100: 400, 401, 404, 405, 413, 417, 501', async () => {
    const wait = 'Expect: 100-continue';
    for (const [bytes, status, isOurs] of [
        [command(wait, 'Content-Length: x'), 400, true],
        [head('PUT', '/api/sys/users', wait, length), 401],
        [head('POST', '/nowhere', wait, length), 404],
        [head('PUT', '/healthz', wait, length), 405],
        [command(wait, 'Content-Length: 1048577'), 413, true],
        [command('Expect: 102-processing', length), 417, true],
        [command(wait, 'Expect: x', length), 417, true],
        [head('FOO', '/healthz', wait, length), 501, true],
        [command(wait, 'Transfer-Encoding: gzip'), 501, true],
    ]) {
        const replies = await ask(server, bytes); // and closes: what comes next may be the body or a request
        assert.deepEqual(statuses(replies), [status], bytes);
        if (isOurs) assertRefusal(replies[0], status);
        assert.equal(replies[0].headers.connection, 'close');
    }
});
