#ifndef ROSTER_STORE_POSTGRES_UPDATE_ROWS_H
#define ROSTER_STORE_POSTGRES_UPDATE_ROWS_H

/*
 * The updates of a group are collected and sent as one statement: before the COMMIT, and before any
 * other statement. It fails, and the transaction with it, unless every row is as it was read. The
 * COMMIT can therefore be sent together with it.
 */

#include "store/postgres/prepared.h"

/**
 * Can the update be taken? It is one of a record that was read beforehand (prefetch.h), that no
 * statement of the transaction has changed since, and of columns without an index.
 */
bool pg_update_rows_fits(const struct pg_statement *statement) MUST_CHECK;

/** Takes such an update. OK, INTERNAL, UNAVAILABLE. */
enum status pg_update_rows_take(struct pg_statement *statement) MUST_CHECK;

/** Sends the updates that were taken, if there are any. OK, INTERNAL, UNAVAILABLE. */
enum status pg_update_rows_send(struct connection *connection) MUST_CHECK;

/** Frees the statements and the updates that were taken. */
void pg_update_rows_free(struct connection *connection);

#endif
