#ifndef ROSTER_RULES_VALIDATE_H
#define ROSTER_RULES_VALIDATE_H

#include "model/change.h"

/** What the rules need to know besides the values. */
struct rules {
    bool nexudus;  /* compatibility = nexudus */
    bool is_new;   /* the record does not exist yet: it gets its Id */
    bool is_patch; /* RFC 7396: what is not said stays, required or not; null empties a list */
    bool strict;   /* the client prefers handling=strict (RFC 7240 section 4.4) */
    int64_t now_ms;
    struct text author; /* the e-mail address of who asks */
};

/**
 * Checks all that can be said of a change without the stored record, and brings the values into
 * the form that a record holds: kinds NULL, INTEGER, TEXT and IDS only; e-mail addresses trimmed,
 * dates as ms, GUIDs in lower case, ids each once. Empty passwords become absent: they say nothing.
 * Adds every error: `Id` first, then required fields, then optional ones, each in the order of the
 * table, then unknown names when strict. The value of a field with an error becomes absent.
 */
void validate(struct change *change, const struct rules *rules, struct arena *arena,
              struct errors *errors);

bool validate_is_utf8(struct text text);

/** Is it UTF-8 of at most `max` characters, with no control character or line break? */
bool validate_is_line(struct text text, size_t max);

/** Adds an error on a field, with the submitted value unless the field is a secret. */
void validate_complain(const struct change *change, unsigned field, struct text message,
                       struct arena *arena, struct errors *errors);

#endif
