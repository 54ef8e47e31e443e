#ifndef ROSTER_STORE_POSTGRES_READING_H
#define ROSTER_STORE_POSTGRES_READING_H

/* Readings: transactions that read one snapshot (see engine_begin_reading). */

#include "store/postgres/state.h"

enum status pg_begin_reading(struct store_session *session) MUST_CHECK;
void pg_finish_reading(struct store_session *session);

/**
 * Makes sure that a statement of the session can be sent: a reader connects if need be, within its
 * deadline, and begins its transaction. OK; UNAVAILABLE: the database does not answer, or the
 * writer has no transaction; INTERNAL: it refuses, which is logged.
 */
enum status pg_ensure_connected(struct connection *connection) MUST_CHECK;

/**
 * Connects, again and again until the connection's deadline while the database is away, and once
 * the store is open, also while it refuses: an operator may repair that, as a clock or a password.
 * OK, UNAVAILABLE; INTERNAL: it refuses, at the start.
 */
enum status pg_connect_in_time(struct connection *connection) MUST_CHECK;

/**
 * Reads the row `turn` as the first statement of a reading, and tells the store its numbers: all
 * that the reading sees is as of the session's access epoch then. OK, otherwise as sql_step.
 */
enum status pg_read_turn(struct pg_store *store, struct connection *connection) MUST_CHECK;

/**
 * After a failure: makes the connection ready to begin its reading again, when the connection was
 * lost and there is time left. False: it is over.
 */
bool pg_begin_again(struct connection *connection) MUST_CHECK;

/** Has the connection's deadline not passed, and may its reading go on while the store closes? */
bool pg_is_time_left(const struct connection *connection) MUST_CHECK;

/** Why the running statement was cancelled: TOO_SLOW, or UNAVAILABLE as the store is closing. */
enum status pg_why_ended(const struct connection *connection) MUST_CHECK;

/** Asks how large the database is. May wait for the network; a failure leaves what was known. */
void pg_note_size(struct pg_store *store, struct connection *connection);

#endif
