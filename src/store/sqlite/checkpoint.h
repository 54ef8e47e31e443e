#ifndef ROSTER_STORE_SQLITE_CHECKPOINT_H
#define ROSTER_STORE_SQLITE_CHECKPOINT_H

/* The thread that copies SQLite's write-ahead log (WAL) into the database. */

#include "store/sqlite/state.h"

/**
 * Registers the hook that records the WAL's length after each commit, and opens the checkpoint
 * connection. False: that failed, which is logged. For start-up, before the writer runs.
 */
bool checkpoint_prepare(struct sqlite_store *store) MUST_CHECK;

/** The thread's function; its argument is the store. It returns when `stop` is closed. */
void *checkpoint_run(void *argument);

#endif
