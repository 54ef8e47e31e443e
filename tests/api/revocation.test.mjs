// A flood of changes over many connections while what they rest on is taken away: once that is answered, none of them
// acts any more. The audit trail says what came before it and what after. REVOCATION_ROUNDS says how often.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId } from '../lib/ids.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';
import { until } from '../lib/wait.mjs';

const rounds = Number(process.env.REVOCATION_ROUNDS ?? 5),
    connections = 12;
const server = await Server.start();
const admin = await server.admin();
const call = (method, path, body, headers = { Authorization: `Bearer ${admin}` }) =>
    server.call(method, path, { headers, body });
const done = async (...request) => {
    const reply = await call(...request);
    assert.equal(reply.status, 200, reply.text);
    return reply.json;
};
const bearer = ({ access_token }) => ({ Authorization: `Bearer ${access_token}` });
const roleIds = (await done('GET', '/api/security/roles?size=1000')).Records.map(({ Id }) => Id);
const made = async (path, body) => (await done('POST', path, body)).Value.Id;
const target = await made('/api/sys/businesses', { Name: 'Flooded' });

let count = 0;
async function victim() {
    const email = `flood${++count}@example.com`;
    const role = await made('/api/security/userroles', {
        BusinessId: businessId,
        Name: `Flood ${count}`,
        Roles: roleIds,
    });
    const id = await made(
        '/api/sys/users',
        userBody({
            FullName: 'Floods',
            Email: email,
            Active: true,
            APIAccess: true,
            IsAdmin: true,
            UserRoles: [role],
            NewPassword: password,
        }),
    );
    return { id, email, role };
}
const signIn = async ({ email }) => {
    const { status, json, text } = await server.grant({
        grant_type: 'password',
        username: email,
        password,
        client_id: 'phone',
    });
    assert.equal(status, 200, text);
    return json;
};
const refresh = (refresh_token, more = {}) =>
    server.grant({ grant_type: 'refresh_token', refresh_token, ...more });
const tokenId = async ({ id }) =>
    (await done('GET', `/api/sys/refreshtokens?RefreshToken_UserId=${id}`)).Records[0].Id;
const patch =
    (body) =>
    ({ id }) =>
        call('PATCH', `/api/sys/users/${id}`, body);
const noAdmin = patch({ IsAdmin: false });

// The revocation, its row in the audit trail, what would undo it, and what the victim is to be afterwards.
const kinds = {
    'a new password': {
        row: 'Password',
        end: patch({ NewPassword: 'correct horse battery' }),
        undo: { NewPassword: 'another horse battery' },
    },
    'revoke-tokens': {
        row: 'RefreshTokens',
        end: ({ id }) =>
            call('POST', '/api/sys/users/runcommand', { Key: 'revoke-tokens', Ids: [id] }),
        undo: { FullName: 'Acts On' },
    },
    deactivation: {
        row: 'Active',
        end: patch({ Active: false }),
        undo: { Active: true },
        is: { Active: false },
    },
    demotion: { row: 'IsAdmin', end: noAdmin, undo: { IsAdmin: true }, is: { IsAdmin: false } },
    'a user role that is taken away': {
        row: 'UserRoles',
        prepare: noAdmin,
        end: patch({ UserRoles: [] }),
        undo: ({ role }) => ({ AddedUserRoles: [role] }),
        is: { UserRoles: [] },
    },
    'the deletion of a refresh token': {
        row: 'RefreshTokens',
        begin: async (who) => {
            who.tokenId = await tokenId(who);
        },
        end: (who) => call('DELETE', `/api/sys/refreshtokens/${who.tokenId}`),
        undo: { FullName: 'Acts On' },
    },
    'the end of a family': {
        begin: async (who) => {
            who.spent = who.session.refresh_token;
            who.session = (await refresh(who.spent)).json;
        },
        end: (who) => refresh(who.spent, { client_id: 'thief' }), // its own client may come twice
        undo: { FullName: 'Acts On' },
    },
};

// Sends changes over two connections until `state.isOver`: each leaves a row, and from the
// revocation on some would undo it.
async function flood(who, kind, state) {
    const undo = typeof kind.undo === 'function' ? kind.undo(who) : kind.undo;
    while (!state.isOver) {
        const replies = await Promise.all([
            call(
                'PATCH',
                `/api/sys/businesses/${target}`,
                { Name: `Flooded ${who.id} ${++count}` },
                who.by,
            ),
            call(
                'PATCH',
                `/api/sys/users/${who.id}`,
                state.hasBegun ? undo : { FullName: `Floods ${++count}` },
                who.by,
            ),
        ]);
        state.asked += 2;
        state.passed += replies.filter(({ status }) => status === 200).length;
        for (const { status, text } of replies) assert.ok([200, 401, 403].includes(status), text);
    }
}

async function one(kind) {
    const who = await victim();
    await kind.prepare?.(who);
    who.session = await signIn(who);
    await kind.begin?.(who);
    who.by = bearer(who.session);
    await done('GET', '/api/auth/me', undefined, who.by);
    const state = { asked: 0, passed: 0, hasBegun: false, isOver: false };
    const all = Promise.all(Array.from({ length: connections / 2 }, () => flood(who, kind, state)));
    all.catch(() => {
        state.isOver = true;
    }); // it is thrown below
    await until('the flood does something', () => state.isOver || state.passed >= connections, {
        pause: 1,
    });
    state.hasBegun = true;
    const ended = await kind.end(who);
    assert.equal(ended.status, kind === kinds['the end of a family'] ? 400 : 200, ended.text);
    const marker = await made('/api/sys/businesses', { Name: `After ${who.id}` }),
        upTo = state.asked + 4 * connections;
    await until('the flood goes on', () => state.isOver || state.asked >= upTo, { pause: 1 });
    state.isOver = true;
    await all;
    return { who, marker };
}

for (const [name, kind] of Object.entries(kinds))
    test(`after ${name} nothing that rested on it acts, however many ask: ${rounds} rounds`, async () => {
        for (let round = 0; round < rounds; round++) {
            const { who, marker } = await one(kind);
            const rows = async (query) =>
                (
                    await done(
                        'GET',
                        `/api/sys/audittrailentries?size=1000&orderBy=Id&dir=Descending&${query}`,
                    )
                ).Records;
            const of = (id, PropertyName) => (row) =>
                row.EntityId === id &&
                row.PropertyName === PropertyName &&
                row.ActionBy === adminEmail;
            const last = (await rows(`AuditTrailEntry_ActionBy=${who.email}`))[0];
            // A change that was answered is in a commit before the marker's. Where the revocation
            // has a row itself, no change comes after it.
            const bound =
                (kind.row &&
                    (await rows(`AuditTrailEntry_EntityId=${who.id}`)).find(
                        of(who.id, kind.row),
                    )) ??
                (await rows(`AuditTrailEntry_EntityId=${marker}`)).find(of(marker, null));
            assert.ok(
                last && bound && last.ActionBy === who.email,
                'there were changes, and their end',
            );
            assert.ok(
                last.Id < bound.Id,
                `round ${round}: ${JSON.stringify(last)} comes after ${JSON.stringify(bound)}`,
            );
            const user = await server.get(who.id, admin);
            for (const [member, value] of Object.entries(kind.is ?? {}))
                assert.deepEqual(user[member], value, `round ${round}: ${member} came back`);
            if (name === 'a new password')
                assert.equal(
                    (
                        await server.grant({
                            grant_type: 'password',
                            username: who.email,
                            password: 'correct horse battery',
                        })
                    ).status,
                    200,
                    "the password is the administrator's",
                );
        }
    });
