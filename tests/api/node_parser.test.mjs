// Two readers of HTTP/1.1 that were made apart should not see two things in one request: what framing.mjs has as understood is
// given to node's own server too, strict as it is by default. It must see as many requests, and the first with the method,
// target, headers and body that the bytes have. Rows that say why it does not (`differs`) are left out.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Client, forEach } from '../lib/client.mjs';
import { rows } from './framing.mjs';

const last = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const seen = new Map(); // what node's server saw, by the client's port
const node = createServer({ insecureHTTPParser: false }, async (request, response) => {
    const one = {
        method: request.method,
        target: request.url,
        headers: request.rawHeaders,
        body: '',
    };
    seen.get(request.socket.remotePort).push(one);
    for await (const part of request.setEncoding('latin1')) one.body += part;
    response.setHeader('Content-Length', 0).end();
});
node.on('clientError', (error, socket) => socket.end()); // what comes after the last request
node.maxHeadersCount = 0;
node.listen(0, '127.0.0.1');
await once(node, 'listening');
after(() => node.close());
const { address: host, port } = node.address();

// The first request of well-formed bytes, read as simply as can be.
function plainly(bytes) {
    const text = bytes.replace(/^(\r\n)*/, ''),
        end = text.indexOf('\r\n\r\n');
    const [requestLine, ...lines] = text.slice(0, end).split('\r\n'),
        [method, target] = requestLine.split(' ');
    const headers = lines.flatMap((line) => [
        line.slice(0, line.indexOf(':')),
        line.slice(line.indexOf(':') + 1).replace(/^[ \t]+|[ \t]+$/g, ''),
    ]);
    const valueOf = (name) =>
        headers[headers.findIndex((header, i) => i % 2 === 0 && header.toLowerCase() === name) + 1];
    let rest = text.slice(end + 4),
        body = '';
    if (headers.some((header, i) => i % 2 === 0 && /^transfer-encoding$/i.test(header)))
        for (let size; (size = parseInt(rest, 16)) > 0; ) {
            const start = rest.indexOf('\r\n') + 2;
            body += rest.slice(start, start + size);
            rest = rest.slice(start + size + 2);
        }
    else if (headers.some((header, i) => i % 2 === 0 && /^content-length$/i.test(header)))
        body = rest.slice(0, Number(valueOf('content-length')));
    return { method, target, headers, body };
}

async function requestsOf({ bytes, methods }) {
    const client = await Client.connect({ host, port });
    const requests = [];
    seen.set(client.socket.localPort, requests);
    await client.write(bytes + last);
    await client.rest(methods);
    return requests;
}

const understood = rows.filter(({ refuses, differs }) => !refuses && !differs);
const outcomes = forEach(understood, 32, async (row) => {
    try {
        return { requests: await requestsOf(row) };
    } catch (error) {
        return { error };
    }
});

for (const [i, row] of understood.entries())
    test(`node reads the same: ${row.section}: ${row.name}`, async () => {
        const { requests, error } = (await outcomes)[i];
        if (error) throw error;
        assert.deepEqual(requests[0], plainly(row.bytes));
        if (!row.closes)
            assert.deepEqual(
                [requests.length, requests.at(-1).target],
                [row.statuses.length + 1, '/last'],
            );
    });
