/* Implements store/sql.h for SQLite: connections, statements, parameters and columns. */
#include "store/sqlite/connection.h"

#include "base/log.h"
#include "base/time.h"
#include "store/own_columns.h"
#include "store/sqlite/dialect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_AGAIN_MS = 1000 };

static const char *const statement_sql[STATEMENTS] = {
#define STATEMENT(name, sql) sql,
#include "store/statements.def"
#undef STATEMENT
};

/* ---- Connections ---- */

/* Logs an error, but not the same one again within a second: a repetition adds nothing, and would
 * fill a disk that may be full already. */
void connection_log(struct connection *connection, const char *doing) {
    int code = sqlite3_extended_errcode(connection->db);
    int64_t now_ms = time_monotonic_ms();
    if (code == connection->logged_code && now_ms - connection->logged_ms < LOG_AGAIN_MS)
        return;
    connection->logged_code = code;
    connection->logged_ms = now_ms;
    log_error("database: %s: %s (%d)", doing, sqlite3_errmsg(connection->db), code);
}

/* busy_timeout comes first, because the switch to WAL may have to wait for another connection.
 * secure_delete overwrites deleted content, so that no file keeps erased data. */
static const char connection_settings[] = "PRAGMA busy_timeout = 10000;"
                                          "PRAGMA journal_mode = WAL;"
                                          "PRAGMA synchronous = FULL;"
                                          "PRAGMA wal_autocheckpoint = 0;"
                                          "PRAGMA cache_size = -2048;"
                                          "PRAGMA secure_delete = ON;"
                                          "PRAGMA trusted_schema = OFF;";

struct connection *connection_open(const struct engine *engine, const char *path, int flags) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->session.engine = engine;
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int failed = sqlite3_open_v2(path, &connection->db, flags, NULL);
    if (!failed && sql_run(&connection->session, connection_settings) == STATUS_OK)
        return connection;
    if (failed)
        connection_log(connection, "opening");
    connection_close(connection);
    return NULL;
}

void connection_close(struct connection *connection) {
    if (!connection)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sql_free(connection->statements[i]);
    for (int i = 0; i < CONNECTION_STATEMENTS; i++)
        sql_free(connection->own[i]);
    for (int i = 0; i < TEXT_STATEMENTS; i++)
        sql_free(connection->texts[i]);
    if (sqlite3_close(connection->db) != SQLITE_OK)
        connection_log(connection, "closing");
    free(connection);
}

bool connection_has_table(const struct connection *connection, const char *name) {
    return sqlite3_table_column_metadata(connection->db, NULL, name, NULL, NULL, NULL, NULL, NULL,
                                         NULL) == SQLITE_OK;
}

/* ---- Statements ---- */

static struct sqlite_statement *statement_of(struct sql_statement *statement) {
    _Static_assert(offsetof(struct sqlite_statement, base) == 0, "a statement is its base");
    return (struct sqlite_statement *)statement;
}

static sqlite3_stmt *handle_of(struct sql_statement *statement) {
    return statement_of(statement)->handle;
}

static struct sql_statement *prepare(struct store_session *session, const char *sql) {
    struct connection *connection = connection_of(session);
    struct sqlite_statement *statement = calloc(1, sizeof *statement);
    if (!statement)
        return NULL;
    statement->base.engine = session->engine;
    statement->connection = connection;
    if (sqlite3_prepare_v3(connection->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle,
                           NULL) == SQLITE_OK)
        return &statement->base;
    connection_log(connection, "preparing a statement");
    free(statement);
    return NULL;
}

static void free_statement(struct sql_statement *statement) {
    (void)sqlite3_finalize(handle_of(statement)); /* repeats an error already handled */
    free(statement_of(statement));
}

static void again(struct sql_statement *statement) {
    (void)sqlite3_reset(handle_of(statement)); /* repeats an error already handled */
}

static enum status step(struct sql_statement *statement) {
    struct connection *connection = statement_of(statement)->connection;
    switch (sqlite3_step(handle_of(statement))) {
    case SQLITE_ROW: return STATUS_OK;
    case SQLITE_DONE: return STATUS_NOT_FOUND;
    case SQLITE_INTERRUPT: return connection->ended_as; /* only session.c interrupts statements */
    default: connection_log(connection, "running a statement"); return STATUS_INTERNAL;
    }
}

static int64_t changed(struct sql_statement *statement) {
    return sqlite3_changes64(statement_of(statement)->connection->db);
}

static void done(struct sql_statement *statement) {
    (void)sqlite3_reset(handle_of(statement)); /* repeats the error of the step */
}

static enum status execute(struct sql_statement *statement) {
    enum status status = step(statement);
    done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status execute_one(struct sql_statement *statement) {
    enum status status = execute(statement);
    return status == STATUS_OK && changed(statement) != 1 ? STATUS_PRECONDITION_FAILED : status;
}

static struct sql_statement *ready(struct store_session *session, struct sql_statement **slot,
                                   const char *sql) {
    if (*slot)
        again(*slot);
    else
        *slot = prepare(session, sql);
    return *slot;
}

const char *connection_sql(enum statement which) {
    return statement_sql[which];
}

static struct sql_statement *fixed_statement(struct store_session *session, enum statement which) {
    return ready(session, &connection_of(session)->statements[which], statement_sql[which]);
}

enum status connection_execute(struct connection *connection, enum connection_statement which) {
    static const char *const sql[] = {
        [CONNECTION_BEGIN] = "BEGIN IMMEDIATE",
        [CONNECTION_BEGIN_SNAPSHOT] = "BEGIN",
        [CONNECTION_COMMIT] = "COMMIT",
        [CONNECTION_ROLLBACK] = "ROLLBACK",
    };
    struct sql_statement *statement =
        ready(&connection->session, &connection->own[which], sql[which]);
    return statement ? execute(statement) : STATUS_INTERNAL;
}

static bool has_text(struct sql_statement *statement, const char *sql) {
    return statement && strcmp(sqlite3_sql(handle_of(statement)), sql) == 0;
}

static struct sql_statement *text_statement(struct store_session *session, const char *sql) {
    struct sql_statement **kept = connection_of(session)->texts, *found;
    int at = 0;
    while (at < TEXT_STATEMENTS - 1 && kept[at] && !has_text(kept[at], sql))
        at++;
    found = kept[at];
    if (found && !has_text(found, sql)) {
        free_statement(found); /* the least recently used one */
        found = NULL;
    }
    for (; at; at--)
        kept[at] = kept[at - 1];
    kept[0] = found;
    return ready(session, &kept[0], sql);
}

static enum status run(struct store_session *session, const char *sql) {
    struct connection *connection = connection_of(session);
    if (sqlite3_exec(connection->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return STATUS_OK;
    connection_log(connection, "running a command");
    return STATUS_INTERNAL;
}

static const char *error(struct store_session *session) {
    return sqlite3_errmsg(connection_of(session)->db);
}

/* ---- Parameters ---- */

/* A bind call fails only when memory runs out, or for a wrong index. After a lack of memory the
 * parameter is null, which violates NOT NULL or changes nothing; so only the index is asserted. */
static void bound(int result) {
    assert(result == SQLITE_OK || result == SQLITE_NOMEM || result == SQLITE_TOOBIG);
    (void)result;
}

static void bind_integer(struct sql_statement *statement, int at, int64_t integer) {
    bound(sqlite3_bind_int64(handle_of(statement), at, integer));
}

static void bind_text(struct sql_statement *statement, int at, struct text text) {
    bound(sqlite3_bind_text64(handle_of(statement), at, text.at, text.len, SQLITE_STATIC,
                              SQLITE_UTF8));
}

static void bind_bytes(struct sql_statement *statement, int at, struct text bytes) {
    bound(sqlite3_bind_blob64(handle_of(statement), at, bytes.at, bytes.len, SQLITE_STATIC));
}

static void bind_null(struct sql_statement *statement, int at) {
    bound(sqlite3_bind_null(handle_of(statement), at));
}

static void bind_list(struct sql_statement *statement, int at, struct text json) {
    bind_text(statement, at, json); /* an operand of json_each */
}

/* ---- Columns ---- */

static int64_t column_integer(struct sql_statement *statement, int at) {
    return sqlite3_column_int64(handle_of(statement), at);
}

static bool column_is_null(struct sql_statement *statement, int at) {
    return sqlite3_column_type(handle_of(statement), at) == SQLITE_NULL;
}

static struct text column_bytes(struct sql_statement *statement, int at) {
    const void *bytes = sqlite3_column_blob(handle_of(statement), at);
    return (struct text){ bytes, (size_t)sqlite3_column_bytes(handle_of(statement), at) };
}

struct sql_value connection_value(sqlite3_value *value) {
    struct sql_value read = { .type = SQL_BYTES };
    switch (sqlite3_value_type(value)) {
    case SQLITE_NULL: read.type = SQL_NULL; return read;
    case SQLITE_INTEGER:
        read.type = SQL_INTEGER;
        read.integer = sqlite3_value_int64(value);
        return read;
    case SQLITE_TEXT: read.type = SQL_TEXT; break;
    }
    read.bytes.at = sqlite3_value_blob(value);
    read.bytes.len = (size_t)sqlite3_value_bytes(value);
    return read;
}

/* Each sqlite3_column_* call looks the column up again, so this function looks it up once, as a
 * value. SQLite allows any value to be read so where only one thread at a time uses a connection
 * (SQLITE_CONFIG_MULTITHREAD). */
static struct sql_value column_value(struct sql_statement *statement, int at) {
    return connection_value(sqlite3_column_value(handle_of(statement), at));
}

const struct engine_sql connection_sql_calls = {
    .statement = fixed_statement,
    .text_statement = text_statement,
    .prepare = prepare,
    .again = again,
    .free = free_statement,
    .bind_integer = bind_integer,
    .bind_text = bind_text,
    .bind_bytes = bind_bytes,
    .bind_null = bind_null,
    .bind_list = bind_list,
    .step = step,
    .execute = execute,
    .execute_one = execute_one,
    .changed = changed,
    .done = done,
    .run = run,
    .error = error,
    .integer = column_integer,
    .is_null = column_is_null,
    .bytes = column_bytes,
    .value = column_value,
};
