// The audit trail (docs/api.md, "audit trail"): who may read it, what it has, and what it does not.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId, userId } from '../lib/ids.mjs';
import { assertFailure } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { required } from '../lib/users.mjs';
import { timestamp, until } from '../lib/wait.mjs';

const server = await Server.start();
const admin = await server.admin();
const call = (method, path, body, token = admin) => server.call(method, path, { token, body });
const trail = async (query) =>
    (await call('GET', `/api/sys/audittrailentries?size=1000&${query}`)).json.Records;
const of = (id, property) =>
    trail(
        `AuditTrailEntry_EntityShortName=User&AuditTrailEntry_EntityId=${id}&AuditTrailEntry_PropertyName=${property}`,
    );

const roles = Object.fromEntries(
    (await call('GET', '/api/security/roles?size=1000')).json.Records.map(({ Name, Id }) => [
        Name,
        Id,
    ]),
);
let people = 0;
// Somebody who may do these things and no more.
async function holder(...names) {
    const email = `holder${++people}@example.com`;
    const role = (
        await call('POST', '/api/security/userroles', {
            BusinessId: businessId,
            Name: email,
            Roles: names.map((name) => roles[name]),
        })
    ).json.Value.Id;
    const made = await call('POST', '/api/sys/users', {
        ...required(await server.get(userId)),
        FullName: 'Holder',
        Email: email,
        Active: true,
        APIAccess: true,
        NewPassword: 'holds-few-rights',
        UserRoles: [role],
    });
    assert.equal(made.status, 200, made.text);
    return { id: made.json.Value.Id, email, token: await server.token(email, 'holds-few-rights') };
}

test("rows with users' values, of the audit trail and of refresh tokens, are for who may read users too", async () => {
    for (const [path, entity] of [
        ['/api/sys/audittrailentries', 'AuditTrailEntry'],
        ['/api/sys/refreshtokens', 'RefreshToken'],
    ]) {
        const [{ Id }] = (await call('GET', `${path}?size=1`)).json.Records;
        const own = await holder(`${entity}-List`, `${entity}-Read`),
            also = await holder(`${entity}-List`, `${entity}-Read`, 'User-Read');
        for (const query of [`/${Id}`, '', '?size=1', `?id=[${Id}]`, `?id=${Id}`, '/commands']) {
            const refused = await call('GET', path + query, undefined, own.token);
            assert.match(
                assertFailure(refused, 403).Message + refused.headers.get('www-authenticate'),
                /User-Read/,
                path + query,
            );
            assert.equal(
                (await call('GET', path + query, undefined, also.token)).status,
                200,
                path + query,
            );
        }
    }
});

test('the audit trail says "changed" of a secret, and no search of it or of deliveries finds the value', async () => {
    const salt = 'Nacl-5f3c',
        hook = (
            await call('POST', '/api/sys/webhooks', {
                BusinessId: businessId,
                Name: 'Told',
                Action: 1002,
                URL: 'https://example.com/',
                Active: true,
            })
        ).json.Value.Id;
    for (const value of [salt, `${salt}-2`, ''])
        assert.equal(
            (await call('PATCH', `/api/sys/users/${userId}`, { PasswordSalt: value })).status,
            200,
        );
    const rows = await of(userId, 'PasswordSalt');
    assert.deepEqual(
        rows.map(({ OldValue, NewValue }) => [OldValue, NewValue]),
        Array(3).fill([null, 'changed']),
    );
    for (const name of ['OldValue', 'NewValue', 'Description', 'ToStringText'])
        assert.deepEqual(await trail(`AuditTrailEntry_${name}=${salt}`), [], name);
    assert.equal(
        (await call('GET', `/api/sys/webhookdeliveries?WebHookDelivery_WebHookId=${hook}`)).json
            .TotalItems,
        3,
    );
    assert.equal(
        (await call('GET', `/api/sys/webhookdeliveries?WebHookDelivery_Payload=${salt}`)).json
            .TotalItems,
        0,
    );
    assert.equal((await call('GET', '/api/sys/webhookdeliveries?orderBy=Payload')).status, 400);
    assert.equal((await call('DELETE', `/api/sys/webhooks/${hook}`)).status, 200);
});

test('--audit-days takes away what is older, however much, and rows that a wrong clock made go with their neighbours', async () => {
    const own = await Server.start();
    const sql = (text) => own.sql(text);
    const rows = (days, count, name) =>
        sql(`INSERT INTO audit (entity, entity_id, property, new_value, action_by, at_ms, type)
        SELECT 'User', 1, '${name}', 'x', 'x@example.com', ${timestamp(-days * 86400000)}, 2 FROM generate_series(1, ${count})`);
    const counts = () =>
        Object.fromEntries(
            sql('SELECT property, count(*) FROM audit WHERE entity_id = 1 GROUP BY property')
                .split('\n')
                .filter(Boolean)
                .map((line) => line.split('|')),
        );
    await own.stop();
    sql('DELETE FROM audit');
    rows(-400, 1500, 'made while the clock was ahead');
    rows(31, 2500, 'old');
    rows(29, 1500, 'young');
    rows(-1, 10, 'ahead'); // and nothing behind them is old
    await own.spawn();
    await own.call('PATCH', `/api/sys/users/${userId}`, {
        token: await own.admin(),
        body: { FullName: 'Kept' },
    });
    await own.stop();
    assert.deepEqual(
        counts(),
        { 'made while the clock was ahead': '1500', old: '2500', young: '1500', ahead: '10' },
        'kept for ever unless it is said',
    );
    own.args.push('--audit-days', '30');
    await own.spawn();
    await until(
        () => JSON.stringify(counts()),
        () => !counts().old,
    );
    await until(
        () => JSON.stringify(counts()),
        () => !counts()['made while the clock was ahead'],
    );
    await own.call('PATCH', `/api/sys/users/${userId}`, {
        token: await own.token(),
        body: { FullName: 'Is there' },
    });
    assert.deepEqual(counts(), { young: '1500', ahead: '10' });
    assert.ok(sql(`SELECT count(*) FROM audit WHERE entity_id = ${userId}`) >= 2);
});
