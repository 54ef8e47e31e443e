#ifndef ROSTER_API_COUNTERS_H
#define ROSTER_API_COUNTERS_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * The counters of one I/O thread's replies. Only that thread writes, so nothing is shared while
 * requests are served; any thread may read, and add up what all of them counted.
 */
struct counters;

enum {
    COUNTERS_STATUS_FIRST = 200,
    COUNTERS_STATUSES = 400, /* 200 to 599 */
    COUNTERS_BUCKETS = 12,
};

/** The upper bounds of the buckets of times, in microseconds; one more bucket has no bound. */
extern const int64_t counters_bound_us[COUNTERS_BUCKETS];

/** The replies of one route: by HTTP status, and by how long they took. */
struct route_counts {
    uint64_t replies[COUNTERS_STATUSES]; /* the first is of COUNTERS_STATUS_FIRST */
    uint64_t buckets[COUNTERS_BUCKETS + 1];
    uint64_t us; /* all of them together */
};

/** Counters of `routes` routes, from 0 on. NULL: no memory. */
struct counters *counters_new(unsigned routes) MUST_CHECK;

/** Takes NULL. */
void counters_free(struct counters *counters);

/** Counts a reply: its route, its HTTP status, and the microseconds it took. The owning thread. */
void counters_add_reply(struct counters *counters, unsigned route, unsigned http_status,
                        int64_t us);

/** Counts a reply that could not be sent. The owning thread. */
void counters_add_unsent(struct counters *counters);

/** Adds to `total` what was counted of a route. Any thread. */
void counters_sum(const struct counters *counters, unsigned route, struct route_counts *total);

/** How many replies could not be sent. Any thread. */
uint64_t counters_unsent(const struct counters *counters);

#endif
