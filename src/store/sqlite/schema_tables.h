#ifndef ROSTER_STORE_SQLITE_SCHEMA_TABLES_H
#define ROSTER_STORE_SQLITE_SCHEMA_TABLES_H

/* How tables are made. For schema.c and schema_steps.c, on the thread of the start or of a tool.
 * The functions that run SQL return STATUS_OK, or STATUS_INTERNAL after the error is logged. */

#include "base/buffer.h"
#include "model/field.h"
#include "store/session.h"

/* What rows of Members are packed against (see row_compression.h). */
#define DICTIONARIES_TABLE                                                                         \
    "CREATE TABLE dictionaries (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL)"   \
    " STRICT;"

/* By which a refresh token is called in the API, since its hash is not shown. */
#define TOKEN_IDS_INDEX "CREATE UNIQUE INDEX tokens_id ON tokens (id);"

/* By which what rests on each other ends together (see struct token in store.h). What was spent
 * tells of a theft for as long as there is something to end: the refresh token that came of it. */
#define TOKEN_FAMILIES                                                                             \
    "CREATE INDEX tokens_family ON tokens (family, kind);"                                         \
    "CREATE TRIGGER tokens_spent AFTER DELETE ON tokens WHEN OLD.kind = 1 BEGIN"                   \
    " DELETE FROM tokens WHERE family = OLD.family AND kind = 2 AND client_id = OLD.client_id;"    \
    " END;"                                                                                        \
    "CREATE INDEX tokens_parent ON tokens (parent) WHERE parent <> 0;"

/* A prefix keeps GUIDs that follow from an Id apart from those of other databases. */
#define DATABASE_GUID_TABLE "CREATE TABLE database_guid (prefix TEXT NOT NULL) STRICT;"
#define NEW_DATABASE_GUID                                                                          \
    DATABASE_GUID_TABLE "INSERT INTO database_guid VALUES (lower(hex(randomblob(4)) || '-' || "    \
                        "hex(randomblob(2))));"

/* Sign-ins to addresses that no user has. */
#define UNKNOWN_LOGINS_TABLE "CREATE TABLE unknown_logins (sign_ins INTEGER NOT NULL) STRICT;"

/* By what the key of the sealed fields is known (see seal_mark.c). */
#define SEAL_MARK_TABLE "CREATE TABLE seal_mark (mark BLOB NOT NULL) STRICT;"

/* Who may not be deleted or demoted when nobody else is left. */
#define ADMINISTRATORS_INDEX                                                                       \
    "CREATE INDEX users_administrators ON users (Id) WHERE IsAdmin = 1 AND Active = 1;"

/* Clients that are not signed in may ask for a business by its name. */
#define BUSINESS_NAMES_INDEX "CREATE INDEX businesses_Name ON businesses (Name COLLATE NOCASE);"

/* What a client's key was used for (see service/idempotency). */
#define IDEMPOTENCY_KEYS_TABLE                                                                     \
    "CREATE TABLE idempotency_keys (caller INTEGER NOT NULL, key TEXT NOT NULL,"                   \
    " mac BLOB NOT NULL, record_id INTEGER NOT NULL, at_ms INTEGER NOT NULL,"                      \
    " author TEXT NOT NULL, PRIMARY KEY (caller, key)) STRICT, WITHOUT ROWID;"                     \
    "CREATE INDEX idempotency_keys_at ON idempotency_keys (at_ms);"

/* Which are the oldest of a caller. */
#define IDEMPOTENCY_KEYS_OF_CALLERS_INDEX                                                          \
    "CREATE INDEX idempotency_keys_of_callers ON idempotency_keys (caller, at_ms);"

/* What is to be delivered next, the queues that wait for it (one for each user at each webhook),
 * and what is done. 1 is DELIVERY_PENDING. */
#define OUTBOX_INDEXES                                                                             \
    "CREATE INDEX web_hook_deliveries_due ON web_hook_deliveries (WebHookId, NextAttempt)"         \
    " WHERE NextAttempt IS NOT NULL;"                                                              \
    "CREATE INDEX web_hook_deliveries_lines ON web_hook_deliveries (WebHookId, EntityId, Id)"      \
    " WHERE Status = 1;"                                                                           \
    "CREATE INDEX web_hook_deliveries_done ON web_hook_deliveries (UpdatedOn)"                     \
    " WHERE Status <> 1;"

/* What deliveries tell: once for an event, however many webhooks wait for it, and only as long as
 * one of its deliveries is there. */
#define PAYLOADS_TABLE "CREATE TABLE payloads (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
#define PAYLOADS_USE                                                                               \
    "CREATE INDEX web_hook_deliveries_Payload ON web_hook_deliveries (Payload);"                   \
    "CREATE TRIGGER payloads_unused AFTER DELETE ON web_hook_deliveries WHEN NOT EXISTS"           \
    " (SELECT 1 FROM web_hook_deliveries WHERE Payload = OLD.Payload) BEGIN"                       \
    " DELETE FROM payloads WHERE id = OLD.Payload; END;"                                           \
    "CREATE TRIGGER payloads_changed AFTER UPDATE ON payloads BEGIN"                               \
    " UPDATE web_hook_deliveries SET Version = Version + 1 WHERE Payload = NEW.id; END;"

/* For schema_has_column: whatever the column's type is. */
#define ANY_TYPE ((struct text){ NULL, 0 })

/** Runs `sql`, which yields one row, and reads the integer in its first column. */
enum status schema_read_integer(struct store_session *session, const char *sql,
                                int64_t *number) MUST_CHECK;

/** Has the table or view a column of that name and declared type? An error is logged: false. */
bool schema_has_column(struct store_session *session, const char *table, const char *name,
                       struct text type);

/** Is there a table of that name? An error is logged: false. */
bool schema_has_table(struct store_session *session, const struct table *table);

/** The type, and what else belongs to the column of a field that has one: "TEXT". A literal. */
const char *schema_stored_type(const struct field *field);

/** Writes the definition of a field's column. */
void schema_add_column(struct buffer *sql, const struct field *field);

/** Writes the SQL that creates the index of a field; nothing for a field that has none. */
void schema_add_index(struct buffer *sql, const struct table *table, const struct field *field);

/** Creates the table of a resource and the indexes of its fields. */
enum status schema_create_table(struct store_session *session,
                                const struct table *table) MUST_CHECK;

/** Creates the table of a resource, its indexes, and its row in `next_ids`. */
enum status schema_create_resource(struct store_session *session,
                                   const struct table *table) MUST_CHECK;

/** Counts the rows of a table, and creates the triggers that count from then on. */
enum status schema_count_rows(struct store_session *session, const struct table *table) MUST_CHECK;

/** Creates `row_counts`, and counts the rows of every table that is there. */
enum status schema_count_all_rows(struct store_session *session) MUST_CHECK;

/** Creates the indexes that searches look into, where they are missing. */
enum status schema_create_text_indexes(struct store_session *session) MUST_CHECK;

/** Drops the views, which would follow a table that is renamed. */
enum status schema_drop_views(struct store_session *session) MUST_CHECK;

/** Creates the views of resources that the server alone writes. */
enum status schema_create_views(struct store_session *session) MUST_CHECK;

/** Creates everything but the dictionaries and the views, in a database that is empty. */
enum status schema_create_all(struct store_session *session) MUST_CHECK;

#endif
