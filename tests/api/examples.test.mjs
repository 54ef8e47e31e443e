// The page's three examples, as printed but for host, token and values.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { userId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';

const server = await Server.start();
const folder = new URL('../examples/', import.meta.url).pathname;
const environment = {
    ...process.env,
    ROSTER_URL: server.url,
    ROSTER_TOKEN: await server.admin(),
    NO_PROXY: '127.0.0.1',
};

for (const [name, program, file] of [
    ['curl', 'bash', 'curl.sh'],
    ['fetch', 'node', 'fetch.mjs'],
    ['requests', '/usr/bin/python3', 'put_user.py'],
])
    test(`the example in ${name} updates the user`, async () => {
        const { stdout } = await promisify(execFile)(program, [folder + file], {
            env: environment,
        });
        const reply = JSON.parse(stdout);
        assert.equal(reply.WasSuccessful, true);
        assert.deepEqual(reply.Value, { Id: userId });
        assert.equal((await server.get(userId)).FullName, `From ${name}`);
    });
