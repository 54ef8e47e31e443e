#ifndef ROSTER_JSON_JSON_H
#define ROSTER_JSON_JSON_H

#include "base/buffer.h"
#include "base/status.h"
#include "model/change.h"
#include "model/record.h"

/** The most members that a body may have: ten times as many as the largest resource. */
enum { JSON_MEMBERS_MAX = 1000 };

struct json_body {
    struct text text;
    bool is_exact; /* compare names with regard to case, and refuse a byte order mark */
};

/**
 * Parses a body and finds the field of each member: fills in `values` (of the kinds NULL, BOOLEAN,
 * INTEGER, TEXT, LIST, OTHER), `submitted`, `repeated` and `unknown` of `change`. Types and limits
 * of fields are checked by rules/validate. Names are compared without regard to case unless
 * `is_exact`; two spellings of a name count as the name twice. The change lives in the arena, takes
 * at most 8 times the size of the body or 512 KiB, and does not need `body` afterwards.
 *
 * STATUS_BAD_INPUT, with one error on the property `Body`, if the body is not one JSON object in
 * UTF-8 (RFC 8259), is nested more than 64 levels deep, has more than 1,000 members, or has more
 * than 10,000 values that take fewer than 6 bytes each on average. STATUS_INTERNAL if there is no
 * memory.
 */
enum status json_read_change(const struct json_body *body, const struct table *table,
                             struct arena *arena, struct change *change,
                             struct errors *errors) MUST_CHECK;

/* The functions that add to a buffer set its `failed` if there is no memory. */

/** Adds a text, which must be UTF-8, as a string: in quotes and escaped (RFC 8259 section 7). */
void json_add_string(struct buffer *buffer, struct text text);

/** Adds a time as a string in the form of time_format. */
void json_add_date(struct buffer *buffer, int64_t ms);

/** Adds a value of a body as it was submitted; NULL gives null. */
void json_add_submitted(struct buffer *buffer, const struct json_value *value);

/** Adds a record as an object, as replies show it: the shown fields in the order of the table, and
 * secrets as null. */
void json_add_record(struct buffer *buffer, const struct record *record);

/** The same plus the members that this version does not know. Rows of the store keep this form. */
void json_add_row(struct buffer *buffer, const struct record *record);

/** The JSON for a field without a value: null, false, 0 or []. */
struct text json_nothing(const struct field *field);

/** Adds a record as pages show it: without collections (docs/api.md "lists"). */
void json_add_listed(struct buffer *buffer, const struct record *record);

/** The same from the JSON that json_add_record wrote. */
void json_add_without_links(struct buffer *buffer, struct text json);

/**
 * Reads JSON that json_add_row has written, in this version of Roster or in one with other fields,
 * into a new record: the values of all fields for which field_is_kept_in_json. A missing member
 * reads as json_nothing. A member without a field is kept in `unknown`, unless it has no value.
 *
 * `json` must be writable and live as long as the arena, and belongs to the record from here on:
 * texts point into it, and their closing quotes are overwritten with NULs. False if `json` has
 * another form or no Id, or if there is no memory.
 */
bool json_read_record(struct text json, struct arena *arena, struct record *record) MUST_CHECK;

/** Reads one member. A text may point into `json`, which must then outlive it. */
bool json_read_member(struct text json, const struct field *field, struct arena *arena,
                      struct value *value) MUST_CHECK;

/**
 * Takes the next member of a record from the text of several ones, as a search appends them: its
 * name, and its value as JSON. False at the end of each record, which is then taken with the comma
 * behind it. `records->at` NULL: the text is no record.
 */
bool json_next_member(struct text *records, struct text *name, struct text *value) MUST_CHECK;

/** The text of a string that json_next_member gave, decoded. `at` NULL: no memory, or no string. */
struct text json_decode(struct text string, struct arena *arena) MUST_CHECK;

/** Adds the list of errors, each with AttemptedValue, Message and PropertyName. */
void json_add_errors(struct buffer *buffer, const struct error *first);

#endif
