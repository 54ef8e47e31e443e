/* The SQL functions that store/engine.h names, and one for a migration. */
#include "store/sqlite/functions.h"

#include "json/json.h"
#include "rules/fold.h"
#include "store/engine.h"
#include "store/row_compression.h"
#include "store/rows.h"
#include "store/sqlite/sums.h"

#include <stdio.h>

/* contains(text, needle): is a folded needle in a text? See fold.h. */
static void contains(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    struct text text = { (const char *)sqlite3_value_text(arguments[0]), 0 };
    struct text needle = { (const char *)sqlite3_value_text(arguments[1]), 0 };
    text.len = (size_t)sqlite3_value_bytes(arguments[0]);
    needle.len = (size_t)sqlite3_value_bytes(arguments[1]);
    int found = text.at && needle.at ? fold_contains(text, needle) : 0;
    if (found < 0)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_int(context, found);
}

/* fold(text) and fold_case(text): for exact matches, and for comparing records with the text
 * index. */
static void fold_text(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const bool keeps_accents = sqlite3_user_data(context) != NULL;
    struct arena arena = { 0 };
    struct text text = { (const char *)sqlite3_value_text(arguments[0]), 0 };
    (void)count;
    text.len = (size_t)sqlite3_value_bytes(arguments[0]);
    if (!text.at)
        return; /* null stays null */
    struct text folded = keeps_accents ? fold_case(text, &arena) : fold(text, &arena);
    if (folded.at)
        sqlite3_result_text64(context, folded.at, folded.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    else
        sqlite3_result_error_nomem(context);
    arena_close(&arena);
}

/* TABLE_member(Members, field): a member of a record that is stored as JSON, with the value that a
 * column would have; `field` is the index of its field. */
static void member(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const struct connection_table *of = sqlite3_user_data(context);
    struct arena arena = { 0 };
    struct buffer json;
    struct value value = { 0 };
    int64_t field = sqlite3_value_int64(arguments[1]);
    (void)count;
    buffer_init(&json, &arena, 0);
    if (field < 0 || field >= of->table->count ||
        row_unpack(&of->connection->session, connection_value(arguments[0]), &json) != STATUS_OK ||
        !json_read_member(buffer_text(&json), &of->table->fields[field], &arena, &value))
        sqlite3_result_error(context, "a row cannot be read", -1);
    else if (value.kind == VALUE_INTEGER)
        sqlite3_result_int64(context, value.integer);
    else if (value.kind == VALUE_TEXT)
        sqlite3_result_text64(context, value.text, value.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    arena_close(&arena);
}

/* TABLE_pack(Members): the packed row, for the migration that introduced packing. */
static void pack_members(sqlite3_context *context, int count, sqlite3_value **arguments) {
    const struct connection_table *of = sqlite3_user_data(context);
    struct arena arena = { 0 };
    struct record record = record_new(of->table, &arena);
    struct text packed = { 0 };
    (void)count;
    if (record.values &&
        row_read_members(&of->connection->session, connection_value(arguments[0]), &arena,
                         &record) == STATUS_OK &&
        row_pack(&of->connection->session, &record, &arena, &packed) == STATUS_OK)
        sqlite3_result_blob64(context, packed.at, packed.len, SQLITE_TRANSIENT);
    else
        sqlite3_result_error(context, "a row cannot be packed", -1);
    arena_close(&arena);
}

static bool add_function(sqlite3 *db, const char *name, int arguments,
                         void (*function)(sqlite3_context *, int, sqlite3_value **), void *of) {
    return sqlite3_create_function_v2(db, name, arguments,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, of,
                                      function, NULL, NULL, NULL) == SQLITE_OK;
}

bool functions_add(struct connection *connection) {
    char name[64];
    bool added = sums_add_functions(connection) &&
                 add_function(connection->db, "fold", 1, fold_text, NULL) &&
                 add_function(connection->db, "fold_case", 1, fold_text, connection) &&
                 add_function(connection->db, "contains", 2, contains, NULL);
    for (unsigned i = 0; added && i < TABLES; i++) {
        connection->tables[i] = (struct connection_table){ connection, tables[i] };
        if (!tables[i]->is_kept_as_json)
            continue;
        (void)snprintf(name, sizeof name, "%s_member", tables[i]->name);
        added = add_function(connection->db, name, 2, member, &connection->tables[i]);
        (void)snprintf(name, sizeof name, "%s_pack", tables[i]->name);
        added &= add_function(connection->db, name, 1, pack_members, &connection->tables[i]);
    }
    return added;
}
