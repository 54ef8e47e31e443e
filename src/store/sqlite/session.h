#ifndef ROSTER_STORE_SQLITE_SESSION_H
#define ROSTER_STORE_SQLITE_SESSION_H

/* Sessions: connections that have the SQL functions, and the snapshots that readers keep. */

#include "store/sqlite/connection.h"

/**
 * Opens a session. NULL on failure, which is logged. Without a store (a tool's session) `path` must
 * not contain a symbolic link.
 */
struct connection *session_open(struct store *store, const char *path, bool may_create) MUST_CHECK;

/** Closes a session that is not a reader's. Takes NULL. */
void session_close(struct connection *connection);

/**
 * Opens a session like those of store_session_open, but its statements end early: at the
 * connection's deadline, or when the store asks for it.
 */
struct store_session *session_open_limited(struct store *store) MUST_CHECK;

/**
 * Ends the snapshots of all readers that are not reading now, so that the WAL can restart. False
 * when a reader that may take long keeps its snapshot. Any thread.
 */
bool sessions_end_snapshots(struct store *store);

/** The number of readings by all readers, including closed ones. Any thread. */
uint64_t sessions_count_readings(struct store *store);

#endif
