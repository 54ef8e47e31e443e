// The texts of the admin UI as a person of a language reads them, from its own files: words('es').m.save() is 'Guardar'.
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';

const folder = new URL('../../web/admin/src/', import.meta.url);
const read = (kind, name) => JSON.parse(readFileSync(new URL(`${kind}/${name}.json`, folder)));

export function words(language) {
    const name = language.split('-')[0];
    const messages = read('messages', name),
        labels = read('labels', name),
        errors = name === 'en' ? {} : read('errors', name);
    const plural = new Intl.PluralRules(language),
        numbers = new Intl.NumberFormat(language);
    const written = (value) => (typeof value === 'number' ? numbers.format(value) : value);
    const fill = (key, parameters) => {
        const text = messages[`${key}_${plural.select(parameters.count ?? 0)}`] ?? messages[key];
        assert.ok(text, `the UI has no text ${key}`);
        return text.replace(/\{(\w+)\}/g, (_whole, one) => {
            assert.ok(one in parameters, `${key} needs ${one}`);
            return written(parameters[one]);
        });
    };
    return {
        m: new Proxy(
            {},
            {
                get:
                    (_, key) =>
                    (parameters = {}) =>
                        fill(key, parameters),
            },
        ),
        labels,
        label: (field) => labels[field.Name] ?? field.Label, // as the schema has the field
        error: (message) => errors[message] ?? message, // as the server says it in English
        number: written,
    };
}
