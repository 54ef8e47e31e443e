/* Copies a database into an empty one, whichever engines the two have.
 *
 * All rows are copied as they are: Ids, versions, hashes, packed members with their dictionaries.
 * Each engine derives only what it keeps in a form of its own: the texts that searches look into,
 * and the counts of rows. The source is read in one snapshot, by a reader of its store, whose time
 * limit is a week. A thousand rows at a time are collected and then written by one command, which
 * the target may run again.
 *
 * Until all is copied and compared, the target has a mark in the place of its key's (seal_mark.c).
 * No key fits that mark, so no server starts on half a copy. */
#include "store/copy.h"

#include "base/container_of.h"
#include "crypto/hmac.h"
#include "rules/fold.h"
#include "store/check.h"
#include "store/email_index.h"
#include "store/engine.h"
#include "store/maintenance.h"
#include "store/own_columns.h"
#include "store/rows.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define UNFINISHED "an unfinished copy"

enum {
    CHUNK_ROWS = 1000,
    CHUNK_BYTES = 4 * 1024 * 1024,
    COLUMNS_MAX = 160, /* a table has at most 128 fields */
    TIME_LIMIT_MS = 7 * 24 * 3600 * 1000,
    DIGEST_SHOWN = 8, /* bytes of a digest that are printed */
};

/* ---- The tables ---- */

/* A table, and which of its rows are copied. Rows that `where` leaves out are the engine's own. */
struct copied {
    const char *name, *columns, *key, *where;
    const struct table *table; /* NULL: not one of records */
    unsigned texts; /* a bit for each column that is a text in one engine, and bytes in another */
};

/* The tables that are not those of records, in the order in which they are copied. */
static const struct copied before_records[] = {
    { "database_guid", DATABASE_GUID_COLUMNS, "prefix", NULL, NULL, 0 },
    { "dictionaries", DICTIONARIES_COLUMNS, "id", NULL, NULL, 0 },
    { "next_ids", NEXT_IDS_COLUMNS, "kind", "kind <> 'audit'", NULL, 0 },
    { "unknown_logins", UNKNOWN_LOGINS_COLUMNS, "sign_ins", NULL, NULL, 0 },
    { "payloads", PAYLOADS_COLUMNS, "id", NULL, NULL, 0 },
};

static const struct copied after_records[] = {
    { "links", LINKS_COLUMNS, LINKS_COLUMNS, NULL, NULL, 0 },
    { "avatars", AVATARS_COLUMNS, "user_id", NULL, NULL, 0 },
    { "tokens", TOKENS_COLUMNS, "hash", NULL, NULL, 0 },
    { "audit", AUDIT_COLUMNS, "id", NULL, NULL, 0 },
    { "idempotency_keys", IDEMPOTENCY_KEYS_COLUMNS, "caller, key", NULL, NULL, 1U << 1 },
};

static const struct copied key_mark = { "seal_mark", SEAL_MARK_COLUMNS, "mark", NULL, NULL, 0 };

/* In an engine where audit rows get their numbers from this row; elsewhere there is none. */
static const char next_audit_sql[] = "UPDATE next_ids SET next = (SELECT coalesce(max(id), 0) + 1"
                                     " FROM audit) WHERE kind = 'audit'";

static struct copied copied_records(const struct table *table, struct arena *arena) {
    struct buffer columns;
    buffer_init(&columns, arena, 2048);
    buffer_add(&columns, TEXT("Id, Version"));
    for (unsigned i = 0; i < table->count; i++)
        if (field_has_column(table, &table->fields[i]) && table->fields[i].type != TYPE_id)
            buffer_printf(&columns, ", %s", table->fields[i].name.at);
    if (table->is_kept_as_json)
        buffer_add(&columns, TEXT(", Members"));
    buffer_add_char(&columns, '\0');
    return (struct copied){ table->name, columns.failed ? NULL : columns.at, "Id", NULL, table, 0 };
}

static struct copied copied_addresses(const struct table *table, struct arena *arena) {
    struct buffer name;
    buffer_init(&name, arena, 64);
    email_index_add_name(&name, table);
    buffer_add_char(&name, '\0');
    return (struct copied){
        name.failed ? NULL : name.at, "address, owner", "address, owner", NULL, NULL, 1U << 0
    };
}

static unsigned count_columns(const struct copied *copied) {
    unsigned count = 1;
    for (const char *c = copied->columns; *c; c++)
        count += *c == ',';
    assert(count <= COLUMNS_MAX);
    return count;
}

/* ---- Copying ---- */

struct digest {
    int64_t rows;
    unsigned char chain[HMAC_SIZE]; /* each row is hashed under the hash of those before it */
};

/* Is called for each table; the result ends the walk unless it is OK. */
struct copy;
typedef enum status copy_visit(struct copy *copy, struct store_session *session,
                               const struct copied *copied);

enum { COPIED_MAX = 2 * TABLES + 16 };

struct copy {
    struct store *from, *to;
    store_say *say;
    bool says_tables;   /* the rows and the digest of each */
    struct arena arena; /* for names and columns */
    struct digest digests[COPIED_MAX];
    unsigned at; /* the number of the table in the walk */
    /* A reading in which the tables are walked. */
    struct store_command reading;
    copy_visit *visit;
    sem_t finished;
    /* The chunk that is being written. */
    struct store_command writing;
    const struct copied *copied;
    unsigned columns;
    struct arena rows_arena;
    struct sql_value *values; /* `rows` times `columns` */
    size_t rows, bytes;
    bool is_first; /* of its table */
};

/* Adds a value to the bytes of a row: texts and bytes alike, since engines differ there. */
static void add_to_row(struct buffer *row, struct sql_value value) {
    if (value.type == SQL_NULL) {
        buffer_add_char(row, 'n');
    } else if (value.type == SQL_INTEGER) {
        buffer_add_char(row, 'i');
        buffer_add_int64(row, value.integer);
    } else {
        buffer_printf(row, "b%zu:", value.bytes.len);
        buffer_add(row, value.bytes);
    }
}

static bool add_row(struct digest *digest, const struct sql_value *values, unsigned columns) {
    struct arena arena = { 0 };
    struct buffer row;
    buffer_init(&row, &arena, 1024);
    for (unsigned i = 0; i < columns; i++)
        add_to_row(&row, values[i]);
    unsigned char before[HMAC_SIZE];
    memcpy(before, digest->chain, sizeof before);
    if (!row.failed)
        hmac_sha256((struct text){ (const char *)before, sizeof before }, buffer_text(&row),
                    digest->chain);
    digest->rows++;
    arena_close(&arena);
    return !row.failed;
}

static struct sql_statement *select_rows(struct store_session *session,
                                         const struct copied *copied) {
    struct arena arena = { 0 };
    const char *where = copied->where ? copied->where : "1 = 1";
    struct text sql = arena_printf(&arena, "SELECT %s FROM %s WHERE %s ORDER BY %s",
                                   copied->columns, copied->name, where, copied->key);
    struct sql_statement *statement = sql.at ? sql_prepare(session, sql.at) : NULL;
    arena_close(&arena);
    return statement;
}

/* Reads the row that the statement is at, and adds it to the digest. */
static bool read_row(struct sql_statement *statement, struct digest *digest, unsigned columns,
                     struct sql_value *values) {
    for (unsigned i = 0; i < columns; i++) {
        values[i] = sql_value(statement, (int)i);
        if (values[i].type != SQL_NULL && values[i].type != SQL_INTEGER && !values[i].bytes.at)
            values[i].bytes = TEXT("");
    }
    return add_row(digest, values, columns);
}

/* ---- Writing ---- */

static void bind_row(struct sql_statement *statement, const struct copy *copy,
                     const struct sql_value *values) {
    for (unsigned i = 0; i < copy->columns; i++) {
        int at = (int)i + 1;
        switch (values[i].type) {
        case SQL_NULL: sql_bind_null(statement, at); break;
        case SQL_INTEGER: sql_bind_integer(statement, at, values[i].integer); break;
        case SQL_TEXT: sql_bind_text(statement, at, values[i].bytes); break;
        case SQL_BYTES:
            if (i < 32 && copy->copied->texts >> i & 1)
                sql_bind_text(statement, at, values[i].bytes);
            else
                sql_bind_bytes(statement, at, values[i].bytes);
            break;
        }
    }
}

/* The column of a searched text in copied_records. */
static unsigned column_of(const struct table *table, unsigned field) {
    unsigned column = 2;
    for (unsigned i = 0; i < field; i++)
        column += field_has_column(table, &table->fields[i]) && table->fields[i].type != TYPE_id;
    return column;
}

static enum status index_texts(struct store_tx *tx, const struct table *table,
                               const struct sql_value *values) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++) {
        const struct text_index index = { tx->session, table, &table->fields[i] };
        const struct sql_value *value = &values[column_of(table, i)];
        if (!(index.field->flags & SEARCHED) || value->type == SQL_NULL)
            continue;
        struct arena arena = { 0 };
        struct text folded = fold(value->bytes, &arena);
        status = arena.failed ? STATUS_INTERNAL : text_index_set(&index, values[0].integer, folded);
        arena_close(&arena);
    }
    return status;
}

static enum status write_rows(struct store_tx *tx, const struct copy *copy,
                              struct sql_statement *statement) {
    enum status status = statement ? STATUS_OK : STATUS_INTERNAL;
    for (size_t i = 0; status == STATUS_OK && i < copy->rows; i++) {
        const struct sql_value *values = copy->values + i * copy->columns;
        sql_again(statement);
        bind_row(statement, copy, values);
        status = sql_execute_one(statement);
        if (status == STATUS_OK && copy->copied->table)
            status = index_texts(tx, copy->copied->table, values);
    }
    return status;
}

static void add_insert_sql(struct buffer *sql, const struct copy *copy) {
    buffer_printf(sql, "INSERT INTO %s (%s) VALUES (?1", copy->copied->name, copy->copied->columns);
    for (unsigned i = 1; i < copy->columns; i++)
        buffer_printf(sql, ", ?%u", i + 1);
    buffer_add_char(sql, ')');
    buffer_add_char(sql, '\0');
}

static enum status clear(struct store_tx *tx, const struct copied *copied, struct arena *arena) {
    struct text sql = arena_printf(arena, "DELETE FROM %s WHERE %s", copied->name,
                                   copied->where ? copied->where : "1 = 1");
    return sql.at ? sql_run(tx->session, sql.at) : STATUS_INTERNAL;
}

/* Writes the chunk. Its target may run this again. */
static enum status write_chunk(struct store_tx *tx, struct store_command *command) {
    const struct copy *copy = container_of(command, struct copy, writing);
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 4096);
    add_insert_sql(&sql, copy);
    enum status status = sql.failed ? STATUS_INTERNAL : STATUS_OK;
    if (status == STATUS_OK && copy->is_first)
        status = clear(tx, copy->copied, &arena);
    if (status == STATUS_OK) {
        struct sql_statement *statement = sql_prepare(tx->session, sql.at);
        status = write_rows(tx, copy, statement);
        sql_free(statement);
    }
    arena_close(&arena);
    return status;
}

static enum status keep_row(struct copy *copy, const struct sql_value *values) {
    struct sql_value *kept = copy->values + copy->rows++ * copy->columns;
    for (unsigned i = 0; i < copy->columns; i++) {
        kept[i] = values[i];
        if (values[i].type != SQL_TEXT && values[i].type != SQL_BYTES)
            continue;
        kept[i].bytes = arena_text(&copy->rows_arena, values[i].bytes);
        copy->bytes += values[i].bytes.len;
        if (!kept[i].bytes.at)
            return STATUS_INTERNAL;
    }
    return STATUS_OK;
}

static enum status flush(struct copy *copy) {
    copy->writing = (struct store_command){ .on_behalf_of = &store_nobody,
                                            .writes_much = true,
                                            .run = write_chunk };
    enum status status = store_run(copy->to, &copy->writing);
    copy->rows = copy->bytes = 0;
    copy->is_first = false;
    arena_close(&copy->rows_arena);
    copy->rows_arena = (struct arena){ 0 };
    return status;
}

static enum status copy_rows(struct copy *copy, struct sql_statement *statement) {
    struct sql_value row[COLUMNS_MAX] = { { 0 } };
    enum status status;
    while ((status = sql_step(statement)) == STATUS_OK) {
        if (!read_row(statement, &copy->digests[copy->at], copy->columns, row))
            return STATUS_INTERNAL;
        status = keep_row(copy, row);
        if (status == STATUS_OK && (copy->rows == CHUNK_ROWS || copy->bytes >= CHUNK_BYTES))
            status = flush(copy);
        if (status != STATUS_OK)
            return status;
    }
    return status == STATUS_NOT_FOUND ? flush(copy) : status;
}

static enum status copy_table(struct copy *copy, struct store_session *session,
                              const struct copied *copied) {
    struct sql_statement *statement = select_rows(session, copied);
    copy->copied = copied;
    copy->columns = count_columns(copied);
    copy->is_first = true;
    enum status status = statement ? copy_rows(copy, statement) : STATUS_INTERNAL;
    sql_free(statement);
    return status;
}

/* ---- Comparing ---- */

static void say_table(struct copy *copy, const struct copied *copied, const struct digest *digest) {
    char hex[2 * DIGEST_SHOWN + 1];
    for (unsigned i = 0; i < DIGEST_SHOWN; i++)
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest->chain[i]);
    check_say(copy->say, "%s: %lld rows, digest %s", copied->name, (long long)digest->rows, hex);
}

static enum status compare_table(struct copy *copy, struct store_session *session,
                                 const struct copied *copied) {
    struct sql_value row[COLUMNS_MAX];
    struct digest found = { 0 };
    const struct digest *expected = &copy->digests[copy->at];
    const unsigned columns = count_columns(copied);
    struct sql_statement *statement = select_rows(session, copied);
    enum status status;
    while ((status = sql_step(statement)) == STATUS_OK)
        if (!read_row(statement, &found, columns, row))
            break;
    sql_free(statement);
    if (status != STATUS_NOT_FOUND)
        return STATUS_INTERNAL;
    if (found.rows != expected->rows || memcmp(found.chain, expected->chain, HMAC_SIZE) != 0) {
        check_say(copy->say, "%s: the copy differs: %lld rows of %lld", copied->name,
                  (long long)found.rows, (long long)expected->rows);
        return STATUS_CONFLICT;
    }
    if (copy->says_tables)
        say_table(copy, copied, &found);
    return STATUS_OK;
}

/* ---- The walk over all tables ---- */

static enum status visit(struct copy *copy, struct store_session *session,
                         const struct copied *copied) {
    assert(copy->at < COPIED_MAX);
    enum status status =
        copied->name && copied->columns ? copy->visit(copy, session, copied) : STATUS_INTERNAL;
    copy->at++;
    return status;
}

static enum status visit_each(struct copy *copy, struct store_session *session,
                              const struct copied *copied, size_t count) {
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = visit(copy, session, &copied[i]);
    return status;
}

static enum status visit_records(struct copy *copy, struct store_session *session) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < TABLES; i++) {
        if (row_is_derived(tables[i]))
            continue;
        struct copied records = copied_records(tables[i], &copy->arena);
        status = visit(copy, session, &records);
        if (status != STATUS_OK || !email_index_field(tables[i]))
            continue;
        struct copied addresses = copied_addresses(tables[i], &copy->arena);
        status = visit(copy, session, &addresses);
    }
    return status;
}

static enum status walk(struct store_session *session, struct store_command *command) {
    struct copy *copy = container_of(command, struct copy, reading);
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    copy->at = 0;
    status =
        visit_each(copy, session, before_records, sizeof before_records / sizeof before_records[0]);
    if (status == STATUS_OK)
        status = visit_records(copy, session);
    if (status == STATUS_OK)
        status = visit_each(copy, session, after_records,
                            sizeof after_records / sizeof after_records[0]);
    engine_end_reading(session);
    return status;
}

static enum status finish(struct store_session *session, struct store_command *command) {
    struct copy *copy = container_of(command, struct copy, reading);
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    status = copy_table(copy, session, &key_mark);
    engine_end_reading(session);
    return status;
}

static void wake(struct store_command *command) {
    int failed = sem_post(&container_of(command, struct copy, reading)->finished);
    assert(!failed);
    (void)failed;
}

/* Runs a reading on a reader's thread of a store, and waits for it. */
static enum status read_in(struct copy *copy, struct store *store,
                           enum status (*read)(struct store_session *, struct store_command *)) {
    copy->reading =
        (struct store_command){ .on_behalf_of = &store_nobody, .read = read, .done = wake };
    enum status status = store_read(store, &copy->reading);
    if (status != STATUS_OK)
        return status;
    while (sem_wait(&copy->finished) != 0)
        ; /* interrupted by a signal */
    return copy->reading.status;
}

/* ---- The copy as a whole ---- */

/* A command without a result. */
struct change {
    struct store_command command;
    const char *sql;
};

static enum status run_change(struct store_tx *tx, struct store_command *command) {
    return sql_run(tx->session, container_of(command, struct change, command)->sql);
}

static enum status change(struct store *store, const char *sql) {
    struct change change = { { .on_behalf_of = &store_nobody, .run = run_change }, sql };
    return store_run(store, &change.command);
}

static enum status run_marking(struct store_tx *tx, struct store_command *command) {
    (void)command;
    enum status status = sql_run(tx->session, "DELETE FROM seal_mark");
    struct sql_statement *statement = sql_statement(tx->session, SQL_set_seal_mark);
    if (status != STATUS_OK || !statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, TEXT(UNFINISHED));
    return sql_execute(statement);
}

static enum status mark_unfinished(struct store *store) {
    struct store_command command = { .on_behalf_of = &store_nobody, .run = run_marking };
    return store_run(store, &command);
}

struct state {
    bool is_unfinished, is_empty;
};

static enum status read_state(struct store_session *session, struct state *state) {
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    struct sql_statement *mark = sql_prepare(session, "SELECT mark FROM seal_mark");
    struct sql_statement *filled =
        sql_prepare(session, "SELECT count(*) FROM row_counts WHERE rows > 0");
    status = sql_step(mark);
    if (status == STATUS_OK)
        status = sql_step(filled);
    if (status == STATUS_OK) {
        state->is_unfinished = text_equal(sql_bytes(mark, 0), TEXT(UNFINISHED));
        state->is_empty = sql_integer(filled, 0) == 0;
    }
    sql_free(mark);
    sql_free(filled);
    engine_end_reading(session);
    return status;
}

static bool is_url(const char *database) {
    return strstr(database, "://") != NULL;
}

/* A server that could lose writes is good enough for a source, which is only read. */
static struct store *open_database(const char *database, bool is_source, bool is_unsafe,
                                   store_say *say, int *code) {
    char why[512];
    const struct store_options options = { .directory = is_url(database) ? NULL : database,
                                           .url = is_url(database) ? database : NULL,
                                           .must_exist = is_source,
                                           .is_unsafe = is_source || is_unsafe,
                                           .search_limit_ms = TIME_LIMIT_MS };
    if (!is_source && !is_url(database) && mkdir(database, 0700) != 0 && errno != EEXIST) {
        check_say(say, "%s: %s", database, strerror(errno));
        *code = EX_CANTCREAT;
        return NULL;
    }
    if (is_source && !is_url(database) && access(database, F_OK) != 0) {
        check_say(say, "%s: is not there", database);
        *code = EX_NOINPUT;
        return NULL;
    }
    struct store *store = store_open(&options, why, sizeof why, code);
    if (!store)
        say(why);
    return store;
}

/* EX_OK: this can be copied, or copied into. */
static int check_state(struct store *store, const char *database, bool is_source, store_say *say) {
    struct state state = { 0 };
    struct store_session *session = store_session_open(store);
    enum status status = session ? read_state(session, &state) : STATUS_INTERNAL;
    store_session_close(session);
    if (status != STATUS_OK)
        check_say(say, "%s: cannot be read", database);
    else if (state.is_unfinished)
        check_say(say, "%s: has an unfinished copy; delete it, and make a new one", database);
    else if (is_source && state.is_empty)
        check_say(say, "%s: is empty", database);
    else if (!is_source && !state.is_empty)
        check_say(say, "%s: is not empty; name a new database", database);
    else
        return EX_OK;
    if (status != STATUS_OK)
        return EX_IOERR;
    return is_source ? EX_NOINPUT : EX_CANTCREAT;
}

static enum status copy_all(struct copy *copy) {
    enum status status = mark_unfinished(copy->to);
    copy->visit = copy_table;
    if (status == STATUS_OK)
        status = read_in(copy, copy->from, walk);
    if (status == STATUS_OK)
        status = change(copy->to, next_audit_sql);
    copy->visit = compare_table;
    if (status == STATUS_OK)
        status = read_in(copy, copy->to, walk);
    return status == STATUS_OK ? read_in(copy, copy->from, finish) : status;
}

static int run_copy(struct copy *copy) {
    copy->values = calloc((size_t)CHUNK_ROWS * COLUMNS_MAX, sizeof *copy->values);
    if (!copy->values || sem_init(&copy->finished, 0, 0) != 0) {
        free(copy->values);
        copy->say("there is no memory for the copy");
        return EX_OSERR;
    }
    enum status status = copy_all(copy);
    arena_close(&copy->arena);
    arena_close(&copy->rows_arena);
    (void)sem_destroy(&copy->finished);
    free(copy->values);
    if (status == STATUS_OK)
        return EX_OK;
    copy->say("the copy failed, and no server starts on it; see the log above");
    return status == STATUS_CONFLICT ? EX_DATAERR : EX_IOERR;
}

/* A copy is compared with what was read, so a damaged value of the source would be copied, and get
 * a right sum. The server of PostgreSQL checks its pages itself. */
static int check_source(const char *from, store_say *say) {
    if (is_url(from) || store_check(from, from, say) != EX_DATAERR)
        return EX_OK;
    check_say(say, "%s: is damaged, and is not copied; restore a backup of it first", from);
    return EX_DATAERR;
}

static int copy_between(struct copy *copy, const char *from, const char *to, bool is_unsafe) {
    int code;
    copy->from = open_database(from, true, true, copy->say, &code);
    if (copy->from)
        code = check_state(copy->from, from, true, copy->say);
    if (copy->from && code == EX_OK)
        code = check_source(from, copy->say);
    if (copy->from && code == EX_OK)
        copy->to = open_database(to, false, is_unsafe, copy->say, &code);
    if (copy->to)
        code = check_state(copy->to, to, false, copy->say);
    if (copy->to && code == EX_OK)
        code = run_copy(copy);
    store_close(copy->to);
    store_close(copy->from);
    return code;
}

int store_copy(const char *from, const char *to, bool is_unsafe, store_say *say) {
    struct copy copy = { .say = say, .says_tables = true };
    return copy_between(&copy, from, to, is_unsafe);
}

int copy_quietly(const char *from, const char *to, bool is_unsafe, store_say *say) {
    struct copy copy = { .say = say };
    return copy_between(&copy, from, to, is_unsafe);
}
