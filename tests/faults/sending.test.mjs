// A socket that takes nothing for a while: what was begun is sent as it was begun, and nothing twice.
import test from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import tls from 'node:tls';
import { Wire, makeCertificate, request } from '../lib/tls.mjs';
import { storedUsers } from '../lib/database.mjs';
import { userId } from '../lib/ids.mjs';
import { temporaryFolder } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { EAGAIN, Faults } from './faults.mjs';
import { until } from '../lib/wait.mjs';

const faults = new Faults();
const own = await makeCertificate(temporaryFolder(), 'own');

for (const [name, options] of [
    ['HTTP', []],
    ['HTTPS', own.options],
])
    test(`${name}: "100 Continue" that the socket did not take, and the reply that comes meanwhile`, async () => {
        const server = await faults.start(['--demo', ...options]);
        const open = () =>
            options.length
                ? Wire.open(
                      tls.connect({
                          host: server.host,
                          port: server.port,
                          ca: own.pem,
                          servername: 'localhost',
                      }),
                      'secureConnect',
                  )
                : Wire.clear({ host: server.host, port: server.port });
        const wire = await open();
        const body = `grant_type=password&username=admin@example.com&password=demo-password`;
        wire.write(request('POST', '/api/token', { body }));
        const token = JSON.parse((await wire.reply()).body).access_token;
        wire.write(request('GET', `/api/sys/users/${userId}`, { token }));
        const user = JSON.stringify({
            ...required(JSON.parse((await wire.reply(2)).body)),
            FullName: 'Sent Meanwhile',
        });

        faults.arm('send', 1, { code: EAGAIN, lasts: true });
        wire.write(
            request('PUT', '/api/sys/users', {
                token,
                headers: { Expect: '100-continue', 'Content-Length': user.length },
            }),
        );
        await until('a first try', () => faults.read(faults.place('send', 'struck')));
        wire.write(user);
        const file = join(server.folder, 'data', 'roster.db');
        await until('the change', () =>
            JSON.stringify([...storedUsers(file, `Id = ${userId}`).values()]).includes(
                'Sent Meanwhile',
            ),
        );
        faults.mend('send');
        wire.write('\r\n'); // which is no request, but wakes the connection as room in the socket would
        await until('an end', () => wire.how || wire.text.includes('successfully updated'));
        wire.write(request('GET', '/healthz'));
        await until('the next reply', () => wire.how || wire.text.endsWith('{"status":"ok"}'));
        const statuses = wire
            .replies()
            .map(({ status }) => status)
            .filter((status) => status !== 100);
        assert.deepEqual(statuses, [200, 200, 200, 200], wire.text.slice(-1500));
        wire.socket.destroy();
    });
