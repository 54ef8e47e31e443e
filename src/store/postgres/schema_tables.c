/* Creates the tables. Those of resources, with their indexes, are derived from the field tables;
 * the SQL of the others is written out.
 *
 * Integers are of 64 bits, times too; booleans are small integers. Texts compare byte by byte
 * (COLLATE "C"). Rows that many transactions change in turn (turn, next_ids, row_counts, office)
 * get room on their page, so that a new version of them touches no index, and are vacuumed often.
 */
#include "store/postgres/schema_tables.h"

#include "store/email_index.h"
#include "store/postgres/dialect.h"
#include "store/rows.h"

#include <assert.h>

#define TEXT_TYPE "text COLLATE \"C\""
#define HOT_ROWS                                                                                   \
    " WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0,"                                  \
    " autovacuum_vacuum_threshold = 1000)"

const char pg_turn_sql[] =
    "CREATE TABLE IF NOT EXISTS turn (is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),"
    " epoch bigint NOT NULL DEFAULT 1, outbox bigint NOT NULL DEFAULT 1,"
    " schema bigint NOT NULL DEFAULT 0, oldest bigint NOT NULL DEFAULT 0)" HOT_ROWS ";"
    "INSERT INTO turn DEFAULT VALUES ON CONFLICT DO NOTHING;";

/* Markers of transactions, see group.c; the office, see office.c; attempts to sign in, see
 * attempts.c. */
static const char own_tables[] =
    "CREATE TABLE office (owner bigint NOT NULL, renewals bigint NOT NULL)" HOT_ROWS ";"
    "INSERT INTO office VALUES (0, 0);"
    "CREATE TABLE login_attempts (client bytea PRIMARY KEY, since_ms bigint NOT NULL,"
    " failures bigint NOT NULL, pending bigint NOT NULL) WITH (fillfactor = 70);"
    "CREATE INDEX login_attempts_since ON login_attempts (since_ms);"
    "CREATE TABLE commits (id bytea PRIMARY KEY, at_ms bigint NOT NULL, is_stone smallint NOT "
    "NULL);"
    "CREATE INDEX commits_at ON commits (at_ms);"
    /* The numbers are not those of a sequence, which has gaps after a rollback. */
    "CREATE TABLE next_ids (kind " TEXT_TYPE " PRIMARY KEY, next bigint NOT NULL)" HOT_ROWS ";"
    "CREATE TABLE row_counts (kind " TEXT_TYPE " PRIMARY KEY, rows bigint NOT NULL)" HOT_ROWS ";"
    "INSERT INTO next_ids VALUES ('audit', 1);"
    "CREATE TABLE dictionaries (id bigint PRIMARY KEY, kind " TEXT_TYPE " NOT NULL,"
    " text " TEXT_TYPE " NOT NULL);"
    "CREATE TABLE links (field " TEXT_TYPE " NOT NULL, target bigint NOT NULL,"
    " owner bigint NOT NULL, PRIMARY KEY (field, target, owner));"
    "CREATE TABLE avatars (user_id bigint PRIMARY KEY, type " TEXT_TYPE " NOT NULL,"
    " content bytea NOT NULL);"
    "ALTER TABLE avatars ALTER content SET STORAGE EXTERNAL;" /* pictures are compressed already */
    "CREATE TABLE unknown_logins (sign_ins bigint NOT NULL)" HOT_ROWS ";"
    "INSERT INTO unknown_logins VALUES (0);"
    "CREATE TABLE database_guid (prefix " TEXT_TYPE " NOT NULL);"
    "INSERT INTO database_guid SELECT substr(guid, 1, 13) FROM (SELECT gen_random_uuid()::text"
    " AS guid) AS made;"
    "CREATE TABLE seal_mark (mark bytea NOT NULL);"
    "INSERT INTO seal_mark VALUES ('');"
    "CREATE TABLE idempotency_keys (caller bigint NOT NULL, key bytea NOT NULL,"
    " mac bytea NOT NULL, record_id bigint NOT NULL, at_ms bigint NOT NULL,"
    " author " TEXT_TYPE " NOT NULL, PRIMARY KEY (caller, key));"
    "CREATE INDEX idempotency_keys_at ON idempotency_keys (at_ms);"
    "CREATE INDEX idempotency_keys_of_callers ON idempotency_keys (caller, at_ms);"
    "CREATE TABLE payloads (id bigint PRIMARY KEY, text " TEXT_TYPE " NOT NULL);";

static const char tokens_table[] =
    "CREATE TABLE tokens (hash bytea PRIMARY KEY, kind bigint NOT NULL, user_id bigint NOT NULL,"
    " client_id " TEXT_TYPE " NOT NULL, issued_ms bigint NOT NULL, expires_ms bigint NOT NULL,"
    " id bigint, family bigint NOT NULL, parent bigint NOT NULL, ends_ms bigint NOT NULL,"
    " signed_in_ms bigint, client_address " TEXT_TYPE ");"
    "CREATE INDEX tokens_user ON tokens (user_id, client_id, kind);"
    "CREATE INDEX tokens_expires ON tokens (expires_ms);"
    "CREATE UNIQUE INDEX tokens_id ON tokens (id);"
    "CREATE INDEX tokens_family ON tokens (family, kind);"
    "CREATE INDEX tokens_parent ON tokens (parent) WHERE parent <> 0;"
    /* A spent token shows theft only as long as there is something to revoke. */
    "CREATE FUNCTION drop_spent_tokens() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " DELETE FROM tokens WHERE family = OLD.family AND kind = 2 AND client_id = OLD.client_id;"
    " RETURN NULL; END$$;"
    "CREATE TRIGGER tokens_spent AFTER DELETE ON tokens FOR EACH ROW WHEN (OLD.kind = 1)"
    " EXECUTE FUNCTION drop_spent_tokens();";

/* Columns of eight bytes stand first, so that none of them is filled up to its alignment: a row of
 * the log is twelve bytes shorter. */
static const char audit_table[] =
    "CREATE FUNCTION next_audit_id() RETURNS bigint LANGUAGE sql VOLATILE AS"
    " $$UPDATE next_ids SET next = next + 1 WHERE kind = 'audit' RETURNING next - 1$$;"
    "CREATE TABLE audit (id bigint PRIMARY KEY DEFAULT next_audit_id(),"
    " entity_id bigint NOT NULL, at_ms bigint NOT NULL, business_id bigint,"
    " type smallint NOT NULL, entity " TEXT_TYPE " NOT NULL, property " TEXT_TYPE ","
    " old_value " TEXT_TYPE ", new_value " TEXT_TYPE ", action_by " TEXT_TYPE " NOT NULL,"
    " request_id " TEXT_TYPE ");";

static const char functions[] =
    /* A version 8 UUID (RFC 9562 section 5.8): 48 bits of the database, the kind of row, its Id. */
    "CREATE FUNCTION derived_guid(kind bigint, id bigint) RETURNS text LANGUAGE sql STABLE AS"
    " $$SELECT prefix || '-8' || lpad(to_hex(kind), 3, '0') || '-' ||"
    " lpad(to_hex(32768 | (id >> 48)), 4, '0') || '-' || lpad(to_hex(id & 281474976710655), 12, "
    "'0')"
    " FROM database_guid$$;"
    "CREATE FUNCTION json_author(payload text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS"
    " $$BEGIN RETURN payload::json -> 0 ->> 'UpdatedBy';"
    " EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN"
    " RETURN NULL; END$$;"
    /* The members keep their order. */
    "CREATE FUNCTION json_with_author(payload text, author text) RETURNS text LANGUAGE sql"
    " IMMUTABLE AS $$SELECT '[{' || string_agg(to_json(member.key)::text || ':' ||"
    " CASE member.key WHEN 'UpdatedBy' THEN to_json(author)::text ELSE member.value::text END,"
    " ',' ORDER BY member.place) || '}]' FROM json_each(payload::json -> 0)"
    " WITH ORDINALITY AS member (key, value, place)$$;"
    "CREATE FUNCTION count_row() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " UPDATE row_counts SET rows = rows + CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END"
    " WHERE kind = TG_ARGV[0]; RETURN NULL; END$$;"
    "CREATE FUNCTION drop_unused_payload() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " DELETE FROM payloads WHERE id = OLD.Payload AND NOT EXISTS"
    " (SELECT 1 FROM web_hook_deliveries WHERE Payload = OLD.Payload); RETURN NULL; END$$;"
    "CREATE FUNCTION count_payload_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " UPDATE web_hook_deliveries SET Version = Version + 1 WHERE Payload = NEW.id;"
    " RETURN NULL; END$$;";

/* Status 1 is DELIVERY_PENDING. */
static const char further_indexes[] =
    "CREATE INDEX users_administrators ON users (Id) WHERE IsAdmin = 1 AND Active = 1;"
    "CREATE INDEX businesses_Name ON businesses (lower(Name));"
    "CREATE INDEX web_hook_deliveries_due ON web_hook_deliveries (WebHookId, NextAttempt)"
    " WHERE NextAttempt IS NOT NULL;"
    "CREATE INDEX web_hook_deliveries_lines ON web_hook_deliveries (WebHookId, EntityId, Id)"
    " WHERE Status = 1;"
    "CREATE INDEX web_hook_deliveries_done ON web_hook_deliveries (UpdatedOn) WHERE Status <> 1;"
    "CREATE INDEX web_hook_deliveries_Payload ON web_hook_deliveries (Payload);"
    "CREATE TRIGGER payloads_unused AFTER DELETE ON web_hook_deliveries FOR EACH ROW"
    " EXECUTE FUNCTION drop_unused_payload();"
    "CREATE TRIGGER payloads_changed AFTER UPDATE ON payloads FOR EACH ROW"
    " EXECUTE FUNCTION count_payload_change();";

static const char views[] =
    "CREATE VIEW audit_trail_entries AS SELECT 1::bigint AS Version, business_id AS BusinessId,"
    " entity AS EntityShortName, entity || ' ' || entity_id AS Description,"
    " property AS PropertyName, type::bigint AS AuditType, old_value AS OldValue, new_value AS "
    "NewValue,"
    " action_by AS ActionBy, entity_id AS EntityId, request_id AS RequestId, id AS Id, at_ms AS "
    "UpdatedOn,"
    " at_ms AS CreatedOn, " DERIVED_GUID(
        "1",
        "id") " AS UniqueId, action_by AS UpdatedBy,"
              " NULL::text AS SystemId, entity || ' ' || entity_id AS ToStringText FROM audit;"
              "CREATE VIEW refresh_tokens AS SELECT 1::bigint AS Version, u.Email AS Subject,"
              " t.client_id AS ClientId, t.expires_ms AS ExpiresOn, t.user_id AS UserId,"
              " t.signed_in_ms AS SignedInOn, t.client_address AS ClientAddress, t.id AS "
              "Id,"
              " t.issued_ms AS UpdatedOn, t.issued_ms AS CreatedOn, " DERIVED_GUID(
                  "2",
                  "t.id") " AS UniqueId, u.Email AS UpdatedBy, NULL::text AS SystemId, u.Email AS "
                          "ToStringText"
                          " FROM tokens AS t JOIN users AS u ON u.Id = t.user_id WHERE t.kind = 1;";

/* ---- Resources ---- */

static const char *const sql_type[FIELD_TYPES] = {
    [TYPE_id] = "bigint PRIMARY KEY",
    [TYPE_text] = TEXT_TYPE,
    [TYPE_email] = TEXT_TYPE,
    [TYPE_url] = TEXT_TYPE,
    [TYPE_integer] = "bigint",
    [TYPE_boolean] = "smallint NOT NULL DEFAULT 0",
    [TYPE_date] = "bigint",
    [TYPE_guid] = TEXT_TYPE,
    [TYPE_choice] = "bigint",
    [TYPE_reference] = "bigint",
    [TYPE_links] = TEXT_TYPE,
    [TYPE_sealed] = "bytea",
    [TYPE_totp] = "bytea",
    [TYPE_password] = TEXT_TYPE,
};

struct text pg_column_type(const struct field *field) {
    const char *type = field->flags & SHARED ? "bigint" : sql_type[field->type];
    assert(type);
    return (struct text){ type, strcspn(type, " ") };
}

/* A column of a field with SINCE allows null: older rows have no value. */
void pg_add_column_type(struct buffer *sql, const struct field *field) {
    const char *type = field->flags & SHARED ? "bigint" : sql_type[field->type];
    assert(type);
    bool is_required = (field->flags & (REQUIRED | UNIQUE)) && field->type != TYPE_id &&
                       field->type != TYPE_boolean && !field_since(field);
    buffer_printf(sql, "%s%s", type, is_required ? " NOT NULL" : "");
}

/* Texts are ordered without regard to the case of ASCII letters, and rows with equal ones by Id. */
void pg_add_index(struct buffer *sql, const struct table *table, const struct field *field) {
    const bool is_unique = field->flags & UNIQUE;
    if (!is_unique && !(field->flags & SEARCHED) && !(field->flags & INDEXED && field_since(field)))
        return;
    const bool is_text = !is_unique && (field->type == TYPE_text || field->type == TYPE_email);
    buffer_printf(sql, "CREATE %s IF NOT EXISTS %s_%s ON %s (%s%s%s);",
                  is_unique ? "UNIQUE INDEX" : "INDEX", table->name, field->name.at, table->name,
                  is_text ? "lower(" : "", field->name.at, is_text ? ") NULLS FIRST, Id" : "");
}

/* The table of texts that searches by "contains" look into (text_index.c), and that of addresses.
 */
void pg_add_texts(struct buffer *sql, const struct table *table, const struct field *field) {
    buffer_printf(sql,
                  "CREATE TABLE IF NOT EXISTS %s_texts (owner bigint PRIMARY KEY);"
                  "ALTER TABLE %s_texts ADD %s " TEXT_TYPE ";",
                  table->name, table->name, field->name.at);
    if (email_index_field(table) != field)
        return;
    buffer_add(sql, TEXT("CREATE TABLE "));
    email_index_add_name(sql, table);
    buffer_add(sql, TEXT(" (address bytea NOT NULL, owner bigint NOT NULL,"
                         " PRIMARY KEY (address, owner));"));
}

void pg_add_views(struct buffer *sql) {
    buffer_add(sql, text_of(views));
}

/* The first Id has nine digits, as in the hosted service. */
void pg_add_resource(struct buffer *sql, const struct table *table) {
    const char *name = table->name;
    buffer_printf(sql, "CREATE TABLE %s (", name);
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i])) {
            buffer_printf(sql, "%s ", table->fields[i].name.at);
            pg_add_column_type(sql, &table->fields[i]);
            buffer_add(sql, TEXT(", "));
        }
    /* The log leaves out what an UPDATE does not change at both ends of a row, so Version is behind
     * the other columns. Room on each page for new versions of its rows spares the indexes. */
    buffer_add(sql, TEXT("Version bigint NOT NULL"));
    buffer_add(sql, table->is_kept_as_json
                        ? TEXT(", Members bytea NOT NULL) WITH (fillfactor = 85);")
                        : TEXT(");"));
    if (table->is_kept_as_json) /* Members are packed already */
        buffer_printf(sql, "ALTER TABLE %s ALTER Members SET STORAGE EXTERNAL;", name);
    for (unsigned i = 0; i < table->count; i++)
        pg_add_index(sql, table, &table->fields[i]);
    for (unsigned i = 0; i < table->count; i++)
        if (table->fields[i].flags & SEARCHED)
            pg_add_texts(sql, table, &table->fields[i]);
    buffer_printf(sql,
                  "INSERT INTO next_ids VALUES ('%s', 100000001);"
                  "INSERT INTO row_counts VALUES ('%s', 0);"
                  "CREATE TRIGGER %s_counted AFTER INSERT OR DELETE ON %s FOR EACH ROW"
                  " EXECUTE FUNCTION count_row('%s');",
                  name, name, name, name, name);
}

void pg_add_everything(struct buffer *sql) {
    buffer_add(sql, text_of(own_tables));
    buffer_add(sql, text_of(tokens_table));
    buffer_add(sql, text_of(audit_table));
    buffer_add(sql, text_of(functions));
    for (unsigned i = 0; i < TABLES; i++)
        if (!row_is_derived(tables[i]))
            pg_add_resource(sql, tables[i]);
    buffer_add(sql, text_of(further_indexes));
    pg_add_views(sql);
}
