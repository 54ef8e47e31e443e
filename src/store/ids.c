/* Allocates the Ids of new records. */
#include "store/ids.h"

enum status store_new_id(struct store_tx *tx, const struct table *table, int64_t *id) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_next_id);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, text_of(table->name));
    enum status status = sql_step(statement);
    if (status == STATUS_OK)
        *id = sql_integer(statement, 0);
    sql_done(statement);
    return status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
}

enum status ids_skip(struct store_tx *tx, const struct record *record) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_skip_id);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, text_of(record->table->name));
    sql_bind_integer(statement, 2, record_id(record));
    return sql_execute(statement);
}
