#ifndef ROSTER_STORE_POSTGRES_AUDIT_ROWS_H
#define ROSTER_STORE_POSTGRES_AUDIT_ROWS_H

/*
 * A change writes several audit rows, so they are most of what a group sends. Those of a whole
 * group are collected and sent as one statement: before the COMMIT, and before any other statement
 * that names the table.
 */

#include "store/postgres/prepared.h"

/**
 * Takes the row that the statement would insert, if it is the one for audit rows. False: it is
 * another one, which must be run. When memory is short, pg_audit_rows_send says so.
 */
bool pg_audit_rows_take(struct pg_statement *statement) MUST_CHECK;

/** Sends the rows that were taken, if there are any. OK, INTERNAL, UNAVAILABLE. */
enum status pg_audit_rows_send(struct connection *connection) MUST_CHECK;

/** May the statement, which is about to be sent, read or change audit rows? */
bool pg_audit_rows_concern(const struct pg_statement *statement) MUST_CHECK;

/** Forgets the rows that were taken, as when a transaction has failed. */
void pg_audit_rows_forget(struct connection *connection);

#endif
