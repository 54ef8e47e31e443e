/* Reads all rows of a table, some thousand at a time, so that no result is larger than memory
 * allows, and unpacks each. */
#include "store/scan.h"

#include "json/json.h"
#include "store/engine.h"
#include "store/row_compression.h"
#include "store/rows.h"

static bool is_packed(const struct table *table, const struct field *field) {
    return table->is_kept_as_json && field_is_kept_in_json(field) &&
           !field_has_column(table, field);
}

bool scan_is_of_search(const struct search *search, const struct filter *filter) {
    return filter->through && !field_is_linked(filter->through) &&
           is_packed(search->table, filter->through);
}

bool scan_is_needed(const struct engine *engine, const struct search *search,
                    const struct filter *filter) {
    const struct field *field = &filter->table->fields[filter->field];
    if (!engine->dialect->add_folded)
        return false;
    if (scan_is_of_search(search, filter))
        return true;
    switch (filter->match) {
    case MATCH_nothing:
    case MATCH_linked:
    case MATCH_linked_from: return false;
    case MATCH_contains: return !(field->flags & SEARCHED);
    case MATCH_any: return !field_is_linked(field) && is_packed(filter->table, field);
    default: return is_packed(filter->table, field);
    }
}

bool scan_orders(const struct engine *engine, const struct search *search) {
    return engine->dialect->add_folded &&
           is_packed(search->table, &search->table->fields[search->order]);
}

/* ---- Rows ---- */

/* Is the value read from the packed row, since SQL cannot? */
static bool reads_packed(const struct scanned *scanned) {
    return scanned->session->engine->dialect->add_folded &&
           is_packed(scanned->table, scanned->field);
}

void scan_add_column(struct buffer *sql, const struct scanned *scanned, const char *row) {
    if (reads_packed(scanned))
        buffer_printf(sql, "%s.Members", row);
    else
        row_add_value(sql, scanned->table, scanned->field, row);
}

enum status scan_read(const struct scanned *scanned, struct sql_value column, struct arena *arena,
                      struct value *value) {
    struct buffer json;
    if (!reads_packed(scanned))
        return row_read_value(column, arena, value) ? STATUS_OK : STATUS_INTERNAL;
    buffer_init(&json, arena, 0);
    enum status status = row_unpack(scanned->session, column, &json);
    if (status == STATUS_OK && !json_read_member(buffer_text(&json), scanned->field, arena, value))
        status = STATUS_INTERNAL;
    return status;
}

enum status scan_rows(const struct scanned *scanned, struct sql_statement *statement, scan_use *use,
                      void *argument, struct scan_progress *progress) {
    enum status status;
    for (progress->count = 0; (status = sql_step(statement)) == STATUS_OK; progress->count++) {
        struct arena scratch = { 0 };
        struct value value = { 0 };
        progress->last = sql_integer(statement, 0);
        status = scan_read(scanned, sql_value(statement, 1), &scratch, &value);
        if (status == STATUS_OK)
            status = use(argument, progress->last, &value);
        arena_close(&scratch);
        if (status != STATUS_OK)
            break;
    }
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static struct sql_statement *select_rows(const struct scanned *scanned) {
    struct arena arena = { 0 };
    struct buffer sql;
    struct sql_statement *statement = NULL;
    buffer_init(&sql, &arena, 160);
    buffer_add(&sql, TEXT("SELECT Id, "));
    scan_add_column(&sql, scanned, scanned->table->name);
    buffer_printf(&sql, " FROM %s WHERE Id > ?1 ORDER BY Id LIMIT ?2", scanned->table->name);
    buffer_add_char(&sql, '\0');
    if (!sql.failed)
        statement = sql_text_statement(scanned->session, sql.at);
    arena_close(&arena);
    return statement;
}

enum status scan_each(const struct scanned *scanned, scan_use *use, void *argument) {
    struct scan_progress progress = { .count = SCAN_AT_ONCE };
    enum status status = STATUS_OK;
    while (status == STATUS_OK && progress.count == SCAN_AT_ONCE) {
        struct sql_statement *statement = select_rows(scanned);
        if (!statement)
            return STATUS_INTERNAL;
        sql_bind_integer(statement, 1, progress.last);
        sql_bind_integer(statement, 2, SCAN_AT_ONCE);
        status = scan_rows(scanned, statement, use, argument, &progress);
    }
    return status;
}
