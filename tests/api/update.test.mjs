// Every statement of the page "Update User", in its order, each as a test of that name.
import test from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { adminId, businessId, staff, userId } from '../lib/ids.mjs';
import { actionMembers, assertFailure, assertInvalid } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { adminEmail, required } from '../lib/users.mjs';
import { addNeighbours } from '../lib/world.mjs';
import { assertRecent } from '../lib/wait.mjs';

const server = await Server.start();
await addNeighbours(server);

test('updates an existing User record', async () => {
    const reply = await server.update(userId, { FullName: 'Ada King' });
    assert.equal(reply.status, 200, reply.text);
    assert.equal((await server.get(userId)).FullName, 'Ada King');
});

test('the Id of the record to update must be included', async () => {
    const { Id, ...rest } = required(await server.get(userId));
    assertInvalid(await server.put(rest), 'Id', /^is a required field$/);
    assertInvalid(await server.put({ ...rest, Id: null }), 'Id', /^is a required field$/);
    for (const wrong of [0, -1, 1.5, '', 'x', true, [], {}, 9007199254740992])
        assertInvalid(
            await server.put({ ...rest, Id: wrong }),
            'Id',
            /^must be an integer from 1 to/,
        );
    assert.equal(
        (await server.put({ ...rest, Id: String(Id) })).status,
        200,
        'a digit string passes',
    );
});

test('a valid bearer token in the Authorization header is required', async () => {
    const body = required(await server.get(userId));
    const reply = await server.call('PUT', '/api/sys/users', { body });
    assertFailure(reply, 401);
    assert.match(reply.headers.get('www-authenticate'), /^Bearer, Basic/);
});

test('a full unrestricted administrator or the role User-Edit may update', async () => {
    const body = required(await server.get(userId));
    assert.equal((await server.put(body)).status, 200);
    assert.equal(
        (await server.put(body, { token: await server.token('editor@example.com') })).status,
        200,
    );
    const refused = await server.put(body, { token: await server.token('reader@example.com') });
    assertFailure(refused, 403);
    assert.equal(
        refused.headers.get('www-authenticate'),
        'Bearer error="insufficient_scope", scope="User-Edit"',
    );
});

test('eLanguage is 1 EnglishUS, 2 Spanish, 3 EnglishUK', async () => {
    for (const Language of [1, 2, 3]) {
        assert.equal((await server.update(userId, { Language })).status, 200);
        assert.equal((await server.get(userId)).Language, Language);
    }
    for (const wrong of [0, 4, -1, 'English', 1.0001, true])
        assertInvalid(
            await server.update(userId, { Language: wrong }),
            'Language',
            /^must be one of 1 \(EnglishUS\), 2 \(Spanish\), 3 \(EnglishUK\)$/,
        );
});

for (const name of [
    'FullName',
    'Email',
    'Language',
    'PasswordSalt',
    'LastHelpVisited',
    'InvalidLoginAttempts',
]) {
    test(`${name} is required`, async () => {
        const body = required(await server.get(userId));
        assertInvalid(await server.put({ ...body, [name]: null }), name, /^is a required field$/);
        delete body[name];
        const error = assertInvalid(await server.put(body), name, /^is a required field$/);
        assert.equal(error.AttemptedValue, null);
    });
}

test('FullName and Email must not be empty or blank, PasswordSalt may be empty', async () => {
    for (const name of ['FullName', 'Email'])
        for (const blank of ['', '   '])
            assertInvalid(
                await server.update(userId, { [name]: blank }),
                name,
                /^is a required field$/,
            );
    assert.equal((await server.update(userId, { PasswordSalt: '' })).status, 200);
});

test('all missing fields are named at once, in the order of the page', async () => {
    const reply = await server.put({});
    assert.deepEqual(
        reply.json.Errors.map((error) => error.PropertyName),
        [
            'Id',
            'FullName',
            'Email',
            'Language',
            'PasswordSalt',
            'LastHelpVisited',
            'InvalidLoginAttempts',
        ],
    );
    assert.equal(
        reply.json.Message,
        reply.json.Errors.map((e) => `${e.PropertyName}: ${e.Message}`).join('; '),
    );
});

test('errors of required fields come before those of optional ones', async () => {
    const reply = await server.update(userId, {
        AccessToken: 7,
        LastAccess: 'x',
        FullName: '',
        ApplicationId: 1,
    });
    assert.deepEqual(
        reply.json.Errors.map((error) => error.PropertyName),
        ['FullName', 'AccessToken', 'ApplicationId', 'LastAccess'],
    );
});

test('200 has the members of the page and nothing else', async () => {
    const { json } = await server.update(userId, {});
    assert.deepEqual(Object.keys(json), actionMembers);
    assert.deepEqual(
        { ...json, UpdatedOn: 0 },
        {
            Status: 200,
            Message: 'User was successfully updated.',
            Value: { Id: userId },
            OpenInDialog: false,
            OpenInWindow: false,
            RedirectURL: null,
            JavaScript: null,
            UpdatedOn: 0,
            UpdatedBy: adminEmail,
            Errors: null,
            WasSuccessful: true,
        },
    );
    assert.match(json.UpdatedOn, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/);
    assertRecent(json.UpdatedOn);
    const user = await server.get(userId);
    assert.equal(user.UpdatedOn, json.UpdatedOn);
    assert.equal(user.UpdatedBy, adminEmail);
});

test('400 has the body of the page, to the letter', async () => {
    const { FullName, ...rest } = required(await server.get(userId));
    const { text } = await server.put(rest);
    assert.equal(
        text,
        '{"Message":"FullName: is a required field","Value":null,"Errors":[{"AttemptedValue":null,' +
            '"Message":"is a required field","PropertyName":"FullName"}],"WasSuccessful":false}',
    );
});

test('AttemptedValue is what was submitted, but null for secrets', async () => {
    const reply = await server.update(userId, {
        LastHelpVisited: { a: [1, 'ü'] },
        NewPassword: 'short',
        Password: 'short',
        TwoFactorSecret: 'nope',
        AccessToken: 5,
    });
    const attempted = Object.fromEntries(
        reply.json.Errors.map((e) => [e.PropertyName, e.AttemptedValue]),
    );
    assert.deepEqual(attempted, {
        LastHelpVisited: { a: [1, 'ü'] },
        NewPassword: null,
        Password: null,
        TwoFactorSecret: null,
        AccessToken: null,
    });
    assert.ok(!reply.text.includes('nope'));
});

test('an unknown Id is 404', async () => {
    assertFailure(await server.update(userId, { Id: 5 }), 404);
    assertFailure(
        await server.call('GET', '/api/sys/users/5', { token: await server.admin() }),
        404,
    );
});

test('an unknown path is 404, a wrong method 405 with Allow', async () => {
    const token = await server.admin();
    assertFailure(await server.call('GET', '/api/sys/nothing', { token }), 404);
    assertFailure(await server.call('GET', '/api/sys/users/abc', { token }), 404);
    const wrong = await server.call('DELETE', '/api/token', { token });
    assertFailure(wrong, 405);
    assert.equal(wrong.headers.get('allow'), 'POST');
});

test('paths match without regard to case, with or without a slash at the end', async () => {
    const token = await server.admin();
    assert.equal((await server.call('GET', `/API/Sys/Users/${userId}/`, { token })).status, 200);
});

test('a body of any Content-Type is taken when it is a JSON object', async () => {
    const body = JSON.stringify(required(await server.get(userId)));
    for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json; charset=utf-16',
    ])
        assert.equal((await server.put(body, { headers: { 'Content-Type': type } })).status, 200);
});

test('read-only and unknown properties are ignored, and refused under Prefer: handling=strict', async () => {
    const before = await server.get(userId);
    const extra = {
        Nonsense: 1,
        CreatedOn: '2000-01-01T00:00:00Z',
        UniqueId: 'x',
        IsNew: true,
        AvatarFileName: 'x.png',
        TwoFactorEnabled: true,
        DefaultBusinessId: 302,
        PassportNumber: 'P',
        UpdatedBy: 'x',
        ToStringText: 'x',
    };
    assert.equal((await server.update(userId, extra)).status, 200);
    const after = await server.get(userId);
    for (const name of [
        'CreatedOn',
        'UniqueId',
        'IsNew',
        'AvatarFileName',
        'TwoFactorEnabled',
        'DefaultBusinessId',
        'PassportNumber',
        'ToStringText',
    ])
        assert.deepEqual(after[name], before[name], name);
    const strict = await server.update(userId, extra, {
        headers: { Prefer: 'return=minimal, handling=strict' },
    });
    for (const name of Object.keys(extra))
        assertInvalid(strict, name, /^is not a property that can be set$/);
});

test('a GET body is a legal PUT body and changes nothing but UpdatedOn', async () => {
    const before = await server.get(userId);
    assert.equal((await server.put(before)).status, 200);
    assert.deepEqual({ ...(await server.get(userId)), UpdatedOn: before.UpdatedOn }, before);
});

test('the record has its members in the documented order', async () => {
    assert.deepEqual(
        Object.keys(await server.get(userId)),
        (
            'FullName Email AccessToken Language PreferredLanguageId ' +
            'NewPassword Password PasswordSalt AvatarFileName NewAvatarUrl ClearAvatarFile ApplicationId PassportNumber ' +
            'PassportCardNumber EnablePassportAccess Active IsAdmin APIAccess Validated MustResetPassword LastAccess Devices ' +
            'OnNewEmail OnHelpDeskMsg OnNewWallPost OnNewMember OnProfileChanges OnNewBlogComment OnNewEventComment ' +
            'OnTariffChange OnBookingChange OnTentativeBookingChange OnPurchases OnVisitorRegistration OnPlaformInvoices ' +
            'ReceiveCommunityDigest ReceiveEveryMessage TwoFactorEnabled TwoFactorSecret EmailCallBackGuid Businesses ' +
            'UserRoles ChatRooms DefaultBusinessId LastHelpVisited LastReceivedCommunityThreadDate ' +
            'LastReceivedCommunityMessageDate NextCommunityDigest SupportTeamUserEmail InvalidLoginAttempts LastLoginAttempt ' +
            'OnAccessControlErrors NextHelpDeskMessageReminder OnMemberRemovedFromTeam OnVirtualOfficeTariffChange ' +
            'OnVirtualOfficeDeliveryPreferenceUpdate OnIdentityCheckUpdate Id UpdatedOn CreatedOn UniqueId UpdatedBy IsNew ' +
            'SystemId ToStringText LocalizationDetails CustomFields'
        ).split(' '),
    );
});

test('Email is trimmed, must be valid, and is unique without regard to case', async () => {
    assert.equal((await server.update(userId, { Email: '  ada.king@example.com ' })).status, 200);
    assert.equal((await server.get(userId)).Email, 'ada.king@example.com');
    assert.equal((await server.get(userId)).ToStringText, 'Ada King - ada.king@example.com');
    for (const wrong of ['x', 'a@', '@b.c', 'a b@c.d', 'a@b..c', 'a@-b.c', 'Ada <a@b.c>', 'a@b.c.'])
        assertInvalid(
            await server.update(userId, { Email: wrong }),
            'Email',
            /^must be a valid e-mail address$/,
        );
    for (const taken of ['reader@example.com', 'READER@Example.COM'])
        assertInvalid(
            await server.update(userId, { Email: taken }),
            'Email',
            /^is already used by another user$/,
        );
    assert.equal(
        (await server.update(userId, { Email: 'Ada.King@EXAMPLE.com' })).status,
        200,
        'its own in other case',
    );
    assert.equal((await server.update(userId, { Email: 'jürgen@bücher.example' })).status, 200);
    assertInvalid(
        await server.update(staff.reader, { Email: 'JÜRGEN@xn--bcher-kva.example' }),
        'Email',
        /already used/,
    );
});
test('UpdatedOn strictly increases', async () => {
    let last = '';
    for (let i = 0; i < 20; i++) {
        const { json } = await server.update(userId, {});
        const padded = json.UpdatedOn.replace(/(\d\d)Z$/, '$1.000Z').slice(0, 24);
        assert.ok(padded > last, `${padded} after ${last}`);
        last = padded;
    }
});

test('If-Match that does not match is 412 and changes nothing; GET and PUT give the ETag', async () => {
    const token = await server.admin();
    const got = await server.call('GET', `/api/sys/users/${userId}`, { token });
    const etag = got.headers.get('etag');
    assert.match(etag, /^"\d+-\d+"$/);
    const put = await server.put(
        { ...required(got.json), FullName: 'First' },
        { headers: { 'If-Match': etag } },
    );
    assert.equal(put.status, 200);
    assert.notEqual(put.headers.get('etag'), etag);
    assertFailure(
        await server.put(
            { ...required(got.json), FullName: 'Second' },
            { headers: { 'If-Match': etag } },
        ),
        412,
    );
    assert.equal((await server.get(userId)).FullName, 'First');
    for (const match of [`"x", ${put.headers.get('etag')}`, '*']) {
        const again = await server.put(required(await server.get(userId)), {
            headers: { 'If-Match': match },
        });
        assert.equal(again.status, 200, match);
    }
});

// RFC 9110 section 13.1.1: compared strongly, and a list of none names none.
test('a GET or HEAD whose If-Match does not match is 412, and comes before If-None-Match', async () => {
    const path = `/api/sys/users/${userId}`,
        token = await server.admin();
    const ask = (method, headers) => server.call(method, path, { token, headers });
    const etag = (await ask('GET')).headers.get('etag');
    for (const match of ['"87654321-0"', `W/${etag}`, '']) {
        for (const headers of [
            { 'If-Match': match },
            { 'If-Match': match, 'If-None-Match': etag },
        ]) {
            const reply = await ask('GET', headers);
            assertFailure(reply, 412);
            assert.equal(reply.headers.get('etag'), etag);
            assert.equal((await ask('HEAD', headers)).status, 412);
        }
    }
    for (const match of [etag, '*', `"x", ${etag}`])
        assert.equal((await ask('GET', { 'If-Match': match })).status, 200);
    assert.equal((await ask('GET', { 'If-Match': etag, 'If-None-Match': etag })).status, 304);
});

test('If-Match with a weak ETag, or with none, is 412 to PUT, PATCH and DELETE', async () => {
    const token = await server.admin(),
        before = await server.get(userId);
    const etag = (await server.call('GET', `/api/sys/users/${userId}`, { token })).headers.get(
        'etag',
    );
    for (const match of [
        `W/${etag}`,
        '',
        '"x"',
        etag.replaceAll('"', ''),
        etag.toUpperCase().replace(/-(\d+)/, '-$10'),
    ])
        for (const [method, path, body] of [
            ['PUT', '', required(before)],
            ['PATCH', `/${userId}`, { FullName: 'Weak' }],
            ['DELETE', `/${userId}`],
        ]) {
            const reply = await server.call(method, `/api/sys/users${path}`, {
                token,
                body,
                headers: { 'If-Match': match },
            });
            assertFailure(reply, 412);
            assert.equal(reply.headers.get('etag'), etag, match);
        }
    assert.deepEqual(await server.get(userId), before);
});

test('If-None-Match with the ETag is 304 without a body', async () => {
    const token = await server.admin();
    const got = await server.call('GET', `/api/sys/users/${userId}`, { token });
    const again = await server.call('GET', `/api/sys/users/${userId}`, {
        token,
        headers: { 'If-None-Match': `W/${got.headers.get('etag')}` },
    });
    assert.equal(again.status, 304);
    assert.equal(again.text, '');
});

test('HEAD answers as GET does, without the body', async () => {
    const head = await server.call('HEAD', `/api/sys/users/${userId}`, {
        token: await server.admin(),
    });
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
    assert.ok(Number(head.headers.get('content-length')) > 1000);
});

test('audit rows say who, when, which property, from what to what; secrets only that they changed', async () => {
    await server.update(userId, {
        FullName: 'Audited',
        Active: false,
        AccessToken: 'tell-nobody',
        Businesses: [302],
    });
    const rows = server.rows(
        'SELECT entity, entity_id, property, old_value, new_value, action_by, at_ms, type FROM audit ORDER BY id DESC LIMIT 5',
    );
    const by = Object.fromEntries(rows.map((row) => [row.property, row]));
    assert.equal(by.FullName.new_value, 'Audited');
    assert.equal(by.FullName.old_value, 'First');
    assert.equal(by.Active.new_value, 'false');
    assert.equal(by.AccessToken.new_value, 'changed');
    assert.equal(by.AccessToken.old_value, null);
    assert.equal(by.Businesses.new_value, '[302]');
    for (const row of Object.values(by).filter((one) =>
        ['FullName', 'Active', 'AccessToken'].includes(one.property),
    )) {
        assert.equal(row.entity, 'User');
        assert.equal(row.entity_id, userId);
        assert.equal(row.action_by, adminEmail);
        assertRecent(row.at_ms);
        assert.equal(row.type, 2);
    }
});

test('the audit trail says that a secret of any resource changed, never its values', async () => {
    const token = await server.admin(),
        write = async (method, path, body) => {
            const reply = await server.call(method, `/api/${path}`, { token, body });
            assert.equal(reply.status, 200, reply.text);
            return reply.json.Value.Id;
        };
    const hook = await write('POST', 'sys/webhooks', {
        BusinessId: businessId,
        Name: 'Audited',
        Action: 1001,
        URL: 'https://example.com/',
        SharedSecret: 'first',
    });
    const application = await write('POST', 'apps/applications', {
        DeveloperId: adminId,
        Name: 'Audited',
        ShortDescription: 'Opens',
        InstallUrl: 'https://example.com/',
        SecretKey: 'first',
    });
    for (const round of ['A', 'B']) {
        await write('PATCH', `sys/users/${userId}`, {
            NewPassword: `correct horse ${round}`,
            AccessToken: `tell nobody ${round}`,
            TwoFactorSecret: round.repeat(32),
        });
        await write('PATCH', `sys/webhooks/${hook}`, { SharedSecret: `a secret ${round}` });
        await write('PATCH', `apps/applications/${application}`, { SecretKey: `a key ${round}` });
    }
    for (const [entity, id, properties] of [
        ['User', userId, ['Password', 'AccessToken', 'TwoFactorSecret']],
        ['WebHook', hook, ['SharedSecret']],
        ['Application', application, ['SecretKey']],
    ])
        for (const property of properties) {
            const rows = server.rows(
                `SELECT old_value, new_value FROM audit WHERE type = 2 AND entity = '${entity}'
                AND entity_id = ${id} AND property = '${property}' ORDER BY id DESC LIMIT 2`,
            );
            assert.deepEqual(
                rows,
                Array(2).fill({ old_value: null, new_value: 'changed' }),
                property,
            );
        }
});
