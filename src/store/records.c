/* Loads single records, and finds out whether they exist. */
#include "store/records.h"

#include "json/json.h"
#include "store/engine.h"
#include "store/links.h"
#include "store/reading.h"
#include "store/rows.h"

enum status store_load(struct store_session *session, const struct table *table, int64_t id,
                       struct arena *arena, struct record *record) {
    *record = record_new(table, arena);
    struct sql_statement *statement =
        record->values ? reading_begin_table(session, table, TABLE_LOAD) : NULL;
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, id);
    enum status status = sql_step(statement);
    if (status == STATUS_OK)
        status = row_read(session, statement, arena, record);
    reading_end(session, statement);
    return status;
}

static enum status read_name(struct store_session *session, const struct field *field,
                             struct record *record, struct arena *arena) {
    struct value *name = &record->values[field - record->table->fields];
    const struct value *reference = &record->values[field->base];
    struct sql_statement *statement =
        row_statement(session, field_target(record->table, field), TABLE_NAME);
    *name = value_null();
    if (!statement)
        return STATUS_INTERNAL;
    if (reference->kind != VALUE_INTEGER)
        return STATUS_OK;
    sql_bind_integer(statement, 1, reference->integer);
    enum status status = sql_step(statement);
    if (status == STATUS_OK &&
        ((session->engine->dialect->keeps_row_sums && !sql_integer(statement, 1)) ||
         !row_read_value(sql_value(statement, 0), arena, name)))
        status = STATUS_INTERNAL;
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status record_complete(struct store_session *session, struct record *record,
                            struct arena *arena, bool whole) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < record->table->count; i++) {
        const struct field *field = &record->table->fields[i];
        if (field->type == TYPE_name)
            status = read_name(session, field, record, arena);
        else if (field->type == TYPE_backlinks && whole)
            status = links_read_back(session, field, record, arena);
    }
    return status;
}

enum status store_load_derived(struct store_session *session, struct record *record,
                               struct arena *arena) {
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    status = record_complete(session, record, arena, true);
    engine_end_reading(session);
    return status;
}

enum status store_load_json(struct store_session *session, const struct table *table, int64_t id,
                            struct buffer *json, int64_t *version) {
    struct record record;
    if (!table->is_kept_as_json) {
        enum status status = store_load(session, table, id, json->arena, &record);
        if (status == STATUS_OK)
            status = store_load_derived(session, &record, json->arena);
        if (status != STATUS_OK)
            return status;
        *version = record.version;
        json_add_record(json, &record);
        return STATUS_OK;
    }
    struct sql_statement *statement = reading_begin_table(session, table, TABLE_SHOW);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, id);
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        const struct row_members members = row_members(statement, 0, id);
        *version = members.version;
        status = row_add_members(session, table, &members, json);
    }
    reading_end(session, statement);
    return status;
}

enum status store_find_user(struct store_session *session, struct text email_key, int64_t *id) {
    struct sql_statement *statement = reading_begin(session, SQL_find_user);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, email_key);
    return reading_of_integer(session, statement, id);
}

enum status store_find_business(struct store_session *session, struct text name, int64_t *id) {
    struct sql_statement *statement = reading_begin(session, SQL_find_business);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, name);
    enum status status = reading_of_integer(session, statement, id);
    return status == STATUS_OK && !*id ? STATUS_NOT_FOUND
                                       : status; /* sql_integer gives 0 for null; no Id is 0 */
}

enum status store_exists(struct store_session *session, const struct table *table, int64_t id) {
    struct sql_statement *statement = reading_begin_table(session, table, TABLE_EXISTS);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, id);
    return reading_of_integer(session, statement, NULL);
}

enum status store_other_administrator(struct store_session *session, int64_t id) {
    struct sql_statement *statement = reading_begin(session, SQL_other_administrator);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, id);
    return reading_of_integer(session, statement, NULL);
}

enum status store_count(struct store_session *session, const struct table *table, int64_t *count) {
    struct sql_statement *statement = reading_begin_table(session, table, TABLE_COUNT);
    return statement ? reading_of_integer(session, statement, count) : STATUS_INTERNAL;
}
