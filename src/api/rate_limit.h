#ifndef ROSTER_API_LIMITS_H
#define ROSTER_API_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/** How often one caller may ask: the figures that the hosted service publishes (rate_limit.def). */
struct limits;

enum limits_kind { LIMITS_all, LIMITS_but_bursts /* without the one of 100 ms */ };

/** NULL when memory or a lock is refused. */
struct limits *limits_new(enum limits_kind kind);
void limits_free(struct limits *limits);

/**
 * Counts a request of a user. 0 when it may go on, else after how many seconds, rounded up, it may
 * be tried again and goes on, if there is no other meanwhile; it then counts for nothing. `now_ms`
 * is of a clock that only goes forward. `limits` NULL: always 0. Any thread.
 */
int64_t limits_count(struct limits *limits, int64_t user_id, bool is_write, int64_t now_ms);

#endif
