/* Does the disk take changes? After it refused one, this is found out by writing as many bytes to a
 * file that is removed again: that also tells of quotas, of limits to the size of files, and of a
 * disk that fails for other reasons than that it is full. */
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

enum { TRY_EVERY_MS = 1000 /* so often room is looked for */ };

/* ---- Is there room? ---- */

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

/* The file has no name any more when it is written, so nothing is left whatever happens. It is
 * written where the longer of the database and its log ends, as those would be. */
static bool room_is_there(const char *database, int64_t bytes) {
    char path[PATH_MAX + 16];
    int64_t end = size_of(database, ""), log = size_of(database, "-wal");
    (void)snprintf(path, sizeof path, "%s.room.XXXXXX", database);
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        return false;
    bool is_there = unlink(path) == 0 && write_zeros(file, log > end ? log : end, bytes);
    (void)close(file); /* what it holds is of no use */
    return is_there;
}

/* Looks, now and then, whether the disk would take as much again as it refused. */
static bool has_room(struct store *store) {
    int64_t now_ms = time_monotonic_ms();
    int refused = atomic_load(&store->refused_pages);
    if (refused && (!store->tried_ms || now_ms - store->tried_ms >= TRY_EVERY_MS)) {
        /* The log has more than the pages, and all of it goes into the database later. */
        store->had_room = room_is_there(store->path, INT64_C(2) * refused * PAGE_BYTES);
        store->tried_ms = time_monotonic_ms();
    }
    return !refused || store->had_room;
}

enum status store_try_room(struct store_tx *tx) {
    return has_room(tx->session->store) ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* ---- What it refused ---- */

/* How many pages the writer's connection wrote, or tried to, since it was asked last. */
static int take_written(struct store *store) {
    int pages = 0, most = 0;
    int result = sqlite3_db_status(store->writer_connection->db, SQLITE_DBSTATUS_CACHE_WRITE,
                                   &pages, &most, true);
    assert(result == SQLITE_OK); /* else this is no connection */
    (void)result;
    return pages;
}

void disk_begin_group(struct store *store) {
    (void)take_written(store);
}

void disk_note_failure(struct store *store, bool is_single) {
    int code = sqlite3_extended_errcode(store->writer_connection->db), primary = code & 0xFF;
    int pages = take_written(store), refused = atomic_load(&store->refused_pages);
    (void)state_note_sync_failure(store, code);
    if (!is_single ||
        (primary != SQLITE_IOERR && primary != SQLITE_FULL && primary != SQLITE_CANTOPEN &&
         primary != SQLITE_READONLY && primary != SQLITE_CORRUPT))
        return;
    if (!refused)
        log_error("database: the disk refuses changes: is %s full?", store->path);
    pages = pages > 0 ? pages : 1;
    atomic_store(&store->refused_pages, pages > refused ? pages : refused);
}

/* A smaller change than the refused one may fit where that did not, so its success alone proves
 * nothing. */
void disk_note_success(struct store *store) {
    int pages = take_written(store), refused = atomic_load(&store->refused_pages);
    if (!refused || !pages || (pages < refused && !has_room(store)))
        return;
    atomic_store(&store->refused_pages, 0);
    log_info("database: the disk takes changes again");
}
