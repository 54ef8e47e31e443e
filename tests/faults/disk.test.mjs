// The disk under a running server: full, refusing to sync, slow.
import test from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { required, userBody } from '../lib/users.mjs';
import { EIO, ENOSPC, Faults, ask } from './faults.mjs';
import { inTime, until } from '../lib/wait.mjs';

const faults = new Faults();
const server = await faults.start();
const token = await server.admin();
const body = required(await server.get(userId, token));
const put = (LastHelpVisited) => server.put({ ...body, LastHelpVisited }, { token });
const stored = async () => (await server.get(userId, token)).LastHelpVisited;

const watched = async () => [
    (await server.call('GET', '/healthz')).status,
    (await server.call('GET', '/readyz')).status,
];

test('a full disk refuses updates, still reads, and serves on when there is room', async () => {
    assert.equal((await put(1)).status, 200);
    faults.arm('write', 1, { code: ENOSPC, lasts: true });
    for (let i = 0; i < 3; i++) assertFailure(await put(2), 500);
    const form = {
        grant_type: 'password',
        username: 'nobody@example.com',
        password: 'wrong-password',
    };
    assert.equal((await server.grant(form)).status, 500);
    assert.equal(await stored(), 1);
    assert.deepEqual(await watched(), [200, 503]);
    assert.ok(faults.mend('write') > 0);
    await until('ready again', async () => (await watched())[1] === 200);
    assert.equal((await put(3)).status, 200);
    assert.equal(await stored(), 3);
});

test('while the disk does not answer, reads are answered, and no update', async () => {
    let isAnswered = false;
    const reply = await faults.whileHeld(
        () =>
            put(4).finally(() => {
                isAnswered = true;
            }),
        async () => {
            for (let i = 0; i < 20; i++) assert.equal(await stored(), 3);
            assert.deepEqual(await watched(), [200, 200]);
            assert.ok(!isAnswered, 'it is not durable yet');
        },
    );
    assert.equal(reply.status, 200);
    assert.equal(await stored(), 4);
});

// The place of such a page is known only between commits that change who is where. So large a page is read by a reader.
test('while a new user waits for the disk, pages far from the beginning are answered', async () => {
    const lines = Array.from({ length: 1200 }, (_, i) => `far${i}@example.com,Far ${i}`);
    const imported = await server.call('POST', '/api/sys/users/import', {
        token,
        headers: { 'Content-Type': 'text/csv' },
        body: `Email,FullName\n${lines.join('\n')}\n`,
    });
    assert.match(imported.text, /"IsWhole":true/);
    const page = async () =>
        (await server.call('GET', '/api/sys/users?orderBy=FullName&size=101&page=11', { token }))
            .json.Records.length;
    const create = () =>
        server.call('POST', '/api/sys/users', {
            token,
            body: userBody({ Email: 'held@example.com', FullName: 'Held' }),
        });
    for (let i = 0; i < 2; i++) assert.equal(await page(), 101); // makes the positions
    const created = await faults.whileHeld(create, async () =>
        assert.equal(await inTime('a page', page()), 101),
    );
    assert.equal(created.status, 200, created.text);
    assert.equal(await page(), 101);
});

test('a client that is gone between the commit and its reply has its change made, with an audit row', async () => {
    const audited = async () =>
        (
            await server.call(
                'GET',
                `/api/sys/audittrailentries?size=1000&orderBy=Id&dir=Descending`,
                { token },
            )
        ).json.Records.filter(
            ({ EntityId, PropertyName, NewValue }) =>
                EntityId === userId && PropertyName === 'FullName' && NewValue === 'Gone Before',
        ).length;
    const text = JSON.stringify({ ...body, FullName: 'Gone Before', LastHelpVisited: 41 });
    const socket = net.connect(server.port, server.host);
    socket.on('error', () => {}); // our own reset
    let answered = false;
    socket.on('data', () => {
        answered = true;
    });
    await faults.whileHeld(
        () => {
            socket.write(
                [
                    'PUT /api/sys/users HTTP/1.1',
                    'Host: x',
                    `Authorization: Bearer ${token}`,
                    `Content-Length: ${text.length}`,
                    '',
                    text,
                ].join('\r\n'),
            );
        },
        () => {
            socket.resetAndDestroy();
        },
    );
    await until('the change is made', async () => (await stored()) === 41);
    assert.ok(!answered);
    assert.equal((await server.get(userId, token)).FullName, 'Gone Before');
    assert.equal(await audited(), 1);
    assert.equal((await put(4)).status, 200);
});

test('after one failed sync no update is acknowledged, the server ends so that it is started again, and nothing is lost', async () => {
    assert.equal((await put(5)).status, 200);
    faults.arm('sync', 1, { code: EIO });
    assertFailure(await put(6), 500);
    assert.equal(faults.mend('sync'), 1);
    const statuses = new Set();
    for (let status; status !== 0; statuses.add(status)) ({ status } = await ask(() => put(7)));
    assert.deepEqual(
        [...statuses].filter((status) => ![0, 500, 503].includes(status)),
        [],
    );
    assert.deepEqual(await server.ended, { code: 74, signal: null });
    assert.match(
        server.stderr,
        /the disk refused to sync; no more changes are taken until a restart/,
    );
    assert.match(
        server.stderr,
        /stopping: after a failed write only a restart can find out what is on the disk/,
    );
    await server.spawn();
    assert.equal(await stored(), 5);
    assert.equal((await put(8)).status, 200);
    assert.equal(await stored(), 8);
});
