/* Backups of databases that are no files, by way of a data folder beside the file. */
#include "store/check.h"
#include "store/copy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* A data folder with a name of its own beside `path`. */
static bool make_folder(const char *path, char folder[PATH_MAX], store_say *say) {
    int len = snprintf(folder, PATH_MAX, "%s.XXXXXX", path);
    if (len > 0 && len < PATH_MAX - 16 && mkdtemp(folder))
        return true;
    check_say(say, "%s: %s", path, len < PATH_MAX - 16 ? strerror(errno) : "the path is too long");
    return false;
}

static void remove_folder(const char *folder) {
    static const char *const files[] = { "roster.db", "roster.db-wal", "roster.db-shm" };
    char path[PATH_MAX + 16];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        (void)unlink(path); /* it may not be there */
    }
    (void)rmdir(folder);
}

int copy_backup(const struct engine *engine, const char *database, const char *path,
                store_say *say) {
    char folder[PATH_MAX];
    (void)engine;
    if (access(path, F_OK) == 0) {
        check_say(say, "%s: give the name of a file that is not there yet", path);
        return EX_CANTCREAT;
    }
    if (!make_folder(path, folder, say))
        return EX_CANTCREAT;
    int code = copy_quietly(database, folder, false, say);
    if (code == EX_OK)
        code = store_backup(folder, path, say);
    remove_folder(folder);
    return code;
}

int copy_restore(const struct engine *engine, const char *database, const char *path, unsigned how,
                 store_say *say) {
    char folder[PATH_MAX];
    (void)engine;
    if (!make_folder(path, folder, say))
        return EX_CANTCREAT;
    int code = store_restore(folder, path, how, say);
    if (code == EX_OK)
        code = copy_quietly(folder, database, how & RESTORE_UNSAFE, say);
    remove_folder(folder);
    return code;
}
