#ifndef ROSTER_JSON_JSON_H
#define ROSTER_JSON_JSON_H

#include "base/buffer.h"
#include "base/status.h"
#include "model/change.h"
#include "model/record.h"

/** Members that an object may have; no resource has a tenth of it. */
enum { JSON_MEMBERS_MAX = 1000 };

struct json_body {
    struct text text;
    bool is_exact; /* names only as the table spells them, and no byte order mark */
};

/**
 * Reads a body against a field table in one walk: `change->values` as they came (kinds NULL,
 * BOOLEAN, INTEGER, TEXT, LIST, OTHER), `submitted`, `repeated`, `unknown`. Types and limits are
 * for rules/validate. The change lives in the arena and does not need `body` afterwards.
 * Names are taken without regard to case: two spellings of one are a name twice.
 * It holds at most 8 times the body, or 512 KiB.
 * STATUS_BAD_INPUT when the body is not one JSON object of UTF-8 (RFC 8259), nested more than 64
 * levels deep, or has more than 1,000 members, or more than 10,000 values with fewer than 6 bytes
 * for each on average; then `errors` has one error on the property `Body`, with line and column.
 * STATUS_BROKEN when memory is short.
 */
enum status json_read_change(const struct json_body *body, const struct table *table,
                             struct arena *arena, struct change *change,
                             struct errors *errors) MUST_CHECK;

/** Adds a string in quotes, escaped (RFC 8259 section 7). The text must be UTF-8. */
void json_add_string(struct buffer *buffer, struct text text);

/** Adds a moment as a string. */
void json_add_date(struct buffer *buffer, int64_t ms);

/** Adds a value of a body again as it came; NULL is null. */
void json_add_submitted(struct buffer *buffer, const struct json_value *value);

/** Adds a record as an object: its shown members in the order of the table, secrets as null. */
void json_add_record(struct buffer *buffer, const struct record *record);

/** The same with the members that this version does not know: the JSON that a row keeps. */
void json_add_row(struct buffer *buffer, const struct record *record);

/** What stands in JSON for a field that has no value: null, false, 0 or []. */
struct text json_nothing(const struct field *field);

/** The same as a record of a page, which leaves collections out (docs/api.md "lists"). */
void json_add_listed(struct buffer *buffer, const struct record *record);

/** The same of the JSON that json_add_record wrote. */
void json_add_without_links(struct buffer *buffer, struct text json);

/**
 * Reads what json_add_row wrote, in this version of Roster or in one with other fields: the values
 * of all fields that field_is_kept_in_json. A member that is missing is read as json_nothing, and
 * one that no field is called goes to `unknown`, if it has a value. `record` is a new one. Takes
 * `json` over, which must lie in memory that can be written and lives as long as the arena: texts
 * are parts of it, and end in a NUL. False when it is anything else, has no Id, or memory is short.
 */
bool json_read_record(struct text json, struct arena *arena, struct record *record) MUST_CHECK;

/** The same for one member alone; a text may be a part of `json`, which must then outlive it. */
bool json_read_member(struct text json, const struct field *field, struct arena *arena,
                      struct value *value) MUST_CHECK;

/** Adds the list of errors: AttemptedValue, Message, PropertyName each. */
void json_add_errors(struct buffer *buffer, const struct error *first);

#endif
