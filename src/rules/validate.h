#ifndef ROSTER_RULES_VALIDATE_H
#define ROSTER_RULES_VALIDATE_H

#include "model/change.h"

/** All that the rules depend on besides the values. */
struct rules {
    bool nexudus;  /* compatibility = nexudus */
    bool is_new;   /* the change creates a record, whose Id the server assigns */
    bool is_patch; /* RFC 7396: omitted fields stay, even required ones; null empties a list */
    bool strict;   /* the client prefers handling=strict (RFC 7240 section 4.4) */
    int64_t now_ms;
    struct text author; /* the caller's e-mail address, for UpdatedBy */
};

/**
 * Checks everything about a change that does not depend on the stored record, and converts its
 * values to the form of records: only the kinds NULL, INTEGER, TEXT and IDS, e-mail addresses in
 * normal form, dates in ms, GUIDs in lower case, each Id of a list once. An empty password becomes
 * absent.
 *
 * Adds all errors, in this order: `Id`, the required fields, the optional fields (each group in the
 * order of the table), and unknown names if `strict`. A value with an error becomes absent.
 */
void validate(struct change *change, const struct rules *rules, struct arena *arena,
              struct errors *errors);

/** True for valid UTF-8. */
bool validate_is_utf8(struct text text);

/** True for UTF-8 of at most `max` characters without control characters and line breaks. */
bool validate_is_line(struct text text, size_t max);

/** Adds an error on a field, with the submitted value as AttemptedValue unless it is a secret. */
void validate_add_error(const struct change *change, unsigned field, struct text message,
                        struct arena *arena, struct errors *errors);

#endif
