// Chance that SEED=n repeats, but for the timing of the server and of who asks it.
import { randomInt } from 'node:crypto';
import { sleep } from './wait.mjs';

export const seed = Number(process.env.SEED ?? randomInt(2 ** 31));

// Each stream of a seed is a sequence of its own (mulberry32), so that clients do not share one.
export class Chance {
    constructor(stream = 0) {
        this.state = (seed + Math.imul(stream, 0x9e3779b9)) | 0;
    }

    // At least 0 and less than 1.
    next() {
        this.state = (this.state + 0x6d2b79f5) | 0;
        let bits = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
        bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
        return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
    }

    pick(list) {
        return list[Math.floor(this.next() * list.length)];
    }

    // How long until a kill: mostly soon, else past one checkpoint or two, which come every 200 ms
    // with --checkpoint-after 1.
    async untilKill() {
        const isLong = this.next() < 0.25,
            ms = isLong ? 180 + this.next() * 400 : 10 + this.next() * 150;
        await sleep(ms);
        return isLong;
    }
}
