/* A module for the shell of SQLite: the functions of the sums of rows, without which it can read a
 * database of Roster, but write only to tables that have no sums. Tests load it (database.mjs). */
#include "store/sqlite/connection.h"
#include "store/sqlite/sums.h"

/* The name that SQLite derives from the file's. */
int sqlite3_rowsums_init(sqlite3 *db);

int sqlite3_rowsums_init(sqlite3 *db) {
    struct connection connection = { .db = db };
    return sums_add_functions(&connection) ? SQLITE_OK : SQLITE_NOMEM;
}
