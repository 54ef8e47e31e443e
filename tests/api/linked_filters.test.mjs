// Filters by a path through a link, Entity_ForeignKey_Property (docs/contract.md section 5.4), compared with a naive model.
import test from 'node:test';
import assert from 'node:assert/strict';
import { businessId, staff } from '../lib/ids.mjs';
import { assertFailure, assertInvalid, follow } from '../lib/replies.mjs';
import { Server } from '../lib/server.mjs';
import { addMembers, addNeighbours } from '../lib/world.mjs';

const server = await Server.start();
await addNeighbours(server);
const members = await addMembers(server, 40);
const token = await server.admin();
const call = (method, path, body, options) =>
    server.call(method, path, { token, body, ...options });
const search = (path, query, options) =>
    call('GET', `${path}?size=1000&orderBy=Id&${query}`, undefined, options);
const users = '/api/sys/users',
    languages = '/api/sys/languages',
    applications = '/api/apps/applications',
    businesses = '/api/sys/businesses';

await call('PATCH', `${businesses}/302`, { Name: 'Ölmühle, STRASSE 1' });
await call('PATCH', `${languages}/602`, { BusinessId: 302, DisplayOrder: 7, Active: false });
await call('PATCH', `${applications}/702`, {
    DeveloperId: staff.manager,
    SecretKey: 'a secret key',
});
for (const [i, id] of members.entries())
    await server.update(id, {
        PreferredLanguageId: [null, 601, 602][i % 3],
        ApplicationId: [701, null, 702, null][i % 4],
        Businesses: [[301], [302], [303], []][i % 4],
    });

const all = async (path) => (await search(path, '')).json.Records;
const tables = {
    [users]: await all(users),
    [languages]: await all(languages),
    [applications]: await all(applications),
    [businesses]: await all(businesses),
};
const links = {
    User: [
        users,
        { PreferredLanguage: languages, Application: applications, DefaultBusiness: businesses },
    ],
    Language: [languages, { Business: businesses }],
    Application: [applications, { Developer: users }],
};
const fold = (text) => text.toLowerCase();
const isDate = (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value);

// The records of the linked resource that a direct filter by that value finds.
function matches(value, wanted, prefix) {
    if (isDate(wanted)) [value, wanted] = [value && Date.parse(value), Date.parse(wanted)];
    if (prefix) return value !== null && (prefix === 'from_' ? value >= wanted : value <= wanted);
    if (typeof wanted === 'string' && !isDate(wanted) && !/^[0-9a-f-]{36}$/.test(wanted))
        return value !== null && fold(value).includes(fold(wanted));
    return value === wanted;
}

test('every property of what a reference points to filters as it would there', async () => {
    let compared = 0,
        some = 0;
    for (const [entity, [path, references]] of Object.entries(links))
        for (const [link, target] of Object.entries(references)) {
            const sample = tables[target].find((row) =>
                tables[path].some((one) => one[`${link}Id`] === row.Id),
            );
            for (const [name, value] of Object.entries(sample)) {
                if (value === null || value === '' || Array.isArray(value) || name === 'IsNew')
                    continue;
                const prefixes =
                    isDate(value) ||
                    (Number.isInteger(value) && !name.endsWith('Id') && name !== 'Language')
                        ? ['', 'from_', 'to_']
                        : [''];
                for (const prefix of prefixes) {
                    const filter = `${prefix}${entity}_${link}_${name.replace(/(?<=.)Id$/, (id) => (/^(UniqueId|SystemId)$/.test(name) ? id : ''))}`;
                    // A date without a fraction would stand for the whole second.
                    const sent = isDate(value) ? new Date(value).toISOString() : value;
                    const reply = await search(path, `${filter}=${encodeURIComponent(sent)}`);
                    assert.equal(reply.status, 200, reply.text);
                    assert.equal(reply.headers.get('x-ignored-parameters'), null, filter);
                    const right = new Set(
                        tables[target]
                            .filter((row) => matches(row[name], value, prefix))
                            .map((row) => row.Id),
                    );
                    const expected = tables[path]
                        .filter((row) => right.has(row[`${link}Id`]))
                        .map((row) => row.Id);
                    assert.deepEqual(
                        reply.json.Records.map((row) => row.Id),
                        expected,
                        `${filter}=${value}`,
                    );
                    assert.equal(reply.json.TotalItems, expected.length);
                    compared++;
                    some += expected.length < tables[path].length ? 1 : 0;
                }
            }
        }
    assert.ok(
        compared > 100 && some > 50,
        `${compared} compared, ${some} of them found but a part`,
    );
});

test('text is contained without regard to case; all conditions hold together, with those of the record itself', async () => {
    const ids = async (path, query) =>
        (await search(path, query)).json.Records.map((row) => row.Id);
    const expected = tables[users]
        .filter((user) => user.DefaultBusinessId === 302)
        .map((user) => user.Id);
    assert.ok(expected.length > 3);
    for (const query of [
        'User_DefaultBusiness_Name=ölMÜHLE',
        'user_defaultbusiness_name=straße',
        'User_DefaultBusinessId_Name=le, s',
    ])
        assert.deepEqual(await ids(users, query), expected, query);
    assert.deepEqual(
        await ids(
            users,
            'User_DefaultBusiness_Name=ölmühle&User_PreferredLanguage_Culture=ES&User_Active=true',
        ),
        tables[users]
            .filter(
                (user) =>
                    user.DefaultBusinessId === 302 &&
                    user.PreferredLanguageId === 602 &&
                    user.Active,
            )
            .map((user) => user.Id),
    );
    assert.deepEqual(await ids(applications, 'Application_Developer_Email=MANAGER@example.com'), [
        702,
    ]);
    assert.deepEqual(await ids(applications, 'Application_Developer_FullName=the MANAG'), [702]);
    assert.deepEqual(await ids(languages, 'Language_Business_Id=[302,303]'), [602]);
    const first = (await call('GET', `${users}?User_Application_Name=GATE&User_FullName=member 1`))
        .json;
    assert.ok(first.Records.length > 1);
    assert.deepEqual(
        first.Records.map((user) => user.Id),
        tables[users]
            .filter((user) => user.ApplicationId === 701 && /member 1/i.test(user.FullName))
            .map((user) => user.Id),
    );
});

test('a path to a secret matches nothing, and a path that leads nowhere is named as ignored', async () => {
    for (const query of [
        'User_Application_SecretKey=a secret key',
        'User_Application_SecretKey=a',
        'User_Application_SecretKey=',
    ])
        assert.equal((await search(users, query)).json.TotalItems, 0, query);
    for (const name of ['Password', 'NewPassword', 'AccessToken', 'TwoFactorSecret'])
        assert.equal(
            (await search(applications, `Application_Developer_${name}=x`)).json.TotalItems,
            0,
            name,
        );
    for (const name of [
        'User_Application_Nothing',
        'User_FullName_Name',
        'User_Application_',
        'User__Name',
        'User_Application_Developer_Email',
        'from_User_Application_Name',
        'User_Application_EmailKey',
    ]) {
        const reply = await search(users, `${name}=x`);
        assert.equal(reply.headers.get('x-ignored-parameters'), name);
        assert.equal(reply.json.TotalItems, tables[users].length);
    }
    assertInvalid(
        await search(users, 'User_Application_Published=perhaps'),
        'User_Application_Published',
        /must be true or false/,
    );
    assertInvalid(
        await search(users, 'from_User_PreferredLanguage_CreatedOn=soon'),
        'from_User_PreferredLanguage_CreatedOn',
        /must be a date/,
    );
});

test('a caller who may not search a resource does not search it through a link', async () => {
    const lister = await server.token('lister@example.com');
    assert.match(
        assertFailure(await search(users, 'User_PreferredLanguage_Name=en', { token: lister }), 403)
            .Message,
        /Language-List/,
    );
    assert.equal(
        (await search(users, 'User_PreferredLanguage=601', { token: lister })).status,
        200,
    );
    const role = (
        await call('POST', '/api/security/userroles', {
            BusinessId: businessId,
            Name: 'Linguists',
            Roles: [26],
        })
    ).json.Value.Id;
    await server.update(staff.lister, { AddedUserRoles: [role] });
    assert.equal(
        (await search(users, 'User_PreferredLanguage_Name=en', { token: lister })).json.TotalItems,
        tables[users].filter((user) => user.PreferredLanguageId === 601).length,
    );
});

test('the description has the filters by paths', async () => {
    const { json } = await server.call('GET', '/api/openapi.json');
    const names = (path) => json.paths[path].get.parameters.map((one) => follow(json, one).name);
    for (const name of [
        'User_PreferredLanguage_Name',
        'User_Application_Name',
        'User_DefaultBusiness_Name',
        'from_User_Application_CreatedOn',
        'to_User_PreferredLanguage_DisplayOrder',
    ])
        assert.ok(names(users).includes(name), name);
    assert.ok(names(languages).includes('Language_Business_Name'));
    for (const path of [users, languages, applications]) // a reference has two names, of which one is enough; secrets find nothing
        assert.deepEqual(
            names(path).filter(
                (name) =>
                    /Id_|[a-z]_Id$|_(SecretKey|Password|PasswordSalt)$/.test(name) &&
                    !/^[A-Z][a-z]+_Id$/.test(name),
            ),
            [],
        );
    assert.ok(names(`${applications}/my`).includes('Application_Developer_Email'));
});
