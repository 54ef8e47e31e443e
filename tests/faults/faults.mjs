// What is to fail in rosterd-faulty: a file that it maps. The same layout as in interpose.c.
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { constants } from 'node:os';
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { Server, run, temporaryFolder } from '../api/harness.mjs';

const kinds = ['memory', 'arena', 'thread', 'write', 'sync'];
const members = ['in', 'lasts', 'code', 'seen', 'struck'];
const size = 8 * (kinds.length * members.length + 2);
const { EIO, ENOMEM, ENOSPC, EAGAIN } = constants.errno;
export { EIO, ENOMEM, ENOSPC, EAGAIN };

export class Faults {
    constructor() {
        this.path = join(temporaryFolder(), 'faults');
        writeFileSync(this.path, new Uint8Array(size));
        this.file = openSync(this.path, 'r+');
        after(() => closeSync(this.file));
    }

    get env() {
        return { FAULTS_FILE: this.path };
    }

    write(place, number) {
        const bytes = Buffer.alloc(8);
        bytes.writeBigInt64LE(BigInt(number));
        writeSync(this.file, bytes, 0, 8, 8 * place);
    }

    read(place) {
        const bytes = Buffer.alloc(8);
        readSync(this.file, bytes, 0, 8, 8 * place);
        return Number(bytes.readBigInt64LE());
    }

    place(kind, member) {
        assert.ok(kinds.includes(kind) && members.includes(member));
        return kinds.indexOf(kind) * members.length + members.indexOf(member);
    }

    // The n-th call of a kind from now on fails; with `lasts` all later ones too.
    arm(kind, n, { code = kind === 'thread' ? EAGAIN : ENOMEM, lasts = false } = {}) {
        this.write(this.place(kind, 'struck'), 0);
        this.write(this.place(kind, 'lasts'), lasts ? 1 : 0);
        this.write(this.place(kind, 'code'), code);
        this.write(this.place(kind, 'in'), n);
    }

    // Ends a fault; how often it has struck.
    mend(kind) {
        this.write(this.place(kind, 'lasts'), 0);
        this.write(this.place(kind, 'in'), 0);
        return this.read(this.place(kind, 'struck'));
    }

    setClock(ms) {
        this.write(kinds.length * members.length, ms);
    }

    setSyncDelay(ms) {
        this.write(kinds.length * members.length + 1, ms);
    }

    start(args = ['--demo'], env = {}) {
        return Server.start(args, { ...this.env, ...env });
    }

    run(args, env = {}) {
        return run(args, { ...this.env, ...env });
    }
}

// How much of the long form is done: 1 all (make torture), more: every n-th site.
export const stride = Number(process.env.TORTURE_FAULT_STRIDE ?? 11);
