// Every filter and order of every resource, from the server's own description: a new field is
// tested the day it is declared. search.test.mjs compares searches of users with a model, and
// linked_filters.test.mjs has paths through a link.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId } from '../lib/ids.mjs';
import { assertInvalid, follow } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
const token = await server.admin();
const call = (method, path, body) => server.call(method, path, { token, body });
const made = await call('POST', '/api/sys/webhooks', {
    BusinessId: businessId,
    Name: 'Events',
    Action: 1001,
    URL: 'https://example.com/x',
});
assert.equal(made.status, 200, made.text);
const { json: doc } = await call('GET', '/api/openapi.json');
// Deliveries change by themselves, so they have their tests in webhooks.test.mjs.
const lists = Object.entries(doc.paths)
    .map(([path, item]) => [path, (item.get?.parameters ?? []).map((one) => follow(doc, one))])
    .map(([path, parameters]) => [
        path,
        parameters
            .map(({ name }) => name)
            .filter((name) => /^((from|to)_)?([A-Za-z]+_)?[A-Za-z]+$/.test(name)),
        parameters.find(({ name }) => name === 'orderBy')?.schema.enum,
    ])
    .filter(([path, , orders]) => orders && path !== '/api/sys/webhookdeliveries');

async function found(path, query) {
    const reply = await call('GET', `${path}?${query}`);
    assert.equal(reply.status, 200, `${path}?${query}: ${reply.text}`);
    assert.equal(reply.headers.get('x-ignored-parameters'), null, `${path}?${query}`);
    return reply.json.Records;
}

test('the description has every list', () => {
    assert.ok(lists.length >= 9, `${lists.length}`);
});

for (const [path, names, orders] of lists) {
    const filters = names.filter((name) => /^[A-Z]\w*_\w+$/.test(name));
    const field = (name) => name.slice(name.lastIndexOf('_') + 1);
    const ids = (records) => records.map(({ Id }) => Id);

    // References are filtered by without Id.
    const shown = (record, name) => record[field(name)] ?? record[`${field(name)}Id`] ?? null;
    // The records that a value has to find: texts contain it, a time stands for its whole second.
    const matches = (value) => {
        if (typeof value !== 'string') return (other) => other === value;
        if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value))
            return (other) =>
                other !== null &&
                Date.parse(other) >= Date.parse(value) &&
                Date.parse(other) <= Date.parse(value) + (value.includes('.') ? 0 : 999);
        return (other) => other !== null && other.toLowerCase().includes(value.toLowerCase());
    };

    test(`${path}: a filter by what a record shows finds all that have it, and nothing else`, async () => {
        const records = await found(path, 'size=1000');
        assert.ok(records.length > 0 && records.length < 1000, 'all fit on one page');
        let tried = 0,
            told = 0;
        for (const name of filters) {
            const values = [...new Set(records.map((record) => shown(record, name)))].filter(
                (one) => !['', null, undefined].includes(one) && typeof one !== 'object',
            );
            for (const value of values.filter((_, i) => i % Math.ceil(values.length / 4) === 0)) {
                const expected = records.filter((record) => matches(value)(shown(record, name)));
                assert.deepEqual(
                    ids(
                        await found(
                            path,
                            `${name}=${encodeURIComponent(value)}&orderBy=Id&size=1000`,
                        ),
                    ).sort((a, b) => a - b),
                    ids(expected).sort((a, b) => a - b),
                    `${name}=${value}`,
                );
                tried++;
                told += expected.length < records.length;
            }
        }
        assert.ok(
            tried >= 3 && told >= (records.length > 1 ? 1 : 0),
            `${tried} filters, ${told} of which leave somebody out`,
        );
    });

    test(`${path}: what a list shows, its Id gets, with its own lists`, async () => {
        const [listed] = await found(path, 'size=1');
        const { status, json } = await call('GET', `${path.replace(/\/my$/, '')}/${listed.Id}`);
        assert.equal(status, 200);
        const own = Object.entries(json).filter(([name]) => name in listed);
        assert.deepEqual(Object.fromEntries(own), listed);
        for (const [name, value] of Object.entries(json))
            assert.ok(name in listed || Array.isArray(value), name);
    });

    test(`${path}: a range is inclusive, and what is out of it is not found`, async () => {
        const records = await found(path, 'size=1000');
        const number = (value) => (typeof value === 'string' ? Date.parse(value) : value);
        for (const name of names.filter((one) => one.startsWith('from_'))) {
            const member = field(name),
                other = name.replace('from_', 'to_');
            assert.ok(names.includes(other), other);
            const pivot = records.map((record) => record[member]).find((value) => value !== null);
            if (pivot === undefined) continue;
            for (const [bound, holds] of [
                [name, (it) => it >= number(pivot)],
                [other, (it) => it <= number(pivot) + (/:\d\dZ$/.test(pivot) ? 999 : 0)],
            ])
                assert.deepEqual(
                    ids(
                        await found(
                            path,
                            `${bound}=${encodeURIComponent(pivot)}&orderBy=Id&size=1000`,
                        ),
                    ),
                    ids(
                        records.filter(
                            (record) => record[member] !== null && holds(number(record[member])),
                        ),
                    ).sort((a, b) => a - b),
                    `${bound}=${pivot}`,
                );
            assertInvalid(await call('GET', `${path}?${name}=x`), name, /^must be /);
        }
    });

    test(`${path}: orderBy takes each member of one value, both ways`, async () => {
        const records = await found(path, 'size=1000');
        const members = Object.keys(records[0]);
        for (const order of orders) {
            const name = members.find((one) => [order, `${order}Id`, `${order}File`].includes(one));
            const up = await call('GET', `${path}?orderBy=${order}&size=1000`);
            assert.equal(up.status, 200, `${order}: ${up.text}`);
            assert.equal(up.json.CurrentOrderField, name);
            assert.deepEqual(
                ids(up.json.Records).sort((a, b) => a - b),
                ids(records),
                name,
            );
            const values = up.json.Records.map((record) => record[name]).filter(
                (value) => typeof value === 'number',
            );
            assert.deepEqual(
                values,
                [...values].sort((a, b) => a - b),
                name,
            );
            const down = await found(path, `orderBy=${order}&dir=1&size=1000`);
            assert.deepEqual(
                down.map((record) => record[name]),
                up.json.Records.map((record) => record[name]).reverse(),
                name,
            );
        }
        for (const name of members.filter((one) => !orders.includes(one)))
            assertInvalid(
                await call('GET', `${path}?orderBy=${name}`),
                'orderBy',
                /^must be the name of a property/,
            );
        assertInvalid(await call('GET', `${path}?orderBy=Nothing`), 'orderBy', /./);
    });
}
