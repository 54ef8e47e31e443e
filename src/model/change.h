#ifndef ROSTER_MODEL_CHANGE_H
#define ROSTER_MODEL_CHANGE_H

#include "base/arena.h"
#include "model/field.h"
#include "model/value.h"

struct json_value; /* a value of the body as it came; see json/json.h */

/** What is wrong with one property of a body. */
struct error {
    struct error *next;
    unsigned order; /* the client sees the lowest first; equals as they were added */
    struct text property;
    struct text message;
    const struct json_value *attempted; /* NULL: `attempted_text` is shown */
    struct text attempted_text;         /* of a query; `at` NULL: null is shown */
};

/** Errors in the order in which the client sees them. */
struct errors {
    struct error *first, *last;
    bool failed; /* memory was too short to hold them all */
};

/** Adds an error in its place; texts are not copied. */
void errors_add(struct errors *errors, struct arena *arena, const struct error *error);

/** What a body asks to be changed: one value a field, absent where it says nothing. */
struct change {
    const struct table *table;
    struct value *values;
    const struct json_value **submitted; /* one a field: the value as it came, NULL if absent */
    uint64_t repeated[2];                /* a bit for each field that came twice */
    struct error *unknown;               /* names that are no writable property, in order */
};

enum { CHANGE_FIELDS_MAX = 128 };

/** A change of `table` that says nothing; `values` is NULL when memory is short. */
struct change change_new(const struct table *table, struct arena *arena);

static inline bool change_has(const struct change *change, unsigned field) {
    return change->values[field].kind != VALUE_ABSENT;
}

static inline bool change_repeats(const struct change *change, unsigned field) {
    return change->repeated[field / 64] >> (field % 64) & 1;
}

#endif
