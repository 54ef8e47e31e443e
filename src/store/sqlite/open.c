/* Opens the store, starts and stops its threads, and closes it. */
#include "store/sqlite/open.h"

#include "base/log.h"
#include "store/positions.h"
#include "store/sqlite/before_upgrade.h"
#include "store/sqlite/checkpoint.h"
#include "store/sqlite/folder.h"
#include "store/sqlite/options.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/session.h"
#include "store/sqlite/state.h"
#include "store/sqlite/writer.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    POLL_MS = 200,
    CHECKPOINT_AFTER_MS = 3000,
    READER_THREADS = 2,
    WAL_BOUND_PAGES =
        64 * 1024 * 1024 / PAGE_BYTES, /* it grows on during a checkpoint: 256 MB are documented */
    SEARCH_LIMIT_MS = 10000,
    USER_TOKENS = 100,
    COMMANDS_MAX = 4096, /* waiting for the writer: about a second of its work */
};

/* ---- Counters ---- */

struct store_stats open_stats(struct store *base) {
    struct sqlite_store *store = state_of(base);
    char path[PATH_MAX + 8];
    struct stat facts = { 0 }, database = { 0 };
    if (stat(store->path, &database) != 0)
        database.st_size = 0; /* somebody has removed it */
    (void)snprintf(path, sizeof path, "%s-wal", store->path);
    if (stat(path, &facts) != 0)
        facts.st_size = 0; /* there is no WAL before the first change */
    struct store_stats stats = {
        .commands = atomic_load_explicit(&store->commands_run, memory_order_relaxed),
        .commits = state_commits(store),
        .grouped = atomic_load_explicit(&store->grouped, memory_order_relaxed),
        .readings = sessions_count_readings(store),
        .waiting = queue_length(&store->commands),
        .refused = queue_refused(&store->commands),
        .reads_waiting = readers_waiting(store->reader_pool),
        .reads_refused = readers_refused(store->reader_pool),
        .refuses = atomic_load(&store->refused_pages) || atomic_load(&store->is_broken),
        .is_damaged = atomic_load(&store->is_damaged),
        .own = { { "roster_store_log_bytes", "gauge", "Size of the write-ahead log.",
                   (uint64_t)facts.st_size },
                 { "roster_store_bytes", "gauge",
                   "Size of the database's file, without the write-ahead log.",
                   (uint64_t)database.st_size } },
        .own_count = 2,
    };
    for (unsigned i = 0; i < STORE_GROUP_SIZES; i++)
        stats.groups[i] = atomic_load_explicit(&store->groups[i], memory_order_relaxed);
    return stats;
}

/* ---- Opening ---- */

/* Configures SQLite. Each connection is used by one thread at a time. Memory statistics are off,
 * because they take a lock that all threads share. */
static bool start_library(void) {
    int result = sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    if (result == SQLITE_OK)
        result = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (result == SQLITE_MISUSE) /* the process opens a second store: SQLite runs already */
        result = SQLITE_OK;
    return result == SQLITE_OK && sqlite3_initialize() == SQLITE_OK;
}

/* Moves the WAL of the last run into the database. After a failed sync that WAL may exist in the
 * kernel's memory only; commits that are appended to it would then be lost together with it. */
static enum status copy_wal_back(struct connection *connection) {
    if (sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
        SQLITE_OK)
        return STATUS_OK;
    connection_log(connection, "checkpointing the last run's WAL");
    return STATUS_INTERNAL;
}

static int miss_database(const struct sqlite_store *store, char *why, size_t why_size) {
    (void)snprintf(why, why_size,
                   "%s: is not there, or empty; is the right folder mounted? --init makes a new"
                   " database, also beside the key of an old one",
                   store->path);
    return EX_NOINPUT;
}

static void log_unknown(const char *line) {
    log_info("database: %s", line);
}

static int open_database(struct sqlite_store *store, const struct store_options *options, char *why,
                         size_t why_size) {
    struct stat facts;
    int len = snprintf(store->path, sizeof store->path, "%s/roster.db", options->directory);
    if (len < 0 || (size_t)len >= sizeof store->path) {
        (void)snprintf(why, why_size, "the path of the data folder is too long");
        return EX_USAGE;
    }
    if (options->must_exist && (stat(store->path, &facts) != 0 || facts.st_size == 0))
        return miss_database(store, why, why_size);
    folder_close_to_others(store->path);
    if (fstat(store->directory, &facts) == 0 && facts.st_mode & 077)
        log_warning(
            "%s: is open to others (mode %04o): chmod 700 it, or give Roster a folder of its"
            " own",
            options->directory, facts.st_mode & 07777u);
    mode_t mask = umask(0077); /* other users must not read the database */
    store->writer_connection = session_open(store->base.engine, store, store->path, true);
    enum status status =
        store->writer_connection ? copy_wal_back(store->writer_connection) : STATUS_INTERNAL;
    bool is_missed = status == STATUS_OK && options->must_exist &&
                     schema_is_empty(&store->writer_connection->session);
    if (status == STATUS_OK && !is_missed)
        status = before_upgrade_copy(store);
    if (status == STATUS_OK && !is_missed)
        status = schema_migrate(&store->writer_connection->session, options);
    (void)umask(mask);
    if (is_missed)
        return miss_database(store, why, why_size);
    if (status == STATUS_PRECONDITION_FAILED) {
        (void)snprintf(why, why_size,
                       "%s: made by a newer version of Roster; use that version, or"
                       " restore a backup of this one",
                       store->path);
        return EX_CONFIG;
    }
    if (status != STATUS_OK) {
        (void)snprintf(why, why_size, "%s: cannot be opened as a database (see above)",
                       store->path);
        return EX_IOERR;
    }
    char difference[256];
    if (schema_check(&store->writer_connection->session, difference, sizeof difference) !=
        STATUS_OK) {
        (void)snprintf(why, why_size, "%s: not as this version left it: %s", store->path,
                       difference);
        return EX_DATAERR;
    }
    schema_tell_unknown(&store->writer_connection->session, log_unknown);
    return checkpoint_prepare(store) ? EX_OK : EX_IOERR;
}

static int start_threads(struct sqlite_store *store, char *why, size_t why_size) {
    (void)snprintf(why, why_size, "the system refuses threads for the database");
    if (pthread_create(&store->writer, NULL, writer_run, store) != 0)
        return EX_OSERR;
    store->writer_runs = true;
    if (pthread_create(&store->checkpointer, NULL, checkpoint_run, store) != 0)
        return EX_OSERR;
    store->checkpointer_runs = true;
    store->reader_pool = readers_start(store, READER_THREADS, store->search_limit_ms);
    return store->reader_pool ? EX_OK : EX_OSERR;
}

static void take_options(struct sqlite_store *store, const struct store_options *options) {
    const struct sqlite_options best = { 0 }, *own = options->sqlite ? options->sqlite : &best;
    store->poll_ms = own->poll_ms ? own->poll_ms : POLL_MS;
    store->checkpoint_after_ms =
        own->checkpoint_after_ms ? own->checkpoint_after_ms : CHECKPOINT_AFTER_MS;
    store->wal_bound_pages = own->wal_bound_pages ? own->wal_bound_pages : WAL_BOUND_PAGES;
    store->search_limit_ms = options->search_limit_ms ? options->search_limit_ms : SEARCH_LIMIT_MS;
    store->user_tokens = options->user_tokens ? options->user_tokens : USER_TOKENS;
}

struct store *open_store(const struct engine *engine, const struct store_options *options,
                         char *why, size_t why_size, int *exit_code) {
    struct sqlite_store *store = calloc(1, sizeof *store);
    *exit_code = EX_OSERR;
    (void)snprintf(why, why_size, "no memory to open the database");
    if (!store || !queue_init(&store->commands, COMMANDS_MAX) || !queue_init(&store->stop, 0) ||
        pthread_mutex_init(&store->turn, NULL) != 0 ||
        pthread_mutex_init(&store->readers_lock, NULL) != 0 || !start_library() ||
        !(store->base.positions = positions_open())) {
        free(store);
        return NULL;
    }
    store->base.engine = engine;
    store->database = -1;
    take_options(store, options);
    atomic_init(&store->access_epoch, 1);
    *exit_code = folder_lock(options->directory, &store->directory, why, why_size);
    if (*exit_code == EX_OK)
        *exit_code = open_database(store, options, why, why_size);
    if (*exit_code == EX_OK)
        *exit_code = start_threads(store, why, why_size);
    if (*exit_code == EX_OK)
        return &store->base;
    open_close(&store->base);
    return NULL;
}

/* ---- Closing ---- */

static void join(pthread_t thread) {
    int failed = pthread_join(thread, NULL);
    assert(!failed);
    (void)failed;
}

void open_close(struct store *base) {
    struct sqlite_store *store = state_of(base);
    state_end_reading(base);
    readers_stop(store->reader_pool);
    queue_close(&store->commands);
    if (store->writer_runs)
        join(store->writer);
    queue_close(&store->stop);
    if (store->checkpointer_runs)
        join(store->checkpointer);
    if (atomic_load(&store->commands_run))
        log_info("database: %llu commands in %llu commits",
                 (unsigned long long)atomic_load(&store->commands_run),
                 (unsigned long long)state_commits(store));
    session_close(store->checkpoint_connection);
    session_close(
        store->writer_connection); /* the last connection checkpoints and removes the WAL */
    positions_close(store->base.positions);
    queue_destroy(&store->commands);
    queue_destroy(&store->stop);
    (void)pthread_mutex_destroy(&store->turn);
    (void)pthread_mutex_destroy(&store->readers_lock);
    if (store->database >= 0)
        (void)close(store->database);
    if (store->directory >= 0)
        (void)close(store->directory); /* also unlocks */
    free(store);
}
