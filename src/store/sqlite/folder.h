#ifndef ROSTER_STORE_SQLITE_FOLDER_H
#define ROSTER_STORE_SQLITE_FOLDER_H

/* The data folder. */

#include <stddef.h>

/**
 * Opens a data folder and locks it for this process until `*opened` is closed (-1: it was not
 * opened). EX_OK; EX_CANTCREAT or EX_TEMPFAIL with a line in `why`.
 */
int folder_lock(const char *folder, int *opened, char *why, size_t why_size);

/**
 * Removes all access by other users to the database, its WAL and its index. Logs each file that was
 * accessible.
 */
void folder_close_to_others(const char *database);

#endif
