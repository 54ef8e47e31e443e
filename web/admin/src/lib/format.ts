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

// A time of the server for an input of the browser, which is in local time and ends in the year 9999, and back. What is no
// time is nothing there, and goes to the server as it is.
export function toInput(value: unknown) {
    const time = new Date(typeof value === 'string' ? value : NaN);
    if (Number.isNaN(time.getTime())) return '';
    const local = new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString();
    return local.length > 24 ? '' : local.replace(/(:00)?(\.000)?Z$/, '');
}
export function fromInput(value: string) {
    const time = new Date(value);
    return !value ? null : Number.isNaN(time.getTime()) ? value : time.toISOString();
}
