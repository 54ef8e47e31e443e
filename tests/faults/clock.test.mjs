// The clock jumps forth and back.
import test, { after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { businessId, staff, userId } from '../lib/ids.mjs';
import { adminEmail, password, required, totp } from '../lib/users.mjs';
import { totpStep, until } from '../lib/wait.mjs';
import { Faults } from './faults.mjs';

const faults = new Faults();
let answer = 200;
const came = []; // names in the deliveries of the webhook
const listener = http.createServer((request, reply) => {
    let text = '';
    request.on('data', (part) => {
        text += part;
    });
    request.on('end', () => {
        came.push(JSON.parse(text)[0].FullName);
        reply.writeHead(answer).end();
    });
});
await new Promise((ready) => listener.listen(0, '127.0.0.1', ready));
after(() => {
    listener.close();
    listener.closeAllConnections();
});
const host = `127.0.0.1:${listener.address().port}`;
const server = await faults.start([
    '--demo',
    '--metrics',
    '--io-threads',
    '1',
    '--webhook-hosts',
    host,
]);
const token = await server.admin();
const body = required(await server.get(userId, token));
const minute = 60 * 1000,
    hour = 60 * minute,
    day = 24 * hour;
const wrong = () =>
    server.grant({
        grant_type: 'password',
        username: 'editor@example.com',
        password: 'not-the-password',
    });
const right = () =>
    server.grant({ grant_type: 'password', username: 'editor@example.com', password });

test('UpdatedOn grows with every update, whatever the clock says', async () => {
    let last = 0,
        number = 0;
    for (const offset of [0, hour, -hour, -30 * 365 * day, 5 * day, 0, 1, 0]) {
        faults.setClock(offset);
        const current = await server.token();
        for (let i = 0; i < 3; i++) {
            const reply = await server.put(
                { ...body, LastHelpVisited: ++number },
                { token: current },
            );
            assert.equal(reply.status, 200, reply.text);
            const updatedOn = Date.parse(reply.json.UpdatedOn);
            assert.ok(updatedOn > last, `${reply.json.UpdatedOn} at ${offset}`);
            assert.equal(Date.parse((await server.get(userId, current)).UpdatedOn), updatedOn);
            last = updatedOn;
        }
    }
    faults.setClock(0);
});

test('tokens end when their time is over; before they were made they do not count, and do so again afterwards', async () => {
    const { json } = await server.grant({ grant_type: 'password', username: adminEmail, password });
    const status = async () =>
        (await server.call('GET', `/api/sys/users/${userId}`, { token: json.access_token })).status;
    const refresh = () =>
        server.grant({ grant_type: 'refresh_token', refresh_token: json.refresh_token });
    assert.equal(await status(), 200);
    faults.setClock(8 * day);
    assert.equal(await status(), 401);
    for (const [offset, expected] of [
        [-365 * day, 401],
        [-6 * minute, 401],
        [-4 * minute, 200],
    ]) {
        faults.setClock(offset);
        assert.equal(await status(), expected, `${offset} ms`);
    }
    faults.setClock(-6 * minute);
    assert.equal((await refresh()).json.error, 'invalid_grant');
    faults.setClock(16 * day);
    assert.equal((await refresh()).json.error, 'invalid_grant');
    faults.setClock(0);
    assert.equal((await refresh()).status, 200);
});

test('before 1970 tokens are issued for as long as ever', async () => {
    faults.setClock(-70 * 365 * day);
    const signedIn = await right();
    const refreshed = await server.grant({
        grant_type: 'refresh_token',
        refresh_token: signedIn.json.refresh_token,
    });
    faults.setClock(0);
    for (const reply of [signedIn, refreshed]) {
        assert.equal(reply.status, 200, reply.text);
        assert.equal(reply.json.expires_in, 604799);
    }
});

test('a token of any kind that was made while the clock was ahead does not count until then', async () => {
    faults.setClock(75 * 365 * day);
    const { json } = await server.grant({
        grant_type: 'password',
        username: 'deleter@example.com',
        password,
    });
    const once = (
        await server.call('POST', '/api/sys/users/token', {
            body: { email: 'deleter@example.com', password },
        })
    ).json.Value;
    // Of another user: the demand for a new password ends all other tokens.
    assert.equal(
        (
            await server.call('PATCH', `/api/sys/users/${staff.creator}`, {
                token: await server.token(),
                body: { MustResetPassword: true },
            })
        ).status,
        200,
    );
    const reset = (
        await server.grant({ grant_type: 'password', username: 'creator@example.com', password })
    ).json.error_description;
    const tries = {
        access: async () =>
            (await server.call('GET', '/api/auth/me', { token: json.access_token })).status,
        refresh: async () =>
            (await server.grant({ grant_type: 'refresh_token', refresh_token: json.refresh_token }))
                .status,
        once: async () =>
            (await server.call('POST', `/api/sys/users/exchange?token=${once}`)).status,
        reset: async () =>
            (
                await server.call('POST', '/api/auth/resetpassword', {
                    body: { Token: reset, NewPassword: 'a-word-from-ahead' },
                })
            ).status,
    };
    const statuses = async () =>
        Object.fromEntries(
            await Promise.all(
                Object.entries(tries).map(async ([name, ask]) => [name, await ask()]),
            ),
        );
    for (const again of [async () => {}, () => server.restart()]) {
        faults.setClock(0);
        await again();
        assert.deepEqual(await statuses(), { access: 401, refresh: 400, once: 401, reset: 400 });
    }
    faults.setClock(75 * 365 * day);
    assert.equal(await tries.access(), 200);
    assert.equal(await tries.once(), 200);
    assert.equal(await tries.reset(), 200);
    faults.setClock(0);
});

test('a lock-out ends in its time, and a clock that goes back does not make it longer', async () => {
    for (let i = 0; i < 10; i++) assert.equal((await wrong()).status, 400);
    assert.equal((await right()).status, 400, 'locked');
    faults.setClock(14 * 60 * 1000);
    assert.equal((await right()).status, 400, 'still locked');
    faults.setClock(16 * 60 * 1000);
    assert.equal((await right()).status, 200, 'its time is over');
    faults.setClock(2 * hour);
    for (let i = 0; i < 10; i++) assert.equal((await wrong()).status, 400);
    assert.equal((await right()).status, 400, 'locked');
    faults.setClock(0);
    assert.equal((await right()).status, 200, 'the lock-out lies in the future');
});

test('a time before 1970 or after 2100 is served too', async () => {
    for (const offset of [-60 * 365 * day, 100 * 365 * day]) {
        faults.setClock(offset);
        const fresh = await server.token();
        assert.equal(
            (await server.put({ ...body, LastHelpVisited: 99 }, { token: fresh })).status,
            200,
        );
    }
    faults.setClock(0);
});

test('a delivery that failed while the clock was ahead is made once the clock is right again', async () => {
    const hook = await server.call('POST', '/api/sys/webhooks', {
        token,
        body: {
            BusinessId: businessId,
            Name: 'Clock',
            Action: 1002,
            Active: true,
            URL: `http://${host}/`,
        },
    });
    assert.equal(hook.status, 200, hook.text);
    for (const again of [async () => {}, () => server.restart()]) {
        answer = 500;
        faults.setClock(365 * day);
        const fresh = await server.token();
        assert.equal(
            (await server.put({ ...body, FullName: 'Told Ahead' }, { token: fresh })).status,
            200,
        );
        await until('the first attempt', () => came.includes('Told Ahead'));
        const pending = async () =>
            (
                await server.call('GET', '/api/sys/webhookdeliveries', { token: fresh })
            ).json.Records.find(({ Status }) => Status === 1);
        await until('it is noted', async () => (await pending()).Attempts > 0);
        answer = 200;
        came.length = 0;
        faults.setClock(0);
        await again();
        await until('an attempt at the right time', () => came.includes('Told Ahead'));
        assert.equal((await server.put({ ...body, FullName: 'Told Next' }, { token })).status, 200);
        await until('what came behind it', () => came.includes('Told Next'));
        came.length = 0;
    }
    await server.call('DELETE', `/api/sys/webhooks/${hook.json.Value.Id}`, { token });
});

test('a Basic password that was remembered while the clock was ahead is checked again', async () => {
    const headers = {
        Authorization: `Basic ${Buffer.from(`${adminEmail}:${password}`).toString('base64')}`,
    };
    const call = async () =>
        assert.equal(
            (await server.call('GET', `/api/sys/users/${userId}`, { headers })).status,
            200,
        );
    const checked = async () =>
        Number(
            /^roster_sign_ins_total\{result="ok"\} (\d+)$/m.exec(
                (await server.call('GET', '/metrics')).text,
            )[1],
        );
    const wasChecked = async () => {
        const before = await checked();
        await call();
        return (await checked()) - before;
    };
    await call();
    assert.equal(await wasChecked(), 0, 'it is remembered');
    faults.setClock(365 * day);
    assert.equal(await wasChecked(), 1, 'its time is over');
    assert.equal(await wasChecked(), 0);
    faults.setClock(0);
    assert.equal(await wasChecked(), 1, 'it was remembered for another year');
    assert.equal(await wasChecked(), 0);
});

test('a one-time code counts at its time, and not again when the clock goes back to it', async () => {
    const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
        steps = day / 30000;
    const code = (step) =>
        server.grant({
            grant_type: 'password',
            username: 'frontdesk@example.com',
            password,
            totp: totp(secret, step),
        });
    await server.update(staff.frontdesk, { TwoFactorSecret: secret }, { token });
    const step = totpStep();
    faults.setClock(day);
    assert.equal((await code(step)).json.error, 'two_factor_auth_check', 'of yesterday');
    faults.setClock(0);
    assert.equal((await code(totpStep())).status, 200, 'nothing was spent');
    assert.equal((await code(step + steps)).json.error, 'two_factor_auth_check', 'of tomorrow');
    faults.setClock(day);
    const later = totpStep() + steps;
    assert.equal((await code(later)).status, 200);
    faults.setClock(0);
    faults.setClock(day);
    assert.equal((await code(later)).json.error, 'two_factor_auth_check', 'spent');
    faults.setClock(0);
    assert.equal(
        (
            await server.update(
                staff.frontdesk,
                { TwoFactorSecret: '', InvalidLoginAttempts: 0 },
                { token },
            )
        ).status,
        200,
    );
});

test('a one-time token ends in its time, and does not count before it', async () => {
    const make = async () =>
        (
            await server.call('POST', '/api/sys/users/token', {
                body: { email: 'editor@example.com', password, validityInMinutes: 5 },
            })
        ).json.Value;
    const trade = async (jwt) =>
        (await server.call('POST', `/api/sys/users/exchange?token=${jwt}`)).status;
    const [first, second] = [await make(), await make()];
    faults.setClock(6 * 60 * 1000);
    assert.equal(await trade(first), 401);
    faults.setClock(-day);
    assert.equal(await trade(second), 401);
    faults.setClock(-4 * minute);
    assert.equal(await trade(second), 200);
    faults.setClock(0);
    assert.equal(await trade(second), 401, 'it is spent');
    assert.equal(await trade(first), 200);
});

test('samples of figures have the length of their time, whatever the clock says, and a day is kept', async () => {
    const samples = async () =>
        (await server.call('GET', '/api/utils/figures', { token: await server.token() })).json
            .Figures;
    const count = async () => (await samples()).Until.length;
    const begun = await count();
    faults.setClock(-30 * 365 * day);
    faults.setBootClock(5 * minute);
    await until('the first has ended', async () => (await count()) === begun + 1);
    faults.setClock(3 * day);
    faults.setBootClock(10 * minute);
    await until('the second has ended', async () => (await count()) === begun + 2);
    const { Until: times, Seconds: lengths } = await samples();
    for (const at of [begun - 1, begun]) assert.ok(lengths[at] >= 300, `${lengths}`);
    const distance = Date.parse(times[begun]) - Date.parse(times[begun - 1]);
    assert.equal(distance, Math.round(lengths[begun] * 1000));
    for (let i = 1; i < times.length; i++) assert.ok(times[i - 1] < times[i], `${times}`);
    faults.setBootClock(2 * day);
    await until('they are older than a day', async () => (await count()) <= 2);
    faults.setClock(0);
    faults.setBootClock(0);
});

test('a clean-up takes only what is over by the clock, and who lost tokens to a wrong one signs in again', async () => {
    const granted = (
        await server.grant({ grant_type: 'password', username: 'reader@example.com', password })
    ).json;
    const status = async () =>
        (await server.call('GET', '/api/auth/me', { token: granted.access_token })).status;
    faults.setClock(-365 * day);
    await server.restart(); // each start cleans up
    faults.setClock(0);
    assert.equal(await status(), 200);
    faults.setClock(365 * day);
    await server.restart();
    faults.setClock(0);
    assert.equal(await status(), 401);
    assert.equal(
        (
            await server.call('GET', '/api/auth/me', {
                token: await server.token('reader@example.com'),
            })
        ).status,
        200,
    );
    assert.equal((await server.get(userId, await server.token())).FullName, 'Told Next');
});
