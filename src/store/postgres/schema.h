#ifndef ROSTER_STORE_POSTGRES_SCHEMA_H
#define ROSTER_STORE_POSTGRES_SCHEMA_H

/* The schema of the database. For start-up, on the writer's connection. */

#include "store/postgres/state.h"

/** The version of this program's schema. */
int64_t pg_schema_version(void);

/**
 * Creates the schema, or brings it to this program's, while it has the turn: other processes that
 * start at the same time wait, and then find it done. EX_OK, otherwise one line in `why`:
 * EX_NOINPUT (the database must exist, and is empty), EX_CONFIG (a newer version made it, or one
 * that is too old), EX_NOPERM (the role lacks a right), EX_UNAVAILABLE (the server does not answer
 * in time, or somebody has locked the schema for longer than 2 s), EX_DATAERR (it is not as
 * this version left it). Sets the connection's deadline, and leaves none.
 */
int pg_schema_open(struct connection *connection, const struct store_options *options, char *why,
                   size_t why_size) MUST_CHECK;

#endif
