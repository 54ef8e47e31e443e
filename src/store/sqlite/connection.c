/* A connection, its prepared statements, and all that reads. */
#include "store/email_index.h"
#include "store/row_compression.h"

#include "base/buffer.h"
#include "base/log.h"
#include "base/time.h"
#include "json/json.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOG_AGAIN_MS = 1000 };

static const char *const statement_sql[STATEMENTS] = {
#define STATEMENT(name, sql) sql,
#include "store/statements.def"
#undef STATEMENT
};

/* The same error again within a second tells nothing more, and would fill a disk that is full. */
void view_log(struct store_view *view, const char *doing) {
    int code = sqlite3_extended_errcode(view->db);
    int64_t now_ms = time_monotonic_ms();
    if (code == view->logged_code && now_ms - view->logged_ms < LOG_AGAIN_MS)
        return;
    view->logged_code = code;
    view->logged_ms = now_ms;
    log_error("database: %s: %s (%d)", doing, sqlite3_errmsg(view->db), code);
}

enum status view_run(struct store_view *view, const char *sql) {
    if (sqlite3_exec(view->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return STATUS_OK;
    view_log(view, "running a command");
    return STATUS_BROKEN;
}

/* busy_timeout comes first: switching to WAL may have to wait for another connection. What is taken
 * away is overwritten (secure_delete), so that what is erased is in no file any more. */
static const char connection_settings[] = "PRAGMA busy_timeout = 10000;"
                                          "PRAGMA journal_mode = WAL;"
                                          "PRAGMA synchronous = FULL;"
                                          "PRAGMA wal_autocheckpoint = 0;"
                                          "PRAGMA cache_size = -2048;"
                                          "PRAGMA secure_delete = ON;"
                                          "PRAGMA trusted_schema = OFF;";

struct store_view *view_open(struct store *store, const char *path, bool may_create) {
    struct store_view *view = calloc(1, sizeof *view);
    if (!view)
        return NULL;
    view->store = store;
    atomic_flag_clear(&view->in_use);
    /* Root may look at another user's folder, who must not lead it elsewhere. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (may_create ? SQLITE_OPEN_CREATE : 0) | (store ? 0 : SQLITE_OPEN_NOFOLLOW);
    int failed = sqlite3_open_v2(path, &view->db, flags, NULL);
    if (!failed && view_run(view, connection_settings) == STATUS_OK && search_prepare(view))
        return view;
    if (failed)
        view_log(view, "opening");
    store_view_close(view);
    return NULL;
}

static void end_snapshot(struct store_view *view);

void store_view_close(struct store_view *view) {
    if (!view)
        return;
    if (view->is_reader) {
        store_unregister(view->store, view);
        end_snapshot(view);
    }
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(view->statements[i]); /* repeats an error already handled */
    for (int i = 0; i < TABLES; i++)
        for (int j = 0; j < TABLE_STATEMENTS; j++)
            (void)sqlite3_finalize(view->table_statements[i][j]);
    for (int i = 0; i < SEARCHES_KEPT; i++)
        (void)sqlite3_finalize(view->searches[i]);
    packing_free(view->packing);
    if (view->db && view->store && store_keeps_log(view->store) &&
        sqlite3_db_config(view->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
        view_log(view, "keeping the log");
    if (sqlite3_close(view->db) != SQLITE_OK)
        view_log(view, "closing");
    free(view);
}

static sqlite3_stmt *ready(struct store_view *view, sqlite3_stmt **slot, const char *sql) {
    if (*slot) {
        (void)sqlite3_reset(*slot); /* repeats an error already handled */
        return *slot;
    }
    if (sqlite3_prepare_v3(view->db, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL) != SQLITE_OK)
        view_log(view, "preparing a statement");
    return *slot;
}

sqlite3_stmt *view_statement(struct store_view *view, enum statement which) {
    return ready(view, &view->statements[which], statement_sql[which]);
}

sqlite3_stmt *view_search_statement(struct store_view *view, const char *sql) {
    sqlite3_stmt **kept = view->searches, *found;
    int at = 0;
    while (at < SEARCHES_KEPT - 1 && kept[at] && strcmp(sqlite3_sql(kept[at]), sql) != 0)
        at++;
    found = kept[at];
    if (found && strcmp(sqlite3_sql(found), sql) != 0) {
        (void)sqlite3_finalize(found); /* the one that was not used for longest */
        found = NULL;
    }
    for (; at; at--)
        kept[at] = kept[at - 1];
    kept[0] = found;
    return ready(view, &kept[0], sql);
}

void view_add_columns(struct buffer *sql, const struct table *table) {
    buffer_add(sql, table->is_kept_as_json ? TEXT("Version, Members") : TEXT("Version"));
    for (unsigned i = 0; i < table->count; i++)
        if (field_is_read_from_column(table, &table->fields[i])) {
            buffer_add(sql, TEXT(", "));
            search_add_value(sql, table, &table->fields[i], table->name);
        }
}

/* Parameters are called after fields in every statement: `?3` is the field with index 2. After
 * those of the fields come the ones of the row as a whole. */
int view_parameter(const struct table *table, enum row_parameter which) {
    return (int)table->count + 1 + (int)which;
}

static void add_insert_sql(struct buffer *sql, const struct table *table) {
    buffer_printf(sql, "INSERT INTO %s (Version", table->name);
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]))
            buffer_printf(sql, ", %s", table->fields[i].name.at);
    if (table->is_kept_as_json)
        buffer_add(sql, TEXT(", Members"));
    buffer_printf(sql, ") VALUES (?%d", view_parameter(table, ROW_VERSION));
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]))
            buffer_printf(sql, ", ?%u", i + 1);
    if (table->is_kept_as_json)
        buffer_printf(sql, ", ?%d", view_parameter(table, ROW_MEMBERS));
    buffer_add_char(sql, ')');
}

/* The key is left out: setting it, even unchanged, rewrites every index. */
static void add_update_sql(struct buffer *sql, const struct table *table, bool with_indexed) {
    buffer_printf(sql, "UPDATE %s SET Version = ?%d", table->name,
                  view_parameter(table, ROW_VERSION));
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (field_has_column(table, field) && field->type != TYPE_id &&
            (with_indexed || !(field->flags & (UNIQUE | INDEXED))))
            buffer_printf(sql, ", %s = ?%u", field->name.at, i + 1);
    }
    if (table->is_kept_as_json)
        buffer_printf(sql, ", Members = ?%d", view_parameter(table, ROW_MEMBERS));
    buffer_printf(sql, " WHERE Id = ?%u AND Version = ?%d", table->common.id + 1,
                  view_parameter(table, ROW_VERSION_BEFORE));
}

static void write_table_sql(struct buffer *sql, const struct table *table,
                            enum table_statement which) {
    switch (which) {
    case TABLE_LOAD:
        buffer_add(sql, TEXT("SELECT "));
        view_add_columns(sql, table);
        buffer_printf(sql, " FROM %s WHERE Id = ?1", table->name);
        break;
    case TABLE_SHOW:
        buffer_printf(sql, "SELECT Version, Members FROM %s WHERE Id = ?1", table->name);
        break;
    case TABLE_NAME: buffer_printf(sql, "SELECT Name FROM %s WHERE Id = ?1", table->name); break;
    case TABLE_EXISTS: buffer_printf(sql, "SELECT 1 FROM %s WHERE Id = ?1", table->name); break;
    case TABLE_COUNT:
        buffer_printf(sql, "SELECT rows FROM row_counts WHERE kind = '%s'", table->name);
        break;
    case TABLE_ADDRESSED:
    case TABLE_ADD_ADDRESS:
    case TABLE_DROP_ADDRESS:
    case TABLE_HAS_ADDRESS:
    case TABLE_COUNT_ADDRESSES: addresses_add_statement(sql, table, which); break;
    case TABLE_DELETE:
        buffer_printf(sql, "DELETE FROM %s WHERE Id = ?1 AND Version = ?2", table->name);
        break;
    case TABLE_INSERT: add_insert_sql(sql, table); break;
    case TABLE_UPDATE:
    case TABLE_UPDATE_INDEXED: add_update_sql(sql, table, which == TABLE_UPDATE_INDEXED); break;
    case TABLE_STATEMENTS: assert(!"not a statement");
    }
    buffer_add_char(sql, '\0');
}

sqlite3_stmt *view_table_statement(struct store_view *view, const struct table *table,
                                   enum table_statement which) {
    sqlite3_stmt **slot = &view->table_statements[table->number][which];
    if (*slot)
        return ready(view, slot, NULL);
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 4096);
    write_table_sql(&sql, table, which);
    sqlite3_stmt *statement = sql.failed ? NULL : ready(view, slot, sql.at);
    arena_close(&arena);
    return statement;
}

enum status view_step(struct store_view *view, sqlite3_stmt *statement) {
    if (!statement)
        return STATUS_BROKEN;
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW: return STATUS_OK;
    case SQLITE_DONE: return STATUS_NOT_FOUND;
    case SQLITE_INTERRUPT: return view->ended_as; /* nobody but must_end interrupts */
    default: view_log(view, "running a statement"); return STATUS_BROKEN;
    }
}

enum status view_execute(struct store_view *view, sqlite3_stmt *statement) {
    enum status status = view_step(view, statement);
    if (statement)
        (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Binding can only fail for want of memory or by a wrong index; a NULL then meets a NOT NULL
 * column or changes nothing, so the assertion is for the index. */
static void bound(int result) {
    assert(result == SQLITE_OK || result == SQLITE_NOMEM || result == SQLITE_TOOBIG);
    (void)result;
}

void bind_text(sqlite3_stmt *statement, int at, struct text text) {
    bound(sqlite3_bind_text64(statement, at, text.at, text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void bind_blob(sqlite3_stmt *statement, int at, struct text bytes) {
    bound(sqlite3_bind_blob64(statement, at, bytes.at, bytes.len, SQLITE_STATIC));
}

void bind_integer(sqlite3_stmt *statement, int at, int64_t integer) {
    bound(sqlite3_bind_int64(statement, at, integer));
}

struct text column_text(sqlite3_stmt *statement, int at, struct arena *arena) {
    const char *bytes = sqlite3_column_blob(statement, at);
    size_t len = (size_t)sqlite3_column_bytes(statement, at);
    if (sqlite3_column_type(statement, at) == SQLITE_NULL)
        return (struct text){ 0 };
    return arena_text(arena, (struct text){ bytes, len });
}

/* Each sqlite3_column_* call looks the column up again, so it is looked up once. Where connections
 * are each used by one thread at a time (SQLITE_CONFIG_MULTITHREAD), the library lets any value be
 * read like this. */
bool view_read_value(sqlite3_value *from, struct arena *arena, struct value *value) {
    struct text bytes = { 0 };
    switch (sqlite3_value_type(from)) {
    case SQLITE_NULL: *value = value_null(); return true;
    case SQLITE_INTEGER: *value = value_integer(sqlite3_value_int64(from)); return true;
    default:
        bytes.at = sqlite3_value_blob(from);
        bytes.len = (size_t)sqlite3_value_bytes(from);
        *value = value_text(arena_text(arena, bytes));
        return value->kind == VALUE_TEXT;
    }
}

bool view_read_members(struct store_view *view, sqlite3_value *members, struct arena *arena,
                       struct record *record) {
    struct buffer json;
    buffer_init(&json, arena, 0);
    if (unpack(view, members, &json) != STATUS_OK)
        return false;
    if (json_read_record(buffer_text(&json), arena, record))
        return true;
    log_error("database: a row of %s cannot be read", record->table->name);
    return false;
}

enum status view_add_members(struct store_view *view, const struct table *table,
                             sqlite3_value *members, struct buffer *json) {
    if (pack_is_as_shown(view, table, members))
        return unpack(view, members, json);
    struct arena arena = { 0 };
    struct record record = record_new(table, &arena);
    enum status status = STATUS_BROKEN;
    if (record.values && view_read_members(view, members, &arena, &record)) {
        json_add_record(json, &record);
        status = json->failed ? STATUS_BROKEN : STATUS_OK;
    }
    arena_close(&arena);
    return status;
}

bool view_read_record(struct store_view *view, sqlite3_stmt *statement, struct arena *arena,
                      struct record *record) {
    const struct table *table = record->table;
    int column = 0;
    record->version = sqlite3_column_int64(statement, column++);
    if (table->is_kept_as_json &&
        !view_read_members(view, sqlite3_column_value(statement, column++), arena, record))
        return false;
    for (unsigned i = 0; i < table->count; i++)
        if (field_is_read_from_column(table, &table->fields[i]) &&
            !view_read_value(sqlite3_column_value(statement, column++), arena, &record->values[i]))
            return false;
    return true;
}

static void lock_view(struct store_view *view) {
    while (atomic_flag_test_and_set_explicit(&view->in_use, memory_order_acquire))
        (void)sched_yield(); /* the checkpointer holds it for one statement, and rarely */
}

static void unlock_view(struct store_view *view) {
    atomic_flag_clear_explicit(&view->in_use, memory_order_release);
}

static void end_snapshot(struct store_view *view) {
    if (view->has_snapshot && view_execute(view, view_statement(view, SQL_commit)) != STATUS_OK)
        log_error("database: a snapshot could not be ended");
    view->has_snapshot = false;
}

bool view_end_snapshot(struct store_view *view) {
    if (atomic_flag_test_and_set_explicit(&view->in_use, memory_order_acquire))
        return false;
    end_snapshot(view);
    unlock_view(view);
    return true;
}

static int must_end(void *argument) {
    struct store_view *view = argument;
    view->ended_as = store_ends_reading(view->store);
    if (view->ended_as == STATUS_OK && view->deadline_ms &&
        time_monotonic_ms() >= view->deadline_ms)
        view->ended_as = STATUS_TOO_SLOW;
    return view->ended_as != STATUS_OK;
}

void view_limit(struct store_view *view) {
    enum { STEPS_BETWEEN = 1000 }; /* of the library's machine, about 0.1 ms */
    view->may_read_long = true;
    sqlite3_progress_handler(view->db, STEPS_BETWEEN, must_end, view);
}

/* Without a locked instruction: nobody else adds. */
static void count_reading(struct store_view *view) {
    uint64_t readings = atomic_load_explicit(&view->readings, memory_order_relaxed);
    atomic_store_explicit(&view->readings, readings + 1, memory_order_relaxed);
}

enum status view_enter(struct store_view *view) {
    if (!view->is_reader)
        return STATUS_OK;
    lock_view(view);
    count_reading(view);
    /* Counted before the snapshot is taken: it may see more than it is known to, never less. */
    uint64_t commits = store_commits(view->store);
    if (view->has_snapshot && view->snapshot == commits)
        return STATUS_OK;
    end_snapshot(view);
    if (view_execute(view, view_statement(view, SQL_begin_snapshot)) != STATUS_OK) {
        unlock_view(view);
        return STATUS_BROKEN;
    }
    view->has_snapshot = true;
    view->snapshot = commits;
    return STATUS_OK;
}

void view_leave(struct store_view *view) {
    if (!view->is_reader)
        return;
    if (store_wants_no_snapshots(view->store))
        end_snapshot(view);
    unlock_view(view);
}

/* A reading: a statement between view_enter and view_leave. NULL when it cannot begin, logged. */
static sqlite3_stmt *begin_reading(struct store_view *view, enum statement which) {
    if (view_enter(view) != STATUS_OK)
        return NULL;
    sqlite3_stmt *statement = view_statement(view, which);
    if (!statement)
        view_leave(view);
    return statement;
}

static sqlite3_stmt *begin_table_reading(struct store_view *view, const struct table *table,
                                         enum table_statement which) {
    if (view_enter(view) != STATUS_OK)
        return NULL;
    sqlite3_stmt *statement = view_table_statement(view, table, which);
    if (!statement)
        view_leave(view);
    return statement;
}

static void finish_reading(struct store_view *view, sqlite3_stmt *statement) {
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    view_leave(view);
}

enum status store_load(struct store_view *view, const struct table *table, int64_t id,
                       struct arena *arena, struct record *record) {
    *record = record_new(table, arena);
    sqlite3_stmt *statement = record->values ? begin_table_reading(view, table, TABLE_LOAD) : NULL;
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, id);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK && !view_read_record(view, statement, arena, record))
        status = STATUS_BROKEN;
    finish_reading(view, statement);
    return status;
}

/* "[1,2,3]" of the rows whose links name this one. */
static enum status read_owners(struct store_view *view, const struct field *field,
                               struct record *record, struct arena *arena) {
    char name[96];
    const struct field *links = &field->target->fields[field_other_side(record->table, field)];
    sqlite3_stmt *statement = view_statement(view, SQL_owners);
    enum status status = STATUS_BROKEN;
    struct buffer ids;
    int len = snprintf(name, sizeof name, "%s.%s", field->target->name, links->name.at);
    assert(len > 0 && (size_t)len < sizeof name);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, (struct text){ name, (size_t)len });
    bind_integer(statement, 2, record_id(record));
    buffer_init(&ids, arena, 64);
    buffer_add_char(&ids, '[');
    while ((status = view_step(view, statement)) == STATUS_OK) {
        if (ids.len > 1)
            buffer_add_char(&ids, ',');
        buffer_add_int64(&ids, sqlite3_column_int64(statement, 0));
    }
    buffer_add_char(&ids, ']');
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    if (status != STATUS_NOT_FOUND || ids.failed)
        return status == STATUS_NOT_FOUND ? STATUS_BROKEN : status;
    record->values[field - record->table->fields] = value_text(buffer_text(&ids));
    return STATUS_OK;
}

static enum status read_name(struct store_view *view, const struct field *field,
                             struct record *record, struct arena *arena) {
    struct value *name = &record->values[field - record->table->fields];
    const struct value *reference = name - 1;
    sqlite3_stmt *statement = view_table_statement(view, field->target, TABLE_NAME);
    *name = value_null();
    if (!statement)
        return STATUS_BROKEN;
    if (reference->kind != VALUE_INTEGER)
        return STATUS_OK;
    bind_integer(statement, 1, reference->integer);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK && !view_read_value(sqlite3_column_value(statement, 0), arena, name))
        status = STATUS_BROKEN;
    (void)sqlite3_reset(statement); /* repeats the error of the step */
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status view_complete(struct store_view *view, struct record *record, struct arena *arena,
                          bool whole) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < record->table->count; i++) {
        const struct field *field = &record->table->fields[i];
        if (field->type == TYPE_name)
            status = read_name(view, field, record, arena);
        else if (field->type == TYPE_owners && whole)
            status = read_owners(view, field, record, arena);
    }
    return status;
}

enum status store_complete(struct store_view *view, struct record *record, struct arena *arena) {
    enum status status = view_enter(view);
    if (status != STATUS_OK)
        return status;
    status = view_complete(view, record, arena, true);
    view_leave(view);
    return status;
}

enum status store_show(struct store_view *view, const struct table *table, int64_t id,
                       struct buffer *json, int64_t *version) {
    struct record record;
    if (!table->is_kept_as_json) {
        enum status status = store_load(view, table, id, json->arena, &record);
        if (status == STATUS_OK)
            status = store_complete(view, &record, json->arena);
        if (status != STATUS_OK)
            return status;
        *version = record.version;
        json_add_record(json, &record);
        return STATUS_OK;
    }
    sqlite3_stmt *statement = begin_table_reading(view, table, TABLE_SHOW);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, id);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK) {
        *version = sqlite3_column_int64(statement, 0);
        status = view_add_members(view, table, sqlite3_column_value(statement, 1), json);
    }
    finish_reading(view, statement);
    return status;
}

/* The first column of the only row. */
static enum status one_integer(struct store_view *view, sqlite3_stmt *statement, int64_t *number) {
    enum status status = view_step(view, statement);
    if (status == STATUS_OK && number)
        *number = sqlite3_column_int64(statement, 0);
    finish_reading(view, statement);
    return status;
}

enum status store_find_user(struct store_view *view, struct text email_key, int64_t *id) {
    sqlite3_stmt *statement = begin_reading(view, SQL_find_user);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, email_key);
    return one_integer(view, statement, id);
}

enum status store_find_business(struct store_view *view, struct text name, int64_t *id) {
    sqlite3_stmt *statement = begin_reading(view, SQL_find_business);
    if (!statement)
        return STATUS_BROKEN;
    bind_text(statement, 1, name);
    enum status status = one_integer(view, statement, id);
    return status == STATUS_OK && !*id ? STATUS_NOT_FOUND : status; /* null: no Id is 0 */
}

enum status store_exists(struct store_view *view, const struct table *table, int64_t id) {
    sqlite3_stmt *statement = begin_table_reading(view, table, TABLE_EXISTS);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, id);
    return one_integer(view, statement, NULL);
}

enum status store_other_administrator(struct store_view *view, int64_t id) {
    sqlite3_stmt *statement = begin_reading(view, SQL_other_administrator);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, id);
    return one_integer(view, statement, NULL);
}

enum status store_count(struct store_view *view, const struct table *table, int64_t *count) {
    sqlite3_stmt *statement = begin_table_reading(view, table, TABLE_COUNT);
    return statement ? one_integer(view, statement, count) : STATUS_BROKEN;
}

/* The bytes of a column as SQLite holds them; `at` NULL: it has no memory for them. */
static struct text borrow_column(sqlite3_stmt *statement, int at) {
    const void *bytes = sqlite3_column_blob(statement, at);
    return (struct text){ bytes, (size_t)sqlite3_column_bytes(statement, at) };
}

enum status store_avatar(struct store_view *view, int64_t user_id,
                         void (*use)(void *argument, const struct avatar *avatar), void *argument) {
    sqlite3_stmt *statement = begin_reading(view, SQL_avatar);
    if (!statement)
        return STATUS_BROKEN;
    bind_integer(statement, 1, user_id);
    enum status status = view_step(view, statement);
    if (status == STATUS_OK) {
        const struct avatar avatar = { .type = borrow_column(statement, 0),
                                       .content = borrow_column(statement, 1) };
        if (avatar.type.at && avatar.content.at)
            use(argument, &avatar);
        else
            status = STATUS_BROKEN;
    }
    finish_reading(view, statement);
    return status;
}

enum status store_token(struct store_view *view, const struct token_hash *hash, struct arena *arena,
                        struct token *token) {
    sqlite3_stmt *statement = begin_reading(view, SQL_token);
    if (!statement)
        return STATUS_BROKEN;
    bind_blob(statement, 1, (struct text){ (const char *)hash->bytes, sizeof hash->bytes });
    enum status status = view_step(view, statement);
    if (status == STATUS_OK) {
        *token = (struct token){
            .hash = *hash,
            .kind = (enum token_kind)sqlite3_column_int(statement, 0),
            .user_id = sqlite3_column_int64(statement, 1),
            .client_id = column_text(statement, 2, arena),
            .issued_ms = sqlite3_column_int64(statement, 3),
            .expires_ms = sqlite3_column_int64(statement, 4),
            .family = sqlite3_column_int64(statement, 5),
            .parent = sqlite3_column_int64(statement, 6),
            .ends_ms = sqlite3_column_int64(statement, 7),
        };
        if (!token->client_id.at)
            status = STATUS_BROKEN;
    }
    finish_reading(view, statement);
    return status;
}
