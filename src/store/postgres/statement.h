#ifndef ROSTER_STORE_POSTGRES_STATEMENT_H
#define ROSTER_STORE_POSTGRES_STATEMENT_H

/* Implements store/sql.h for PostgreSQL. */

#include "store/postgres/prepared.h"

extern const struct engine_sql pg_sql;

/** Frees the statements that a connection caches. */
void pg_statements_free(struct connection *connection);

/** Returns the SQL of a statement of statements.def. */
const char *pg_statement_sql(enum statement which);

#endif
