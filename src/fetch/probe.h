#ifndef ROSTER_FETCH_PROBE_H
#define ROSTER_FETCH_PROBE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/** How to reach a server of our own. */
struct probe_target {
    const char *url;
    const char *unix_path;   /* the file of its UNIX socket; NULL: the host of the URL */
    bool sends_proxy_header; /* begin with a PROXY header, as a proxy does (--proxy-protocol) */
};

/**
 * Asks the server with one GET, and waits for at most 30 s. True if it replies 200; otherwise `why`
 * says in one clause what happened. The certificate is not verified: the probe connects to an
 * address of this machine, for which certificates are not made, and sends no secret. No proxies
 * from the environment. Main thread, while there is no other.
 */
bool probe(const struct probe_target *target, char *why, size_t why_size) MUST_CHECK;

#endif
