#ifndef ROSTER_STORE_POSTGRES_OPEN_H
#define ROSTER_STORE_POSTGRES_OPEN_H

#include "store/engine.h"
#include "store/postgres/connection.h"

/** The functions of struct engine_store. */
struct store *pg_open(const struct engine *engine, const struct store_options *options, char *why,
                      size_t why_size, int *exit_code);
void pg_close(struct store *base);
struct store_session *pg_session_open(struct store *store);
void pg_session_close(struct store_session *session);

/**
 * Connects before the deadline of the connection. EX_OK, otherwise a line in `why`: EX_UNAVAILABLE,
 * EX_NOINPUT (none of the schemas of the search_path is there), EX_CONFIG. For start-up and tools.
 */
int pg_connect_at_start(struct connection *connection, char *why, size_t why_size) MUST_CHECK;

#endif
