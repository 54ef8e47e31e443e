// RFC 9112 sections 2 to 7, as far as they decide where a request ends: whatever a head or a body
// looks like, it is read in the one way that the RFC says, or refused and the connection closed, so
// that nobody's next request is made of it.
import test from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { Server } from './harness.mjs';

const server = await Server.start(['--demo', '--idle-timeout', '2']);
const second = 'GET /healthz?second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

// Sends bytes and gives what comes until the server closes, at most `wait` ms.
function send(bytes, wait = 1500) {
    return new Promise((resolve) => {
        const socket = net.connect(server.port, server.host);
        let answer = '', closed = false;
        const timer = setTimeout(() => socket.destroy(), wait);
        socket.on('data', (part) => { answer += part.toString('latin1'); });
        socket.on('end', () => { closed = true; });
        socket.on('error', () => { closed = true; });
        socket.on('close', () => { clearTimeout(timer); resolve({ answer, closed }); });
        socket.on('connect', () => socket.write(Buffer.from(bytes, 'latin1')));
    });
}

const statuses = (answer) => [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
const get = (lines) => `GET /healthz HTTP/1.1\r\nHost: x\r\n${lines}\r\n`;
const line = (text) => `${text}\r\nHost: x\r\n\r\n`;
const post = (lines, body) => `POST /api/token HTTP/1.1\r\nHost: x\r\n${lines}\r\n${body}`;
const chunked = (body) => post('Transfer-Encoding: chunked\r\n', body);

// Refused, or not answered at all, and the connection is closed.
const refused = {
    'a blank before the colon': get('X : a\r\n'),
    'a tab before the colon': get('X\t: a\r\n'),
    'a line that begins with a blank': 'GET /healthz HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n',
    'a header without a colon': get('X\r\n'),
    'a name with brackets': get('X(y): a\r\n'),
    'a name of 8 bits': get('X\xff: a\r\n'),
    'a name with NUL': get('X\0: a\r\n'),
    'a control character in a value': get('X: a\x01b\r\n'),
    'a bare CR in a value': get('X: a\rb\r\n'),
    'a bare CR as the end of lines': 'GET /healthz HTTP/1.1\rHost: x\r\r',
    'a CR before the end of a line': get('X: a\r\r\n'),
    'HTTP/0.9': 'GET /healthz\r\n',
    'HTTP/2.0': line('GET /healthz HTTP/2.0'),
    'a version in small letters': line('GET /healthz http/1.1'),
    'a version of two digits': line('GET /healthz HTTP/1.10'),
    'no version': line('GET /healthz HTTP/'),
    'tabs in the first line': line('GET\t/healthz\tHTTP/1.1'),
    'a blank in the target': line('GET /heal thz HTTP/1.1'),
    'a blank after the version': line('GET /healthz HTTP/1.1 '),
    'a blank before the method': line(' GET /healthz HTTP/1.1'),
    'a method that is none': line('G@T /healthz HTTP/1.1'),
    'a method in small letters': line('get /healthz HTTP/1.1'),
    'no Host': 'GET /healthz HTTP/1.1\r\n\r\n',
    'two Hosts': get('Host: x\r\n'),
    'a list of Hosts': 'GET /healthz HTTP/1.1\r\nHost: a, b\r\n\r\n',
    'a Host with a blank': 'GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n',
    'a Host with a path': 'GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n',
    'Content-Length that is empty': post('Content-Length:\r\n', 'hello'),
    'Content-Length with a blank inside': post('Content-Length: 1 2\r\n', 'hello'),
    'Content-Length in hexadecimal': post('Content-Length: 0x5\r\n', 'hello'),
    'Content-Length below zero': post('Content-Length: -5\r\n', 'hello'),
    'Content-Length with a plus': post('Content-Length: +5\r\n', 'hello'),
    'Content-Length as a list': post('Content-Length: 5, 5\r\n', 'hello'),
    'Content-Length with a fraction': post('Content-Length: 5.0\r\n', 'hello'),
    'Content-Length of 23 digits': post('Content-Length: 99999999999999999999999\r\n', 'hello'),
    'Content-Length that overflows to 5': post('Content-Length: 18446744073709551621\r\n', 'hello'),
    'Content-Length after a vertical tab': post('Content-Length: \x0b5\r\n', 'hello'),
    'Content-Length twice, the same': post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
    'Content-Length twice, different': post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'),
    'Content-Length on a second line': post('Content-Length:\r\n 5\r\n', 'hello'),
    'Content-Length with chunked': post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    'an unknown coding': post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
    'identity': post('Transfer-Encoding: identity\r\n', 'hello'),
    'chunked, identity': post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'),
    'chunked with a comma': post('Transfer-Encoding: chunked,\r\n', '0\r\n\r\n'),
    'chunked with a parameter': post('Transfer-Encoding: chunked;q=1\r\n', '0\r\n\r\n'),
    'chunked in quotes': post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'),
    'chunked after a vertical tab': post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'),
    'chunked on a second line': post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'),
    'chunked with a blank before the colon': post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n'),
    'chunked twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    'an empty coding': post('Transfer-Encoding:\r\n', '0\r\n\r\n'),
    'chunked under HTTP/1.0': 'POST /api/token HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a name that only looks like Transfer-Encoding': post('Transfer_Encoding: chunked\r\n', '0\r\n\r\n'),
    'a body that nobody announced': post('', 'hello'),
    'a chunk of size -5': chunked('-5\r\nhello\r\n0\r\n\r\n'),
    'a chunk of size 0x5': chunked('0x5\r\nhello\r\n0\r\n\r\n'),
    'a chunk of size 1_0': chunked('1_0\r\nhello\r\n0\r\n\r\n'),
    'a blank before a chunk size': chunked(' 5\r\nhello\r\n0\r\n\r\n'),
    'a chunk size of 18 digits': chunked('fffffffffffffffff5\r\nhello\r\n0\r\n\r\n'),
    'a chunk without a size': chunked('\r\nhello\r\n0\r\n\r\n'),
    'a chunk that is longer than its size': chunked('5\r\nhelloX\r\n0\r\n\r\n'),
    'a trailer that is no header': chunked('0\r\nX y\r\n\r\n'),
};
for (const [name, bytes] of Object.entries(refused))
    test(`${name}: refused, and what follows is nobody's request`, async () => {
        const { answer, closed } = await send(bytes + second, 4000);
        assert.ok(closed, `still open after ${JSON.stringify(answer.slice(0, 200))}`);
        assert.ok(statuses(answer).every((status) => status >= 400), answer);
    });

// Read in the one way that there is: the second request is answered as well, and nothing else.
const understood = {
    'a second line of a header that does not matter': [get('X: a\r\n b\r\n'), 200],
    'blanks around a value': [get('X: \t a \t\r\n'), 200],
    'letters beyond ASCII in a value': [get('X: a\xe9\r\n'), 200],
    'a minor version that does not exist yet': [line('GET /healthz HTTP/1.2'), 200],
    'an empty line before the request': [`\r\n${get('')}`, 200],
    'the absolute form': [line('GET http://x/healthz HTTP/1.1'), 200],
    'the absolute form, whatever its host': [line('GET HTTPS://other:8443/healthz?a=/b HTTP/1.1'), 200],
    'the absolute form without a path': [line('GET http://x HTTP/1.1'), 404],
    'the asterisk form': [line('OPTIONS * HTTP/1.1'), 404],
    'an empty Host': ['GET /healthz HTTP/1.1\r\nHost:\r\n\r\n', 200],
    'a Host that is an IPv6 address': ['GET /healthz HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n', 200],
    'Content-Length with zeros before it': [post('Content-Length: 005\r\n', 'hello'), 400],
    'a GET with a body': [`${get('Content-Length: 5\r\n')}hello`, 200],
    'a GET with chunks': [`${get('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n0\r\n\r\n`, 200],
    'CHUNKED in capitals': [post('Transfer-Encoding: CHUNKED\r\n', '5\r\nhello\r\n0\r\n\r\n'), 400],
    'a chunk size in capitals': [chunked('A\r\n0123456789\r\n0\r\n\r\n'), 400],
    'a chunk size with zeros before it': [chunked('0005\r\nhello\r\n000\r\n\r\n'), 400],
    'a chunk extension': [chunked('5;a=b\r\nhello\r\n0\r\n\r\n'), 400],
    'trailers, which change nothing': [chunked('5\r\nhello\r\n0\r\nContent-Length: 50\r\nHost: y\r\n\r\n'), 400],
    'Connection naming Content-Length': [post('Connection: Content-Length\r\nContent-Length: 5\r\n', 'hello'), 400],
    'an Upgrade that is not taken': [get('Connection: Upgrade\r\nUpgrade: h2c\r\n'), 200],
};
for (const [name, [bytes, status]] of Object.entries(understood))
    test(`${name}: understood, and the next request too`, async () => {
        const { answer } = await send(bytes + second);
        assert.deepEqual(statuses(answer), [status, 200], answer);
    });

test('Expect: 100-continue is answered before the body', async () => {
    const { answer } = await send(post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello') + second);
    assert.deepEqual(statuses(answer), [100, 400, 200]);
});

test('requests before a refused one are answered, those after it are not', async () => {
    const { answer, closed } = await send(get('') + get('X : a\r\n') + second, 4000);
    assert.deepEqual(statuses(answer), [200, 400]);
    assert.ok(closed);
});
