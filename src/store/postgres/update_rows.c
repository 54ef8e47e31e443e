/* The statement that updates many rows is made of the one that updates one row: its parameters
 * become columns of arrays,
 *
 *   UPDATE users SET Version = $1, Members = $2 WHERE Id = $3 AND Version = $4
 *   UPDATE users SET Version = r.c1, Members = r.c2 FROM (SELECT * FROM unnest(...)
 *       AS s (c1, c2, c3, c4) ORDER BY c3) AS r WHERE Id = r.c3 AND Version = r.c4
 *
 * and a division by zero makes it fail when it has changed fewer rows than there are. Two plain
 * groups may change the same records: both lock them in the order of their Ids. */
#include "store/postgres/update_rows.h"

#include "store/postgres/column_arrays.h"
#include "store/postgres/pipeline.h"
#include "store/postgres/prefetched.h"

#include <assert.h>
#include <stdlib.h>

static const char where[] = " WHERE ";

/* The Id is the first parameter after the WHERE. */
static void add_source(struct buffer *sql, const struct pg_statement *one, const char *at_where) {
    buffer_add(sql, TEXT(" FROM (SELECT * FROM unnest("));
    pg_column_arrays_add_sql(sql, one);
    buffer_add(sql, TEXT(") AS s ("));
    for (int i = 1; i <= one->parameter_count; i++)
        buffer_printf(sql, "%sc%d", i > 1 ? ", " : "", i);
    buffer_printf(sql, ") ORDER BY c%ld) AS r", strtol(strchr(at_where, '$') + 1, NULL, 10));
}

static void write_sql(struct buffer *sql, const struct pg_statement *one) {
    buffer_add(sql, TEXT("WITH changed AS ("));
    for (const char *at = one->sql; *at; at++) {
        if (strncmp(at, where, strlen(where)) == 0)
            add_source(sql, one, at);
        if (*at == '$')
            buffer_add(sql, TEXT("r.c"));
        else
            buffer_add_char(sql, *at);
    }
    buffer_printf(sql,
                  " RETURNING 1) SELECT 1 / CAST(count(*) = ?%d AS integer) AS all_changed"
                  " FROM changed",
                  one->parameter_count + 1);
    buffer_add_char(sql, '\0');
}

static struct sql_statement *prepare_update(struct connection *connection,
                                            const struct pg_statement *one) {
    struct sql_statement *statement = NULL;
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 4096);
    write_sql(&sql, one);
    if (!sql.failed)
        statement = sql_prepare(&connection->session, sql.at);
    arena_close(&arena);
    return statement;
}

static struct sql_statement *statement_for(struct connection *connection,
                                           const struct pg_statement *one) {
    struct sql_statement **slot =
        &connection->update_rows.statements[connection->prefetch.table->number];
    if (!*slot)
        *slot = prepare_update(connection, one);
    return *slot;
}

bool pg_update_rows_fits(const struct pg_statement *statement) {
    return statement->parameter_count <= PG_COLUMNS_MAX && pg_prefetch_is_updated_by(statement);
}

enum status pg_update_rows_take(struct pg_statement *statement) {
    struct connection *connection = statement->connection;
    struct pg_update_rows *rows = &connection->update_rows;
    enum status status = pg_prepare_there(statement); /* to know the types */
    if (status != STATUS_OK)
        return status;
    if (!statement_for(connection, statement))
        return STATUS_INTERNAL;
    assert(!rows->arrays.rows || rows->table == connection->prefetch.table);
    rows->table = connection->prefetch.table;
    pg_prefetch_note(statement);
    return pg_column_arrays_add(&rows->arrays, statement) ? STATUS_OK : STATUS_INTERNAL;
}

enum status pg_update_rows_send(struct connection *connection) {
    struct pg_update_rows *rows = &connection->update_rows;
    if (!rows->arrays.rows)
        return STATUS_OK;
    struct sql_statement *statement = rows->statements[rows->table->number];
    enum status status = pg_prepare_there(pg_statement_of(statement));
    if (status == STATUS_OK) {
        sql_again(statement);
        pg_column_arrays_bind(&rows->arrays, pg_statement_of(statement));
        sql_bind_integer(statement, rows->arrays.count + 1, rows->arrays.rows);
        if (!pg_send(pg_statement_of(statement), false))
            status = pg_status_of(connection->failed);
    }
    pg_column_arrays_forget(&rows->arrays);
    return status;
}

void pg_update_rows_free(struct connection *connection) {
    pg_column_arrays_forget(&connection->update_rows.arrays);
    for (unsigned i = 0; i < TABLES; i++)
        sql_free(connection->update_rows.statements[i]);
}
