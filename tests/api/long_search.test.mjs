// Searches that take long: they are stopped in time, wait in a line that has an end, and hold up
// neither changes nor the log.
import test from 'node:test';
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import net from 'node:net';
import { addCopies, firstCopy } from '../lib/copies.mjs';
import { staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { isSampled, Server } from '../lib/server.mjs';
import { sleep, until } from '../lib/wait.mjs';

const copies = 30000;

// Very many users: how many, the name of the i-th to SQL, and the same folded.
const copied = {
    count: copies,
    name: `'Copy ' || (${copies + 1} - i)`,
    folded: (i) => `copy ${copies + 1 - i}`,
};

// A server with very many users, who are put into its database while it is stopped. A search may take as long as the
// machine does, unless a test says otherwise.
async function startLarge(args = [], people = copied) {
    const server = await Server.start(['--metrics', '--search-limit', '3600000', ...args]);
    await addCopies(server, people);
    await server.spawn();
    return { server, token: await server.admin() };
}

const inLine = async (server) =>
    Number(
        /^roster_search_queue_length (\d+)$/m.exec((await server.call('GET', '/metrics')).text)[1],
    );

// Nobody has it, so that every record must be looked at.
const slow = '/api/sys/users?User_Devices=nobodyhasthis';

test('a search past the time limit is stopped and says so; others go on', async () => {
    const { server, token } = await startLarge(['--search-limit', '5']);
    const reply = await server.call('GET', slow, { token });
    assertFailure(reply, 503);
    assert.match(reply.json.Message, /took too long and was stopped/);
    assert.equal(reply.headers.get('retry-after'), '1');
    assert.equal(
        (await server.call('GET', `/api/sys/users?id=[${userId}]`, { token })).json.length,
        1,
    );
    assert.equal((await server.get(userId)).Id, userId);
});

test('too many searches at once get 429, and no change waits for them', async () => {
    const { server, token } = await startLarge();
    assert.equal((await server.call('GET', slow, { token })).json.TotalItems, 0);
    const replies = Array.from({ length: 150 }, () => server.call('GET', slow, { token }));
    let ended = false,
        changes = 0;
    const all = Promise.all(replies).finally(() => {
        ended = true;
    });
    await until('a line of searches', async () => ended || (await inLine(server)) > 32);
    // Each takes a fraction of what one of the searches takes. A change that waited for those in line would be the only one.
    for (; !ended; changes++)
        assert.equal((await server.update(userId, { LastHelpVisited: changes })).status, 200);
    assert.ok(changes >= 5, `${changes} changes while searches wait`);
    const statuses = (await all).map((reply) => reply.status);
    assert.deepEqual([...new Set(statuses)].sort(), [200, 429], 'all were answered');
    const refused = (await all).find((reply) => reply.status === 429);
    assertFailure(refused, 429);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.ok(statuses.filter((status) => status === 200).length >= 64, 'those in line are served');
    assert.ok(server.database || statSync(`${server.file}-wal`).size < 256 * 1024 * 1024);
});

test('the result of a search is sent only to a caller who may still see it when it ends', async () => {
    const { server, token } = await startLarge(['--search-limit', '3600000']),
        slower = `${slow}${'&from_User_LastHelpVisited=0'.repeat(5)}`;
    const isTaken = async () =>
        /^roster_search_queue_length 0$/m.test((await server.call('GET', '/metrics')).text);
    const patch = (UserRoles) =>
        server.call('PATCH', `/api/sys/users/${staff.lister}`, { token, body: { UserRoles } });
    const ends = {
        403: () => patch([]),
        401: () =>
            server.call('POST', '/api/sys/users/runcommand', {
                token,
                body: { Key: 'revoke-tokens', Ids: [staff.lister] },
            }),
    };
    const { UserRoles } = await server.get(staff.lister);
    // Each thread has then sent what it had decided to send before.
    const allThreads = () =>
        Promise.all(
            Array.from({ length: 8 }, () =>
                server.call('GET', '/healthz', { headers: { Connection: 'close' } }),
            ),
        );
    for (const [status, end] of Object.entries(ends)) {
        let isOver = true;
        for (let round = 0; isOver && round < 10; round++) {
            assert.equal((await patch(UserRoles)).status, 200);
            const bearer = await server.token('lister@example.com');
            isOver = false;
            const search = server.call('GET', slower, { token: bearer }).finally(() => {
                isOver = true;
            });
            do await allThreads();
            while (!(await isTaken()));
            assert.equal((await end()).status, 200);
            await allThreads();
            if (!isOver) assertFailure(await search, Number(status));
            else assert.ok([200, Number(status)].includes((await search).status));
        }
    }
});

const refusesConnections = ({ host, port }) =>
    new Promise((resolve) => {
        const socket = net.connect(port, host, () => {
            socket.destroy();
            resolve(false);
        });
        socket.on('error', () => resolve(true));
    });

// Searches may go on for 1 s after the signal. The process is stopped for that long, so that some are in line then,
// however fast the machine is. On a slow one all may have ended before: such an attempt proves nothing and is made again.
test('the server stops while searches run', async () => {
    const { server, token } = await startLarge();
    for (let attempt = 0, some = false; !some; attempt++) {
        assert.ok(attempt < 10, 'those in line are not searched first');
        if (attempt) await server.spawn();
        const replies = Array.from({ length: 60 }, () =>
            server.call('GET', slow, { token }).catch(() => null),
        );
        await until('a line of searches', async () => (await inLine(server)) > 32);
        server.child.kill('SIGTERM');
        await until('the end of taking connections', () => refusesConnections(server));
        server.child.kill('SIGSTOP');
        await sleep(1500);
        server.child.kill('SIGCONT');
        await server.stop();
        const found = (await Promise.all(replies)).map((reply) => reply?.status ?? 0);
        assert.ok(
            found.every((status) => [0, 200, 503].includes(status)),
            found.join(),
        );
        some = found.some((status) => status !== 200);
    }
});

test('exact matches come first and all are counted, also among more matches than are sorted', async () => {
    const { server, token } = await startLarge();
    const idOf = (number) => firstCopy + copies + 1 - number;
    const ids = async (query) => {
        const { json } = await server.call('GET', `/api/sys/users?${query}`, { token });
        return [json.TotalItems, json.Records.map((user) => user.Id)];
    };
    assert.deepEqual(await ids('User_FullName=cOPY&size=3'), [
        copies,
        [1, 2, 3].map((n) => firstCopy + n),
    ]);
    assert.deepEqual(await ids('User_FullName=copy&size=3&page=100'), [
        copies,
        [298, 299, 300].map((n) => firstCopy + n),
    ]);
    // 5, 50 to 59, 500 to 599 and 5000 to 5999, the first of which by Id is 5999.
    assert.deepEqual(await ids('User_FullName=copy%205&size=3'), [
        1111,
        [idOf(5), idOf(5999), idOf(5998)],
    ]);
    assert.deepEqual(await ids('User_FullName=copy%205&size=3&page=2'), [
        1111,
        [idOf(5997), idOf(5996), idOf(5995)],
    ]);
    assert.deepEqual(await ids('User_FullName=copy%205&size=3&orderBy=Id'), [
        1111,
        [idOf(5999), idOf(5998), idOf(5997)],
    ]);
    assert.deepEqual(await ids('User_FullName=copy%205&size=2&orderBy=Id&dir=desc'), [
        1111,
        [idOf(5), idOf(50)],
    ]);
    assert.deepEqual(await ids('User_FullName=copy%205&size=1&page=1111&orderBy=Id'), [
        1111,
        [idOf(5)],
    ]);
    assert.deepEqual(await ids('User_FullName=copy%205&Id=500000001'), [0, []]);
    assert.deepEqual(await ids('User_Email=copy@copy2999.&size=3'), [1, [500002999]]);
    assert.deepEqual(
        await ids('User_Email=copy@copy&size=2'),
        [copies, [500000001, 500000002]],
        'too many for an I/O thread',
    );
    assert.deepEqual(await ids('User_Email=y@copy&User_FullName=copy%205&size=1'), [
        1111,
        [idOf(5)],
    ]);
    const [total] = await ids('size=1');
    assert.equal((await ids('page=2&size=1000'))[0], total);
    assert.ok(total > copies);
});

// Of 100,000 exact ones it is known which they are; the others still come after the last of all.
test('all exact matches come first, page after page, also when there are more than are kept; accents do not count', async () => {
    const others = 50,
        exact = 100050,
        first = firstCopy + 1,
        count = others + exact;
    const { server, token } = await startLarge(['--search-limit', '3600000'], {
        count,
        name: `CASE WHEN i <= ${others} THEN 'Twin ' || i WHEN i % 7 = 0 THEN 'Tw\u00edn' ELSE 'Twin' END`,
        folded: (i) => (i <= others ? `twin ${i}` : 'twin'),
    });
    const expected = Array.from({ length: count }, (_, i) => first + ((others + i) % count));
    const read = async (page, more = '') => {
        const { json } = await server.call(
            'GET',
            `/api/sys/users?User_FullName=twin&size=20&page=${page}${more}`,
            { token },
        );
        assert.deepEqual(
            [json.TotalItems, json.TotalPages, json.HasNextPage],
            [count, 5005, page < 5005],
        );
        return json.Records.map((user) => user.Id);
    };
    for (const page of isSampled() ? [5001] : [1, 5000, 5001, 5003]) // each looks at all of them
        assert.deepEqual(
            await read(page),
            expected.slice((page - 1) * 20, page * 20),
            `page ${page}`,
        );
    assert.deepEqual(
        await read(1, '&orderBy=Id&dir=desc'),
        Array.from({ length: 20 }, (_, i) => first + count - 1 - i),
        'backwards',
    );
});
