/* Deletes expired rows. */
#include "store/session.h"

enum status store_purge_expired(struct store_tx *tx, const struct expired *expired, int limit,
                                bool *more) {
    const struct {
        enum statement statement;
        int64_t before_ms;
    } kinds[] = { { SQL_drop_expired, expired->tokens_ms },
                  { SQL_drop_deliveries, expired->deliveries_ms },
                  { SQL_drop_idempotency, expired->idempotency_ms },
                  { SQL_drop_audit, expired->audit_ms } };
    enum status status = STATUS_OK;
    *more = false;
    for (size_t i = 0; status == STATUS_OK && i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sql_statement *statement = sql_statement(tx->session, kinds[i].statement);
        if (!statement)
            return STATUS_INTERNAL;
        sql_bind_integer(statement, 1, kinds[i].before_ms);
        sql_bind_integer(statement, 2, limit);
        if (kinds[i].statement == SQL_drop_audit)
            sql_bind_integer(statement, 3, expired->now_ms);
        status = sql_execute(statement);
        *more |= sql_changed(statement) >= limit;
    }
    return status;
}
