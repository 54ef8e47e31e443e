/* Each I/O thread's own counters of replies. */
#include "api/counters.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const int64_t counters_bound_us[COUNTERS_BUCKETS] = {
    250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000
};

/* Of one route; as struct route_counts has it. */
struct row {
    atomic_uint_fast64_t replies[COUNTERS_STATUSES];
    atomic_uint_fast64_t buckets[COUNTERS_BUCKETS + 1];
    atomic_uint_fast64_t us;
};

struct counters {
    _Alignas(64) unsigned count;
    atomic_uint_fast64_t unsent;
    struct row rows[];
};

struct counters *counters_new(unsigned routes) {
    size_t size = (sizeof(struct counters) + routes * sizeof(struct row) + 63) / 64 * 64;
    struct counters *counters = aligned_alloc(_Alignof(struct counters), size);
    if (!counters)
        return NULL;
    memset(counters, 0, size);
    counters->count = routes;
    return counters;
}

void counters_free(struct counters *counters) {
    free(counters);
}

/* The thread is the only writer: no locked instruction is needed. */
static void add(atomic_uint_fast64_t *counter, uint64_t more) {
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + more, memory_order_relaxed);
}

static uint64_t get(const atomic_uint_fast64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void counters_add_reply(struct counters *counters, unsigned route, unsigned http_status,
                        int64_t us) {
    unsigned status = http_status - COUNTERS_STATUS_FIRST, bucket = 0;
    assert(route < counters->count && status < COUNTERS_STATUSES);
    struct row *row = &counters->rows[route];
    while (bucket < COUNTERS_BUCKETS && us > counters_bound_us[bucket])
        bucket++;
    add(&row->replies[status], 1);
    add(&row->buckets[bucket], 1);
    add(&row->us, (uint64_t)us);
}

void counters_add_unsent(struct counters *counters) {
    add(&counters->unsent, 1);
}

void counters_sum(const struct counters *counters, unsigned route, struct route_counts *total) {
    assert(route < counters->count);
    const struct row *row = &counters->rows[route];
    for (unsigned i = 0; i < COUNTERS_STATUSES; i++)
        total->replies[i] += get(&row->replies[i]);
    for (unsigned i = 0; i <= COUNTERS_BUCKETS; i++)
        total->buckets[i] += get(&row->buckets[i]);
    total->us += get(&row->us);
}

uint64_t counters_unsent(const struct counters *counters) {
    return get(&counters->unsent);
}
