#ifndef ROSTER_WEBHOOKS_DELIVER_H
#define ROSTER_WEBHOOKS_DELIVER_H

#include "crypto/seal.h"
#include "fetch/fetch.h"
#include "store/store.h"

/**
 * Brings what lies in the outbox to the webhooks' URLs: at least once, and one user's events to one
 * webhook in order. An attempt that fails is repeated with growing pauses, ten in all; ten
 * deliveries in a row that failed so make their webhook inactive (docs/contract.md section 9). A
 * webhook that does not answer holds no other one up.
 */
struct deliverer;

struct deliver_options {
    struct store *store;
    const struct seal_key *key; /* of the shared secrets */
    const char *allowed_hosts;  /* as in fetch_options */
    int64_t retry_ms;           /* the first pause; each further one is twice as long */
};

/** NULL when the system refuses threads or descriptors. */
struct deliverer *deliverer_start(const struct deliver_options *options) MUST_CHECK;

/** Lets attempts that run end or aborts them: they will be made again. Takes NULL. */
void deliverer_stop(struct deliverer *deliverer);

#endif
