#ifndef ROSTER_STORE_COPY_H
#define ROSTER_STORE_COPY_H

#include "store/maintenance.h"

/*
 * Backups of databases that are no files: engine->tools of an engine on a server. A backup is an
 * ordinary one of SQLite, made of a copy in a folder beside it.
 */

struct engine;

/** As store_copy, without a line for each table. */
int copy_quietly(const char *from, const char *to, bool is_unsafe, store_say *say);

/** As store_backup and store_restore. A database that is restored must be empty: EX_CANTCREAT. */
int copy_backup(const struct engine *engine, const char *database, const char *path,
                store_say *say);
int copy_restore(const struct engine *engine, const char *database, const char *path, unsigned how,
                 store_say *say);

#endif
