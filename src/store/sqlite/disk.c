/* Finds out whether the disk accepts changes.
 *
 * After the disk has refused a change, the writer tries to write twice as many bytes to a temporary
 * file. Unlike a look at the free space, this also notices quotas, limits on the size of files, and
 * disks that fail for other reasons. */
#include "store/sqlite/disk.h"

#include "base/log.h"
#include "base/time.h"
#include "store/sqlite/state.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRY_EVERY_MS = 1000 /* the interval between two tries */ };

/* ---- Room on the disk ---- */

static bool write_zeros(int file, int64_t at, int64_t bytes) {
    static const char zeros[64 * 1024];
    for (int64_t end = at + bytes; at < end;) {
        size_t part = end - at < (int64_t)sizeof zeros ? (size_t)(end - at) : sizeof zeros;
        ssize_t written = pwrite(file, zeros, part, at);
        if (written <= 0)
            return false;
        at += written;
    }
    return fdatasync(file) == 0;
}

static int64_t size_of(const char *database, const char *ending) {
    char path[PATH_MAX + 8];
    struct stat facts;
    (void)snprintf(path, sizeof path, "%s%s", database, ending);
    return stat(path, &facts) == 0 ? facts.st_size : 0;
}

/* Tries to write `bytes` to a file that has no name any more, so that nothing remains, even after a
 * crash. The bytes are written at the offset where the longer of the database and its WAL ends, so
 * that limits on the size of files apply to them too. */
static bool room_is_there(const char *database, int64_t bytes) {
    char path[PATH_MAX + 16];
    int64_t end = size_of(database, ""), log = size_of(database, "-wal");
    (void)snprintf(path, sizeof path, "%s.room.XXXXXX", database);
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        return false;
    bool is_there = unlink(path) == 0 && write_zeros(file, log > end ? log : end, bytes);
    (void)close(file); /* its content is not needed */
    return is_there;
}

/* Would the disk accept a change of the refused size? Tries it at most once a second. */
static bool has_room(struct sqlite_store *store) {
    int64_t now_ms = time_monotonic_ms();
    int refused = atomic_load(&store->refused_pages);
    if (refused && (!store->tried_ms || now_ms - store->tried_ms >= TRY_EVERY_MS)) {
        /* The WAL adds a header to each page, and the pages are copied to the database later. */
        store->had_room = room_is_there(store->path, INT64_C(2) * refused * PAGE_BYTES);
        store->tried_ms = time_monotonic_ms();
    }
    return !refused || store->had_room;
}

enum status disk_try_room(struct store_tx *tx) {
    return has_room(state_of(tx->session->store)) ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* ---- Refused changes ---- */

/* The number of pages that the writer's connection wrote, or tried to write, since the last
 * call. */
static int take_written(struct sqlite_store *store) {
    int pages = 0, most = 0;
    int result = sqlite3_db_status(store->writer_connection->db, SQLITE_DBSTATUS_CACHE_WRITE,
                                   &pages, &most, true);
    assert(result == SQLITE_OK); /* fails only for an invalid connection */
    (void)result;
    return pages;
}

void disk_begin_group(struct sqlite_store *store) {
    (void)take_written(store);
}

/* Is the database itself damaged? The disk then has nothing to do with it, and trying it again
 * would say that all is well. Reads of other pages go on. */
static bool note_damage(struct sqlite_store *store, int code) {
    if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB)
        return false;
    if (!atomic_exchange(&store->is_damaged, true))
        log_error("database: %s is damaged: changes may fail until it is restored; rosterd check"
                  " says what is wrong",
                  store->path);
    return true;
}

void disk_note_failure(struct sqlite_store *store, bool is_single) {
    int code = sqlite3_extended_errcode(store->writer_connection->db), primary = code & 0xFF;
    int pages = take_written(store), refused = atomic_load(&store->refused_pages);
    (void)state_note_sync_failure(store, code);
    if (note_damage(store, primary) || !is_single ||
        (primary != SQLITE_IOERR && primary != SQLITE_FULL && primary != SQLITE_CANTOPEN &&
         primary != SQLITE_READONLY))
        return;
    if (!refused)
        log_error("database: the disk refuses changes: is %s full?", store->path);
    pages = pages > 0 ? pages : 1;
    atomic_store(&store->refused_pages, pages > refused ? pages : refused);
}

/* A change that is smaller than the refused one proves nothing when it succeeds, so the room is
 * then tried as well. */
void disk_note_success(struct sqlite_store *store) {
    int pages = take_written(store), refused = atomic_load(&store->refused_pages);
    if (!refused || !pages || (pages < refused && !has_room(store)))
        return;
    atomic_store(&store->refused_pages, 0);
    log_info("database: the disk takes changes again");
}
