#ifndef ROSTER_API_RATE_LIMIT_H
#define ROSTER_API_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * The rate limits of callers: how many requests a user may make in a minute, an hour and a day, as
 * the hosted service publishes it (rate_limit.def).
 */
struct rate_limit;

enum rate_limit_kind {
    RATE_LIMIT_all,
    RATE_LIMIT_but_bursts /* without the limit of one request per 100 ms */
};

/** NULL: no memory, or no lock. */
struct rate_limit *rate_limit_new(enum rate_limit_kind kind);

/** Takes NULL. */
void rate_limit_free(struct rate_limit *rate_limit);

/**
 * Counts a request of a user. Returns 0 when the request may be served. Otherwise it does not
 * count, and the result is the number of seconds, rounded up, after which a request of this user
 * will be served. `now_ms` is of time_monotonic_ms. `rate_limit` NULL: no limits, always 0. Any
 * thread.
 */
int64_t rate_limit_count(struct rate_limit *rate_limit, int64_t user_id, bool is_write,
                         int64_t now_ms);

#endif
