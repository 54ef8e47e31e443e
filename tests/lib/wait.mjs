// The only place of these tests that reads a clock (tools/check-clocks holds the others to that). Nothing may pass or
// fail because a machine is slow or busy: what a test waits for is counted, or seen to happen, and time only ends a hang.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

// The deadlines, in ms. A wait that takes longer is taken for one that never ends.
export const deadlines = {
    usual: 120000, // under a sanitizer, beside four busy programs, the slowest of what is waited for took 20 s
    manyReceivers: 480000, // hundreds of deliveries, 8 at a time, to receivers that do not answer for 10 s
};

// tools/test says after how many ms a test file waits for a child or a connection that nobody ends. The file ends then, and
// says so, for the others to be run and counted.
const fileDeadline = Number(process.env.TEST_FILE_DEADLINE);
if (fileDeadline)
    setTimeout(() => {
        console.error(
            `${process.argv[1]}: not in ${fileDeadline} ms; open: ${process.getActiveResourcesInfo().join(', ')}`,
        );
        process.exit(1);
    }, fileDeadline).unref();

// How long a client waits for one answer, in ms, before it asks elsewhere or again. Nothing fails by that: an answer that
// did not come is one of the outcomes.
export const patience = {
    check: 2000, // of a health check
    change: 30000, // rosterd itself gives up after 20 s
    cluster: 600000, // until three machines agree again: it only ends a hang
};

export const sleep = (ms) =>
    new Promise((resolve) => {
        setTimeout(resolve, ms);
    });

// Waits until `condition` gives something, which is the result. `what` is a text, or gives one at the end.
export async function until(what, condition, { deadline = deadlines.usual, pause = 5 } = {}) {
    for (const end = Date.now() + deadline; ; await sleep(pause)) {
        const result = await condition();
        if (result) return result;
        if (Date.now() >= end)
            assert.fail(
                `${typeof what === 'function' ? await what() : what}: not in ${deadline} ms`,
            );
    }
}

// A promise, or an error after a while.
export function inTime(what, promise, deadline = deadlines.usual) {
    let timer;
    const late = new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: not in ${deadline} ms`)), deadline);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// For promises that hold only for a while (a repeated refresh, the end of a connection). An attempt
// that failed and took longer than `ms` proves nothing and is made again; one that failed sooner
// fails.
export async function within(ms, attempt, tries = 50) {
    for (let began = Date.now(); ; began = Date.now()) {
        try {
            return await attempt();
        } catch (error) {
            if (Date.now() - began < ms || !--tries) throw error;
        }
    }
}

// For counts and promises within one step of a clock. An attempt that failed while the step changed
// proves nothing and is made again.
async function withinOne(step, attempt, tries) {
    for (let began = step(); ; began = step()) {
        try {
            return await attempt();
        } catch (error) {
            if (began === step() || !--tries) throw error;
        }
    }
}

export const withinOneStep = (attempt, tries = 20) => withinOne(totpStep, attempt, tries);

// A minute of the system's monotonic clock, which the server's rate limits use.
export const withinOneMinute = (attempt, tries = 20) =>
    withinOne(() => process.hrtime.bigint() / 60_000_000_000n, attempt, tries);

// How long the processors have been idle since the system's start, all together, in s: /proc counts in 1/100.
const idleUntilNow = () => Number(readFileSync('/proc/stat', 'latin1').split(/\s+/, 5)[4]) / 100;

// The longest time without an answer, in seconds, and which part of it the processors were idle. A silence may last as long
// as it likes on a busy machine: only where the processors were idle for half of it is it judged.
export class Silence {
    begin() {
        this.seconds = this.idle = 0;
        this.restart();
    }

    restart() {
        this.since = Date.now();
        this.idleThen = idleUntilNow();
    }

    // An answer.
    end() {
        const seconds = (Date.now() - this.since) / 1000;
        if (seconds > this.seconds) {
            const idle = (idleUntilNow() - this.idleThen) / (seconds * cpus().length);
            Object.assign(this, { seconds, idle });
        }
        this.restart();
    }

    get isJudged() {
        return this.idle >= 0.5;
    }

    get text() {
        return `${this.seconds.toFixed(1)} s of silence (processors ${Math.round(this.idle * 100)}% idle)`;
    }
}

// ---- The time of day, as data ----

// The number of a step of 30 s (RFC 6238).
export const totpStep = () => Math.floor(Date.now() / 30000);

// A time, `fromNow` ms from now: as a number, and as replies and bodies have it.
export const timestamp = (fromNow = 0) => Date.now() + fromNow;
export const timestampText = (fromNow = 0) => new Date(timestamp(fromNow)).toISOString();

// An end that is at most so many ms off; asked late it is the nearer.
export function assertEndsWithin(end, ms, what = 'the end') {
    assert.ok(
        (typeof end === 'number' ? end : Date.parse(end)) <= timestamp(ms),
        `${what}: ${end}`,
    );
}

// A time that the server stored while this test ran is the present one, in UTC: an hour off would
// be another zone.
export function assertRecent(noted, what = 'noted') {
    const ms = typeof noted === 'number' ? noted : Date.parse(noted);
    assert.ok(Math.abs(ms - Date.now()) < 1800000, `${what}: ${noted}`);
}
