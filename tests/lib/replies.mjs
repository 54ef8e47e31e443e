// Assertions about replies.
import assert from 'node:assert/strict';

// The members of a reply to a change that was made, as the page has them.
export const actionMembers = [
    'Status',
    'Message',
    'Value',
    'OpenInDialog',
    'OpenInWindow',
    'RedirectURL',
    'JavaScript',
    'UpdatedOn',
    'UpdatedBy',
    'Errors',
    'WasSuccessful',
];

// A reply that refuses `property`: 400 with the envelope of validation errors. The error on that property.
export function assertInvalid(reply, property, message) {
    assert.equal(reply.status, 400, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['Message', 'Value', 'Errors', 'WasSuccessful']);
    assert.equal(reply.json.Value, null);
    assert.equal(reply.json.WasSuccessful, false);
    const error = reply.json.Errors.find((one) => one.PropertyName === property);
    assert.ok(error, `no error on ${property}: ${reply.text}`);
    assert.deepEqual(Object.keys(error), ['AttemptedValue', 'Message', 'PropertyName']);
    assert.match(error.Message, message);
    assert.ok(reply.json.Message.includes(`${property}: ${error.Message}`));
    return error;
}

// A reply that failed with this status and the envelope that every other failure has; its body.
export function assertFailure(reply, status) {
    assert.equal(reply.status, status, reply.text);
    assert.deepEqual(Object.keys(reply.json), [
        'Status',
        'Message',
        'Value',
        'Errors',
        'WasSuccessful',
    ]);
    assert.equal(reply.json.Status, status);
    assert.equal(reply.json.Value, null);
    assert.equal(reply.json.WasSuccessful, false);
    return reply.json;
}

// A node of an OpenAPI document, or the one that it refers to.
export const follow = (document, node) =>
    node?.$ref
        ? node.$ref
              .slice(2)
              .split('/')
              .reduce((at, name) => at[name], document)
        : node;
