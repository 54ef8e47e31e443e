// Dates and numbers as the language of the page writes them.
import { getLocale } from './messages';

const dates = () => new Intl.DateTimeFormat(getLocale(), { dateStyle: 'medium', timeStyle: 'short' });
const numbers = () => new Intl.NumberFormat(getLocale());

export const date = (value: unknown) => (typeof value === 'string' ? dates().format(new Date(value)) : '');
export const number = (value: number) => numbers().format(value);

// A time of the server for an input of the browser, which is in local time, and back.
export function toInput(value: unknown) {
    if (typeof value !== 'string') return '';
    const time = new Date(value);
    return new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
export const fromInput = (value: string) => (value ? new Date(value).toISOString() : null);
