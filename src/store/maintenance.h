#ifndef ROSTER_STORE_MAINTENANCE_H
#define ROSTER_STORE_MAINTENANCE_H

/*
 * Operators check, copy and restore a data folder by these from outside. Checks and backups change
 * nothing in it, and do not mind a server.
 */

/** Gets one line on what was found. */
typedef void store_say(const char *line);

/**
 * Looks whether the database in `directory` is whole: its pages and indexes (integrity_check), its
 * shape against the field tables, whether all that rows refer to is there, and whether the texts
 * that searches look into are those of the records. Each fault is printed. EX_OK; EX_DATAERR with
 * faults; EX_NOINPUT, there is none, or an empty one; EX_CONFIG, another version made it.
 */
int store_check(const char *directory, store_say *say);

/**
 * Copies the database in `directory`, as it is at one point in time, to the new file `path` (mode
 * 0600), which appears under its name only when it is whole and on the disk. EX_OK; EX_NOINPUT, as
 * above; EX_CANTCREAT, also when there is something of that name; EX_IOERR; EX_DATAERR, the copy is
 * not whole. A failure is said.
 */
int store_backup(const char *directory, const char *path, store_say *say);

/**
 * Puts the backup `path` in the place of the database in `directory`, which is made if need be.
 * If something ends it early, the folder has either the old database whole, or the backup. EX_OK;
 * EX_NOINPUT, no backup there; EX_DATAERR, it is not whole or none of Roster's; EX_CONFIG, a newer
 * version made it; EX_TEMPFAIL, somebody uses the folder; EX_CANTCREAT; EX_IOERR. A failure is
 * said; so it is when the key of the sealed fields is not in the folder, which no backup has.
 */
int store_restore(const char *directory, const char *path, store_say *say);

#endif
