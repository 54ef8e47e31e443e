// The records that tests name: an administrator, the staff and one user. They are made through the API in a new
// database, so that nothing of it is the demo's, and the data folder is kept beside the binary, to be copied.
import {
    cpSync,
    existsSync,
    mkdtempSync,
    readFileSync,
    readdirSync,
    renameSync,
    rmSync,
    statSync,
    writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import assert from 'node:assert/strict';
import { folderOf, isOnPostgres, keepDatabase, postgres } from './postgres.mjs';
import { adminId, businessId, memberIds, staff, userId } from './ids.mjs';
import { adminEmail, password, userBody } from './users.mjs';

const List = 1,
    Read = 2,
    Create = 3,
    Edit = 4,
    Delete = 5; // the Ids of the roles on users
const permissions = {
    lister: [List],
    reader: [Read],
    creator: [Create],
    editor: [Edit],
    deleter: [Delete],
    frontdesk: [List, Read],
    manager: [List, Read, Edit],
};
const firstUserRole = 401; // the lister's; the others follow

const paths = {
    users: 'sys/users',
    businesses: 'sys/businesses',
    languages: 'sys/languages',
    user_roles: 'security/userroles',
    chat_rooms: 'support/chatrooms',
    applications: 'apps/applications',
};

// Makes a record of a table by POST, with the Id that is wanted: a database gives them one after the other.
export async function add(server, table, id, body) {
    const next = server.sql(`SELECT next FROM next_ids WHERE kind = '${table}'`);
    server.sql(`UPDATE next_ids SET next = ${id} WHERE kind = '${table}'`);
    const made = await server.call('POST', `/api/${paths[table]}`, {
        token: await server.admin(),
        body,
    });
    assert.equal(made.json?.Value?.Id, id, made.text);
    server.sql(`UPDATE next_ids SET next = ${Math.max(next, id + 1)} WHERE kind = '${table}'`);
}

const person = (fields) =>
    userBody({ Active: true, Validated: true, Businesses: [businessId], ...fields });

// Two businesses more, and two or three of each kind that a user's record points to.
export async function addNeighbours(server) {
    const BusinessId = businessId;
    for (const [id, Name] of [
        [302, 'The Mill'],
        [303, 'The Yard'],
    ])
        await add(server, 'businesses', id, { Name });
    for (const [id, Name] of [
        [501, 'Hall'],
        [502, 'Garden'],
    ])
        await add(server, 'chat_rooms', id, { BusinessId, Name, Active: true });
    for (const [id, Name] of [
        [601, 'en-GB'],
        [602, 'es-ES'],
        [603, 'fr-FR'],
    ])
        await add(server, 'languages', id, {
            BusinessId,
            Name,
            Culture: Name,
            DisplayOrder: id,
            Active: true,
        });
    for (const [id, Name] of [
        [701, 'Gates'],
        [702, 'Presses'],
    ])
        await add(server, 'applications', id, {
            DeveloperId: adminId,
            Name,
            ShortDescription: 'Opens gates',
            InstallUrl: 'https://gates.example.com/install',
            Published: true,
        });
}

// Ordinary users; their Ids.
export async function addMembers(server, count) {
    const ids = memberIds(count);
    for (const [i, id] of ids.entries())
        await add(
            server,
            'users',
            id,
            person({ FullName: `Member ${i + 1}`, Email: `member${i + 1}@example.com` }),
        );
    return ids;
}

async function addWorld(server) {
    await add(server, 'businesses', businessId, { Name: 'The House' });
    const Password = server.sql(`SELECT Password FROM users WHERE Id = ${adminId}`);
    for (const [i, [name, Roles]] of Object.entries(permissions).entries()) {
        const role = firstUserRole + i;
        await add(server, 'user_roles', role, {
            BusinessId: businessId,
            Name: `May ${name}`,
            Roles,
        });
        await add(
            server,
            'users',
            staff[name],
            person({
                FullName: `The ${name}`,
                Email: `${name}@example.com`,
                APIAccess: true,
                Password,
                UserRoles: [role],
            }),
        );
    }
    await add(
        server,
        'users',
        userId,
        person({ FullName: 'Ada Lovelace', Email: 'ada.lovelace@example.com' }),
    );
}

// Identifies the files that a kept folder was made with: it is made again when one of them changes.
function stamp(binary) {
    const made = ['world.mjs', 'users.mjs', 'ids.mjs'].map(
        (name) => statSync(new URL(name, import.meta.url)).mtimeMs,
    );
    return `${statSync(binary).mtimeMs}-${Math.max(...made)}`;
}

// A data folder with the world, for others to copy; on PostgreSQL it has only the key, and beside it the name of the
// database. `start` starts the server of `binary` in a folder with these arguments.
export async function worldFolder(binary, start) {
    const place = isOnPostgres() ? folderOf(await postgres()) : dirname(binary),
        prefix = `${basename(binary)}.world-`,
        kept = join(place, prefix + stamp(binary));
    if (!existsSync(kept)) await makeWorld(place, prefix, kept, start);
    return {
        folder: join(kept, 'data'),
        database: isOnPostgres() ? readFileSync(join(kept, 'database'), 'utf8') : undefined,
    };
}

async function makeWorld(place, prefix, kept, start) {
    for (const name of readdirSync(place).filter(
        (one) => one.startsWith(prefix) && !one.startsWith(basename(kept)),
    ))
        rmSync(join(place, name), { recursive: true, force: true }); // of an older binary
    const folder = mkdtempSync(join(tmpdir(), 'roster-test-')),
        own = `${kept}.${process.pid}`;
    try {
        const server = await start(folder, [
            '--admin-email',
            adminEmail,
            '--admin-password',
            password,
        ]);
        await addWorld(server);
        await server.stop();
        cpSync(join(folder, 'data'), join(own, 'data'), { recursive: true });
        if (server.database) writeFileSync(join(own, 'database'), keepDatabase(server.database));
        renameSync(own, kept);
    } catch (error) {
        if (!existsSync(kept))
            // another process may have been faster
            throw error;
    } finally {
        rmSync(folder, { recursive: true, force: true });
        rmSync(own, { recursive: true, force: true });
    }
}
