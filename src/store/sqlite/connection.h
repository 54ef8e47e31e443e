#ifndef ROSTER_STORE_SQLITE_CONNECTION_H
#define ROSTER_STORE_SQLITE_CONNECTION_H

/* A connection to SQLite. Everything in this folder stands on it; nobody outside includes it. */

#include "store/session.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

/* Statements that are put together (searches) and kept: each combination of fields and orders has
 * its own. */
enum { TEXT_STATEMENTS = 16 };

struct sql_statement {
    sqlite3_stmt *handle;
    struct connection *connection;
};

/** A table, as functions in SQL know it besides their arguments; see functions.c. */
struct connection_table {
    struct connection *connection;
    const struct table *table;
};

/** Statements without parameters around the others. */
enum connection_statement {
    CONNECTION_BEGIN, /* to write */
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
    struct sql_statement *texts[TEXT_STATEMENTS]; /* the last used first */
    struct connection_table tables[TABLES];
    int logged_code; /* of the error that was logged last, and when */
    int64_t logged_ms;

    /* Of what session.c does. */
    bool is_reader;
    struct connection *next; /* of the store's readers */
    atomic_flag in_use;      /* by its thread, or by the checkpointer ending its snapshot */
    bool has_snapshot;
    uint64_t snapshot;             /* the number of commits that it is known to see */
    atomic_uint_fast64_t readings; /* of a reader; only its thread adds */
    bool may_read_long;
    int64_t deadline_ms;  /* of a reader that may take long: when it must end; 0: never */
    int turns_left;       /* of a search that may only be short, in thousands of steps */
    enum status ended_as; /* why a statement was ended early */
};

static inline struct connection *connection_of(struct store_session *session) {
    _Static_assert(offsetof(struct connection, session) == 0, "a session is a connection");
    return (struct connection *)session;
}

/**
 * Opens a connection with the settings that all of them have. `flags` are SQLite's beside those for
 * threads and result codes. NULL on failure, which is logged.
 */
struct connection *connection_open(const char *path, int flags) MUST_CHECK;

/** Closes it with all that record keeping has with its session, and frees it. Takes NULL. */
void connection_close(struct connection *connection);

/** Runs one of the statements above. OK, INTERNAL. */
enum status connection_execute(struct connection *connection,
                               enum connection_statement which) MUST_CHECK;

/** Logs what the library says went wrong; the text holds no values. */
void connection_log(struct connection *connection, const char *doing);

/** A value where it lies; see sql_value. */
struct sql_value connection_value(sqlite3_value *value);

#endif
