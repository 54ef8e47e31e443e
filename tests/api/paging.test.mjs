// Page after page of a search ordered by Id (docs/api.md "paging"), while users come and go.
import test from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { Server, isSampled } from '../lib/server.mjs';
import { userBody } from '../lib/users.mjs';

const STABLE = isSampled() ? 2000 : 10000,
    PASSING = STABLE / 4,
    AT_ONCE = 32;

const server = await Server.start();
const token = await server.admin();
let made = 0;

const person = (FullName) => userBody({ FullName, Email: `page.${made++}@example.com` });
async function create(FullName) {
    const reply = await server.call('POST', '/api/sys/users', { token, body: person(FullName) });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.Value.Id;
}
// The same of many, one after the other on a connection: much quicker than reply by reply.
async function createAll(names) {
    const requests = names.map((name, i) => {
        const body = JSON.stringify(person(name));
        return `POST /api/sys/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n${i === names.length - 1 ? 'Connection: close\r\n' : ''}\r\n${body}`;
    });
    const ids = [...(await server.raw(requests.join(''))).matchAll(/"Value":\{"Id":(\d+)\}/g)].map(
        ([, id]) => Number(id),
    );
    assert.equal(ids.length, names.length);
    return ids;
}
async function remove(id) {
    const reply = await server.call('DELETE', `/api/sys/users/${id}`, { token });
    assert.equal(reply.status, 200, reply.text);
}

// Those who pass by lie among those who stay, all over the pages.
const passing = [];
async function fill() {
    const stable = [];
    await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, lane) => {
            const names = Array.from({ length: STABLE + PASSING }, (__, i) =>
                i % 5 === 0 ? 'Passing By' : 'Staying Here',
            ).filter((__, i) => i % AT_ONCE === lane);
            for (const [i, id] of (await createAll(names)).entries())
                (names[i] === 'Passing By' ? passing : stable).push(id);
        }),
    );
    return new Set(stable);
}
const stable = await fill();

async function page(query) {
    const reply = await server.call('GET', `/api/sys/users?${query}`, { token });
    assert.equal(reply.status, 200, reply.text);
    return reply.json;
}

// All Ids of all pages, as a client reads them that follows HasNextPage.
async function walk(query, between = async () => {}) {
    const ids = [];
    for (let number = 1, more = true; more; number++) {
        const part = await page(`${query}&page=${number}`);
        ids.push(...part.Records.map((user) => user.Id));
        more = part.HasNextPage;
        assert.equal(part.HasNextPage, number < part.TotalPages, `${query} page ${number}`);
        await between(number);
    }
    assert.equal(new Set(ids).size, ids.length, `${query} repeats somebody`);
    const seen = new Set(ids);
    assert.deepEqual(
        [...stable].filter((id) => !seen.has(id)),
        [],
        `${query} skips somebody`,
    );
    return ids;
}

async function churn(isDone) {
    for (let round = 0; !isDone(); round++) {
        passing.push(await create('Passing By'));
        if (round % 4)
            await remove(passing.splice(Math.floor(Math.random() * passing.length), 1)[0]);
    }
}

test(`paging through ${STABLE} users neither repeats nor skips one who was there throughout, whoever comes or goes`, async () => {
    let done = false;
    const others = Array.from({ length: 4 }, () => churn(() => done));
    try {
        for (const query of [
            'size=100',
            'orderBy=Id&dir=0&size=1000',
            'orderBy=Id&dir=desc&size=250',
            'orderBy=id&size=500&User_FullName=e',
            'orderBy=Id&size=200&User_Active=false',
            'orderBy=Id&size=500&User_FullName=Staying',
        ])
            await walk(query);
    } finally {
        done = true;
        await Promise.all(others);
    }
});

test('a page begins where the one before ended, though half of the pages before it is deleted meanwhile', async () => {
    for (const query of ['size=400', 'size=400&dir=desc&orderBy=Id']) {
        const first = await page(`${query}&page=1`),
            last = first.Records.at(-1).Id;
        const gone = passing.filter((id) => (query.includes('desc') ? id > last : id < last));
        assert.ok(gone.length > 0);
        for (const id of gone) {
            await remove(id);
            passing.splice(passing.indexOf(id), 1);
        }
        const next = (await page(`${query}&page=2`)).Records.map((user) => user.Id);
        const all = (
            await page(
                `orderBy=Id&size=1000&dir=${query.includes('desc') ? 1 : 0}&User_Active=false`,
            )
        ).Records.map((user) => user.Id);
        const rest = all.slice(
            all.findIndex((id) => (query.includes('desc') ? id < last : id > last)),
        );
        assert.deepEqual(next, rest.slice(0, next.length), query);
        assert.equal(next.length, 400);
    }
});

test('the last pages still come when most users of the first are deleted', async () => {
    const query = 'orderBy=Id&size=500&User_FullName=Passing';
    for (let i = 0; i < 1200; i += AT_ONCE)
        passing.push(
            ...(await Promise.all(Array.from({ length: AT_ONCE }, () => create('Passing By')))),
        );
    const before = [];
    for (let number = 1, more = true; more; number++) {
        const part = await page(`${query}&page=${number}`);
        before.push(...part.Records.map((user) => user.Id));
        more = part.HasNextPage;
    }
    const seen = [];
    let gone = 0;
    for (let number = 1, more = true; more; number++) {
        const part = await page(`${query}&page=${number}`);
        seen.push(...part.Records.map((user) => user.Id));
        more = part.HasNextPage;
        if (number === 2) for (; gone < 800; gone++) await remove(seen[gone]);
    }
    assert.deepEqual(seen, before);
});

test('what one caller reads does not move the pages of another, or of another search', async () => {
    const first = (await page('size=10&page=1')).Records.map((user) => user.Id);
    const second = (await page('size=10&page=2')).Records.map((user) => user.Id);
    await remove(first.at(-1));
    stable.delete(first.at(-1));
    const same = (await page('size=10&page=2')).Records.map((user) => user.Id);
    assert.deepEqual(same, second);
    const other = (await page('orderBy=Id&size=10&page=2')).Records.map((user) => user.Id);
    assert.deepEqual(other.slice(0, 9), second.slice(1));
});

// ---- Who shares an account and a query ----

// Users of its own for a test, every other of whom goes away behind the readers' backs, the first first.
async function crowd(name) {
    const staying = [],
        leaving = [];
    for (let i = 0; i < 240; i++)
        (i % 2 ? staying : leaving).push(await create(`${name} ${i % 2 ? 'Staying' : 'Leaving'}`));
    return {
        staying,
        leave: async (count = 1) => {
            for (const id of leaving.splice(0, count)) await remove(id);
        },
        query: `orderBy=Id&size=20&User_FullName=${encodeURIComponent(name)}`,
    };
}

const connection = () => new http.Agent({ keepAlive: true, maxSockets: 1 });
const newConnections = () => new http.Agent({ keepAlive: false });
const get = (agent, path) =>
    new Promise((resolve, reject) => {
        http.get(
            {
                host: server.host,
                port: server.port,
                path,
                agent,
                headers: { Authorization: `Bearer ${token}` },
            },
            (response) => {
                let text = '';
                response.on('data', (part) => {
                    text += part;
                });
                response.on('end', () => resolve(JSON.parse(text)));
            },
        ).on('error', reject);
    });

// Page after page, each over the next of its connections.
class Reader {
    constructor({ query, staying }, ...agents) {
        Object.assign(this, { query, staying, agents, turn: 0 });
        this.begin();
    }
    begin() {
        Object.assign(this, { ids: [], number: 0, more: true });
    }
    async read() {
        if (!this.more) return;
        const part = await get(
            this.agents[this.turn++ % this.agents.length],
            `/api/sys/users?${this.query}&page=${++this.number}`,
        );
        this.ids.push(...part.Records.map((user) => user.Id));
        this.more = part.HasNextPage;
    }
    hasEverybodyOnce(what) {
        assert.equal(this.more, false);
        assert.equal(new Set(this.ids).size, this.ids.length, `${what} repeats somebody`);
        assert.deepEqual(
            this.staying.filter((id) => !this.ids.includes(id)),
            [],
            `${what} skips somebody`,
        );
    }
    close() {
        this.agents.forEach((agent) => agent.destroy());
    }
}

test('two readers with one account and one query do not share their place', async () => {
    const people = await crowd('Side By Side');
    const first = new Reader(people, connection()),
        second = new Reader(people, connection());
    for (let round = 0; first.more || second.more; round++) {
        await first.read();
        await people.leave(3);
        for (
            let i = 0;
            i <= round % 2;
            i++ // gets ahead, and waits at the end
        )
            await second.read();
        await people.leave(3);
    }
    first.hasEverybodyOnce('the first');
    second.hasEverybodyOnce('the second');
    first.close();
    second.close();
});

test('a reader may use another connection for each page, new ones or those of a pool', async () => {
    for (const [name, agents] of [
        ['Newly', [newConnections()]],
        ['Pooled', [connection(), connection()]],
        ['Three', [connection(), connection(), connection()]],
    ]) {
        const people = await crowd(name),
            reader = new Reader(people, ...agents);
        for (let walk = 0; walk < 4; walk++) {
            // what an earlier walk left behind is not gone on from
            reader.begin();
            reader.turn = walk;
            while (reader.more) {
                await reader.read();
                await people.leave(2);
            }
            reader.hasEverybodyOnce(`${name}, walk ${walk}`);
        }
        reader.close();
    }
});

test('a connection may ask for any page after any other', async () => {
    const agent = connection(),
        query = 'orderBy=Id&User_FullName=e';
    const ids = async (more) =>
        (await get(agent, `/api/sys/users?${query}&${more}`)).Records.map((user) => user.Id);
    const all = await ids('size=1000');
    assert.equal(all.length, 1000);
    for (const number of [1, 3, 2, 4, 7, 1, 2, 6])
        assert.deepEqual(
            await ids(`size=50&page=${number}`),
            all.slice((number - 1) * 50, number * 50),
            `page ${number}`,
        );
    await ids('size=10&page=1');
    assert.deepEqual(
        await ids('size=25&page=2'),
        all.slice(25, 50),
        'pages of another size are another search',
    );
    const entries = async (more) =>
        (await get(agent, `/api/sys/audittrailentries?${more}`)).Records.map((entry) => entry.Id);
    await get(agent, '/api/sys/users?size=10&page=1');
    assert.deepEqual(
        await entries('size=10&page=2'),
        (await entries('size=20')).slice(10),
        'and so are those of another resource',
    );
    const more = [...all, ...(await ids('size=100&page=11'))];
    assert.equal(more.length, 1100);
    assert.deepEqual(
        (await get(agent, `/api/sys/users?id=[${more}]`)).map((user) => user.Id),
        all,
        'a batch is of 1000',
    );
    agent.destroy();
});

test('a reader with a token of its own has a place of its own, whatever connections it uses', async () => {
    const people = await crowd('Credentials'),
        other = await server.token();
    const ask = async (bearer, number) =>
        (
            await server.call('GET', `/api/sys/users?${people.query}&page=${number}`, {
                token: bearer,
            })
        ).json.Records.map((user) => user.Id);
    const before = await ask(token, 1);
    await people.leave(10);
    const first = await ask(other, 1);
    assert.ok(first.at(-1) > before.at(-1));
    const all = (await page(`${people.query.replace('size=20', 'size=1000')}`)).Records.map(
        (user) => user.Id,
    );
    for (const [bearer, last] of [
        [token, before.at(-1)],
        [other, first.at(-1)],
    ])
        assert.deepEqual(await ask(bearer, 2), all.filter((id) => id > last).slice(0, 20));
});
