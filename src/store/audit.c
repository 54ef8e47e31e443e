/* Writes the rows of the audit trail. */
#include "store/audit.h"

enum status audit_add(struct store_tx *tx, const struct audit_row *row,
                      const struct author *author) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_audit);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, text_of(row->entity));
    sql_bind_integer(statement, 2, row->entity_id);
    sql_bind_text(statement, 3, row->property);
    sql_bind_text(statement, 4, row->before);
    sql_bind_text(statement, 5, row->after);
    sql_bind_text(statement, 6, author->email);
    sql_bind_integer(statement, 7, author->now_ms);
    sql_bind_integer(statement, 8, row->type);
    if (row->business.kind == VALUE_INTEGER)
        sql_bind_integer(statement, 9, row->business.integer);
    else
        sql_bind_null(statement, 9);
    sql_bind_text(statement, 10, author->request_id);
    return sql_execute(statement);
}

enum status store_audit_event(struct store_tx *tx, const struct record *record,
                              struct text property, struct text value,
                              const struct author *author) {
    struct audit_room room;
    struct audit_row row = audit_event(record, property, value, &room);
    return audit_add(tx, &row, author);
}

enum status store_audit_tokens(struct store_tx *tx, int64_t user_id, struct text property,
                               struct text value, const struct author *author) {
    struct arena arena = { 0 };
    struct record user;
    enum status status = store_load(tx->session, &user_table, user_id, &arena, &user);
    if (status == STATUS_OK)
        status = store_audit_event(tx, &user, property, value, author);
    arena_close(&arena);
    return status == STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
}
