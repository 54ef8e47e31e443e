#ifndef ROSTER_SERVER_KEY_ROTATION_H
#define ROSTER_SERVER_KEY_ROTATION_H

#include "crypto/seal.h"
#include "store/store.h"

/** The file of the key in a data folder. */
#define KEY_NAME "roster.key"

/**
 * Seals everything in the database with a new key, which takes the place of the key in the data
 * folder. The old key is kept beside it. `key` is the key of the database (store_claim_key). Prints
 * where the old one is, or what is wrong. EX_OK; EX_DATAERR: the key does not open a value, and
 * nothing is changed; EX_IOERR. Main thread, while no server uses the folder.
 */
int key_rotation_run(struct store *store, const char *folder,
                     const struct seal_key *key) MUST_CHECK;

/**
 * Finishes a rotation that was interrupted after the database had its new key, if there was one.
 * OK: `*key`, which was not the database's, is replaced by the one that is. FORBIDDEN: there was
 * none. INTERNAL, which is reported. Main thread, at start.
 */
enum status key_rotation_finish(struct store *store, const char *folder,
                                struct seal_key **key) MUST_CHECK;

#endif
