#ifndef ROSTER_RULES_AUDIT_H
#define ROSTER_RULES_AUDIT_H

#include "model/record.h"
#include "model/tables.h"

/*
 * The rows of the audit trail: which changes have one, and what it shows. All functions are pure
 * and may run on any thread. A row points to the texts of its record, and to `room` where a text
 * had to be made, so it lives no longer than these.
 */

enum {
    AUDIT_TEXT_MAX = 1024, /* bytes of a text; a row has a digest in place of a longer one */
    AUDIT_ROOM = 128,
};

/** Room for the texts of one row that have to be made: numbers, times, digests. */
struct audit_room {
    char before[AUDIT_ROOM], after[AUDIT_ROOM];
};

/** A row of the audit trail. */
struct audit_row {
    const char *entity; /* of the record: "User" */
    int64_t entity_id;
    enum audit_type type;
    struct text property;      /* `at` NULL: the row is about the whole record */
    struct text before, after; /* `at` NULL: none */
    struct value business;     /* the Id of the business that the record belongs to, or null */
};

/**
 * Does a change of this field leave an audit row? Not that of a hidden field, nor of UpdatedOn and
 * UpdatedBy, which every row has itself, nor of ToStringText, which follows from other fields.
 */
bool audit_covers(const struct table *table, unsigned field);

/**
 * A value as rows show it; `at` NULL: there is none. `field` must be one that searches can use. The
 * text lies in the value or in `room`.
 */
struct text audit_text(const struct field *field, const struct value *value, char room[AUDIT_ROOM]);

/** Is this the digest that a row has in place of a long text? A text that looks like one is taken
 * for one. */
bool audit_is_digest(struct text text);

/** The row of a record that was created or deleted. */
struct audit_row audit_record(const struct record *record, enum audit_type type);

/**
 * The row of a changed field, with its values before and after. Of a field that searches cannot use
 * (a secret, or CONFIDENTIAL) it shows neither: the row has "changed" as its value after the
 * change.
 */
struct audit_row audit_field(const struct record *before, const struct record *after,
                             unsigned field, struct audit_room *room);

/** The row of something that happened to a record and changed no field, such as a lock-out of a
 * user. */
struct audit_row audit_event(const struct record *record, struct text property, struct text value,
                             struct audit_room *room);

/** The row of a user who was erased. It shows the Id and nothing else. */
struct audit_row audit_erasure(int64_t user_id);

#endif
