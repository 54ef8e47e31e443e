#ifndef ROSTER_STORE_SEAL_MARK_H
#define ROSTER_STORE_SEAL_MARK_H

#include "crypto/seal.h"
#include "store/store.h"

/**
 * Is this the key that seals the fields of this database? OK: it is. NOT_FOUND: unknown, because
 * nothing is sealed and the database never had a key. FORBIDDEN: the database has another key.
 * INTERNAL.
 */
enum status seal_mark_check(struct store_session *session, const struct seal_key *key) MUST_CHECK;

/** Writes the name of the key of this database (seal_name), or "none". OK, INTERNAL. */
enum status seal_mark_name(struct store_session *session, char out[SEAL_NAME_SIZE + 1]) MUST_CHECK;

/** Records the key as the database's, in the running transaction. INTERNAL. */
enum status seal_mark_set(struct store_tx *tx, const struct seal_key *key) MUST_CHECK;

#endif
