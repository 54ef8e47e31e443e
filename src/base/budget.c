/* The memory of all requests: one shared counter, and a small stock for each thread.
 *
 * Each thread takes a lot more than it needs from the counter and keeps it as `spare`, so that most
 * calls touch no shared cache line. `used` counts the stocks as if they were in use. */
#include "base/budget.h"

#include <stdatomic.h>

enum {
    LOT_MOST = 64 * 1024, /* bytes */
    LOT_LEAST = 4 * 1024,
    LOTS = 4096, /* in the limit: the stocks of hundreds of threads stay a small part of it */
    REST = 16,   /* a sixteenth of the limit is kept for requests that have begun */
};

static atomic_size_t bound, lot = LOT_MOST; /* set at the start and by reloads */
static atomic_size_t used, most;
static atomic_uint_fast64_t refused;

/* Bytes that this thread has taken from `used` and not yet handed to a request. */
static _Thread_local size_t spare;

void budget_set(size_t limit) {
    size_t wanted = limit / LOTS;
    if (!limit || wanted > LOT_MOST)
        wanted = LOT_MOST;
    else if (wanted < LOT_LEAST)
        wanted = LOT_LEAST;
    atomic_store(&lot, wanted);
    atomic_store(&bound, limit);
}

static void add(size_t size) {
    size_t now = atomic_fetch_add_explicit(&used, size, memory_order_relaxed) + size;
    size_t before = atomic_load_explicit(&most, memory_order_relaxed);
    while (now > before && !atomic_compare_exchange_weak_explicit(
                               &most, &before, now, memory_order_relaxed, memory_order_relaxed))
        ;
}

static bool try_to_add(size_t size) {
    size_t now = atomic_load_explicit(&used, memory_order_relaxed);
    if (bound && (size > bound || now > bound - size))
        return false;
    add(size); /* other threads may add between load and add: each can exceed the limit by a lot */
    return true;
}

bool budget_take(size_t size) {
    if (spare < size && size <= SIZE_MAX - lot && try_to_add(size - spare + lot))
        spare = size + lot;
    if (spare < size) {
        if (!try_to_add(size - spare))
            return false;
        spare = size;
    }
    spare -= size;
    return true;
}

bool budget_take_beyond(size_t size) {
    size_t most_now = bound + bound / REST;
    size_t now = atomic_load_explicit(&used, memory_order_relaxed);
    if (bound && (size > most_now || now > most_now - size))
        return false;
    budget_force(size);
    return true;
}

void budget_force(size_t size) {
    if (spare < size) {
        add(size - spare);
        spare = size;
    }
    spare -= size;
}

void budget_give(size_t size) {
    spare += size;
    if (spare <= 2 * lot)
        return;
    atomic_fetch_sub_explicit(&used, spare - lot, memory_order_relaxed);
    spare = lot;
}

bool budget_is_full(void) {
    return bound && atomic_load_explicit(&used, memory_order_relaxed) > bound - bound / REST;
}

void budget_note_refusal(void) {
    atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
}

struct budget_stats budget_stats(void) {
    return (struct budget_stats){
        .used = atomic_load_explicit(&used, memory_order_relaxed),
        .limit = bound,
        .refused = atomic_load_explicit(&refused, memory_order_relaxed),
    };
}

bool budget_has_fallen(size_t bytes) {
    size_t now = atomic_load_explicit(&used, memory_order_relaxed);
    size_t greatest = atomic_load_explicit(&most, memory_order_relaxed);
    if (greatest < now || greatest - now < bytes)
        return false;
    atomic_store_explicit(&most, now, memory_order_relaxed);
    return true;
}
