#ifndef ROSTER_STORE_POSTGRES_CONNECT_H
#define ROSTER_STORE_POSTGRES_CONNECT_H

#include "store/postgres/connection.h"

/** Checks a connection string. False with a line in `why`. */
bool pg_place_check(const char *url, char *why, size_t why_size) MUST_CHECK;

/**
 * Connects once, to the first host that takes writes. PG_FINE; PG_LOST: no host answered, which may
 * change; PG_FAILED: it cannot be used as it is. `error` has one line that says what to do. May
 * wait for the network.
 */
enum pg_meaning pg_connect(struct connection *connection, const struct pg_place *place) MUST_CHECK;

#endif
