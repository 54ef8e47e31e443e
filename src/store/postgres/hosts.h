#ifndef ROSTER_STORE_POSTGRES_HOSTS_H
#define ROSTER_STORE_POSTGRES_HOSTS_H

#include "base/status.h"

#include <libpq-fe.h>
#include <stdint.h>

/** The hosts of a URL, and which of them was connected to last. */
struct pg_hosts;

/** Takes the hosts from a URL that libpq can parse. NULL when memory runs out. */
struct pg_hosts *pg_hosts_new(const char *url) MUST_CHECK;

/** Takes NULL. */
void pg_hosts_free(struct pg_hosts *hosts);

/**
 * Connects to one of the hosts that takes writes, and may wait for the network for `limit_ms`, but
 * never longer than some seconds. NULL: none did; `why` has a line for each host. Any thread.
 */
PGconn *pg_hosts_connect(struct pg_hosts *hosts, int64_t limit_ms, char *why,
                         size_t why_size) MUST_CHECK;

#endif
