// Rights that one server takes or gives count for all others with the next request: no server acts on what it remembers.
import test from 'node:test';
import assert from 'node:assert/strict';
import { staff } from '../lib/ids.mjs';
import { Processes } from '../lib/processes.mjs';
import { password } from '../lib/users.mjs';

const revocations = 1000;
const servers = await Processes.start();
const token = await servers.admin();
const me = (bearer) => servers.ofEach('GET', '/api/auth/me', { token: bearer });
const statuses = (replies) => replies.map(({ status }) => status);

// A pair of tokens of a user, made without a password.
async function session(id) {
    const one = await servers.call('GET', `/api/sys/users/${id}/token/refresh`, { token });
    assert.equal(one.status, 200, one.text);
    const pair = await servers.call('POST', `/api/sys/users/exchange?token=${one.json.Value}`);
    assert.equal(pair.status, 200, pair.text);
    return pair.json;
}

test(`a revoked token is refused by all servers, ${revocations} times of ${revocations}`, async () => {
    for (let round = 0; round < revocations; round++) {
        const { access_token } = await session(staff.reader);
        assert.deepEqual(statuses(await me(access_token)), [200, 200, 200]);
        const ended = await servers.call('POST', '/api/sys/users/runcommand', {
            token,
            body: { Key: 'revoke-tokens', Ids: [staff.reader] },
        });
        assert.equal(ended.status, 200, ended.text);
        assert.deepEqual(statuses(await me(access_token)), [401, 401, 401], `round ${round}`);
    }
});

test('a role that is taken or given counts for all servers with the next request', async () => {
    const { access_token } = await session(staff.manager);
    const { UserRoles } = await servers.get(staff.manager, token);
    const give = async (roles) => {
        const { status, text } = await servers.call('PATCH', `/api/sys/users/${staff.manager}`, {
            token,
            body: { UserRoles: roles },
        });
        assert.equal(status, 200, text);
    };
    const asked = async () =>
        statuses(await servers.ofEach('GET', '/api/sys/users?size=1', { token: access_token }));
    for (let round = 0; round < 100; round++) {
        assert.deepEqual(await asked(), [200, 200, 200], `round ${round}`);
        await give([]);
        assert.deepEqual(await asked(), [403, 403, 403], `round ${round}`);
        await give(UserRoles);
    }
});

test('a changed password opens no server by Basic', async () => {
    const basic = (secret) => ({
        headers: { Authorization: `Basic ${btoa(`editor@example.com:${secret}`)}` },
    });
    let secret = password;
    for (let round = 0; round < 8; round++) {
        const before = secret;
        assert.deepEqual(
            statuses(await servers.ofEach('GET', '/api/auth/me', basic(before))),
            [200, 200, 200],
        );
        secret = `correct horse ${round}`;
        const changed = await servers.call('PATCH', `/api/sys/users/${staff.editor}`, {
            token,
            body: { NewPassword: secret },
        });
        assert.equal(changed.status, 200, changed.text);
        assert.deepEqual(
            statuses(await servers.ofEach('GET', '/api/auth/me', basic(before))),
            [401, 401, 401],
        );
    }
});

test('what one server wrote, all others read and find next', async () => {
    for (let round = 0; round < 100; round++) {
        const SystemId = `written-${round}`;
        const { status, text } = await servers.call('PATCH', `/api/sys/users/${staff.lister}`, {
            token,
            body: { SystemId, FullName: `Found ${round}` },
        });
        assert.equal(status, 200, text);
        for (const read of await servers.ofEach('GET', `/api/sys/users/${staff.lister}`, { token }))
            assert.equal(read.json.SystemId, SystemId);
        const found = await servers.ofEach('GET', `/api/sys/users?User_FullName=ound ${round}`, {
            token,
        });
        for (const { json } of found) assert.ok(json.Records.some(({ Id }) => Id === staff.lister));
    }
});

test('each server has figures of its own, and says which process they are of', async () => {
    const read = async () =>
        (await servers.ofEach('GET', '/api/utils/figures', { token })).map(({ json }) => json);
    const asked = ({ Figures: columns }) => columns.Requests.reduce((sum, one) => sum + one, 0);
    const before = await read();
    assert.deepEqual(
        before.map(({ ProcessId }) => ProcessId),
        servers.members.map(({ child }) => child.pid),
    );
    for (let i = 0; i < 10; i++) await servers.members[0].call('GET', '/api/auth/me', { token });
    const more = (await read()).map((day, i) => asked(day) - asked(before[i]));
    assert.deepEqual(more, [11, ...servers.members.slice(1).map(() => 1)]);
});
