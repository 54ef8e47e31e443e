/* The data folder: only one server may use it, and only the server's user may read it. */
#include "store/sqlite/folder.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

int folder_lock(const char *folder, int *opened, char *why, size_t why_size) {
    *opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*opened < 0 || access(folder, W_OK | X_OK) != 0) {
        (void)snprintf(why, why_size, "%s: %s; give a folder that can be written (--data)", folder,
                       strerror(errno));
        return EX_CANTCREAT;
    }
    if (flock(*opened, LOCK_EX | LOCK_NB) != 0) {
        (void)snprintf(why, why_size,
                       "%s: in use by another rosterd; stop it or take another"
                       " folder (--data)",
                       folder);
        return EX_TEMPFAIL;
    }
    return EX_OK;
}

/* SQLite gives the WAL and its index the database's mode when it creates them, so existing ones
 * have to be changed too. */
void folder_close_to_others(const char *database) {
    static const char *const endings[] = { "", "-wal", "-shm" };
    char path[PATH_MAX + 8];
    struct stat facts;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, endings[i]);
        /* SQLite opens no WAL through a symbolic link, so the link's target is not Roster's file.
         */
        int links = i ? AT_SYMLINK_NOFOLLOW : 0;
        if (fstatat(AT_FDCWD, path, &facts, links) != 0 || S_ISLNK(facts.st_mode) ||
            !(facts.st_mode & 077))
            continue;
        bool closed = fchmodat(AT_FDCWD, path, facts.st_mode & 0700, links) == 0;
        log_warning("%s: was open to others (mode %04o), %s", path, facts.st_mode & 07777u,
                    closed ? "and is not any more" : strerror(errno));
    }
}
