#ifndef ROSTER_BASE_TEXT_H
#define ROSTER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** A view of bytes that something else owns: UTF-8 unless a comment says otherwise, and not
 * terminated by NUL. */
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

/** `text` without the UTF-8 byte order mark that some editors write at its start. */
struct text text_without_mark(struct text text);

/**
 * Splits `*rest` at the first `separator`: returns the part before it, and leaves the part after it
 * in `*rest`. Without a separator returns everything and leaves an empty text with `at` NULL.
 */
struct text text_cut(struct text *rest, char separator);

/**
 * Removes "[]" or "[12]" from the end of a name, which form libraries write after the names of
 * lists. False, and the name stays, if it does not end so.
 */
bool text_take_brackets(struct text *name);

/**
 * Removes the next item from a comma-separated list, trimmed; skips empty items. False at the end
 * of the list.
 */
bool text_next(struct text *list, struct text *item);

/**
 * Reads a decimal integer such as "-12" or "0". False for anything else (plus signs, blanks and
 * leading zeros too) and for numbers that do not fit.
 */
bool text_to_int64(struct text text, int64_t *out);

/** Room for text_from_int64. */
enum { INT64_TEXT_MAX = 20 };

/** Writes `number` in decimal to `out`, of INT64_TEXT_MAX bytes, without NUL. Returns the length.
 */
size_t text_from_int64(int64_t number, char *out);

/** The number of code points of valid UTF-8. */
size_t text_characters(struct text utf8);

#endif
