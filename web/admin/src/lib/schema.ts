// What the server says of the fields of an entity (GET /api/utils/fields): forms and tables follow from it.
import { get, type Row } from './api';

export interface Choice {
    Id: number;
    Name: string;
}

export type FieldType =
    | 'Id' | 'Text' | 'Email' | 'Url' | 'Integer' | 'Boolean' | 'Date' | 'Guid' | 'Choice' | 'Reference' | 'Links' | 'Secret';

export interface Field {
    Name: string;
    Label: string;
    Group: 'Details' | 'Access' | 'Notifications' | 'Status';
    Type: FieldType;
    Max: number;
    IsRequired: boolean;
    IsFilled: boolean;
    IsMultiLine: boolean;
    IsShown: boolean; // records show its value
    IsOrder: boolean; // records can be sorted by it
    WrittenBy: string | null; // a permission, Administrator, or nobody
    Target: { Entity: string; Path: string } | null;
    Choices: Choice[] | null;
    Help: string | null;
}

export interface Schema {
    Entity: string;
    Path: string;
    Fields: Field[];
}

const known = new Map<string, Promise<Schema>>();

export function schemaOf(entity: string) {
    let schema = known.get(entity);
    if (!schema) {
        schema = get<Schema>(`../api/utils/fields?name=${entity}`);
        schema.catch(() => known.delete(entity));
        known.set(entity, schema);
    }
    return schema;
}

// Paths of the server, as addresses that work wherever a proxy has put this page.
export const relative = (path: string) => `..${path}`;

export type Values = Record<string, unknown>;

// The value that a field of a new record begins with.
function beginning(field: Field) {
    if (field.Type === 'Links') return [];
    if (field.Type === 'Boolean') return field.Name === 'Active';
    if (field.Type === 'Choice') return field.IsRequired ? field.Choices![0].Id : null;
    if (field.Type === 'Integer') return field.IsRequired ? 0 : null;
    return field.IsRequired && field.Type === 'Text' ? '' : null;
}

export function valuesOf(schema: Schema, record: Row | null): Values {
    return Object.fromEntries(
        schema.Fields.map((field) => [
            field.Name,
            record ? (field.IsShown ? record[field.Name] : null) : beginning(field),
        ]),
    );
}

export const isSame = (a: unknown, b: unknown) => {
    const form = (value: unknown) => JSON.stringify(Array.isArray(value) ? [...value].sort() : (value ?? null));
    return form(a) === form(b);
};
