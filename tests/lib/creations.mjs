// Users that are made while a disk is full, and what is there of them afterwards.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { psql, superuserOf } from './postgres.mjs';
import { run } from './server.mjs';
import { userBody } from './users.mjs';

export class Creations {
    // `statuses` are those that a reply may have.
    constructor(server, token, statuses) {
        Object.assign(this, { server, token, count: 0 });
        this.emails = Object.fromEntries(statuses.map((status) => [status, []])); // by the status of the reply
    }

    // Asks for one more user; the status of the reply.
    async add() {
        const number = ++this.count,
            Email = `made${number}@full.example.com`;
        const { status, headers, text } = await this.server.call('POST', '/api/sys/users', {
            token: this.token,
            body: userBody({ FullName: `Made ${number}`, Email }),
        });
        assert.ok(this.emails[status], text);
        if (status === 503) assert.ok(Number(headers.get('retry-after')) > 0, text);
        this.emails[status].push(Email);
        return status;
    }

    // The users of the replies with 200 are there. No others are, except those of replies with 504, which leave the outcome
    // open. Nothing is half done.
    async assertKept() {
        const { server, emails, token } = this,
            there = [];
        for (let page = 1, isMore = true; isMore; page++) {
            const { json } = await server.call('GET', `/api/sys/users?size=1000&page=${page}`, {
                token,
            });
            there.push(...json.Records.map(({ Email }) => Email));
            isMore = json.HasNextPage;
        }
        assert.deepEqual(
            there
                .filter((email) => email.endsWith('@full.example.com'))
                .filter((email) => !emails[504]?.includes(email))
                .sort(),
            [...emails[200]].sort(),
        );
        // Each user has a row of the trail, and no row is of a user who is not there.
        const root = superuserOf(server.database),
            users = psql(root, 'SELECT Id FROM users ORDER BY Id'),
            trail = psql(
                root,
                `SELECT DISTINCT entity_id FROM audit WHERE entity = 'User' ORDER BY 1`,
            );
        assert.equal(trail, users);
        const { code, stderr } = await run([
            ...['check', '--database', server.database],
            ...['--data', join(server.folder, 'data')],
        ]);
        assert.equal(code, 0, stderr);
    }
}
