#ifndef ROSTER_STORE_SQLITE_FOLDER_H
#define ROSTER_STORE_SQLITE_FOLDER_H

/* The data folder. */

#include <stddef.h>

/**
 * Opens a data folder and locks it for this process alone, until `*opened` is closed (-1: was not
 * opened). EX_OK; EX_CANTCREAT, EX_TEMPFAIL with a line in `why`.
 */
int folder_lock(const char *folder, int *opened, char *why, size_t why_size);

/** Takes the rights to the database and what is beside it from everybody else; logged. */
void folder_close_to_others(const char *database);

#endif
