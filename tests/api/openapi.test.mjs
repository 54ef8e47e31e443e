// GET /api/openapi.json says what the field and route tables say. tests/openapi/check.py compares it with
// every exchange that the tests make.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fieldTable } from '../lib/database.mjs';
import { businessId, userId } from '../lib/ids.mjs';
import { follow } from '../lib/replies.mjs';
import { run, Server, temporaryFolder } from '../lib/server.mjs';

const server = await Server.start();
const imitator = await Server.start(['--compatibility', 'nexudus', '--rate-limits', 'off']);
const { json: doc, status } = await server.call('GET', '/api/openapi.json');
const schemas = doc.components.schemas;

// A program of tests/openapi looks at a file. Connections are closed meanwhile, which this process is to notice.
const look = (name, file) =>
    run([new URL(`../openapi/${name}`, import.meta.url).pathname, file], {}, '/usr/bin/python3');

// The errors that the OpenAPI Initiative's schema finds in a document.
async function judge(document) {
    const file = join(temporaryFolder(), 'openapi.json');
    writeFileSync(file, JSON.stringify(document));
    const { code, stdout, stderr } = await look('valid.py', file);
    assert.equal(stderr, '');
    assert.equal(code, stdout ? 1 : 0);
    return stdout;
}

test('the description is valid OpenAPI 3.1, needs no credentials, and each of its references leads somewhere', async () => {
    assert.equal(status, 200);
    assert.equal(doc.openapi, '3.1.0');
    assert.equal(await judge(doc), '');
    const refs = [...JSON.stringify(doc).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path);
    assert.ok(refs.length > 100);
    for (const ref of new Set(refs))
        assert.ok(
            ref.split('/').reduce((at, name) => at?.[name], doc),
            ref,
        );
});

test('the validator sees a fault that was put in', async () => {
    const { '/api/token': token, '/api/auth/me': me } = doc.paths;
    const small = {
        ...doc,
        paths: { '/api/token': token, '/api/auth/me': me },
        components: { schemas: { User: schemas.User } },
    };
    assert.equal(await judge(small), '');
    for (const [spoil, says] of [
        [
            (it) => {
                delete it.info.title;
            },
            /^info 'title' is a required property$/m,
        ],
        [
            (it) => {
                it.paths['/api/token'].pots = {};
            },
            /^paths\/\/api\/token .*'pots'/m,
        ],
        [
            (it) => {
                delete it.paths['/api/auth/me'].get.responses['401'].$ref;
            },
            /'description' is a required property/,
        ],
        [
            (it) => {
                it.components.schemas.User.properties.Email.type = 'text';
            },
            /^components\/schemas\/User\/properties\/Email\/type 'text'/m,
        ],
    ]) {
        const spoilt = structuredClone(small);
        spoil(spoilt);
        assert.match(await judge(spoilt), says);
    }
});

test('every operation has an id of its own, a summary, and replies', () => {
    const operations = Object.values(doc.paths).flatMap((path) => Object.values(path));
    assert.equal(new Set(operations.map((one) => one.operationId)).size, operations.length);
    for (const one of operations) {
        assert.ok(one.summary, one.operationId);
        for (const [status, reply] of Object.entries(one.responses)) {
            const described = follow(doc, reply);
            assert.ok(described.description, `${one.operationId} ${status}`);
            assert.equal(
                !described.content,
                ['304', '308'].includes(status),
                `${one.operationId} ${status} has a body`,
            );
        }
        assert.ok(
            one.responses['200'] && one.responses['400'] && one.responses['503'],
            one.operationId,
        );
    }
    // Of a change alone it may be unknown whether it was made.
    const changes = Object.values(doc.paths).flatMap((path) =>
        Object.entries(path).map(([method, one]) => [one, method !== 'get']),
    );
    for (const [one, isChange] of changes)
        assert.equal(
            Boolean(one.responses['504']),
            isChange || one.operationId === 'getUserOneTimeToken',
            one.operationId,
        );
    const routes = readFileSync(new URL('../../src/api/routes.def', import.meta.url), 'utf8');
    for (const [, path] of routes.matchAll(/^(?:ROUTE|RESOURCE)\([^"]*"([^"]+)"/gm))
        assert.equal(!doc.paths[path], /^\/(admin|$)/.test(path), path); // those are for people
});

test('every field of a user is there, with its limits, as the table has it', () => {
    const { UserCreate, UserUpdate, UserPatch, User } = schemas;
    for (const { name, type, max, flags } of fieldTable()) {
        const body = UserUpdate.properties[name],
            shown = User.properties[name];
        const writable = !flags.includes('READ_ONLY') && !['empty', 'no'].includes(type);
        const secret = ['sealed', 'totp', 'password'].includes(type),
            delta = ['added', 'removed'].includes(type);
        const transient = flags.includes('TRANSIENT');
        assert.equal(!!body, writable, `${name} in a body`);
        assert.equal(!!shown, !delta, `${name} in a record`);
        if (shown)
            assert.equal(
                [].concat(shown.type).includes('null'),
                secret ||
                    transient ||
                    type === 'empty' ||
                    !(
                        flags.includes('REQUIRED') ||
                        flags.includes('ALWAYS') ||
                        ['boolean', 'links', 'no'].includes(type)
                    ),
                `${name} may be null in a record`,
            );
        if (secret) assert.equal(shown.type, 'null', name);
        if (!writable) continue;
        const required = flags.includes('REQUIRED');
        assert.deepEqual(UserPatch.properties[name], body);
        assert.deepEqual(UserCreate.properties[name], name === 'Id' ? undefined : body);
        assert.equal(body.type.includes('null'), !required, `${name} may be null in a body`);
        assert.equal(UserUpdate.required.includes(name), required, `${name} is required`);
        assert.equal(!!body.writeOnly, secret || transient || delta, name);
        if (['text', 'email', 'url', 'sealed', 'totp', 'password'].includes(type))
            assert.equal(body.maxLength, max, name);
        if (type === 'integer') assert.deepEqual([body.minimum, body.maximum], [0, max], name);
        if (['links', 'added', 'removed'].includes(type)) assert.equal(body.maxItems, max, name);
        assert.equal(body.minLength, flags.includes('FILLED') ? 1 : undefined, name);
    }
    assert.deepEqual(User.properties.Language.enum, [1, 2, 3]);
    assert.deepEqual(UserUpdate.properties.Language.enum, [1, 2, 3]);
    assert.deepEqual(
        [UserUpdate.properties.Active.type, UserUpdate.properties.LastHelpVisited.type],
        [['boolean', 'null'], 'integer'],
    );
    const six = [
        'FullName',
        'Email',
        'Language',
        'PasswordSalt',
        'LastHelpVisited',
        'InvalidLoginAttempts',
    ];
    assert.deepEqual(UserUpdate.required, [...six, 'Id']);
    assert.deepEqual(UserCreate.required, six);
    assert.deepEqual(UserPatch.required, []);
});

test('programs that make clients of it find names for all, and nothing that is not used', () => {
    const ids = (path) =>
        Object.fromEntries(
            Object.entries(doc.paths[path]).map(([method, { operationId }]) => [
                method,
                operationId,
            ]),
        );
    assert.deepEqual(ids('/api/sys/users'), {
        put: 'updateUser',
        get: 'listUsers',
        post: 'createUser',
    });
    assert.deepEqual(ids('/api/security/userroles/{id}'), {
        put: 'updateUserRoleById',
        get: 'getUserRole',
        patch: 'patchUserRole',
        delete: 'deleteUserRole',
    });
    assert.deepEqual(ids('/api/sys/audittrailentries'), { get: 'listAuditTrailEntries' });
    const text = JSON.stringify(doc);
    for (const [kind, all] of Object.entries(doc.components))
        for (const name of Object.keys(all)) {
            assert.match(name, /^[A-Za-z][A-Za-z0-9]*$/);
            assert.ok(
                kind === 'securitySchemes' ||
                    text.includes(`"$ref":"#/components/${kind}/${name}"`),
                `${kind}/${name}`,
            );
        }
    for (const path of Object.values(doc.paths))
        for (const one of Object.values(path)) {
            assert.match(one.operationId, /^[a-z][A-Za-z]*$/);
            assert.ok(
                one.description &&
                    doc.tags.some(({ name, description }) => name === one.tags[0] && description),
                one.operationId,
            );
            assert.equal(
                one.responses[200]?.$ref,
                undefined,
                `${one.operationId}: some programs do not follow references to what is right`,
            );
            const parameters = (one.parameters ?? []).map((parameter) => follow(doc, parameter));
            const camelCase = parameters.map(
                ({ name, in: place }) => place + name.replace(/[^a-z0-9]/gi, '').toLowerCase(),
            );
            assert.deepEqual(
                camelCase.filter((name, i) => camelCase.indexOf(name) < i),
                [],
                `${one.operationId}: programs that name variables after them`,
            );
            assert.deepEqual(
                parameters.filter(
                    (parameter) => parameter.required && parameter.example === undefined,
                ),
                [],
                'programs that try what is described',
            );
        }
    assert.deepEqual(
        doc.security,
        [{ basic: [] }, { bearer: [] }],
        'the last that a client finds is the one that it sends',
    );
    assert.deepEqual(
        [
            doc.info.license.identifier,
            typeof doc.info.contact.name,
            doc.components.parameters.PathId.example,
        ],
        ['Apache-2.0', 'string', userId],
    );
});

test('Basic is described where it is taken', async () => {
    const { json } = await (await Server.start(['--no-basic'])).call('GET', '/api/openapi.json');
    assert.deepEqual(
        [json.security, Object.keys(json.components.securitySchemes)],
        [[{ bearer: [] }], ['bearer']],
    );
    assert.deepEqual(Object.keys(doc.components.securitySchemes), ['basic', 'bearer']);
});

test('under compatibility = nexudus it describes what is imitated, and is the same in all else', async () => {
    const { json: other } = await imitator.call('GET', '/api/openapi.json');
    assert.equal(await judge(other), '');
    const { Unauthorized, NotFound, Forbidden, ...same } = other.components.responses;
    assert.equal(Forbidden, undefined);
    assert.equal(Unauthorized.content, undefined);
    assert.deepEqual(NotFound.content, {
        'application/json': { schema: { type: 'string', const: 'Not found' } },
    });
    assert.deepEqual(other.components.schemas.UserUpdate.properties.Language.enum, [0, 1, 2, 3]);
    assert.match(other.info.description, /nexudus.*resets/);
    const operations = Object.values(other.paths).flatMap((path) => Object.values(path));
    assert.ok(
        operations.length > 50 &&
            operations.every(({ responses }) => !responses[403] && responses[429]),
    );
    for (const [name, response] of Object.entries(same))
        assert.deepEqual(response, doc.components.responses[name], name);
    const common = (part) =>
        JSON.parse(JSON.stringify(part), (name, value) =>
            name === 'enum' && value[0] === 0 ? value.slice(1) : name === '403' ? undefined : value,
        );
    for (const part of [
        ({ paths }) => paths,
        ({ components }) => components.schemas,
        ({ tags }) => tags,
    ])
        assert.ok(isDeepStrictEqual(common(part(other)), common(part(doc))), `${part}`);
});

test('the description has the headers and queries of requests and replies', () => {
    const asked = ({ parameters = [] }, place) =>
        parameters
            .map((one) => follow(doc, one))
            .filter((one) => one.in === place)
            .map(({ name }) => name);
    const users = doc.paths['/api/sys/users'],
        user = doc.paths['/api/sys/users/{id}'];
    assert.deepEqual(asked(users.put, 'header'), ['If-Match', 'If-None-Match', 'Prefer']);
    assert.deepEqual(asked(users.post, 'header'), ['Idempotency-Key', 'If-Match', 'Prefer']);
    assert.deepEqual(asked(user.get, 'header'), ['If-Match', 'If-None-Match']);
    assert.deepEqual(asked(doc.paths['/api/token'].post, 'header'), ['client_id']);
    assert.deepEqual(asked(doc.paths['/api/sys/users/exchange'].post, 'query'), [
        'token',
        'validForInMinutes',
    ]);
    const filters = asked(users.get, 'query');
    assert.equal(new Set(filters).size, filters.length);
    for (const name of [
        'page',
        'size',
        'orderBy',
        'dir',
        'id',
        'UniqueId',
        'User_ClearAvatarFile',
        'User_EnablePassportAccess',
        'User_Application',
        'User_Businesses',
        'from_User_LastAccess',
        'to_User_LastAccess',
        'User_PassportNumber',
        'User_Application_Name',
    ])
        assert.ok(filters.includes(name), name);
    assert.deepEqual(
        filters.filter(
            (name) =>
                /^User_(New)?Password$|Secret$|AccessToken|Id_|_Id$|ClearAvatar$|[^m]Id$/.test(
                    name,
                ) &&
                name !== 'User_Id' &&
                !/SystemId|UniqueId/.test(name),
        ),
        [],
        'secrets, and names that mean the same as another',
    );
    const types = (name) => users.get.parameters.find((one) => one.name === name).schema;
    assert.deepEqual(
        [types('User_LastAccess').format, types('User_Active').type],
        [undefined, 'boolean'],
        'a date may come without a time',
    );
    for (const name of ['User_Id', 'User_Application'])
        assert.deepEqual(
            types(name).anyOf.map(({ type }) => type),
            ['integer', 'string'],
            `${name} is an Id, or several in a text`,
        );
    const given = (operation, code) =>
        Object.keys(follow(doc, operation.responses[code]).headers ?? {});
    assert.deepEqual(given(users.get, 200), ['X-Ignored-Parameters']);
    assert.deepEqual(
        ['put', 'post'].flatMap((method) => given(users[method], 200)),
        ['X-Ignored-Parameters', 'ETag', 'X-Ignored-Parameters', 'ETag'],
    );
    assert.deepEqual(
        [200, 304, 429].flatMap((code) => given(user.get, code)),
        ['ETag', 'ETag', 'X-Ignored-Parameters', 'Retry-After'],
    );
    assert.deepEqual(
        [401, 409, 412, 415, 503].map((code) => given(users.put, code)),
        [
            ['X-Ignored-Parameters', 'WWW-Authenticate'],
            ['X-Ignored-Parameters', 'ETag'],
            ['X-Ignored-Parameters', 'ETag'],
            ['Accept-Encoding'],
            ['X-Ignored-Parameters', 'Retry-After'],
        ],
    );
    const order = (path) =>
        doc.paths[path].get.parameters.find(({ name }) => name === 'orderBy').schema;
    assert.deepEqual(
        ['/api/sys/users', '/api/sys/audittrailentries'].map((path) => order(path).default),
        ['Id', 'UpdatedOn'],
    );
});

test('the comparison of exchanges with the description sees faults that were put in', async () => {
    const file = join(temporaryFolder(), 'exchanges');
    const token = await server.admin();
    const exchanges = [
        {
            compatibility: 'roster',
            method: 'GET',
            path: '/api/openapi.json',
            headers: {},
            status: 200,
            replyHeaders: { 'content-type': 'application/json' },
            size: 1,
            reply: doc,
        },
    ];
    exchanges.push({
        ...exchanges[0],
        compatibility: 'nexudus',
        reply: (await imitator.call('GET', '/api/openapi.json')).json,
    });
    const note = async (method, path, body, spoil = () => {}) => {
        const {
            status: code,
            headers,
            text,
            json,
        } = await server.call(method, path, { token, body });
        const one = {
            compatibility: server.compatibility,
            method,
            path,
            headers: {},
            body: body && JSON.stringify(body),
            status: code,
            replyHeaders: Object.fromEntries(headers),
            size: text.length,
            reply: json,
        };
        spoil(one);
        exchanges.push(one);
    };
    const chatRoom = { BusinessId: businessId, Name: 'Room' };
    await note('GET', `/api/sys/users/${userId}`);
    await note('GET', '/api/sys/users?size=2&User_Active=TRUE&nothing=1');
    await note('POST', '/api/support/chatrooms', chatRoom);
    await note('GET', '/api/nowhere');
    await note('DELETE', '/api/sys/users');
    const wrong = [
        [
            'GET',
            `/api/sys/users/${userId}`,
            undefined,
            (one) => {
                one.reply.Active = null;
            },
            /GET \S+ 200: reply \['Active'\]: None/,
        ],
        [
            'GET',
            `/api/sys/users/${userId}`,
            undefined,
            (one) => {
                one.reply.Extra = 1;
            },
            /GET \S+ 200: reply \[\]: .*'Extra' was unexpected/,
        ],
        [
            'GET',
            `/api/sys/users/${userId}`,
            undefined,
            (one) => {
                one.reply.UpdatedOn = 'today';
            },
            /GET \S+ 200: reply \['UpdatedOn'\]: 'today' is not a 'date-time'/,
        ],
        [
            'GET',
            `/api/sys/users/${userId}`,
            undefined,
            (one) => {
                delete one.replyHeaders.etag;
            },
            /header etag is missing/,
        ],
        [
            'GET',
            `/api/sys/users/${userId}`,
            undefined,
            (one) => {
                one.replyHeaders['x-new'] = '1';
            },
            /header x-new is not described/,
        ],
        [
            'GET',
            `/api/sys/users/${userId}`,
            undefined,
            (one) => {
                one.replyHeaders['content-type'] = 'text/html';
            },
            /media type 'text\/html' is not described/,
        ],
        [
            'GET',
            '/api/sys/users/5',
            undefined,
            (one) => {
                one.status = 410;
            },
            /status 410 is not described/,
        ],
        [
            'GET',
            '/api/sys/users?size=1',
            undefined,
            (one) => {
                one.path += '&dir=up';
            },
            /query dir \[\]: 'up' is not one of/,
        ],
        [
            'GET',
            '/api/sys/users?size=1',
            undefined,
            (one) => {
                one.path += '&other=1';
            },
            /query other is neither described nor said to be ignored/,
        ],
        [
            'GET',
            '/api/utils/enums?name=eLanguage',
            undefined,
            (one) => {
                one.path = '/api/utils/enums';
            },
            /query name is missing/,
        ],
        [
            'POST',
            '/api/support/chatrooms',
            chatRoom,
            (one) => {
                one.body = '{"BusinessId":null,"Name":"Room"}';
            },
            /POST \S+ 200: body \['BusinessId'\]: None is not of type 'integer'/,
        ],
        [
            'POST',
            '/api/support/chatrooms',
            chatRoom,
            (one) => {
                one.body = '{"BusinessId":301,"Name":"Room","Active":"yes"}';
            },
            /body \['Active'\]: 'yes' is not of type 'boolean', 'null'/,
        ],
        [
            'POST',
            '/api/support/chatrooms',
            chatRoom,
            (one) => {
                delete one.body;
            },
            /there was no body, yet it was accepted/,
        ],
        [
            'GET',
            '/api/sys/users/6',
            undefined,
            (one) => {
                one.compatibility = 'nexudus';
            },
            /GET \/api\/sys\/users\/6 404: reply \[\]: .* is not of type 'string'/,
        ],
    ];
    const check = () => {
        writeFileSync(file, exchanges.map((one) => `${JSON.stringify(one)}\n`).join(''));
        return look('check.py', file);
    };
    const right = await check();
    assert.equal(right.stdout, `${exchanges.length} exchanges, 0 not as described\n`, right.stderr);
    assert.equal(right.code, 1, 'there are operations that were never seen');
    assert.match(
        right.stderr,
        /^DELETE \/api\/apps\/applications\/\{id\} was never seen to succeed$/m,
    );
    assert.deepEqual(
        right.stderr
            .trimEnd()
            .split('\n')
            .filter((line) => !line.endsWith(' was never seen to succeed')),
        [],
        'it says nothing else',
    );
    for (const [method, path, body, spoil] of wrong) await note(method, path, body, spoil);
    const { stdout, stderr, code } = await check();
    assert.equal(code, 1);
    assert.equal(
        stdout,
        `${exchanges.length} exchanges, ${wrong.length} not as described\n`,
        stderr,
    );
    for (const [, , , , says] of wrong) assert.match(stderr, says);
});
