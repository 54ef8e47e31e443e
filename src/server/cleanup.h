#ifndef ROSTER_SERVER_CLEANUP_H
#define ROSTER_SERVER_CLEANUP_H

#include "base/settings.h"
#include "store/store.h"

/**
 * Deletes a batch of expired rows: tokens, idempotency keys, webhook deliveries after
 * --webhook-log-days, audit rows after --audit-days. True if there are more. Logs a failure, and
 * then returns false. Waits for the writer thread, so it must not run on an I/O thread.
 */
bool cleanup_run(struct store *store, const struct settings *settings);

#endif
