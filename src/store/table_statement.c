#include "store/table_statement.h"

struct sql_statement *table_statement(struct store_session *session, const struct table *table,
                                      enum table_statement which, table_statement_sql *write_sql) {
    struct sql_statement **slot = &session->table_statements[table->number][which];
    if (*slot) {
        sql_again(*slot);
        return *slot;
    }
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 4096);
    write_sql(&sql, session->engine, table, which);
    buffer_add_char(&sql, '\0');
    if (!sql.failed)
        *slot = sql_prepare(session, sql.at);
    arena_close(&arena);
    return *slot;
}

void table_statements_free(struct store_session *session) {
    for (int i = 0; i < TABLES; i++)
        for (int j = 0; j < TABLE_STATEMENTS; j++)
            sql_free(session->table_statements[i][j]);
}
