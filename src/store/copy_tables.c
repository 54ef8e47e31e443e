/* The tables that are copied. Those of records have their columns from the field tables. */
#include "store/copy_tables.h"

#include "base/buffer.h"
#include "store/email_index.h"
#include "store/own_columns.h"
#include "store/rows.h"

#include <assert.h>

/* ---- The tables ---- */

/* The tables that are not those of records, in the order in which they are copied. */
static const struct copied before_records[] = {
    { "database_guid", DATABASE_GUID_COLUMNS, "prefix", NULL, NULL, 0 },
    { "dictionaries", DICTIONARIES_COLUMNS, "id", NULL, NULL, 0 },
    { "next_ids", NEXT_IDS_COLUMNS, "kind", "kind <> 'audit'", NULL, 0 },
    { "unknown_logins", UNKNOWN_LOGINS_COLUMNS, "sign_ins", NULL, NULL, 0 },
    { "payloads", PAYLOADS_COLUMNS, "id", NULL, NULL, 0 },
};

static const struct copied after_records[] = {
    { "links", LINKS_COLUMNS, LINKS_COLUMNS, NULL, NULL, 0 },
    { "avatars", AVATARS_COLUMNS, "user_id", NULL, NULL, 0 },
    { "tokens", TOKENS_COLUMNS, "hash", NULL, NULL, 0 },
    { "audit", AUDIT_COLUMNS, "id", NULL, NULL, 0 },
    { "idempotency_keys", IDEMPOTENCY_KEYS_COLUMNS, "caller, key", NULL, NULL, 1U << 1 },
};

const struct copied copied_key_mark = { "seal_mark", SEAL_MARK_COLUMNS, "mark", NULL, NULL, 0 };

static struct copied copied_records(const struct table *table, struct arena *arena) {
    struct buffer columns;
    buffer_init(&columns, arena, 2048);
    buffer_add(&columns, TEXT("Id, Version"));
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]) && table->fields[i].type != TYPE_id)
            buffer_printf(&columns, ", %s", table->fields[i].name.at);
    if (table->is_kept_as_json)
        buffer_add(&columns, TEXT(", Members"));
    buffer_add_char(&columns, '\0');
    return (struct copied){ table->name, columns.failed ? NULL : columns.at, "Id", NULL, table, 0 };
}

static struct copied copied_addresses(const struct table *table, struct arena *arena) {
    struct buffer name;
    buffer_init(&name, arena, 64);
    email_index_add_name(&name, table);
    buffer_add_char(&name, '\0');
    return (struct copied){
        name.failed ? NULL : name.at, "address, owner", "address, owner", NULL, NULL, 1U << 0
    };
}

unsigned copied_count_columns(const struct copied *copied) {
    unsigned count = 1;
    for (const char *c = copied->columns; *c; c++)
        count += *c == ',';
    assert(count <= COPIED_COLUMNS_MAX);
    return count;
}

unsigned copied_column_of(const struct table *table, unsigned field) {
    unsigned column = 2;
    for (unsigned i = 0; i < field; i++)
        column += field_has_column(table, &table->fields[i]) && table->fields[i].type != TYPE_id;
    return column;
}

struct sql_statement *copied_select(struct store_session *session, const struct copied *copied) {
    struct arena arena = { 0 };
    const char *where = copied->where ? copied->where : "1 = 1";
    struct text sql = arena_printf(&arena, "SELECT %s FROM %s WHERE %s ORDER BY %s",
                                   copied->columns, copied->name, where, copied->key);
    struct sql_statement *statement = sql.at ? sql_prepare_many(session, sql.at) : NULL;
    arena_close(&arena);
    return statement;
}

/* ---- The walk ---- */

struct walk {
    struct store_session *session;
    copied_visit *visit;
    void *argument;
    struct arena arena; /* for names and columns */
};

static enum status visit_table(const struct walk *walk, const struct copied *copied) {
    return copied->name && copied->columns ? walk->visit(walk->argument, walk->session, copied)
                                           : STATUS_INTERNAL;
}

static enum status visit_each(const struct walk *walk, const struct copied *copied, size_t count) {
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = visit_table(walk, &copied[i]);
    return status;
}

static enum status visit_records(struct walk *walk) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++) {
        if (row_is_derived(tables[i]))
            continue;
        struct copied records = copied_records(tables[i], &walk->arena);
        status = visit_table(walk, &records);
        if (status != STATUS_OK || !email_index_field(tables[i]))
            continue;
        struct copied addresses = copied_addresses(tables[i], &walk->arena);
        status = visit_table(walk, &addresses);
    }
    return status;
}

enum status copied_visit_all(struct store_session *session, copied_visit *visit, void *argument) {
    struct walk walk = { .session = session, .visit = visit, .argument = argument };
    enum status status =
        visit_each(&walk, before_records, sizeof before_records / sizeof before_records[0]);
    if (status == STATUS_OK)
        status = visit_records(&walk);
    if (status == STATUS_OK)
        status = visit_each(&walk, after_records, sizeof after_records / sizeof after_records[0]);
    arena_close(&walk.arena);
    return status;
}
