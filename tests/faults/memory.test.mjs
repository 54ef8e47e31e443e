// Memory is refused once, at one allocation after the other, while a request is served. The answer
// is the right one, a 500, or none; what was answered with an error is not done; the next request
// is served.
import test from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { adminEmail, password, required } from '../lib/users.mjs';
import { Faults, ask, stride } from './faults.mjs';

const faults = new Faults();
const server = await faults.start();
const token = await server.admin();
const original = required(await server.get(userId, token));
let number = 0;

// Everything that an update can touch but passwords and pictures, other values each time.
function change() {
    number++;
    return {
        ...original,
        LastHelpVisited: number,
        FullName: `Name ${number}`,
        Email: `user${number}@example.com`,
        SystemId: `${number}`,
        Devices: 'x'.repeat(500 + (number % 3000)),
        LastAccess: '2025-01-15T10:30:00Z',
        EmailCallBackGuid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
        AccessToken: `token ${number}`,
        Businesses: number % 2 ? [301, 302] : [302],
        AddedChatRooms: [501],
        PreferredLanguageId: number % 2 ? 601 : null,
    };
}

// A record without the time of its last change.
function contents(user) {
    const { UpdatedOn, ...rest } = user;
    return rest;
}

// The record after a change when nothing fails.
async function control(body) {
    const put = () => server.put(body, { token });
    const reply = await put().catch(put); // the connection may be one that a fault has closed
    assert.equal(reply.status, 200, reply.text);
    return contents(await server.get(userId, token));
}

const sweep = (...how) => faults.sweep(...how);
// Headers of the reply that was begun before memory was refused.
const ofOther = ['etag', 'www-authenticate', 'pragma', 'set-cookie', 'allow', 'location'];
function assertOneOf(statuses, reply, where) {
    assert.ok(
        [0, 500, ...statuses].includes(reply.status),
        `${where}: ${reply.status} ${reply.text}`,
    );
    for (const name of reply.status >= 500 ? ofOther : [])
        assert.ok(!reply.headers.has(name), `${where}: ${reply.status} with ${name}`);
}
const assertServed = (reply, where) => assertOneOf([200, 503], reply, where);

for (const [kind, step] of [
    ['arena', 1],
    ['memory', stride],
]) {
    test(`an update, ${kind}`, async () => {
        const tally = { 0: 0, 200: 0, 500: 0, 503: 0 };
        const struck = await sweep(kind, step, async (arm) => {
            const before = await control(change());
            const body = change();
            arm();
            const reply = await ask(() => server.put(body, { token }));
            return async (where) => {
                assertServed(reply, where);
                tally[reply.status]++;
                const found = contents(await server.get(userId, token));
                const after = await control({ ...body });
                if (reply.status === 200) assert.deepEqual(found, after, where);
                else if (reply.status !== 0)
                    assert.deepEqual(found, before, `${where}: failed, but done`);
                else
                    assert.ok(
                        [before.LastHelpVisited, after.LastHelpVisited].includes(
                            found.LastHelpVisited,
                        ),
                        where,
                    );
            };
        });
        console.log(`# ${struck} faults: ${JSON.stringify(tally)}`);
        assert.ok(struck > 20 / step, `${struck} faults`);
    });

    test(`a wrong update, ${kind}`, async () => {
        const wrong = {
            Id: userId,
            Email: 'no',
            Language: 9,
            Devices: 7,
            LastAccess: 'soon',
            Businesses: [1],
            NewAvatarUrl: 'x',
        };
        const right = await server.put(wrong, { token });
        assert.equal(right.status, 400);
        await sweep(kind, step, async (arm) => {
            arm();
            const reply = await ask(() => server.put(wrong, { token }));
            return async (where) => {
                assertOneOf([400], reply, where);
                if (reply.status === 400) assert.equal(reply.text, right.text, where);
            };
        });
    });

    test(`reading a user and an avatar, ${kind}`, async () => {
        const right = await server.get(userId, token);
        await sweep(kind, step, async (arm) => {
            arm();
            const reply = await ask(() =>
                server.call('GET', `/api/sys/users/${userId}`, { token }),
            );
            return async (where) => {
                assertServed(reply, where);
                if (reply.status === 200) assert.deepEqual(reply.json, right, where);
            };
        });
        await sweep(kind, step, async (arm) => {
            arm();
            const reply = await ask(() => server.call('GET', `/api/sys/users/getavatar/${userId}`));
            return async (where) => assertServed(reply, where);
        });
    });

    test(`what is refused, ${kind}`, async () => {
        const path = `/api/sys/users/${userId}`,
            reader = await server.token('reader@example.com');
        const refused = {
            401: () => server.call('GET', path, { token: 'wrong' }),
            403: () => server.call('DELETE', path, { token: reader }),
            405: () => server.call('DELETE', '/api/token'),
            412: () => server.call('GET', path, { token, headers: { 'If-Match': '"1-1"' } }),
        };
        for (const [status, call] of Object.entries(refused)) {
            assert.equal((await call()).status, Number(status));
            await sweep(kind, step, async (arm) => {
                arm();
                const reply = await ask(call);
                return async (where) => assertOneOf([Number(status)], reply, where);
            });
        }
    });

    test(`signing in, ${kind}`, async () => {
        const struck = await sweep(kind, kind === 'arena' ? 1 : 3 * step, async (arm) => {
            arm();
            const reply = await ask(() =>
                server.grant({ grant_type: 'password', username: adminEmail, password }),
            );
            return async (where) => {
                assertServed(reply, where);
                if (reply.status === 200)
                    assert.equal(
                        (
                            await server.call('GET', `/api/sys/users/${userId}`, {
                                token: reply.json.access_token,
                            })
                        ).status,
                        200,
                    );
            };
        });
        assert.ok(struck > 0);
    });

    test(`Basic authentication, ${kind}`, async () => {
        const credentials = Buffer.from(`${adminEmail}:${password}`).toString('base64');
        await sweep(kind, kind === 'arena' ? 1 : 3 * step, async (arm) => {
            arm();
            const reply = await ask(() =>
                server.call('GET', `/api/sys/users/${userId}`, {
                    headers: { Authorization: `Basic ${credentials}` },
                }),
            );
            return async (where) => {
                assertServed(reply, where);
                await server.put(change(), { token }); // the next one is not to be remembered
            };
        });
    });
}
