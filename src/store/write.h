#ifndef ROSTER_STORE_WRITE_H
#define ROSTER_STORE_WRITE_H

#include "store/session.h"

/** Writes the index entries of a new record: links, texts, addresses. INTERNAL. */
enum status write_new_indexes(struct store_tx *tx, const struct record *record) MUST_CHECK;

#endif
