/* The statement that inserts many rows is made of the one that inserts one row: its parameters
 * become columns of arrays,
 *
 *   INSERT INTO links (field, target, owner) VALUES ($1, $2, $3)
 *   INSERT INTO links (field, target, owner) SELECT * FROM unnest(CAST($1 AS text[]), ...)
 */
#include "store/postgres/insert_rows.h"

#include "store/postgres/column_arrays.h"
#include "store/postgres/pipeline.h"

#include <assert.h>

/* An ON CONFLICT after the VALUES stays. */
static void write_sql(struct buffer *sql, const struct pg_statement *one) {
    static const char values[] = "VALUES (";
    const char *at = strstr(one->sql, values), *after = at ? strchr(at, ')') : NULL;
    assert(at && after);
    buffer_add(sql, (struct text){ one->sql, (size_t)(at - one->sql) });
    buffer_add(sql, TEXT("SELECT * FROM unnest("));
    pg_column_arrays_add_sql(sql, one);
    buffer_add(sql, text_of(after));
    buffer_add_char(sql, '\0');
}

static struct sql_statement *statement_of_many(const struct pg_statement *one) {
    struct arena arena = { 0 };
    struct buffer sql;
    struct sql_statement *many = NULL;
    buffer_init(&sql, &arena, 4096);
    write_sql(&sql, one);
    if (!sql.failed)
        many = sql_text_statement(&one->connection->session, sql.at);
    arena_close(&arena);
    return many;
}

static enum status send_all(struct pg_column_arrays *arrays, const struct pg_statement *one) {
    struct sql_statement *many = statement_of_many(one);
    enum status status = many ? pg_prepare_there(pg_statement_of(many)) : STATUS_INTERNAL;
    if (status != STATUS_OK)
        return status;
    pg_column_arrays_bind(arrays, pg_statement_of(many));
    return sql_execute(many);
}

enum status pg_insert_rows(struct sql_statement *statement, const struct sql_value *values,
                           unsigned columns, size_t rows) {
    struct pg_column_arrays arrays = { .rows = 0 };
    struct pg_statement *one = pg_statement_of(statement);
    enum status status = rows ? pg_prepare_there(one) : STATUS_OK; /* to know the types */
    assert((int)columns == one->parameter_count && one->parameter_count <= PG_COLUMNS_MAX);
    for (size_t i = 0; status == STATUS_OK && i < rows; i++) {
        sql_bind_row(statement, values + i * columns, columns);
        status = pg_column_arrays_add(&arrays, one) ? STATUS_OK : STATUS_INTERNAL;
    }
    if (status == STATUS_OK && rows)
        status = send_all(&arrays, one);
    pg_column_arrays_forget(&arrays);
    return status;
}
