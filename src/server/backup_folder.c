/* `rosterd backup --to DIR --keep N`: a folder of backups, for a timer.
 *
 * Only one process at a time has the lock on the folder, so temporary files that are there belong
 * to runs that were interrupted, and are removed. */
#include "server/backup_folder.h"

#include "base/log.h"
#include "base/text.h"
#include "base/time.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* Of a name: 0 stands for any digit, all other characters for themselves. The order of the names is
 * that of the times (UTC). */
static const char pattern[] = "roster-00000000T000000.000Z.db";

enum { NAME_LEN = sizeof pattern - 1, RANDOM_LEN = 6, KEEP_MOST = 100000 };

/* Does the name begin like that of a backup? */
static bool begins_as_backup(const char *name) {
    size_t i = 0;
    while (i < NAME_LEN &&
           (pattern[i] == '0' ? name[i] >= '0' && name[i] <= '9' : name[i] == pattern[i]))
        i++;
    return i == NAME_LEN;
}

static int is_backup(const struct dirent *entry) {
    return begins_as_backup(entry->d_name) && !entry->d_name[NAME_LEN];
}

/* store_backup writes to NAME.XXXXXX, and SQLite to NAME.XXXXXX-journal. */
static int is_leftover(const struct dirent *entry) {
    const char *rest = entry->d_name + NAME_LEN + 1;
    return begins_as_backup(entry->d_name) && entry->d_name[NAME_LEN] == '.' &&
           strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
               RANDOM_LEN &&
           (!rest[RANDOM_LEN] || strcmp(rest + RANDOM_LEN, "-journal") == 0 ||
            strcmp(rest + RANDOM_LEN, "-wal") == 0 || strcmp(rest + RANDOM_LEN, "-shm") == 0);
}

/* Removes the files that `is_one` selects, the oldest first, up to `spared` of them, and never the
 * one called `made`. */
static bool remove_files(int opened, const char *folder, int (*is_one)(const struct dirent *),
                         long spared, const char *made) {
    struct dirent **found;
    struct stat facts;
    bool removed = true;
    int count = scandir(folder, &found, is_one, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = found[i]->d_name;
        if (i < count - spared && (!made || strcmp(name, made) != 0) &&
            fstatat(opened, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(facts.st_mode))
            removed &= unlinkat(opened, name, 0) == 0;
    }
    for (int i = 0; i < count; i++)
        free(found[i]);
    if (count >= 0)
        free(found);
    return count >= 0 && removed;
}

/* Opens the folder and locks it. */
static int open_folder(const char *folder, int *opened, store_say *say) {
    char why[PATH_MAX + 128];
    *opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*opened >= 0 && flock(*opened, LOCK_EX | LOCK_NB) == 0)
        return EX_OK;
    bool is_busy = *opened >= 0 && errno == EWOULDBLOCK;
    (void)snprintf(why, sizeof why, "--to %s: %s", folder,
                   is_busy ? "another backup is being made there" : strerror(errno));
    say(why);
    return is_busy ? EX_TEMPFAIL : EX_CANTCREAT;
}

/* "roster-20261127T182530.123Z.db" */
static void name_by_time(char name[NAME_LEN + 1]) {
    const int64_t now_ms = time_now_ms();
    const time_t now = (time_t)(now_ms / 1000);
    struct tm parts = { 0 };
    char seconds[sizeof "roster-00000000T000000"];
    (void)gmtime_r(&now, &parts); /* fails only for years that no clock has */
    (void)strftime(seconds, sizeof seconds, "roster-%Y%m%dT%H%M%S", &parts);
    int len = snprintf(name, NAME_LEN + 1, "%s.%03dZ.db", seconds, (int)(now_ms % 1000));
    assert(len == NAME_LEN);
    (void)len;
}

static int make(const char *database, const char *folder, const char *name, store_say *say) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (len < 0 || (size_t)len >= sizeof path) {
        say("--to: the path is too long");
        return EX_CANTCREAT;
    }
    int code = store_backup(database, path, say);
    if (code == EX_OK)
        (void)printf("%s\n", path);
    return code;
}

int backup_folder_run(const char *database, const char *folder, const char *keep, store_say *say) {
    char name[NAME_LEN + 1];
    int64_t kept = INT_MAX;
    int opened = -1;
    if (keep && (!text_to_int64(text_of(keep), &kept) || kept < 1 || kept > KEEP_MOST)) {
        say("--keep must be a whole number from 1 to 100000");
        return EX_USAGE;
    }
    int code = open_folder(folder, &opened, say);
    if (code == EX_OK) {
        bool is_clean = remove_files(opened, folder, is_leftover, 0, NULL);
        name_by_time(name);
        code = make(database, folder, name, say);
        is_clean &= code != EX_OK || remove_files(opened, folder, is_backup, (long)kept, name);
        if (code == EX_OK && (!is_clean || fsync(opened) != 0)) {
            say("the backup is made, but older files cannot be removed");
            code = EX_IOERR;
        }
    }
    if (opened >= 0)
        (void)close(opened); /* also unlocks */
    return code;
}
