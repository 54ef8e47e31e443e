#ifndef ROSTER_STORE_POSTGRES_PREFETCH_H
#define ROSTER_STORE_POSTGRES_PREFETCH_H

/*
 * The commands of a batch mostly load one record each. Those that say which (store_command.target)
 * get it from one statement, which goes to the server together with the begin of the transaction.
 * A record that it did not read is loaded as always, so the results are the same.
 */

#include "store/postgres/prepared.h"

/**
 * Sends the statement that reads the targets of the commands from `first` up to, but not including,
 * `end`: at most PG_PREFETCH_MAX of them, of tables whose members are packed. For a writer inside
 * its transaction, after it has the turn; for a reader between pg_begin_reading and its first
 * statement. Failures are remembered by the connection.
 */
void pg_prefetch_send(struct connection *connection, struct queue_item *first,
                      struct queue_item *end);

/** Frees the statements. */
void pg_prefetch_free(struct connection *connection);

#endif
