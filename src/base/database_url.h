#ifndef ROSTER_BASE_DATABASE_URL_H
#define ROSTER_BASE_DATABASE_URL_H

#include <stdbool.h>

/**
 * Does the URL of a database contain a password, as `user:password@` or as a parameter? Parameters
 * are named as libpq names them, percent-encoded or not. Any thread.
 */
bool database_url_has_password(const char *url);

/** A message about a URL with a password, to follow the name of the source that has it. */
#define DATABASE_URL_PASSWORD                                                                      \
    "must have no password, which others could read there; write it to the file that PGPASSFILE"   \
    " names (~/.pgpass), or to the service file (PGSERVICEFILE)"

#endif
