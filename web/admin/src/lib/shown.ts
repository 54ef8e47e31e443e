// A value of a field as a line of text.
import { date } from './format';
import { choiceText, m } from './messages';
import { nameOf } from './names.svelte';
import type { Field } from './schema';

export function shownValue(field: Field | undefined, value: unknown): string {
    if (value === null || value === undefined || value === '') return '–';
    if (field?.Type === 'Secret') return '••••••';
    if (field?.Type === 'Url' && `${value}`.startsWith('data:')) return m.avatar_new();
    if (field?.Type === 'Date') return date(value);
    if (typeof value === 'boolean') return value ? m.yes() : m.no();
    if (field?.Choices) return choiceText(field.Choices.find((one) => one.Id === value)?.Name ?? `${value}`);
    const name = (one: unknown) => (field?.Target ? nameOf(field, one as number) : undefined) ?? `${one}`;
    return Array.isArray(value) ? value.map(name).join(', ') || '–' : name(value);
}
