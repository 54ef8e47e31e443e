#ifndef ROSTER_STORE_SQLITE_READER_H
#define ROSTER_STORE_SQLITE_READER_H

/* The threads behind store_read. */

#include "store/sqlite/state.h"

struct reader_pool;

/** Starts the threads; `limit_ms` is the time limit of a command. NULL when the system refuses. */
struct reader_pool *readers_start(struct sqlite_store *store, unsigned threads,
                                  int64_t limit_ms) MUST_CHECK;

/** Runs the commands that wait, then stops the threads. Takes NULL. */
void readers_stop(struct reader_pool *pool);

/** engine_store.read and engine_store.ask. */
enum status readers_submit(struct store *base, struct store_command *command) MUST_CHECK;
enum status readers_ask(struct store_session *session, struct store_command *command) MUST_CHECK;

/* The number of commands that wait, and of those refused because too many waited. Any thread. */
size_t readers_waiting(struct reader_pool *pool);
uint64_t readers_refused(struct reader_pool *pool);

#endif
