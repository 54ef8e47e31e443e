// kill -9 at random moments while clients create, change, delete, sign in and are refused. Each keeps a
// journal of what was answered, and after each restart it is compared with the server in both
// directions: nothing that was acknowledged is lost, nothing that was refused was done.
// CRASH_ROUNDS: how often.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Server, assertFailure, assertInvalid } from '../api/harness.mjs';

const rounds = Number(process.env.CRASH_ROUNDS ?? 25), clients = 8;
const server = await Server.start();
const token = await server.admin();
const done = { created: 0, changed: 0, deleted: 0, refused: 0, tokens: 0, unanswered: 0 };
let made = 0;

const required = { Language: 1, PasswordSalt: '', LastHelpVisited: 0, InvalidLoginAttempts: 0 };
const pick = (list) => list[Math.floor(Math.random() * list.length)];
const call = (method, path, options) => server.call(method, path, { token, ...options });
const acknowledged = (reply) => assert.equal(reply.status, 200, reply.text);

// What a client knows: users by e-mail, each with the states that the server may show. A state is a
// name, or null where there is no such user; more than one where an answer did not come.
class Client {
    name = `client ${made++}`; // each has a refresh token of its own
    users = new Map();
    refresh = null;
    tokens = [];

    // Runs one operation; without an answer, what it might have done is possible too.
    async attempt(user, after, operation) {
        const before = user.states;
        user.states = [...before, after];
        await operation();
        user.states = [after];
    }

    async create() {
        const email = `journal.${made++}@example.com`, user = { email, id: null, states: [null] };
        this.users.set(email, user);
        await this.attempt(user, 'created', async () => {
            const reply = await call('POST', '/api/sys/users', { body: { ...required, Email: email, FullName: 'created' } });
            acknowledged(reply);
            user.id = reply.json.Value.Id;
        });
        done.created++;
    }

    async change(user) {
        const name = `changed ${made++}`;
        await this.attempt(user, name, async () =>
            acknowledged(await call('PUT', '/api/sys/users', { body: { ...required, Id: user.id, Email: user.email, FullName: name } })));
        done.changed++;
    }

    async remove(user) {
        await this.attempt(user, null, async () => acknowledged(await call('DELETE', `/api/sys/users/${user.id}`)));
        done.deleted++;
    }

    // A version that is gone, an e-mail address that is taken, one that is none: in turn.
    async beRefused(user) {
        const body = { ...required, Id: user.id, Email: user.email, FullName: 'refused' };
        const kind = made++ % 3;
        if (kind === 0)
            assertFailure(await call('PUT', '/api/sys/users', { body, headers: { 'If-Match': '"0"' } }), 412);
        else if (kind === 1)
            assertInvalid(await call('PUT', '/api/sys/users', { body: { ...body, Email: 'ada@' } }), 'Email', /valid e-mail/);
        else
            assertInvalid(await call('POST', '/api/sys/users', { body: { ...body, Email: user.email.toUpperCase() } }), 'Email', /already used/);
        done.refused++;
    }

    async signIn() {
        const { status, json, text } = await server.grant(this.refresh
            ? { grant_type: 'refresh_token', refresh_token: this.refresh, client_id: this.name }
            : { grant_type: 'password', username: 'admin@example.com', password: 'demo-password', client_id: this.name });
        assert.equal(status, 200, `${this.refresh ? 'refresh' : 'password'} grant: ${text}`);
        this.refresh = json.refresh_token;
        this.tokens.push(json.access_token);
        done.tokens++;
    }

    async work() {
        try {
            for (;;) {
                const known = [...this.users.values()].filter((user) => user.id && user.states.length === 1 && user.states[0] !== null);
                const chance = Math.random();
                if (!known.length || (chance < 0.25 && known.length < 20))
                    await this.create();
                else if (chance < 0.25)
                    await this.remove(pick(known));
                else if (chance < 0.6)
                    await this.change(pick(known));
                else if (chance < 0.75)
                    await this.remove(pick(known));
                else if (chance < 0.95)
                    await this.beRefused(pick(known));
                else
                    await this.signIn();
            }
        } catch (error) {
            if (error.code === 'ERR_ASSERTION')
                throw error;
            done.unanswered++;
            this.refresh = null; // it may have been spent: to show it again would end the new ones
        }
    }

    // The server shows one of the states that the journal allows, which is then the only one.
    async compare(round) {
        for (const user of this.users.values()) {
            const { json } = await call('GET', `/api/sys/users?User_Email=${user.email}&size=2`);
            const found = json.Records.filter((record) => record.Email === user.email);
            assert.ok(found.length <= 1, `round ${round}: ${user.email} is there twice`);
            const state = found[0]?.FullName ?? null;
            assert.ok(user.states.includes(state), `round ${round}: ${user.email} is ${state}, not ${user.states.join(' or ')}`);
            user.states = [state];
            user.id ??= found[0]?.Id;
            if (state === null)
                this.users.delete(user.email); // looked for once more at the end
        }
        for (const own of this.tokens.splice(0))
            assert.equal((await call('GET', '/api/auth/me', { token: own })).status, 200, `round ${round}: an access token is lost`);
    }
}

const all = Array.from({ length: clients }, () => new Client());

test(`${rounds} times kill -9 under mixed load: what was acknowledged is there, what was refused is not`, async () => {
    for (let round = 0; round < rounds; round++) {
        const working = Promise.all(all.map((client) => client.work()));
        working.catch(() => {}); // until it is waited for
        await new Promise((resolve) => { setTimeout(resolve, 10 + Math.random() * 150); });
        server.child.kill('SIGKILL');
        await server.ended;
        await working;
        await server.spawn();
        await Promise.all(all.map((client) => client.compare(round)));
    }
    assert.equal(done.unanswered, rounds * clients);
    assert.ok(Math.min(done.created, done.changed, done.deleted, done.refused) > rounds, JSON.stringify(done));
});

test('the users are those of the journals, and the database is whole', async (context) => {
    context.diagnostic(JSON.stringify({ rounds, ...done }));
    const expected = all.flatMap((client) => [...client.users.values()].map((user) => user.email)).sort(), found = [];
    for (let page = 1, more = true; more; page++) {
        const { json } = await call('GET', `/api/sys/users?User_Email=journal.&orderBy=Id&size=1000&page=${page}`);
        found.push(...json.Records.map((user) => user.Email));
        more = json.HasNextPage;
    }
    assert.deepEqual(found.sort(), expected);
    const { json } = await call('GET', '/api/sys/users?User_FullName=refused');
    assert.equal(json.TotalItems, 0);
    await server.stop();
    execFileSync(process.env.ROSTERD ?? 'build/rosterd', ['check', '--data', `${server.folder}/data`]);
    await server.spawn();
});
