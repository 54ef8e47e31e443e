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
    etag?: string | null;
    signal?: AbortSignal;
    isSignIn?: boolean; // its 401 does not end a session
}

async function ask(method: string, path: string, { body, etag, signal }: Options) {
    const headers: Record<string, string> = { 'Roster-Session': location.protocol.slice(0, -1) };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (etag) headers['If-Match'] = etag;
    try {
        const reply = await fetch(path, {
            method,
            headers,
            signal,
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        connection.isLost = false;
        return reply;
    } catch (error) {
        if (signal?.aborted) throw error;
        connection.isLost = true;
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
