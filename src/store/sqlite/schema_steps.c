/* Migrates a database of an older version, in numbered steps.
 *
 * A step does what the field tables cannot express: it changes values, or tables that only the
 * server uses. It creates tables with the functions that create those of a new database, so it
 * gives them their current columns. A later step therefore finds such a table in its current form,
 * and asks for the form where it may find either. Fields with SINCE are added after all steps
 * (schema.c), so they may be missing in a table that a step reads. All steps run in the one
 * transaction of schema_migrate. */
#include "store/sqlite/schema_steps.h"

#include "base/log.h"
#include "rules/email.h"
#include "store/email_index.h"
#include "store/rows.h"
#include "store/sqlite/dialect.h"
#include "store/sqlite/schema_tables.h"
#include "store/sqlite/text_index.h"
#include "store/write.h"

#include <assert.h>
#include <stdio.h>

/* Reads a record of which every stored field has a column; the columns follow Version. */
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

/* A field may be newer than the table that the record is copied from. */
static const char *column_or_null(struct store_session *session, const char *from,
                                  const struct field *field) {
    return schema_has_column(session, from, field->name.at, ANY_TYPE) ? field->name.at : "NULL";
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

/* Before version 2 users had a column for each field. */
static enum status keep_users_as_json(struct store_session *session) {
    enum status status = sql_run(session, "DROP INDEX users_EmailKey;"
                                          "DROP INDEX users_administrators;"
                                          "DELETE FROM links WHERE field GLOB 'users.*';"
                                          "ALTER TABLE users RENAME TO users_by_column;");
    if (status == STATUS_OK)
        status = schema_create_table(session, &user_table);
    if (status == STATUS_OK)
        status = schema_create_text_indexes(session);
    if (status == STATUS_OK)
        status = copy_rows(session, "users_by_column");
    return status == STATUS_OK
               ? sql_run(session, "DROP TABLE users_by_column;" ADMINISTRATORS_INDEX)
               : status;
}

/* Before version 2 references had no index: a search read every row. The references of users have
 * been indexed with their rows (keep_users_as_json), and those of later versions do not exist
 * yet. */
static enum status link_references(struct store_session *session) {
    char sql[256];
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; status == STATUS_OK && j < tables[i]->count; j++) {
            const struct table *table = tables[i];
            const char *name = table->fields[j].name.at;
            if (row_is_derived(table) || table->is_kept_as_json ||
                !field_is_linked(&table->fields[j]) || table->fields[j].type != TYPE_reference ||
                !schema_has_column(session, table->name, name, TEXT("INTEGER")))
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

/* Version 2: users stored as JSON, webhooks, resources that are views, and uses of
 * Idempotency-Keys. */
static enum status to_version_2(struct store_session *session) {
    enum status status = keep_users_as_json(session);
    if (status == STATUS_OK)
        status = schema_create_resource(session, &web_hook_table);
    if (status == STATUS_OK)
        status = schema_create_resource(session, &web_hook_delivery_table);
    if (status == STATUS_OK)
        status = sql_run(session, OUTBOX_INDEXES);
    if (status == STATUS_OK)
        status = link_references(session);
    if (status == STATUS_OK)
        status = schema_count_all_rows(session);
    if (status == STATUS_OK)
        status = sql_run(session, "ALTER TABLE tokens ADD COLUMN id INTEGER;" TOKEN_IDS_INDEX
                                  "UPDATE tokens SET id = abs(random() % 9007199254740991) + 1;");
    if (status == STATUS_OK)
        status = sql_run(session, IDEMPOTENCY_KEYS_TABLE);
    return status;
}

/* Gives applications a developer, keys and required roles; audit rows a business; and rows without
 * a GUID one that is derived from their Id. The developers of existing applications are not known:
 * each application gets the user who changed it last, or else the first administrator. */
static enum status complete_resources(struct store_session *session) {
    return sql_run(session,
                   "ALTER TABLE applications ADD COLUMN DeveloperId INTEGER;"
                   "ALTER TABLE applications ADD COLUMN ApplicationKey TEXT;"
                   "ALTER TABLE applications ADD COLUMN SecretKey BLOB;"
                   "ALTER TABLE applications ADD COLUMN RequiredRoles TEXT;"
                   "UPDATE applications SET RequiredRoles = '[]', DeveloperId = ifnull("
                   "(SELECT u.Id FROM users AS u WHERE u.Email = applications.UpdatedBy),"
                   " (SELECT min(Id) FROM users WHERE IsAdmin = 1 AND Active = 1));"
                   "INSERT INTO links (field, target, owner)"
                   " SELECT 'applications.DeveloperId', DeveloperId, Id FROM applications;"
                   "ALTER TABLE audit ADD COLUMN business_id INTEGER;" NEW_DATABASE_GUID
                   "UPDATE web_hook_deliveries SET UniqueId = " DERIVED_GUID("3", "Id") ";");
}

static enum status copy_packed(struct store_session *session, const char *from) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 2048);
    buffer_add(&sql, TEXT("Version"));
    for (unsigned i = 0; i < user_table.count; i++)
        if (field_has_column(&user_table, &user_table.fields[i]) &&
            schema_has_column(session, from, user_table.fields[i].name.at, ANY_TYPE))
            buffer_printf(&sql, ", %s", user_table.fields[i].name.at);
    buffer_add_char(&sql, '\0');
    struct text copy = arena_printf(
        &arena, "INSERT INTO users (%s, Members) SELECT %s, users_pack(Members) FROM %s",
        sql.failed ? "" : sql.at, sql.failed ? "" : sql.at, from);
    enum status status = sql.failed || !copy.at ? STATUS_INTERNAL : sql_run(session, copy.at);
    arena_close(&arena);
    return status;
}

/* Before version 3 rows were plain JSON. Rows of version 1 have been packed by the step to version
 * 2. */
static enum status pack_users(struct store_session *session) {
    if (schema_has_column(session, user_table.name, "Members", TEXT("ANY")))
        return STATUS_OK;
    enum status status = sql_run(session, "DROP INDEX users_EmailKey;"
                                          "DROP INDEX users_administrators;"
                                          "DROP INDEX users_FullName;"
                                          "DROP INDEX users_Email;"
                                          "DROP TRIGGER users_added;"
                                          "DROP TRIGGER users_removed;"
                                          "ALTER TABLE users RENAME TO users_unpacked;");
    if (status == STATUS_OK)
        status = schema_create_table(session, &user_table);
    if (status == STATUS_OK)
        status = copy_packed(session, "users_unpacked");
    if (status == STATUS_OK)
        status =
            sql_run(session, "DROP TABLE users_unpacked;"
                             "DELETE FROM row_counts WHERE kind = 'users';" ADMINISTRATORS_INDEX);
    return status == STATUS_OK ? schema_count_rows(session, &user_table) : status;
}

/* Runs `sql`, which replaces the table `old` by one with another name, if there is a table `old`. A
 * database in which an earlier step created the table has it under its current name already. */
static enum status replace_table(struct store_session *session, const char *old, const char *sql) {
    int64_t is_there = 0;
    char query[96];
    int len =
        snprintf(query, sizeof query,
                 "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '%s'", old);
    assert(len > 0 && (size_t)len < sizeof query);
    enum status status = schema_read_integer(session, query, &is_there);
    return status == STATUS_OK && is_there ? sql_run(session, sql) : status;
}

/* Before version 3 an Idempotency-Key belonged to a caller, whatever resource it created. Its audit
 * row has the resource and the caller's address at that time. */
static enum status keep_idempotency_keys(struct store_session *session) {
    return replace_table(session, "repeats",
                         IDEMPOTENCY_KEYS_TABLE
                         "INSERT OR REPLACE INTO idempotency_keys"
                         " (caller, key, mac, record_id, at_ms, author)"
                         " SELECT r.caller, a.entity || ' ' || r.key, r.mac, r.record_id, r.at_ms,"
                         " a.action_by FROM repeats AS r JOIN audit AS a"
                         " ON a.at_ms = r.at_ms AND a.entity_id = r.record_id AND a.type = 1;"
                         "DROP TABLE repeats;");
}

/* Before version 3 chat rooms had to have a name. */
static const char free_chat_room_names[] =
    "ALTER TABLE chat_rooms RENAME COLUMN Name TO RequiredName;"
    "ALTER TABLE chat_rooms ADD COLUMN Name TEXT;"
    "UPDATE chat_rooms SET Name = RequiredName;"
    "ALTER TABLE chat_rooms DROP COLUMN RequiredName;";

/* Version 3: packed rows of users; complete applications, audit rows and GUIDs; Idempotency-Keys of
 * a resource; chat rooms without a name. */
static enum status to_version_3(struct store_session *session) {
    enum status status = pack_users(session);
    if (status == STATUS_OK)
        status = complete_resources(session);
    if (status == STATUS_OK)
        status = keep_idempotency_keys(session);
    return status == STATUS_OK ? sql_run(session, free_chat_room_names) : status;
}

/* Version 4: texts are stored in blocks instead of an index of three letters each, and addresses in
 * a table for each field instead of one for all. A database of version 1 got both in the step to
 * version 2. */
static enum status to_version_4(struct store_session *session) {
    int64_t has_index = 0;
    enum status status = schema_read_integer(
        session, "SELECT count(*) FROM sqlite_schema WHERE name = 'users_texts'", &has_index);
    if (status != STATUS_OK || !has_index)
        return status;
    status = sql_run(session, "DROP TABLE users_texts");
    if (status == STATUS_OK)
        status = schema_create_text_indexes(session);
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

/* Gives tokens families. All access, refresh and spent tokens (kinds 0 to 2) of one client of a
 * user become a family. It ends only when it is revoked, and depends on no other one, because older
 * versions did not store what it was derived from. */
static enum status give_tokens_families(struct store_session *session) {
    return sql_run(session, "ALTER TABLE tokens ADD COLUMN family INTEGER NOT NULL DEFAULT 0;"
                            "ALTER TABLE tokens ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;"
                            "ALTER TABLE tokens ADD COLUMN ends_ms INTEGER NOT NULL"
                            " DEFAULT 9223372036854775807;"
                            "UPDATE tokens SET family = abs(random() % 9007199254740991) + 1;"
                            "UPDATE tokens SET family = (SELECT min(s.family) FROM tokens AS s"
                            " WHERE s.user_id = tokens.user_id AND s.client_id = tokens.client_id"
                            " AND s.kind <= 2) WHERE kind <= 2;" TOKEN_FAMILIES);
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

/* Before version 5 the text index had accents. */
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

/* Gives a user the current EmailKey. If another user has the same mailbox in its plain spelling,
 * that one keeps the key. */
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

/* Before version 5 unnecessary quotes, or another spelling of an IPv6 address, gave the same
 * mailbox another EmailKey. */
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

/* Before version 5 audit rows had the values of confidential fields, and searches looked into
 * them. */
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

/* Before version 5 each delivery had its own copy of the payload. A database of version 1 got the
 * current table in the step to version 2. */
static enum status share_payloads(struct store_session *session) {
    enum status status = sql_run(session, PAYLOADS_TABLE);
    if (status == STATUS_OK &&
        schema_has_column(session, web_hook_delivery_table.name, "Payload", TEXT("TEXT")))
        status =
            sql_run(session, "ALTER TABLE web_hook_deliveries RENAME COLUMN Payload TO OwnPayload;"
                             "ALTER TABLE web_hook_deliveries ADD COLUMN Payload INTEGER;"
                             "INSERT INTO payloads SELECT Id, OwnPayload FROM web_hook_deliveries"
                             " WHERE OwnPayload IS NOT NULL;"
                             "UPDATE web_hook_deliveries SET Payload = Id"
                             " WHERE OwnPayload IS NOT NULL;"
                             "ALTER TABLE web_hook_deliveries DROP COLUMN OwnPayload;");
    return status == STATUS_OK ? sql_run(session, PAYLOADS_USE) : status;
}

/* Before version 5 a webhook had no maker whose permission counts. It gets the user who changed it
 * last; if that user has another address now, the audit trail has the old one. */
static enum status give_webhooks_makers(struct store_session *session) {
    if (schema_has_column(session, web_hook_table.name, "MakerId", TEXT("INTEGER")))
        return STATUS_OK; /* the step from version 1 created the current table */
    return sql_run(session, "ALTER TABLE web_hooks ADD COLUMN MakerId INTEGER;"
                            "UPDATE web_hooks SET MakerId = ifnull((SELECT Id FROM users"
                            " WHERE Email = web_hooks.UpdatedBy), (SELECT u.Id FROM audit AS a"
                            " JOIN users AS u ON u.Id = a.entity_id WHERE a.entity = 'User'"
                            " AND a.property = 'Email' AND a.old_value = web_hooks.UpdatedBy"
                            " ORDER BY a.id DESC LIMIT 1));");
}

/* Before version 5 three tables had names that explained little. */
static enum status rename_tables(struct store_session *session) {
    enum status status =
        replace_table(session, "realm",
                      DATABASE_GUID_TABLE "INSERT INTO database_guid SELECT prefix FROM realm;"
                                          "DROP TABLE realm;");
    if (status == STATUS_OK)
        status = replace_table(session, "repeats",
                               IDEMPOTENCY_KEYS_TABLE
                               "INSERT INTO idempotency_keys (caller, key, mac, record_id, at_ms,"
                               " author) SELECT caller, key, mac, record_id, at_ms, author"
                               " FROM repeats; DROP TABLE repeats;");
    return status == STATUS_OK
               ? sql_run(session, UNKNOWN_LOGINS_TABLE "INSERT INTO unknown_logins SELECT sign_ins"
                                                       " FROM strangers; DROP TABLE strangers;")
               : status;
}

/* Version 5: families of tokens, the mark of the key, texts without accents, one EmailKey for all
 * spellings of an address, an index of the names of businesses, no confidential values in audit
 * rows, the Ids of requests in them, shared payloads, makers of webhooks. */
static enum status to_version_5(struct store_session *session) {
    enum status status = rename_tables(session);
    if (status == STATUS_OK)
        status = give_tokens_families(session);
    if (status == STATUS_OK)
        status = sql_run(session, SEAL_MARK_TABLE);
    if (status == STATUS_OK)
        status = drop_accents(session);
    if (status == STATUS_OK)
        status = sql_run(session, BUSINESS_NAMES_INDEX);
    if (status == STATUS_OK)
        status = blank_confidential(session);
    if (status == STATUS_OK)
        status = sql_run(session, "ALTER TABLE audit ADD COLUMN request_id TEXT");
    if (status == STATUS_OK)
        status = share_payloads(session);
    if (status == STATUS_OK)
        status = give_webhooks_makers(session);
    if (status == STATUS_OK)
        status = sql_run(session, IDEMPOTENCY_KEYS_OF_CALLERS_INDEX);
    return status == STATUS_OK ? rekey_users(session) : status;
}

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

/* Version 6: sessions have the time and the address of their client; nobody knows those of old
 * ones. Each row has a sum: sums.c adds what the tables of any version lack. */
static enum status to_version_6(struct store_session *session) {
    return sql_run(session, "ALTER TABLE tokens ADD COLUMN signed_in_ms INTEGER;"
                            "ALTER TABLE tokens ADD COLUMN client_address TEXT;");
}

/* Element n migrates from version n + 1 to n + 2. */
static enum status (*const steps[])(struct store_session *) = { to_version_2, to_version_3,
                                                                to_version_4, to_version_5,
                                                                to_version_6 };
enum { LAST_STEP = sizeof steps / sizeof steps[0] + 1, CLEAN_PICTURES_SINCE = 5 };

unsigned schema_last_step(void) {
    return LAST_STEP;
}

enum status schema_take_steps(struct store_session *session, int64_t version,
                              const struct store_options *options) {
    enum status status = STATUS_OK;
    if (version < CLEAN_PICTURES_SINCE && options->clean_picture)
        status = clean_pictures(session, options->clean_picture);
    for (int64_t at = version; status == STATUS_OK && at < LAST_STEP; at++)
        status = steps[at - 1](session);
    return status;
}
