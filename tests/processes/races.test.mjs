// Decisions of several servers on one database at once have one winner: addresses, versions, keys, tokens for one use,
// links and the last administrator. Each race is run 16 times over three servers.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, businessId } from '../lib/ids.mjs';
import { Processes, together } from '../lib/processes.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { adminEmail, password, required, userBody } from '../lib/users.mjs';
import { addMembers } from '../lib/world.mjs';

const rounds = 16,
    racers = 6;
const servers = await Processes.start();
const token = await servers.admin();
const members = await addMembers(servers, racers);
const patch = (id, body, options = { token }) =>
    servers.call('PATCH', `/api/sys/users/${id}`, { ...options, body });
const race = (name, run) =>
    test(name, async () => {
        for (let round = 0; round < rounds; round++) await run(round);
    });
const statuses = (replies) => replies.map(({ status }) => status).sort();
const oneOf = (won, lost, count = racers) => [won, ...Array(count - 1).fill(lost)].sort();

race('an e-mail address that many users want goes to one', async (round) => {
    const Email = `wanted.${round}@example.com`;
    const replies = await together(racers, (i) => patch(members[i], { Email }));
    assert.deepEqual(statuses(replies), oneOf(200, 400));
    const { json } = await servers.call('GET', `/api/sys/users?User_Email=${Email}`, { token });
    assert.equal(json.TotalItems, 1);
});

race('of many new users with one address one is made', async (round) => {
    const body = userBody({
        FullName: 'One Of Many',
        Email: `new.${round}@example.com`,
        NewPassword: 'correct horse battery',
    });
    const replies = await together(racers, () =>
        servers.call('POST', '/api/sys/users', { token, body }),
    );
    assert.deepEqual(statuses(replies), oneOf(200, 400));
});

race('of many changes of one version one is kept', async (round) => {
    const read = await servers.call('GET', `/api/sys/users/${members[0]}`, { token });
    const replies = await together(racers, (i) =>
        servers.put(
            { ...required(read.json), FullName: `Round ${round} of ${i}` },
            { token, headers: { 'If-Match': read.headers.get('etag') } },
        ),
    );
    assert.deepEqual(statuses(replies), oneOf(200, 412));
});

test('no change is lost under If-Match', async () => {
    const { LastHelpVisited: before } = await servers.get(members[1], token);
    await together(racers, async () => {
        for (let done = 0; done < rounds; ) {
            const read = await servers.call('GET', `/api/sys/users/${members[1]}`, { token });
            const body = { ...required(read.json), LastHelpVisited: read.json.LastHelpVisited + 1 };
            const put = await servers.put(body, {
                token,
                headers: { 'If-Match': read.headers.get('etag') },
            });
            if (put.status === 200) done++;
            else assertFailure(put, 412);
        }
    });
    const { LastHelpVisited: after } = await servers.get(members[1], token);
    assert.equal(after - before, racers * rounds);
});

race('an Idempotency-Key makes one record, and all get the same answer', async (round) => {
    const body = userBody({
        FullName: 'Repeated',
        Email: `repeated.${round}@example.com`,
        NewPassword: 'correct horse battery',
    });
    const headers = { 'Idempotency-Key': `round-${round}` };
    const replies = await together(racers, () =>
        servers.call('POST', '/api/sys/users', { token, body, headers }),
    );
    assert.deepEqual(statuses(replies), Array(racers).fill(200));
    assert.equal(new Set(replies.map(({ text }) => text)).size, 1);
    const found = await servers.call('GET', `/api/sys/users?User_Email=${body.Email}`, { token });
    assert.equal(found.json.TotalItems, 1);
});

const oneTime = async () => {
    const reply = await servers.call('POST', '/api/sys/users/token/refresh', { token });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value;
};
const exchange = (jwt) => servers.call('POST', `/api/sys/users/exchange?token=${jwt}`);

race('a one-time token is exchanged once', async () => {
    const jwt = await oneTime();
    assert.deepEqual(statuses(await together(racers, () => exchange(jwt))), oneOf(200, 401));
});

// docs/adr/0006-derived-refresh.md: the same client may repeat a refresh, and gets the same pair.
race('a refresh token is traded for one pair, whichever servers trade it', async () => {
    const { json } = await exchange(await oneTime());
    const replies = await together(racers, () =>
        servers.grant({ grant_type: 'refresh_token', refresh_token: json.refresh_token }),
    );
    assert.deepEqual(statuses(replies), Array(racers).fill(200));
    assert.equal(new Set(replies.map((reply) => reply.json.refresh_token)).size, 1);
});

race('a reset token sets one new password', async (round) => {
    const id = members[2],
        { Email: username } = await servers.get(id, token),
        secret = `correct horse ${round}`;
    const changed = await patch(id, {
        NewPassword: secret,
        APIAccess: true,
        Active: true,
        MustResetPassword: true,
    });
    assert.equal(changed.status, 200, changed.text);
    const refused = await servers.grant({ grant_type: 'password', username, password: secret });
    assert.equal(refused.json.error, 'must_reset_password', refused.text);
    const replies = await together(3, (i) =>
        servers.call('POST', '/api/auth/resetpassword', {
            body: { Token: refused.json.error_description, NewPassword: `${secret} ${i}` },
        }),
    );
    assert.deepEqual(statuses(replies), oneOf(200, 400, 3));
});

race('what a user points to is not deleted under the link', async (round) => {
    const made = await servers.call('POST', '/api/sys/businesses', {
        token,
        body: { Name: `Pointed to ${round}` },
    });
    const { Id } = made.json.Value;
    const [linked, deleted] = await Promise.all([
        patch(members[3], { Businesses: [businessId, Id] }),
        servers.call('DELETE', `/api/sys/businesses/${Id}`, { token }),
    ]);
    assert.deepEqual(
        [linked.status, deleted.status],
        linked.status === 200 ? [200, 409] : [400, 200],
    );
    const { Businesses } = await servers.get(members[3], token);
    const rest = await servers.call('GET', `/api/sys/businesses/${Id}`, { token });
    assert.equal(Businesses.includes(Id), rest.status === 200);
});

test('administrators who demote each other leave one', async () => {
    const two = members.slice(4, 6).map((id) => ({ id }));
    const signIn = async (one) => {
        const { Email } = await servers.get(one.id, token);
        one.token = await servers.token(Email, password);
    };
    for (const one of two) {
        const more = { IsAdmin: true, Active: true, APIAccess: true, NewPassword: password };
        assert.equal((await patch(one.id, more)).status, 200);
        await signIn(one);
    }
    const own = await patch(adminId, { IsAdmin: false }, { token: two[0].token });
    assert.equal(own.status, 200, own.text);
    for (let round = 0; round < rounds; round++) {
        const replies = await together(2, (i) =>
            patch(two[i].id, { IsAdmin: false }, { token: two[1 - i].token }),
        );
        const won = replies.findIndex(({ status }) => status === 200);
        assert.equal(replies.filter(({ status }) => status === 200).length, 1, `${round}`);
        assert.ok([400, 401, 403].includes(replies[1 - won].status), replies[1 - won].text);
        // The demoted one is made an administrator again, and signs in again.
        const [demoted, winner] = [two[won], two[1 - won]];
        const again = await patch(demoted.id, { IsAdmin: true }, { token: winner.token });
        assert.equal(again.status, 200, again.text);
        const { json } = await servers.call('GET', `/api/sys/users/${demoted.id}`, {
            token: winner.token,
        });
        demoted.token = await servers.token(json.Email, password);
    }
    const back = await patch(adminId, { IsAdmin: true }, { token: two[0].token });
    assert.equal(back.status, 200, back.text);
    servers.adminToken = undefined;
    assert.ok(await servers.token(adminEmail, password));
});
