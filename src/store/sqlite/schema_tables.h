#ifndef ROSTER_STORE_SQLITE_SCHEMA_TABLES_H
#define ROSTER_STORE_SQLITE_SCHEMA_TABLES_H

/* Creates tables, indexes, triggers and views. For schema.c and schema_steps.c, on the thread that
 * opens the database. The functions that run SQL return STATUS_OK, or STATUS_INTERNAL after the
 * error is logged. */

#include "base/buffer.h"
#include "model/field.h"
#include "store/session.h"

/* The dictionaries that the rows of Members are packed against (see row_compression.h). */
#define DICTIONARIES_TABLE                                                                         \
    "CREATE TABLE dictionaries (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL)"   \
    " STRICT;"

/* The API names a refresh token by this Id, since it never shows the hash. */
#define TOKEN_IDS_INDEX "CREATE UNIQUE INDEX tokens_id ON tokens (id);"

/* The indexes by which families and the families that depend on them end together (see struct token
 * in store.h). A spent token serves to detect theft only as long as there is something to revoke:
 * the trigger deletes it with the refresh token that replaced it. */
#define TOKEN_FAMILIES                                                                             \
    "CREATE INDEX tokens_family ON tokens (family, kind);"                                         \
    "CREATE TRIGGER tokens_spent AFTER DELETE ON tokens WHEN OLD.kind = 1 BEGIN"                   \
    " DELETE FROM tokens WHERE family = OLD.family AND kind = 2 AND client_id = OLD.client_id;"    \
    " END;"                                                                                        \
    "CREATE INDEX tokens_parent ON tokens (parent) WHERE parent <> 0;"

/* The prefix of the GUIDs that are derived from Ids, which makes them differ from those of other
 * databases. */
#define DATABASE_GUID_TABLE "CREATE TABLE database_guid (prefix TEXT NOT NULL) STRICT;"
#define NEW_DATABASE_GUID                                                                          \
    DATABASE_GUID_TABLE "INSERT INTO database_guid VALUES (lower(hex(randomblob(4)) || '-' || "    \
                        "hex(randomblob(2))));"

/* Counts the sign-ins with addresses that no user has. */
#define UNKNOWN_LOGINS_TABLE "CREATE TABLE unknown_logins (sign_ins INTEGER NOT NULL) STRICT;"

/* The hash of the key that seals fields (see seal_mark.c). */
#define SEAL_MARK_TABLE "CREATE TABLE seal_mark (mark BLOB NOT NULL) STRICT;"

/* The active administrators: the last one may not be deleted or demoted. */
#define ADMINISTRATORS_INDEX                                                                       \
    "CREATE INDEX users_administrators ON users (Id) WHERE IsAdmin = 1 AND Active = 1;"

/* For clients that are not signed in, which may ask for a business by its name. */
#define BUSINESS_NAMES_INDEX "CREATE INDEX businesses_Name ON businesses (Name COLLATE NOCASE);"

/* The uses of Idempotency-Keys (see service/idempotency). */
#define IDEMPOTENCY_KEYS_TABLE                                                                     \
    "CREATE TABLE idempotency_keys (caller INTEGER NOT NULL, key TEXT NOT NULL,"                   \
    " mac BLOB NOT NULL, record_id INTEGER NOT NULL, at_ms INTEGER NOT NULL,"                      \
    " author TEXT NOT NULL, PRIMARY KEY (caller, key)) STRICT, WITHOUT ROWID;"                     \
    "CREATE INDEX idempotency_keys_at ON idempotency_keys (at_ms);"

/* Finds the oldest uses of a caller. */
#define IDEMPOTENCY_KEYS_OF_CALLERS_INDEX                                                          \
    "CREATE INDEX idempotency_keys_of_callers ON idempotency_keys (caller, at_ms);"

/* The deliveries that are due next, the pending deliveries of each queue (one for each user at each
 * webhook), and the ended deliveries. Status 1 is DELIVERY_PENDING. */
#define OUTBOX_INDEXES                                                                             \
    "CREATE INDEX web_hook_deliveries_due ON web_hook_deliveries (WebHookId, NextAttempt)"         \
    " WHERE NextAttempt IS NOT NULL;"                                                              \
    "CREATE INDEX web_hook_deliveries_lines ON web_hook_deliveries (WebHookId, EntityId, Id)"      \
    " WHERE Status = 1;"                                                                           \
    "CREATE INDEX web_hook_deliveries_done ON web_hook_deliveries (UpdatedOn)"                     \
    " WHERE Status <> 1;"

/* The payloads of deliveries. All deliveries of an event share one payload, which is deleted with
 * the last of them. */
#define PAYLOADS_TABLE "CREATE TABLE payloads (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
#define PAYLOADS_USE                                                                               \
    "CREATE INDEX web_hook_deliveries_Payload ON web_hook_deliveries (Payload);"                   \
    "CREATE TRIGGER payloads_unused AFTER DELETE ON web_hook_deliveries WHEN NOT EXISTS"           \
    " (SELECT 1 FROM web_hook_deliveries WHERE Payload = OLD.Payload) BEGIN"                       \
    " DELETE FROM payloads WHERE id = OLD.Payload; END;"                                           \
    "CREATE TRIGGER payloads_changed AFTER UPDATE ON payloads BEGIN"                               \
    " UPDATE web_hook_deliveries SET Version = Version + 1 WHERE Payload = NEW.id; END;"

/* For schema_has_column: any type. */
#define ANY_TYPE ((struct text){ NULL, 0 })

/** Runs `sql`, which yields one row, and reads the integer in its first column. */
enum status schema_read_integer(struct store_session *session, const char *sql,
                                int64_t *number) MUST_CHECK;

/**
 * Does the table or view have a column of this name and declared type? False also after an error,
 * which is logged.
 */
bool schema_has_column(struct store_session *session, const char *table, const char *name,
                       struct text type);

/** Does the table exist? False also after an error, which is logged. */
bool schema_has_table(struct store_session *session, const struct table *table);

/**
 * The type and the constraints of a field's column, as a literal: "TEXT". For fields that have a
 * column.
 */
const char *schema_stored_type(const struct field *field);

/** Appends the definition of a field's column. */
void schema_add_column(struct buffer *sql, const struct field *field);

/** Appends the SQL that creates the index of a field; nothing for a field that has none. */
void schema_add_index(struct buffer *sql, const struct table *table, const struct field *field);

/** Creates the table of a resource and the indexes of its fields. */
enum status schema_create_table(struct store_session *session,
                                const struct table *table) MUST_CHECK;

/** Creates the table of a resource, its indexes, and its row in `next_ids`. */
enum status schema_create_resource(struct store_session *session,
                                   const struct table *table) MUST_CHECK;

/** Counts the rows of a table once, and creates the triggers that keep the count. */
enum status schema_count_rows(struct store_session *session, const struct table *table) MUST_CHECK;

/** Creates `row_counts`, and counts the rows of every existing table. */
enum status schema_count_all_rows(struct store_session *session) MUST_CHECK;

/** Creates the missing text indexes and indexes of e-mail addresses. */
enum status schema_create_text_indexes(struct store_session *session) MUST_CHECK;

/** Drops the views: SQLite would change them along with a table that is renamed. */
enum status schema_drop_views(struct store_session *session) MUST_CHECK;

/** Creates the views of the resources that only the server writes. */
enum status schema_create_views(struct store_session *session) MUST_CHECK;

/** Creates everything except the dictionaries and the views, in an empty database. */
enum status schema_create_all(struct store_session *session) MUST_CHECK;

#endif
