/* Sums of rows in SQLite.
 *
 * A sum is a generated column, which SQLite computes and stores whenever it writes a row. So no
 * statement can forget one, and a change of some columns covers the others as well, also a value
 * that was damaged before. In tables that statements change without reading the row first, a
 * trigger therefore compares the old sum before each UPDATE. Users are loaded before they are
 * changed.
 *
 * ALTER TABLE adds no stored columns. They are therefore written into the text of the schema, by
 * the procedure that SQLite documents for changes that leave the rows as they are
 * (https://sqlite.org/lang_altertable.html#otheralter): a row without the column reads as null. An
 * UPDATE of all rows then stores the sums. All of this is in the transaction of the migration.
 *
 * The schema itself has no sums. `schema_kept` has a second copy of it.
 *
 * The texts that "contains" searches have none either (text_index.c): a block fills a page, and
 * `rosterd check` compares all of them with the records. */
#include "store/sqlite/sums.h"

#include "base/log.h"
#include "store/email_index.h"
#include "store/own_columns.h"
#include "store/row_sum.h"
#include "store/rows.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/schema_tables.h"

#include <stdio.h>
#include <string.h>

/* ---- Functions ---- */

/* sqlite3_value_text would copy a text to end it with NUL, so a text is read as bytes. */
static int64_t sum_of(sqlite3_value **arguments, int count) {
    struct row_sum sum;
    sum.used = 0;
    for (int i = 0; i < count; i++)
        row_sum_add_value(&sum, connection_value(arguments[i]));
    return row_sum_of_values(&sum);
}

/* row_sum_of(value, ...) */
static void row_sum_of(sqlite3_context *context, int count, sqlite3_value **arguments) {
    sqlite3_result_int64(context, sum_of(arguments, count));
}

/* members_sum_of(Id, Version, Members) */
static void members_sum_of(sqlite3_context *context, int count, sqlite3_value **arguments) {
    (void)count;
    sqlite3_result_int64(context, row_sum_of_members(sqlite3_value_int64(arguments[0]),
                                                     sqlite3_value_int64(arguments[1]),
                                                     connection_value(arguments[2])));
}

static struct text text_value(sqlite3_value *value) {
    const char *at = (const char *)sqlite3_value_text(value);
    return at ? (struct text){ at, (size_t)sqlite3_value_bytes(value) } : TEXT("null");
}

/* row_is_sound(table, row, sum, value, ...): is `sum` that of the values? */
static void row_is_sound(sqlite3_context *context, int count, sqlite3_value **arguments) {
    enum { TABLE, ROW, SUM, FIRST };
    bool is_sound = sqlite3_value_type(arguments[SUM]) == SQLITE_INTEGER &&
                    sqlite3_value_int64(arguments[SUM]) == sum_of(arguments + FIRST, count - FIRST);
    if (!is_sound)
        row_sum_log(text_value(arguments[TABLE]), text_value(arguments[ROW]));
    sqlite3_result_int(context, is_sound);
}

/* They may stand in the schema, although it is not trusted: they only compute. */
bool sums_add_functions(struct connection *connection) {
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    sqlite3 *db = connection->db;
    return sqlite3_create_function_v2(db, "row_sum_of", -1, flags, NULL, row_sum_of, NULL, NULL,
                                      NULL) == SQLITE_OK &&
           sqlite3_create_function_v2(db, "members_sum_of", 3, flags, NULL, members_sum_of, NULL,
                                      NULL, NULL) == SQLITE_OK &&
           sqlite3_create_function_v2(db, "row_is_sound", -1, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL,
                                      row_is_sound, NULL, NULL, NULL) == SQLITE_OK;
}

/* ---- The tables that have sums ---- */

struct summed {
    const char *name, *columns; /* `columns` NULL: those of the table of records */
    const char *row;            /* the column, or columns, that a row is called by; no secret */
    const struct table *table;  /* NULL: not one of records */
};

static const struct summed own_tables[] = {
    { "dictionaries", DICTIONARIES_COLUMNS, "id", NULL }, /* the first, see sums_begin */
    { "database_guid", DATABASE_GUID_COLUMNS, "prefix", NULL },
    { "next_ids", NEXT_IDS_COLUMNS, "kind", NULL },
    { "row_counts", "kind, rows", "kind", NULL },
    { "unknown_logins", UNKNOWN_LOGINS_COLUMNS, "sign_ins", NULL },
    { "payloads", PAYLOADS_COLUMNS, "id", NULL },
    { "links", LINKS_COLUMNS, "owner", NULL },
    { "avatars", AVATARS_COLUMNS, "user_id", NULL },
    { "tokens", TOKENS_COLUMNS, "id", NULL },
    { "audit", AUDIT_COLUMNS, "id", NULL },
    { "idempotency_keys", IDEMPOTENCY_KEYS_COLUMNS, "caller", NULL },
    { "seal_mark", SEAL_MARK_COLUMNS, "'the mark'", NULL },
};

enum {
    OWN_TABLES = sizeof own_tables / sizeof own_tables[0],
    SUMMED_MAX = OWN_TABLES + 2 * TABLES
};

/* The table with the number `at`. False: there is none with this number. */
static bool find_summed(unsigned at, struct arena *arena, struct summed *summed) {
    if (at < OWN_TABLES) {
        *summed = own_tables[at];
        return true;
    }
    const struct table *table = tables[(at - OWN_TABLES) % TABLES];
    if (at < OWN_TABLES + TABLES) {
        *summed = (struct summed){ table->name, NULL, "Id", table };
        return !row_is_derived(table);
    }
    if (!email_index_field(table))
        return false;
    struct buffer name;
    buffer_init(&name, arena, 64);
    email_index_add_name(&name, table);
    buffer_add_char(&name, '\0');
    *summed = (struct summed){ name.failed ? "" : name.at, "address, owner", "owner", NULL };
    return true;
}

static bool has_members(const struct summed *summed) {
    return summed->table && summed->table->is_kept_as_json;
}

static void add_columns(struct buffer *sql, const struct summed *summed, const char *prefix) {
    if (!summed->columns) {
        row_sum_add_columns(sql, summed->table, prefix);
        return;
    }
    for (const char *c = summed->columns; *c; c++) {
        if (c == summed->columns || c[-1] == ' ')
            buffer_add(sql, text_of(prefix));
        buffer_add_char(sql, *c);
    }
}

#define FIRST_COLUMN ", row_sum INTEGER GENERATED ALWAYS AS ("
#define LAST_COLUMN_END ") STORED"

/* Adds the definition of the columns, as it stands in the text of the schema. */
static void add_definition(struct buffer *sql, const struct summed *summed) {
    buffer_add(sql, TEXT(FIRST_COLUMN "row_sum_of("));
    add_columns(sql, summed, "");
    buffer_add(sql, TEXT(")" LAST_COLUMN_END));
    if (has_members(summed))
        buffer_add(sql, TEXT(", members_sum INTEGER GENERATED ALWAYS AS"
                             " (members_sum_of(Id, Version, Members)" LAST_COLUMN_END));
}

/* ---- The text of the schema ---- */

/* Reads the text by which a table was created. NOT_FOUND: there is no such table. */
static enum status read_schema(struct store_session *session, const char *name, const char *from,
                               struct arena *arena, struct text *text) {
    struct text sql =
        arena_printf(arena, "SELECT sql FROM %s WHERE type = 'table' AND name = '%s'", from, name);
    struct sql_statement *statement = sql.at ? sql_prepare(session, sql.at) : NULL;
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        *text = sql_text(statement, 0, arena);
        status = text->at ? STATUS_OK : STATUS_INTERNAL;
    }
    sql_free(statement);
    return status;
}

/* Where `part` is in the text, the first or the last time. NULL: nowhere. */
static const char *find(struct text text, struct text part, bool last) {
    const char *found = NULL, *at = text.at;
    while (at && (last || !found) &&
           (at = memmem(at, text.len - (size_t)(at - text.at), part.at, part.len)))
        found = at++;
    return found;
}

/* Puts a definition into the text of a table, in the place of another one or behind the last
 * column. `at` NULL: the text is none that can be understood. */
static struct text with_definition(struct text text, struct text definition, struct arena *arena) {
    const char *from = find(text, TEXT(FIRST_COLUMN), false);
    const char *to = find(text, TEXT(LAST_COLUMN_END), true);
    if (from && to) {
        to += strlen(LAST_COLUMN_END);
    } else {
        from = find(text, TEXT(", PRIMARY KEY ("), false);
        from = to = from ? from : find(text, TEXT(")"), true);
    }
    if (!from || to < from)
        return (struct text){ 0 };
    return arena_printf(arena, "%.*s%.*s%.*s", (int)(from - text.at), text.at, (int)definition.len,
                        definition.at, (int)(text.at + text.len - to), to);
}

static enum status write_schema(struct store_session *session, const char *name, struct text text) {
    struct sql_statement *statement = NULL;
    enum status status = sql_run(session, "PRAGMA writable_schema = ON");
    if (status == STATUS_OK) {
        status = STATUS_INTERNAL;
        statement = sql_prepare(session, "UPDATE sqlite_schema SET sql = ?1 WHERE type = 'table'"
                                         " AND name = ?2");
    }
    if (statement) {
        sql_bind_text(statement, 1, text);
        sql_bind_text(statement, 2, text_of(name));
        status = sql_execute_one(statement);
    }
    sql_free(statement);
    return status;
}

static struct text definition_of(const struct summed *summed, struct arena *arena) {
    struct buffer definition;
    buffer_init(&definition, arena, 1024);
    add_definition(&definition, summed);
    if (definition.failed)
        return (struct text){ 0 };
    return buffer_text(&definition);
}

/* Defines the sums of a table, unless they are there. `*defined`: they were not. A table that is
 * missing is missed by schema_check. */
static enum status define(struct store_session *session, const struct summed *summed,
                          bool *defined) {
    struct arena arena = { 0 };
    struct text text, definition = definition_of(summed, &arena);
    enum status status = definition.at ? STATUS_OK : STATUS_INTERNAL;
    if (status == STATUS_OK)
        status = read_schema(session, summed->name, "sqlite_schema", &arena, &text);
    if (status == STATUS_OK && !find(text, definition, false)) {
        struct text edited = with_definition(text, definition, &arena);
        status = edited.at ? write_schema(session, summed->name, edited) : STATUS_INTERNAL;
        *defined = status == STATUS_OK;
    }
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- The sums of rows that are there ---- */

/* Adds the trigger that compares the sum before an UPDATE. */
static void add_guard(struct buffer *sql, const struct summed *summed) {
    const char *prefix = summed->row[0] == '\'' ? "" : "OLD.";
    buffer_printf(sql,
                  "DROP TRIGGER IF EXISTS %s_sound; CREATE TRIGGER %s_sound BEFORE UPDATE ON %s "
                  "WHEN NOT row_is_sound('%s', %s%s,",
                  summed->name, summed->name, summed->name, summed->name, prefix, summed->row);
    buffer_add(sql, TEXT(" OLD.row_sum, "));
    add_columns(sql, summed, "OLD.");
    buffer_add(sql, TEXT(") BEGIN SELECT RAISE(ABORT, 'a row is damaged'); END;"));
}

/* Writes each row again, so that SQLite stores its sums. No trigger must take that for a change. */
static enum status sum_rows(struct store_session *session, const struct summed *summed) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 1024);
    const char *column = summed->table ? "Version" : strrchr(summed->columns, ' ');
    column = column ? column + (*column == ' ') : summed->columns;
    buffer_printf(&sql, "UPDATE %s SET %s = %s;", summed->name, column, column);
    if (!has_members(summed))
        add_guard(&sql, summed);
    buffer_add_char(&sql, '\0');
    sqlite3 *db = connection_of(session)->db;
    enum status status = STATUS_INTERNAL;
    if (!sql.failed && sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL) == SQLITE_OK)
        status = sql_run(session, sql.at);
    if (sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL) != SQLITE_OK)
        status = STATUS_INTERNAL;
    arena_close(&arena);
    return status;
}

/* Makes SQLite read the schema again, on this connection and on others. */
static enum status reload_schema(struct store_session *session) {
    char sql[96];
    int64_t number;
    enum status status = schema_read_integer(session, "PRAGMA schema_version", &number);
    if (status != STATUS_OK)
        return status;
    (void)snprintf(sql, sizeof sql, "PRAGMA schema_version = %lld; PRAGMA writable_schema = RESET",
                   (long long)number + 1);
    return sql_run(session, sql);
}

/* Gives the first `count` tables their sums. */
static enum status keep(struct store_session *session, unsigned count) {
    struct arena arena = { 0 };
    bool defined[SUMMED_MAX] = { false }, any = false;
    struct summed summed;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < count; i++)
        if (find_summed(i, &arena, &summed)) {
            status = define(session, &summed, &defined[i]);
            any |= defined[i];
        }
    if (status == STATUS_OK && any)
        status = reload_schema(session);
    for (unsigned i = 0; status == STATUS_OK && i < count; i++)
        if (defined[i] && find_summed(i, &arena, &summed))
            status = sum_rows(session, &summed);
    arena_close(&arena);
    return status;
}

/* Has a program of Roster defined the sums of this table? A program with other fields has other
 * definitions. If the text is damaged, new sums would cover rows that are damaged as well. */
static enum status compare_definition(struct store_session *session, const struct summed *summed) {
    struct arena arena = { 0 };
    struct text text = { 0 }, kept = { 0 }, own = definition_of(summed, &arena);
    enum status status = own.at ? STATUS_OK : STATUS_INTERNAL;
    if (status == STATUS_OK)
        status = read_schema(session, summed->name, "sqlite_schema", &arena, &text);
    if (status == STATUS_OK && !find(text, own, false))
        status = read_schema(session, summed->name, "schema_kept", &arena, &kept);
    if (status == STATUS_OK && kept.at && !text_equal(text, kept)) {
        log_error("database: the definition of %s is damaged: it is not as Roster left it",
                  summed->name);
        status = STATUS_INTERNAL;
    }
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* schema_check misses the table */
}

static enum status compare_definitions(struct store_session *session) {
    struct arena arena = { 0 };
    struct summed summed;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < SUMMED_MAX; i++)
        if (find_summed(i, &arena, &summed))
            status = compare_definition(session, &summed);
    arena_close(&arena);
    return status;
}

enum status sums_begin(struct store_session *session, int64_t *schema) {
    enum status status = schema_read_integer(session, "PRAGMA schema_version", schema);
    if (status == STATUS_OK && connection_has_table(connection_of(session), "schema_kept"))
        status = compare_definitions(session);
    return status == STATUS_OK ? keep(session, 1) : status;
}

/* ---- The copy of the schema ---- */

static const char keep_schema[] =
    "CREATE TABLE IF NOT EXISTS schema_kept (type TEXT NOT NULL, name TEXT NOT NULL,"
    " tbl_name TEXT NOT NULL, sql TEXT NOT NULL) STRICT;"
    "DELETE FROM schema_kept;"
    "INSERT INTO schema_kept SELECT type, name, tbl_name, sql FROM sqlite_schema"
    " WHERE name NOT GLOB 'sqlite_*';";

enum status sums_finish(struct store_session *session, int64_t schema) {
    int64_t now = 0;
    enum status status = keep(session, SUMMED_MAX);
    if (status == STATUS_OK)
        status = schema_read_integer(session, "PRAGMA schema_version", &now);
    return status == STATUS_OK && now != schema ? sql_run(session, keep_schema) : status;
}

/* ---- Checking ---- */

/* An operator may add tables and indexes, which are not kept. */
static const char schema_faults[] =
    "SELECT name || ' is not as Roster left it' FROM (SELECT type, name, tbl_name, sql"
    " FROM schema_kept EXCEPT SELECT type, name, tbl_name, sql FROM sqlite_schema)"
    " UNION ALL SELECT 'there is no copy of it' WHERE NOT EXISTS (SELECT 1 FROM schema_kept)";

/* Adds a condition for each sum of a row: that it is wrong. A program with other fields may have
 * defined it, so the definition is taken from the schema. */
static bool add_faults(struct buffer *sql, const struct summed *summed, struct text schema) {
    const char *from = find(schema, TEXT(FIRST_COLUMN), false);
    const struct text rest = { from, from ? (size_t)(schema.at + schema.len - from) : 0 };
    const char *to = find(rest, TEXT(LAST_COLUMN_END), false);
    if (!from || !to)
        return false;
    from += sizeof FIRST_COLUMN - 1;
    buffer_printf(sql, "row_sum IS NOT %.*s", (int)(to - from), from);
    if (has_members(summed))
        buffer_add(sql, TEXT(" OR members_sum IS NOT members_sum_of(Id, Version, Members)"));
    buffer_add_char(sql, '\0');
    return !sql->failed;
}

static bool rows_are_sound(struct store_session *session, const struct summed *summed,
                           store_say *say) {
    struct arena arena = { 0 };
    struct buffer sql;
    struct text schema = { 0 };
    enum status status = read_schema(session, summed->name, "sqlite_schema", &arena, &schema);
    buffer_init(&sql, &arena, 1024);
    buffer_printf(&sql,
                  "SELECT 'the row of ' || %s || ' is damaged: its sum is wrong' FROM %s WHERE ",
                  summed->row, summed->name);
    bool sound = status == STATUS_OK && add_faults(&sql, summed, schema);
    if (!sound)
        check_say(say, "%s: has no sums", summed->name);
    sound = sound && check_has_none(session, sql.at, summed->name, say);
    arena_close(&arena);
    return sound;
}

bool sums_check(struct store_session *session, store_say *say) {
    struct arena arena = { 0 };
    struct summed summed;
    bool sound = check_has_none(session, schema_faults, "the schema", say);
    for (unsigned i = 0; i < SUMMED_MAX; i++)
        if (find_summed(i, &arena, &summed))
            sound &= rows_are_sound(session, &summed, say);
    arena_close(&arena);
    return sound;
}
