#ifndef ROSTER_STORE_SQLITE_CONNECTION_H
#define ROSTER_STORE_SQLITE_CONNECTION_H

/* A connection to SQLite. All files of this folder use it; none outside the folder includes it. */

#include "store/engine.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

/* The most composed statements (searches) that a connection caches. Each combination of fields and
 * orders has its own statement. */
enum { TEXT_STATEMENTS = 16 };

struct sqlite_statement {
    struct sql_statement base; /* first, see handle_of in connection.c */
    sqlite3_stmt *handle;
    struct connection *connection;
};

/** The user data of an SQL function that belongs to a table; see functions.c. */
struct connection_table {
    struct connection *connection;
    const struct table *table;
};

/** The statements that begin and end transactions. */
enum connection_statement {
    CONNECTION_BEGIN, /* for writing */
    CONNECTION_BEGIN_SNAPSHOT,
    CONNECTION_COMMIT,
    CONNECTION_ROLLBACK,
    CONNECTION_STATEMENTS
};

struct connection {
    struct store_session session; /* first, see connection_of */
    sqlite3 *db;
    struct sql_statement *statements[STATEMENTS];
    struct sql_statement *own[CONNECTION_STATEMENTS];
    struct sql_statement *texts[TEXT_STATEMENTS]; /* the most recently used first */
    struct connection_table tables[TABLES];
    int logged_code; /* the error that was logged last; logged_ms: when */
    int64_t logged_ms;

    /* For session.c. */
    bool is_reader;
    struct connection *next; /* in the store's list of readers */
    atomic_flag in_use;      /* held by its thread, or by the checkpointer ending its snapshot */
    bool has_snapshot;
    uint64_t snapshot;             /* the number of commits that the snapshot is known to include */
    atomic_uint_fast64_t readings; /* made so far; only its thread adds */
    bool may_read_long;
    int64_t deadline_ms;  /* of a reader thread: when the running read must end; 0: never */
    int turns_left;       /* of a search with engine_limit_work: thousands of steps left */
    enum status ended_as; /* why a statement was interrupted */
};

static inline struct connection *connection_of(struct store_session *session) {
    _Static_assert(offsetof(struct connection, session) == 0, "a session is a connection");
    return (struct connection *)session;
}

/**
 * Opens a connection with the settings of all connections. `flags` are SQLite's, without those for
 * threads and result codes. NULL on failure, which is logged.
 */
struct connection *connection_open(const struct engine *engine, const char *path,
                                   int flags) MUST_CHECK;

/** Closes a connection, frees its statements and frees it. Takes NULL. */
void connection_close(struct connection *connection);

/** Returns the SQL of a statement of statements.def. */
const char *connection_sql(enum statement which);

/** Runs one of the statements that begin or end a transaction. OK, INTERNAL. */
enum status connection_execute(struct connection *connection,
                               enum connection_statement which) MUST_CHECK;

/** Has the database a table of this name? Those of old versions lack some. */
bool connection_has_table(const struct connection *connection, const char *name);

/** Logs SQLite's message for the last error, after `doing`. The message contains no values. */
void connection_log(struct connection *connection, const char *doing);

/** The functions behind store/sql.h. */
extern const struct engine_sql connection_sql_calls;

/** Returns a value without copying it; see sql_value. */
struct sql_value connection_value(sqlite3_value *value);

#endif
