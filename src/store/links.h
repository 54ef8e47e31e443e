#ifndef ROSTER_STORE_LINKS_H
#define ROSTER_STORE_LINKS_H

/* The index of links and references: who points to a row. */

#include "store/session.h"

/** Writes the difference between two values of a linked field of `owner` into the index. INTERNAL.
 */
enum status links_change(struct store_tx *tx, const struct record *owner, unsigned field,
                         const struct value *before, const struct value *after) MUST_CHECK;

/**
 * Reads "[1,2,3]", the Ids of the rows whose links name this record, into a field of it (of
 * TYPE_backlinks). INTERNAL.
 */
enum status links_read_back(struct store_session *session, const struct field *field,
                            struct record *record, struct arena *arena) MUST_CHECK;

#endif
