// HTTP/2 on a system that is slow at one place: requests of one connection do not wait for each other.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { userId } from '../lib/ids.mjs';
import { inTime } from '../lib/wait.mjs';
import { Faults } from './faults.mjs';

const faults = new Faults();
const server = await faults.start(['--http2', 'clear']);
const token = await server.admin();
const session = http2.connect(server.url);
after(() => session.destroy());

// A request; its status, once the reply has begun.
function ask(method, path, body) {
    return new Promise((resolve, reject) => {
        const stream = session.request(
            { ':method': method, ':path': path, authorization: `Bearer ${token}` },
            { endStream: !body },
        );
        stream
            .on('response', (headers) => resolve(headers[':status']))
            .on('error', reject)
            .resume();
        if (body) stream.end(JSON.stringify(body));
    });
}

test('a change that waits for the disk holds up no other request of its connection', async () => {
    const changed = await faults.whileHeld(
        () => ask('PATCH', `/api/sys/users/${userId}`, { FullName: 'Held' }),
        async () => {
            for (const path of ['/healthz', `/api/sys/users/${userId}`, '/healthz'])
                assert.equal(await inTime(path, ask('GET', path)), 200);
        },
    );
    assert.equal(changed, 200);
});
