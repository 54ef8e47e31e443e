/* Checkpoints. The writer never copies pages of the log (WAL) into the database: this thread does
 * so on its own time. Only when the log has grown past its bound does it make the writer rest, so
 * that the log can restart; docs/architecture/store.md says when, and why not more often. */
#include "store/sqlite/checkpoint.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/time.h"
#include "store/sqlite/session.h"
#include "store/sqlite/state.h"

#include <fcntl.h>

enum {
    PAGES_AT_ONCE = 48,
    CATCH_UP_TURNS = 3,
    RESTART_WAIT_MS = 50, /* for which the writer rests in vain */
};

/* ---- Pace ---- */

/* What a checkpoint writes would all be flushed at its end by one fsync, and the writer's own small
 * syncs would wait in the disk's queue behind it. So the checkpoint connection's file gets a write
 * function that has the pages flushed a few at a time. */
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
    /* Only for the pace: whether pages are safe is up to the fsync that follows. */
    (void)sync_file_range(paced.fd, 0, 0,
                          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                              SYNC_FILE_RANGE_WAIT_AFTER);
    return result;
}

static void pace_checkpoints(struct store *store) {
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

static void unpace_checkpoints(struct store *store) {
    sqlite3_file *file = NULL;
    if (paced.real && sqlite3_file_control(store->checkpoint_connection->db, "main",
                                           SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK)
        file->pMethods = paced.real;
}

/* ---- The thread ---- */

/* False when the log could not be copied, or must stay as it is. SQLite syncs the database only
 * once all of the log is in it: the sync that fails may be for pages of earlier checkpoints too,
 * which no later one would write again. */
static bool checkpoint(struct store *store, int mode, int *pages_in_log) {
    int copied = 0;
    if (atomic_load(&store->is_broken))
        return false;
    int result = sqlite3_wal_checkpoint_v2(store->checkpoint_connection->db, NULL, mode,
                                           pages_in_log, &copied);
    if (result != SQLITE_OK && (result & 0xFF) != SQLITE_BUSY) {
        connection_log(store->checkpoint_connection, "copying the log back");
        if (state_note_sync_failure(store, result))
            atomic_store(&store->keeps_wal, true);
    }
    return result == SQLITE_OK;
}

/* A page that changes again is copied once for all its changes, so the log is left to grow while
 * changes come: up to its bound, or for so long. */
static bool is_due(const struct store *store, uint64_t *commits, int64_t *since_ms) {
    uint64_t commits_now = store_commits(store);
    int64_t now_ms = time_monotonic_ms();
    bool is_idle = commits_now == *commits;
    *commits = commits_now;
    if (!is_idle && now_ms - *since_ms < store->checkpoint_after_ms &&
        atomic_load_explicit(&store->wal_pages, memory_order_relaxed) < store->wal_bound_pages)
        return false;
    *since_ms = now_ms;
    return true;
}

void *checkpoint_run(void *argument) {
    struct store *store = argument;
    uint64_t commits = 0, begun_at = UINT64_MAX; /* after how many commits the log began anew */
    int64_t since_ms = time_monotonic_ms();
    (void)pthread_setname_np(pthread_self(), "checkpointer");
    pace_checkpoints(store);
    while (!queue_is_done(&store->stop)) {
        int pages = 0;
        (void)queue_take_all(&store->stop, store->poll_ms);
        bool must_forget = atomic_load(&store->must_forget);
        if (!is_due(store, &commits, &since_ms) && !must_forget)
            continue;
        (void)sessions_end_snapshots(
            store); /* one that is kept by an idle thread would hold the log */
        if (!checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, &pages) ||
            (pages < store->wal_bound_pages && !must_forget))
            continue;
        /* The writer went on meanwhile. What it wrote is copied while it writes on, and so forth:
         * each turn is shorter, and so little is left to do while it rests. */
        for (int turn = 0; turn < CATCH_UP_TURNS; turn++)
            (void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, &pages);
        bool is_urgent = pages > store->wal_bound_pages * 3;
        if ((begun_at == commits && !must_forget) || (!sessions_end_snapshots(store) && !is_urgent))
            continue; /* or it begins anew with the next commit already */
        atomic_store(&store->wants_wal, is_urgent);
        atomic_store(&store->wants_turn, true);
        mutex_lock(&store->turn);
        (void)sessions_end_snapshots(store);
        int mode = must_forget ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART;
        if (checkpoint(store, mode, &pages)) { /* else tried again next time */
            begun_at = store_commits(store);
            if (must_forget)
                atomic_store(&store->must_forget, false); /* nobody commits during the turn */
        }
        atomic_store(&store->wants_turn, false);
        atomic_store(&store->wants_wal, false);
        mutex_unlock(&store->turn);
    }
    unpace_checkpoints(store);
    return NULL;
}

static int note_wal(void *argument, sqlite3 *db, const char *name, int pages) {
    struct store *store = argument;
    (void)db;
    (void)name;
    atomic_store_explicit(&store->wal_pages, pages, memory_order_relaxed);
    return SQLITE_OK;
}

bool checkpoint_prepare(struct store *store) {
    /* There was no hook before. */
    (void)sqlite3_wal_hook(store->writer_connection->db, note_wal, store);
    store->checkpoint_connection = session_open(store, store->path, false);
    store->database = open(store->path, O_RDWR | O_CLOEXEC);
    return store->checkpoint_connection && store->database >= 0 &&
           sqlite3_busy_timeout(store->checkpoint_connection->db, RESTART_WAIT_MS) == SQLITE_OK;
}
