#ifndef ROSTER_SERVER_CLEANUP_H
#define ROSTER_SERVER_CLEANUP_H

#include "base/settings.h"
#include "store/store.h"

/**
 * Deletes a batch of the rows that nobody needs any more: expired tokens, deliveries of webhooks
 * that ended long ago, idempotency keys past their window, old rows of the audit trail. True when
 * there are more of them. Logs a failure. Waits for the writer thread: main thread only.
 */
bool cleanup_run(struct store *store, const struct settings *settings);

#endif
