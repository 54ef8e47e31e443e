// NewAvatarUrl and ClearAvatarFile: a real download from a real server beside ours.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import zlib from 'node:zlib';
import { Server, assertFailure, assertInvalid, userId } from './harness.mjs';

// A PNG of the given size, from scratch.
function png(width, height) {
    const chunk = (type, data) => {
        const body = Buffer.concat([Buffer.from(type), data]);
        const out = Buffer.alloc(body.length + 8);
        out.writeUInt32BE(data.length, 0);
        body.copy(out, 4);
        out.writeUInt32BE(crc(body), body.length + 4);
        return out;
    };
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 0, 0, 0, 0], 8);
    return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), chunk('IHDR', header),
        chunk('IDAT', zlib.deflateSync(Buffer.alloc((width + 1) * height))), chunk('IEND', Buffer.alloc(0))]);
}

function crc(bytes) {
    let value = ~0;
    for (const byte of bytes) {
        value ^= byte;
        for (let bit = 0; bit < 8; bit++)
            value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    }
    return ~value >>> 0;
}

const gif = Buffer.from('R0lGODdhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=', 'base64');
const jpeg = Buffer.from('/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i'
    + 'Z2hnPk1xeXBkeFxlZ2P/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAB//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAI'
    + 'AQEAAD8AP3//2Q==', 'base64');
const webp = Buffer.from('UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA', 'base64');
const picture = png(32, 32);
let hits = 0;
const pages = {
    '/a.png': (reply) => reply.end(picture),
    '/a.gif': (reply) => reply.end(gif),
    '/a.jpg': (reply) => reply.end(jpeg),
    '/a.webp': (reply) => reply.end(webp),
    '/half.jpg': (reply) => reply.end(jpeg.subarray(0, 100)),
    '/half.webp': (reply) => reply.end(webp.subarray(0, 30)),
    '/half.gif': (reply) => reply.end(gif.subarray(0, 20)),
    '/lies.png': (reply) => reply.setHeader('Content-Type', 'image/png').end('<html>'),
    '/half.png': (reply) => reply.end(picture.subarray(0, 60)),
    '/wide.png': (reply) => reply.end(png(4097, 1)),
    '/large.png': (reply) => reply.end(Buffer.alloc(5 * 1024 * 1024 + 1)),
    '/endless': (reply) => { const more = () => reply.write(Buffer.alloc(65536), more); more(); reply.on('error', () => {}); },
    '/slow': () => {},
    '/missing': (reply) => { reply.statusCode = 404; reply.end(picture); },
    '/inside': (reply) => { reply.statusCode = 302; reply.setHeader('Location', `http://127.0.0.1:${secretPort}/x`); reply.end(); },
    '/file': (reply) => { reply.statusCode = 302; reply.setHeader('Location', 'file:///etc/passwd'); reply.end(); },
};
const pictures = http.createServer((request, reply) => {
    const hop = /^\/hop(\d)$/.exec(request.url);
    if (hop) {
        reply.statusCode = 302;
        reply.setHeader('Location', hop[1] === '1' ? '/a.png' : `/hop${hop[1] - 1}`);
        reply.end();
    } else {
        pages[request.url](reply);
    }
});
const secret = http.createServer((request, reply) => { hits++; reply.end(picture); });
await new Promise((resolve) => { pictures.listen(0, '127.0.0.1', resolve); });
await new Promise((resolve) => { secret.listen(0, '127.0.0.1', resolve); });
after(() => { for (const one of [pictures, secret]) { one.closeAllConnections(); one.close(); } });
const secretPort = secret.address().port;
const base = `http://127.0.0.1:${pictures.address().port}`;
const server = await Server.start(['--demo', '--avatar-hosts', `nowhere.example, 127.0.0.1:${pictures.address().port}`]);
const avatar = async (id = userId) => {
    const path = `/api/sys/users/getavatar/${id}`, response = await fetch(server.url + path);
    const bytes = Buffer.from(await response.arrayBuffer());
    server.record({ method: 'GET', path }, response, bytes.toString('latin1'));
    return { status: response.status, headers: response.headers, bytes };
};

test('a user without a picture, and nobody, have null', async () => {
    for (const id of [userId, 5]) {
        const { status, bytes } = await avatar(id);
        assert.deepEqual([status, bytes.toString()], [200, 'null']);
    }
});

test('NewAvatarUrl is downloaded, checked, stored and served without credentials', async () => {
    const reply = await server.update(userId, { NewAvatarUrl: `${base}/a.png` });
    assert.equal(reply.status, 200, reply.text);
    const { status, headers, bytes } = await avatar();
    assert.equal(status, 200);
    assert.equal(headers.get('content-type'), 'image/png');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.deepEqual(bytes, picture);
    const user = await server.get(userId);
    assert.equal(user.AvatarFileName, `${user.UniqueId}.png`);
    assert.equal(user.NewAvatarUrl, null);
    assert.equal(user.ClearAvatarFile, null);
});

test('the type is told by the content', async () => {
    for (const [path, type] of [['/a.gif', 'image/gif'], ['/a.jpg', 'image/jpeg'], ['/a.webp', 'image/webp']]) {
        const reply = await server.update(userId, { NewAvatarUrl: base + path });
        assert.equal(reply.status, 200, reply.text);
        assert.equal((await avatar()).headers.get('content-type'), type);
        assert.equal((await server.get(userId)).AvatarFileName, `${(await server.get(userId)).UniqueId}${path.slice(2)}`);
    }
});

test('3 redirects are followed, 4 are not', async () => {
    assert.equal((await server.update(userId, { NewAvatarUrl: `${base}/hop3` })).status, 200);
    assertInvalid(await server.update(userId, { NewAvatarUrl: `${base}/hop4` }), 'NewAvatarUrl', /redirects more than 3 times/);
});

for (const [path, says] of [['/lies.png', /valid PNG, JPEG, GIF or WebP/], ['/half.png', /valid PNG/], ['/half.jpg', /valid PNG/], ['/half.webp', /valid PNG/],
    ['/half.gif', /valid PNG/], ['/wide.png', /at most 4096 x 4096/],
    ['/large.png', /larger than 5 MiB/], ['/endless', /larger than 5 MiB/], ['/missing', /status of success/], ['/slow', /takes too long/],
    ['/inside', /not a public one/], ['/file', /http or https URL/]]) {
    test(`${path} is refused and nothing is changed`, async () => {
        const before = await server.get(userId), picture = (await avatar()).bytes;
        const error = assertInvalid(await server.update(userId, { FullName: 'Not stored', NewAvatarUrl: base + path }), 'NewAvatarUrl', says);
        assert.equal(error.AttemptedValue, base + path);
        assert.deepEqual(await server.get(userId), before);
        assert.deepEqual((await avatar()).bytes, picture);
    });
}

for (const host of ['127.0.0.1', 'localhost', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0',
    '[::]', '10.0.0.1', '192.168.1.1', '169.254.169.254', '[fe80::1]', '[fc00::1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]']) {
    test(`http://${host}/ is not public`, async () => {
        assertInvalid(await server.update(userId, { NewAvatarUrl: `http://${host}:${secretPort}/` }), 'NewAvatarUrl', /not a public one/);
    });
}

test('only http and https, without user name, and a string', async () => {
    for (const wrong of ['ftp://example.com/x', 'file:///etc/passwd', 'example.com/x', 'http://', 'http://a b/', 'javascript:alert(1)', '',
        'http://user@127.0.0.1/', `http://x@127.0.0.1:${secretPort}/`, `http://a/${'x'.repeat(2048)}`, 7, true, [], {}])
        assertInvalid(await server.update(userId, { NewAvatarUrl: wrong }), 'NewAvatarUrl', /^(must|could)/);
});

test('no connection reached the listener inside', () => assert.equal(hits, 0));

test('ClearAvatarFile removes the picture; NewAvatarUrl wins over it', async () => {
    assert.equal((await server.update(userId, { ClearAvatarFile: true, NewAvatarUrl: `${base}/a.png` })).status, 200);
    assert.deepEqual((await avatar()).bytes, picture);
    for (const nothing of [false, null])
        await server.update(userId, { ClearAvatarFile: nothing });
    assert.deepEqual((await avatar()).bytes, picture);
    assert.equal((await server.update(userId, { ClearAvatarFile: true })).status, 200);
    assert.equal((await avatar()).bytes.toString(), 'null');
    assert.equal((await server.get(userId)).AvatarFileName, null);
    for (const wrong of [1, 'x', [], {}])
        assertInvalid(await server.update(userId, { ClearAvatarFile: wrong }), 'ClearAvatarFile', /^must be true or false$/);
});

test('what is refused by other rules is not downloaded', async () => {
    const token = await server.token('editor@example.com');
    const reply = await server.update(100000001, { NewAvatarUrl: `${base}/a.png` }, { token });
    assert.equal(reply.status, 403);
    assertInvalid(await server.update(userId, { Language: 9, NewAvatarUrl: `${base}/a.png` }), 'Language', /one of/);
    assertFailure(await server.update(userId, { NewAvatarUrl: `${base}/a.png` }, { headers: { 'If-Match': '"0-0"' } }), 412);
    assert.equal((await avatar()).bytes.toString(), 'null');
});
