// The names of records that others point to, each asked for once in a view, because somebody may give it another one.
// Somebody who may not list these records sees their Ids.
import { get, query, type Page, type Row } from './api';
import { entityOf } from './entities';
import { router } from './router.svelte';
import { relative, type Field } from './schema';
import { can } from './state.svelte';

const SHOWN = 100; // names in one request
const names = $state<Record<string, string>>({});
const asked = new Set<string>();
let view = '';

const keyOf = (field: Field, id: number) => `${field.Target!.Entity}/${id}`;
export const nameOfRow = (field: Field, row: Row) =>
    entityOf(field.Target!.Entity)?.name(row) || `${row.Name ?? row.ToStringText ?? row.Id}`;

// undefined: not known yet.
export const nameOf = (field: Field, id: number): string | undefined => names[keyOf(field, id)];

export function remember(field: Field, rows: Row[]) {
    for (const row of rows) names[keyOf(field, row.Id)] = nameOfRow(field, row);
}

export const hasNames = (field: Field) => can(`${field.Target!.Entity}-List`);

async function ask(field: Field, ids: number[]) {
    const search = query({ id: ids.join(','), size: SHOWN });
    const page = hasNames(field) ? await get<Page>(`${relative(field.Target!.Path)}?${search}`).catch(() => null) : null;
    remember(field, page?.Records ?? []);
    for (const id of ids) names[keyOf(field, id)] ??= `${id}`;
}

export function learn(field: Field, ids: number[]) {
    const shown = router.route.path.join('/');
    if (shown !== view) asked.clear();
    view = shown;
    const unknown = [...new Set(ids)].filter((id) => !asked.has(keyOf(field, id)));
    for (const id of unknown) asked.add(keyOf(field, id));
    for (let at = 0; at < unknown.length; at += SHOWN) ask(field, unknown.slice(at, at + SHOWN));
}
