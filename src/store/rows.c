/* Reads and writes records as rows, and composes the SQL for it. */
#include "store/rows.h"

#include "base/log.h"
#include "json/json.h"
#include "store/engine.h"
#include "store/positions.h"
#include "store/row_compression.h"
#include "store/row_sum.h"
#include "store/table_statement.h"

#include <assert.h>
#include <stdio.h>

/* ---- SQL ---- */

void row_add_value(struct buffer *sql, const struct table *table, const struct field *field,
                   const char *row) {
    if (field->type == TYPE_name)
        buffer_printf(sql, "(SELECT named.Name FROM %s AS named WHERE named.Id = %s.%s)",
                      field_target(table, field)->name, row, table->fields[field->base].name.at);
    else if (field->flags & SHARED)
        buffer_printf(sql, "(SELECT text FROM payloads WHERE payloads.id = %s.%s)", row,
                      field->name.at);
    else if (field_has_column(table, field)) {
        buffer_add(sql, text_of(row));
        buffer_add_char(sql, '.');
        buffer_add(sql, field->name);
    } else
        buffer_printf(sql, "%s_member(%s.Members, %d)", table->name, row,
                      (int)(field - table->fields));
}

/* The columns of Members; the last one is of an engine that keeps sums. */
enum members_column { MEMBERS_VERSION, MEMBERS_ITSELF, MEMBERS_SUM };

int row_members_columns(const struct engine *engine) {
    return engine->dialect->keeps_row_sums ? MEMBERS_SUM + 1 : MEMBERS_SUM;
}

void row_add_members_columns(struct buffer *sql, const struct engine *engine) {
    buffer_add(sql, TEXT("Version, Members"));
    if (engine->dialect->keeps_row_sums)
        buffer_add(sql, TEXT(", members_sum"));
}

/* Adds whether a row is sound. Rows that are derived from others have the answer in a column of
 * their view. The text that a row shares has a sum of its own. */
static void add_soundness(struct buffer *sql, const struct table *table) {
    buffer_add(sql, TEXT(", "));
    if (row_is_derived(table))
        buffer_add(sql, TEXT("is_sound"));
    else
        row_sum_add_test(sql, table);
    for (unsigned i = 0; i < table->count; i++)
        if (table->fields[i].flags & SHARED)
            buffer_printf(sql,
                          " AND coalesce((SELECT row_is_sound('payloads', id, row_sum, id, text)"
                          " FROM payloads WHERE payloads.id = %s.%s), 1)",
                          table->name, table->fields[i].name.at);
}

void row_add_columns(struct buffer *sql, const struct engine *engine, const struct table *table) {
    const bool has_sums = engine->dialect->keeps_row_sums;
    if (table->is_kept_as_json)
        row_add_members_columns(sql, engine);
    else
        buffer_add(sql, TEXT("Version"));
    if (table->is_kept_as_json && has_sums)
        buffer_add(sql, TEXT(", Id, row_sum")); /* row_read has the values anyway */
    for (unsigned i = 0; i < table->count; i++)
        if (field_is_read_from_column(table, &table->fields[i])) {
            buffer_add(sql, TEXT(", "));
            row_add_value(sql, table, &table->fields[i], table->name);
        }
    if (!table->is_kept_as_json && has_sums)
        add_soundness(sql, table);
}

/* The parameters of a table's INSERT and UPDATE beside one for each field. */
enum row_parameter { ROW_VERSION, ROW_VERSION_BEFORE, ROW_MEMBERS };

/* Every statement numbers its parameters as the fields: `?3` is the field with index 2. The
 * parameters of the row as a whole follow. */
static int row_parameter(const struct table *table, enum row_parameter which) {
    return (int)table->count + 1 + (int)which;
}

static void add_insert_sql(struct buffer *sql, const struct table *table) {
    buffer_printf(sql, "INSERT INTO %s (Version", table->name);
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]))
            buffer_printf(sql, ", %s", table->fields[i].name.at);
    if (table->is_kept_as_json)
        buffer_add(sql, TEXT(", Members"));
    buffer_printf(sql, ") VALUES (?%d", row_parameter(table, ROW_VERSION));
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]))
            buffer_printf(sql, ", ?%u", i + 1);
    if (table->is_kept_as_json)
        buffer_printf(sql, ", ?%d", row_parameter(table, ROW_MEMBERS));
    buffer_add_char(sql, ')');
}

/* Adds an UPDATE of all columns but the key: setting the key, even to the same value, makes the
 * engine rewrite every index. */
static void add_update_sql(struct buffer *sql, const struct table *table, bool with_indexed) {
    buffer_printf(sql, "UPDATE %s SET Version = ?%d", table->name,
                  row_parameter(table, ROW_VERSION));
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (field_has_column(table, field) && field->type != TYPE_id &&
            (with_indexed || !(field->flags & (UNIQUE | INDEXED))))
            buffer_printf(sql, ", %s = ?%u", field->name.at, i + 1);
    }
    if (table->is_kept_as_json)
        buffer_printf(sql, ", Members = ?%d", row_parameter(table, ROW_MEMBERS));
    buffer_printf(sql, " WHERE Id = ?%u AND Version = ?%d", table->common.id + 1,
                  row_parameter(table, ROW_VERSION_BEFORE));
}

static void write_row_sql(struct buffer *sql, const struct engine *engine,
                          const struct table *table, enum table_statement which) {
    switch (which) {
    case TABLE_LOAD:
        buffer_add(sql, TEXT("SELECT "));
        row_add_columns(sql, engine, table);
        buffer_printf(sql, " FROM %s WHERE Id = ?1", table->name);
        break;
    case TABLE_SHOW:
        buffer_add(sql, TEXT("SELECT "));
        row_add_members_columns(sql, engine);
        buffer_printf(sql, " FROM %s WHERE Id = ?1", table->name);
        break;
    case TABLE_NAME:
        buffer_add(sql, TEXT("SELECT Name"));
        if (engine->dialect->keeps_row_sums)
            add_soundness(sql, table);
        buffer_printf(sql, " FROM %s WHERE Id = ?1", table->name);
        break;
    case TABLE_EXISTS: buffer_printf(sql, "SELECT 1 FROM %s WHERE Id = ?1", table->name); break;
    case TABLE_COUNT:
        buffer_printf(sql, "SELECT rows FROM row_counts WHERE kind = '%s'", table->name);
        break;
    case TABLE_DELETE:
        buffer_printf(sql, "DELETE FROM %s WHERE Id = ?1 AND Version = ?2", table->name);
        break;
    case TABLE_INSERT: add_insert_sql(sql, table); break;
    case TABLE_UPDATE:
    case TABLE_UPDATE_INDEXED: add_update_sql(sql, table, which == TABLE_UPDATE_INDEXED); break;
    default: assert(!"not of rows");
    }
}

struct sql_statement *row_statement(struct store_session *session, const struct table *table,
                                    enum table_statement which) {
    return table_statement(session, table, which, write_row_sql);
}

/* ---- Reading ---- */

bool row_read_value(struct sql_value from, struct arena *arena, struct value *value) {
    switch (from.type) {
    case SQL_NULL: *value = value_null(); return true;
    case SQL_INTEGER: *value = value_integer(from.integer); return true;
    default: *value = value_text(arena_text(arena, from.bytes)); return value->kind == VALUE_TEXT;
    }
}

enum status row_read_members(struct store_session *session, struct sql_value members,
                             struct arena *arena, struct record *record) {
    struct buffer json;
    buffer_init(&json, arena, 0);
    enum status status = row_unpack(session, members, &json);
    if (status != STATUS_OK || json_read_record(buffer_text(&json), arena, record))
        return status;
    log_error("database: a row of %s cannot be read", record->table->name);
    return STATUS_INTERNAL;
}

static bool is_sum(int64_t found, int64_t expected, const struct table *table, int64_t id) {
    char number[24];
    if (found == expected)
        return true;
    int len = snprintf(number, sizeof number, "%lld", (long long)id);
    row_sum_log(text_of(table->name), (struct text){ number, (size_t)len });
    return false;
}

struct row_members row_members(struct sql_statement *statement, int first, int64_t id) {
    struct row_members members = { .id = id };
    members.version = sql_integer(statement, first + MEMBERS_VERSION);
    members.value = sql_value(statement, first + MEMBERS_ITSELF);
    if (statement->engine->dialect->keeps_row_sums)
        members.sum = sql_integer(statement, first + MEMBERS_SUM);
    return members;
}

/* Is the sum of Members right? */
static bool members_are_sound(struct store_session *session, const struct table *table,
                              const struct row_members *members) {
    return !session->engine->dialect->keeps_row_sums ||
           is_sum(row_sum_of_members(members->id, members->version, members->value), members->sum,
                  table, members->id);
}

enum status row_add_members(struct store_session *session, const struct table *table,
                            const struct row_members *row, struct buffer *json) {
    const struct sql_value members = row->value;
    if (!members_are_sound(session, table, row))
        return STATUS_INTERNAL;
    if (row_is_as_shown(session, table, members))
        return row_unpack(session, members, json);
    struct arena arena = { 0 };
    struct record record = record_new(table, &arena);
    enum status status =
        record.values ? row_read_members(session, members, &arena, &record) : STATUS_INTERNAL;
    if (status == STATUS_OK) {
        json_add_record(json, &record);
        status = json->failed ? STATUS_INTERNAL : STATUS_OK;
    }
    arena_close(&arena);
    return status;
}

/* Reads the fields that have columns, from `*column` on, and adds them to the sum. */
static bool read_columns(struct sql_statement *statement, int *column, struct arena *arena,
                         struct record *record, struct row_sum *sum) {
    const struct table *table = record->table;
    for (unsigned i = 0; i < table->count; i++) {
        if (!field_is_read_from_column(table, &table->fields[i]))
            continue;
        const struct sql_value value = sql_value(statement, (*column)++);
        if (sum)
            row_sum_add_value(sum, value);
        if (!row_read_value(value, arena, &record->values[i]))
            return false;
    }
    return true;
}

/* Reads the row of a table that is stored as JSON. */
static enum status read_with_members(struct store_session *session, struct sql_statement *statement,
                                     struct arena *arena, struct record *record) {
    const bool has_sums = session->engine->dialect->keeps_row_sums;
    int column = row_members_columns(session->engine);
    const int64_t id = has_sums ? sql_integer(statement, column++) : 0;
    const int64_t expected = has_sums ? sql_integer(statement, column++) : 0;
    const struct row_members members = row_members(statement, 0, id);
    struct row_sum sum;
    record->version = members.version;
    sum.used = 0;
    row_sum_add_integer(&sum, id);
    if (!members_are_sound(session, record->table, &members))
        return STATUS_INTERNAL;
    enum status status = row_read_members(session, members.value, arena, record);
    if (status != STATUS_OK)
        return status;
    bool is_read = read_columns(statement, &column, arena, record, has_sums ? &sum : NULL) &&
                   (!has_sums || is_sum(row_sum_of_values(&sum), expected, record->table, id));
    return is_read ? STATUS_OK : STATUS_INTERNAL;
}

enum status row_read(struct store_session *session, struct sql_statement *statement,
                     struct arena *arena, struct record *record) {
    if (record->table->is_kept_as_json)
        return read_with_members(session, statement, arena, record);
    int column = 1;
    record->version = sql_integer(statement, 0);
    bool is_read = read_columns(statement, &column, arena, record, NULL) &&
                   (!session->engine->dialect->keeps_row_sums || sql_integer(statement, column));
    return is_read ? STATUS_OK : STATUS_INTERNAL;
}

/* ---- Writing ---- */

void row_bind_value(struct sql_statement *statement, int at, const struct field *field,
                    const struct value *value) {
    if (value->kind == VALUE_INTEGER)
        sql_bind_integer(statement, at, value->integer);
    else if (value->kind == VALUE_TEXT && field_is_sealed(field))
        sql_bind_bytes(statement, at, value_as_text(value));
    else if (value->kind == VALUE_TEXT)
        sql_bind_text(statement, at, value_as_text(value));
    else if (field->type == TYPE_boolean)
        sql_bind_integer(statement, at, 0);
    else
        sql_bind_null(statement, at);
}

/* Binds all parameters of an INSERT or UPDATE and runs it. */
static enum status run_with_record(struct store_tx *tx, struct sql_statement *statement,
                                   const struct record *record, bool with_indexed) {
    const struct table *table = record->table;
    struct arena arena = { 0 };
    struct text packed = { 0 };
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]) &&
            (with_indexed || !(table->fields[i].flags & (UNIQUE | INDEXED))))
            row_bind_value(statement, (int)i + 1, &table->fields[i], &record->values[i]);
    sql_bind_integer(statement, row_parameter(table, ROW_VERSION), record->version);
    if (!table->is_kept_as_json)
        return sql_execute_one(statement);
    enum status status = row_pack(tx->session, record, &arena, &packed);
    sql_bind_bytes(statement, row_parameter(table, ROW_MEMBERS), packed);
    if (status == STATUS_OK)
        status = sql_execute_one(statement);
    arena_close(&arena);
    return status;
}

enum status row_insert(struct store_tx *tx, const struct record *record) {
    struct sql_statement *statement = row_statement(tx->session, record->table, TABLE_INSERT);
    if (!statement)
        return STATUS_INTERNAL;
    positions_note(tx, NULL, record);
    return run_with_record(tx, statement, record, true);
}

enum status row_update(struct store_tx *tx, const struct record *before,
                       const struct record *after) {
    bool indexed_changes = false;
    for (unsigned i = 0; i < after->table->count; i++)
        if (after->table->fields[i].flags & (UNIQUE | INDEXED))
            indexed_changes |= !value_equal(&before->values[i], &after->values[i]);
    struct sql_statement *statement = row_statement(
        tx->session, after->table, indexed_changes ? TABLE_UPDATE_INDEXED : TABLE_UPDATE);
    if (!statement)
        return STATUS_INTERNAL;
    assert(after->version == before->version + 1);
    if (indexed_changes)
        positions_note(tx, before, after);
    sql_bind_integer(statement, row_parameter(after->table, ROW_VERSION_BEFORE), before->version);
    return run_with_record(tx, statement, after, indexed_changes);
}

enum status row_delete(struct store_tx *tx, const struct record *record) {
    struct sql_statement *statement = row_statement(tx->session, record->table, TABLE_DELETE);
    if (!statement)
        return STATUS_INTERNAL;
    positions_note(tx, record, NULL);
    sql_bind_integer(statement, 1, record_id(record));
    sql_bind_integer(statement, 2, record->version);
    return sql_execute_one(statement);
}
