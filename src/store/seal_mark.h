#ifndef ROSTER_STORE_SEAL_MARK_H
#define ROSTER_STORE_SEAL_MARK_H

#include "crypto/seal.h"
#include "store/store.h"

/**
 * Is it the key that seals the fields of this database? NOT_FOUND: nothing tells, since nothing is
 * sealed and the database never had a key. FORBIDDEN: it is not. INTERNAL.
 */
enum status seal_mark_check(struct store_session *session, const struct seal_key *key) MUST_CHECK;

#endif
