// RFC 9112, as far as it decides where a request ends and the next begins: whatever a head or a body looks like,
// it is read in the one way that the RFC says, or refused and the connection closed, so that nobody's next request
// is made of it. Nor does it matter in what pieces it comes.
import test from 'node:test';
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { Client, assertRefusal, forEach, statuses } from '../lib/client.mjs';
import { hello, origin, post, rows } from './framing.mjs';
import { Server } from '../lib/server.mjs';

const seed = Number(process.env.SEED ?? randomInt(1e9));
const server = await Server.start(['--cors-origins', origin]);
const second = 'GET /healthz?second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

// A number below `limit`, of a generator for each row, so that rows do not depend on each other.
function chance(start) {
    let state = start >>> 0;
    return (limit) => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
    };
}

const cut = (bytes, places) => places.map((place, i) => bytes.slice(i ? places[i - 1] : 0, place));
// Byte by byte, or what is long in 1,000 pieces of the same size.
function evenly(bytes) {
    const size = Math.ceil(bytes.length / 1000);
    return cut(
        bytes,
        Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
            Math.min((i + 1) * size, bytes.length),
        ),
    );
}
function randomly(bytes, below) {
    const places = Array.from({ length: 1 + below(8) }, () => 1 + below(bytes.length - 1));
    return cut(
        bytes,
        [...new Set([...places, bytes.length])].sort((a, b) => a - b),
    );
}

async function converse({ methods }, pieces) {
    const client = await Client.connect(server);
    await client.writePieces(pieces);
    return client.rest(methods);
}

const matches = (status, wanted) => [wanted].flat().includes(status);
function judge(row, replies) {
    const finals = replies.filter(({ status }) => !(row.expects && status === 100)),
        own = finals.slice(0, row.statuses.length);
    const wanted = row.closes ? row.statuses : [...row.statuses, 200];
    const told = `${JSON.stringify(statuses(finals))} where ${JSON.stringify(wanted)} is right: ${JSON.stringify(replies.map(({ body }) => body.slice(0, 200)))}`;
    assert.ok(
        finals.length === wanted.length &&
            finals.every(({ status }, i) => matches(status, wanted[i])),
        told,
    );
    if (row.refuses) assertRefusal(own.at(-1), own.at(-1).status);
    own.forEach(({ headers }, i) =>
        assert.equal(
            headers.connection === 'close',
            row.closes && i === own.length - 1,
            `Connection: ${headers.connection} in reply ${i + 1}`,
        ),
    );
    if (row.key !== undefined)
        assert.equal(JSON.parse(own[0].body).Errors[0].AttemptedValue, row.key);
    assert.equal(own[0].headers['access-control-allow-origin'], row.allows);
    assert.equal(/^keep-alive$/i.test(own[0].headers.connection), row.keeps === true);
    return statuses(finals);
}

const waysOf = (bytes, below) => [
    ['at once', [bytes]],
    ['byte by byte', evenly(bytes)],
    ['in random pieces', randomly(bytes, below)],
];

// The replies to each row, for each way of sending it, or the error, which the row's own test
// reports.
async function run() {
    const warm = await Promise.all(Array.from({ length: 16 }, () => Client.connect(server))); // so each thread knows the password
    await forEach(warm, 1, async (client) => {
        await client.write(post('Content-Length: 15\r\n', hello));
        assert.equal((await client.reply()).status, 400);
        client.close();
    });
    return forEach(rows, 32, (row, i) =>
        forEach(waysOf(row.bytes + second, chance(seed + i)), 3, async ([way, pieces]) => {
            const told =
                way === 'in random pieces'
                    ? `${way}, SEED=${seed}: ${pieces.map((piece) => piece.length)}`
                    : way;
            try {
                return { told, replies: await converse(row, pieces) };
            } catch (error) {
                return { told, error };
            }
        }),
    );
}
const outcomes = run();

const promise = ({ refuses, closes }) =>
    refuses
        ? "refused, and what follows is nobody's request"
        : `understood, and ${closes ? 'closed after it' : 'the next request too'}`;
for (const [i, row] of rows.entries())
    test(`${row.section}: ${row.name}: ${promise(row)}, in whatever pieces it comes`, async () => {
        const seen = new Set();
        for (const { told, replies, error } of (await outcomes)[i])
            try {
                if (error) throw error;
                seen.add(String(judge(row, replies)));
            } catch (failure) {
                failure.message = `${told}: ${failure.message}`;
                throw failure;
            }
        assert.equal(seen.size, 1, `not the same each time: ${[...seen].join(' and ')}`);
    });

test('every row is of its own kind', () => {
    assert.equal(new Set(rows.map(({ bytes }) => bytes)).size, rows.length);
    assert.equal(new Set(rows.map(({ section, name }) => `${section}: ${name}`)).size, rows.length);
});
