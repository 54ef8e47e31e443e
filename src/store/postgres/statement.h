#ifndef ROSTER_STORE_POSTGRES_STATEMENT_H
#define ROSTER_STORE_POSTGRES_STATEMENT_H

/* Implements store/sql.h for PostgreSQL. */

#include "store/postgres/prepared.h"

extern const struct engine_sql pg_sql;

/** Frees the statements that a connection caches. */
void pg_statements_free(struct connection *connection);

/**
 * Sends a statement and does not wait: after pg_collect, pg_show_first shows the first row of its
 * result. INTERNAL, UNAVAILABLE, NOT_FOUND: there is none.
 */
enum status pg_send_only(struct sql_statement *base) MUST_CHECK;
enum status pg_show_first(struct sql_statement *base) MUST_CHECK;

/** Returns the SQL of a statement of statements.def. */
const char *pg_statement_sql(enum statement which);

#endif
