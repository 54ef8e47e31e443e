// Several servers on one PostgreSQL database. Requests are dealt out in turn, as a balancer deals them.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { usePostgres } from './postgres.mjs';
import { Server, temporaryFolder } from './server.mjs';

usePostgres();

export class Processes extends Server {
    members = [];
    turn = 0;

    // `count` servers, each with a data folder of its own and the same key in it.
    static async start(args = [], count = 3) {
        const all = new this(),
            folder = temporaryFolder();
        after(() => all.stop());
        await Server.copyWorld(join(folder, 'data'), {});
        all.members.push(await Server.launch(folder, args, {}));
        while (all.members.length < count) all.members.push(await all.launchNext(args));
        return all;
    }

    // One more server, with the first one's database and key.
    launchNext(args) {
        const [first] = this.members,
            folder = temporaryFolder();
        mkdirSync(join(folder, 'data'), { mode: 0o700 });
        cpSync(join(first.folder, 'data', 'roster.key'), join(folder, 'data', 'roster.key'));
        return Server.launch(folder, [...args, '--database', first.database], {});
    }

    get next() {
        return this.members[this.turn++ % this.members.length];
    }

    call(...request) {
        return this.next.call(...request);
    }

    // The answers of each server to the same request.
    ofEach(...request) {
        return Promise.all(this.members.map((one) => one.call(...request)));
    }

    sql(text) {
        return this.members[0].sql(text);
    }

    async stop() {
        await Promise.all(this.members.map((one) => one.stop()));
    }
}

// The results of `count` requests that are made at once, each to the next server.
export const together = (count, request) =>
    Promise.all(Array.from({ length: count }, (_, i) => request(i)));
