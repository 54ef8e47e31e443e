// Fails on an await of a test file that is outside of functions and between two of its tests.
//
// Node 18 begins to run tests as soon as the file first waits: what is awaited between two tests may not be there when
// the first of them runs, and the server that both use may be gone before the second. So all that tests need is awaited
// before the first of them.
import { readFileSync, readdirSync } from 'node:fs';
import { parsers } from './node_modules/prettier/plugins/acorn.mjs';

const tests = new URL('../../tests/', import.meta.url);
const isFunction = ({ type }) => /^(Arrow)?Function/.test(type) || type === 'PropertyDefinition';
const isAwait = ({ type, await: each }) =>
    type === 'AwaitExpression' || (type === 'ForOfStatement' && each);
const isTest = ({ type, callee }) =>
    type === 'CallExpression' && (callee.name === 'test' || callee.object?.name === 'test');

// Calls `visit` for each node of a syntax tree that is outside of functions.
function walk(node, visit) {
    if (Array.isArray(node)) node.forEach((one) => walk(one, visit));
    else if (node && typeof node.type === 'string' && !isFunction(node)) {
        visit(node);
        Object.values(node).forEach((one) => walk(one, visit));
    }
}

function check(name) {
    const text = readFileSync(new URL(name, tests), 'utf8');
    const found = { tests: [], awaits: [] };
    walk(parsers.acorn.parse(text, { filepath: name }).body, (node) => {
        if (isTest(node)) found.tests.push(node.range[0]);
        else if (isAwait(node)) found.awaits.push(node.range[0]);
    });
    if (!found.tests.length) return [`tests/${name}: has no test outside of functions`];
    const [first, last] = [found.tests[0], found.tests.at(-1)];
    return found.awaits
        .filter((at) => at > first && at < last)
        .map(
            (at) =>
                `tests/${name}:${text.slice(0, at).split('\n').length}: awaits between two tests`,
        );
}

const files = readdirSync(tests, { withFileTypes: true })
    .filter((one) => one.isDirectory())
    .flatMap(({ name }) =>
        readdirSync(new URL(`${name}/`, tests))
            .filter((file) => file.endsWith('.test.mjs'))
            .map((file) => `${name}/${file}`),
    );
const wrong = files.flatMap(check);
wrong.forEach((line) => console.log(line));
if (!files.length) console.log('tests/ has no test files');
process.exitCode = wrong.length || !files.length ? 1 : 0;
