#ifndef ROSTER_STORE_POSTGRES_PIPELINE_H
#define ROSTER_STORE_POSTGRES_PIPELINE_H

/* Sends what a connection runs, and collects the results. All functions may wait for the network,
 * up to the connection's deadline. */

#include "store/postgres/prepared.h"

/**
 * Prepares the statement on the connection's server unless it is. OK; INTERNAL: its SQL is wrong
 * for this database; UNAVAILABLE. The failure is logged.
 */
enum status pg_prepare_there(struct pg_statement *statement) MUST_CHECK;

/** Sends the statement with its parameters. False: that failed, which the connection remembers. */
bool pg_send(struct pg_statement *statement, bool must_change_one) MUST_CHECK;

/** Sends SQL without parameters and results, such as BEGIN; its result is collected later. */
void pg_send_control(struct connection *connection, const char *sql);

/** Sends COMMIT and a sync. The transaction fails if the server does anything else than commit. */
void pg_send_commit(struct connection *connection);

/** Sends a sync: what fails before it does not affect what is sent after it. */
void pg_send_sync(struct connection *connection);

/**
 * Waits for the results of all that was sent. PG_FINE, otherwise `failed` of the connection: the
 * worst failure since the transaction or reading began.
 */
enum pg_meaning pg_collect(struct connection *connection);

/** Ends a transaction or reading that failed, so that the connection can be used again, or is
 * closed. */
void pg_roll_back(struct connection *connection);

/**
 * Runs SQL without parameters and waits for its result, with values as texts, which the caller
 * clears. NULL: it failed. For rare statements, since it leaves the pipeline: what is under way is
 * collected first.
 */
PGresult *pg_ask(struct connection *connection, const char *sql) MUST_CHECK;

/**
 * Runs SQL of one or more statements without parameters, and waits; see pg_ask.
 */
enum pg_meaning pg_run_simple(struct connection *connection, const char *sql);

#endif
