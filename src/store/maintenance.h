#ifndef ROSTER_STORE_MAINTENANCE_H
#define ROSTER_STORE_MAINTENANCE_H

/*
 * Checking, backing up and restoring a database, for the tools that an operator runs. Checks and
 * backups change nothing in it, and work while a server uses it. `database` is a data folder, or
 * the URL of a database as in struct store_options. All functions return EX_CONFIG if this program
 * was built without the engine of the URL.
 */

#include <stdbool.h>

/** The file in the data folder whose time is that of the last backup by `rosterd backup`. */
#define LAST_BACKUP "last-backup"

/** Is called with each line to print. */
typedef void store_say(const char *line);

/**
 * Checks a database, which may also be a file that store_backup made. Works with a folder or file
 * that cannot be written: its pages and indexes (integrity_check), its schema against
 * the field tables, that all referenced rows exist, and that the texts which searches look into are
 * those of the records. `folder` is the data folder whose key is compared, unless the database is
 * in a folder itself. Of a database that no folder holds, pages and indexes are the server's to
 * check, which is printed. Prints each fault. EX_OK; EX_DATAERR: there are faults; EX_NOINPUT:
 * there is no database, or an empty one; EX_CONFIG: another version made it; otherwise as
 * store_open.
 */
int store_check(const char *database, const char *folder, store_say *say);

/**
 * Copies a database, as of one point in time, to the new file `path` (mode 0600),
 * which appears under its name only once it is complete and durable. EX_OK; EX_NOINPUT as above;
 * EX_CANTCREAT, also when a file of that name exists; EX_IOERR; EX_DATAERR: the copy is damaged. A
 * failure is printed.
 */
int store_backup(const char *database, const char *path, store_say *say);

/** How a backup is restored: a bit each. */
enum restore_how {
    RESTORE_AS_IS = 1 << 0,  /* with its tokens and pending webhook deliveries */
    RESTORE_UNSAFE = 1 << 1, /* is_unsafe of struct store_options */
};

/**
 * Replaces a database by the backup `path`; a data folder is created if necessary. If the
 * process is interrupted, the folder has either the complete old database or the backup. EX_OK;
 * EX_NOINPUT: there is no backup at `path`; EX_DATAERR: it is damaged or not Roster's; EX_CONFIG: a
 * newer version made it; EX_TEMPFAIL: another process uses the folder; EX_CANTCREAT; EX_IOERR. A
 * failure is printed. Unless RESTORE_AS_IS is in `how`, all tokens of the backup are revoked and
 * its pending webhook deliveries cancelled: tokens may have been revoked since, and deliveries been
 * made. Prints if the key is missing: a backup does not contain the key of the sealed fields.
 */
int store_restore(const char *database, const char *path, unsigned how, store_say *say);

/**
 * Copies a database into an empty one, which may have another engine; a data folder is made if
 * necessary. Upgrades `from` as a start does. No server may use `from` if it is a folder, or write
 * to `to`. Reads both afterwards, compares the rows, and prints their number and a digest for each
 * table. No server starts on `to` before that, should the copy fail or be interrupted. `is_unsafe`:
 * of `to`, as in struct store_options. EX_OK;
 * EX_DATAERR: the copy differs; EX_NOINPUT: there is nothing to copy; EX_CANTCREAT: `to` is not
 * empty, or cannot be made; EX_IOERR; otherwise as store_open. A failure is printed.
 */
int store_copy(const char *from, const char *to, bool is_unsafe, store_say *say);

#endif
