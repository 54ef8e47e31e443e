#ifndef ROSTER_STORE_SQLITE_SQLITE_H
#define ROSTER_STORE_SQLITE_SQLITE_H

/* What the files of this folder share; nobody else includes it. */

#include "base/buffer.h"
#include "crypto/seal.h"
#include "model/tables.h"
#include "store/store.h"
#include "store/maintenance.h"

#include <sqlite3.h>
#include <stdatomic.h>

/*
 * SQL for the GUID of a row that keeps none (RFC 9562 section 5.8): 48 bits of the database's own,
 * the kind of row, and the row's Id.
 */
#define DERIVED_GUID(kind, id)                                                                     \
    "(SELECT printf('%s-8%03x-%04x-%012x', prefix, " kind ", 0x8000 | (" id " >> 48), " id         \
    " & 0xffffffffffff) FROM realm)"

/* SQL that takes away all tokens of the families that `first` selects, and of those that rest on
 * them. */
#define END_FAMILIES(first)                                                                        \
    "WITH RECURSIVE ended (family) AS (" first " UNION SELECT t.family FROM ended"                 \
    " JOIN tokens AS t ON t.parent = ended.family AND t.parent <> 0)"                              \
    " DELETE FROM tokens WHERE family IN (SELECT family FROM ended)"

/* Statements that are the same for all tables' sake; their SQL stands in statements.def. */
enum statement {
#define STATEMENT(name, sql) SQL_##name,
#include "store/statements.def"
#undef STATEMENT
    STATEMENTS
};

/* Statements that each table has, derived from its fields. */
enum table_statement {
    TABLE_LOAD,
    TABLE_SHOW, /* of tables that are kept as JSON */
    TABLE_NAME, /* of tables that have one */
    TABLE_EXISTS,
    TABLE_COUNT,
    TABLE_ADDRESSED, /* of tables that are kept as JSON and have an e-mail that is searched; also */
    TABLE_ADD_ADDRESS,
    TABLE_DROP_ADDRESS,
    TABLE_HAS_ADDRESS,
    TABLE_COUNT_ADDRESSES, /* up to here */
    TABLE_INSERT,
    TABLE_DELETE,
    TABLE_UPDATE,         /* all columns but those with an index of their own */
    TABLE_UPDATE_INDEXED, /* all columns */
    TABLE_STATEMENTS
};

/* Statements of searches that are kept: each combination of fields and orders has its own. */
enum { SEARCHES_KEPT = 16 };

/** What functions in SQL are told beside their arguments. */
struct view_table {
    struct store_view *view;
    const struct table *table;
};

struct packing; /* see row_compression.h */

struct store_view {
    sqlite3 *db;
    struct store *store;
    struct store_view *next; /* of the readers' views */
    bool is_reader;
    atomic_flag in_use; /* by its thread, or by the checkpointer ending its snapshot */
    bool may_read_long;
    int64_t deadline_ms;  /* of a reader that may take long: when it must end; 0: never */
    enum status ended_as; /* why it was ended early */
    bool has_snapshot;
    uint64_t snapshot;             /* the number of commits that it is known to see */
    atomic_uint_fast64_t readings; /* of a reader; only its thread adds */
    sqlite3_stmt *statements[STATEMENTS];
    sqlite3_stmt *table_statements[TABLES][TABLE_STATEMENTS];
    sqlite3_stmt *searches[SEARCHES_KEPT]; /* the last used first */
    int turns_left;      /* of a search that may only be short, in thousands of steps */
    bool access_changed; /* the running transaction decides who may do what */
    bool outbox_changed; /* the running transaction left something to be delivered */
    bool erased;         /* the running transaction took out what no file may keep */
    int logged_code;     /* of the error that was logged last, and when */
    int64_t logged_ms;
    struct packing *packing;
    struct view_table tables[TABLES];
    enum { HOOKS_UNKNOWN, HOOKS_NONE, HOOKS_SOME } hooks; /* of the writer: are there webhooks? */
};

/** A change of a record, that webhooks may wait for. */
struct event {
    enum audit_type change;
    const struct record *record;
    const struct author *author;
};

/** Leaves an event in the outbox of each active webhook that waits for it. */
enum status outbox_note(struct store_view *tx, const struct event *event) MUST_CHECK;

/**
 * Opens a connection with the settings that all of them share. NULL on failure, logged. Without a
 * store (upkeep) there may be no symbolic link in `path`.
 */
struct store_view *view_open(struct store *store, const char *path, bool may_create);

/**
 * To be called around each reading. A reader's view keeps its snapshot (read transaction) from one
 * reading to the next for as long as nothing is committed: beginning one takes locks of the whole
 * process. Nothing happens on the writer's view. STATUS_BROKEN is logged.
 */
enum status view_enter(struct store_view *view) MUST_CHECK;
void view_leave(struct store_view *view);

/** Any thread: ends the snapshot of a reader's view that does not read just now, so that the log
 * can begin anew. */
bool view_end_snapshot(struct store_view *view);

/** Has statements of the view end early, past its deadline or when the store asks for it. */
void view_limit(struct store_view *view);

/** The threads behind store_read. NULL when the system refuses; stopping takes NULL. */
struct reader_pool;
struct reader_pool *readers_start(struct store *store, unsigned threads,
                                  int64_t limit_ms) MUST_CHECK;
void readers_stop(struct reader_pool *pool);
enum status readers_submit(struct reader_pool *pool, struct store_command *command) MUST_CHECK;
size_t readers_waiting(struct reader_pool *pool);
uint64_t readers_refused(struct reader_pool *pool);

/** Runs a command on a view, if those on whose behalf it runs still may. */
enum status command_run(struct store_view *view, struct store_command *command) MUST_CHECK;

/** How many tokens of each kind a user may have. */
int64_t store_user_tokens(const struct store *store);

/** Does the checkpointer wait for all snapshots to end? */
bool store_wants_no_snapshots(const struct store *store);

/** Must what reads for long end now? As what: STATUS_BUSY, UNAVAILABLE; else OK. */
enum status store_ends_reading(const struct store *store);

/** Must the log outlive the last connection, since a checkpoint's sync failed? */
bool store_keeps_log(const struct store *store);

/**
 * Is it the key that seals the fields of this database? NOT_FOUND: nothing tells, since nothing is
 * sealed and the database was never told of a key. DENIED: it is not. BROKEN.
 */
enum status seal_mark_judge(struct store_view *view, const struct seal_key *key) MUST_CHECK;

/**
 * Does the disk of a database take so many bytes more? Writes them to a file that it removes again,
 * and waits for the disk.
 */
bool room_is_there(const char *database, int64_t bytes);

/** Makes a view one of the store's readers, or no longer one. */
void store_register(struct store *store, struct store_view *view);
void store_unregister(struct store *store, struct store_view *view);

/** The prepared statement, reset and ready to be bound; NULL when it cannot be had, logged. */
sqlite3_stmt *view_statement(struct store_view *view, enum statement which);
sqlite3_stmt *view_table_statement(struct store_view *view, const struct table *table,
                                   enum table_statement which);

/**
 * The same for a search, kept by its text. It must be reset after use.
 */
sqlite3_stmt *view_search_statement(struct store_view *view, const char *sql);

/** Runs a bound statement to its first row: OK, NOT_FOUND when there is none, BROKEN. */
enum status view_step(struct store_view *view, sqlite3_stmt *statement) MUST_CHECK;

/** Runs a bound statement that gives no row, and resets it. */
enum status view_execute(struct store_view *view, sqlite3_stmt *statement) MUST_CHECK;

/** Runs SQL without parameters. */
enum status view_run(struct store_view *view, const char *sql) MUST_CHECK;

/* Parameters of a table's INSERT and UPDATE beside one for each field. */
enum row_parameter { ROW_VERSION, ROW_VERSION_BEFORE, ROW_MEMBERS };
int view_parameter(const struct table *table, enum row_parameter which);

/** Adds "Version, ..." of the columns that a record is read from, and reads a row of them. */
void view_add_columns(struct buffer *sql, const struct table *table);
/**
 * Fills in what other rows say of a record: names of referenced rows, and its owners (only when
 * `whole`). Inside view_enter.
 */
enum status view_complete(struct store_view *view, struct record *record, struct arena *arena,
                          bool whole) MUST_CHECK;
bool view_read_value(sqlite3_value *from, struct arena *arena, struct value *value) MUST_CHECK;
/**
 * Of a column of Members: adds the record as replies show it to `json`, or reads it. STATUS_BROKEN,
 * false are logged.
 */
enum status view_add_members(struct store_view *view, const struct table *table,
                             sqlite3_value *members, struct buffer *json) MUST_CHECK;
bool view_read_members(struct store_view *view, sqlite3_value *members, struct arena *arena,
                       struct record *record) MUST_CHECK;
bool view_read_record(struct store_view *view, sqlite3_stmt *statement, struct arena *arena,
                      struct record *record) MUST_CHECK;

/** Adds an expression for the value of a field of a row of `table` (called `row` in the query). */
void search_add_value(struct buffer *sql, const struct table *table, const struct field *field,
                      const char *row);

/** Writes a row and nothing else, neither links nor audit rows. */
enum status write_new_row(struct store_view *tx, const struct record *record) MUST_CHECK;

/** Writes what the indexes beside the rows have of a new one: links, texts, addresses. */
enum status write_new_indexes(struct store_view *tx, const struct record *record) MUST_CHECK;

/** Leaves an audit row that says that a user was erased. */
enum status write_erasure(struct store_view *tx, int64_t user_id,
                          const struct author *author) MUST_CHECK;

/** What the SQL function users_reading says of a column of Members. */
enum reading_of_row { ROW_UNREADABLE, ROW_READABLE, ROW_HAS_UNKNOWN };

/** Gives a connection the functions that searches use. */
bool search_prepare(struct store_view *view) MUST_CHECK;

/** Logs what the library says went wrong; the text holds no values. */
void view_log(struct store_view *view, const char *doing);

void bind_text(sqlite3_stmt *statement, int at, struct text text);
void bind_blob(sqlite3_stmt *statement, int at, struct text bytes);
void bind_integer(sqlite3_stmt *statement, int at, int64_t integer);

/** A text or blob column copied into the arena; `at` NULL for NULL and when memory is short. */
struct text column_text(sqlite3_stmt *statement, int at, struct arena *arena);

/** Brings the database to this program's schema. STATUS_STALE: it is of a newer version. */
enum status schema_migrate(struct store_view *view, const struct store_options *options) MUST_CHECK;

/** Has nothing been made in the database yet? */
bool schema_is_empty(struct store_view *view);

/** Below 0: the database is of an older version than this program's, or lacks a field that a start
 * adds; above 0: of a newer one. */
int schema_compare_version(struct store_view *view);

/**
 * Compares the database with the field tables: STATUS_OK, or STATUS_BROKEN with the first
 * difference in `why` that this program cannot do with.
 */
enum status schema_check(struct store_view *view, char *why, size_t why_size) MUST_CHECK;

/** Says which columns there are that no field has: those of a version that has more fields. */
void schema_tell_unknown(struct store_view *view, store_say *say);

/**
 * Opens a data folder and locks it for this process alone, until `*opened` is closed (-1: was not
 * opened). EX_OK; EX_CANTCREAT, EX_TEMPFAIL with a line in `why`.
 */
int directory_lock(const char *directory, int *opened, char *why, size_t why_size);

#endif
