// The kinds of records that have a list and a form. All else about them follows from the schema of the server.
import { m } from './messages';

export interface Entity {
    entity: string; // as in permissions and in the schema
    path: string; // in the address of the page
    api: string;
    title: string;
    columns: string[];
    search: (text: string) => Record<string, string>; // the filters for what is searched
    hint: string;
    isMain: boolean;
    hasCommands: boolean; // can be chosen in the list, to run a command on
    hasActive: boolean; // can be shown by whether it is active
    name: (row: Record<string, unknown>) => string;
}

const byName = (entity: string) => (text: string) => ({ [`${entity}_Name`]: text });
const nameOf = (row: Record<string, unknown>) => `${row.Name ?? ''}`;

function plain(entity: string, path: string, api: string, title: string, columns: string[]): Entity {
    return {
        entity, path, api, title, columns,
        search: byName(entity), hint: m.search_names(), isMain: false, hasCommands: false, hasActive: columns.includes('Active'), name: nameOf,
    };
}

export const entities = (): Entity[] => [
    {
        entity: 'User', path: 'users', api: '../api/sys/users', title: m.users(),
        columns: ['FullName', 'Email', 'Active', 'LastAccess', 'UpdatedOn'],
        search: (text): Record<string, string> => (text.includes('@') ? { User_Email: text } : { User_FullName: text }),
        hint: m.search_users(), isMain: true, hasCommands: true, hasActive: true, name: (row) => `${row.FullName ?? ''}`,
    },
    {
        ...plain('UserRole', 'roles', '../api/security/userroles', m.roles(), ['Name', 'BusinessName', 'UpdatedOn']),
        isMain: true,
    },
    plain('Business', 'businesses', '../api/sys/businesses', m.businesses(), ['Name', 'UpdatedOn']),
    plain('ChatRoom', 'chatrooms', '../api/support/chatrooms', m.chat_rooms(), ['Name', 'Active', 'UpdatedOn']),
    plain('Language', 'languages', '../api/sys/languages', m.languages(), ['Name', 'Culture', 'Active', 'UpdatedOn']),
    plain('Application', 'applications', '../api/apps/applications', m.applications(), ['Name', 'Published', 'UpdatedOn']),
    {
        ...plain('WebHook', 'webhooks', '../api/sys/webhooks', m.webhooks(), ['Name', 'Action', 'URL', 'Active', 'LastTrigger', 'LastError']),
        hasCommands: true,
    },
];

export const entityAt = (path: string) => entities().find((one) => one.path === path);
export const entityOf = (entity: string) => entities().find((one) => one.entity === entity);
