/* What Idempotency-Keys were used for. */
#include "store/reading.h"

enum status store_find_repeat(struct store_session *session, struct repeat *repeat,
                              int64_t since_ms, struct arena *arena) {
    struct sql_statement *statement = reading_begin(session, SQL_find_repeat);
    if (!statement)
        return STATUS_BROKEN;
    sql_bind_integer(statement, 1, repeat->caller);
    sql_bind_text(statement, 2, repeat->key);
    sql_bind_integer(statement, 3, since_ms);
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        struct text mac = sql_bytes(statement, 0);
        if (mac.at && mac.len == sizeof repeat->mac.bytes)
            memcpy(repeat->mac.bytes, mac.at, sizeof repeat->mac.bytes);
        repeat->record_id = sql_integer(statement, 1);
        repeat->at_ms = sql_integer(statement, 2);
        repeat->author = sql_text(statement, 3, arena);
    }
    reading_end(session, statement);
    return status;
}

static enum status bound_repeats(struct store_tx *tx, int64_t caller) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_bound_repeats);
    if (!statement)
        return STATUS_BROKEN;
    sql_bind_integer(statement, 1, caller);
    sql_bind_integer(statement, 2, REPEATS_MAX - 1);
    return sql_execute(statement);
}

enum status store_add_repeat(struct store_tx *tx, const struct repeat *repeat) {
    struct sql_statement *statement = sql_statement(tx->session, SQL_add_repeat);
    if (!statement)
        return STATUS_BROKEN;
    sql_bind_integer(statement, 1, repeat->caller);
    sql_bind_text(statement, 2, repeat->key);
    sql_bind_bytes(statement, 3,
                   (struct text){ (const char *)repeat->mac.bytes, sizeof repeat->mac.bytes });
    sql_bind_integer(statement, 4, repeat->record_id);
    sql_bind_integer(statement, 5, repeat->at_ms);
    sql_bind_text(statement, 6, repeat->author);
    enum status status = sql_execute(statement);
    return status == STATUS_OK ? bound_repeats(tx, repeat->caller) : status;
}
