// Permissions, which the server has as roles named Entity-Operation.
import { get, type Page } from './api';
import { entityOf } from './entities';
import { m } from './messages';

export const operations = ['List', 'Read', 'Create', 'Edit', 'Delete'] as const;
const others: Record<string, () => string> = { Role: m.permissions, AuditTrailEntry: m.audit, RefreshToken: m.sessions };
export const entityTitle = (entity: string) => entityOf(entity)?.title ?? others[entity]?.() ?? entity;
export const entitiesOf = (names: string[]) => [...new Set(names.map((name) => name.split('-')[0]))];

// The Id of each permission, by its name.
export async function permissionIds(): Promise<Record<string, number>> {
    const page = await get<Page>('../api/security/roles?size=1000');
    return Object.fromEntries(page.Records.map((role) => [`${role.Name}`, role.Id]));
}
