/* The checkpointer. The writer never copies pages from the WAL into the database; this thread
 * does so, through its own connection.
 *
 * A checkpoint normally runs beside the writer (PASSIVE). Only when the WAL exceeds its bound does
 * the thread take `turn` from the writer, so that nobody commits, and restarts the WAL. A restart
 * also needs that no reader uses an old snapshot of it: the thread ends the snapshots that idle
 * readers keep, and when the WAL exceeds three times its bound, `wants_wal` makes long reads end
 * early. After an erasure (`must_forget`) the WAL is truncated, so that the erased data leaves the
 * disk; so it is when it is large and nothing is committed.
 *
 * docs/architecture/store.md has the times and bounds, and the measurements behind them. */
#include "store/sqlite/checkpoint.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/time.h"
#include "store/sqlite/session.h"
#include "store/sqlite/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    PAGES_AT_ONCE = 48,
    CATCH_UP_TURNS = 3,
    IDLE_WAL_BYTES = 4 * 1024 * 1024,
    RESTART_WAIT_MS = 50, /* the longest pause of the writer for a restart that fails */
};

/* ---- Pace ---- */

/* Without this, one fsync at the end of a checkpoint would flush all its pages at once, and the
 * writer's own small syncs would wait behind them in the disk's queue. So the file of the
 * checkpoint connection gets a write function that flushes every 48 pages. */
static _Thread_local struct {
    const sqlite3_io_methods *real;
    sqlite3_io_methods methods;
    int fd;
    int pages;
} paced;

static int write_paced(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    int result = paced.real->xWrite(file, bytes, size, at);
    if (result != SQLITE_OK || ++paced.pages < PAGES_AT_ONCE)
        return result;
    paced.pages = 0;
    /* For the pace only; durability is up to the fsync at the end of the checkpoint. */
    (void)sync_file_range(paced.fd, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
    return result;
}

static void pace_checkpoints(struct sqlite_store *store) {
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(store->checkpoint_connection->db, "main", SQLITE_FCNTL_FILE_POINTER,
                             &file) != SQLITE_OK ||
        !file || !file->pMethods)
        return;
    paced.real = file->pMethods;
    paced.methods = *file->pMethods;
    paced.methods.xWrite = write_paced;
    paced.fd = store->database;
    file->pMethods = &paced.methods;
}

static void unpace_checkpoints(struct sqlite_store *store) {
    sqlite3_file *file = NULL;
    if (paced.real && sqlite3_file_control(store->checkpoint_connection->db, "main",
                                           SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK)
        file->pMethods = paced.real;
}

/* ---- The thread ---- */

/* Runs a checkpoint. False when it failed, or when the WAL must stay as it is. SQLite syncs the
 * database only when a checkpoint has copied the whole WAL. So a failed sync may concern pages of
 * earlier checkpoints too, which no later checkpoint would write again: the WAL must then be
 * kept. */
static bool checkpoint(struct sqlite_store *store, int mode, int *pages_in_wal) {
    int copied = 0;
    if (atomic_load(&store->is_broken))
        return false;
    int result = sqlite3_wal_checkpoint_v2(store->checkpoint_connection->db, NULL, mode,
                                           pages_in_wal, &copied);
    if (result != SQLITE_OK && (result & 0xFF) != SQLITE_BUSY) {
        connection_log(store->checkpoint_connection, "checkpointing");
        if (state_note_sync_failure(store, result))
            atomic_store(&store->keeps_wal, true);
    }
    return result == SQLITE_OK;
}

/* Is a checkpoint due? A page that changes several times between two checkpoints is copied only
 * once, so while commits go on the WAL grows up to its bound, or for `checkpoint_after_ms`. A
 * checkpoint is also due when nothing was committed since the last look. */
static bool is_due(const struct sqlite_store *store, uint64_t *commits, int64_t *since_ms) {
    uint64_t commits_now = state_commits(store);
    int64_t now_ms = time_monotonic_ms();
    bool is_idle = commits_now == *commits;
    *commits = commits_now;
    if (!is_idle && now_ms - *since_ms < store->checkpoint_after_ms &&
        atomic_load_explicit(&store->wal_pages, memory_order_relaxed) < store->wal_bound_pages)
        return false;
    *since_ms = now_ms;
    return true;
}

/* Is the WAL's file large, although nothing was committed since the last look? After a restart it
 * keeps its size, and with it the space on the disk and content that was erased. */
static bool is_large_in_vain(const struct sqlite_store *store, uint64_t commits) {
    char path[PATH_MAX + 8];
    struct stat facts;
    (void)snprintf(path, sizeof path, "%s-wal", store->path);
    return state_commits(store) == commits && stat(path, &facts) == 0 &&
           facts.st_size > IDLE_WAL_BYTES;
}

void *checkpoint_run(void *argument) {
    struct sqlite_store *store = argument;
    uint64_t commits = 0,
             begun_at = UINT64_MAX; /* the number of commits at the last restart of the WAL */
    int64_t since_ms = time_monotonic_ms();
    (void)pthread_setname_np(pthread_self(), "checkpointer");
    pace_checkpoints(store);
    while (!queue_is_done(&store->stop)) {
        int pages = 0;
        (void)queue_take_all(&store->stop, store->poll_ms);
        bool must_forget = atomic_load(&store->must_forget);
        bool must_empty = must_forget || is_large_in_vain(store, commits);
        if (!is_due(store, &commits, &since_ms) && !must_empty)
            continue;
        /* An idle reader's snapshot would keep the checkpoint from copying the newest pages. */
        (void)sessions_end_snapshots(store);
        if (!checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, &pages) ||
            (pages < store->wal_bound_pages && !must_empty))
            continue;
        /* The writer has committed more meanwhile. Each further turn copies what was written during
         * the turn before, which is less each time, so little is left to copy while the writer
         * pauses. */
        for (int turn = 0; turn < CATCH_UP_TURNS; turn++)
            (void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, &pages);
        bool is_urgent = pages > store->wal_bound_pages * 3;
        if ((begun_at == commits && !must_empty) || (!sessions_end_snapshots(store) && !is_urgent))
            continue; /* nothing was committed since the last restart, or a reader uses the WAL */
        atomic_store(&store->wants_wal, is_urgent);
        atomic_store(&store->wants_turn, true);
        mutex_lock(&store->turn);
        (void)sessions_end_snapshots(store);
        int mode = must_empty ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
        if (checkpoint(store, mode, &pages)) { /* otherwise the next look tries again */
            begun_at = state_commits(store);
            if (must_forget)
                atomic_store(&store->must_forget, false); /* safe: nobody commits during the turn */
        }
        atomic_store(&store->wants_turn, false);
        atomic_store(&store->wants_wal, false);
        mutex_unlock(&store->turn);
    }
    unpace_checkpoints(store);
    return NULL;
}

static int note_wal(void *argument, sqlite3 *db, const char *name, int pages) {
    struct sqlite_store *store = argument;
    (void)db;
    (void)name;
    atomic_store_explicit(&store->wal_pages, pages, memory_order_relaxed);
    return SQLITE_OK;
}

bool checkpoint_prepare(struct sqlite_store *store) {
    /* sqlite3_wal_hook returns the hook before, of which there is none. */
    (void)sqlite3_wal_hook(store->writer_connection->db, note_wal, store);
    store->checkpoint_connection = session_open(store->base.engine, store, store->path, false);
    store->database = open(store->path, O_RDWR | O_CLOEXEC);
    return store->checkpoint_connection && store->database >= 0 &&
           sqlite3_busy_timeout(store->checkpoint_connection->db, RESTART_WAIT_MS) == SQLITE_OK;
}
