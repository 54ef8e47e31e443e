#ifndef ROSTER_STORE_LINKS_H
#define ROSTER_STORE_LINKS_H

/* The index of links and references: finds the records that point to a row. */

#include "store/session.h"

/**
 * Updates the index for a linked field of `owner` that changes from `before` to `after`. INTERNAL.
 */
enum status links_change(struct store_tx *tx, const struct record *owner, unsigned field,
                         const struct value *before, const struct value *after) MUST_CHECK;

/**
 * Fills in a field of TYPE_backlinks of a record: "[1,2,3]", the Ids of the rows whose links name
 * the record. INTERNAL.
 */
enum status links_read_back(struct store_session *session, const struct field *field,
                            struct record *record, struct arena *arena) MUST_CHECK;

#endif
