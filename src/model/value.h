#ifndef ROSTER_MODEL_VALUE_H
#define ROSTER_MODEL_VALUE_H

#include "base/text.h"

enum value_kind {
    VALUE_ABSENT, /* in a change: the body does not mention the field */
    VALUE_NULL,
    VALUE_INTEGER, /* also booleans (0, 1), dates (ms since 1970 UTC), references (an Id) */
    VALUE_TEXT,    /* also stored bytes, and stored lists as JSON text: [1,2,3] */
    VALUE_IDS,     /* a checked list of Ids */
    /* Only in a body that has just been parsed; rules/validate turns them into the kinds above. */
    VALUE_BOOLEAN,
    VALUE_LIST,
    VALUE_OTHER, /* a fraction, an object, an integer of more than 63 bits */
};

/** The value of a field. Its text or list lies in an arena. */
struct value {
    union {
        int64_t integer;
        const char *text;
        const int64_t *ids;
        const struct value *list;
    };
    uint32_t len; /* of text in bytes, of ids and list in elements */
    uint8_t kind; /* enum value_kind */
};

static inline struct value value_null(void) {
    return (struct value){ .kind = VALUE_NULL };
}

static inline struct value value_integer(int64_t integer) {
    return (struct value){ .integer = integer, .kind = VALUE_INTEGER };
}

/** A text as a value; `at` NULL gives VALUE_NULL. Texts are far shorter than 4 GiB, because bodies
 * have at most 1 MiB. */
static inline struct value value_text(struct text text) {
    if (!text.at)
        return value_null();
    return (struct value){ .text = text.at, .len = (uint32_t)text.len, .kind = VALUE_TEXT };
}

static inline struct value value_ids(const int64_t *ids, size_t count) {
    return (struct value){ .ids = ids, .len = (uint32_t)count, .kind = VALUE_IDS };
}

/** The text of a VALUE_TEXT; for other kinds an empty text with `at` NULL. */
static inline struct text value_as_text(const struct value *value) {
    if (value->kind != VALUE_TEXT)
        return (struct text){ 0 };
    return (struct text){ value->text, value->len };
}

/** The integer of a VALUE_INTEGER; for other kinds 0. */
static inline int64_t value_as_integer(const struct value *value) {
    return value->kind == VALUE_INTEGER ? value->integer : 0;
}

/** True for the integer 1, which is how records have a true boolean. */
static inline bool value_is_true(const struct value *value) {
    return value->kind == VALUE_INTEGER && value->integer == 1;
}

/** Compares kind and content. Lists of a parsed body never equal. */
bool value_equal(const struct value *a, const struct value *b);

#endif
