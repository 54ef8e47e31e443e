// The faults of a rosterd-faulty: numbers in a file that it maps, in the same layout as in
// control.h.
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { constants } from 'node:os';
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { Server, run, temporaryFolder } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const kinds = [
    'memory',
    'arena',
    'thread',
    'write',
    'sync',
    'plain',
    'recv',
    'send',
    'accept',
    'poll',
    'wait',
    'rename',
    'appear',
    'commit',
];
const members = ['in', 'lasts', 'code', 'seen', 'struck'];
const size = 8 * (kinds.length * members.length + 8);
export const {
    EAGAIN,
    ECONNABORTED,
    ECONNRESET,
    EINTR,
    EIO,
    EMFILE,
    ENOBUFS,
    ENOMEM,
    ENOSPC,
    EPERM,
    EPIPE,
    ETIMEDOUT,
} = constants.errno;

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

    // How often it has struck.
    struck(kind) {
        return this.read(this.place(kind, 'struck'));
    }

    // Ends a fault; how often it has struck.
    mend(kind) {
        this.write(this.place(kind, 'lasts'), 0);
        this.write(this.place(kind, 'in'), 0);
        return this.struck(kind);
    }

    // Calls `attempt` once for each n: it arms a fault at the n-th call, and returns a function
    // that is called when the fault has ended. Ends when the faults are no longer reached. Returns
    // how many struck.
    async sweep(kind, step, attempt, options) {
        let struck = 0,
            misses = 0;
        for (let n = 1; misses < 3; n += step) {
            const settle = await attempt(() => this.arm(kind, n, options));
            const hit = this.mend(kind);
            await settle(`${kind} ${n}`);
            struck += hit > 0;
            misses = hit ? 0 : misses + 1;
        }
        return struck;
    }

    setClock(ms) {
        this.write(kinds.length * members.length, ms);
    }

    // The clock since the machine's start, which nobody sets.
    setBootClock(ms) {
        this.write(kinds.length * members.length + 7, ms);
    }

    setSyncDelay(ms) {
        this.write(kinds.length * members.length + 1, ms);
    }

    // Of clients that connect from now on; the system takes the least that it can work with.
    setSendBuffer(bytes) {
        this.write(kinds.length * members.length + 2, bytes);
    }

    // Runs `work` while the writer is held in the sync of a commit: that of the request which
    // `begin` sends. Changes that are sent meanwhile wait for the writer, and become its next
    // group. The reply to `begin`.
    async whileHeld(begin, work) {
        const place = kinds.length * members.length + 3,
            before = this.read(place + 1);
        this.write(place, 1);
        const first = begin();
        try {
            await until('the writer comes to a sync', () => this.read(place + 1) !== before, {
                pause: 1,
            });
            await work();
        } finally {
            this.write(place, 0);
        }
        return first;
    }

    // The store answers each question later, in another order than that of the questions. With `held` it answers none
    // before this is called again.
    answerLater({ held = false } = {}) {
        this.write(kinds.length * members.length + 5, held ? 2 : 1);
    }

    answerAtOnce() {
        this.write(kinds.length * members.length + 5, 0);
    }

    // How many questions it answers later, so far.
    get questions() {
        return this.read(kinds.length * members.length + 6);
    }

    // Runs `begin`, then `work` once `count` more questions have come, which are answered only after `work`. The result
    // of `begin`.
    async whileAsked(begin, work, count = 1) {
        const before = this.questions;
        this.answerLater({ held: true });
        const first = begin();
        try {
            await until(
                () => `${this.questions - before} of ${count} questions`,
                () => this.questions - before >= count,
                { pause: 1 },
            );
            await work();
        } finally {
            this.answerLater();
        }
        return first;
    }

    start(args = ['--demo'], env = {}) {
        return Server.start(args, { ...this.env, ...env });
    }

    run(args, env = {}) {
        return run(args, { ...this.env, ...env });
    }
}

// A call's reply; status 0: there was none.
export const ask = (call) =>
    call().catch((error) => ({ status: 0, text: String(error.cause ?? error) }));

// How much of the long form is done: 1 all (make torture), more: every n-th site.
export const stride = Number(process.env.TORTURE_FAULT_STRIDE ?? 11);
