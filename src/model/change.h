#ifndef ROSTER_MODEL_CHANGE_H
#define ROSTER_MODEL_CHANGE_H

#include "base/arena.h"
#include "model/field.h"
#include "model/value.h"

struct json_value; /* a value of the body as it was submitted; see json/json.h */

/** An error in one property of a body. */
struct error {
    struct error *next;
    unsigned order; /* replies list errors in ascending order, equal ones as they were added */
    struct text property;
    struct text message;
    const struct json_value *attempted; /* AttemptedValue; NULL: `attempted_text` is used */
    struct text attempted_text;         /* AttemptedValue from a query; `at` NULL: null */
};

/** Errors in the order in which the reply lists them. */
struct errors {
    struct error *first, *last;
    bool failed; /* one could not be added because there was no memory */
};

/** Adds a copy of `error` in its order. Its texts are not copied and must outlive the list. Sets
 * `failed` if there is no memory. */
void errors_add(struct errors *errors, struct arena *arena, const struct error *error);

/** The change that a body asks for: a value for each field, VALUE_ABSENT for those that the body
 * does not mention. */
struct change {
    const struct table *table;
    struct value *values;
    const struct json_value **submitted; /* for each field the value as submitted, or NULL */
    uint64_t repeated[2];                /* a bit for each field that the body has more than once */
    struct error *unknown;               /* names of no writable property, in the body's order */
};

enum { CHANGE_FIELDS_MAX = 128 };

/** An empty change of `table`. `values` is NULL if there is no memory. */
struct change change_new(const struct table *table, struct arena *arena);

static inline bool change_has(const struct change *change, unsigned field) {
    return change->values[field].kind != VALUE_ABSENT;
}

static inline bool change_repeats(const struct change *change, unsigned field) {
    return change->repeated[field / 64] >> (field % 64) & 1;
}

#endif
