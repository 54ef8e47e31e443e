/* Stores and finds the uses of Idempotency-Keys. */
#include "store/reading.h"

enum status store_find_idempotency(struct store_session *session, struct idempotency_use *use,
                                   int64_t since_ms, struct arena *arena) {
    struct sql_statement *statement = reading_begin(session, SQL_find_idempotency);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, use->caller);
    sql_bind_text(statement, 2, use->key);
    sql_bind_integer(statement, 3, since_ms);
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        struct text mac = sql_bytes(statement, 0);
        if (mac.at && mac.len == sizeof use->mac.bytes)
            memcpy(use->mac.bytes, mac.at, sizeof use->mac.bytes);
        use->record_id = sql_integer(statement, 1);
        use->at_ms = sql_integer(statement, 2);
        use->author = sql_text(statement, 3, arena);
        if (!sql_integer(statement, 4))
            status = STATUS_INTERNAL;
    }
    reading_end(session, statement);
    return status;
}

static enum status bound_idempotency(struct store_tx *tx, int64_t caller) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_bound_idempotency);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, caller);
    sql_bind_integer(statement, 2, IDEMPOTENCY_MAX - 1);
    return sql_execute(statement);
}

enum status store_add_idempotency(struct store_tx *tx, const struct idempotency_use *use) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_add_idempotency);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, use->caller);
    sql_bind_text(statement, 2, use->key);
    sql_bind_bytes(statement, 3,
                   (struct text){ (const char *)use->mac.bytes, sizeof use->mac.bytes });
    sql_bind_integer(statement, 4, use->record_id);
    sql_bind_integer(statement, 5, use->at_ms);
    sql_bind_text(statement, 6, use->author);
    enum status status = sql_execute(statement);
    return status == STATUS_OK ? bound_idempotency(tx, use->caller) : status;
}
