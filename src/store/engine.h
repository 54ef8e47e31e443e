#ifndef ROSTER_STORE_ENGINE_H
#define ROSTER_STORE_ENGINE_H

/*
 * An engine is the tables of functions behind store.h, maintenance.h, sql.h and text_index.h.
 * The record keeping in this folder is the same for all engines, and calls them through sql.h, the
 * functions at the end of this file, and text_index.h. An engine lies in a folder of its own and
 * exports one `const struct engine NAME_engine` in NAME/engine.c; the build lists the folders that
 * have that file. No code above an engine asks which one it uses.
 *
 * An engine's database has these things beside the columns of the field tables (model/tables.h):
 * - Booleans are columns of integers that hold 0 and 1, times are milliseconds since 1970 as
 *   integers of 64 bits, all other types are as model/value.h describes them. Texts compare byte by
 *   byte. A table that is stored as JSON has the column Members, of bytes (row_compression.h).
 * - statements.def, with the words of the engine's dialect.h, names the other tables and their
 *   columns; comments in sqlite/schema_tables.* explain them.
 * - next_ids(kind, next): a row for each table with Ids of its own, from 100000001. A command that
 *   is rolled back gives its Ids back.
 * - row_counts(kind, rows): a row for each table that row_is_derived does not name. The database
 *   itself keeps the numbers: record keeping only inserts and deletes rows.
 * - audit.id: the database numbers rows in the order of their INSERTs and without gaps, even after
 *   a rollback: record keeping counts audit rows by the first and the last number.
 * - When a refresh token (kind 1) is deleted, the spent tokens (kind 2) of the same family and
 *   client_id are deleted too. When the last delivery of a payload is deleted, so is the payload;
 *   when a payload changes, the Version of its deliveries grows by one.
 * - dictionaries: row_keep_dictionaries fills it, after the tables are made and before the first
 * row is written, in the transaction that creates or migrates the schema.
 * - A new database has one row in database_guid, unknown_logins (0) and seal_mark (no bytes).
 * - Functions in SQL, unless the dialect has `add_folded`: contains(text, needle), which is
 *   fold_contains of rules/fold.h (1, 0, or null); fold(text) and fold_case(text) of the same;
 *   TABLE_member(Members, field), the value of a member of a packed row, by the index of its field.
 *
 * Threads. A session, its statements and all that they return belong to one thread at a time. The
 * functions of a store may be called by any thread at any time between `open` and `close`, unless
 * they say otherwise. They must not block where they say so.
 */

#include "store/maintenance.h"
#include "store/store.h"
#include "store/text_index.h"

struct positions; /* see positions.h */

/** The begin of each engine's own store. */
struct store {
    const struct engine *engine;
    /* positions.h; NULL where other processes write. The engine opens and closes it, and calls
     * positions_begin_commit and positions_end_commit. The latter follows when the commit counts.
     */
    struct positions *positions;
};

/** The begin of each engine's own statement. */
struct sql_statement {
    const struct engine *engine;
};

/** The functions behind store.h. Commands, sessions and results are as described there. */
struct engine_store {
    /**
     * store_open. `engine` is the engine's own table, to be set in the store and in each of its
     * sessions. All threads of the store run when it returns; the schema is this program's. An
     * engine that cannot reach its database returns NULL and EX_UNAVAILABLE.
     */
    struct store *(*open)(const struct engine *engine, const struct store_options *options,
                          char *why, size_t why_size, int *exit_code);
    /** store_close, not NULL. Every command that was accepted gets its `done` before it returns. */
    void (*close)(struct store *store);
    /**
     * store_session_open and store_session_close (not NULL): session.h says what the engine sets.
     * A session of `session_open` may block its thread for as long as a statement takes.
     */
    struct store_session *(*session_open)(struct store *store);
    void (*session_close)(struct store_session *session);
    /**
     * Queues a command that writes. Must not block: I/O threads call it. `must_take`: it is
     * taken even if the queue is full (store_run). Otherwise TOO_MANY when the queue is full;
     * UNAVAILABLE when the store is closing. Commands run by authority_run (authority.h), one
     * transaction or savepoint each or several in one; before each transaction the engine sets
     * access_changed, outbox_changed and erased of the session to false. After the commit, and
     * before any `done`, it counts the commit, and grows the numbers below for access_changed and
     * outbox_changed. After a rollback it sets `webhooks` of the session to WEBHOOKS_UNKNOWN. A
     * command whose transaction failed for a reason that may be another command's runs again alone.
     */
    enum status (*submit)(struct store *store, struct store_command *command, bool must_take);
    /** store_read and store_ask, through authority_read. Must not block, see `submit`. */
    enum status (*read)(struct store *store, struct store_command *command);
    enum status (*ask)(struct store_session *session, struct store_command *command);
    /** store_end_reading. Also: `submit` and `read` may answer UNAVAILABLE from now on. */
    void (*end_reading)(struct store *store);
    /** store_access_epoch, never 0; store_commits; store_outbox_changes. Must not block. */
    uint64_t (*access_epoch)(const struct store *store);
    /** store_session_epoch: never greater than what the session's reads are as of. Must not block.
     */
    uint64_t (*session_epoch)(const struct store_session *session);
    uint64_t (*commits)(const struct store *store);
    uint64_t (*outbox_changes)(const struct store *store);
    /** store_is_broken. Must not block. */
    bool (*is_broken)(const struct store *store);
    /** store_is_outdated. Must not block. NULL: only one process at a time has a database open. */
    bool (*is_outdated)(const struct store *store);
    /** store_is_away. Must not block. NULL: the database is in this process. */
    bool (*is_away)(const struct store *store);
    /**
     * store_seek_office and store_has_office. Must not block. Both NULL: only one process at a time
     * has a database open, and has its office.
     */
    void (*seek_office)(struct store *store);
    bool (*has_office)(const struct store *store);
    /**
     * store_begin_attempt and store_end_attempt. Both NULL: store_counts_attempts is false.
     */
    enum status (*begin_attempt)(struct store_tx *tx, struct store_attempt *attempt);
    enum status (*end_attempt)(struct store_tx *tx, const struct store_attempt *attempt,
                               bool has_failed);
    struct store_stats (*stats)(struct store *store); /* store_stats; must not block */
    enum status (*try_room)(struct store_tx *tx);     /* store_try_room */
    /** engine_begin_reading and the other functions of that kind at the end of this file. */
    enum status (*begin_reading)(struct store_session *session);
    void (*finish_reading)(struct store_session *session);
    bool (*limit_work)(struct store_session *session);
    void (*lift_limit)(struct store_session *session);
};

/**
 * The functions behind sql.h, which describes them. Several statements of a session may be at a row
 * at the same time, and other statements may run between two steps of one.
 */
struct engine_sql {
    struct sql_statement *(*statement)(struct store_session *session, enum statement which);
    struct sql_statement *(*text_statement)(struct store_session *session, const char *sql);
    struct sql_statement *(*prepare)(struct store_session *session, const char *sql);
    /** sql_prepare_many. The function itself NULL: `prepare` never holds more than a row. */
    struct sql_statement *(*prepare_many)(struct store_session *session, const char *sql);
    void (*again)(struct sql_statement *statement);
    void (*free)(struct sql_statement *statement); /* not NULL */
    void (*bind_integer)(struct sql_statement *statement, int at, int64_t integer);
    void (*bind_text)(struct sql_statement *statement, int at, struct text text);
    void (*bind_bytes)(struct sql_statement *statement, int at, struct text bytes);
    void (*bind_null)(struct sql_statement *statement, int at);
    void (*bind_list)(struct sql_statement *statement, int at, struct text json);
    enum status (*step)(struct sql_statement *statement);        /* not NULL */
    enum status (*execute)(struct sql_statement *statement);     /* not NULL */
    enum status (*execute_one)(struct sql_statement *statement); /* not NULL */
    /** sql_execute_rows, not NULL. The function itself NULL: one row after the other. */
    enum status (*execute_rows)(struct sql_statement *statement, const struct sql_value *values,
                                unsigned columns, size_t rows);
    int64_t (*changed)(struct sql_statement *statement);
    void (*done)(struct sql_statement *statement); /* not NULL */
    enum status (*run)(struct store_session *session, const char *sql);
    const char *(*error)(struct store_session *session);
    int64_t (*integer)(struct sql_statement *statement, int at);
    bool (*is_null)(struct sql_statement *statement, int at);
    struct text (*bytes)(struct sql_statement *statement, int at);
    struct sql_value (*value)(struct sql_statement *statement, int at);
};

/** The functions behind text_index.h, which describes them. */
struct engine_text_index {
    enum status (*set)(const struct text_index *index, int64_t id, struct text text);
    /** text_index_set_all. NULL: one text after the other. */
    enum status (*set_all)(const struct text_index *index, const struct sql_value *texts,
                           size_t count);
    enum status (*search)(const struct text_index *index, struct text needle, struct arena *arena,
                          struct text_matches *matches);
    enum status (*check)(const struct text_index *index, char *why, size_t why_size);
};

/**
 * The functions behind maintenance.h, which describes them and their exit codes. `database` is a
 * data folder, or a URL that begins with the engine's scheme. They run in a process of their own.
 * `check` looks into the pages itself, and leaves the rows to check.h, whose statements inside of a
 * SAVEPOINT must see one snapshot.
 */
struct engine_tools {
    int (*check)(const struct engine *engine, const char *database, const char *folder,
                 store_say *say);
    int (*backup)(const struct engine *engine, const char *database, const char *path,
                  store_say *say);
    int (*restore)(const struct engine *engine, const char *database, const char *path,
                   unsigned how, store_say *say);
};

/** An SQL construct that engines spell differently: the text before and after the operand. */
struct engine_spelling {
    const char *before, *after;
};

/** The constructs in SQL that is composed at run time; those of statements.def are in dialect.h. */
struct engine_dialect {
    /**
     * Follows a value and encloses a parameter that sql_bind_list binds: is the value in the list?
     */
    struct engine_spelling any_of;
    /** Encloses a text in ORDER BY: order without regard to the case of ASCII letters. */
    struct engine_spelling without_case;
    /** " JOIN " that makes the engine read the table on its left first. */
    const char *join_in_order;
    /** Adds the condition that a text column contains the bytes of a parameter. */
    void (*add_has_bytes)(struct buffer *sql, const char *column, int parameter);
    /**
     * Rows have the columns row_sum and members_sum, and SQL has row_is_sound (row_sum.h). False:
     * the engine's own pages have sums.
     */
    bool keeps_row_sums;
    /** Follow an expression in ORDER BY: null comes first when ascending, last when descending. */
    const char *ascending, *descending;
    /**
     * Adds the folded text of a SEARCHED field of a row of `table`. Only of an engine whose SQL has
     * none of the functions contains, fold, fold_case and TABLE_member: record keeping then judges
     * rows in C (scan.h). NULL: it has them.
     */
    void (*add_folded)(struct buffer *sql, const struct table *table, const struct field *field);
};

struct engine {
    const char *name;   /* as messages call it: "PostgreSQL" */
    const char *scheme; /* with which the URLs of its databases begin; NULL: data folders */
    const struct engine_store *store;
    const struct engine_sql *sql;
    const struct engine_text_index *text_index;
    const struct engine_tools *tools;
    const struct engine_dialect *dialect;
};

/* ---- What record keeping calls ---- */

/**
 * Encloses statements that read, so that all of them see one snapshot that includes every change
 * answered before. INTERNAL, which is logged: no snapshot was begun. In a transaction that writes,
 * both functions do nothing. On the session's thread.
 */
enum status engine_begin_reading(struct store_session *session) MUST_CHECK;
void engine_end_reading(struct store_session *session);

/**
 * Interrupts statements of the session with TOO_SLOW after about a millisecond of work, until
 * engine_lift_limit. False: the engine has no such limit, so only what is never slow may be tried.
 */
bool engine_limit_work(struct store_session *session) MUST_CHECK;
void engine_lift_limit(struct store_session *session);

#endif
