#ifndef ROSTER_STORE_SQLITE_SESSION_H
#define ROSTER_STORE_SQLITE_SESSION_H

/* Sessions: connections with the functions of SQL, and the snapshots that readers keep. */

#include "store/sqlite/connection.h"

/**
 * Opens a session. NULL on failure, logged. Without a store (maintenance) there may be no symbolic
 * link in `path`.
 */
struct connection *session_open(struct store *store, const char *path, bool may_create) MUST_CHECK;

/** Closes a session that is no reader's. Takes NULL. */
void session_close(struct connection *connection);

/**
 * A session like those of store_session_open, whose statements end early: past the connection's
 * deadline, or when the store asks for it.
 */
struct store_session *session_open_limited(struct store *store) MUST_CHECK;

/**
 * Ends the snapshots of all readers that do not read just now, so that the WAL can restart.
 * False when one that may read for long keeps his. Any thread.
 */
bool sessions_end_snapshots(struct store *store);

/** How often readers looked, those that are gone among them. Any thread. */
uint64_t sessions_count_readings(struct store *store);

#endif
