// The commands of resources (docs/contract.md section 3.3): what they do, to which records, and by whom.
import test from 'node:test';
import assert from 'node:assert/strict';
import { adminId, staff, userId } from '../lib/ids.mjs';
import { assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';

const server = await Server.start();
const token = await server.admin();
const call = (method, path, body, options) =>
    server.call(method, path, { token, body, ...options });
const run = (Key, Ids, options) =>
    call('POST', '/api/sys/users/runcommand', { Key, Ids, Parameters: [] }, options);

test('the commands of users are described; most resources have none', async () => {
    const { json } = await call('GET', '/api/sys/users/commands');
    assert.deepEqual(
        json.map((command) => command.Key),
        ['unlock', 'revoke-tokens', 'require-password-reset', 'deactivate', 'activate', 'erase'],
    );
    assert.deepEqual(Object.keys(json[0]), [
        'Key',
        'Name',
        'AppliesOnlyToMultipleEntities',
        'AppliesOnlyToOneEntity',
        'AppliesOnlyToTwoEntities',
        'DisplayInDropdown',
        'DisplayInDropdownV2',
        'DisplayInGrid',
        'Icon',
        'NeedsEntitiesToRun',
        'Order',
        'RequiresParameters',
    ]);
    assert.deepEqual((await call('GET', '/api/sys/businesses/commands')).json, []);
});

test('unlock, deactivate, activate and require-password-reset do what they say', async () => {
    await server.update(staff.frontdesk, { InvalidLoginAttempts: 10 });
    for (const [key, name, value] of [
        ['unlock', 'InvalidLoginAttempts', 0],
        ['deactivate', 'Active', false],
        ['activate', 'Active', true],
        ['require-password-reset', 'MustResetPassword', true],
    ]) {
        const reply = await run(key, [staff.frontdesk]);
        assert.deepEqual(
            [reply.status, reply.json.WasSuccessful, reply.json.Errors],
            [200, true, null],
            reply.text,
        );
        assert.equal((await server.get(staff.frontdesk))[name], value, key);
    }
});

test('revoke-tokens ends every session of a user', async () => {
    const bearer = await server.token('manager@example.com');
    assert.equal((await run('REVOKE-TOKENS', [String(staff.manager)])).json.WasSuccessful, true);
    assertFailure(await call('GET', '/api/sys/users', undefined, { token: bearer }), 401);
});

test('a record that fails does not keep the command from the others', async () => {
    const reply = await run('deactivate', [staff.reader, 5, adminId, staff.creator]);
    assert.equal(reply.status, 200);
    assert.equal(reply.json.WasSuccessful, false);
    assert.equal(reply.json.Message, 'Deactivate: 2 of 4 done.');
    assert.deepEqual(
        reply.json.Errors.map((error) => [error.AttemptedValue, error.PropertyName]),
        [
            [5, 'Ids'],
            [adminId, 'Ids'],
        ],
    );
    assert.match(reply.json.Errors[1].Message, /last active unrestricted administrator/);
    assert.equal((await server.get(staff.reader)).Active, false);
    assert.equal((await server.get(staff.creator)).Active, false);
    assert.equal((await server.get(adminId)).Active, true);
});

test('a command is of one resource, and no other one knows it', async () => {
    for (const [path, Key, id] of [
        ['sys/users', 'repeat', userId],
        ['sys/webhookdeliveries', 'unlock', 1],
        ['sys/webhookdeliveries', 'deactivate', 1],
        ['security/userroles', 'revoke-tokens', 401],
        ['sys/businesses', 'activate', 301],
    ])
        assertInvalid(
            await server.call('POST', `/api/${path}/runcommand`, {
                token,
                body: { Key, Ids: [id] },
            }),
            'Key',
            /command/,
        );
});

test('an unknown command and bad Ids are 400, and a command needs the permission to edit', async () => {
    assertInvalid(await run('explode', [userId]), 'Key', /is not a command/);
    assertInvalid(await run('unlock', []), 'Ids', /required/);
    assertInvalid(await run('unlock', ['x']), 'Ids', /array of integers/);
    assertInvalid(await call('POST', '/api/sys/users/runcommand', {}), 'Key', /required/);
    assertFailure(
        await run('unlock', [userId], { token: await server.token('lister@example.com') }),
        403,
    );
    assert.equal(
        (await run('revoke-tokens', [adminId], { token: await server.token('editor@example.com') }))
            .json.WasSuccessful,
        false,
        'an editor does nothing to an administrator',
    );
});

test('the reply says for each record what became of it', async () => {
    const reply = await run('revoke-tokens', [adminId, staff.lister, 5], {
        token: await server.token('editor@example.com'),
    });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(
        reply.json.Errors.map((error) => error.AttemptedValue),
        [adminId, 5],
    );
    assert.match(reply.json.Message, /1 of 3 done/);
});

test('a thousand records that fail have an error each', async () => {
    const Ids = Array.from({ length: 999 }, (_, i) => 700000000 + i);
    const reply = await run('unlock', [...Ids, userId]);
    assert.equal(reply.status, 200, reply.text.slice(0, 300));
    assert.equal(reply.json.Errors.length, Ids.length);
});
