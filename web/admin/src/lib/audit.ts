// Values in the audit trail, which are texts, as the API takes them.
import type { Field } from './schema';

// The server writes a text of more than 1,024 bytes as its length and hash.
const digest = /^\(\d+ bytes, SHA-256 [0-9a-f]{64}\)$/;

// undefined: the trail does not have the value.
export function valueOf(field: Field, text: string | null): unknown {
    if (field.Type === 'Secret' || (text !== null && digest.test(text))) return undefined;
    if (field.Type === 'Links') return text ? JSON.parse(text) : [];
    if (text === null) return field.Type === 'Boolean' ? false : null;
    if (field.Type === 'Boolean') return text === 'true';
    if (['Integer', 'Choice', 'Reference', 'Id'].includes(field.Type)) return Number(text);
    return text;
}
