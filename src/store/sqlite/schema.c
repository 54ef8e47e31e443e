/* The database's shape. Resources' tables are derived from the field tables; what only the server
 * itself uses is written out. A new database is made as it is now; an older one gets there by
 * numbered steps, in one transaction with the number. */
#include "store/sqlite/schema.h"

#include "base/log.h"
#include "base/time.h"
#include "model/permission.h"
#include "rules/email.h"
#include "store/email_index.h"
#include "store/row_compression.h"
#include "store/rows.h"
#include "store/sqlite/dialect.h"
#include "store/sqlite/text_index.h"
#include "store/write.h"

#include <assert.h>
#include <stdio.h>

/* Marks a file as Roster's ("rost"), see SQLite's application_id. */
enum { APPLICATION_ID = 0x726f7374 };

static const char next_ids_table[] =
    "CREATE TABLE next_ids (kind TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* What rows of Members are packed against (see row_compression.h). */
static const char dictionaries_table[] =
    "CREATE TABLE dictionaries (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL)"
    " STRICT;";

/* RFC 9562 section 5.4. */
#define RANDOM_GUID                                                                                \
    "hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)"     \
    " || '-' || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-'"     \
    " || hex(randomblob(6))"

/* How many rows a table has: to count a million of them takes longer than a search may. */
static const char row_counts_table[] =
    "CREATE TABLE row_counts (kind TEXT PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* By which a refresh token is called in the API, since its hash is not shown. */
#define token_ids "CREATE UNIQUE INDEX tokens_id ON tokens (id);"

/* By which what rests on each other ends together (see struct token in store.h). What was spent
 * tells of a theft for as long as there is something to end: the refresh token that came of it. */
#define token_families                                                                             \
    "CREATE INDEX tokens_family ON tokens (family, kind);"                                         \
    "CREATE TRIGGER tokens_spent AFTER DELETE ON tokens WHEN OLD.kind = 1 BEGIN"                   \
    " DELETE FROM tokens WHERE family = OLD.family AND kind = 2 AND client_id = OLD.client_id;"    \
    " END;"                                                                                        \
    "CREATE INDEX tokens_parent ON tokens (parent) WHERE parent <> 0;"

/* A prefix keeps GUIDs that follow from an Id apart from those of other databases. */
#define database_guid_table "CREATE TABLE database_guid (prefix TEXT NOT NULL) STRICT;"
#define new_database_guid                                                                          \
    database_guid_table "INSERT INTO database_guid VALUES (lower(hex(randomblob(4)) || '-' || "    \
                        "hex(randomblob(2))));"

/* Sign-ins to addresses that no user has. */
#define unknown_logins_table "CREATE TABLE unknown_logins (sign_ins INTEGER NOT NULL) STRICT;"

/* By what the key of the sealed fields is known (see seal_mark.c). */
#define seal_mark_table "CREATE TABLE seal_mark (mark BLOB NOT NULL) STRICT;"

/* Who may not be deleted or demoted when nobody else is left. */
#define administrators                                                                             \
    "CREATE INDEX users_administrators ON users (Id) WHERE IsAdmin = 1 AND Active = 1;"

static const char own_tables[] =
    /* Which records refer to a row: the other direction of links and references. */
    "CREATE TABLE links (field TEXT NOT NULL, target INTEGER NOT NULL, owner INTEGER NOT NULL,"
    " PRIMARY KEY (field, target, owner)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE avatars (user_id INTEGER PRIMARY KEY, type TEXT NOT NULL,"
    " content BLOB NOT NULL) STRICT;"
    "CREATE TABLE tokens (hash BLOB PRIMARY KEY, kind INTEGER NOT NULL, user_id INTEGER NOT NULL,"
    " client_id TEXT NOT NULL, issued_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    " id INTEGER, family INTEGER NOT NULL, parent INTEGER NOT NULL, ends_ms INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX tokens_user ON tokens (user_id, client_id, kind);"
    "CREATE INDEX tokens_expires ON tokens (expires_ms);" token_ids token_families
    /* type: 1 created, 2 updated, 3 deleted (docs/contract.md section 7.3) */
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, entity TEXT NOT NULL, entity_id INTEGER NOT NULL,"
    " property TEXT, old_value TEXT, new_value TEXT, action_by TEXT NOT NULL,"
    " at_ms INTEGER NOT NULL, type INTEGER NOT NULL, business_id INTEGER) "
    "STRICT;" unknown_logins_table
    "INSERT INTO unknown_logins VALUES (0);" new_database_guid administrators seal_mark_table
    "INSERT INTO seal_mark VALUES (x'');";

/* Resources that are read like any other, but written by the server alone, in a shape of its own.
 */
static const char no_views[] =
    "DROP VIEW IF EXISTS audit_trail_entries; DROP VIEW IF EXISTS refresh_tokens;";
#define audit_guid DERIVED_GUID("1", "id")
#define token_guid DERIVED_GUID("2", "t.id")
#define delivery_guid DERIVED_GUID("3", "Id")
static const char views[] =
    "CREATE VIEW audit_trail_entries AS SELECT 1 AS Version, business_id AS BusinessId,"
    " entity AS EntityShortName, entity || ' ' || entity_id AS Description,"
    " property AS PropertyName, type AS AuditType, old_value AS OldValue, new_value AS NewValue,"
    " action_by AS ActionBy, entity_id AS EntityId, id AS Id, at_ms AS UpdatedOn,"
    " at_ms AS CreatedOn, " audit_guid " AS UniqueId, action_by AS UpdatedBy, NULL AS SystemId,"
    " entity || ' ' || entity_id AS ToStringText FROM audit;"
    "CREATE VIEW refresh_tokens AS SELECT 1 AS Version, u.Email AS Subject,"
    " t.client_id AS ClientId, t.expires_ms AS ExpiresOn, t.user_id AS UserId, t.id AS Id,"
    " t.issued_ms AS UpdatedOn, t.issued_ms AS CreatedOn, " token_guid " AS UniqueId,"
    " u.Email AS UpdatedBy, NULL AS SystemId, u.Email AS ToStringText"
    " FROM tokens AS t JOIN users AS u ON u.Id = t.user_id WHERE t.kind = 1;";

/* What a client's key was used for (see service/idempotency). */
static const char repeats_table[] =
    "CREATE TABLE repeats (caller INTEGER NOT NULL, key TEXT NOT NULL, mac BLOB NOT NULL,"
    " record_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, author TEXT NOT NULL,"
    " PRIMARY KEY (caller, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX repeats_at ON repeats (at_ms);";

/* Which are the oldest of a caller. */
static const char repeats_of_callers[] =
    "CREATE INDEX repeats_of_callers ON repeats (caller, at_ms);";

/* What is to be delivered next, the queues that wait for it (one for each user at each webhook),
 * and what is done. 1 is DELIVERY_PENDING. */
static const char outbox_indexes[] =
    "CREATE INDEX web_hook_deliveries_due ON web_hook_deliveries (WebHookId, NextAttempt)"
    " WHERE NextAttempt IS NOT NULL;"
    "CREATE INDEX web_hook_deliveries_lines ON web_hook_deliveries (WebHookId, EntityId, Id)"
    " WHERE Status = 1;"
    "CREATE INDEX web_hook_deliveries_done ON web_hook_deliveries (UpdatedOn)"
    " WHERE Status <> 1;";

/* What deliveries tell: once for an event, however many webhooks wait for it, and only as long as
 * one of its deliveries is there. */
#define payloads_table "CREATE TABLE payloads (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
#define payloads_end                                                                               \
    "CREATE INDEX web_hook_deliveries_Payload ON web_hook_deliveries (Payload);"                   \
    "CREATE TRIGGER payloads_unused AFTER DELETE ON web_hook_deliveries WHEN NOT EXISTS"           \
    " (SELECT 1 FROM web_hook_deliveries WHERE Payload = OLD.Payload) BEGIN"                       \
    " DELETE FROM payloads WHERE id = OLD.Payload; END;"                                           \
    "CREATE TRIGGER payloads_changed AFTER UPDATE ON payloads BEGIN"                               \
    " UPDATE web_hook_deliveries SET Version = Version + 1 WHERE Payload = NEW.id; END;"

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

static const char *stored_type(const struct field *field) {
    return field->flags & SHARED ? "INTEGER" : sql_type[field->type];
}

static enum status read_pragma(struct store_session *session, const char *sql, int64_t *number) {
    struct sql_statement *statement = NULL;
    enum status status = STATUS_INTERNAL;
    if ((statement = sql_prepare(session, sql)))
        status = sql_step(statement);
    if (status == STATUS_OK)
        *number = sql_integer(statement, 0);
    sql_free(statement);
    return status;
}

static const struct text any_type = { NULL, 0 };

static bool has_column(struct store_session *session, const char *table, const char *name,
                       struct text type) {
    int64_t found = 0;
    char sql[192];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM pragma_table_info('%s') WHERE name='%s' AND"
                   " (type='%.*s' OR %d)",
                   table, name, (int)type.len, type.at ? type.at : "", !type.at);
    return read_pragma(session, sql, &found) == STATUS_OK && found == 1;
}

static bool has_table(struct store_session *session, const struct table *table) {
    int64_t found = 0;
    char sql[128];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='%s'",
                   table->name);
    return read_pragma(session, sql, &found) == STATUS_OK && found == 1;
}

/* Rows that were there before a field, and those of programs that do not know it, have no value. */
static void add_column(struct buffer *sql, const struct field *field) {
    bool is_required = (field->flags & (REQUIRED | UNIQUE)) && field->type != TYPE_id;
    buffer_printf(sql, "%s %s%s", field->name.at, stored_type(field),
                  is_required && !field_since(field) ? " NOT NULL" : "");
}

/* By which no two rows have the same, or which searches go by. Those INDEXED fields that say no
 * SINCE are in the index of administrators. */
static void add_index(struct buffer *sql, const struct table *table, const struct field *field) {
    const bool is_unique = field->flags & UNIQUE;
    const bool is_text =
        !is_unique && field_has_column(table, field) && strcmp(sql_type[field->type], "TEXT") == 0;
    if (is_unique || field->flags & SEARCHED || (field->flags & INDEXED && field_since(field)))
        buffer_printf(sql, "CREATE %s IF NOT EXISTS %s_%s ON %s (%s%s);",
                      is_unique ? "UNIQUE INDEX" : "INDEX", table->name, field->name.at,
                      table->name, field->name.at, is_text ? " COLLATE NOCASE" : "");
}

static enum status create_table(struct store_session *session, const struct table *table) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 4096);
    buffer_printf(&sql, "CREATE TABLE %s (Version INTEGER NOT NULL", table->name);
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i])) {
            buffer_add(&sql, TEXT(", "));
            add_column(&sql, &table->fields[i]);
        }
    /* The last, since what comes after something long takes longer to be read. */
    if (table->is_kept_as_json)
        buffer_add(&sql, TEXT(", Members ANY NOT NULL"));
    buffer_add(&sql, TEXT(") STRICT;"));
    for (unsigned i = 0; i < table->count; i++)
        add_index(&sql, table, &table->fields[i]);
    buffer_add_char(&sql, '\0');
    enum status status = sql.failed ? STATUS_INTERNAL : sql_run(session, sql.at);
    arena_close(&arena);
    return status;
}

/* Ids begin where nine digits do, as the hosted service's. */
static enum status create_ids(struct store_session *session, const struct table *table) {
    char sql[128];
    int len =
        snprintf(sql, sizeof sql, "INSERT INTO next_ids VALUES ('%s', 100000001)", table->name);
    assert(len > 0 && (size_t)len < sizeof sql);
    return sql_run(session, sql);
}

static enum status count_rows(struct store_session *session, const struct table *table) {
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

static enum status count_all_rows(struct store_session *session) {
    enum status status = sql_run(session, row_counts_table);
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (has_table(session, tables[i]))
            status = count_rows(session, tables[i]);
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

/* The indexes that searches look into. */
static enum status create_texts(struct store_session *session) {
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

static enum status create_resource(struct store_session *session, const struct table *table) {
    enum status status = create_table(session, table);
    return status == STATUS_OK ? create_ids(session, table) : status;
}

/* Clients that are not signed in may ask for a business by its name. */
static const char names_of_businesses[] =
    "CREATE INDEX businesses_Name ON businesses (Name COLLATE NOCASE);";

static enum status create_all(struct store_session *session) {
    enum status status = sql_run(session, next_ids_table);
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        if (!row_is_derived(tables[i]))
            status = create_resource(session, tables[i]);
    if (status == STATUS_OK)
        status = count_all_rows(session);
    if (status == STATUS_OK)
        status = sql_run(session, names_of_businesses);
    if (status == STATUS_OK)
        status = create_texts(session);
    if (status == STATUS_OK)
        status = sql_run(session, own_tables);
    if (status == STATUS_OK)
        status = sql_run(session, outbox_indexes);
    if (status == STATUS_OK)
        status = sql_run(session, payloads_table payloads_end);
    if (status == STATUS_OK)
        status = sql_run(session, repeats_table);
    return status == STATUS_OK ? sql_run(session, repeats_of_callers) : status;
}

/* Reads the record of a row that has all of its fields in columns, after Version. */
static bool read_columns(struct sql_statement *statement, struct arena *arena,
                         struct record *record) {
    int column = 0;
    record->version = sql_integer(statement, column++);
    for (unsigned i = 0; i < record->table->count; i++)
        if (field_is_stored(&record->table->fields[i]) &&
            !row_read_value(sql_value(statement, column++), arena, &record->values[i]))
            return false;
    return true;
}

static enum status copy_row(struct store_session *session, struct sql_statement *statement) {
    struct store_tx tx = { session };
    struct arena arena = { 0 };
    struct record record = record_new(&user_table, &arena);
    enum status status = STATUS_INTERNAL;
    if (record.values && read_columns(statement, &arena, &record))
        status = row_insert(&tx, &record);
    if (status == STATUS_OK)
        status = write_new_indexes(&tx, &record);
    arena_close(&arena);
    return status;
}

/* A field may be younger than the table that its record is copied from. */
static const char *column_or_null(struct store_session *session, const char *from,
                                  const struct field *field) {
    return has_column(session, from, field->name.at, any_type) ? field->name.at : "NULL";
}

static enum status copy_rows(struct store_session *session, const char *from) {
    struct arena arena = { 0 };
    struct buffer sql;
    struct sql_statement *statement = NULL;
    enum status status = STATUS_INTERNAL;
    buffer_init(&sql, &arena, 2048);
    buffer_add(&sql, TEXT("SELECT Version"));
    for (unsigned i = 0; i < user_table.count; i++)
        if (field_is_stored(&user_table.fields[i]))
            buffer_printf(&sql, ", %s", column_or_null(session, from, &user_table.fields[i]));
    buffer_printf(&sql, " FROM %s", from);
    buffer_add_char(&sql, '\0');
    if (!sql.failed && (statement = sql_prepare(session, sql.at)))
        while ((status = sql_step(statement)) == STATUS_OK &&
               (status = copy_row(session, statement)) == STATUS_OK)
            ;
    sql_free(statement);
    arena_close(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Users were kept in a column a field. */
static enum status keep_users_as_json(struct store_session *session) {
    enum status status = sql_run(session, "DROP INDEX users_EmailKey;"
                                          "DROP INDEX users_administrators;"
                                          "DELETE FROM links WHERE field GLOB 'users.*';"
                                          "ALTER TABLE users RENAME TO users_by_column;");
    if (status == STATUS_OK)
        status = create_table(session, &user_table);
    if (status == STATUS_OK)
        status = create_texts(session);
    if (status == STATUS_OK)
        status = copy_rows(session, "users_by_column");
    return status == STATUS_OK ? sql_run(session, "DROP TABLE users_by_column;" administrators)
                               : status;
}

/* References were found by looking at every row. Those of users were written with their rows, and
 * those of later versions are not there yet. */
static enum status link_references(struct store_session *session) {
    char sql[256];
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; status == STATUS_OK && j < tables[i]->count; j++) {
            const struct table *table = tables[i];
            const char *name = table->fields[j].name.at;
            if (row_is_derived(table) || table->is_kept_as_json ||
                !field_is_linked(&table->fields[j]) || table->fields[j].type != TYPE_reference ||
                !has_column(session, table->name, name, TEXT("INTEGER")))
                continue;
            int len = snprintf(sql, sizeof sql,
                               "INSERT INTO links (field, target, owner)"
                               " SELECT '%s.%s', %s, Id FROM %s WHERE %s IS NOT NULL",
                               table->name, name, name, table->name, name);
            assert(len > 0 && (size_t)len < sizeof sql);
            status = sql_run(session, sql);
        }
    return status;
}

/* Version 2: users as JSON, webhooks, what is read through views, and what keys were used for. */
static enum status to_version_2(struct store_session *session) {
    enum status status = keep_users_as_json(session);
    if (status == STATUS_OK)
        status = create_resource(session, &web_hook_table);
    if (status == STATUS_OK)
        status = create_resource(session, &web_hook_delivery_table);
    if (status == STATUS_OK)
        status = sql_run(session, outbox_indexes);
    if (status == STATUS_OK)
        status = link_references(session);
    if (status == STATUS_OK)
        status = count_all_rows(session);
    if (status == STATUS_OK)
        status = sql_run(session, "ALTER TABLE tokens ADD COLUMN id INTEGER;" token_ids
                                  "UPDATE tokens SET id = abs(random() % 9007199254740991) + 1;");
    if (status == STATUS_OK)
        status = sql_run(session, repeats_table);
    return status;
}

/* Applications have developers, keys and roles that they ask for; audit rows a business; and what
 * has no GUID of its own has one that follows from its Id. Whose an application was is not known:
 * it is given to who changed it last, or to the first administrator. */
static enum status complete_resources(struct store_session *session) {
    return sql_run(session, "ALTER TABLE applications ADD COLUMN DeveloperId INTEGER;"
                            "ALTER TABLE applications ADD COLUMN ApplicationKey TEXT;"
                            "ALTER TABLE applications ADD COLUMN SecretKey BLOB;"
                            "ALTER TABLE applications ADD COLUMN RequiredRoles TEXT;"
                            "UPDATE applications SET RequiredRoles = '[]', DeveloperId = ifnull("
                            "(SELECT u.Id FROM users AS u WHERE u.Email = applications.UpdatedBy),"
                            " (SELECT min(Id) FROM users WHERE IsAdmin = 1 AND Active = 1));"
                            "INSERT INTO links (field, target, owner)"
                            " SELECT 'applications.DeveloperId', DeveloperId, Id FROM applications;"
                            "ALTER TABLE audit ADD COLUMN business_id INTEGER;" new_database_guid
                            "UPDATE web_hook_deliveries SET UniqueId = " delivery_guid ";");
}

static enum status copy_packed(struct store_session *session, const char *from) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 2048);
    buffer_add(&sql, TEXT("Version"));
    for (unsigned i = 0; i < user_table.count; i++)
        if (field_has_column(&user_table, &user_table.fields[i]) &&
            has_column(session, from, user_table.fields[i].name.at, any_type))
            buffer_printf(&sql, ", %s", user_table.fields[i].name.at);
    buffer_add_char(&sql, '\0');
    struct text copy = arena_printf(
        &arena, "INSERT INTO users (%s, Members) SELECT %s, users_pack(Members) FROM %s",
        sql.failed ? "" : sql.at, sql.failed ? "" : sql.at, from);
    enum status status = sql.failed || !copy.at ? STATUS_INTERNAL : sql_run(session, copy.at);
    arena_close(&arena);
    return status;
}

/* Rows were plain JSON. Those of version 1 became what they are now on their way to version 2. */
static enum status pack_users(struct store_session *session) {
    if (has_column(session, user_table.name, "Members", TEXT("ANY")))
        return STATUS_OK;
    enum status status = sql_run(session, "DROP INDEX users_EmailKey;"
                                          "DROP INDEX users_administrators;"
                                          "DROP INDEX users_FullName;"
                                          "DROP INDEX users_Email;"
                                          "DROP TRIGGER users_added;"
                                          "DROP TRIGGER users_removed;"
                                          "ALTER TABLE users RENAME TO users_unpacked;");
    if (status == STATUS_OK)
        status = create_table(session, &user_table);
    if (status == STATUS_OK)
        status = copy_packed(session, "users_unpacked");
    if (status == STATUS_OK)
        status = sql_run(session, "DROP TABLE users_unpacked;"
                                  "DELETE FROM row_counts WHERE kind = 'users';" administrators);
    return status == STATUS_OK ? count_rows(session, &user_table) : status;
}

/* A key belonged to a caller whatever it made, which its audit row tells, with who he was then. */
static enum status keep_repeats(struct store_session *session) {
    enum status status = sql_run(
        session, "DROP INDEX repeats_at; ALTER TABLE repeats RENAME TO repeats_of_callers;");
    if (status == STATUS_OK)
        status = sql_run(session, repeats_table);
    return status == STATUS_OK
               ? sql_run(
                     session,
                     "INSERT OR REPLACE INTO repeats (caller, key, mac, record_id, at_ms, author)"
                     " SELECT r.caller, a.entity || ' ' || r.key, r.mac, r.record_id, r.at_ms,"
                     " a.action_by FROM repeats_of_callers AS r JOIN audit AS a"
                     " ON a.at_ms = r.at_ms AND a.entity_id = r.record_id AND a.type = 1;"
                     "DROP TABLE repeats_of_callers;")
               : status;
}

/* Chat rooms had to have a name. */
static const char free_chat_room_names[] =
    "ALTER TABLE chat_rooms RENAME COLUMN Name TO RequiredName;"
    "ALTER TABLE chat_rooms ADD COLUMN Name TEXT;"
    "UPDATE chat_rooms SET Name = RequiredName;"
    "ALTER TABLE chat_rooms DROP COLUMN RequiredName;";

/* Version 3: rows of users are packed; applications, audit rows and GUIDs are whole, keys
 * belong to a resource, chat rooms need no name. */
static enum status to_version_3(struct store_session *session) {
    enum status status = pack_users(session);
    if (status == STATUS_OK)
        status = complete_resources(session);
    if (status == STATUS_OK)
        status = keep_repeats(session);
    return status == STATUS_OK ? sql_run(session, free_chat_room_names) : status;
}

/* Version 4: texts stand in blocks, where they were in an index of three letters each, and
 * addresses in a table for each field, where they were in one. Those of version 1 came there on
 * their way to version 2. */
static enum status to_version_4(struct store_session *session) {
    int64_t has_index = 0;
    enum status status = read_pragma(
        session, "SELECT count(*) FROM sqlite_schema WHERE name = 'users_texts'", &has_index);
    if (status != STATUS_OK || !has_index)
        return status;
    status = sql_run(session, "DROP TABLE users_texts");
    if (status == STATUS_OK)
        status = create_texts(session);
    if (status == STATUS_OK)
        status = sql_run(session, "INSERT INTO users_Email_addresses SELECT address, owner"
                                  " FROM addresses WHERE field = 'users.Email';"
                                  "DROP TABLE addresses;");
    for (unsigned i = 0; status == STATUS_OK && i < user_table.count; i++)
        if (user_table.fields[i].flags & SEARCHED && !field_since(&user_table.fields[i]))
            status = text_index_fill(
                &(struct text_index){ session, &user_table, &user_table.fields[i] });
    return status;
}

/* Tokens have families. What one client of a user has belongs together; it has no end but its own,
 * and what it was made with is not known. Kinds 0 to 2 are access, refresh and spent tokens. */
static enum status give_tokens_families(struct store_session *session) {
    return sql_run(session, "ALTER TABLE tokens ADD COLUMN family INTEGER NOT NULL DEFAULT 0;"
                            "ALTER TABLE tokens ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;"
                            "ALTER TABLE tokens ADD COLUMN ends_ms INTEGER NOT NULL"
                            " DEFAULT 9223372036854775807;"
                            "UPDATE tokens SET family = abs(random() % 9007199254740991) + 1;"
                            "UPDATE tokens SET family = (SELECT min(s.family) FROM tokens AS s"
                            " WHERE s.user_id = tokens.user_id AND s.client_id = tokens.client_id"
                            " AND s.kind <= 2) WHERE kind <= 2;" token_families);
}

static enum status refold_text(struct store_session *session, const struct text_index *index,
                               struct sql_statement *row) {
    struct store_tx tx = { session };
    struct arena arena = { 0 };
    struct record owner = record_new(index->table, &arena);
    struct text folded = sql_text(row, 1, &arena), old = sql_text(row, 2, &arena);
    enum status status = owner.values && folded.at && old.at ? STATUS_OK : STATUS_INTERNAL;
    if (status == STATUS_OK) {
        owner.values[index->table->common.id] = value_integer(sql_integer(row, 0));
        status = text_index_set(index, record_id(&owner), folded);
    }
    if (status == STATUS_OK && index->field->type == TYPE_email)
        status = email_index_drop(&tx, &owner, old);
    if (status == STATUS_OK && index->field->type == TYPE_email)
        status = email_index_add(&tx, &owner, folded);
    arena_close(&arena);
    return status;
}

/* Texts were looked for with their accents. */
static enum status drop_accents(struct store_session *session) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < user_table.count; i++) {
        const struct text_index index = { session, &user_table, &user_table.fields[i] };
        if (!(index.field->flags & SEARCHED) || field_since(index.field))
            continue;
        struct sql_statement *row = text_index_accented(&index);
        while ((status = sql_step(row)) == STATUS_OK &&
               (status = refold_text(session, &index, row)) == STATUS_OK)
            ;
        sql_free(row);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    return status;
}

/* Of two users whose addresses are one mailbox the one who has the plain spelling keeps it. */
static enum status rekey_user(struct store_session *session, struct sql_statement *row) {
    struct arena arena = { 0 };
    struct sql_statement *update = NULL;
    struct text key = email_key(sql_text(row, 1, &arena), &arena);
    enum status status = STATUS_INTERNAL;
    if (key.at &&
        (update = sql_prepare(session, "UPDATE OR IGNORE users SET EmailKey = ?1 WHERE Id = ?2"))) {
        sql_bind_text(update, 1, key);
        sql_bind_integer(update, 2, sql_integer(row, 0));
        status = sql_execute(update);
    }
    if (status == STATUS_OK && !sql_changed(update))
        log_warning("user %lld has the mailbox of another user, in quotes; give one of them another"
                    " address",
                    (long long)sql_integer(row, 0));
    sql_free(update);
    arena_close(&arena);
    return status;
}

/* Quotes that need not be there, and an IPv6 address in another spelling, made another key. */
static enum status rekey_users(struct store_session *session) {
    struct sql_statement *row = NULL;
    enum status status = STATUS_INTERNAL;
    if ((row =
             sql_prepare(session, "SELECT Id, Email FROM users WHERE Email GLOB '\"*' OR Email GLOB"
                                  " '*@[[]*' ORDER BY Id")))
        while ((status = sql_step(row)) == STATUS_OK &&
               (status = rekey_user(session, row)) == STATUS_OK)
            ;
    sql_free(row);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Audit rows had what belongs to a secret, and were searched by it. */
static enum status blank_confidential(struct store_session *session) {
    char sql[192];
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; status == STATUS_OK && j < tables[i]->count; j++) {
            const struct field *field = &tables[i]->fields[j];
            if (!(field->flags & CONFIDENTIAL))
                continue;
            int len = snprintf(sql, sizeof sql,
                               "UPDATE audit SET old_value = NULL, new_value = 'changed'"
                               " WHERE entity = '%s' AND property = '%s'",
                               tables[i]->entity, field->name.at);
            assert(len > 0 && (size_t)len < sizeof sql);
            status = sql_run(session, sql);
        }
    return status;
}

/* Each delivery had its own copy of what it tells. Tables of version 1 were made as they are now.
 */
static enum status share_payloads(struct store_session *session) {
    enum status status = sql_run(session, payloads_table);
    if (status == STATUS_OK &&
        has_column(session, web_hook_delivery_table.name, "Payload", TEXT("TEXT")))
        status =
            sql_run(session, "ALTER TABLE web_hook_deliveries RENAME COLUMN Payload TO OwnPayload;"
                             "ALTER TABLE web_hook_deliveries ADD COLUMN Payload INTEGER;"
                             "INSERT INTO payloads SELECT Id, OwnPayload FROM web_hook_deliveries"
                             " WHERE OwnPayload IS NOT NULL;"
                             "UPDATE web_hook_deliveries SET Payload = Id"
                             " WHERE OwnPayload IS NOT NULL;"
                             "ALTER TABLE web_hook_deliveries DROP COLUMN OwnPayload;");
    return status == STATUS_OK ? sql_run(session, payloads_end) : status;
}

/* Whose right a webhook goes by was not asked: it is that of who changed it last, whose address may
 * be another one by now, as the trail has it. */
static enum status give_hooks_makers(struct store_session *session) {
    if (has_column(session, web_hook_table.name, "MakerId", TEXT("INTEGER")))
        return STATUS_OK; /* of version 1, made as it is now */
    return sql_run(session, "ALTER TABLE web_hooks ADD COLUMN MakerId INTEGER;"
                            "UPDATE web_hooks SET MakerId = ifnull((SELECT Id FROM users"
                            " WHERE Email = web_hooks.UpdatedBy), (SELECT u.Id FROM audit AS a"
                            " JOIN users AS u ON u.Id = a.entity_id WHERE a.entity = 'User'"
                            " AND a.property = 'Email' AND a.old_value = web_hooks.UpdatedBy"
                            " ORDER BY a.id DESC LIMIT 1));");
}

/* Two tables had names that explained little. Those of version 1 and 2 got the first one on their
 * way to version 3, as it is called now. */
static enum status rename_tables(struct store_session *session) {
    int64_t has_realm = 0;
    enum status status =
        read_pragma(session, "SELECT count(*) FROM sqlite_schema WHERE name = 'realm'", &has_realm);
    if (status == STATUS_OK && has_realm)
        status = sql_run(session, database_guid_table "INSERT INTO database_guid SELECT prefix"
                                                      " FROM realm; DROP TABLE realm;");
    return status == STATUS_OK
               ? sql_run(session, unknown_logins_table "INSERT INTO unknown_logins SELECT sign_ins"
                                                       " FROM strangers; DROP TABLE strangers;")
               : status;
}

/* Version 5: tokens have families, the key is known, texts are found without their accents,
 * spellings of one address have one key, businesses are found by their names, audit rows do not
 * have what is confidential, deliveries share what they tell, webhooks have makers. */
static enum status to_version_5(struct store_session *session) {
    enum status status = rename_tables(session);
    if (status == STATUS_OK)
        status = give_tokens_families(session);
    if (status == STATUS_OK)
        status = sql_run(session, seal_mark_table);
    if (status == STATUS_OK)
        status = drop_accents(session);
    if (status == STATUS_OK)
        status = sql_run(session, names_of_businesses);
    if (status == STATUS_OK)
        status = blank_confidential(session);
    if (status == STATUS_OK)
        status = share_payloads(session);
    if (status == STATUS_OK)
        status = give_hooks_makers(session);
    if (status == STATUS_OK)
        status = sql_run(session, repeats_of_callers);
    return status == STATUS_OK ? rekey_users(session) : status;
}

/* Step n takes version n + 1 to n + 2. */
static enum status (*const steps[])(struct store_session *) = { to_version_2, to_version_3,
                                                                to_version_4, to_version_5 };
enum {
    LAST_STEP = sizeof steps / sizeof steps[0] + 1,
    DICTIONARIES_SINCE = 3,
    CLEAN_PICTURES_SINCE = 5
};

static enum status clean_picture(struct store_session *session, struct sql_statement *row,
                                 struct text (*clean)(struct text, struct arena *)) {
    struct arena arena = { 0 };
    struct sql_statement *update = NULL;
    struct text content = sql_text(row, 1, &arena), cleaned = clean(content, &arena);
    enum status status = content.at && !arena.failed ? STATUS_OK : STATUS_INTERNAL;
    if (status == STATUS_OK && cleaned.at) {
        status = STATUS_INTERNAL;
        if ((update = sql_prepare(session, "UPDATE avatars SET content = ?1 WHERE user_id = ?2"))) {
            sql_bind_bytes(update, 1, cleaned);
            sql_bind_integer(update, 2, sql_integer(row, 0));
            status = sql_execute(update);
        }
    }
    sql_free(update);
    arena_close(&arena);
    return status;
}

static enum status clean_pictures(struct store_session *session,
                                  struct text (*clean)(struct text, struct arena *)) {
    struct sql_statement *row = NULL;
    enum status status = STATUS_INTERNAL;
    if ((row = sql_prepare(session, "SELECT user_id, content FROM avatars")))
        while ((status = sql_step(row)) == STATUS_OK &&
               (status = clean_picture(session, row, clean)) == STATUS_OK)
            ;
    sql_free(row);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The last step's, or what the youngest field came with. */
static int64_t schema_version(void) {
    unsigned version = LAST_STEP;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (field_since(&tables[i]->fields[j]) > version)
                version = field_since(&tables[i]->fields[j]);
    return version;
}

/* A column may be missing in a database of the version that its field came with too: a program of
 * that version may not have the field. */
static bool lacks_field(struct store_session *session, const struct table *table,
                        const struct field *field, int64_t version) {
    return field_since(field) > version ||
           (field_since(field) && !row_is_derived(table) && field_has_column(table, field) &&
            !has_column(session, table->name, field->name.at, any_type));
}

int schema_compare_version(struct store_session *session) {
    int64_t version = 0, own = schema_version();
    if (read_pragma(session, "PRAGMA user_version", &version) != STATUS_OK)
        return -1; /* the check of its pages says why */
    if (version > own)
        return 1;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (lacks_field(session, tables[i], &tables[i]->fields[j], version))
                return -1;
    return version < own ? -1 : 0;
}

/* Programs that did not know the field may have kept its values among the members of users. */
static void add_known_values(struct buffer *sql, const struct table *table,
                             const struct field *field) {
    int at = (int)(field - table->fields);
    buffer_printf(sql,
                  "UPDATE %s SET %s = %s_member(Members, %d)"
                  " WHERE %s IS NOT %s_member(Members, %d);",
                  table->name, field->name.at, table->name, at, field->name.at, table->name, at);
}

static void add_known_links(struct buffer *sql, const struct table *table,
                            const struct field *field) {
    const bool is_list = field->type == TYPE_links;
    buffer_printf(sql,
                  "INSERT OR IGNORE INTO links (field, target, owner)"
                  " SELECT '%s.%s', %s, owner FROM (SELECT t.Id AS owner, ",
                  table->name, field->name.at, is_list ? "value" : "stored");
    row_add_value(sql, table, field, "t");
    buffer_printf(sql, " AS stored FROM %s AS t)%s WHERE stored IS NOT NULL;", table->name,
                  is_list ? ", json_each(stored)" : "");
}

/* What a field brings into a database that was made without it. */
static enum status add_field(struct store_session *session, const struct table *table,
                             const struct field *field) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 1024);
    if (field_has_column(table, field) &&
        !has_column(session, table->name, field->name.at, any_type)) {
        buffer_printf(&sql, "ALTER TABLE %s ADD COLUMN ", table->name);
        add_column(&sql, field);
        buffer_add_char(&sql, ';');
    }
    if (field_has_column(table, field) && !field_is_read_from_column(table, field))
        add_known_values(&sql, table, field);
    add_index(&sql, table, field);
    if (field_is_linked(field))
        add_known_links(&sql, table, field);
    buffer_add_char(&sql, '\0');
    enum status status = sql.failed ? STATUS_INTERNAL : sql_run(session, sql.at);
    if (status == STATUS_OK && field->flags & SEARCHED)
        status = create_texts(session);
    if (status == STATUS_OK && field->flags & SEARCHED)
        status = text_index_fill(&(struct text_index){ session, table, field });
    arena_close(&arena);
    return status;
}

static enum status add_fields(struct store_session *session, const struct table *table,
                              int64_t version) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++)
        if (lacks_field(session, table, &table->fields[i], version))
            status = add_field(session, table, &table->fields[i]);
    return status;
}

/* What may be done to a resource, as roles that are there say it (see model/permission.h). */
static enum status add_roles(struct store_session *session, const struct table *table) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < OPERATIONS; i++) {
        char sql[512], name[32];
        unsigned number = permission(table->permission_entity, i);
        permission_name(number, name);
        int len = snprintf(
            sql, sizeof sql,
            "INSERT OR IGNORE INTO roles (Version, Name, Id, UpdatedOn, CreatedOn, UniqueId,"
            " UpdatedBy, ToStringText) SELECT 1, '%s', %u, %lld, %lld, lower(" RANDOM_GUID "),"
            " UpdatedBy, '%s' FROM roles WHERE Id = 1",
            name, number + 1, (long long)time_now_ms(), (long long)time_now_ms(), name);
        assert(len > 0 && (size_t)len < sizeof sql);
        status = sql_run(session, sql);
    }
    return status;
}

/* A resource that came after the database. */
static enum status add_resource(struct store_session *session, const struct table *table) {
    enum status status = create_resource(session, table);
    if (status == STATUS_OK)
        status = create_texts(session);
    if (status == STATUS_OK)
        status = count_rows(session, table);
    return status == STATUS_OK ? add_roles(session, table) : status;
}

/* Only a newer version of the schema has more tables: what is missing else was lost. */
static enum status add_what_is_new(struct store_session *session, int64_t version) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++) {
        if (row_is_derived(tables[i]))
            continue;
        bool is_new = version < schema_version() && !has_table(session, tables[i]);
        status =
            is_new ? add_resource(session, tables[i]) : add_fields(session, tables[i], version);
    }
    return status;
}

static enum status migrate_in_transaction(struct store_session *session,
                                          const struct store_options *options) {
    int64_t version = 0, own = schema_version();
    enum status status = read_pragma(session, "PRAGMA user_version", &version);
    if (status == STATUS_OK && (version < 0 || version > own))
        return STATUS_PRECONDITION_FAILED;
    if (status != STATUS_OK)
        return status;
    if (version < DICTIONARIES_SINCE) /* without them no row can be written */
        status = sql_run(session, dictionaries_table);
    if (status == STATUS_OK)
        status = row_keep_dictionaries(session);
    if (status != STATUS_OK)
        return status;
    if (version == own)
        return add_what_is_new(session, version);
    if (version == 0)
        status = create_all(session);
    else
        status = sql_run(session, no_views); /* they would follow a table that is renamed */
    if (status == STATUS_OK && version > 0 && version < CLEAN_PICTURES_SINCE &&
        options->clean_picture)
        status = clean_pictures(session, options->clean_picture);
    for (int64_t at = version; status == STATUS_OK && at > 0 && at < LAST_STEP; at++)
        status = steps[at - 1](session);
    if (status == STATUS_OK && version > 0)
        status = add_what_is_new(session, version);
    if (status == STATUS_OK)
        status = sql_run(session, views);
    char sql[96];
    int len = snprintf(sql, sizeof sql, "PRAGMA user_version = %d; PRAGMA application_id = %d",
                       (int)own, APPLICATION_ID);
    assert(len > 0 && (size_t)len < sizeof sql);
    return status == STATUS_OK ? sql_run(session, sql) : status;
}

bool schema_is_empty(struct store_session *session) {
    int64_t version = 0;
    return read_pragma(session, "PRAGMA user_version", &version) == STATUS_OK && version == 0;
}

enum status schema_migrate(struct store_session *session, const struct store_options *options) {
    enum status status = sql_run(session, "BEGIN IMMEDIATE");
    if (status != STATUS_OK)
        return status;
    status = migrate_in_transaction(session, options);
    if (status == STATUS_OK)
        return sql_run(session, "COMMIT");
    if (sql_run(session, "ROLLBACK") != STATUS_OK)
        log_error("the failed schema change could not be rolled back");
    return status;
}

/* The type of a field's column; a view's columns have none. */
static struct text column_type(const struct table *table, const struct field *field) {
    if (row_is_derived(table))
        return any_type;
    return (struct text){ stored_type(field), strcspn(stored_type(field), " ") };
}

static enum status check_columns(struct store_session *session, const struct table *table,
                                 char *why, size_t why_size) {
    if (table->is_kept_as_json && !has_column(session, table->name, "Members", TEXT("ANY"))) {
        (void)snprintf(why, why_size, "%s.Members is not a column of type ANY", table->name);
        return STATUS_INTERNAL;
    }
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!field_has_column(table, field))
            continue;
        struct text type = column_type(table, field);
        if (has_column(session, table->name, field->name.at, type))
            continue;
        (void)snprintf(why, why_size, "%s.%s is not a column%s%.*s", table->name, field->name.at,
                       type.at ? " of type " : "", (int)type.len, type.at ? type.at : "");
        return STATUS_INTERNAL;
    }
    return STATUS_OK;
}

static bool knows_column(const struct table *table, struct text name) {
    if (text_equal(name, TEXT("Version")) || text_equal(name, TEXT("Members")))
        return true;
    for (unsigned i = 0; i < table->count; i++)
        if (text_equal(table->fields[i].name, name))
            return field_has_column(table, &table->fields[i]);
    return false;
}

/* Columns of a table that no field has: those of a version of Roster that has more fields. */
struct unknown_columns {
    struct text names; /* "A, B"; `at` NULL: there are none */
    bool must_be_set;  /* a row cannot be made without a value for one of them */
};

static enum status find_unknown(struct store_session *session, const struct table *table,
                                struct arena *arena, struct unknown_columns *unknown) {
    struct sql_statement *statement = NULL;
    struct buffer names;
    enum status status = STATUS_INTERNAL;
    struct text sql = arena_printf(arena,
                                   "SELECT name, \"notnull\" AND dflt_value IS NULL"
                                   " FROM pragma_table_info('%s')",
                                   table->name);
    buffer_init(&names, arena, 0);
    *unknown = (struct unknown_columns){ 0 };
    if (sql.at && (statement = sql_prepare(session, sql.at)))
        while ((status = sql_step(statement)) == STATUS_OK) {
            struct text name = sql_text(statement, 0, arena);
            if (knows_column(table, name))
                continue;
            buffer_add(&names, names.len ? TEXT(", ") : TEXT(""));
            buffer_add(&names, name);
            unknown->must_be_set |= sql_integer(statement, 1) != 0;
        }
    sql_free(statement);
    unknown->names = buffer_text(&names);
    return status == STATUS_NOT_FOUND && !arena->failed ? STATUS_OK : STATUS_INTERNAL;
}

void schema_tell_unknown(struct store_session *session, store_say *say) {
    for (unsigned i = 0; i < TABLES; i++) {
        struct arena arena = { 0 };
        struct unknown_columns unknown;
        struct text line = { 0 };
        if (find_unknown(session, tables[i], &arena, &unknown) == STATUS_OK && unknown.names.at)
            line = arena_printf(&arena,
                                "%s: columns that this version does not know are left alone: %.*s",
                                tables[i]->name, (int)unknown.names.len, unknown.names.at);
        if (line.at)
            say(line.at);
        arena_close(&arena);
    }
}

/* What this version does not know stays as it is, if new rows can do without. */
static enum status check_table(struct store_session *session, const struct table *table, char *why,
                               size_t why_size) {
    struct arena arena = { 0 };
    struct unknown_columns unknown;
    enum status status = check_columns(session, table, why, why_size);
    if (status == STATUS_OK) {
        (void)snprintf(why, why_size, "the columns of %s cannot be read", table->name);
        status = find_unknown(session, table, &arena, &unknown);
        if (status == STATUS_OK && unknown.must_be_set) {
            (void)snprintf(why, why_size,
                           "%s has columns that this version does not know, and must have a value"
                           " in them: %.*s",
                           table->name, (int)unknown.names.len, unknown.names.at);
            status = STATUS_INTERNAL;
        }
    }
    arena_close(&arena);
    return status;
}

enum status schema_check(struct store_session *session, char *why, size_t why_size) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++)
        status = check_table(session, tables[i], why, why_size);
    if (status == STATUS_OK && why_size)
        why[0] = '\0';
    return status;
}
