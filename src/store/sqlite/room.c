/* Would the disk take so many bytes more? Asked by writing them: that also tells of quotas, of
 * limits to the size of files, and of a disk that fails for other reasons than want of room. */
#include "store/sqlite/sqlite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
bool room_is_there(const char *database, int64_t bytes) {
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
