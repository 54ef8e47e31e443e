#ifndef ROSTER_AUTH_ATTEMPTS_H
#define ROSTER_AUTH_ATTEMPTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/**
 * Counts failed sign-ins by the address that they came from, in memory: the lock-out of an account
 * does not stop who tries one password on many. IPv6 addresses count by their /64. 127.0.0.1, ::1
 * and UNIX sockets are never counted, since a proxy on the same machine stands for all of its
 * clients.
 */
struct attempts;

/** `limit` failures within `period_ms` and further ones have to wait. NULL when memory is short. */
struct attempts *attempts_new(int64_t limit, int64_t period_ms) MUST_CHECK;
void attempts_free(struct attempts *attempts);

/**
 * Begins an attempt. 0: it may be made, and holds a place among those that may fail until
 * attempts_end; else how many seconds the address has to wait, and there is nothing to end. So of
 * however many at once, no more than `limit` fail. Takes NULL.
 */
int64_t attempts_begin(struct attempts *attempts, const struct sockaddr *from,
                       int64_t now_ms) MUST_CHECK;

/** Ends an attempt: it failed, or its place is free again. Takes NULL. */
void attempts_end(struct attempts *attempts, const struct sockaddr *from, bool has_failed,
                  int64_t now_ms);

#endif
