// The clock jumps forth and back.
import test from 'node:test';
import assert from 'node:assert/strict';
import { required, userId, adminEmail, password } from '../api/harness.mjs';
import { Faults } from './faults.mjs';

const faults = new Faults();
const server = await faults.start();
const token = await server.admin();
const body = required(await server.get(userId, token));
const hour = 3600 * 1000, day = 24 * hour;
const wrong = () => server.grant({ grant_type: 'password', username: 'editor@example.com', password: 'not-the-password' });
const right = () => server.grant({ grant_type: 'password', username: 'editor@example.com', password });

test('UpdatedOn grows with every update, whatever the clock says', async () => {
    let last = 0, number = 0;
    for (const offset of [0, hour, -hour, -30 * 365 * day, 5 * day, 0, 1, 0]) {
        faults.setClock(offset);
        for (let i = 0; i < 3; i++) {
            const reply = await server.put({ ...body, LastHelpVisited: ++number }, { token });
            assert.equal(reply.status, 200, reply.text);
            const updatedOn = Date.parse(reply.json.UpdatedOn);
            assert.ok(updatedOn > last, `${reply.json.UpdatedOn} at ${offset}`);
            assert.equal(Date.parse((await server.get(userId, token)).UpdatedOn), updatedOn);
            last = updatedOn;
        }
    }
    faults.setClock(0);
});

test('tokens end when their time is over, and not because the clock went back', async () => {
    const { json } = await server.grant({ grant_type: 'password', username: adminEmail, password });
    const status = async () => (await server.call('GET', `/api/sys/users/${userId}`, { token: json.access_token })).status;
    const refresh = () => server.grant({ grant_type: 'refresh_token', refresh_token: json.refresh_token });
    assert.equal(await status(), 200);
    faults.setClock(8 * day);
    assert.equal(await status(), 401);
    faults.setClock(-365 * day);
    assert.equal(await status(), 200);
    faults.setClock(16 * day);
    assert.equal((await refresh()).json.error, 'invalid_grant');
    faults.setClock(0);
    assert.equal((await refresh()).status, 200);
});

test('a lock-out ends in its time, and a clock that goes back does not make it longer', async () => {
    for (let i = 0; i < 10; i++)
        assert.equal((await wrong()).status, 400);
    assert.equal((await right()).status, 400, 'locked');
    faults.setClock(14 * 60 * 1000);
    assert.equal((await right()).status, 400, 'still locked');
    faults.setClock(16 * 60 * 1000);
    assert.equal((await right()).status, 200, 'its time is over');
    faults.setClock(2 * hour);
    for (let i = 0; i < 10; i++)
        assert.equal((await wrong()).status, 400);
    assert.equal((await right()).status, 400, 'locked');
    faults.setClock(0);
    assert.equal((await right()).status, 200, 'the lock-out lies in the future');
});

test('a time before 1970 or after 2100 is served too', async () => {
    for (const offset of [-60 * 365 * day, 100 * 365 * day]) {
        faults.setClock(offset);
        const fresh = await server.token();
        assert.equal((await server.put({ ...body, LastHelpVisited: 99 }, { token: fresh })).status, 200);
    }
    faults.setClock(0);
});
