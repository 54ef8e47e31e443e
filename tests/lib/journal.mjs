// Clients that create, change, link, delete, set passwords, sign in, refresh, revoke and are refused, and keep a journal
// of their answers. Compared with the server it shows in both directions: nothing that was acknowledged is lost, nothing
// that was refused was done.
import assert from 'node:assert/strict';
import { Chance, seed } from './chance.mjs';
import { assertFailure, assertInvalid } from './replies.mjs';
import { adminEmail, password, userBody } from './users.mjs';
import { patience, Silence, sleep, until } from './wait.mjs';

// A request without an answer: what it asked for may have been done or not.
class Unheard extends Error {}
// An answer that nothing was done.
class NotDone extends Unheard {}

const acknowledged = (reply) => assert.equal(reply.status, 200, reply.text);

// All of them have ended, also where one fails: none goes on behind the test's back.
async function allEnded(promises) {
    const results = await Promise.allSettled(promises),
        failed = results.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
}

const isBroken = (error) =>
    /^(fetch failed|terminated)$/.test(error.message) || error.name === 'TimeoutError';

// The expected state of the tokens of one sign-in. `unsure`: requests with them that got no answer.
class Session {
    accesses = [];
    spent = [];
    isOver = false;
    wasOver = false; // the time before
    unsure = null;

    constructor(journal, clientId) {
        this.journal = journal;
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
            await this.journal.grant({
                grant_type: 'password',
                username: adminEmail,
                password,
                client_id: this.clientId,
            }),
        );
    }

    ask(refresh, clientId = this.clientId) {
        return this.journal.server.grant({
            grant_type: 'refresh_token',
            refresh_token: refresh,
            client_id: clientId,
        });
    }

    show(...token) {
        return this.journal.heard(() => this.ask(...token));
    }

    // The reply, or null: then another comparison has to look what was done.
    async showOnce() {
        try {
            return await this.journal.heardOnce(() => this.ask(this.refresh));
        } catch (error) {
            if (!(error instanceof Unheard && this.journal.comesBack)) throw error;
            this.unsure = 'trade';
            return null;
        }
    }

    // Without an answer, what might have been done is looked for later. One that was not done leaves no doubt.
    async change(kind, operation) {
        this.unsure = kind;
        try {
            await operation();
            this.unsure = null;
        } catch (error) {
            if (error instanceof NotDone) this.unsure = null;
            throw error;
        }
    }

    trade() {
        return this.change('trade', async () => this.take(await this.show(this.refresh)));
    }

    async revoke() {
        const { json } = await this.journal.call(
            'GET',
            `/api/sys/refreshtokens?RefreshToken_ClientId=${encodeURIComponent(this.clientId)}`,
        );
        const { Id } = json.Records.find((entry) => entry.ClientId === this.clientId);
        await this.change('revoke', async () =>
            acknowledged(await this.journal.call('DELETE', `/api/sys/refreshtokens/${Id}`)),
        );
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
        if (wasUnsure === 'revoke')
            this.isOver = (await this.journal.access(this.accesses[0])) === 401;
        await this.compareAccesses(when);
        if (this.isOver) return this.refused(this.refresh, when);
        if (wasUnsure === 'trade') {
            const reply = await this.showOnce();
            if (!reply) return;
            if (reply.status === 200) return this.take(reply); // it had not been done
            assert.equal(reply.json.error, 'invalid_grant', reply.text);
            this.isOver = true; // it had, and to show the token again ends its client's tokens
        } else if (!wasUnsure && this.spent.length && chance.next() < 0.2) {
            await this.refused(chance.pick(this.spent), when, 'another client'); // its own may have it again, for 10 s
            this.isOver = true;
            this.journal.seen.spent++;
        } else if (wasUnsure || chance.next() < 0.5) {
            const reply = await this.showOnce();
            if (!reply) return;
            this.take(reply);
        }
        return this.compareAccesses(when);
    }

    async compareAccesses(when) {
        for (const own of this.accesses)
            assert.equal(
                await this.journal.access(own),
                this.isOver ? 401 : 200,
                `${when}: ${this.clientId}: an access token that ${this.isOver ? 'is over' : 'is good'}`,
            );
    }
}

// A client's knowledge: users, each with the states that the server may show: one, or several where
// an answer did not come. A state is null where there is no such user. Each change sets a new name,
// which identifies the state.
class Client {
    users = new Map();
    sessions = [];
    steps = 0; // that were answered
    silence = new Silence();

    constructor(journal, token) {
        this.journal = journal;
        this.token = token;
        this.number = journal.made++;
        this.chance = new Chance(1 + this.number);
    }

    call(method, path, options) {
        return this.journal.call(method, path, { token: this.token, ...options });
    }

    patch(user, body) {
        return this.call('PATCH', `/api/sys/users/${user.id}`, { body });
    }

    // Runs one operation; without an answer, what it might have done is possible too.
    async attempt(user, change, operation) {
        const before = user.states,
            after = change && { ...before[0], ...change };
        user.states = [...before, after];
        const note = (answer) => user.history.push(`${after?.name ?? 'deleted'}: ${answer}`);
        note('asked');
        try {
            const reply = await operation();
            note(`${reply.status} ${reply.headers.get('x-served-by')}`);
            acknowledged(reply);
            user.states = [after];
        } catch (error) {
            note(`${error.constructor.name}: ${error.message}`);
            if (error instanceof NotDone) user.states = before;
            throw error;
        }
    }

    createAs(user) {
        const body = userBody({
            Email: user.email,
            FullName: 'created',
            APIAccess: true,
            Active: true,
            Businesses: user.created,
        });
        return this.call('POST', '/api/sys/users', {
            body,
            headers: { 'Idempotency-Key': user.email },
        });
    }

    async create() {
        const created = this.chance.pick(this.journal.lists),
            email = `${this.journal.name}.${this.journal.made++}@example.com`;
        const user = {
            email,
            created,
            id: null,
            reply: null,
            states: [null],
            history: [], // of what was asked, and what was answered
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
        this.journal.done.created++;
    }

    async change(user) {
        const name = `changed ${this.journal.made++}`;
        await this.attempt(user, { name }, () =>
            this.chance.next() < 0.5
                ? this.call('PUT', '/api/sys/users', {
                      body: userBody({ Id: user.id, Email: user.email, FullName: name }),
                  })
                : this.patch(user, { FullName: name }),
        );
        this.journal.done.changed++;
    }

    async link(user) {
        const name = `linked ${this.journal.made++}`,
            links = this.chance.pick(this.journal.lists);
        await this.attempt(user, { name, links }, () =>
            this.patch(user, { FullName: name, Businesses: links }),
        );
        this.journal.done.linked++;
    }

    async setPassword(user) {
        const number = this.journal.made++,
            name = `secured ${number}`,
            secret = `correct horse ${number} battery`;
        user.secrets.push(secret);
        await this.attempt(user, { name, secret }, () =>
            this.patch(user, { FullName: name, NewPassword: secret }),
        );
        this.journal.done.passwords++;
    }

    async remove(user) {
        await this.attempt(user, null, () => this.call('DELETE', `/api/sys/users/${user.id}`));
        this.journal.done.deleted++;
    }

    // A version that is gone, an e-mail address that is none, one that is taken, a key of another body: in turn.
    async beRefused(user) {
        const body = userBody({ Id: user.id, Email: user.email, FullName: 'refused' });
        const kind = this.journal.made++ % 5,
            stale = { body, headers: { 'If-Match': '"0"' } };
        if (kind === 0) assertFailure(await this.call('PUT', '/api/sys/users', stale), 412);
        else if (kind === 1)
            assertFailure(await this.call('PATCH', `/api/sys/users/${user.id}`, stale), 412);
        else if (kind === 2)
            assertInvalid(
                await this.call('PUT', '/api/sys/users', { body: { ...body, Email: 'ada@' } }),
                'Email',
                /valid e-mail/,
            );
        else if (kind === 3) await this.takeAddressOf(user, body);
        else
            assertFailure(
                await this.call('POST', '/api/sys/users', {
                    body,
                    headers: { 'Idempotency-Key': user.email },
                }),
                422,
            );
        this.journal.seen.refused++;
    }

    // Without an answer it may be carried out late, when the user has been deleted and the address is free.
    async takeAddressOf(user, body) {
        const Email = user.email.toUpperCase();
        try {
            const reply = await this.call('POST', '/api/sys/users', { body: { ...body, Email } });
            assertInvalid(reply, 'Email', /already used/);
        } catch (error) {
            if (error instanceof Unheard && !(error instanceof NotDone))
                this.journal.possible.add(Email);
            throw error;
        }
    }

    async useTokens() {
        const live = this.sessions.filter((session) => !session.isOver && !session.unsure),
            chance = this.chance.next();
        if (live.length < 2) {
            const session = new Session(
                this.journal,
                `${this.journal.name} client ${this.number} session ${this.journal.made++}.`,
            );
            await session.begin();
            this.sessions.push(session);
            this.journal.done.granted++;
        } else if (chance < 0.6) {
            await this.chance.pick(live).trade();
            this.journal.done.refreshed++;
        } else {
            await this.chance.pick(live).revoke();
            this.journal.done.revoked++;
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

    // Works until the server is gone, or, where it comes back by itself, until the journal has enough.
    async work() {
        while (!this.journal.isOver)
            try {
                await this.step();
                this.steps++;
                this.silence.end();
            } catch (error) {
                if (!(error instanceof Unheard)) throw error;
                this.journal.seen[error instanceof NotDone ? 'notDone' : 'unanswered']++;
                if (!this.journal.comesBack) return;
                await sleep(20);
            }
    }

    // The record of a user, or null. Without an answer to its creation its Id is not known.
    async find(user) {
        if (!user.id) {
            const { json } = await this.call(
                'GET',
                `/api/sys/users?User_Email=${user.email}&size=2`,
            );
            const found = json.Records.filter((record) => record.Email === user.email);
            assert.ok(found.length <= 1, `${user.email} is there twice`);
            user.id = found[0]?.Id ?? null;
        }
        const { status, json } = user.id
            ? await this.call('GET', `/api/sys/users/${user.id}`)
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
            `${when}: ${user.email} is ${record?.FullName}, not ${before.map((one) => one?.name).join(' or ')}\n${user.history.join('\n')}`,
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
            this.journal.grant({ grant_type: 'password', username: user.email, password: secret });
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
                await this.journal.access(user.access),
                isKnown ? 200 : 401,
                `${when}: ${user.email}: a token of ${isKnown ? 'its' : 'an old'} password`,
            );
        if (current && !isKnown) {
            const { status, json, text } = await signIn(current);
            assert.equal(status, 200, `${when}: ${user.email} has lost its password: ${text}`);
            user.access = json.access_token;
            this.journal.seen.signIns++;
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
        this.journal.seen.repeated++;
    }

    async compare(when) {
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

// Several clients of one directory. `name` begins the addresses of their users. `comesBack`: the directory may be away for
// a while, and then answers 503 to what it has not done, and 502 or 504 to what it may have done, or not at all.
export class Journal {
    done = {
        created: 0,
        changed: 0,
        linked: 0,
        passwords: 0,
        deleted: 0,
        granted: 0,
        refreshed: 0,
        revoked: 0,
    };
    possible = new Set(); // addresses that a user may have got although nobody heard so
    seen = { refused: 0, notDone: 0, unanswered: 0, long: 0, repeated: 0, spent: 0, signIns: 0 };
    made = 0;
    isOver = false;

    constructor(
        server,
        tokens,
        { clients = 8, comesBack = false, businesses = [301, 302, 303], name = 'journal' } = {},
    ) {
        Object.assign(this, { server, comesBack, name, token: tokens[0] });
        const [one, ...others] = businesses;
        this.lists = [[], [one], others, businesses]; // of links
        this.clients = Array.from(
            { length: clients },
            (_, i) => new Client(this, tokens[i % tokens.length]),
        );
    }

    async heardOnce(ask) {
        let reply;
        try {
            reply = await ask();
        } catch (error) {
            if (!isBroken(error)) throw error;
            throw new Unheard(error.message);
        }
        if (this.comesBack && [429, 503].includes(reply.status)) throw new NotDone(reply.text);
        if (this.comesBack && [502, 504].includes(reply.status)) throw new Unheard(reply.text);
        return reply;
    }

    // A comparison asks again until there is an answer. It may: its requests do no harm when they are done twice.
    heard(ask) {
        if (!(this.comesBack && this.isOver)) return this.heardOnce(ask);
        return until(
            'an answer',
            () =>
                this.heardOnce(ask).catch((error) => {
                    if (!(error instanceof Unheard)) throw error;
                    return null;
                }),
            { deadline: patience.cluster, pause: 100 },
        );
    }

    call(method, path, options) {
        return this.heard(() => this.server.call(method, path, { token: this.token, ...options }));
    }

    grant(form) {
        return this.heard(() => this.server.grant(form));
    }

    async access(bearer) {
        return (await this.call('GET', '/api/auth/me', { token: bearer })).status;
    }

    get acknowledged() {
        return Object.values(this.done).reduce((total, number) => total + number, 0);
    }

    // All clients work, until each of them ends. The promise fails as soon as one does; `ended` waits for the others too.
    work() {
        this.isOver = false;
        const all = this.clients.map((client) => client.work()),
            working = Promise.all(all);
        working.catch(() => {}); // until it is waited for
        this.ended = Promise.allSettled(all);
        return working;
    }

    // Everything that nobody heard of has been resolved once this is done.
    async compare(round) {
        const when = `seed ${seed}, round ${round}`,
            isUnsure = () =>
                this.clients.some((client) => client.sessions.some((session) => session.unsure));
        do await allEnded(this.clients.map((client) => client.compare(when)));
        while (isUnsure());
    }

    // The addresses of users, without those that a user may have or not.
    certain(records) {
        return records.map((user) => user.Email).filter((email) => !this.possible.has(email));
    }

    // The users are those of the journal, each once, and what was refused changed none.
    async compareAll() {
        const expected = this.clients
                .flatMap((client) => [...client.users.values()].map((user) => user.email))
                .sort(),
            found = [];
        for (let page = 1, more = true; more; page++) {
            const { json } = await this.call(
                'GET',
                `/api/sys/users?User_Email=${this.name}.&orderBy=Id&size=1000&page=${page}`,
            );
            found.push(...this.certain(json.Records));
            more = json.HasNextPage;
        }
        assert.deepEqual(found.sort(), expected);
        const { json } = await this.call('GET', '/api/sys/users?User_FullName=refused');
        assert.deepEqual(this.certain(json.Records), []);
    }
}
