// Guessing passwords: of one account from everywhere, and of all accounts from one place.
import test from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { Server, adminEmail, password } from './harness.mjs';

// A sign-in over a connection of its own, from one of this machine's addresses.
function signIn(server, from, username, secret, path = '/api/token') {
    const body = path === '/api/token'
        ? new URLSearchParams({ grant_type: 'password', username, password: secret }).toString()
        : JSON.stringify({ email: username, password: secret });
    const type = path === '/api/token' ? 'application/x-www-form-urlencoded' : 'application/json';
    return new Promise((resolve, reject) => {
        const request = http.request({ host: server.host, port: server.port, localAddress: from, agent: false, method: 'POST', path,
            headers: { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) } }, (response) => {
            let text = '';
            response.on('data', (part) => { text += part; });
            response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, json: JSON.parse(text) }));
        });
        request.on('error', reject);
        request.end(body);
    });
}

test('an address that failed too often has to wait, whoever it tries, and others do not', async () => {
    const server = await Server.start(['--demo', '--address-attempts', '5', '--lockout-minutes', '1']);
    for (let i = 0; i < 5; i++)
        assert.equal((await signIn(server, '127.0.0.2', `nobody${i}@example.com`, 'wrong')).status, 400);
    const refused = await signIn(server, '127.0.0.2', adminEmail, password);
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers['retry-after']) > 30 && Number(refused.headers['retry-after']) <= 60);
    assert.equal((await signIn(server, '127.0.0.2', adminEmail, password, '/api/sys/users/token')).status, 429, 'by no other door');
    assert.equal((await signIn(server, '127.0.0.3', adminEmail, password)).status, 200);
    for (let i = 0; i < 8; i++)
        await signIn(server, '127.0.0.1', `nobody${i}@example.com`, 'wrong');
    assert.equal((await signIn(server, '127.0.0.1', adminEmail, password)).status, 200, 'a proxy on this machine');
});

test('an account is locked under many guesses at once, and none of them gets in afterwards', { timeout: 120000 }, async () => {
    const server = await Server.start(['--demo', '--lockout-attempts', '10']);
    let done = 0, answered = 0;
    const guess = async () => {
        while (done < 200) {
            const number = done++;
            // The right one is among them, but comes too late.
            const reply = await signIn(server, '127.0.0.1', 'editor@example.com', number === 150 ? password : `guess ${number}`);
            assert.ok([400, 429].includes(reply.status), `${reply.status}`);
            answered += reply.status === 400;
        }
    };
    await Promise.all(Array.from({ length: 50 }, guess));
    assert.ok(answered >= 10, 'some were looked at');
    assert.equal((await signIn(server, '127.0.0.1', 'editor@example.com', password)).status, 400, 'locked');
    assert.equal((await signIn(server, '127.0.0.1', adminEmail, password)).status, 200, 'others are not');
});
