#ifndef ROSTER_STORE_POSTGRES_AUDIT_ROWS_H
#define ROSTER_STORE_POSTGRES_AUDIT_ROWS_H

/*
 * A change writes several audit rows, so they are most of what a group sends. Those of a whole
 * group are collected and sent as one statement, which numbers them: before the COMMIT, and before
 * any other statement that names the table.
 */

#include "store/postgres/prepared.h"

/** Is it the statement that inserts an audit row? */
bool pg_audit_rows_is(const struct pg_statement *statement) MUST_CHECK;

/** Takes the row that this statement would insert. OK, INTERNAL, UNAVAILABLE. */
enum status pg_audit_rows_take(struct pg_statement *statement) MUST_CHECK;

/** Sends the rows that were taken, if there are any. OK, INTERNAL, UNAVAILABLE. */
enum status pg_audit_rows_send(struct connection *connection) MUST_CHECK;

/** May the statement, which is about to be sent, read or change audit rows? */
bool pg_audit_rows_concern(const struct pg_statement *statement) MUST_CHECK;

#endif
