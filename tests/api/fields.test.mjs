// Each field of the table: set, read back, kept when omitted, cleared by null, each wrong type
// refused. Derived from the table, so a new field is tested the day it is declared.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { fieldTable } from '../lib/database.mjs';
import { userId } from '../lib/ids.mjs';
import { assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
const table = fieldTable();
const isReadOnly = (field) =>
    field.flags.includes('READ_ONLY') || ['empty', 'no'].includes(field.type);
const isRequired = (field) => field.flags.includes('REQUIRED');

const guid = '01234567-89ab-cdef-0123-456789abcdef';
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';

// For each type: values that are taken (and how they read back), values that are taken unless the
// client prefers handling=strict, values that are refused, and how the message of the refusal
// begins.
const types = {
    text: {
        good: (field) => [['x'], [' ü 😀 ', ' ü 😀 '], ['x'.repeat(Math.min(field.max, 300))]],
        bad: (field) => [
            7,
            true,
            [],
            {},
            1.5,
            'nul\u0000',
            'ä'.repeat(field.max + 1),
            ...(field.flags.includes('MULTI_LINE')
                ? []
                : ['two\nlines', 'tab\t', 'x\u007f', 'x\u0085', 'x\u2028']),
        ],
        says: /^must (be a string|not contain a NUL|be a single line|have at most \d+ characters)/,
    },
    email: {
        lenient: () => [['', null]],
        good: () => [
            ['someone.else@example.org'],
            ['  trimmed@example.org ', 'trimmed@example.org'],
        ],
        bad: () => [
            7,
            true,
            [],
            {},
            'nobody',
            'a@b@c@',
            `${'x'.repeat(65)}@example.org`,
            `x@${'y'.repeat(260)}`,
        ],
        says: /^must (be a valid e-mail|be a string|have at most)/,
    },
    integer: {
        good: () => [[0], [1], ['17', 17], [2147483647]],
        bad: () => [-1, 2147483648, 1.5, true, '', '1.0', '+1', ' 1', [], {}],
        raw: [
            '1e2',
            '1.0',
            '12345678901234567890123',
            '-12345678901234567890123',
            '9223372036854775808',
        ],
        says: /^must be an integer from 0 to 2147483647$/,
    },
    boolean: {
        good: () => [[true], [false], ['true', true], ['false', false]],
        lenient: () => [
            [0, false],
            [1, true],
            ['0', false],
            ['1', true],
            ['True', true],
            ['FALSE', false],
        ],
        bad: () => [2, -1, 'yes', ' true', '2', '', [], {}, 1.5],
        says: /^must be true or false$/,
    },
    date: {
        good: () => [
            ['2025-01-15T10:30:00Z'],
            ['2025-01-15T10:30:00.123Z'],
            ['2025-01-15T10:30:00.1239Z', '2025-01-15T10:30:00.123Z'],
            ['2025-01-15T10:30', '2025-01-15T10:30:00Z'],
            ['2025-01-15T10:30:00.000+02:00', '2025-01-15T08:30:00Z'],
            ['2025-01-15', '2025-01-15T00:00:00Z'],
            ['2024-02-29T00:00:00-0330', '2024-02-29T03:30:00Z'],
            ['0001-01-01T00:00:00Z'],
        ],
        lenient: () => [['', null]],
        bad: () => [
            7,
            true,
            [],
            {},
            ' ',
            'now',
            '2025-02-30T00:00:00Z',
            '2025-01-15T24:00:00Z',
            '2025-1-5',
            '2025-01-15T10:30:00Zx',
            '0001-01-01T00:00:00+01:00',
            '10000-01-01T00:00:00Z',
        ],
        says: /^must be a date and time such as 2025-01-15T10:30:00Z$/,
    },
    guid: {
        good: () => [
            [guid],
            [guid.toUpperCase(), guid],
            [`{${guid}}`, guid],
            [guid.replaceAll('-', ''), guid],
        ],
        lenient: () => [['', null]],
        bad: () => [7, true, [], {}, ' ', 'x', `${guid}0`, guid.replace('0', 'g'), `{${guid}`],
        says: /^must be a GUID such as /,
    },
    choice: {
        good: () => [[1], [2], ['3', 3]],
        lenient: () => [
            ['EnglishUS', 1],
            ['spanish', 2],
            ['ENGLISHUK', 3],
        ],
        bad: () => [0, 4, true, '', 'x', 'English', [], {}],
        says: /^must be one of /,
    },
    reference: {
        good: (field) => [
            [{ language: 601, application: 701 }[field.target]],
            [
                String({ language: 602, application: 702 }[field.target]),
                { language: 602, application: 702 }[field.target],
            ],
        ],
        lenient: () => [['', null]],
        bad: () => [0, -1, true, 1.5, 'x', [], {}, 424242],
        says: /^(must be an integer from 1 to 9007199254740991|no \w+ with Id 424242 exists)$/,
    },
    links: {
        good: (field) => [
            [ids(field)],
            [
                [ids(field)[1], ids(field)[0], ids(field)[1]],
                [ids(field)[1], ids(field)[0]],
            ],
            [[String(ids(field)[0])], [ids(field)[0]]],
            [[]],
        ],
        bad: () => [7, 'x', true, {}, [0], [1.5], [true], [[1]], [null], ['x'], [424242]],
        says: /^(must be an array of integers|no [\w ]+ with Id 424242 exists)/,
    },
};

function ids(field) {
    return { business: [301, 303], user_role: [401, 402], chat_room: [501, 502] }[field.target];
}

test('the table has the 58 fields of the page and SystemId', () => {
    const writable = table.filter((field) => !isReadOnly(field)).map((field) => field.name);
    assert.equal(writable.length, 59);
    assert.ok(writable.includes('SystemId'));
});

for (const field of table.filter(
    (one) => types[one.type] && !isReadOnly(one) && !one.flags.includes('TRANSIENT'),
)) {
    const type = types[field.type];

    test(`${field.name} is set and read back`, async () => {
        for (const [sent, shown = sent] of type.good(field)) {
            const reply = await server.update(userId, { [field.name]: sent });
            assert.equal(reply.status, 200, reply.text);
            assert.deepEqual((await server.get(userId))[field.name], shown);
        }
    });

    test(`${field.name} of a wrong type or value is refused and nothing is stored`, async () => {
        const before = await server.get(userId);
        for (const wrong of type.bad(field)) {
            const error = assertInvalid(
                await server.update(userId, {
                    [field.name]: wrong,
                    Devices: field.name === 'Devices' ? wrong : 'changed',
                }),
                field.name,
                type.says,
            );
            assert.deepEqual(error.AttemptedValue, wrong);
        }
        for (const wrong of type.raw ?? []) {
            const body = JSON.stringify({ ...before, [field.name]: '@' }).replace('"@"', wrong);
            assertInvalid(await server.put(body), field.name, type.says);
        }
        assert.deepEqual(await server.get(userId), before);
    });

    test(`${field.name} is taken as clients write it, unless they prefer handling=strict`, async () => {
        const [good] = type.good(field)[0];
        for (const [sent, shown] of type.lenient?.(field) ?? []) {
            assert.equal((await server.update(userId, { [field.name]: good })).status, 200);
            if (field.flags.includes('FILLED')) continue;
            const refused = await server.update(
                userId,
                { [field.name]: sent },
                { headers: { Prefer: 'handling=strict' } },
            );
            assert.deepEqual(assertInvalid(refused, field.name, type.says).AttemptedValue, sent);
            const reply = await server.update(userId, { [field.name]: sent });
            assert.equal(reply.status, 200, reply.text);
            assert.deepEqual((await server.get(userId))[field.name], shown, JSON.stringify(sent));
        }
    });

    if (isRequired(field)) continue;

    test(`${field.name} is kept when omitted and cleared by null`, async () => {
        const [sent, shown = sent] = type.good(field)[0];
        await server.update(userId, { [field.name]: sent });
        await server.update(userId, {});
        assert.deepEqual((await server.get(userId))[field.name], shown, 'kept');
        const reply = await server.update(userId, { [field.name]: null });
        assert.equal(reply.status, 200, reply.text);
        const cleared = { boolean: false, links: shown }[field.type] ?? null; // null leaves a collection untouched
        assert.deepEqual((await server.get(userId))[field.name], cleared, 'cleared');
    });
}

for (const field of table.filter((one) => one.type === 'links')) {
    test(`${field.name}: X replaces, then AddedX adds, then RemovedX removes`, async () => {
        const [one, two] = ids(field);
        const added = `Added${field.name}`,
            removed = `Removed${field.name}`;
        const after = async (changes) => {
            const reply = await server.update(userId, changes);
            assert.equal(reply.status, 200, reply.text);
            return (await server.get(userId))[field.name];
        };
        assert.deepEqual(await after({ [field.name]: [one], [added]: [two], [removed]: [one] }), [
            two,
        ]);
        assert.deepEqual(await after({ [added]: [one, one, two] }), [two, one]);
        assert.deepEqual(await after({ [removed]: [two, two] }), [one]);
        assert.deepEqual(await after({ [removed]: [two] }), [one], 'one that is not there');
        assert.deepEqual(await after({ [field.name]: [], [added]: null, [removed]: null }), []);
        for (const property of [field.name, added, removed])
            assertInvalid(
                await server.update(userId, { [property]: [424242] }),
                property,
                /^no [\w ]+ with Id 424242 exists$/,
            );
    });
}

test('DefaultBusinessId stays while it is linked, else it is the first of Businesses', async () => {
    const after = async (Businesses) => {
        await server.update(userId, { Businesses });
        return (await server.get(userId)).DefaultBusinessId;
    };
    assert.equal(await after([303, 301]), 303);
    assert.equal(await after([301, 303]), 303);
    assert.equal(await after([301, 302]), 301);
    assert.equal(await after([]), null);
});

for (const field of table.filter((one) => ['sealed', 'totp', 'password'].includes(one.type))) {
    test(`${field.name} is never shown, wrong types are refused, null and omission keep it`, async () => {
        const value = field.type === 'totp' ? secret : 'quite-a-secret-value';
        const enabled = async () => (await server.get(userId)).TwoFactorEnabled;
        assert.equal((await server.update(userId, { [field.name]: value })).status, 200);
        assert.equal((await server.get(userId))[field.name], null);
        for (const wrong of [7, true, [], {}]) {
            const error = assertInvalid(
                await server.update(userId, { [field.name]: wrong }),
                field.name,
                /^must be a string$/,
            );
            assert.equal(error.AttemptedValue, null);
        }
        assert.equal((await server.update(userId, { [field.name]: null })).status, 200);
        assert.equal((await server.update(userId, {})).status, 200);
        assert.equal(await enabled(), field.type === 'totp' || false);
        if (field.type === 'totp') {
            await server.update(userId, { [field.name]: '' });
            assert.equal(await enabled(), false, 'the empty string turns it off');
        }
    });
}

test('TwoFactorSecret must be base32 of 80 to 512 bits', async () => {
    for (const wrong of ['x', 'JBSWY3DPEHPK3PX', '1'.repeat(32), 'A'.repeat(104 + 8)])
        assertInvalid(
            await server.update(userId, { TwoFactorSecret: wrong }),
            'TwoFactorSecret',
            /^must be base32 of 80 to 512 bits/,
        );
});

test("sealed fields are not readable in the database, whose files are nobody else's", async () => {
    await server.update(userId, { AccessToken: 'findme-findme-findme', TwoFactorSecret: secret });
    assert.deepEqual(server.found(['findme', secret]), []);
    const data = `${server.folder}/data`,
        files = readdirSync(data).filter((name) => name !== 'roster.sock');
    assert.ok(files.includes('roster.key'));
    for (const file of files) assert.equal(statSync(`${data}/${file}`).mode & 0o777, 0o600, file);
    await server.update(userId, { TwoFactorSecret: '' });
});

for (const [sent, says] of [
    ['short', /at least 8 characters/],
    ['x'.repeat(257), /at most 256 characters/],
    ['password', /commonly used/],
    ['Passw0rd', /commonly used/],
    ['12345678', /commonly used/],
]) {
    for (const name of ['NewPassword', 'Password']) {
        test(`${name} ${sent.slice(0, 12)} is refused: ${says.source}`, async () => {
            assertInvalid(await server.update(userId, { [name]: sent }), name, says);
        });
    }
}

test('a password must not be the e-mail address or the name', async () => {
    const user = await server.get(userId);
    for (const NewPassword of [user.Email, user.Email.toUpperCase(), 'Longer Full Name'])
        assertInvalid(
            await server.update(userId, { FullName: 'Longer Full Name', NewPassword }),
            'NewPassword',
            /e-mail address or name/,
        );
});
