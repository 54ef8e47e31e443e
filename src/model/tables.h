#ifndef ROSTER_MODEL_TABLES_H
#define ROSTER_MODEL_TABLES_H

#include "model/field.h"

/* All is expanded from tables.def. */

/* Each enum gives the index of a field in its table and in a record's values: BUSINESS_Name, and
 * BUSINESS_FIELDS of them. */
#define FIELD_INDEX_(prefix, name) prefix##_##name
#define FIELD_INDEX(prefix, name) FIELD_INDEX_(prefix, name)
#define TABLE(name, rows, entity, noun, rights, kept, rules) enum name##_field {
#define BODY(name, rows, entity, noun) enum name##_field {
#define FIELD(name, type, max, flags, of) FIELD_INDEX(PREFIX, name),
#define END                                                                                        \
    FIELD_INDEX(PREFIX, FIELDS)                                                                    \
    }                                                                                              \
    ;
#include "model/tables.def"

/** What an audit row is about (docs/contract.md section 7.3). */
enum audit_type { AUDIT_CREATE = 1, AUDIT_UPDATE, AUDIT_DELETE };

/** What a webhook waits for. The service's own numbers, 1 to 90, can be waited for but never
 * happen. */
enum web_hook_action {
    ACTION_NONE,
    ACTION_USER_CREATE = 1001,
    ACTION_USER_UPDATE,
    ACTION_USER_DELETE,
};

/** What became of a delivery. Statements and indexes of the store name the first by its number. */
enum delivery_status {
    DELIVERY_PENDING = 1,
    DELIVERY_DELIVERED,
    DELIVERY_FAILED,    /* all its attempts did */
    DELIVERY_CANCELLED, /* its webhook was made inactive, or deleted */
};

/* business_table, and those of bodies that are no records, for the same reading and checking. */
#define TABLE(name, rows, entity, noun, rights, kept, rules) extern const struct table name##_table;
#define BODY(name, rows, entity, noun) extern const struct table name##_table;
#include "model/tables.def"

/** Where the table of a resource is in `tables`. */
enum table_number {
#define TABLE(name, rows, entity, noun, rights, kept, rules) TABLE_##name,
#include "model/tables.def"
    TABLES
};

/** The tables of all resources. */
extern const struct table *const tables[TABLES];

#endif
