// Requests to the API of the server that this page came from. The session is a cookie that no script sees; the header
// Roster-Session has it count, and says by which scheme the page was loaded.
import { connection, expire } from './state.svelte';

export interface FieldError {
    PropertyName: string;
    Message: string;
    AttemptedValue?: unknown;
}

// A reply that is no success. `status` 0: there was none.
export class Refusal extends Error {
    constructor(
        readonly status: number,
        message: string,
        readonly errors: FieldError[] = [],
    ) {
        super(message);
    }
}

export interface Answer<T> {
    value: T;
    etag: string | null;
}

interface Options {
    body?: unknown;
    file?: string; // in place of a body, as it is
    etag?: string | null;
    key?: string; // of one creation: the same one again creates nothing else
    signal?: AbortSignal;
    isSignIn?: boolean; // its 401 does not end a session
}

async function ask(method: string, path: string, { body, file, etag, key, signal }: Options) {
    const headers: Record<string, string> = { 'Roster-Session': location.protocol.slice(0, -1) };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (file !== undefined) headers['Content-Type'] = 'text/plain';
    if (etag) headers['If-Match'] = etag;
    if (key) headers['Idempotency-Key'] = key;
    try {
        const reply = await fetch(path, {
            method,
            headers,
            signal,
            body: file ?? (body === undefined ? undefined : JSON.stringify(body)),
        });
        connection.isLost = false;
        return reply;
    } catch (error) {
        if (signal?.aborted) throw error;
        connection.isLost = true;
        throw new Refusal(0, '');
    }
}

async function refuse(reply: Response): Promise<never> {
    const value = await reply.json().catch(() => null);
    throw new Refusal(reply.status, value?.Message ?? `${reply.status}`, value?.Errors ?? []);
}

// The pieces of a text as they come. When the connection breaks in the middle, a Refusal of status 0.
export async function* receive(method: string, path: string, options: Options = {}) {
    const reply = await ask(method, path, options);
    if (reply.status === 401) expire();
    if (!reply.ok) await refuse(reply);
    const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
    try {
        for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
    } catch (error) {
        if (options.signal?.aborted) throw error;
        throw new Refusal(0, '');
    }
}

export async function send<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
    const reply = await ask(method, path, options);
    const value = await reply.json().catch(() => null);
    if (reply.status === 401 && !options.isSignIn) expire();
    if (!reply.ok) throw new Refusal(reply.status, value?.Message ?? `${reply.status}`, value?.Errors ?? []);
    if (value?.WasSuccessful === false) throw new Refusal(409, value.Message ?? '', value.Errors ?? []);
    return { value, etag: reply.headers.get('ETag') };
}

export const get = async <T>(path: string, signal?: AbortSignal) => (await send<T>('GET', path, { signal })).value;

export type Row = Record<string, unknown> & { Id: number };

export interface Page {
    Records: Row[];
    CurrentPage: number;
    FirstItem: number;
    LastItem: number;
    TotalItems: number;
    TotalPages: number;
}

// A query string of what has a value.
export function query(parameters: Record<string, string | number | boolean | null | undefined>) {
    const all = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
        if (value !== undefined && value !== null && value !== '') all.set(name, `${value}`);
    return `${all}`;
}
