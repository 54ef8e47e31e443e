// NewAvatarUrl and ClearAvatarFile: a real download from a real server beside ours.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import zlib from 'node:zlib';
import { adminId, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';

function chunk(type, data) {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
}

// A PNG of the given size, from scratch.
function png(width, height) {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 0, 0, 0, 0], 8);
    return Buffer.concat([
        Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
        chunk('IHDR', header),
        chunk('IDAT', zlib.deflateSync(Buffer.alloc((width + 1) * height))),
        chunk('IEND', Buffer.alloc(0)),
    ]);
}

function crc(bytes) {
    let value = ~0;
    for (const byte of bytes) {
        value ^= byte;
        for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    }
    return ~value >>> 0;
}

const gif = Buffer.from('R0lGODdhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=', 'base64');
const jpeg = Buffer.from(
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i' +
        'Z2hnPk1xeXBkeFxlZ2P/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAB//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAI' +
        'AQEAAD8AP3//2Q==',
    'base64',
);
const webp = Buffer.from('UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA', 'base64');
const picture = png(32, 32);

// Metadata: each place that a format has for it, and the same picture without.
const secret = 'taken at 48.8584 N 2.2945 E';
const tiff = (orientation) =>
    Buffer.concat([
        Buffer.from('II*\0\x08\0\0\0\x02\0', 'latin1'), // the way up, and a description behind it
        Buffer.from([
            0x12,
            1,
            3,
            0,
            1,
            0,
            0,
            0,
            orientation,
            0,
            0,
            0,
            0x0e,
            1,
            2,
            0,
            secret.length + 1,
            0,
            0,
            0,
            38,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]),
        Buffer.from(`${secret}\0`),
    ]);
const kept = (orientation) =>
    Buffer.from([
        0x4d,
        0x4d,
        0,
        0x2a,
        0,
        0,
        0,
        8,
        0,
        1,
        1,
        0x12,
        0,
        3,
        0,
        0,
        0,
        1,
        0,
        orientation,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
const afterwards = Buffer.from(`behind the end: ${secret}`);
const segment = (marker, ...data) => {
    const body = Buffer.concat(data.map((one) => Buffer.from(one, 'latin1')));
    return Buffer.concat([
        Buffer.from([0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255]),
        body,
    ]);
};
const blocks = (label, ...data) =>
    Buffer.concat([
        Buffer.from([0x21, label]),
        ...data.flatMap((one) => [Buffer.from([one.length]), Buffer.from(one, 'latin1')]),
        Buffer.from([0]),
    ]);
const riff = (...parts) => {
    const body = Buffer.concat([Buffer.from('WEBP'), ...parts]),
        size = Buffer.alloc(4);
    size.writeUInt32LE(body.length);
    return Buffer.concat([Buffer.from('RIFF'), size, body]);
};
const part = (name, data) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    return Buffer.concat([
        Buffer.from(name),
        size,
        Buffer.from(data),
        Buffer.alloc(data.length % 2),
    ]);
};
const profile = zlib.deflateSync(Buffer.alloc(128, 'profile'));
const dressed = {
    'png with texts, time, EXIF and more behind its end': (() => {
        const head = picture.subarray(0, 33),
            rest = picture.subarray(33, -12),
            end = picture.subarray(-12);
        const colours = [
            chunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f])),
            chunk('pHYs', Buffer.from([0, 0, 11, 19, 0, 0, 11, 19, 1])),
        ];
        return [
            [
                head,
                ...colours,
                chunk('tEXt', Buffer.from(`Comment\0${secret}`)),
                chunk('iTXt', Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${secret}`)),
                chunk('eXIf', tiff(6)),
                chunk(
                    'zTXt',
                    Buffer.concat([
                        Buffer.from('Place\0\0'),
                        zlib.deflateSync(Buffer.from(secret)),
                    ]),
                ),
                chunk('tIME', Buffer.from([7, 233, 1, 1, 1, 1, 1])),
                chunk('prVt', Buffer.from(secret)),
                rest,
                end,
                afterwards,
            ],
            [head, ...colours, chunk('eXIf', kept(6)), rest, end],
        ];
    })(),
    'jpeg with EXIF, XMP, IPTC, a comment, a preview and another picture behind it': (() => {
        const start = jpeg.subarray(0, 2),
            jfif = jpeg.subarray(2, 20),
            rest = jpeg.subarray(20),
            icc = segment(0xe2, 'ICC_PROFILE\0\x01\x01', profile);
        return [
            [
                start,
                segment(0xe0, 'JFIF\0\x01\x01\0\0\x01\0\x01\x02\x01', secret.slice(0, 6)),
                segment(0xe0, `JFXX\0\x10${secret}`),
                segment(0xe1, 'Exif\0\0', tiff(3)),
                segment(0xe1, `http://ns.adobe.com/xap/1.0/\0${secret}`),
                icc,
                segment(0xe2, `MPF\0${secret}`),
                segment(0xed, `Photoshop 3.0\x008BIM${secret}`),
                segment(0xfe, secret),
                segment(0xee, 'Adobe\0\x64\0\0\0\0\0'),
                rest,
                jpeg,
                afterwards,
            ],
            [
                start,
                jfif,
                segment(0xe1, 'Exif\0\0', kept(3)),
                icc,
                segment(0xee, 'Adobe\0\x64\0\0\0\0\0'),
                rest,
            ],
        ];
    })(),
    'jpeg that stands upright': [
        [jpeg.subarray(0, 20), segment(0xe1, 'Exif\0\0', tiff(1)), jpeg.subarray(20)],
        [jpeg],
    ],
    'gif with comments, XMP and a text': (() => {
        const head = gif.subarray(0, 19),
            image = gif.subarray(19, -1),
            end = gif.subarray(-1),
            control = blocks(0xf9, '\x04\x0a\0\0'),
            loop = blocks(0xff, 'NETSCAPE2.0', '\x01\0\0');
        return [
            [
                head,
                loop,
                blocks(0xfe, secret, secret),
                control,
                blocks(0xff, 'XMP DataXMP', secret),
                image,
                control,
                blocks(0x01, '\0'.repeat(12), secret),
                control,
                image,
                blocks(0xff, 'STRANGER1.0', secret),
                end,
                afterwards,
            ],
            [head, loop, control, image, control, image, end],
        ];
    })(),
    "webp with EXIF, XMP and a stranger's chunk": (() => {
        const image = webp.subarray(12),
            head = (flags) => part('VP8X', [flags, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        return [
            [
                riff(
                    head(0x2c),
                    part('ICCP', profile),
                    image,
                    part('EXIF', tiff(8)),
                    part('XMP ', `<x>${secret}</x>`),
                    part('OWN ', secret),
                ),
                afterwards,
            ],
            [riff(head(0x28), part('ICCP', profile), image, part('EXIF', kept(8)))],
        ];
    })(),
    'webp with nothing that stays': [
        [
            riff(
                part('VP8X', [0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                webp.subarray(12),
                part('EXIF', tiff(1)),
                part('XMP ', secret),
            ),
        ],
        [riff(part('VP8X', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), webp.subarray(12))],
    ],
};
// Two bytes too many before the marker that follows the scan, as the drivers of some cameras leave them.
const sloppy = Buffer.concat([jpeg.subarray(0, -2), Buffer.from([0x12, 0x34]), jpeg.subarray(-2)]);
let hits = 0;
const pages = {
    '/a.png': (reply) => reply.end(picture),
    '/a.gif': (reply) => reply.end(gif),
    '/a.jpg': (reply) => reply.end(jpeg),
    '/a.webp': (reply) => reply.end(webp),
    '/sloppy.jpg': (reply) => reply.end(sloppy),
    '/%C3%BC.png': (reply) => reply.end(picture),
    '/half.jpg': (reply) => reply.end(jpeg.subarray(0, 100)),
    '/half.webp': (reply) => reply.end(webp.subarray(0, 30)),
    '/half.gif': (reply) => reply.end(gif.subarray(0, 20)),
    '/lies.png': (reply) => reply.setHeader('Content-Type', 'image/png').end('<html>'),
    '/half.png': (reply) => reply.end(picture.subarray(0, 60)),
    '/wide.png': (reply) => reply.end(png(4097, 1)),
    '/large.png': (reply) => reply.end(Buffer.alloc(5 * 1024 * 1024 + 1)),
    '/endless': (reply) => {
        const more = () => reply.write(Buffer.alloc(65536), more);
        more();
        reply.on('error', () => {});
    },
    '/slow': () => {},
    '/missing': (reply) => {
        reply.statusCode = 404;
        reply.end(picture);
    },
    '/inside': (reply) => {
        reply.statusCode = 302;
        reply.setHeader('Location', `http://127.0.0.1:${secretPort}/x`);
        reply.end();
    },
    '/nowhere': (reply) => {
        reply.statusCode = 302;
        reply.setHeader('Location', 'http://nobody-has-this.invalid/x');
        reply.end();
    },
    '/file': (reply) => {
        reply.statusCode = 302;
        reply.setHeader('Location', 'file:///etc/passwd');
        reply.end();
    },
};
const pictures = http.createServer((request, reply) => {
    const [, name] = /^\/dressed\?(.*)$/.exec(request.url) ?? [];
    if (name) {
        reply.end(Buffer.concat(dressed[decodeURIComponent(name)][0]));
        return;
    }
    const hop = /^\/hop(\d)$/.exec(request.url);
    if (hop) {
        reply.statusCode = 302;
        reply.setHeader('Location', hop[1] === '1' ? '/a.png' : `/hop${hop[1] - 1}`);
        reply.end();
    } else {
        pages[request.url](reply);
    }
});
const inside = http.createServer((request, reply) => {
    hits++;
    reply.end(picture);
});
await new Promise((resolve) => {
    pictures.listen(0, '127.0.0.1', resolve);
});
await new Promise((resolve) => {
    inside.listen(0, '127.0.0.1', resolve);
});
after(() => {
    for (const one of [pictures, inside]) {
        one.closeAllConnections();
        one.close();
    }
});
const secretPort = inside.address().port;
const base = `http://127.0.0.1:${pictures.address().port}`;
const server = await Server.start([
    '--avatar-hosts',
    `nowhere.example, 127.0.0.1:${pictures.address().port}`,
]);
const avatar = async (id = userId) => {
    const path = `/api/sys/users/getavatar/${id}`,
        response = await fetch(server.url + path);
    const bytes = Buffer.from(await response.arrayBuffer());
    server.record({ method: 'GET', path }, response, bytes.toString('latin1'));
    return { status: response.status, headers: response.headers, bytes };
};

test('the picture of a user without one, and of an unknown user, is null', async () => {
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

test('the type of a picture follows from its content', async () => {
    for (const [path, type] of [
        ['/a.gif', 'image/gif'],
        ['/a.jpg', 'image/jpeg'],
        ['/a.webp', 'image/webp'],
    ]) {
        const reply = await server.update(userId, { NewAvatarUrl: base + path });
        assert.equal(reply.status, 200, reply.text);
        assert.equal((await avatar()).headers.get('content-type'), type);
        assert.equal(
            (await server.get(userId)).AvatarFileName,
            `${(await server.get(userId)).UniqueId}${path.slice(2)}`,
        );
    }
});

test('3 redirects are followed, 4 are not', async () => {
    assert.equal((await server.update(userId, { NewAvatarUrl: `${base}/hop3` })).status, 200);
    assertInvalid(
        await server.update(userId, { NewAvatarUrl: `${base}/hop4` }),
        'NewAvatarUrl',
        /redirects more than 3 times/,
    );
});

for (const [path, says] of [
    ['/lies.png', /valid PNG, JPEG, GIF or WebP/],
    ['/half.png', /valid PNG/],
    ['/half.jpg', /valid PNG/],
    ['/half.webp', /valid PNG/],
    ['/half.gif', /valid PNG/],
    ['/wide.png', /at most 4096 x 4096/],
    ['/large.png', /larger than 5 MiB/],
    ['/endless', /larger than 5 MiB/],
    ['/missing', /status of success/],
    ['/slow', /takes too long/],
    ['/inside', /no public address/],
    ['/file', /http or https URL/],
]) {
    test(`${path} is refused and nothing is changed`, async () => {
        const before = await server.get(userId),
            picture = (await avatar()).bytes;
        const error = assertInvalid(
            await server.update(userId, { FullName: 'Not stored', NewAvatarUrl: base + path }),
            'NewAvatarUrl',
            says,
        );
        assert.equal(error.AttemptedValue, base + path);
        assert.deepEqual(await server.get(userId), before);
        assert.deepEqual((await avatar()).bytes, picture);
    });
}

test('a name with a private address and an unknown name get the same answer, also behind a redirect', async () => {
    const says = async (url) => {
        const { json, status } = await server.update(userId, { NewAvatarUrl: url });
        assert.equal(status, 400);
        return json.Errors[0].Message;
    };
    const hidden = await says(`http://localhost:${secretPort}/`);
    for (const url of [
        'http://nobody-has-this.invalid/',
        `http://nobody-has-this.invalid:${secretPort}/`,
        `http://10.0.0.1:${secretPort}/`,
        `${base}/inside`,
        `${base}/nowhere`,
    ])
        assert.equal(await says(url), hidden, url);
});

for (const host of [
    '127.0.0.1',
    'localhost',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
    '[::]',
    '10.0.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '[fe80::1]',
    '[fc00::1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
]) {
    test(`http://${host}/ is not public`, async () => {
        assertInvalid(
            await server.update(userId, { NewAvatarUrl: `http://${host}:${secretPort}/` }),
            'NewAvatarUrl',
            /no public address/,
        );
    });
}

test('only http and https, without user name, and a string', async () => {
    for (const wrong of [
        'ftp://example.com/x',
        'file:///etc/passwd',
        'example.com/x',
        'http://',
        'http://a b/',
        'javascript:alert(1)',
        ' ',
        'http://user@127.0.0.1/',
        `http://x@127.0.0.1:${secretPort}/`,
        `http://a/${'x'.repeat(2048)}`,
        7,
        true,
        [],
        {},
    ])
        assertInvalid(
            await server.update(userId, { NewAvatarUrl: wrong }),
            'NewAvatarUrl',
            /^(must|could)/,
        );
});

test('no connection reached the private listener', () => assert.equal(hits, 0));

test('ClearAvatarFile removes the picture; NewAvatarUrl wins over it', async () => {
    assert.equal(
        (await server.update(userId, { ClearAvatarFile: true, NewAvatarUrl: `${base}/a.png` }))
            .status,
        200,
    );
    assert.deepEqual((await avatar()).bytes, picture);
    for (const nothing of [false, null]) await server.update(userId, { ClearAvatarFile: nothing });
    assert.deepEqual((await avatar()).bytes, picture);
    assert.equal((await server.update(userId, { ClearAvatarFile: true })).status, 200);
    assert.equal((await avatar()).bytes.toString(), 'null');
    assert.equal((await server.get(userId)).AvatarFileName, null);
    for (const wrong of [2, 'x', [], {}])
        assertInvalid(
            await server.update(userId, { ClearAvatarFile: wrong }),
            'ClearAvatarFile',
            /^must be true or false$/,
        );
});

test('a picture is not downloaded for a change that other rules refuse', async () => {
    const token = await server.token('editor@example.com');
    const reply = await server.update(adminId, { NewAvatarUrl: `${base}/a.png` }, { token });
    assert.equal(reply.status, 403);
    assertInvalid(
        await server.update(userId, { Language: 9, NewAvatarUrl: `${base}/a.png` }),
        'Language',
        /one of/,
    );
    assertFailure(
        await server.update(
            userId,
            { NewAvatarUrl: `${base}/a.png` },
            { headers: { 'If-Match': '"0-0"' } },
        ),
        412,
    );
    assert.equal((await avatar()).bytes.toString(), 'null');
});

for (const [name, [, clean]] of Object.entries(dressed))
    test(`a ${name} is kept without them, and shown as before`, async () => {
        const reply = await server.update(userId, {
            NewAvatarUrl: `${base}/dressed?${encodeURIComponent(name)}`,
        });
        assert.equal(reply.status, 200, reply.text);
        const { bytes } = await avatar();
        assert.ok(!bytes.includes(secret.slice(0, 8)));
        assert.deepEqual(bytes, Buffer.concat(clean));
    });

test('a JPEG that every browser shows is taken: bytes too many before a marker', async () => {
    assert.equal((await server.update(userId, { NewAvatarUrl: `${base}/sloppy.jpg` })).status, 200);
    assert.equal((await avatar()).headers.get('content-type'), 'image/jpeg');
});

const dataUrl = (bytes, type = 'image/png') => `data:${type};base64,${bytes.toString('base64')}`;

test('a picture may be in NewAvatarUrl itself: it is checked and cleaned as one that is fetched', async () => {
    for (const [url, bytes] of [
        [dataUrl(picture), picture],
        [dataUrl(jpeg, 'IMAGE/png;name=x').replace(/=+$/, ''), jpeg], // the content tells the type
    ]) {
        const strict = { headers: { Prefer: 'handling=strict' } };
        const reply = await server.update(userId, { NewAvatarUrl: url }, strict);
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual((await avatar()).bytes, bytes);
        assert.equal((await server.get(userId)).NewAvatarUrl, null);
    }
    assert.equal((await avatar()).headers.get('content-type'), 'image/jpeg');
    const [[worn, clean]] = Object.values(dressed);
    const reply = await server.update(userId, { NewAvatarUrl: dataUrl(Buffer.concat(worn)) });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual((await avatar()).bytes, Buffer.concat(clean));
});

test('a data URL that holds no picture is refused, and the picture stays', async () => {
    const before = (await avatar()).bytes;
    for (const [url, says] of [
        [dataUrl(picture.subarray(0, -20)), /valid PNG/],
        [dataUrl(Buffer.from('<svg/>'), 'image/svg+xml'), /valid PNG/],
        ['data:image/png;base64,', /valid PNG/],
        ['data:image/png;base64,!', /valid PNG/],
        [`data:image/png;base64,${'A'.repeat(700000)}`, /at most 700000 characters/],
        ['data:image/png,x', /a data URL of an image in base64/],
        [dataUrl(picture, 'text/html'), /a data URL of an image in base64/],
        [`http://a/${'x'.repeat(2048)}`, /at most 2048 characters/],
    ])
        assertInvalid(await server.update(userId, { NewAvatarUrl: url }), 'NewAvatarUrl', says);
    assert.deepEqual((await avatar()).bytes, before);
});

test('a URL of a picture may be an IRI', async () => {
    const reply = await server.update(userId, { NewAvatarUrl: `${base}/ü.png` });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual((await avatar()).bytes, picture);
    assertInvalid(
        await server.update(
            userId,
            { NewAvatarUrl: `${base}/ü.png` },
            { headers: { Prefer: 'handling=strict' } },
        ),
        'NewAvatarUrl',
        /http or https URL/,
    );
});
