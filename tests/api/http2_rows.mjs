// RFC 9113 sections 3 to 8: what a client sends, and all that may come of it.
import {
    acknowledge,
    code,
    data,
    fields,
    flag,
    frame,
    get,
    goaway,
    kept,
    last,
    ping,
    post,
    preface,
    put,
    priority,
    reference,
    request,
    reset,
    setting,
    settings,
    type,
    windowUpdate,
} from '../lib/frames.mjs';

const { END_HEADERS, END_STREAM, PADDED } = flag;
export const head = (id, list, flags = END_HEADERS | END_STREAM) =>
    frame(type.HEADERS, flags, id, Buffer.isBuffer(list) ? list : fields(list));
export const more = (id, list, flags = END_HEADERS) =>
    frame(type.CONTINUATION, flags, id, Buffer.isBuffer(list) ? list : fields(list));
const block = fields(request());
const number = (value) =>
    Buffer.from([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
const padded = (length, payload, fill = length) =>
    Buffer.concat([Buffer.from([length]), Buffer.from(payload), Buffer.alloc(fill)]);
const withPriority = (on, list = block) => Buffer.concat([number(on), Buffer.from([15]), list]);
const bare = { begin: false },
    untold = { acknowledges: false };
const windowOf = (size) => ({ list: [[setting.INITIAL_WINDOW_SIZE, size]] });
const many = (count, make) =>
    Buffer.concat(Array.from({ length: count }, (_, i) => make(2 * i + 1)));

// Outcomes of a row: the connection ends with an error; a stream is reset; replies by stream; or
// nothing.
const ends = (name) => ({ goaway: code[name] });
const resets = (name, id = 1) => ({ reset: { [id]: code[name] } });
const replies = (...statuses) => ({
    status: Object.fromEntries(statuses.map((status, i) => [2 * i + 1, status])),
});
const nothing = {};
// A stream that is reset, and the next request is answered.
const resetsOne = (name) => ({ reset: { 1: code[name] }, status: { 3: 200 } });
// A request of one stream that is malformed, and one that is not.
const malformed = (list) => [Buffer.concat([head(1, list), get(3)]), resetsOne('PROTOCOL_ERROR')];

// [section, what, bytes, outcome, how the connection begins]
export const rows = [
    [
        '3.4',
        'a request in the same bytes as the preface',
        Buffer.concat([preface, settings(), get(1)]),
        replies(200),
        bare,
    ],
    [
        '3.4',
        'a preface that goes on otherwise',
        Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'),
        ends('PROTOCOL_ERROR'),
        bare,
    ],
    [
        '3.4',
        'no SETTINGS behind the preface',
        Buffer.concat([preface, get(1)]),
        ends('PROTOCOL_ERROR'),
        bare,
    ],
    [
        '3.4',
        'an acknowledgement instead of SETTINGS',
        Buffer.concat([preface, acknowledge()]),
        ends('PROTOCOL_ERROR'),
        bare,
    ],
    ['3.4', 'SETTINGS that are empty', Buffer.concat([preface, settings()]), nothing, bare],
    [
        '4.1',
        'a frame of unknown type',
        Buffer.concat([frame(0x42, 0xff, 0, 'x'), frame(0xfe, 0, 7, ''), get(1)]),
        replies(200),
    ],
    ['4.1', 'flags that PING does not have', frame(type.PING, 0xfe, 0, 'pingpong'), nothing],
    [
        '4.1',
        'flags that HEADERS do not have',
        head(1, block, 0xd0 | END_HEADERS | END_STREAM),
        replies(200),
    ],
    [
        '4.1',
        'the reserved bit of a stream',
        frame(type.HEADERS, 5, 0x80000001, block),
        replies(200),
    ],
    [
        '4.2',
        'DATA of 16,384 bytes',
        Buffer.concat([post(1, [['content-length', '16384']]), last(1, Buffer.alloc(16384))]),
        replies(400),
    ],
    [
        '4.2',
        'DATA of 16,385 bytes',
        Buffer.concat([post(1), data(1, Buffer.alloc(16385))]),
        ends('FRAME_SIZE_ERROR'),
    ],
    ['4.2', 'HEADERS of 16,385 bytes', head(1, Buffer.alloc(16385)), ends('FRAME_SIZE_ERROR')],
    [
        '4.2',
        'a frame of unknown type of 16,385 bytes',
        frame(0x42, 0, 0, Buffer.alloc(16385)),
        ends('FRAME_SIZE_ERROR'),
    ],
    ['4.3', 'a reference to entry 0', head(1, reference(0)), ends('COMPRESSION_ERROR')],
    [
        '4.3',
        'a reference behind the end of the table',
        head(1, reference(70)),
        ends('COMPRESSION_ERROR'),
    ],
    [
        '4.3',
        'a table that is larger than allowed',
        head(1, Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), block])),
        ends('COMPRESSION_ERROR'),
    ],
    [
        '4.3',
        'a change of the table behind a field',
        head(1, Buffer.concat([block, Buffer.from([0x20])])),
        ends('COMPRESSION_ERROR'),
    ],
    [
        '4.3',
        'a field that ends within its value',
        head(1, block.subarray(0, block.length - 1)),
        ends('COMPRESSION_ERROR'),
    ],
    [
        '4.3',
        'a Huffman code that is filled with zeros',
        head(1, Buffer.concat([block, Buffer.from([0, 1, 0x61, 0x81, 0x00])])),
        ends('COMPRESSION_ERROR'),
    ],
    [
        '4.3',
        'an integer without end',
        head(1, Buffer.concat([Buffer.from([0xff]), Buffer.alloc(12, 0xff)])),
        ends('COMPRESSION_ERROR'),
    ],
    [
        '4.3',
        'a field that is kept, and a reference to it',
        Buffer.concat([
            head(1, Buffer.concat([block, kept('x-a', 'b')])),
            head(3, Buffer.concat([block, reference(62)])),
        ]),
        replies(200, 200),
    ],
    [
        '4.3',
        'a list of fields in three frames',
        Buffer.concat([
            head(1, block.subarray(0, 3), END_STREAM),
            more(1, block.subarray(3, 30), 0),
            more(1, block.subarray(30)),
        ]),
        replies(200),
    ],
    [
        '4.3',
        'PRIORITY within a list of fields',
        Buffer.concat([head(1, block, END_STREAM), priority(1), more(1, [])]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '4.3',
        'another list within a list of fields',
        Buffer.concat([head(1, block, END_STREAM), get(3)]),
        ends('PROTOCOL_ERROR'),
    ],
    ['5.1', 'DATA on an idle stream', data(1, 'x'), ends('PROTOCOL_ERROR')],
    ['5.1', 'RST_STREAM on an idle stream', reset(1), ends('PROTOCOL_ERROR')],
    ['5.1', 'WINDOW_UPDATE on an idle stream', windowUpdate(1, 1), ends('PROTOCOL_ERROR')],
    ['5.1', 'CONTINUATION on an idle stream', more(1, block), ends('PROTOCOL_ERROR')],
    ['5.1', 'PRIORITY on an idle stream', Buffer.concat([priority(7), get(1)]), replies(200)],
    [
        '5.1',
        'DATA on a stream that the client has ended',
        Buffer.concat([get(1), data(1, 'x')]),
        ends('STREAM_CLOSED'),
        windowOf(0),
    ],
    [
        '5.1',
        'HEADERS on a stream that the client has ended',
        Buffer.concat([get(1), get(1)]),
        ends('STREAM_CLOSED'),
        windowOf(0),
    ],
    [
        '5.1',
        'WINDOW_UPDATE on a stream that the client has ended',
        Buffer.concat([get(1), windowUpdate(1, 100)]),
        replies(200),
        windowOf(0),
    ],
    [
        '5.1',
        'DATA on a stream that the client has reset',
        Buffer.concat([post(1), reset(1), data(1, 'x'), get(3)]),
        { status: { 3: 200 } },
    ],
    [
        '5.1',
        'HEADERS on a stream that the client has reset',
        Buffer.concat([post(1), reset(1), get(1)]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '5.1',
        'PRIORITY, WINDOW_UPDATE and RST_STREAM on a closed stream',
        Buffer.concat([post(1), reset(1), priority(1), windowUpdate(1, 1), reset(1), get(3)]),
        { status: { 3: 200 } },
    ],
    ['5.1.1', 'a stream with an even number', get(2), ends('PROTOCOL_ERROR')],
    [
        '5.1.1',
        'a stream below one that is begun',
        Buffer.concat([get(5), get(3)]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '5.1.1',
        'streams that are left out',
        Buffer.concat([get(1), get(101)]),
        { status: { 1: 200, 101: 200 } },
    ],
    [
        '5.1.1',
        'DATA on a stream that was left out',
        Buffer.concat([get(5), data(3, 'x')]),
        { status: { 5: 200 } },
    ],
    [
        '5.1.2',
        'stream 101 before the client knows the limit',
        many(101, post),
        resets('REFUSED_STREAM', 201),
        untold,
    ],
    [
        '5.1.2',
        'stream 101 when it knows',
        Buffer.concat([acknowledge(), many(101, post)]),
        ends('PROTOCOL_ERROR'),
        untold,
    ],
    [
        '5.1.2',
        'a stream that was reset makes room for another',
        Buffer.concat([acknowledge(), many(100, post), reset(1), get(201)]),
        { status: { 201: 200 } },
        untold,
    ],
    [
        '5.3.1',
        'a stream that depends on itself',
        Buffer.concat([get(1), priority(3, 3)]),
        replies(200),
    ],
    [
        '5.4.1',
        'an error of the connection names the last stream',
        Buffer.concat([get(1), get(3), frame(type.PING, 0, 1, 'pingpong')]),
        { goaway: code.PROTOCOL_ERROR, last: 3 },
        windowOf(0),
    ],
    [
        '5.4.2',
        "an error of one stream is no other stream's",
        Buffer.concat([post(1), head(3, request('GET', '/', [['Upper', 'x']])), last(1, 'x')]),
        { status: { 1: 400 }, reset: { 3: code.PROTOCOL_ERROR } },
    ],
    [
        '5.5',
        'a frame of unknown type within a list of fields',
        Buffer.concat([head(1, block, END_STREAM), frame(0x42, 0, 1, ''), more(1, [])]),
        ends('PROTOCOL_ERROR'),
    ],
    ['6.1', 'DATA on stream 0', data(0, 'x'), ends('PROTOCOL_ERROR')],
    [
        '6.1',
        'DATA with padding',
        Buffer.concat([post(1), data(1, padded(5, 'hello'), PADDED | END_STREAM)]),
        replies(400),
    ],
    [
        '6.1',
        'DATA that is padding alone',
        Buffer.concat([
            post(1),
            data(1, padded(255, ''), PADDED),
            data(1, padded(0, ''), PADDED | END_STREAM),
        ]),
        replies(400),
    ],
    [
        '6.1',
        'padding as long as the frame',
        Buffer.concat([post(1), data(1, padded(4, 'hel', 0), PADDED)]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.1',
        'padding without its length',
        Buffer.concat([post(1), data(1, '', PADDED)]),
        ends('PROTOCOL_ERROR'),
    ],
    ['6.2', 'HEADERS on stream 0', get(0), ends('PROTOCOL_ERROR')],
    [
        '6.2',
        'HEADERS with padding',
        head(1, padded(9, block), PADDED | END_HEADERS | END_STREAM),
        replies(200),
    ],
    [
        '6.2',
        'HEADERS with padding that is too long',
        head(1, padded(255, block, 0), PADDED | END_HEADERS | END_STREAM),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.2',
        'HEADERS with a priority',
        head(1, withPriority(0x80000000), flag.PRIORITY | END_HEADERS | END_STREAM),
        replies(200),
    ],
    [
        '6.2',
        'HEADERS with half a priority',
        head(1, Buffer.alloc(4), flag.PRIORITY | END_HEADERS),
        ends('FRAME_SIZE_ERROR'),
    ],
    ['6.3', 'PRIORITY on stream 0', priority(0, 1), ends('PROTOCOL_ERROR')],
    [
        '6.3',
        'PRIORITY of 4 bytes',
        frame(type.PRIORITY, 0, 1, Buffer.alloc(4)),
        ends('FRAME_SIZE_ERROR'),
    ],
    ['6.4', 'RST_STREAM on stream 0', reset(0), ends('PROTOCOL_ERROR')],
    [
        '6.4',
        'RST_STREAM of 3 bytes',
        Buffer.concat([post(1), frame(type.RST_STREAM, 0, 1, Buffer.alloc(3))]),
        ends('FRAME_SIZE_ERROR'),
    ],
    [
        '6.4',
        'RST_STREAM ends its stream alone',
        Buffer.concat([post(1), post(3), reset(1), last(3, 'x')]),
        { status: { 3: 400 } },
    ],
    [
        '6.4',
        'RST_STREAM with an unknown code',
        Buffer.concat([post(1), reset(1, 0xffffffff), get(3)]),
        { status: { 3: 200 } },
    ],
    [
        '6.5',
        'an acknowledgement with content',
        frame(type.SETTINGS, flag.ACK, 0, Buffer.alloc(6)),
        ends('FRAME_SIZE_ERROR'),
    ],
    ['6.5', 'SETTINGS on a stream', frame(type.SETTINGS, 0, 1, ''), ends('PROTOCOL_ERROR')],
    [
        '6.5',
        'SETTINGS of 5 bytes',
        frame(type.SETTINGS, 0, 0, Buffer.alloc(5)),
        ends('FRAME_SIZE_ERROR'),
    ],
    ['6.5.2', 'ENABLE_PUSH of 2', settings([[setting.ENABLE_PUSH, 2]]), ends('PROTOCOL_ERROR')],
    [
        '6.5.2',
        'INITIAL_WINDOW_SIZE of 2^31',
        settings([[setting.INITIAL_WINDOW_SIZE, 2 ** 31]]),
        ends('FLOW_CONTROL_ERROR'),
    ],
    [
        '6.5.2',
        'MAX_FRAME_SIZE of 16,383',
        settings([[setting.MAX_FRAME_SIZE, 16383]]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.5.2',
        'MAX_FRAME_SIZE of 2^24',
        settings([[setting.MAX_FRAME_SIZE, 2 ** 24]]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.5.2',
        'MAX_FRAME_SIZE of 2^24 - 1',
        Buffer.concat([settings([[setting.MAX_FRAME_SIZE, 2 ** 24 - 1]]), get(1)]),
        replies(200),
    ],
    ['6.5.2', 'an unknown setting', Buffer.concat([settings([[0x4242, 1]]), get(1)]), replies(200)],
    [
        '6.5.3',
        'settings that contradict each other: the last counts',
        Buffer.concat([
            settings([
                [setting.INITIAL_WINDOW_SIZE, 0],
                [setting.INITIAL_WINDOW_SIZE, 99],
            ]),
            get(1),
        ]),
        replies(200),
    ],
    [
        '6.6',
        'PUSH_PROMISE',
        frame(type.PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([number(2), block])),
        ends('PROTOCOL_ERROR'),
    ],
    ['6.7', 'PING on a stream', frame(type.PING, 0, 1, 'pingpong'), ends('PROTOCOL_ERROR')],
    ['6.7', 'PING of 7 bytes', ping('pingpon'), ends('FRAME_SIZE_ERROR')],
    ['6.7', 'PING of 9 bytes', ping('pingpongs'), ends('FRAME_SIZE_ERROR')],
    [
        '6.8',
        'GOAWAY on a stream',
        frame(type.GOAWAY, 0, 1, Buffer.alloc(8)),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.8',
        'GOAWAY of 7 bytes',
        frame(type.GOAWAY, 0, 0, Buffer.alloc(7)),
        ends('FRAME_SIZE_ERROR'),
    ],
    [
        '6.9',
        'WINDOW_UPDATE of 3 bytes',
        frame(type.WINDOW_UPDATE, 0, 0, Buffer.alloc(3)),
        ends('FRAME_SIZE_ERROR'),
    ],
    ['6.9', 'WINDOW_UPDATE of 0 on the connection', windowUpdate(0, 0), ends('PROTOCOL_ERROR')],
    [
        '6.9',
        'WINDOW_UPDATE of 0 on a stream',
        Buffer.concat([post(1), windowUpdate(1, 0)]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.9.1',
        'a window of the connection of 2^31',
        windowUpdate(0, 2 ** 31 - 1),
        ends('FLOW_CONTROL_ERROR'),
    ],
    [
        '6.9.1',
        'a window of a stream of 2^31',
        Buffer.concat([post(1), windowUpdate(1, 2 ** 31 - 1), get(3)]),
        resetsOne('FLOW_CONTROL_ERROR'),
    ],
    [
        '6.9.1',
        "more than the connection's window",
        many(17, (id) =>
            Buffer.concat([post(id), ...Array(4).fill(data(id, Buffer.alloc(16380)))]),
        ),
        ends('FLOW_CONTROL_ERROR'),
        untold,
    ],
    [
        '6.9.1',
        "more than a stream's window",
        Buffer.concat([
            acknowledge(),
            ...[1, 3].map((id) => put(id, 1048576)),
            post(5),
            data(5, Buffer.alloc(16384)),
            data(5, 'x'),
            get(7),
        ]),
        { reset: { 5: code.FLOW_CONTROL_ERROR }, status: { 7: 200 } },
        untold,
    ],
    // The section wants the connection ended; nghttp2 ends the streams concerned.
    [
        '6.9.2',
        'an initial window that makes one of a stream too large',
        Buffer.concat([
            post(1),
            windowUpdate(1, 2 ** 31 - 1 - 65535),
            settings([[setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]]),
            get(3),
        ]),
        resetsOne('FLOW_CONTROL_ERROR'),
    ],
    [
        '6.10',
        'CONTINUATION without HEADERS',
        Buffer.concat([post(1), more(1, block)]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.10',
        'CONTINUATION behind the end of a list',
        Buffer.concat([get(1), more(1, block)]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.10',
        'CONTINUATION on stream 0',
        Buffer.concat([head(1, block, END_STREAM), more(0, [])]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.10',
        'CONTINUATION on another stream',
        Buffer.concat([head(1, block, END_STREAM), more(3, [])]),
        ends('PROTOCOL_ERROR'),
    ],
    [
        '6.10',
        'HEADERS that are empty, and CONTINUATION',
        Buffer.concat([head(1, [], END_STREAM), more(1, [], 0), more(1, block)]),
        replies(200),
    ],
    [
        '8.1',
        'trailers, which change nothing',
        Buffer.concat([
            post(1),
            data(1, 'x'),
            head(1, [
                ['content-type', 'x/y'],
                ['x-a', 'b'],
            ]),
        ]),
        replies(400),
    ],
    [
        '8.1',
        'trailers that do not end the request',
        Buffer.concat([post(1), data(1, 'x'), head(1, [['x-a', 'b']], END_HEADERS), get(3)]),
        resetsOne('PROTOCOL_ERROR'),
    ],
    [
        '8.1',
        'trailers with a pseudo-header field',
        Buffer.concat([post(1), data(1, 'x'), head(1, [[':path', '/']]), get(3)]),
        resetsOne('PROTOCOL_ERROR'),
    ],
    ['8.1', 'a body that is empty', Buffer.concat([post(1), last(1)]), replies(400)],
    [
        '8.1',
        'a GET with a body',
        Buffer.concat([head(1, request(), END_HEADERS), last(1, 'hello')]),
        replies(200),
    ],
    [
        '8.1.1',
        'a body that is shorter than Content-Length',
        Buffer.concat([post(1, [['content-length', '6']]), last(1, 'hello'), get(3)]),
        resetsOne('PROTOCOL_ERROR'),
    ],
    [
        '8.1.1',
        'a body that is longer than Content-Length',
        Buffer.concat([post(1, [['content-length', '4']]), data(1, 'hello'), get(3)]),
        resetsOne('PROTOCOL_ERROR'),
    ],
    [
        '8.1.1',
        'Content-Length without a body',
        ...malformed(request('GET', '/healthz', [['content-length', '5']])),
    ],
    [
        '8.1.1',
        'Content-Length twice',
        ...malformed(
            request('GET', '/healthz', [
                ['content-length', '0'],
                ['content-length', '0'],
            ]),
        ),
    ],
    [
        '8.1.1',
        'Content-Length that is no number',
        ...malformed(request('GET', '/healthz', [['content-length', '0x5']])),
    ],
    [
        '8.1.1',
        'Content-Length below zero',
        ...malformed(request('GET', '/healthz', [['content-length', '-1']])),
    ],
    ['8.1.1', 'Content-Length of 0', get(1, [['content-length', '0']]), replies(200)],
    ['8.2', 'a name in capitals', ...malformed(request('GET', '/healthz', [['X-A', 'b']]))],
    ['8.2.1', 'a name with a blank', ...malformed(request('GET', '/healthz', [['x a', 'b']]))],
    ['8.2.1', 'a name with a colon', ...malformed(request('GET', '/healthz', [['x:a', 'b']]))],
    ['8.2.1', 'a name with NUL', ...malformed(request('GET', '/healthz', [['x\0a', 'b']]))],
    ['8.2.1', 'a name with DEL', ...malformed(request('GET', '/healthz', [['x\x7f', 'b']]))],
    ['8.2.1', 'a name of 8 bits', ...malformed(request('GET', '/healthz', [['x\xff', 'b']]))],
    ['8.2.1', 'an empty name', ...malformed(request('GET', '/healthz', [['', 'b']]))],
    ['8.2.1', 'a value with NUL', ...malformed(request('GET', '/healthz', [['x-a', 'b\0c']]))],
    ['8.2.1', 'a value with CR', ...malformed(request('GET', '/healthz', [['x-a', 'b\rc']]))],
    ['8.2.1', 'a value with LF', ...malformed(request('GET', '/healthz', [['x-a', 'b\nc']]))],
    [
        '8.2.1',
        'a value that begins with a blank',
        ...malformed(request('GET', '/healthz', [['x-a', ' b']])),
    ],
    [
        '8.2.1',
        'a value that ends with a tab',
        ...malformed(request('GET', '/healthz', [['x-a', 'b\t']])),
    ],
    [
        '8.2.1',
        'a value that is empty, and one of 8 bits',
        get(1, [
            ['x-a', ''],
            ['x-b', 'caf\xe9'],
        ]),
        replies(200),
    ],
    ...[
        ['connection', 'close'],
        ['keep-alive', 'timeout=5'],
        ['proxy-connection', 'close'],
        ['transfer-encoding', 'chunked'],
        ['upgrade', 'h2c'],
        ['te', 'gzip'],
        ['te', 'trailers, gzip'],
    ].map(([name, value]) => [
        '8.2.2',
        `${name}: ${value}`,
        ...malformed(request('GET', '/healthz', [[name, value]])),
    ]),
    ['8.2.2', 'te: trailers', get(1, [['te', 'trailers']]), replies(200)],
    [
        '8.2.3',
        'cookies in several fields',
        get(1, [
            ['cookie', 'a=b'],
            ['cookie', 'c=d'],
        ]),
        replies(200),
    ],
    ['8.3', 'an unknown pseudo-header field', ...malformed([...request(), [':protocols', 'x']])],
    ['8.3', 'a pseudo-header field of replies', ...malformed([...request(), [':status', '200']])],
    [
        '8.3',
        'a pseudo-header field behind another field',
        ...malformed([
            [':method', 'GET'],
            [':scheme', 'http'],
            [':authority', 'x'],
            ['x-a', 'b'],
            [':path', '/healthz'],
        ]),
    ],
    ...[':method', ':scheme', ':path'].map((name) => [
        '8.3.1',
        `no ${name}`,
        ...malformed(request('GET', '/healthz', [], { [name]: undefined })),
    ]),
    ...request().map((field) => [
        '8.3.1',
        `${field[0]} twice`,
        ...malformed([...request(), field]),
    ]),
    ['8.3.1', 'an empty path', ...malformed(request('GET', ''))],
    ['8.3.1', 'a path without a slash', ...malformed(request('GET', 'healthz'))],
    ['8.3.1', 'a path that is a URL', ...malformed(request('GET', 'http://x/healthz'))],
    ['8.3.1', 'a path with a blank', ...malformed(request('GET', '/heal thz'))],
    ['8.3.1', 'a path with a fragment', ...malformed(request('GET', '/healthz#a'))],
    ['8.3.1', 'another scheme', ...malformed(request('GET', '/healthz', [], { ':scheme': 'ftp' }))],
    [
        '8.3.1',
        'a path without a slash, of another scheme',
        ...malformed(request('GET', 'healthz', [], { ':scheme': 'ftp' })),
    ],
    [
        '8.3.1',
        'HTTPS, in capitals, to a server without',
        get(1, [], { ':scheme': 'HTTPS' }),
        replies(200),
    ],
    ['8.3.1', 'GET *', ...malformed(request('GET', '*'))],
    ['8.3.1', 'OPTIONS *', head(1, request('OPTIONS', '*')), replies(404)],
    ['8.3.1', 'a method that is no token', ...malformed(request('G@T'))],
    ['8.3.1', 'a method that is not known', head(1, request('BREW')), replies(501)],
    [
        '8.3.1',
        'neither :authority nor Host',
        ...malformed(request('GET', '/healthz', [], { ':authority': undefined })),
    ],
    ['8.3.1', 'Host alone', get(1, [['host', 'x']], { ':authority': undefined }), replies(200)],
    ['8.3.1', 'Host and :authority that are the same', get(1, [['host', 'x']]), replies(200)],
    [
        '8.3.1',
        'Host and :authority that differ in case alone',
        get(1, [['host', 'X']]),
        replies(200),
    ],
    [
        '8.3.1',
        'Host and :authority that are not',
        ...malformed(request('GET', '/healthz', [['host', 'y']])),
    ],
    [
        '8.3.1',
        'two Hosts',
        ...malformed(
            request('GET', '/healthz', [
                ['host', 'x'],
                ['host', 'x'],
            ]),
        ),
    ],
    [
        '8.3.1',
        'a user in :authority',
        ...malformed(request('GET', '/healthz', [], { ':authority': 'user@x' })),
    ],
    [
        '8.3.1',
        'a user in Host',
        ...malformed(request('GET', '/healthz', [['host', 'user@x']], { ':authority': undefined })),
    ],
    ['8.3.1', 'two colons in :authority', get(1, [], { ':authority': 'a:b:c' }), replies(400)],
    [
        '8.3.1',
        'the longest path that fits',
        head(1, request('GET', `/${'a'.repeat(15000)}`)),
        replies(404),
    ],
    [
        '8.5',
        'CONNECT',
        head(1, [
            [':method', 'CONNECT'],
            [':authority', 'x:80'],
        ]),
        replies(501),
    ],
    ['8.5', 'CONNECT with a path', ...malformed(request('CONNECT'))],
    [
        '8.6',
        'h2c, once more',
        ...malformed(
            request('GET', '/healthz', [
                ['upgrade', 'h2c'],
                ['http2-settings', ''],
            ]),
        ),
    ],
];
