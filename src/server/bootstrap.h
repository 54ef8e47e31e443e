#ifndef ROSTER_SERVER_BOOTSTRAP_H
#define ROSTER_SERVER_BOOTSTRAP_H

#include "base/settings.h"
#include "crypto/seal.h"
#include "store/store.h"

/** Where the data are when --data does not say. */
#define DEFAULT_DATA_FOLDER "./roster-data"

enum {
    DATA_FOLDER_PATH_MAX = 4096 - 16
}; /* with the NUL; leaves room for the names of its files */

/** The data folder of a running server, and what lies in it. */
struct data_folder {
    char path[DATA_FOLDER_PATH_MAX];
    bool is_temporary; /* the demo's own: it is removed at the end */
    const char *url;   /* of the database; NULL: it lies in the folder */
    struct store *store;
    struct seal_key *key;
    bool awaits_administrator; /* who comes by the link (api/ui/first_run.h) */
};

/**
 * The URL of the database in the settings; NULL: it lies in the data folder.
 */
const char *bootstrap_url(const struct settings *settings) MUST_CHECK;

/**
 * Checks the settings of the database. EX_OK, or EX_USAGE after a line on standard error.
 */
int bootstrap_check(const struct settings *settings) MUST_CHECK;

/**
 * Chooses the data folder and makes it if need be, opens the database, fills an empty one with its
 * first records, and reads the key or makes it. Waits --database-wait seconds for a database that
 * does not answer, or until SIGTERM or SIGINT, which the thread must have blocked. `*folder` is
 * zeroed before. EX_OK, or a code of sysexits.h after a line on standard error. Main thread, once,
 * before all that needs the store.
 */
int bootstrap_open(struct data_folder *folder, const struct settings *settings) MUST_CHECK;

/**
 * Opens the database of a data folder that exists, without its key, for a command that runs while
 * no server does. Makes no folder, no database and no records. `*folder` is zeroed before; close it
 * with bootstrap_close after EX_OK. Else a code of sysexits.h, and `why` has a line: EX_NOINPUT,
 * EX_TEMPFAIL (another process uses the folder), those of store_open. Main thread.
 */
int bootstrap_open_existing(struct data_folder *folder, const struct settings *settings, char *why,
                            size_t why_size) MUST_CHECK;

/**
 * Reads the key of an open database, and finishes a rotation of it that was interrupted.
 * `may_make`: makes a key if the database never had one. EX_OK, or EX_NOINPUT or EX_IOERR after a
 * line on standard error. Main thread.
 */
int bootstrap_open_key(struct data_folder *folder, bool may_make) MUST_CHECK;

/** Closes the store, frees the key, and removes a temporary folder. Takes what is half open. */
void bootstrap_close(struct data_folder *folder);

#endif
