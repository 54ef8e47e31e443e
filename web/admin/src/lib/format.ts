// Dates and numbers as the language of the page writes them.
import { getLocale } from './messages';

const dates = () => new Intl.DateTimeFormat(getLocale(), { dateStyle: 'medium', timeStyle: 'short' });
const numbers = () => new Intl.NumberFormat(getLocale());

export const date = (value: unknown) => (typeof value === 'string' ? dates().format(new Date(value)) : '');
export const number = (value: number) => numbers().format(value);

const days = () => new Intl.DateTimeFormat(getLocale(), { dateStyle: 'medium' });
export const dayOf = (value: Date) => days().format(value);
const clocks = () => new Intl.DateTimeFormat(getLocale(), { timeStyle: 'short' });
export const clock = (value: Date) => clocks().format(value);

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
export function bytes(value: number) {
    const power = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), units.length - 1);
    const format = new Intl.NumberFormat(getLocale(), { style: 'unit', unit: units[power], maximumFractionDigits: 1 });
    return format.format(value / 1000 ** power);
}

// A time of the server for an input of the browser, which is in local time, and back.
export function toInput(value: unknown) {
    if (typeof value !== 'string') return '';
    const time = new Date(value);
    return new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
export const fromInput = (value: string) => (value ? new Date(value).toISOString() : null);
