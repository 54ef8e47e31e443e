#ifndef ROSTER_STORE_SQLITE_READER_H
#define ROSTER_STORE_SQLITE_READER_H

/* The threads behind store_read. */

#include "store/store.h"

struct reader_pool;

/** `limit_ms`: how long a command may take. NULL when the system refuses. */
struct reader_pool *readers_start(struct store *store, unsigned threads,
                                  int64_t limit_ms) MUST_CHECK;

/** Finishes what waits. Takes NULL. */
void readers_stop(struct reader_pool *pool);

/* Any thread. */
size_t readers_waiting(struct reader_pool *pool);
uint64_t readers_refused(struct reader_pool *pool);

#endif
