#ifndef ROSTER_SERVER_BACKUP_FOLDER_H
#define ROSTER_SERVER_BACKUP_FOLDER_H

#include "base/status.h"
#include "store/maintenance.h"

/**
 * Backs up a database (as store_backup) into `folder`, as a file that has the time in its name, and
 * prints its path to standard output. Then removes the oldest backups beyond the newest `keep` (a
 * number as text; NULL: none is removed), and what interrupted backups have left. Other files are
 * never touched: only names that this function makes itself. EX_USAGE: `keep` is no number;
 * EX_CANTCREAT: the folder cannot be used; EX_TEMPFAIL: another backup is being made there; else as
 * store_backup. A failure is printed.
 */
int backup_folder_run(const char *database, const char *folder, const char *keep,
                      store_say *say) MUST_CHECK;

#endif
