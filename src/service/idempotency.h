#ifndef ROSTER_SERVICE_IDEMPOTENCY_H
#define ROSTER_SERVICE_IDEMPOTENCY_H

#include "service/mutation.h"

/* A client that does not know whether its record was made asks again with the same Idempotency-Key,
 * and gets the first answer (docs/api.md "Idempotency-Key on a create"). */

/** How long a key is remembered. */
#define IDEMPOTENCY_WINDOW_MS (INT64_C(24) * 3600 * 1000)

/** A key as it came: `count` headers had one; `key.len` 0: none. */
struct idempotency_key {
    struct text key;
    unsigned count;
};

/**
 * Has a mutation that makes a record be known by a key and the body that it came with; a key that
 * is none adds to its errors. Once, before anything changes the body. Without a key, or of another
 * kind of mutation, nothing happens.
 */
void idempotency_take(struct mutation *mutation, const struct idempotency_key *key,
                      struct text body);

/**
 * Was the mutation's key used before? STATUS_NOT_FOUND: no, or it has none; OK: by the same caller
 * with the same body, and `result` is what became of it; UNPROCESSABLE: with another body;
 * INTERNAL. On any session: in the transaction it counts, before it saves work.
 */
enum status idempotency_find(struct mutation *mutation, struct store_session *session) MUST_CHECK;

/** Remembers `result` by the mutation's key, if it has one. In the transaction. STATUS_INTERNAL. */
enum status idempotency_keep(struct mutation *mutation, struct store_tx *tx) MUST_CHECK;

#endif
