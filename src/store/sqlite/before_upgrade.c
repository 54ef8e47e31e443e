/* The copy of a database that an upgrade is about to change. */
#include "store/sqlite/before_upgrade.h"

#include "base/log.h"
#include "store/seal_mark.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/trailer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const uint64_t MIB = UINT64_C(1024) * 1024;

static const char *const copy_name = "roster.db.before-upgrade", *const temporary_name =
                                                                     "roster.db.before-upgrade.new";

/* Besides the copy, the upgrade may write every page once more, to the WAL, and what it adds there
 * and to the file: sums of rows made a database of 10,000 users larger by a sixth. */
static bool has_room(const struct sqlite_store *store) {
    struct statvfs disk;
    struct stat facts;
    if (fstatvfs(store->directory, &disk) != 0 || stat(store->path, &facts) != 0) {
        log_error("%s: %s", store->path, strerror(errno));
        return false;
    }
    const uint64_t needed = (uint64_t)facts.st_size / 2 * 5, room = disk.f_bavail * disk.f_frsize;
    if (room >= needed)
        return true;
    log_error("%s: the upgrade first copies it; that and the upgrade need %" PRIu64
              " MiB, but only %" PRIu64 " MiB are free",
              store->path, needed / MIB + 1, room / MIB);
    return false;
}

/* By SQLite, since closing another descriptor of the database would end the locks that SQLite
 * has on it (fcntl(2)). */
static bool copy_pages(struct sqlite_store *store, const char *path) {
    sqlite3 *to = NULL;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;
    int result = sqlite3_open_v2(path, &to, flags, NULL);
    sqlite3_backup *backup =
        result == SQLITE_OK ? sqlite3_backup_init(to, "main", store->writer_connection->db, "main")
                            : NULL;
    if (backup) {
        (void)sqlite3_backup_step(backup, -1); /* sqlite3_backup_finish returns its error */
        result = sqlite3_backup_finish(backup);
    } else if (result == SQLITE_OK) {
        result = sqlite3_errcode(to);
    }
    if (result == SQLITE_OK) /* so that the copy is a single file */
        result = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (result != SQLITE_OK)
        log_error("%s: the copy before the upgrade cannot be written: %s", path,
                  sqlite3_errmsg(to));
    return sqlite3_close(to) == SQLITE_OK && result == SQLITE_OK;
}

static bool make_durable(const struct sqlite_store *store) {
    char key[SEAL_NAME_SIZE + 1] = "none";
    struct connection *connection = store->writer_connection;
    if (connection_has_table(connection, "seal_mark") &&
        seal_mark_name(&connection->session, key) != STATUS_OK)
        return false; /* which is logged */
    int file = openat(store->directory, temporary_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    bool done = file >= 0 && trailer_add(file, key) && fsync(file) == 0 &&
                renameat(store->directory, temporary_name, store->directory, copy_name) == 0 &&
                fsync(store->directory) == 0;
    if (!done)
        log_error("%s: the copy before the upgrade cannot be kept: %s", store->path,
                  strerror(errno));
    if (file >= 0)
        (void)close(file); /* it is synced */
    return done;
}

static void remove_temporary(const struct sqlite_store *store) {
    static const char *const endings[] = { "", "-journal", "-wal", "-shm" };
    char name[64];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", temporary_name, endings[i]);
        (void)unlinkat(store->directory, name, 0); /* usually it is not there */
    }
}

enum status before_upgrade_copy(struct sqlite_store *store) {
    struct store_session *session = &store->writer_connection->session;
    char path[PATH_MAX + 32];
    if (schema_is_empty(session) || schema_compare_version(session) >= 0)
        return STATUS_OK;
    if (!has_room(store))
        return STATUS_INTERNAL;
    (void)snprintf(path, sizeof path, "%s.before-upgrade.new", store->path);
    remove_temporary(store);
    bool done = copy_pages(store, path) && make_durable(store);
    remove_temporary(store);
    if (done)
        log_info("%s: upgrading; a copy of what it was is %s beside it, which you can remove later",
                 store->path, copy_name);
    return done ? STATUS_OK : STATUS_INTERNAL;
}
