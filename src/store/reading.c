/* Runs single statements that read. */
#include "store/reading.h"

#include "store/engine.h"
#include "store/rows.h"

struct sql_statement *reading_begin(struct store_session *session, enum statement which) {
    if (engine_begin_reading(session) != STATUS_OK)
        return NULL;
    struct sql_statement *statement = sql_statement(session, which);
    if (!statement)
        engine_end_reading(session);
    return statement;
}

struct sql_statement *reading_begin_table(struct store_session *session, const struct table *table,
                                          enum table_statement which) {
    if (engine_begin_reading(session) != STATUS_OK)
        return NULL;
    struct sql_statement *statement = row_statement(session, table, which);
    if (!statement)
        engine_end_reading(session);
    return statement;
}

void reading_end(struct store_session *session, struct sql_statement *statement) {
    sql_done(statement);
    engine_end_reading(session);
}

enum status reading_of_integer(struct store_session *session, struct sql_statement *statement,
                               int64_t *number) {
    enum status status = sql_step(statement);
    if (status == STATUS_OK && number)
        *number = sql_integer(statement, 0);
    reading_end(session, statement);
    return status;
}
