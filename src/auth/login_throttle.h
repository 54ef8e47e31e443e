#ifndef ROSTER_AUTH_LOGIN_THROTTLE_H
#define ROSTER_AUTH_LOGIN_THROTTLE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/**
 * Limits failed sign-ins by client address: the lock-out of an account does not stop a client that
 * tries one password on many accounts. IPv6 addresses count by their /64. 127.0.0.1, ::1 and UNIX
 * sockets are never counted: a proxy on the same machine stands for all of its clients, unless it
 * is trusted to name them (--trusted-proxies). The counters are in memory and start empty; where
 * the store counts attempts for several processes (address_attempt.h), only the limit here is used.
 * Any thread may call any of these functions.
 */
struct login_throttle;

/** Allows `limit` failures of an address within `period_ms`; 0: any number. NULL if there is no
 * memory. */
struct login_throttle *login_throttle_new(int64_t limit, int64_t period_ms) MUST_CHECK;
void login_throttle_free(struct login_throttle *throttle);

/** Changes the limit and the period. Attempts counted before still count. */
void login_throttle_set(struct login_throttle *throttle, int64_t limit, int64_t period_ms);

/** The limit and the period that are in force. */
struct login_limit {
    int64_t failures, period_ms;
};

struct login_limit login_throttle_limit(struct login_throttle *throttle);

/**
 * Begins an attempt. 0: it may be made, and counts like a failure until login_throttle_end, so that
 * of any number of attempts at once no more than `limit` can fail. Otherwise the seconds that the
 * address has to wait; there is then nothing to end. NULL allows everything.
 */
int64_t login_throttle_begin(struct login_throttle *throttle, const struct sockaddr *from,
                             int64_t now_ms) MUST_CHECK;

/** Ends an attempt, which has failed or frees its place. Accepts NULL. */
void login_throttle_end(struct login_throttle *throttle, const struct sockaddr *from,
                        bool has_failed, int64_t now_ms);

#endif
