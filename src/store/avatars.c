/* Reads and writes the pictures of users. */
#include "store/reading.h"

enum status store_avatar(struct store_session *session, int64_t user_id,
                         void (*use)(void *argument, const struct avatar *avatar), void *argument) {
    struct sql_statement *statement = reading_begin(session, SQL_avatar);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, user_id);
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        const struct avatar avatar = { .type = sql_bytes(statement, 0),
                                       .content = sql_bytes(statement, 1) };
        if (avatar.type.at && avatar.content.at && sql_integer(statement, 2))
            use(argument, &avatar);
        else
            status = STATUS_INTERNAL;
    }
    reading_end(session, statement);
    return status;
}

enum status store_set_avatar(struct store_tx *tx, int64_t user_id, const struct avatar *avatar) {
    struct sql_statement *statement =
        sql_statement(tx->session, avatar ? SQL_set_avatar : SQL_drop_avatar);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, user_id);
    if (avatar) {
        sql_bind_text(statement, 2, avatar->type);
        sql_bind_bytes(statement, 3, avatar->content);
    }
    return sql_execute(statement);
}
