#ifndef ROSTER_WEBHOOKS_DELIVER_H
#define ROSTER_WEBHOOKS_DELIVER_H

#include "crypto/seal.h"
#include "fetch/fetch.h"
#include "store/store.h"

#include <stdatomic.h>

/**
 * The thread that posts what lies in the outbox to the webhooks' URLs (docs/contract.md section 9).
 * Each event arrives at least once, and the events of one user arrive at one webhook in their
 * order. rules/webhook.h decides when an attempt is made again and when a webhook is made inactive.
 * A receiver that does not answer delays no other one. It delivers while this process has the
 * office of the database.
 */
struct deliverer;

/** Attempts by what came of them. One that the end of the server aborted is not counted. */
struct delivery_counts {
    atomic_uint_fast64_t delivered, failed;
};

struct deliver_options {
    struct store *store;
    const struct seal_key *key; /* that the shared secrets are encrypted with */
    const char *allowed_hosts;  /* as in fetch_options */
    int64_t retry_ms;           /* between the first two attempts; each pause doubles the last */
    struct delivery_counts *counts;
};

/** Starts the thread, and a fetcher for it. NULL when the system refuses threads or descriptors. */
struct deliverer *deliverer_start(const struct deliver_options *options) MUST_CHECK;

/** Replaces the allowed hosts, for attempts from now on. As fetcher_allow. */
void deliverer_allow(struct deliverer *deliverer, const char *hosts);

/**
 * Stops the thread and waits for it. Attempts in flight are aborted; they do not count, and the
 * next start makes them again. Takes NULL.
 */
void deliverer_stop(struct deliverer *deliverer);

#endif
