#ifndef ROSTER_STORE_SQLITE_SUMS_H
#define ROSTER_STORE_SQLITE_SUMS_H

/* The sums of rows (store/row_sum.h) in the tables of a database, and a second copy of its schema.
 * On the thread that opens the database, or in a tool. */

#include "store/check.h"
#include "store/session.h"

struct connection;

/**
 * Adds the SQL functions of the sums to a connection. Every connection that writes needs them, and
 * every one that prepares statements. False: memory is short.
 */
bool sums_add_functions(struct connection *connection) MUST_CHECK;

/**
 * Gives the table of dictionaries its sums, before anything else of a database is read that may be
 * of an older version. In the transaction of a migration. `*schema` is for sums_finish. OK, or
 * INTERNAL, which is logged.
 */
enum status sums_begin(struct store_session *session, int64_t *schema) MUST_CHECK;

/**
 * Gives the tables that have none, or that have one of other columns, their sums, and keeps the
 * copy of the schema if this migration has changed it. The last part of a migration. INTERNAL,
 * which is logged; also when a sum is of other columns, but no program of Roster has defined it so.
 */
enum status sums_finish(struct store_session *session, int64_t schema) MUST_CHECK;

/** Says which rows have a wrong sum, and what of the schema differs from its copy. False: some. */
bool sums_check(struct store_session *session, store_say *say) MUST_CHECK;

#endif
