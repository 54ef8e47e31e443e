#ifndef ROSTER_MODEL_VALUE_H
#define ROSTER_MODEL_VALUE_H

#include "base/text.h"

enum value_kind {
    VALUE_ABSENT, /* in a change: not mentioned */
    VALUE_NULL,
    VALUE_INTEGER, /* also booleans (0, 1), dates (ms since 1970 UTC), references (an Id) */
    VALUE_TEXT,    /* also stored bytes, and stored lists as JSON: [1,2,3] */
    VALUE_IDS,     /* a checked list of ids */
    /* Only as JSON came in, before rules/validate has made one of the above of it: */
    VALUE_BOOLEAN,
    VALUE_LIST,
    VALUE_OTHER, /* a fraction, an object, an integer of more than 63 bits */
};

/** What a field holds. What it points to belongs to an arena. */
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

/** `at` NULL becomes VALUE_NULL. Texts are far below 4 GiB: bodies end at 1 MiB. */
static inline struct value value_text(struct text text) {
    if (!text.at)
        return value_null();
    return (struct value){ .text = text.at, .len = (uint32_t)text.len, .kind = VALUE_TEXT };
}

static inline struct value value_ids(const int64_t *ids, size_t count) {
    return (struct value){ .ids = ids, .len = (uint32_t)count, .kind = VALUE_IDS };
}

/** The text of a text value; an empty one with `at` NULL for any other kind. */
static inline struct text value_as_text(const struct value *value) {
    if (value->kind != VALUE_TEXT)
        return (struct text){ 0 };
    return (struct text){ value->text, value->len };
}

/** Is it the integer 1, a true boolean of a record? */
static inline bool value_is_true(const struct value *value) {
    return value->kind == VALUE_INTEGER && value->integer == 1;
}

/** Equality of kind and content; not for lists as they came in. */
bool value_equal(const struct value *a, const struct value *b);

#endif
