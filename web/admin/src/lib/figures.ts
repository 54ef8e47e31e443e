// What the server's process did in the last 24 hours (GET /api/utils/figures), and what of it needs somebody's attention.
import { number } from './format';
import { m } from './messages';

export interface Day {
    Version: string;
    Host: string;
    ProcessId: number;
    StartedOn: string;
    IsReady: boolean;
    LastBackup: string | null;
    PeriodSeconds: number;
    Figures: { Until: string[]; Seconds: number[] } & Record<Counted, number[]> & Record<Level, (number | null)[]>;
}
type Counted = 'Requests' | 'ServerErrors' | 'Writes' | 'SignIns' | 'SignInFailures' | 'WebhookDeliveries' | 'WebhookFailures';
type Level = 'P99Microseconds' | 'StoreBytes' | 'DiskFreeBytes' | 'MemoryBytes' | 'Connections';

const HOUR = 3600;
const DISK_LOW = 1e9; // as the alert RosterDiskFillsUp has it
const BACKUP_DUE = 48 * HOUR * 1000;
const GUESSES = 10; // refused sign-ins of an hour that people's mistakes make

const tenths = (value: number) => Math.round(value * 10) / 10;
const add = (values: number[]) => values.reduce((all, one) => all + one, 0);
export const sumOf = (day: Day, name: Counted) => add(day.Figures[name]);

// The sum of the last hour, from the present sample back.
export function lastHour({ Figures: figures }: Day, name: Counted) {
    const now = Date.parse(figures.Until.at(-1)!);
    return add(figures[name].filter((_, at) => now - Date.parse(figures.Until[at]) < HOUR * 1000));
}

export interface Problem {
    kind: 'bad' | 'warn';
    text: string;
    path?: string; // where to look
}

export function problemsOf(day: Day): Problem[] {
    const problems: Problem[] = [];
    const count = (name: Counted) => lastHour(day, name);
    const note = (kind: Problem['kind'], text: string, path?: string) => problems.push({ kind, text, path });
    const free = day.Figures.DiskFreeBytes.at(-1);
    if (!day.IsReady) note('bad', m.day_not_ready());
    if (count('ServerErrors')) note('bad', m.day_errors({ count: count('ServerErrors') }));
    if (count('WebhookFailures')) note('warn', m.day_webhooks({ count: count('WebhookFailures') }), 'webhooks');
    if (count('SignInFailures') > Math.max(GUESSES, count('SignIns')))
        note('warn', m.day_guesses({ count: count('SignInFailures') }));
    if (free != null && free < DISK_LOW) note('bad', m.day_disk_low());
    if (day.LastBackup && Date.parse(day.Figures.Until.at(-1)!) - Date.parse(day.LastBackup) > BACKUP_DUE)
        note('warn', m.day_backup_old());
    return problems;
}

// ---- Plots ----

export interface Series {
    label: string;
    values: (number | null)[];
    isBad?: boolean;
}

// How the samples of an hour become one row of a table.
type Join = (values: number[]) => number;

export interface Plot {
    title: string;
    summary: string;
    series: Series[];
    join: Join;
    show: (value: number) => string;
}

const greatest: Join = (values) => Math.max(...values);
const mean: Join = (values) => tenths(add(values) / values.length);
const last: Join = (values) => values.at(-1)!;

// The samples that have ended: the present one counts less only because it is not over.
export const ended = (day: Day) => day.Figures.Until.length - 1;
export const timesOf = (day: Day) => day.Figures.Until.slice(0, -1).map((time) => Date.parse(time) / 1000);

export function plotsOf(day: Day, bytes: (value: number) => string): Plot[] {
    const { Figures: figures } = day;
    const column = (name: Counted | Level) => figures[name].slice(0, -1);
    const known = (values: (number | null)[]) => values.filter((value) => value !== null);
    const total = (name: Counted) => number(sumOf(day, name));
    const writes = column('Writes').map((count, at) => tenths(count! / figures.Seconds[at]));
    const times = column('P99Microseconds').map((value) => (value === null ? null : tenths(value / 1000)));
    const sizes = known(column('StoreBytes'));
    const milliseconds = (value: number) => m.day_ms({ value: number(value) });
    return [
        {
            title: m.day_sign_ins(),
            summary: m.day_sign_ins_sum({ good: total('SignIns'), bad: total('SignInFailures') }),
            series: [
                { label: m.day_succeeded(), values: column('SignIns') },
                { label: m.day_refused(), values: column('SignInFailures'), isBad: true },
            ],
            join: add, show: number,
        },
        {
            title: m.day_requests(),
            summary: m.day_requests_sum({ all: total('Requests'), bad: total('ServerErrors') }),
            series: [
                { label: m.day_all(), values: column('Requests') },
                { label: m.day_failed(), values: column('ServerErrors'), isBad: true },
            ],
            join: add, show: number,
        },
        {
            title: m.day_p99(),
            summary: known(times).length ? m.day_p99_sum({ most: milliseconds(greatest(known(times))) }) : m.day_no_requests(),
            series: [{ label: m.day_p99(), values: times }],
            join: greatest, show: milliseconds,
        },
        {
            title: m.day_writes(),
            summary: m.day_writes_sum({ all: total('Writes'), most: number(greatest([0, ...writes])) }),
            series: [{ label: m.day_writes(), values: writes }],
            join: mean, show: number,
        },
        {
            title: m.day_deliveries(),
            summary: m.day_deliveries_sum({ good: total('WebhookDeliveries'), bad: total('WebhookFailures') }),
            series: [
                { label: m.day_succeeded(), values: column('WebhookDeliveries') },
                { label: m.day_failed(), values: column('WebhookFailures'), isBad: true },
            ],
            join: add, show: number,
        },
        {
            title: m.day_store(),
            summary: sizes.length ? m.day_store_sum({ first: bytes(sizes[0]), last: bytes(last(sizes)) }) : '',
            series: [{ label: m.day_store(), values: column('StoreBytes') }],
            join: last, show: bytes,
        },
    ];
}

export interface HourRow {
    from: Date;
    values: (number | null)[];
}

// A row for each hour by the clock of the browser, the newest first.
export function hoursOf(plot: Plot, times: number[]): HourRow[] {
    const hours = new Map<number, number[]>();
    times.forEach((time, at) => {
        const from = new Date((time - 1) * 1000).setMinutes(0, 0, 0);
        hours.set(from, [...(hours.get(from) ?? []), at]);
    });
    return [...hours].reverse().map(([from, places]) => ({
        from: new Date(from),
        values: plot.series.map(({ values }) => {
            const known = places.map((at) => values[at]).filter((value) => value !== null);
            return known.length ? plot.join(known) : null;
        }),
    }));
}
