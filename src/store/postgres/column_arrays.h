#ifndef ROSTER_STORE_POSTGRES_COLUMN_ARRAYS_H
#define ROSTER_STORE_POSTGRES_COLUMN_ARRAYS_H

/*
 * Rows on their way to the server, as one array for each column: a single statement then takes all
 * of them (`unnest`). The arrays are in PostgreSQL's binary form.
 */

#include "store/postgres/prepared.h"

/**
 * Adds a row: the parameters that were bound to a statement, which the server has prepared, in the
 * order of their numbers there ($1, $2). All rows up to pg_column_arrays_forget must be of
 * statements of one kind. False: a value does not fit its column, or memory is short.
 */
bool pg_column_arrays_add(struct pg_column_arrays *arrays,
                          const struct pg_statement *row) MUST_CHECK;

/** Binds the arrays as ?1, ?2 and so on. They last until pg_column_arrays_forget. */
void pg_column_arrays_bind(struct pg_column_arrays *arrays, struct pg_statement *statement);

/** Adds `CAST(?1 AS bigint[]), ...`: the arguments of `unnest` for rows of the statement. */
void pg_column_arrays_add_sql(struct buffer *sql, const struct pg_statement *row);

/** How many rows there are, so that those added later can be removed. */
struct pg_column_mark {
    uint32_t rows;
    size_t lengths[PG_COLUMNS_MAX];
};

void pg_column_arrays_mark(const struct pg_column_arrays *arrays, struct pg_column_mark *mark);

/** Removes the rows that were added since the mark. */
void pg_column_arrays_cut(struct pg_column_arrays *arrays, const struct pg_column_mark *mark);

/** Removes all rows. */
void pg_column_arrays_forget(struct pg_column_arrays *arrays);

#endif
