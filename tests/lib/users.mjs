// Users as requests have them, and what they sign in with.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { totpStep } from './wait.mjs';

export const adminEmail = 'admin@example.com';
export const password = 'demo-password'; // of the administrator and of the staff

// The body of a new user: `fields` has at least a FullName and an Email, the other four required fields are here.
export const userBody = (fields) => ({
    Language: 1,
    PasswordSalt: '',
    LastHelpVisited: 0,
    InvalidLoginAttempts: 0,
    ...fields,
});

// The six required fields and the Id of a user, which is what PUT needs to change nothing.
export function required(user) {
    const { Id, FullName, Email, Language, PasswordSalt, LastHelpVisited, InvalidLoginAttempts } =
        user;
    return { Id, FullName, Email, Language, PasswordSalt, LastHelpVisited, InvalidLoginAttempts };
}

// The code of a step of 30 s (RFC 6238) for a secret in base32.
export function totp(secret, step = totpStep()) {
    const bits = [...secret]
        .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
        .join('');
    const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac('sha1', key).update(counter).digest();
    const at = mac[19] & 15;
    return String((mac.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

// Creates a user who may sign in with `password`, at an address of its own that begins with `name`.
let people = 0;
export async function createPerson(server, token, name, more = {}) {
    const email = `${name}${++people}@example.com`;
    const { status, json, text } = await server.call('POST', '/api/sys/users', {
        token,
        body: userBody({
            FullName: 'A Person',
            Email: email,
            Active: true,
            APIAccess: true,
            NewPassword: password,
            ...more,
        }),
    });
    assert.equal(status, 200, text);
    return { id: json.Value.Id, email };
}
