// A field of each type that a form can have is found, edited, saved and read back, in both languages, light and dark, wide
// and narrow. The server's own schemas say which types there are.
import test from 'node:test';
import assert from 'node:assert/strict';
import { addNeighbours } from '../lib/world.mjs';
import { Server } from '../lib/server.mjs';
import { createPerson } from '../lib/users.mjs';
import { Ui, variants } from './ui.mjs';
import { words } from './words.mjs';

const server = await Server.start();
const token = await server.admin();
await addNeighbours(server);
const get = async (path) => {
    const { status, json, text } = await server.call('GET', path, { token });
    assert.equal(status, 200, text);
    return json;
};

// The forms, by the kinds of records that they are for.
const forms = {
    User: 'users',
    UserRole: 'roles',
    Business: 'businesses',
    ChatRoom: 'chatrooms',
    Language: 'languages',
    Application: 'applications',
    WebHook: 'webhooks',
};
const schemas = {};
for (const entity of Object.keys(forms))
    schemas[entity] = await get(`/api/utils/fields?name=${entity}`);

// The way to edit a field follows from its type and from the records that it links to.
const kindOf = ({ Type, IsMultiLine, Target }) =>
    [Type, ...(IsMultiLine ? ['of many lines'] : []), ...(Target ? [Target.Entity] : [])].join(' ');

// The first field of each kind that somebody can write; rather one whose value replies show.
const chosen = {}; // by the entity
const kinds = new Set();
for (const isShown of [true, false])
    for (const { Entity, Fields } of Object.values(schemas))
        for (const field of Fields)
            if (field.WrittenBy && field.IsShown === isShown && !kinds.has(kindOf(field))) {
                kinds.add(kindOf(field));
                (chosen[Entity] ??= []).push(field);
            }

// Writes `value` into the field as text.
const types = (value) => async (at, field) => {
    await at.ui.type(`#field-${field.Name}`, `${value}`);
    return value;
};

// Searches for a record that is not linked yet, and chooses it; its Id.
async function link({ ui }, field, linked) {
    const { Records } = await get(`${field.Target.Path}?size=100`);
    const record = Records.find(({ Id }) => !linked.includes(Id));
    assert.ok(record, `there is another ${field.Target.Entity} than ${linked}`);
    const name = record.FullName ?? record.Name;
    await ui.type(`#field-${field.Name}`, name);
    await ui.click('[role=option]', name);
    await ui.key('Escape');
    await ui.wait("!document.querySelector('[role=option]')");
    return record.Id;
}

// How a person gives a field of a type another value, and that value.
const edits = {
    Text: (at, field, before) =>
        types(field.IsMultiLine ? 'First line\nSecond line' : `${before} ñ`.trim())(at, field),
    Email: (at, field) => types(`edited-${at.language}-${at.width}@example.com`)(at, field),
    Url: (at, field) => types(`https://example.com/${at.language}/${at.width}`)(at, field),
    Guid: types('0badcafe-0000-4000-8000-00000000beef'),
    Secret: types('a secret that is long enough'),
    Integer: (at, field, before) => types((before ?? 0) + 7)(at, field),
    Boolean: async ({ ui }, field, before) => {
        await ui.click(`label[for=field-${field.Name}]`);
        return !before;
    },
    Date: async ({ ui }, field) => {
        await ui.select(`#field-${field.Name}`, '2031-01-15T10:30');
        return new Date('2031-01-15T10:30').toISOString();
    },
    Choice: async ({ ui }, field, before) => {
        const other = field.Choices.find(({ Id }) => Id !== before);
        await ui.select(`#field-${field.Name}`, `${other.Id}`);
        return other.Id;
    },
    Reference: (at, field, before) => link(at, field, [before]),
    Links: async (at, field, before) => {
        if (field.Target.Entity !== 'Role') return [...before, await link(at, field, before)];
        const { Records } = await get(`${field.Target.Path}?size=1000`); // the table of permissions
        const { Id } = Records.find(({ Name }) => Name === 'User-Delete');
        const label = `${at.m.users()}: ${at.m.op_Delete()}`;
        await at.ui.click('#panel table label', label);
        return before.includes(Id) ? before.filter((one) => one !== Id) : [...before, Id];
    },
};

// Values as they are compared: times by the millisecond, links in any order.
const plain = ({ Type }, value) =>
    Type === 'Date'
        ? Date.parse(value)
        : Type === 'Links'
          ? [...value].sort((a, b) => a - b)
          : value;

// The record of a kind that is edited: a new user, or the first of the others.
async function recordOf(entity) {
    if (entity === 'User') return (await createPerson(server, token, 'edited')).id;
    const { Records } = await get(`${schemas[entity].Path}?size=1`);
    assert.equal(Records.length, 1, `there is a ${entity} to edit`);
    return Records[0].Id;
}

// The number of changes of a field of a record. The trail does not show the value of a secret.
const changesOf = async (entity, id, name) => {
    const { Records } = await get(
        `/api/sys/audittrailentries?AuditTrailEntry_EntityId=${id}&AuditTrailEntry_EntityShortName=${entity}&size=1000`,
    );
    return Records.filter(
        (row) => row.EntityShortName === entity && row.PropertyName === name && row.AuditType === 2,
    ).length;
};

for (const [language, scheme, width] of variants)
    test(`a field of each type is edited in ${language}, ${scheme}, ${width} px`, async () => {
        const ui = await Ui.open(server, { language, scheme, width });
        const at = { ui, language, width, ...words(language) };
        assert.ok(kinds.size > 12, [...kinds].join());
        await ui.signedIn();
        for (const [entity, fields] of Object.entries(chosen)) {
            const id = await recordOf(entity),
                path = `${schemas[entity].Path}/${id}`;
            const before = await get(path),
                wanted = {};
            await ui.go(`#/${forms[entity]}/${id}`, '#find');
            for (const field of fields) {
                assert.ok(edits[field.Type], `how is a field of the type ${field.Type} edited?`);
                await ui.type('#find', at.label(field));
                await ui.wait(`document.querySelector('#field-${field.Name}')`);
                wanted[field.Name] = await edits[field.Type](at, field, before[field.Name]);
            }
            await ui.type('#find', '');
            await ui.sees(at.m.unsaved({ count: fields.length }), '.sticky');
            await ui.check(`fields-${entity}-${language}-${scheme}-${width}`);
            await ui.button(at.m.save());
            await ui.wait("!document.querySelector('.sticky')"); // nothing is unsaved
            await ui.sees(at.m.saved(), '.notice');
            const after = await get(path);
            for (const field of fields) {
                const { Name } = field;
                if (field.IsShown)
                    assert.deepEqual(plain(field, after[Name]), plain(field, wanted[Name]), Name);
                else assert.equal(await changesOf(entity, id, Name), 1, `${Name} was changed`);
            }
            await ui.check(`fields-saved-${entity}-${language}-${scheme}-${width}`);
        }
        await ui.close();
    });

test('each field and each choice has words of another language than the server', () => {
    const { labels } = words('es');
    for (const { Entity, Fields } of Object.values(schemas))
        for (const { Name, Choices } of Fields)
            for (const one of [Name, ...(Choices ?? []).map((choice) => choice.Name)])
                assert.ok(labels[one], `${Entity}: ${one}`);
});
