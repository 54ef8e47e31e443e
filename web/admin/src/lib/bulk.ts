// Files of users: how they are cut into parts that one request takes, sent row by row, and received.
import { query, receive, type FieldError } from './api';

export const outcomes = ['created', 'updated', 'unchanged', 'deleted', 'refused'] as const;
export type Outcome = (typeof outcomes)[number];

export interface Result {
    Line: number;
    Outcome: Outcome;
    Id: number | null;
    Email: string | null;
    Message: string | null;
    Errors: (FieldError & { Column: string })[];
}

interface Summary {
    IsWhole: boolean;
    NextLine: number | null;
    Message: string | null;
    IgnoredColumns: string[];
}

// A part of a file that one request takes, with the line of the file that its first row has.
export interface Part {
    text: string;
    rows: number;
    shift: number; // from its lines to those of the file
}

const BYTES = 900_000; // in UTF-8 at most: a request takes 1 MiB
const LINES = 15_000; // and 20,000 lines

// Where the rows of a text end. In CSV a line end within a cell that begins with a quote ends none.
function* rowEnds(text: string, isCsv: boolean, separator: string) {
    let isQuoted = false, isBegin = true;
    for (let at = 0; at < text.length; at++) {
        const char = text[at];
        if (isQuoted) {
            if (char === '"' && text[at + 1] === '"') at++;
            else if (char === '"') isQuoted = false;
        } else if (isCsv && isBegin && char === '"') {
            isQuoted = true;
            isBegin = false;
        } else {
            const isEnd = char === '\n' || (char === '\r' && text[at + 1] !== '\n');
            isBegin = isEnd || char === separator || char === '\r';
            if (isEnd) yield at + 1;
        }
    }
    // A quote without its pair holds all that follows: a row, which the server refuses.
    if (text.length && (isQuoted || !/[\r\n]$/.test(text))) yield text.length;
}

const linesOf = (text: string) => text.split(/\r\n|\r|\n/).length - 1;
const isJson = (text: string) => text.trimStart().startsWith('{');

export interface File {
    isJson: boolean;
    columns: string[];
    sample: string[]; // the cells of the first row
    parts: Part[];
    rows: number;
}

// What stands between the cells: as the server finds it, the one that the first line has most often outside quotes.
function separatorOf(text: string) {
    const [line] = /^(?:"[^"]*"|[^"\r\n]+)*/.exec(text.replace(/^[\r\n]+/, ''))!;
    const bare = line.replace(/"[^"]*"/g, '');
    const count = (one: string) => bare.split(one).length;
    return [',', ';', '\t'].reduce((most, one) => (count(one) > count(most) ? one : most));
}

// The cells of a row of CSV, as far as one request could take it.
function cellsOf(whole: string, separator: string) {
    const row = whole.slice(0, BYTES);
    const cells: string[] = [];
    const pattern = new RegExp(`(?:^|${separator})(?:"((?:[^"]|"")*)"|([^${separator}\\r\\n]*))`, 'g');
    for (const [, quoted, plain] of row.matchAll(pattern))
        cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    return cells;
}

export function cut(text: string): File {
    const all = text.replace(/^\uFEFF/, '');
    const isCsv = !isJson(all);
    const separator = separatorOf(all);
    const size = new TextEncoder();
    const file: File = { isJson: !isCsv, columns: [], sample: [], parts: [], rows: 0 };
    let head = '', begin = 0, line = 0, part: Part | undefined, bytes = 0, lines = 0;
    for (const end of rowEnds(all, isCsv, separator)) {
        const row = all.slice(begin, end);
        const [length, height] = [size.encode(row).length, linesOf(row) || 1];
        begin = end;
        if (!row.trim()) {
            if (part) part.text += row;
        } else if (isCsv && !head) {
            head = /[\r\n]$/.test(row) ? row : `${row}\n`;
            file.columns = cellsOf(row, separator);
        } else {
            if (!part || bytes + length > BYTES || lines + height > LINES) {
                part = { text: head, rows: 0, shift: line - linesOf(head) };
                file.parts.push(part);
                [bytes, lines] = [size.encode(head).length, linesOf(head)];
            }
            if (!file.rows) file.sample = cellsOf(row, separator);
            part.text += row;
            part.rows++;
            file.rows++;
            bytes += length;
            lines += height;
        }
        line += height;
    }
    return file;
}

// The rows of a change of the same members for many users.
export function rowsOf(ids: number[], change: Record<string, unknown>): Part[] {
    const parts: Part[] = [];
    for (let at = 0; at < ids.length; at += 5000) {
        const some = ids.slice(at, at + 5000);
        const text = some.map((Id) => JSON.stringify({ Id, ...change })).join('\n');
        parts.push({ text, rows: some.length, shift: at });
    }
    return parts;
}

async function* lines(pieces: AsyncIterable<string>) {
    let rest = '';
    for await (const piece of pieces) {
        const whole = (rest + piece).split('\n');
        rest = whole.pop()!;
        for (const line of whole) yield JSON.parse(line);
    }
}

export interface Options {
    isDry: boolean;
    isDelete: boolean;
    maps: string[];
    signal: AbortSignal;
}

// Sends one part; gives its results as they come, and its summary at the end.
export async function sendPart(part: Part, { isDry, isDelete, maps, signal }: Options, take: (result: Result) => void) {
    const search = new URLSearchParams(maps.map((map) => ['map', map]));
    if (isDry) search.set('dryRun', 'true');
    if (isDelete) search.set('delete', 'true');
    let summary: Summary | undefined;
    const pieces = receive('POST', `../api/sys/users/import?${search}`, { file: part.text, signal });
    for await (const line of lines(pieces))
        if ('IsWhole' in line) summary = line;
        else take({ ...line, Line: line.Line + part.shift });
    return summary;
}

export async function exportRecords(path: string, format: 'csv' | 'jsonl', filters: Parameters<typeof query>[0], signal: AbortSignal, tell: (rows: number) => void) {
    const parts: string[] = [];
    let rows = 0;
    for await (const piece of receive('GET', `${path}/export.${format}?${query(filters)}`, { signal })) {
        parts.push(piece);
        rows += piece.split('\n').length - 1;
        tell(rows);
    }
    return new Blob(parts, { type: format === 'csv' ? 'text/csv' : 'application/jsonl' });
}

export function save(blob: Blob, name: string) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
