#ifndef ROSTER_STORE_TABLE_STATEMENT_H
#define ROSTER_STORE_TABLE_STATEMENT_H

/* The statements that each table has (enum table_statement). The session caches them. */

#include "base/buffer.h"
#include "store/session.h"

/** Composes the SQL of a statement of a table. */
typedef void table_statement_sql(struct buffer *sql, const struct engine *engine,
                                 const struct table *table, enum table_statement which);

/**
 * Returns a statement of a table, ready to be bound. `write_sql` composes its SQL when a session
 * uses it for the first time. NULL when it cannot be prepared; that is logged.
 */
struct sql_statement *table_statement(struct store_session *session, const struct table *table,
                                      enum table_statement which,
                                      table_statement_sql *write_sql) MUST_CHECK;

/** Frees the statements of a session that is about to be closed. */
void table_statements_free(struct store_session *session);

#endif
