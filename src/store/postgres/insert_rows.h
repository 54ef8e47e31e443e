#ifndef ROSTER_STORE_POSTGRES_INSERT_ROWS_H
#define ROSTER_STORE_POSTGRES_INSERT_ROWS_H

/* Inserts many rows by one statement. */

#include "store/postgres/prepared.h"

/** sql_execute_rows: the statement of one row becomes one of arrays. OK, INTERNAL, UNAVAILABLE. */
enum status pg_insert_rows(struct sql_statement *statement, const struct sql_value *values,
                           unsigned columns, size_t rows) MUST_CHECK;

#endif
