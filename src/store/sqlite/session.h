#ifndef ROSTER_STORE_SQLITE_SESSION_H
#define ROSTER_STORE_SQLITE_SESSION_H

/* Sessions: connections that have the SQL functions, and the snapshots that readers keep. */

#include "store/sqlite/state.h"

/**
 * Opens a session. NULL on failure, which is logged. Without a store (a tool's session) `path` must
 * not contain a symbolic link.
 */
struct connection *session_open(const struct engine *engine, struct sqlite_store *store,
                                const char *path, bool may_create) MUST_CHECK;

/**
 * The same for a tool that only reads, from a place where nothing can be written. `is_alone`: the
 * file has no WAL, and nobody changes it meanwhile; otherwise its WAL is read, too.
 */
struct connection *session_open_to_read(const struct engine *engine, const char *path,
                                        bool is_alone) MUST_CHECK;

/** Closes a session that is not a reader's. Takes NULL. */
void session_close(struct connection *connection);

/* The parts of engine_store (store/engine.h) that concern sessions. session_close_any takes NULL.
 */
struct store_session *session_open_reader(struct store *store) MUST_CHECK;
void session_close_any(struct store_session *session);
enum status session_begin_reading(struct store_session *session) MUST_CHECK;
void session_finish_reading(struct store_session *session);
bool session_limit_work(struct store_session *session) MUST_CHECK;
void session_lift_limit(struct store_session *session);

/**
 * Opens a session like those of store_session_open, but its statements end early: at the
 * connection's deadline, or when the store asks for it.
 */
struct store_session *session_open_limited(struct sqlite_store *store) MUST_CHECK;

/**
 * Ends the snapshots of all readers that are not reading now, so that the WAL can restart. False
 * when a reader that may take long keeps its snapshot. Any thread.
 */
bool sessions_end_snapshots(struct sqlite_store *store);

/** The number of readings by all readers, including closed ones. Any thread. */
uint64_t sessions_count_readings(struct sqlite_store *store);

#endif
