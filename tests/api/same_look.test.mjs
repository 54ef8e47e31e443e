// No two users look the same: what is one address, which is none, and what is no name.
import test from 'node:test';
import assert from 'node:assert/strict';
import { userId } from '../lib/ids.mjs';
import { assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { password, userBody } from '../lib/users.mjs';

const server = await Server.start();
const token = await server.admin();
const create = (Email, more = {}) =>
    server.call('POST', '/api/sys/users', {
        token,
        body: userBody({ FullName: 'Somebody', Email, ...more }),
    });
const made = async (Email, more) => {
    const reply = await create(Email, more);
    assert.equal(reply.status, 200, `${Email}: ${reply.text}`);
    return server.get(reply.json.Value.Id);
};
const name = (FullName) =>
    server.call('PATCH', `/api/sys/users/${userId}`, { token, body: { FullName } });

test('an address has no character that is not seen, turns the text or is no letter of a name', async () => {
    for (const odd of [
        'a\u200b',
        '\ufeffa',
        '\u202ea',
        '\u2066a',
        'a\u200e',
        'a\u00ad',
        'a\u2060',
        'a\u034f',
        'a\u180e',
        'a\u200d',
        '\u3164',
        '\u2800',
        'a\ufe0f',
        '\u{e0041}a',
        '"a\u200b"',
        'a\u00a0',
        'me.\u037e.x',
        '\uff41',
        'a\u2019s',
        '\ue000',
        '😀',
    ])
        for (const field of ['Email', 'SupportTeamUserEmail']) {
            const reply =
                field === 'Email'
                    ? await create(`${odd}@example.org`)
                    : await create('x@example.org', { [field]: `${odd}@example.org` });
            assertInvalid(reply, field, /^must be a valid e-mail address$/);
        }
});

test('an address is kept in NFC, without needless quotes, and without what is not seen in its domain', async () => {
    for (const [sent, kept] of [
        ['jose\u0301@example.org', 'josé@example.org'],
        ['"ada"@example.org', 'ada@example.org'],
        ['"q\\ u\\"x"@example.org', '"q u\\"x"@example.org'],
        ['bob@exam\u200bple.org\ufeff', 'bob@example.org'],
        ['eve@bu\u0308\u00adcher.example', 'eve@bücher.example'],
        ['Ada.KING@Example.ORG', 'Ada.KING@Example.ORG'],
    ])
        assert.equal((await made(sent)).Email, kept);
});

test('two spellings of a mailbox are one user, and sign in', async () => {
    const secret = { NewPassword: password, Active: true, APIAccess: true };
    for (const [first, ...others] of [
        ['zoë@example.net', 'ZOE\u0308@example.net', '"zoë"@EXAMPLE.net', 'zoë@exam\u200bple.net'],
        ['carl@[IPv6:::1]', 'carl@[ipv6:0:0:0:0:0:0:0:1]', '"carl"@[IPv6:0::1]'],
        ['dan.o@example.net', '"dan.o"@example.net', '"d\\an.o"@example.net'],
    ]) {
        await made(first, secret);
        for (const other of others) {
            assertInvalid(await create(other), 'Email', /^is already used by another user$/);
            await server.token(other);
        }
    }
    assert.equal((await create('zoe@example.net')).status, 200, 'accents make another mailbox');
});

test('lengths of addresses are octets', async () => {
    const address = (local, octets) =>
        `${local}@${`${'d'.repeat(60)}.`.repeat(4).slice(0, octets - Buffer.byteLength(local) - 1)}`;
    assert.equal((await create(address('l'.repeat(64), 254))).status, 200);
    assert.equal((await create(address('ö'.repeat(32), 254))).status, 200);
    assertInvalid(
        await create(address('ö'.repeat(32), 255)),
        'Email',
        /^must have at most 254 octets/,
    );
    assertInvalid(await create(address('ö'.repeat(33), 200)), 'Email', /^must be a valid/);
    assertInvalid(
        await create(address('l'.repeat(64), 255)),
        'Email',
        /^must have at most 254 characters/,
    );
});

test('a name has a character that is seen', async () => {
    for (const blank of [
        '',
        ' ',
        '\u3000',
        '\u00a0',
        '\u2003',
        '\u1680',
        ' \u2028 ',
        '\u200b',
        '\u2800',
        '\u3164',
        '\ufeff',
        '\u2060\u00ad',
        '\u0301',
        '\u200d\u200c',
        '\u{e0020}',
        '\u115f',
    ])
        assertInvalid(
            await name(blank),
            'FullName',
            /^(is a required field|must be a single line)/,
        );
    for (const seen of ['.', '\u3000山', 'a\u200b', '👩‍👩‍👧', '한', '\u00a01', 'Ⅷ', '\u0e01'])
        assert.equal((await name(seen)).status, 200, seen);
    const blank = await server.call('POST', '/api/sys/businesses', {
        token,
        body: { Name: '\u3000' },
    });
    assertInvalid(blank, 'Name', /^is a required field$/);
});
