#ifndef ROSTER_STORE_POSTGRES_CONNECTION_H
#define ROSTER_STORE_POSTGRES_CONNECTION_H

/*
 * A connection to PostgreSQL: how it is made, checked and closed. pipeline.h sends what it runs.
 * All files of this folder use it; none outside the folder includes it.
 *
 * A connection belongs to one of the store's own threads, never to an I/O thread: every function
 * that says so may wait for the network.
 */

#include "base/buffer.h"
#include "store/postgres/errors.h"
#include "store/session.h"

#include <libpq-fe.h>
#include <stddef.h>

/* The most statements that are under way at once: later ones wait for the first of them. */
enum { PG_UNDER_WAY_MAX = 256 };

/* The most composed statements (searches) that a connection caches. */
enum { PG_TEXT_STATEMENTS = 16 };

/* The most records that are read together. */
enum { PG_PREFETCH_MAX = 256 };

enum { PG_ERROR_SIZE = 256 };

/** A statement that was sent, and whose result has not been collected. */
struct pg_sent {
    enum { PG_SENT_STATEMENT, PG_SENT_CONTROL, PG_SENT_COMMIT, PG_SENT_SYNC } kind;
    struct pg_statement *statement; /* whose result it is; NULL: it was freed since */
    bool must_change_one;
};

struct pg_statement; /* prepared.h */

/** The records that the commands of a batch will load, read by one statement (prefetch.h). */
struct pg_prefetch {
    struct sql_statement *statements[TABLES]; /* those that were used */
    struct sql_statement *sent;               /* the batch's; its result has the rows; NULL: none */
    const struct table *table;                /* of these rows */
    unsigned dropped[(PG_PREFETCH_MAX + 31) / 32]; /* a bit for each row that is no longer valid */
};

/* The most columns of rows that are sent together. */
enum { PG_COLUMNS_MAX = 64 };

/** Rows on their way to the server, as one array for each column (column_arrays.h). */
struct pg_column_arrays {
    struct arena arena;
    struct buffer columns[PG_COLUMNS_MAX];
    Oid types[PG_COLUMNS_MAX]; /* of the elements */
    int count;                 /* of the columns */
    uint32_t rows;
};

/** Updates of the records that were read beforehand, to be sent together (update_rows.h). */
struct pg_update_rows {
    struct pg_column_arrays arrays;
    const struct table *table;                /* of these rows */
    struct sql_statement *statements[TABLES]; /* that update many rows: those that were used */
};

struct connection {
    struct store_session session; /* first, see connection_of */
    PGconn *pg;                   /* NULL: not connected */
    unsigned generation;          /* counts the connections made: each knows its own statements */
    struct pg_statement *statements[STATEMENTS];
    struct pg_statement *texts[PG_TEXT_STATEMENTS]; /* the most recently used first */
    unsigned names;                                 /* counts the names of prepared statements */
    struct pg_prefetch prefetch;
    struct pg_column_arrays audit_rows; /* to be inserted (audit_rows.h) */
    struct pg_update_rows update_rows;

    struct pg_sent sent[PG_UNDER_WAY_MAX]; /* a ring: the oldest is at `first` */
    unsigned first, count;

    bool is_writer;     /* it writes, in transactions that pg_begin_writing begins */
    bool may_end_early; /* it runs searches: what it waits for is given up when the store closes */
    bool
        is_repeatable; /* all statements of a transaction see the same, also of one without BEGIN */
    bool is_without_schema; /* the last server had none of the schemas of the search_path */
    bool is_unsynced;       /* something was sent since the last sync */
    bool in_transaction;    /* BEGIN was sent, and neither COMMIT nor ROLLBACK */
    bool is_plain;          /* a command runs that may send nothing (plain.h) */
    bool is_too_wide;       /* that command has tried to */
    bool is_brief; /* the reading ends with its first sync, and begins without BEGIN (readers.c) */
    bool is_careful;        /* sql_execute_one waits for its result */
    bool is_unchecked;      /* results that were not collected yet decide whether to commit */
    unsigned depth;         /* of readings inside each other: the outermost is the transaction */
    bool has_own_deadline;  /* `deadline_ms` is that of a command, else each reading sets it */
    bool has_read;          /* the running reading has had a result: it cannot begin again */
    int64_t deadline_ms;    /* by time_monotonic_ms; 0: none */
    int64_t unavailable_ms; /* when a read was last answered so */
    bool was_given_up;      /* a statement of a search that was too slow, or as the store closes */
    bool was_noticed;       /* the server warned since this was cleared */
    enum pg_meaning failed; /* of the running transaction or reading: its worst failure */
    enum pg_meaning first_failed;
    char error[PG_ERROR_SIZE];
    char sqlstate[6];  /* of `error`; empty: it is not the server's */
    int64_t logged_ms; /* when an error was logged last, and which one */
    char logged[6];

    uint64_t epoch, outbox; /* the numbers of the row `turn` that this session read last */
};

static inline struct connection *connection_of(struct store_session *session) {
    _Static_assert(offsetof(struct connection, session) == 0, "a session is a connection");
    return (struct connection *)session;
}

/** Where a database is, and as whom. */
struct pg_place {
    struct pg_hosts *hosts; /* with the rest of the URL */
    bool is_unsafe;         /* accept a server that may lose what it has confirmed */
    int64_t search_limit_ms;
    /* How long a read and a change may take, with the time that they wait for the database. */
    int64_t read_limit_ms, write_limit_ms;
};

/** Closes the connection to the server, if there is one. Results that were not collected are lost.
 */
void pg_disconnect(struct connection *connection);

/** Notes a failure of the running transaction or reading. */
void pg_fail(struct connection *connection, enum pg_meaning meaning, const char *why);

/** The same for an error of the server; `sqlstate` NULL: it is libpq's. */
void pg_fail_there(struct connection *connection, enum pg_meaning meaning, const char *sqlstate,
                   const char *why);

#endif
