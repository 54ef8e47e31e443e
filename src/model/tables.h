#ifndef ROSTER_MODEL_TABLES_H
#define ROSTER_MODEL_TABLES_H

#include "model/field.h"

/* Everything here is expanded from tables.def. */

/* The name of a field's index. A prefix that is a macro is expanded first. */
#define FIELD_INDEX(prefix, name) FIELD_INDEX_(prefix, name)
#define FIELD_INDEX_(prefix, name) prefix##_##name

/* The index of each field in its table and in a record's values, such as BUSINESS_Name. How many
 * there are, BUSINESS_FIELDS, follows the last one; after it the next table begins at 0 again. */
enum {
#define FIELD(prefix, name, type, max, ...) FIELD_INDEX(prefix, name),
#define TABLE(prefix, name, entity, rules, ...) prefix##_FIELDS, BEFORE_NEXT_OF_##prefix = -1,
#define BODY(prefix, name, ...) prefix##_FIELDS, BEFORE_NEXT_OF_##prefix = -1,
#include "model/tables.def"
};

/** The kind of change that an audit row records (docs/contract.md section 7.3). */
enum audit_type { AUDIT_CREATE = 1, AUDIT_UPDATE, AUDIT_DELETE };

/** The event of a webhook. Webhooks may have the hosted service's numbers, 1 to 90, but Roster
 * never sends these. */
enum web_hook_action {
    ACTION_NONE,
    ACTION_USER_CREATE = 1001,
    ACTION_USER_UPDATE,
    ACTION_USER_DELETE,
};

/** The state of a delivery. Statements and indexes of the store contain the number of PENDING. */
enum delivery_status {
    DELIVERY_PENDING = 1,
    DELIVERY_DELIVERED,
    DELIVERY_FAILED,    /* all its attempts did */
    DELIVERY_CANCELLED, /* its webhook was made inactive, or deleted */
};

/* business_table, and those of bodies that are no records, for the same reading and checking. */
#define TABLE(prefix, name, entity, rules, ...) extern const struct table name##_table;
#define BODY(prefix, name, ...) extern const struct table name##_table;
#include "model/tables.def"

/** The index of a resource's table in `tables`. */
enum table_number {
#define TABLE(prefix, name, entity, rules, ...) TABLE_##name,
#include "model/tables.def"
    TABLES
};

/** The tables of all resources. */
extern const struct table *const tables[TABLES];

/** The table whose records are called so ("User"), whatever the case; NULL: none. Any thread. */
const struct table *tables_find(struct text entity);

/** Ends the process if the declaration of a field does not fit its type (field_fits_type). Main
 * thread, at start. */
void tables_check(void);

#endif
