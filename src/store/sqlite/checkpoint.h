#ifndef ROSTER_STORE_SQLITE_CHECKPOINT_H
#define ROSTER_STORE_SQLITE_CHECKPOINT_H

/* The thread that copies SQLite's log (WAL) back into the database. */

#include "store/store.h"

/**
 * Sees to it that the length of the log is known after each commit, and opens the checkpointer's
 * own connection. False: that failed, which is logged. For the start, before the writer runs.
 */
bool checkpoint_prepare(struct store *store) MUST_CHECK;

/** The thread's function; it takes the store, and ends when `stop` is closed. */
void *checkpoint_run(void *store);

#endif
