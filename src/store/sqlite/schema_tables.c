/* Creates the tables of the current schema. The tables of resources, with their indexes, are
 * derived from the field tables; the SQL of the tables that only the server uses is written out.
 * SQL that the steps from older versions run too is in the header. */
#include "store/sqlite/schema_tables.h"

#include "store/email_index.h"
#include "store/own_columns.h"
#include "store/rows.h"
#include "store/sqlite/dialect.h"
#include "store/sqlite/text_index.h"

#include <assert.h>
#include <stdio.h>

static const char next_ids_table[] =
    "CREATE TABLE next_ids (kind TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* The number of rows of each table: counting a million rows takes longer than a search may. */
static const char row_counts_table[] =
    "CREATE TABLE row_counts (kind TEXT PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

static const char own_tables[] =
    /* The records that refer to a row: the reverse of links and references. */
    "CREATE TABLE links (field TEXT NOT NULL, target INTEGER NOT NULL, owner INTEGER NOT NULL,"
    " PRIMARY KEY (field, target, owner)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE avatars (user_id INTEGER PRIMARY KEY, type TEXT NOT NULL,"
    " content BLOB NOT NULL) STRICT;"
    "CREATE TABLE tokens (hash BLOB PRIMARY KEY, kind INTEGER NOT NULL, user_id INTEGER NOT NULL,"
    " client_id TEXT NOT NULL, issued_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    " id INTEGER, family INTEGER NOT NULL, parent INTEGER NOT NULL, ends_ms INTEGER NOT NULL,"
    " signed_in_ms INTEGER, client_address TEXT)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX tokens_user ON tokens (user_id, client_id, kind);"
    "CREATE INDEX tokens_expires ON tokens (expires_ms);" TOKEN_IDS_INDEX TOKEN_FAMILIES
    /* type: 1 created, 2 updated, 3 deleted (docs/contract.md section 7.3) */
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, entity TEXT NOT NULL, entity_id INTEGER NOT NULL,"
    " property TEXT, old_value TEXT, new_value TEXT, action_by TEXT NOT NULL,"
    " at_ms INTEGER NOT NULL, type INTEGER NOT NULL, business_id INTEGER, request_id TEXT) "
    "STRICT;" UNKNOWN_LOGINS_TABLE
    "INSERT INTO unknown_logins VALUES (0);" NEW_DATABASE_GUID ADMINISTRATORS_INDEX SEAL_MARK_TABLE
    "INSERT INTO seal_mark VALUES (x'');";

/* Clients read these resources like any other, but only the server writes them, in tables with
 * other columns. */
static const char no_views[] =
    "DROP VIEW IF EXISTS audit_trail_entries; DROP VIEW IF EXISTS refresh_tokens;";
static const char views[] =
    "CREATE VIEW audit_trail_entries AS SELECT 1 AS Version, business_id AS BusinessId,"
    " entity AS EntityShortName, entity || ' ' || entity_id AS Description,"
    " property AS PropertyName, type AS AuditType, old_value AS OldValue, new_value AS NewValue,"
    " action_by AS ActionBy, entity_id AS EntityId, request_id AS RequestId, id AS Id, at_ms AS "
    "UpdatedOn,"
    " at_ms AS CreatedOn, " DERIVED_GUID(
        "1",
        "id") " AS UniqueId, action_by AS UpdatedBy, NULL AS SystemId,"
              " entity || ' ' || entity_id AS ToStringText, " IS_SOUND(
                  "audit", "id",
                  AUDIT_COLUMNS) " AS is_sound FROM audit;"
                                 "CREATE VIEW refresh_tokens AS SELECT 1 AS Version, u.Email AS "
                                 "Subject,"
                                 " t.client_id AS ClientId, t.expires_ms AS ExpiresOn, t.user_id "
                                 "AS UserId, t.signed_in_ms AS SignedInOn,"
                                 " t.client_address AS ClientAddress, t.id AS "
                                 "Id,"
                                 " t.issued_ms AS UpdatedOn, t.issued_ms AS "
                                 "CreatedOn, " DERIVED_GUID(
                                     "2",
                                     "t.id") " AS UniqueId,"
                                             " u.Email AS UpdatedBy, NULL AS SystemId, u.Email AS "
                                             "ToStringText,"
                                             " row_is_sound('tokens', t.id, t.row_sum, t.hash, "
                                             "t.kind, t.user_id, t.client_id, t.issued_ms,"
                                             " t.expires_ms, t.id, t.family, t.parent, t.ends_ms,"
                                             " t.signed_in_ms, t.client_address) "
                                             "AS is_sound"
                                             " FROM tokens AS t JOIN users AS u ON u.Id = "
                                             "t.user_id WHERE t.kind = 1;";

static const char *const sql_type[FIELD_TYPES] = {
    [TYPE_id] = "INTEGER PRIMARY KEY",
    [TYPE_text] = "TEXT",
    [TYPE_email] = "TEXT",
    [TYPE_url] = "TEXT",
    [TYPE_integer] = "INTEGER",
    [TYPE_boolean] = "INTEGER NOT NULL DEFAULT 0",
    [TYPE_date] = "INTEGER",
    [TYPE_guid] = "TEXT",
    [TYPE_choice] = "INTEGER",
    [TYPE_reference] = "INTEGER",
    [TYPE_links] = "TEXT",
    [TYPE_sealed] = "BLOB",
    [TYPE_totp] = "BLOB",
    [TYPE_password] = "TEXT",
};

const char *schema_stored_type(const struct field *field) {
    return field->flags & SHARED ? "INTEGER" : sql_type[field->type];
}

enum status schema_read_integer(struct store_session *session, const char *sql, int64_t *number) {
    struct sql_statement *statement = NULL;
    enum status status = STATUS_INTERNAL;
    if ((statement = sql_prepare(session, sql)))
        status = sql_step(statement);
    if (status == STATUS_OK)
        *number = sql_integer(statement, 0);
    sql_free(statement);
    return status;
}

bool schema_has_column(struct store_session *session, const char *table, const char *name,
                       struct text type) {
    int64_t found = 0;
    char sql[192];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM pragma_table_info('%s') WHERE name='%s' AND"
                   " (type='%.*s' OR %d)",
                   table, name, (int)type.len, type.at ? type.at : "", !type.at);
    return schema_read_integer(session, sql, &found) == STATUS_OK && found == 1;
}

bool schema_has_table(struct store_session *session, const struct table *table) {
    int64_t found = 0;
    char sql[128];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='%s'",
                   table->name);
    return schema_read_integer(session, sql, &found) == STATUS_OK && found == 1;
}

/* A column of a field with SINCE allows null: rows that are older than the field have no value, nor
 * have rows written by a version that does not know the field. */
void schema_add_column(struct buffer *sql, const struct field *field) {
    bool is_required = (field->flags & (REQUIRED | UNIQUE)) && field->type != TYPE_id;
    buffer_printf(sql, "%s %s%s", field->name.at, schema_stored_type(field),
                  is_required && !field_since(field) ? " NOT NULL" : "");
}

/* Creates the index of a field that is unique or that searches use. INDEXED fields without SINCE
 * are in the index of administrators instead. */
void schema_add_index(struct buffer *sql, const struct table *table, const struct field *field) {
    const bool is_unique = field->flags & UNIQUE;
    const bool has_column = field_has_column(table, field);
    assert(!has_column || sql_type[field->type]);
    const bool is_text = !is_unique && has_column && strcmp(sql_type[field->type], "TEXT") == 0;
    if (is_unique || field->flags & SEARCHED || (field->flags & INDEXED && field_since(field)))
        buffer_printf(sql, "CREATE %s IF NOT EXISTS %s_%s ON %s (%s%s);",
                      is_unique ? "UNIQUE INDEX" : "INDEX", table->name, field->name.at,
                      table->name, field->name.at, is_text ? " COLLATE NOCASE" : "");
}

enum status schema_create_table(struct store_session *session, const struct table *table) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 4096);
    buffer_printf(&sql, "CREATE TABLE %s (Version INTEGER NOT NULL", table->name);
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i])) {
            buffer_add(&sql, TEXT(", "));
            schema_add_column(&sql, &table->fields[i]);
        }
    /* Members is the last column, since SQLite reads columns behind a long value more slowly. */
    if (table->is_kept_as_json)
        buffer_add(&sql, TEXT(", Members ANY NOT NULL"));
    buffer_add(&sql, TEXT(") STRICT;"));
    for (unsigned i = 0; i < table->count; i++)
        schema_add_index(&sql, table, &table->fields[i]);
    buffer_add_char(&sql, '\0');
    enum status status = sql.failed ? STATUS_INTERNAL : sql_run(session, sql.at);
    arena_close(&arena);
    return status;
}

/* The first Id has nine digits, as in the hosted service. */
static enum status create_ids(struct store_session *session, const struct table *table) {
    char sql[128];
    int len =
        snprintf(sql, sizeof sql, "INSERT INTO next_ids VALUES ('%s', 100000001)", table->name);
    assert(len > 0 && (size_t)len < sizeof sql);
    return sql_run(session, sql);
}

enum status schema_count_rows(struct store_session *session, const struct table *table) {
    char sql[512];
    const char *name = table->name;
    int len = snprintf(sql, sizeof sql,
                       "INSERT INTO row_counts SELECT '%s', count(*) FROM %s;"
                       "CREATE TRIGGER %s_added AFTER INSERT ON %s BEGIN"
                       " UPDATE row_counts SET rows = rows + 1 WHERE kind = '%s'; END;"
                       "CREATE TRIGGER %s_removed AFTER DELETE ON %s BEGIN"
                       " UPDATE row_counts SET rows = rows - 1 WHERE kind = '%s'; END;",
                       name, name, name, name, name, name, name, name);
    assert(len > 0 && (size_t)len < sizeof sql);
    return sql_run(session, sql);
}

enum status schema_count_all_rows(struct store_session *session) {
    enum status status = sql_run(session, row_counts_table);
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (schema_has_table(session, tables[i]))
            status = schema_count_rows(session, tables[i]);
    return status;
}

static void add_email_index(struct buffer *sql, const struct table *table) {
    if (!email_index_field(table))
        return;
    buffer_add(sql, TEXT("CREATE TABLE IF NOT EXISTS "));
    email_index_add_name(sql, table);
    buffer_add(sql, TEXT(" (address TEXT NOT NULL, owner INTEGER NOT NULL,"
                         " PRIMARY KEY (address, owner)) STRICT, WITHOUT ROWID;"));
}

enum status schema_create_text_indexes(struct store_session *session) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 512);
    for (unsigned i = 0; i < TABLES; i++) {
        text_index_add_tables(&sql, tables[i]);
        add_email_index(&sql, tables[i]);
    }
    buffer_add_char(&sql, '\0');
    enum status status = sql.failed ? STATUS_INTERNAL : sql_run(session, sql.at);
    arena_close(&arena);
    return status;
}

enum status schema_create_resource(struct store_session *session, const struct table *table) {
    enum status status = schema_create_table(session, table);
    return status == STATUS_OK ? create_ids(session, table) : status;
}

enum status schema_drop_views(struct store_session *session) {
    return sql_run(session, no_views);
}

enum status schema_create_views(struct store_session *session) {
    return sql_run(session, views);
}

enum status schema_create_all(struct store_session *session) {
    enum status status = sql_run(session, next_ids_table);
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (!row_is_derived(tables[i]))
            status = schema_create_resource(session, tables[i]);
    if (status == STATUS_OK)
        status = schema_count_all_rows(session);
    if (status == STATUS_OK)
        status = sql_run(session, BUSINESS_NAMES_INDEX);
    if (status == STATUS_OK)
        status = schema_create_text_indexes(session);
    if (status == STATUS_OK)
        status = sql_run(session, own_tables);
    if (status == STATUS_OK)
        status = sql_run(session, OUTBOX_INDEXES);
    if (status == STATUS_OK)
        status = sql_run(session, PAYLOADS_TABLE PAYLOADS_USE);
    if (status == STATUS_OK)
        status = sql_run(session, IDEMPOTENCY_KEYS_TABLE);
    return status == STATUS_OK ? sql_run(session, IDEMPOTENCY_KEYS_OF_CALLERS_INDEX) : status;
}
