#ifndef ROSTER_STORE_WRITE_H
#define ROSTER_STORE_WRITE_H

#include "store/session.h"

/** Writes the index entries of a new record: links, texts, addresses. INTERNAL. */
enum status write_new_indexes(struct store_tx *tx, const struct record *record) MUST_CHECK;

/** The same for one field of a record, by its number, that has had no entries. INTERNAL. */
enum status write_new_index(struct store_tx *tx, const struct record *record,
                            unsigned field) MUST_CHECK;

#endif
