#ifndef ROSTER_STORE_READING_H
#define ROSTER_STORE_READING_H

/* A reading is one statement between engine_begin_reading and engine_end_reading. */

#include "store/session.h"

/**
 * Begins a reading and returns its statement, ready to be bound. NULL when it cannot begin; that is
 * logged.
 */
struct sql_statement *reading_begin(struct store_session *session, enum statement which) MUST_CHECK;

/** The same for a statement of a table (rows.h). */
struct sql_statement *reading_begin_table(struct store_session *session, const struct table *table,
                                          enum table_statement which) MUST_CHECK;

void reading_end(struct store_session *session, struct sql_statement *statement);

/**
 * Runs a statement, reads the first column of its only row into `number` (may be NULL), and ends
 * the reading. NOT_FOUND: there is no row. Otherwise as sql_step.
 */
enum status reading_of_integer(struct store_session *session, struct sql_statement *statement,
                               int64_t *number) MUST_CHECK;

#endif
