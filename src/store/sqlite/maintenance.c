/* Checks, backs up and restores a database, from another process than the server's.
 *
 * A backup is a copy by SQLite's backup API into a temporary file beside the target, which is
 * checked, synced, and only then linked to the target's name. A restore locks the folder, so that
 * no server uses it. It copies the backup into the folder under a temporary name, checks it, moves
 * what the old WAL has into the old database, and renames the copy over the database. Whenever the
 * process is interrupted, the name `roster.db` therefore belongs to a complete database.
 *
 * The tools may run as root on a folder of another user, who must not be able to redirect their
 * writes. So they resolve the symbolic links of the folder once, and refuse a database that is a
 * link. */
#include "store/sqlite/maintenance.h"

#include "store/check.h"
#include "store/check_key.h"
#include "store/seal_mark.h"
#include "store/sqlite/folder.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/session.h"
#include "store/sqlite/sums.h"
#include "store/sqlite/trailer.h"
#include "version.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- Opening ---- */

/* Resolves the symbolic links in the path of a folder, so that later calls follow none. */
static bool resolve(const char *directory, char resolved[PATH_MAX], store_say *say) {
    if (realpath(directory, resolved))
        return true;
    check_say(say, "%s: %s", directory, strerror(errno));
    return false;
}

/* Is the path a symbolic link? Sets errno as open with O_NOFOLLOW does. */
static bool is_link(const char *path) {
    struct stat facts;
    bool is_link = lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode);
    errno = is_link ? ELOOP : errno;
    return is_link;
}

static void folder_of(const char *path, char folder[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) + 1 : 1;
    (void)snprintf(folder, PATH_MAX, "%.*s", len, slash ? path : ".");
}

/* The database of a folder, or a backup. */
struct place {
    char resolved[PATH_MAX], path[PATH_MAX + 16];
    bool is_file, has_wal; /* a server uses it, or was killed */
};

static bool has_companion(const char *path, const char *ending) {
    char companion[PATH_MAX + 24];
    (void)snprintf(companion, sizeof companion, "%s%s", path, ending);
    return access(companion, F_OK) == 0;
}

static bool find_place(const char *name, struct place *place, store_say *say) {
    struct stat facts;
    if (!resolve(name, place->resolved, say))
        return false;
    place->is_file = stat(place->resolved, &facts) == 0 && S_ISREG(facts.st_mode);
    (void)snprintf(place->path, sizeof place->path, "%s%s", place->resolved,
                   place->is_file ? "" : "/roster.db");
    place->has_wal = has_companion(place->path, "-wal") || has_companion(place->path, "-shm");
    if (place->is_file && place->has_wal) {
        check_say(say, "%s: has a WAL (%s-wal), so it is no backup; name its folder by --data",
                  name, place->path);
        return false;
    }
    if (access(place->path, R_OK) == 0 && !is_link(place->path))
        return true;
    check_say(say, "%s%s: %s", name, place->is_file ? "" : "/roster.db", strerror(errno));
    return false;
}

/* A backup must stay as it is, and a folder may be a snapshot that cannot be written. Without a WAL
 * such a file is all there is; with one, SQLite reads both, and needs the WAL's index. */
static struct connection *open_place(const struct engine *engine, const struct place *place) {
    char folder[PATH_MAX];
    folder_of(place->path, folder);
    bool may_write = access(place->path, W_OK) == 0 && access(folder, W_OK) == 0;
    if (!place->is_file && may_write)
        return session_open(engine, NULL, place->path, false);
    return session_open_to_read(engine, place->path, !place->has_wal);
}

/* Opens the database of a folder, or a backup. NULL, with the exit code in `*code`, when there is
 * none or it cannot be opened. */
static struct connection *open_existing(const struct engine *engine, const char *directory,
                                        store_say *say, int *code) {
    struct place place;
    struct stat facts;
    const char *path = place.path;
    *code = EX_NOINPUT;
    if (!find_place(directory, &place, say))
        return NULL;
    struct connection *connection = NULL;
    bool is_empty =
        stat(path, &facts) == 0 && !facts.st_size; /* opening an empty file would write to it */
    if (!is_empty && !(connection = open_place(engine, &place))) {
        *code = EX_DATAERR;
        check_say(say, "%s: not a database that can be read", path);
    } else if (is_empty || schema_is_empty(&connection->session)) {
        check_say(say, "%s: is empty, or not of Roster; is the right folder mounted?", path);
        session_close(connection);
        connection = NULL;
    }
    return connection;
}

/* ---- Checking ---- */

/* SQLite itself does not look at the application id in the header. */
static bool has_application_id(struct connection *connection, store_say *say) {
    char sql[160];
    int len = snprintf(sql, sizeof sql,
                       "SELECT 'application_id is ' || application_id || ', not %d'"
                       " FROM pragma_application_id WHERE application_id <> %d",
                       SCHEMA_APPLICATION_ID, SCHEMA_APPLICATION_ID);
    assert(len > 0 && (size_t)len < sizeof sql);
    return check_has_none(&connection->session, sql, "header", say);
}

static bool is_whole(struct connection *connection, store_say *say) {
    return check_has_none(&connection->session,
                          "SELECT integrity_check FROM pragma_integrity_check"
                          " WHERE integrity_check <> 'ok'",
                          "integrity", say);
}

static int check_connection(struct connection *connection, const char *directory, store_say *say) {
    char why[256];
    int version = schema_compare_version(&connection->session);
    bool whole = is_whole(connection, say);
    whole &= has_application_id(connection, say);
    if (version != 0) {
        say(version < 0 ? "an older version made this; rosterd brings it up to date when it starts"
                        : "a newer version made this");
        return whole ? EX_CONFIG : EX_DATAERR;
    }
    if (schema_check(&connection->session, why, sizeof why) != STATUS_OK) {
        check_say(say, "schema: %s", why);
        return EX_DATAERR;
    }
    whole &= sums_check(&connection->session, say);
    if (!check_rows(&connection->session, say))
        return EX_DATAERR; /* the other checks look into the rows */
    schema_tell_unknown(&connection->session, say);
    check_unknown_members(&connection->session, say);
    bool sound = check_agreement(&connection->session, say);
    sound &= check_key(&connection->session, directory, "this database", say);
    return sound && whole ? EX_OK : EX_DATAERR;
}

/* Is a backup what it was when it was made? Prints who made it, or what is wrong with it. */
static bool is_as_written(const char *path, store_say *say) {
    struct trailer trailer;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    enum trailer_state state = file < 0 ? TRAILER_UNREADABLE : trailer_check(file, &trailer);
    switch (state) {
    case TRAILER_RIGHT:
        check_say(say, "%s: made by rosterd %s on %s, for the key %s%s", path, trailer.program,
                  trailer.made, trailer.key,
                  trailer_is_newer(&trailer) ? "; this is the older rosterd " ROSTER_VERSION : "");
        break;
    case TRAILER_NONE:
        check_say(say,
                  "%s: has no digest, so a wrong bit inside a value may not be found; rosterd"
                  " backup makes one",
                  path);
        break;
    case TRAILER_FOREIGN: break; /* SQLite says so */
    case TRAILER_WRONG:
        check_say(say, "%s: is damaged or was changed: its digest is another one", path);
        break;
    case TRAILER_UNREADABLE: check_say(say, "%s: %s", path, strerror(errno)); break;
    }
    if (file >= 0)
        (void)close(file); /* opened for reading only */
    return state == TRAILER_RIGHT || state == TRAILER_NONE || state == TRAILER_FOREIGN;
}

static bool is_backup(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode) && access(path, R_OK) == 0 &&
           !has_companion(path, "-wal") && !has_companion(path, "-shm");
}

static int check(const struct engine *engine, const char *directory, const char *folder,
                 store_say *say) {
    int code;
    (void)folder; /* the key is beside the database */
    bool is_same = !is_backup(directory) || is_as_written(directory, say);
    struct connection *connection = open_existing(engine, directory, say, &code);
    if (connection)
        code = check_connection(connection, directory, say);
    session_close(connection);
    return is_same || code == EX_NOINPUT ? code : EX_DATAERR;
}

/* ---- Backup ---- */

/* Copies all pages in one step: they are then from one snapshot, and a writer does not make the
 * copy start again. */
static int copy_pages(struct connection *from, sqlite3 *to, store_say *say) {
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from->db, "main");
    if (backup)
        (void)sqlite3_backup_step(backup, -1); /* sqlite3_backup_finish returns its error */
    if (backup && sqlite3_backup_finish(backup) == SQLITE_OK &&
        /* Leaves WAL mode, so that the backup is a single file, which can be moved. */
        sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) == SQLITE_OK)
        return EX_OK;
    check_say(say, "the backup cannot be written: %s", sqlite3_errmsg(to));
    return EX_IOERR;
}

/* `name` NULL: nobody wants to know the name of the key. */
static int copy_to(struct connection *from, const char *path, char *name, store_say *say) {
    struct connection copy = { .session.engine = from->session.engine };
    int code = EX_IOERR;
    if (sqlite3_open_v2(path, &copy.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) ==
        SQLITE_OK)
        code = copy_pages(from, copy.db, say);
    else
        check_say(say, "%s: %s", path, sqlite3_errmsg(copy.db));
    if (code == EX_OK && !is_whole(&copy, say))
        code = EX_DATAERR;
    if (code == EX_OK && name && connection_has_table(&copy, "seal_mark") &&
        seal_mark_name(&copy.session, name) != STATUS_OK) {
        check_say(say, "the mark of the key cannot be read: %s", sqlite3_errmsg(copy.db));
        code = EX_DATAERR;
    }
    if (sqlite3_close(copy.db) != SQLITE_OK && code == EX_OK) {
        say("the backup cannot be closed");
        code = EX_IOERR;
    }
    return code;
}

static int add_trailer(int file, const char *name, const char *path, store_say *say) {
    if (trailer_add(file, name))
        return EX_OK;
    check_say(say, "%s: %s", path, strerror(errno));
    return EX_IOERR;
}

/* Makes the file durable and links it to its name, which must not exist yet. */
static int place(int file, const char *temporary, const char *path, store_say *say) {
    char folder[PATH_MAX];
    folder_of(path, folder);
    int opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool placed =
        opened >= 0 && fsync(file) == 0 && link(temporary, path) == 0 && fsync(opened) == 0;
    if (!placed)
        check_say(say, "%s: %s", path, strerror(errno));
    if (opened >= 0)
        (void)close(opened); /* opened for reading only */
    return placed ? EX_OK : EX_CANTCREAT;
}

/* Removes the files that SQLite keeps beside a database. */
static bool remove_companions(const char *database) {
    static const char *const endings[] = { "-wal", "-shm", "-journal" };
    char path[PATH_MAX + 8];
    bool removed = true;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", database, endings[i]);
        removed &= unlink(path) == 0 || errno == ENOENT;
    }
    return removed;
}

/* Removes the temporary name, and the files that a failed copy leaves beside it. A successful copy
 * has its own name already. */
static void remove_temporary(const char *temporary) {
    (void)remove_companions(temporary);
    (void)unlink(temporary);
}

/* Makes a mkostemp pattern for a file in the folder of `path`, without symbolic links in it. */
static bool name_beside(const char *path, char temporary[PATH_MAX], store_say *say) {
    char folder[PATH_MAX], resolved[PATH_MAX];
    folder_of(path, folder);
    if (!resolve(folder, resolved, say))
        return false;
    const char *slash = strrchr(path, '/');
    int len = snprintf(temporary, PATH_MAX, "%s/%s.XXXXXX", resolved, slash ? slash + 1 : path);
    if (len > 0 && len < PATH_MAX)
        return true;
    check_say(say, "%s: the path is too long", path);
    return false;
}

static int backup(const struct engine *engine, const char *directory, const char *path,
                  store_say *say) {
    char temporary[PATH_MAX], key[SEAL_NAME_SIZE + 1] = "none";
    int code;
    if (access(path, F_OK) == 0 || is_link(path)) {
        check_say(say, "%s: %s", path, "give the name of a file that is not there yet");
        return EX_CANTCREAT;
    }
    if (!name_beside(path, temporary, say))
        return EX_CANTCREAT;
    struct connection *connection = open_existing(engine, directory, say, &code);
    if (!connection)
        return code;
    int file = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (file < 0) {
        check_say(say, "%s: %s", path, strerror(errno));
        session_close(connection);
        return EX_CANTCREAT;
    }
    code = copy_to(connection, temporary, key, say);
    if (code == EX_OK)
        code = add_trailer(file, key, path, say);
    if (code == EX_OK)
        code = place(file, temporary, path, say);
    remove_temporary(temporary);
    (void)close(file);
    session_close(connection);
    return code;
}

/* ---- Restoring ---- */

/* Does a copy have the content of a Roster database? Complete pages may still be those of another
 * program's database, or of an empty file. A key in the folder that is not the backup's is only
 * reported, because the operator can replace it after the restore. */
static int check_content(struct connection *copy, const char *directory, store_say *say) {
    char why[256];
    if (!check_has_none(
            &copy->session,
            "SELECT 'no database of Roster' FROM pragma_user_version WHERE user_version < 1"
            " OR NOT EXISTS (SELECT 1 FROM pragma_table_info('users'))",
            "the backup", say) ||
        !has_application_id(copy, say))
        return EX_DATAERR;
    int version = schema_compare_version(&copy->session);
    if (version > 0) {
        say("a newer version made the backup");
        return EX_CONFIG;
    }
    if (version < 0)
        return EX_OK;
    if (schema_check(&copy->session, why, sizeof why) != STATUS_OK) {
        check_say(say, "schema: %s", why);
        return EX_DATAERR;
    }
    (void)check_key(&copy->session, directory, "the backup; copy that key there before the start",
                    say);
    return EX_OK;
}

static int check_copy(const struct engine *engine, const char *path, const char *directory,
                      store_say *say) {
    struct connection copy = { .session.engine = engine };
    int code = EX_IOERR;
    if (sqlite3_open_v2(path, &copy.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) ==
            SQLITE_OK &&
        sums_add_functions(&copy))
        code = check_content(&copy, directory, say);
    else
        check_say(say, "the backup: %s", sqlite3_errmsg(copy.db));
    if (sqlite3_close(copy.db) != SQLITE_OK && code == EX_OK) {
        say("the backup cannot be closed");
        code = EX_IOERR;
    }
    return code;
}

/* Tokens may have been revoked since the backup was made, and its pending deliveries been made. */
static int revoke_access(const char *path, store_say *say) {
    static const char
        tokens[] = "DELETE FROM tokens;",
        deliveries[] = "UPDATE web_hook_deliveries SET Version = Version + 1, Status = 4,"
                       " NextAttempt = NULL, LastError = 'The database was restored from a backup.'"
                       " WHERE Status = 1;";
    struct connection copy = { 0 };
    int result =
        sqlite3_open_v2(path, &copy.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (result == SQLITE_OK && !sums_add_functions(&copy))
        result = SQLITE_NOMEM;
    if (result == SQLITE_OK)
        result = sqlite3_exec(copy.db, "PRAGMA secure_delete = ON;", NULL, NULL, NULL);
    if (result == SQLITE_OK && connection_has_table(&copy, "tokens"))
        result = sqlite3_exec(copy.db, tokens, NULL, NULL, NULL);
    if (result == SQLITE_OK && connection_has_table(&copy, "web_hook_deliveries"))
        result = sqlite3_exec(copy.db, deliveries, NULL, NULL, NULL);
    if (result != SQLITE_OK)
        check_say(say, "the backup's tokens cannot be revoked: %s", sqlite3_errmsg(copy.db));
    if (sqlite3_close(copy.db) != SQLITE_OK)
        result = SQLITE_ERROR;
    return result == SQLITE_OK ? EX_OK : EX_IOERR;
}

/* Copies the backup to the temporary file. The backup is opened read-only: it must stay as it is,
 * and may lie in a folder that cannot be written. */
static int copy_backup(const struct engine *engine, const char *path, const char *temporary,
                       store_say *say) {
    struct connection backup = { .session.engine = engine };
    int code = EX_NOINPUT;
    if (access(path, R_OK) != 0) {
        check_say(say, "%s: %s", path, strerror(errno));
        return code;
    }
    if (!is_as_written(path, say))
        return EX_DATAERR;
    if (sqlite3_open_v2(path, &backup.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        check_say(say, "%s: %s", path, sqlite3_errmsg(backup.db));
    else if (sqlite3_exec(backup.db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) !=
             SQLITE_OK) {
        check_say(say, "%s: %s", path, sqlite3_errmsg(backup.db));
        code = EX_DATAERR;
    } else
        code = copy_to(&backup, temporary, NULL, say);
    (void)sqlite3_close(backup.db); /* it was only read */
    return code;
}

/* Moves the content of the WAL into the database that is in the folder. A WAL that stays would be
 * applied to the restored database; one that is removed would be missing from the old database if
 * the restore is then interrupted. A file that is no database (any more) has no WAL that
 * matters. */
static int fold_wal(const char *database, store_say *say) {
    sqlite3 *db = NULL;
    struct stat facts;
    if (lstat(database, &facts) != 0)
        return EX_OK;
    int result = sqlite3_open_v2(database, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    int closed = sqlite3_close(db);
    if (result == SQLITE_OK)
        result = closed;
    if (result == SQLITE_OK || result == SQLITE_NOTADB || result == SQLITE_CORRUPT)
        return EX_OK;
    check_say(say, "%s: %s; nothing is changed", database, sqlite3_errstr(result));
    return result == SQLITE_BUSY ? EX_TEMPFAIL : EX_IOERR;
}

/* Renames the copy over the database. Before that, the files beside the old database are removed
 * durably. */
static int replace(int directory, int file, const char *temporary, const char *database,
                   store_say *say) {
    if (fsync(file) == 0 && remove_companions(database) && fsync(directory) == 0 &&
        rename(temporary, database) == 0 && fsync(directory) == 0)
        return EX_OK;
    check_say(say, "%s: %s", database, strerror(errno));
    return EX_IOERR;
}

static void miss_key(const char *directory, store_say *say) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/roster.key", directory);
    if (access(path, F_OK) != 0)
        check_say(say, "%s: is not there; copy the key of the backup to it before the start", path);
}

/* Gives the file to the owner of the folder, in case root restores for the user that the server
 * runs as. This is the last change to the file: until then no other user can open it. */
static bool give_to_owner(int file, int directory) {
    struct stat facts;
    return geteuid() != 0 ||
           (fstat(directory, &facts) == 0 && fchown(file, facts.st_uid, facts.st_gid) == 0);
}

/* A restore of the backup `path` into a folder that is locked. */
struct restoring {
    const struct engine *engine;
    const char *path;
    int folder;
    unsigned how; /* as of store_restore */
};

static int restore_into(const struct restoring *restoring, const char *directory, store_say *say) {
    char database[PATH_MAX], temporary[PATH_MAX + 8];
    int len = snprintf(database, sizeof database, "%s/roster.db", directory);
    if (len < 0 || (size_t)len >= sizeof database) {
        say("the path of the data folder is too long");
        return EX_USAGE;
    }
    (void)snprintf(temporary, sizeof temporary, "%s.XXXXXX", database);
    int file = is_link(database) ? -1 : mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    int code = EX_CANTCREAT;
    if (file < 0) {
        check_say(say, "%s: %s", database, strerror(errno));
        return code;
    }
    code = copy_backup(restoring->engine, restoring->path, temporary, say);
    if (code == EX_OK)
        code = check_copy(restoring->engine, temporary, directory, say);
    if (code == EX_OK && !(restoring->how & RESTORE_AS_IS))
        code = revoke_access(temporary, say);
    if (code == EX_OK)
        code = fold_wal(database, say);
    if (code == EX_OK && !give_to_owner(file, restoring->folder)) {
        check_say(say, "%s: %s", database, strerror(errno));
        code = EX_CANTCREAT;
    }
    if (code == EX_OK)
        code = replace(restoring->folder, file, temporary, database, say);
    remove_temporary(temporary);
    (void)close(file);
    return code;
}

/* Makes the folder if it does not exist. If root makes it, the owner of the folder around it
 * becomes its owner. */
static bool make_folder(const char *directory, store_say *say) {
    char around[PATH_MAX + 4];
    struct stat facts;
    if (mkdir(directory, 0700) != 0)
        return true; /* it exists, or folder_lock reports why it cannot be opened */
    (void)snprintf(around, sizeof around, "%s/..", directory);
    if (geteuid() != 0 ||
        (stat(around, &facts) == 0 && lchown(directory, facts.st_uid, facts.st_gid) == 0))
        return true;
    check_say(say, "%s: %s", directory, strerror(errno));
    return false;
}

static int restore(const struct engine *engine, const char *directory, const char *path,
                   unsigned how, store_say *say) {
    char why[PATH_MAX + 128], resolved[PATH_MAX];
    int opened = -1;
    if (!make_folder(directory, say))
        return EX_CANTCREAT;
    int code = folder_lock(directory, &opened, why, sizeof why);
    if (code != EX_OK)
        say(why);
    else
        code = resolve(directory, resolved, say)
                   ? restore_into(&(struct restoring){ engine, path, opened, how }, resolved, say)
                   : EX_CANTCREAT;
    if (code == EX_OK)
        miss_key(directory, say);
    if (opened >= 0)
        (void)close(opened); /* also unlocks */
    return code;
}

const struct engine_tools maintenance_tools = { check, backup, restore };
