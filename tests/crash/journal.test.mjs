// kill -9 at random times while clients create, change, link, delete, set passwords, sign in,
// refresh, revoke and are refused. Each client keeps a journal of its answers. After each restart
// the journals are compared with the server in both directions: nothing that was acknowledged is
// lost, nothing that was refused was done. CRASH_ROUNDS is the number of kills, SEED repeats a
// run's random choices.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { binary, Server } from '../lib/server.mjs';
import { adminEmail, password, userBody } from '../lib/users.mjs';
import { Chance, seed } from './chance.mjs';

const rounds = Number(process.env.CRASH_ROUNDS ?? 25),
    clients = 8;
// Passwords that were refused are tried as well, round after round: that must not lock anybody out.
const server = await Server.start([
    '--demo',
    '--address-attempts',
    '0',
    '--lockout-attempts',
    '1000000',
    '--checkpoint-after',
    '1',
]);
const token = await server.admin();
const done = {
    created: 0,
    changed: 0,
    linked: 0,
    passwords: 0,
    deleted: 0,
    granted: 0,
    refreshed: 0,
    revoked: 0,
};
const seen = { refused: 0, unanswered: 0, long: 0, repeated: 0, spent: 0, signIns: 0 };
let made = 0;

const lists = [[], [301], [302, 303], [301, 302, 303]];
const call = (method, path, options) => server.call(method, path, { token, ...options });
const patch = (user, body) => call('PATCH', `/api/sys/users/${user.id}`, { body });
const acknowledged = (reply) => assert.equal(reply.status, 200, reply.text);
const access = async (bearer) => (await call('GET', '/api/auth/me', { token: bearer })).status;

// The expected state of the tokens of one sign-in. `unsure`: requests with them that got no answer.
class Session {
    accesses = [];
    spent = [];
    isOver = false;
    wasOver = false; // the time before
    unsure = null;

    constructor(clientId) {
        this.clientId = clientId; // the server keeps one refresh token for each
    }

    take({ json, text, status }) {
        assert.equal(status, 200, `${this.clientId}: ${text}`);
        if (this.refresh) this.spent.push(this.refresh);
        this.refresh = json.refresh_token;
        this.accesses.push(json.access_token);
    }

    async begin() {
        this.take(
            await server.grant({
                grant_type: 'password',
                username: adminEmail,
                password,
                client_id: this.clientId,
            }),
        );
    }

    show(refresh, clientId = this.clientId) {
        return server.grant({
            grant_type: 'refresh_token',
            refresh_token: refresh,
            client_id: clientId,
        });
    }

    async trade() {
        this.unsure = 'trade';
        this.take(await this.show(this.refresh));
        this.unsure = null;
    }

    async revoke() {
        const { json } = await call(
            'GET',
            `/api/sys/refreshtokens?RefreshToken_ClientId=${encodeURIComponent(this.clientId)}`,
        );
        this.unsure = 'revoke';
        acknowledged(
            await call(
                'DELETE',
                `/api/sys/refreshtokens/${json.Records.find((entry) => entry.ClientId === this.clientId).Id}`,
            ),
        );
        this.unsure = null;
        this.isOver = true;
    }

    async refused(refresh, when, clientId) {
        const reply = await this.show(refresh, clientId);
        assert.deepEqual(
            [reply.status, reply.json.error],
            [400, 'invalid_grant'],
            `${when}: ${this.clientId}: a token that is spent or revoked`,
        );
    }

    async compare(when, chance) {
        const wasUnsure = this.unsure;
        this.unsure = null;
        this.wasOver = this.isOver; // looked at for the last time
        if (wasUnsure === 'revoke') this.isOver = (await access(this.accesses[0])) === 401;
        await this.compareAccesses(when);
        if (this.isOver) return this.refused(this.refresh, when);
        if (wasUnsure === 'trade') {
            const reply = await this.show(this.refresh);
            if (reply.status === 200) return this.take(reply); // it had not been done
            assert.equal(reply.json.error, 'invalid_grant', reply.text);
            this.isOver = true; // it had, and to show the token again ends its client's tokens
        } else if (!wasUnsure && this.spent.length && chance.next() < 0.2) {
            await this.refused(chance.pick(this.spent), when, 'another client'); // its own may have it again, for 10 s
            this.isOver = true;
            seen.spent++;
        } else if (wasUnsure || chance.next() < 0.5) {
            this.take(await this.show(this.refresh));
        }
        return this.compareAccesses(when);
    }

    async compareAccesses(when) {
        for (const own of this.accesses)
            assert.equal(
                await access(own),
                this.isOver ? 401 : 200,
                `${when}: ${this.clientId}: an access token that ${this.isOver ? 'is over' : 'is good'}`,
            );
    }
}

// A client's knowledge: users, each with the states that the server may show: one, or several where
// an answer did not come. A state is null where there is no such user. Each change sets a new name,
// which identifies the state.
class Client {
    number = made++;
    chance = new Chance(1 + this.number);
    users = new Map();
    sessions = [];

    // Runs one operation; without an answer, what it might have done is possible too.
    async attempt(user, change, operation) {
        const before = user.states,
            after = change && { ...before[0], ...change };
        user.states = [...before, after];
        acknowledged(await operation());
        user.states = [after];
    }

    createAs(user) {
        const body = userBody({
            Email: user.email,
            FullName: 'created',
            APIAccess: true,
            Active: true,
            Businesses: user.created,
        });
        return call('POST', '/api/sys/users', { body, headers: { 'Idempotency-Key': user.email } });
    }

    async create() {
        const created = this.chance.pick(lists),
            email = `journal.${made++}@example.com`;
        const user = {
            email,
            created,
            id: null,
            reply: null,
            states: [null],
            secrets: [],
            looked: null,
            access: null,
        };
        this.users.set(email, user);
        await this.attempt(user, { name: 'created', links: created, secret: null }, async () => {
            const reply = await this.createAs(user);
            acknowledged(reply);
            user.id = reply.json.Value.Id;
            user.reply = reply.text;
            return reply;
        });
        done.created++;
    }

    async change(user) {
        const name = `changed ${made++}`;
        await this.attempt(user, { name }, () =>
            this.chance.next() < 0.5
                ? call('PUT', '/api/sys/users', {
                      body: userBody({ Id: user.id, Email: user.email, FullName: name }),
                  })
                : patch(user, { FullName: name }),
        );
        done.changed++;
    }

    async link(user) {
        const name = `linked ${made++}`,
            links = this.chance.pick(lists);
        await this.attempt(user, { name, links }, () =>
            patch(user, { FullName: name, Businesses: links }),
        );
        done.linked++;
    }

    async setPassword(user) {
        const number = made++,
            name = `secured ${number}`,
            secret = `correct horse ${number} battery`;
        user.secrets.push(secret);
        await this.attempt(user, { name, secret }, () =>
            patch(user, { FullName: name, NewPassword: secret }),
        );
        done.passwords++;
    }

    async remove(user) {
        await this.attempt(user, null, () => call('DELETE', `/api/sys/users/${user.id}`));
        done.deleted++;
    }

    // A version that is gone, an e-mail address that is none, one that is taken, a key of another body: in turn.
    async beRefused(user) {
        const body = userBody({ Id: user.id, Email: user.email, FullName: 'refused' });
        const kind = made++ % 5,
            stale = { body, headers: { 'If-Match': '"0"' } };
        if (kind === 0) assertFailure(await call('PUT', '/api/sys/users', stale), 412);
        else if (kind === 1)
            assertFailure(await call('PATCH', `/api/sys/users/${user.id}`, stale), 412);
        else if (kind === 2)
            assertInvalid(
                await call('PUT', '/api/sys/users', { body: { ...body, Email: 'ada@' } }),
                'Email',
                /valid e-mail/,
            );
        else if (kind === 3)
            assertInvalid(
                await call('POST', '/api/sys/users', {
                    body: { ...body, Email: user.email.toUpperCase() },
                }),
                'Email',
                /already used/,
            );
        else
            assertFailure(
                await call('POST', '/api/sys/users', {
                    body,
                    headers: { 'Idempotency-Key': user.email },
                }),
                422,
            );
        seen.refused++;
    }

    async useTokens() {
        const live = this.sessions.filter((session) => !session.isOver),
            chance = this.chance.next();
        if (live.length < 2) {
            const session = new Session(`client ${this.number} session ${made++}.`);
            await session.begin();
            this.sessions.push(session);
            done.granted++;
        } else if (chance < 0.6) {
            await this.chance.pick(live).trade();
            done.refreshed++;
        } else {
            await this.chance.pick(live).revoke();
            done.revoked++;
        }
    }

    async step() {
        const known = [...this.users.values()].filter(
            (user) => user.id && user.states.length === 1 && user.states[0] !== null,
        );
        const chance = this.chance.next(),
            user = this.chance.pick(known);
        if (!known.length || (chance < 0.2 && known.length < 20)) return this.create();
        if (chance < 0.3) return this.remove(user);
        if (chance < 0.5) return this.change(user);
        if (chance < 0.65) return this.link(user);
        if (chance < 0.73)
            // rather of those that have one, and a token by it
            return this.setPassword(this.chance.pick([user, ...known.filter((one) => one.access)]));
        return chance < 0.83 ? this.beRefused(user) : this.useTokens();
    }

    async work() {
        try {
            for (;;) await this.step();
        } catch (error) {
            if (!/^(fetch failed|terminated)$/.test(error.message)) throw error;
            seen.unanswered++;
        }
    }

    // The record of a user, or null. Without an answer to its creation its Id is not known.
    async find(user) {
        if (!user.id) {
            const { json } = await call('GET', `/api/sys/users?User_Email=${user.email}&size=2`);
            const found = json.Records.filter((record) => record.Email === user.email);
            assert.ok(found.length <= 1, `${user.email} is there twice`);
            user.id = found[0]?.Id ?? null;
        }
        const { status, json } = user.id
            ? await call('GET', `/api/sys/users/${user.id}`)
            : { status: 404 };
        assert.ok(status === 200 || status === 404, `${user.email}: ${status}`);
        return status === 200 ? json : null;
    }

    // The server shows one of the states that the journal allows, which is then the only one.
    async compareUser(user, when) {
        const record = await this.find(user),
            before = user.states;
        const state = before.find((one) => (one?.name ?? null) === (record?.FullName ?? null));
        assert.notEqual(
            state,
            undefined,
            `${when}: ${user.email} is ${record?.FullName}, not ${before.map((one) => one?.name).join(' or ')}`,
        );
        user.states = [state];
        if (record) {
            assert.equal(record.Email, user.email, when);
            assert.deepEqual(
                [...record.Businesses].sort(),
                state.links,
                `${when}: the links of ${user.email}`,
            );
        }
        if (user.secrets.length) await this.compareSecrets(user, state, when);
    }

    // The last password that was set is good, and the token it gave; those that were before or might have been
    // are not.
    async compareSecrets(user, state, when) {
        const signIn = (secret) =>
            server.grant({ grant_type: 'password', username: user.email, password: secret });
        const current = state?.secret ?? null,
            isKnown = user.looked === current;
        for (const secret of user.secrets.filter((one) => one !== current)) {
            const { status, json } = await signIn(secret);
            assert.deepEqual(
                [status, json.error],
                [400, 'invalid_grant'],
                `${when}: ${user.email} has an old password`,
            );
        }
        if (user.access)
            assert.equal(
                await access(user.access),
                isKnown ? 200 : 401,
                `${when}: ${user.email}: a token of ${isKnown ? 'its' : 'an old'} password`,
            );
        if (current && !isKnown) {
            const { status, json, text } = await signIn(current);
            assert.equal(status, 200, `${when}: ${user.email} has lost its password: ${text}`);
            user.access = json.access_token;
            seen.signIns++;
        }
        user.looked = current;
        user.secrets = current ? [current] : [];
    }

    // To ask once more with the same key is answered as the first time, or for the first time.
    async repeat(user, when) {
        const reply = await this.createAs(user);
        acknowledged(reply);
        assert.equal(
            reply.text,
            user.reply ?? reply.text,
            `${when}: ${user.email}: another answer for the same key`,
        );
        assert.equal(
            reply.json.Value.Id,
            user.id ?? reply.json.Value.Id,
            `${when}: ${user.email} is there already`,
        );
        user.id = reply.json.Value.Id;
        user.reply = reply.text;
        if (user.states[0] === null)
            user.states = [{ name: 'created', links: user.created, secret: null }];
        seen.repeated++;
    }

    async compare(round) {
        const when = `seed ${seed}, round ${round}`;
        for (const user of this.users.values()) {
            const wasUnanswered = !user.id;
            await this.compareUser(user, when);
            if (
                this.chance.next() < (wasUnanswered ? 0.5 : 0.05) &&
                (wasUnanswered || (user.reply && user.states[0]))
            )
                await this.repeat(user, when);
            if (user.states[0] === null) this.users.delete(user.email); // looked for once more at the end
        }
        for (const session of this.sessions) await session.compare(when, this.chance);
        this.sessions = this.sessions.filter((session) => !session.wasOver);
    }
}

const all = Array.from({ length: clients }, () => new Client());

test(`${rounds} times kill -9 under mixed load (SEED=${seed}): what was acknowledged is there, what was refused is not`, async () => {
    const chance = new Chance();
    const isThin = () =>
        Math.min(done.created, done.changed, done.deleted, seen.refused) <= rounds / 2 ||
        !(done.passwords + done.granted + done.refreshed + done.revoked);
    let round = 0;
    for (; round < rounds || isThin(); round++) {
        // a slow machine has more of them
        assert.ok(round < 20 * rounds, JSON.stringify({ ...done, ...seen }));
        const working = Promise.all(all.map((client) => client.work()));
        working.catch(() => {}); // until it is waited for
        seen.long += await chance.untilKill();
        server.child.kill('SIGKILL');
        await server.ended;
        await working;
        await server.spawn();
        await Promise.all(all.map((client) => client.compare(round)));
    }
    assert.equal(seen.unanswered, round * clients);
});

test('the users are those of the journals, and the database is whole', async (context) => {
    const expected = all
            .flatMap((client) => [...client.users.values()].map((user) => user.email))
            .sort(),
        found = [];
    for (let page = 1, more = true; more; page++) {
        const { json } = await call(
            'GET',
            `/api/sys/users?User_Email=journal.&orderBy=Id&size=1000&page=${page}`,
        );
        found.push(...json.Records.map((user) => user.Email));
        more = json.HasNextPage;
    }
    assert.deepEqual(found.sort(), expected);
    const { json } = await call('GET', '/api/sys/users?User_FullName=refused');
    assert.equal(json.TotalItems, 0);
    await server.stop();
    execFileSync(binary, ['check', '--data', `${server.folder}/data`]);
    await server.spawn();
    const sum = Object.values(done).reduce((total, number) => total + number, 0);
    context.diagnostic(
        `${rounds} kills, ${seen.long} of them after a checkpoint (SEED=${seed}): ${sum} acknowledged, ${seen.refused} refused, lost 0, kept though refused 0`,
    );
    context.diagnostic(JSON.stringify({ ...done, ...seen }));
});
