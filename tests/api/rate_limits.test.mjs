// Rate limits (docs/contract.md section 8.1), by the minute; src/api/rate_limit_test.c has all windows.
import test from 'node:test';
import assert from 'node:assert/strict';
import { staff, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { withinOneMinute } from '../lib/wait.mjs';

const open = await Server.start();
const limited = await Server.start(['--compatibility', 'nexudus']);
const path = `/api/sys/users/${userId}`;

// Sends `count` requests one after the other, by the administrator of a server whose counts begin at 0; the replies.
async function send(count, request) {
    await limited.restart();
    const token = await limited.token(),
        replies = [];
    for (let i = 1; i <= count; i++) replies.push(await request(token, i));
    return replies;
}

// The replies that a limit lets pass, and those that it refuses.
function sorted(replies) {
    const passed = replies.filter(({ status }) => status === 200),
        refused = replies.filter(({ status }) => status === 429);
    assert.equal(
        passed.length + refused.length,
        replies.length,
        replies.map(({ status }) => status).join(' '),
    );
    return { passed: passed.length, refused };
}

test('there are none by default', async () => {
    const token = await open.admin();
    const replies = await Promise.all(
        Array.from({ length: 250 }, () => open.call('GET', path, { token })),
    );
    assert.deepEqual(sorted(replies), { passed: 250, refused: [] });
});

test('under compatibility = nexudus a caller has 120 requests a minute, then 429 with Retry-After', () =>
    withinOneMinute(async () => {
        const read = (token) => limited.call('GET', path, { token });
        const { passed, refused } = sorted(await send(125, read));
        assert.equal(passed, 120);
        assertFailure(refused[0], 429);
        const wait = refused[0].headers.get('retry-after');
        assert.ok(wait >= 1 && wait <= 60, wait);
        assert.match(refused[0].json.Message, new RegExp(`Wait ${wait} seconds?`));
        assert.equal(
            (await read(await limited.token('reader@example.com'))).status,
            200,
            'another caller has his own',
        );
    }));

test('60 of them may be writes', () =>
    withinOneMinute(async () => {
        const write = (token, i) =>
            limited.call('PATCH', path, { token, body: { LastHelpVisited: i } });
        assert.equal(sorted(await send(65, write)).passed, 60);
    }));

test('to issue a one-time token counts as a write, though its method is GET', () =>
    withinOneMinute(async () => {
        const issue = (token) =>
            limited.call('GET', `/api/sys/users/${staff.manager}/token/refresh`, { token });
        assert.equal(sorted(await send(65, issue)).passed, 60);
    }));
