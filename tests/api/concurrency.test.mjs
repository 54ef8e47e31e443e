// 64 clients at once.
import test from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { required, userBody } from '../lib/users.mjs';
import { addMembers } from '../lib/world.mjs';

const server = await Server.start();
const token = await server.admin();
const clients = 64;
const together = (work) => Promise.all(Array.from({ length: clients }, (_, i) => work(i)));
const members = await addMembers(server, 32);

test('no update is lost under If-Match', async () => {
    const rounds = 4,
        many = 24; // the tries grow with the square
    await Promise.all(
        Array.from({ length: many }, async () => {
            for (let done = 0; done < rounds; ) {
                const got = await server.call('GET', `/api/sys/users/${userId}`, { token });
                const body = {
                    ...required(got.json),
                    LastHelpVisited: got.json.LastHelpVisited + 1,
                };
                const put = await server.put(body, {
                    token,
                    headers: { 'If-Match': got.headers.get('etag') },
                });
                if (put.status === 200) done++;
                else assertFailure(put, 412);
            }
        }),
    );
    assert.equal((await server.get(userId)).LastHelpVisited, many * rounds);
});

test('different users are updated side by side, each as its client said last', async () => {
    const last = new Map();
    await together(async (i) => {
        const id = members[i % members.length];
        for (let n = 0; n < 8; n++) {
            const name = `Client ${i} round ${n}`;
            const user = required(await server.get(id, token));
            assert.equal((await server.put({ ...user, FullName: name }, { token })).status, 200);
            last.set(id, [...(last.get(id) ?? []), name]);
        }
    });
    for (const [id, names] of last)
        assert.ok(names.slice(-8).includes((await server.get(id, token)).FullName));
});

test('an e-mail address wanted by 64 clients at once goes to one', async () => {
    const users = await Promise.all(members.map((id) => server.get(id, token)));
    const replies = await together((i) =>
        server.put(
            {
                ...required(users[i % members.length]),
                Email: i % 2 ? 'wanted@example.com' : 'WANTED@example.com',
            },
            { token },
        ),
    );
    const owners = (await Promise.all(members.map((id) => server.get(id, token)))).filter(
        (user) => user.Email.toLowerCase() === 'wanted@example.com',
    );
    assert.equal(owners.length, 1);
    assert.ok(replies.every(({ status }) => status === 200 || status === 400));
    assert.ok(replies.some(({ status }) => status === 400));
});

test('UpdatedOn strictly increases in the order of the versions', async () => {
    const body = required(await server.get(userId));
    const replies = await together(() => server.put(body, { token }));
    const moments = replies
        .map((reply) => [
            Number(/-(\d+)"$/.exec(reply.headers.get('etag'))[1]),
            Date.parse(reply.json.UpdatedOn),
        ])
        .sort(([a], [b]) => a - b);
    for (let i = 1; i < moments.length; i++) assert.ok(moments[i][1] > moments[i - 1][1]);
    assert.equal(new Set(moments.map(([version]) => version)).size, clients);
});

test('every later request on any connection sees a change that was acknowledged', async () => {
    await together(async (i) => {
        const id = members[i % members.length];
        const body = { ...required(await server.get(id, token)), SystemId: `client-${i}` };
        if (i >= members.length) return;
        assert.equal((await server.put(body, { token })).status, 200);
        assert.equal((await server.get(id, token)).SystemId, `client-${i}`);
    });
});

test('a created, a changed and a deleted user is so at once for reads, searches and tokens on every connection', async () => {
    const secret = 'correct horse battery';
    const seen = (Email) =>
        together(
            async () =>
                (await server.call('GET', `/api/sys/users?User_Email=${Email}`, { token })).json
                    .TotalItems,
        );
    const all = (count) => Array(clients).fill(count);
    for (let round = 0; round < 3; round++) {
        const Email = `round.${round}@read.example.com`;
        const made = await server.call('POST', '/api/sys/users', {
            token,
            body: userBody({
                FullName: 'Read At Once',
                Email,
                Active: true,
                APIAccess: true,
                NewPassword: secret,
            }),
        });
        assert.equal(made.status, 200, made.text);
        const path = `/api/sys/users/${made.json.Value.Id}`;
        const statuses = (to, bearer) =>
            together(async () => (await server.call('GET', to, { token: bearer })).status);
        assert.deepEqual(await statuses(path, token), all(200));
        assert.deepEqual(await seen(Email), all(1));
        const bearer = await server.token(Email, secret);
        assert.deepEqual(await statuses('/api/auth/me', bearer), all(200));
        assert.equal(
            (await server.call('PATCH', path, { token, body: { Active: false } })).status,
            200,
        );
        assert.deepEqual(await statuses('/api/auth/me', bearer), all(401));
        assert.equal((await server.call('DELETE', path, { token })).status, 200);
        assert.deepEqual(await statuses(path, token), all(404));
        assert.deepEqual(await seen(Email), all(0));
    }
});
