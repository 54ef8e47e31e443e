// The texts of the page in the user's language, and what the server says of a value. English is the measure: a language
// has the same keys, and the build takes its texts into a file of its own.
import type en from '../messages/en.json';
import type { Refusal } from './api';
import type { Field } from './schema';

export const locales = { 'en-US': 'English (US)', 'en-GB': 'English (UK)', es: 'Español' } as const;
export type Locale = keyof typeof locales;

// British English has the words of American English, but for a few.
const british = async () => ({ ...(await import('../messages/en.json')).default, ...(await import('../messages/en-GB.json')).default });
const texts = {
    'en-GB': async () => [await british(), (await import('../labels/en.json')).default, {}],
    'en-US': async () => [(await import('../messages/en.json')).default, (await import('../labels/en.json')).default, {}],
    es: async () => [(await import('../messages/es.json')).default, (await import('../labels/es.json')).default, (await import('../errors/es.json')).default],
};

type Texts = typeof en;
type Parameters = Record<string, string | number>;

let messages = {} as Record<string, string>;
let labels: Record<string, string> = {};
let errors: Record<string, string> = {}; // by the formats of the server's messages
let locale: Locale = 'en-US';

export const getLocale = () => locale;

// The user's choice, else the first of the browser's languages that there is.
function preferred(): Locale {
    const asked = [localStorage.getItem('language') ?? '', ...navigator.languages];
    for (const one of asked) {
        const found = (Object.keys(locales) as Locale[]).find(
            (name) => one === name || one.split('-')[0] === name,
        );
        if (found) return found;
        if (/^en(-|$)/.test(one)) return /^en(-US)?$/.test(one) ? 'en-US' : 'en-GB';
    }
    return 'en-US';
}

export async function loadTexts() {
    locale = preferred();
    [messages, labels, errors] = (await texts[locale]()) as Record<string, string>[];
    document.documentElement.lang = locale;
}

export function choose(language: Locale) {
    localStorage.setItem('language', language);
    location.reload();
}

// The text of a key for so many, where the language has one of its own.
function formOf(key: string, count: unknown): string | undefined {
    if (typeof count !== 'number') return messages[key];
    return messages[`${key}_${new Intl.PluralRules(locale).select(count)}`] ?? messages[key];
}

const written = (value: string | number, name: string) =>
    name === 'count' && typeof value === 'number' ? new Intl.NumberFormat(locale).format(value) : `${value}`;

const fill = (key: string, parameters: Parameters): string | undefined =>
    formOf(key, parameters.count)?.replace(/\{(\w+)\}/g, (_whole, name: string) => written(parameters[name], name));

// m.search() gives the text, m.range({ first, last, total }) fills it in. A `count` that is a number chooses the plural.
export const m = new Proxy(
    {},
    {
        get: (_, key: string) => (parameters: Parameters = {}) => fill(key, parameters),
    },
) as Record<keyof Texts, (parameters?: Parameters) => string>;

// The text of a key that may not exist, such as one made of the server's words.
export const textOf = (key: string, parameters: Parameters = {}) => fill(key, parameters);

// The server's labels follow from the names of the fields. A language has its own for those that it knows, and shows the
// server's for a field that is new.
export const labelOf = (field: Field) => labels[field.Name] ?? field.Label;
export const labelOfName = (name: string) => labels[name];

// EnglishUS as English US, unless the language has words of its own.
export const choiceText = (name: string) => labels[name] ?? name.replace(/([a-z])([A-Z])/g, '$1 $2');

// How the server's words begin, and the text of the page in place of them.
const known: [RegExp, (match: RegExpExecArray) => string][] = [
    [/^is a required field/, () => m.error_required()],
    [/^must be a valid e-mail address/, () => m.error_email()],
    [/^is already used by another user/, () => m.error_taken()],
    [/^must have at most (\d+) characters/, (match) => m.error_long({ max: match[1] })],
    [/^must have at least 8 characters/, () => m.error_password_short()],
    [/^must not be a commonly used password/, () => m.error_password_common()],
    [/^must not be the user's e-mail address or name/, () => m.error_password_personal()],
    [/last active unrestricted administrator/, () => m.error_last_admin()],
    [/grants a permission that you do not have/, () => m.error_role_beyond()],
    [/can only be changed by an unrestricted administrator/, () => m.error_admin_only()],
];

export function errorText(message: string) {
    for (const [pattern, text] of known) {
        const match = pattern.exec(message);
        if (match) return text(match);
    }
    for (const [format, text] of Object.entries(errors)) {
        const pattern = format.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%(?:\\\.\\\*)?(?:ll)?[usd]/g, '(.+)');
        const match = new RegExp(`^${pattern}$`).exec(message);
        if (match) return text.replace(/\{(\d)\}/g, (_whole, at: string) => match[Number(at)]);
    }
    return message;
}

// Why a request failed, in a sentence.
export function reason(refusal: Refusal) {
    if (refusal.status === 0) return m.connection_lost();
    if (refusal.status === 404) return m.not_found();
    return refusal.errors.length
        ? refusal.errors.map((error) => `${error.PropertyName}: ${errorText(error.Message)}`).join(' ')
        : refusal.message;
}
