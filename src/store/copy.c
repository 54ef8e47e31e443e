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
#include "store/check.h"
#include "store/copy_chunk.h"
#include "store/engine.h"
#include "store/maintenance.h"

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
    TIME_LIMIT_MS = 7 * 24 * 3600 * 1000,
    DIGEST_SHOWN = 8, /* bytes of a digest that are printed */
};

/* ---- Rows and their digests ---- */

struct digest {
    int64_t rows;
    unsigned char chain[HMAC_SIZE]; /* each row is hashed under the hash of those before it */
};

struct copy {
    struct store *from, *to;
    store_say *say;
    bool says_tables; /* the rows and the digest of each */
    struct digest digests[COPIED_MAX];
    unsigned at; /* the number of the table in the walk */
    /* A reading in which the tables are walked. */
    struct store_command reading;
    copied_visit *visit;
    sem_t finished;
    struct chunk chunk;
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

/* ---- Copying ---- */

static enum status copy_rows(struct copy *copy, struct sql_statement *statement) {
    struct sql_value row[COPIED_COLUMNS_MAX] = { { 0 } };
    enum status status;
    while ((status = sql_step(statement)) == STATUS_OK) {
        if (!read_row(statement, &copy->digests[copy->at], copy->chunk.columns, row))
            return STATUS_INTERNAL;
        status = chunk_add(&copy->chunk, row);
        if (status != STATUS_OK)
            return status;
    }
    return status == STATUS_NOT_FOUND ? chunk_flush(&copy->chunk) : status;
}

static enum status copy_table(void *argument, struct store_session *session,
                              const struct copied *copied) {
    struct copy *copy = argument;
    struct sql_statement *statement = copied_select(session, copied);
    assert(copy->at < COPIED_MAX);
    chunk_begin_table(&copy->chunk, copied);
    enum status status = statement ? copy_rows(copy, statement) : STATUS_INTERNAL;
    sql_free(statement);
    copy->at++;
    return status;
}

/* ---- Comparing ---- */

static void say_table(struct copy *copy, const struct copied *copied, const struct digest *digest) {
    char hex[2 * DIGEST_SHOWN + 1];
    for (unsigned i = 0; i < DIGEST_SHOWN; i++)
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest->chain[i]);
    check_say(copy->say, "%s: %lld rows, digest %s", copied->name, (long long)digest->rows, hex);
}

static enum status compare_table(void *argument, struct store_session *session,
                                 const struct copied *copied) {
    struct copy *copy = argument;
    struct sql_value row[COPIED_COLUMNS_MAX];
    struct digest found = { 0 };
    const struct digest *expected = &copy->digests[copy->at++];
    const unsigned columns = copied_count_columns(copied);
    struct sql_statement *statement = copied_select(session, copied);
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

/* ---- Readings ---- */

static enum status walk(struct store_session *session, struct store_command *command) {
    struct copy *copy = container_of(command, struct copy, reading);
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    copy->at = 0;
    status = copied_visit_all(session, copy->visit, copy);
    engine_end_reading(session);
    return status;
}

static enum status finish(struct store_session *session, struct store_command *command) {
    struct copy *copy = container_of(command, struct copy, reading);
    enum status status = engine_begin_reading(session);
    if (status != STATUS_OK)
        return status;
    status = copy_table(copy, session, &copied_key_mark);
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

/* In an engine where audit rows get their numbers from this row; elsewhere there is none. */
static const char next_audit_sql[] = "UPDATE next_ids SET next = (SELECT coalesce(max(id), 0) + 1"
                                     " FROM audit) WHERE kind = 'audit'";

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
    if (!chunk_open(&copy->chunk, copy->to) || sem_init(&copy->finished, 0, 0) != 0) {
        chunk_close(&copy->chunk);
        copy->say("there is no memory for the copy");
        return EX_OSERR;
    }
    enum status status = copy_all(copy);
    (void)sem_destroy(&copy->finished);
    chunk_close(&copy->chunk);
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
