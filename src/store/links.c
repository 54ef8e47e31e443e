/* The index of links and references: finds the records that point to a row. */
#include "store/links.h"

#include "rules/collections.h"
#include "store/engine.h"
#include "store/rows.h"
#include "store/scan.h"

#include <assert.h>
#include <stdio.h>

/* ---- The index ---- */

static enum status change_link(struct store_tx *tx, enum statement how, const struct record *owner,
                               const struct field *field, int64_t target) {
    char name[96];
    struct sql_statement *statement = sql_statement(tx->session, how);
    int len = snprintf(name, sizeof name, "%s.%s", owner->table->name, field->name.at);
    assert(len > 0 && (size_t)len < sizeof name);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, (struct text){ name, (size_t)len });
    sql_bind_integer(statement, 2, target);
    sql_bind_integer(statement, 3, record_id(owner));
    return sql_execute(statement);
}

/* The Ids in the stored value of a link or reference. */
static struct value linked_ids(const struct field *field, const struct value *stored,
                               struct arena *arena) {
    if (field->type == TYPE_links || stored->kind != VALUE_INTEGER)
        return ids_from_stored(stored, arena);
    int64_t *id = arena_alloc(arena, sizeof *id);
    if (id)
        *id = stored->integer;
    return value_ids(id, 1);
}

enum status links_change(struct store_tx *tx, const struct record *owner, unsigned field,
                         const struct value *before, const struct value *after) {
    struct arena arena = { 0 };
    const struct field *which = &owner->table->fields[field];
    struct value old = linked_ids(which, before, &arena), gone = { 0 };
    struct value new = linked_ids(which, after, &arena), come = { 0 };
    if (old.ids && new.ids) {
        gone = ids_without(&old, &new, &arena);
        come = ids_without(&new, &old, &arena);
    }
    enum status status = gone.ids && come.ids ? STATUS_OK : STATUS_INTERNAL;
    for (uint32_t i = 0; status == STATUS_OK && i < gone.len; i++)
        status = change_link(tx, SQL_drop_link, owner, which, gone.ids[i]);
    for (uint32_t i = 0; status == STATUS_OK && i < come.len; i++)
        status = change_link(tx, SQL_add_link, owner, which, come.ids[i]);
    arena_close(&arena);
    return status;
}

/* ---- Backlinks ---- */

enum status links_read_back(struct store_session *session, const struct field *field,
                            struct record *record, struct arena *arena) {
    char name[96];
    const struct field *links = &field->target->fields[field->base];
    struct sql_statement *statement = sql_statement(session, SQL_linked_from);
    enum status status = STATUS_INTERNAL;
    struct buffer ids;
    int len = snprintf(name, sizeof name, "%s.%s", field->target->name, links->name.at);
    assert(len > 0 && (size_t)len < sizeof name);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_text(statement, 1, (struct text){ name, (size_t)len });
    sql_bind_integer(statement, 2, record_id(record));
    buffer_init(&ids, arena, 64);
    buffer_add_char(&ids, '[');
    while ((status = sql_step(statement)) == STATUS_OK) {
        if (!sql_integer(statement, 1)) {
            status = STATUS_INTERNAL;
            break;
        }
        if (ids.len > 1)
            buffer_add_char(&ids, ',');
        buffer_add_int64(&ids, sql_integer(statement, 0));
    }
    buffer_add_char(&ids, ']');
    sql_done(statement);
    if (status != STATUS_NOT_FOUND || ids.failed)
        return status == STATUS_NOT_FOUND ? STATUS_INTERNAL : status;
    record->values[field - record->table->fields] = value_text(buffer_text(&ids));
    return STATUS_OK;
}

static enum status read_referrers(const struct scanned *names, struct sql_statement *statement,
                                  struct arena *arena, struct referrers *referrers) {
    enum status status;
    for (unsigned i = 0; (status = sql_step(statement)) == STATUS_OK; i++) {
        struct value name;
        status = scan_read(names, sql_value(statement, 1), arena, &name);
        if (status != STATUS_OK)
            break;
        referrers->shown[i].id = sql_integer(statement, 0);
        referrers->shown[i].name = value_as_text(&name);
        referrers->count = sql_integer(statement, 2);
    }
    return status == STATUS_NOT_FOUND && !arena->failed ? STATUS_OK : STATUS_INTERNAL;
}

static enum status find_referrers(struct store_session *session, const struct record *of,
                                  const struct field *field, struct arena *arena,
                                  struct referrers *referrers) {
    const struct table *table = referrers->table;
    const struct scanned names = { session, table, &table->fields[table->common.to_string_text] };
    struct buffer sql;
    buffer_init(&sql, arena, 320);
    buffer_add(&sql, TEXT("SELECT t.Id, "));
    scan_add_column(&sql, &names, "t");
    buffer_add(&sql, TEXT(", count(*) OVER () FROM "));
    buffer_printf(&sql,
                  "links AS l JOIN %s AS t ON t.Id = l.owner"
                  " WHERE l.field = '%s.%s' AND l.target = ?1 ORDER BY l.owner LIMIT %d",
                  table->name, table->name, field->name.at, REFERRERS_SHOWN);
    buffer_add_char(&sql, '\0');
    if (sql.failed)
        return STATUS_INTERNAL;
    struct sql_statement *statement = sql_prepare(session, sql.at);
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, record_id(of));
    enum status status = read_referrers(&names, statement, arena, referrers);
    sql_free(statement);
    return status;
}

enum status store_referrers(struct store_session *session, const struct record *of,
                            struct arena *arena, struct referrers *referrers) {
    enum status status = engine_begin_reading(session);
    *referrers = (struct referrers){ 0 };
    if (status != STATUS_OK)
        return status;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        for (unsigned j = 0; status == STATUS_OK && j < tables[i]->count; j++) {
            const struct field *field = &tables[i]->fields[j];
            if (field->target != of->table || !field_is_linked(field) || referrers->count)
                continue;
            referrers->table = tables[i];
            status = find_referrers(session, of, field, arena, referrers);
        }
    engine_end_reading(session);
    return status;
}
