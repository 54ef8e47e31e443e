#ifndef ROSTER_BASE_TEXT_H
#define ROSTER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Bytes from anywhere: UTF-8 unless said otherwise, never taken to end in NUL, owned elsewhere. */
struct text {
    const char *at;
    size_t len;
};

/** A string literal as text. */
#define TEXT(literal) ((struct text){ "" literal, sizeof(literal) - 1 })

/** A NUL-terminated string as text; NULL gives the empty text with `at` NULL. */
static inline struct text text_of(const char *string) {
    return (struct text){ string, string ? strlen(string) : 0 };
}

static inline bool text_equal(struct text a, struct text b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/** An ASCII letter in lower case; any other byte as it is. */
static inline char text_lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/** Equality without regard to the case of ASCII letters. */
bool text_equal_nocase(struct text a, struct text b);

/** Does `whole` begin with `start`, without regard to the case of ASCII letters? */
bool text_starts_nocase(struct text whole, struct text start);

/** `text` without ASCII white space at both ends. */
struct text text_trim(struct text text);

/** `text` less a byte order mark of UTF-8 at its start, which some editors write. */
struct text text_without_mark(struct text text);

/**
 * Cuts the part of `*rest` before the first `separator` off and returns it; `*rest` becomes what
 * follows the separator, or an empty text with `at` NULL when there was none.
 */
struct text text_cut(struct text *rest, char separator);

/**
 * Takes "[]" or "[12]" off the end of a name, as form libraries write lists. False when there is
 * none.
 */
bool text_take_brackets(struct text *name);

/**
 * Takes the next text of a list that is separated by commas, without white space around it; empty
 * ones are passed over. False at the end of the list.
 */
bool text_next(struct text *list, struct text *item);

/**
 * Reads a whole decimal number ("-12", "0"; no plus sign, blanks or leading zeros).
 * False when it is anything else or does not fit.
 */
bool text_to_int64(struct text text, int64_t *out);

/** Room for text_from_int64. */
enum { INT64_TEXT_MAX = 20 };

/** Writes `number` in decimal to `out` (at least INT64_TEXT_MAX bytes, no NUL); the length. */
size_t text_from_int64(int64_t number, char *out);

/** The number of code points of valid UTF-8. */
size_t text_characters(struct text utf8);

#endif
