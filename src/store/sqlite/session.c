/* Sessions, and the snapshots and limits of readers.
 *
 * A reader's session keeps its snapshot (read transaction) from one reading to the next until
 * something is committed, because beginning a transaction takes locks of the whole process. A kept
 * snapshot would prevent a restart of the WAL, so the checkpointer ends those of idle readers;
 * `in_use` is the lock between it and the session's thread.
 *
 * SQLite's progress handler enforces two limits: a read of store_read ends at its deadline or when
 * the store asks for it, and a search on an I/O thread ends after a number of steps. */
#include "store/sqlite/session.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/time.h"
#include "store/row_compression.h"
#include "store/sqlite/functions.h"
#include "store/sqlite/state.h"
#include "store/table_statement.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

/* ---- Snapshots ---- */

static void lock_session(struct connection *connection) {
    while (atomic_flag_test_and_set_explicit(&connection->in_use, memory_order_acquire))
        (void)sched_yield(); /* the checkpointer rarely holds it, and for one statement */
}

static void unlock_session(struct connection *connection) {
    atomic_flag_clear_explicit(&connection->in_use, memory_order_release);
}

/* A COMMIT can fail, for example when memory runs out. The snapshot is then still there, and the
 * next call tries again: a BEGIN would be refused inside it. */
static bool end_snapshot(struct connection *connection) {
    if (connection->has_snapshot) {
        if (connection_execute(connection, CONNECTION_COMMIT) != STATUS_OK)
            log_error("database: a snapshot could not be ended");
        connection->has_snapshot = !sqlite3_get_autocommit(connection->db);
    }
    return !connection->has_snapshot;
}

static bool try_end_snapshot(struct connection *connection) {
    if (atomic_flag_test_and_set_explicit(&connection->in_use, memory_order_acquire))
        return false;
    bool ended = end_snapshot(connection);
    unlock_session(connection);
    return ended;
}

bool sessions_end_snapshots(struct sqlite_store *store) {
    bool ended = true;
    mutex_lock(&store->readers_lock);
    for (struct connection *reader = store->readers; reader; reader = reader->next)
        ended &= try_end_snapshot(reader) || !reader->may_read_long;
    mutex_unlock(&store->readers_lock);
    return ended;
}

/* Needs no atomic addition, since only the session's thread adds. */
static void count_reading(struct connection *connection) {
    uint64_t readings = atomic_load_explicit(&connection->readings, memory_order_relaxed);
    atomic_store_explicit(&connection->readings, readings + 1, memory_order_relaxed);
}

enum status session_begin_reading(struct store_session *session) {
    struct connection *connection = connection_of(session);
    if (!connection->is_reader)
        return STATUS_OK;
    lock_session(connection);
    count_reading(connection);
    /* The number is read before the snapshot begins, so the snapshot includes at least these
     * commits. */
    uint64_t commits = state_commits(state_of(session->store));
    if (connection->has_snapshot && connection->snapshot == commits)
        return STATUS_OK;
    if (!end_snapshot(connection) ||
        connection_execute(connection, CONNECTION_BEGIN_SNAPSHOT) != STATUS_OK) {
        unlock_session(connection);
        return STATUS_INTERNAL;
    }
    connection->has_snapshot = true;
    connection->snapshot = commits;
    return STATUS_OK;
}

void session_finish_reading(struct store_session *session) {
    struct connection *connection = connection_of(session);
    if (!connection->is_reader)
        return;
    if (atomic_load_explicit(&state_of(session->store)->wants_turn, memory_order_acquire))
        (void)end_snapshot(connection); /* the checkpointer asks again */
    unlock_session(connection);
}

/* ---- Limits ---- */

/* Must long reads end now? TOO_MANY or UNAVAILABLE, with which they end; otherwise OK. */
static enum status ends_reading(const struct sqlite_store *store) {
    if (atomic_load_explicit(&store->is_closing, memory_order_relaxed))
        return STATUS_UNAVAILABLE;
    return atomic_load_explicit(&store->wants_wal, memory_order_relaxed) ? STATUS_TOO_MANY
                                                                         : STATUS_OK;
}

static int must_end(void *argument) {
    struct connection *connection = argument;
    connection->ended_as = ends_reading(state_of(connection->session.store));
    if (connection->ended_as == STATUS_OK && connection->deadline_ms &&
        time_monotonic_ms() >= connection->deadline_ms)
        connection->ended_as = STATUS_TOO_SLOW;
    return connection->ended_as != STATUS_OK;
}

static void limit(struct connection *connection) {
    enum { STEPS_BETWEEN = 1000 }; /* of SQLite's virtual machine: about 0.1 ms */
    connection->may_read_long = true;
    sqlite3_progress_handler(connection->db, STEPS_BETWEEN, must_end, connection);
}

static int is_spent(void *argument) {
    struct connection *connection = argument;
    connection->ended_as = STATUS_TOO_SLOW;
    return connection->turns_left-- <= 0;
}

bool session_limit_work(struct store_session *session) {
    enum { STEPS_A_TURN = 1000, TURNS = 4 }; /* about a millisecond */
    struct connection *connection = connection_of(session);
    connection->turns_left = TURNS;
    sqlite3_progress_handler(connection->db, STEPS_A_TURN, is_spent, connection);
    return true;
}

void session_lift_limit(struct store_session *session) {
    sqlite3_progress_handler(connection_of(session)->db, 0, NULL, NULL);
}

/* ---- Opening and closing ---- */

struct connection *session_open(const struct engine *engine, struct sqlite_store *store,
                                const char *path, bool may_create) {
    /* Without a store a tool opens the database, perhaps as root, in a folder of another user, who
     * must not redirect it by a symbolic link. */
    int flags = SQLITE_OPEN_READWRITE | (may_create ? SQLITE_OPEN_CREATE : 0) |
                (store ? 0 : SQLITE_OPEN_NOFOLLOW);
    struct connection *connection = connection_open(engine, path, flags);
    if (!connection)
        return NULL;
    connection->session.store = store ? &store->base : NULL;
    connection->session.user_tokens = store ? store->user_tokens : 0;
    if (functions_add(connection))
        return connection;
    session_close(connection);
    return NULL;
}

/* Writes `file:PATH?immutable=1`, for which SQLite makes no WAL and no lock. */
static bool immutable_name(const char *path, char *name, size_t size) {
    size_t at = (size_t)snprintf(name, size, "file:");
    for (; *path && at + 3 < size; path++) {
        if (strchr("%?#", *path))
            at += (size_t)snprintf(name + at, size - at, "%%%02x", (unsigned char)*path);
        else
            name[at++] = *path;
    }
    int len = snprintf(name + at, size - at, "?immutable=1");
    return !*path && len > 0 && (size_t)len < size - at;
}

struct connection *session_open_to_read(const struct engine *engine, const char *path,
                                        bool is_alone) {
    char name[3 * PATH_MAX];
    if (is_alone && !immutable_name(path, name, sizeof name))
        return NULL;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_URI;
    struct connection *connection = connection_open(engine, is_alone ? name : path, flags);
    if (!connection || functions_add(connection))
        return connection;
    session_close(connection);
    return NULL;
}

void session_close(struct connection *connection) {
    if (!connection)
        return;
    const struct store *base = connection->session.store;
    table_statements_free(&connection->session);
    row_compression_free(connection->session.compression);
    if (base && atomic_load(&state_of(base)->keeps_wal) &&
        sqlite3_db_config(connection->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
        connection_log(connection, "keeping the log");
    connection_close(connection);
}

static void register_reader(struct sqlite_store *store, struct connection *reader) {
    mutex_lock(&store->readers_lock);
    reader->next = store->readers;
    store->readers = reader;
    reader->is_reader = true;
    mutex_unlock(&store->readers_lock);
}

static void unregister_reader(struct sqlite_store *store, struct connection *reader) {
    mutex_lock(&store->readers_lock);
    struct connection **place = &store->readers;
    while (*place != reader)
        place = &(*place)->next;
    *place = reader->next;
    store->readings += atomic_load_explicit(&reader->readings, memory_order_relaxed);
    mutex_unlock(&store->readers_lock);
}

uint64_t sessions_count_readings(struct sqlite_store *store) {
    mutex_lock(&store->readers_lock);
    uint64_t count = store->readings;
    for (const struct connection *reader = store->readers; reader; reader = reader->next)
        count += atomic_load_explicit(&reader->readings, memory_order_relaxed);
    mutex_unlock(&store->readers_lock);
    return count;
}

static struct store_session *open_reader(struct sqlite_store *store, bool may_read_long) {
    struct connection *reader = session_open(store->base.engine, store, store->path, false);
    if (!reader)
        return NULL;
    if (may_read_long)
        limit(reader);
    register_reader(store, reader); /* from now on other threads see it */
    return &reader->session;
}

struct store_session *session_open_reader(struct store *store) {
    return open_reader(state_of(store), false);
}

struct store_session *session_open_limited(struct sqlite_store *store) {
    return open_reader(store, true);
}

void session_close_any(struct store_session *session) {
    if (!session)
        return;
    struct connection *connection = connection_of(session);
    if (connection->is_reader) {
        unregister_reader(state_of(session->store), connection);
        (void)end_snapshot(connection); /* closing does it, too */
    }
    session_close(connection);
}
