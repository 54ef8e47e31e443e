#ifndef ROSTER_BASE_BUDGET_H
#define ROSTER_BASE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A limit on the memory of all requests together (--request-memory): their heads, bodies, parsed
 * values, and replies that clients have not read yet. Each request has limits of its own, but only
 * this one holds when there are many requests.
 *
 * Threads take memory from the budget in lots, because a counter that all of them change for each
 * allocation would slow them down. The figures may therefore be off by two lots a thread: 128 KiB,
 * or a 2,048th of the limit if that is less, but at least 8 KiB.
 */

struct budget_stats {
    size_t used, limit; /* bytes */
    uint64_t refused;   /* requests that did not get the memory they needed */
};

/** Sets the limit in bytes; 0: none. Once, before other threads use the budget. */
void budget_set(size_t limit);

/** Counts `size` more bytes. False, and counts nothing, if they exceed the limit. Any thread. */
bool budget_take(size_t size) __attribute__((warn_unused_result));

/**
 * The same for vital requests (health checks, metrics), which share a reserve of a sixteenth of the
 * limit past the limit. Any thread.
 */
bool budget_take_beyond(size_t size) __attribute__((warn_unused_result));

/** Counts `size` more bytes even if they exceed the limit. Any thread. */
void budget_force(size_t size);

/** Gives back `size` bytes. Any thread, not only the one that took them. */
void budget_give(size_t size);

/**
 * True if no further request should begin: the last sixteenth of the limit is for requests that
 * have begun. Any thread.
 */
bool budget_is_full(void) __attribute__((warn_unused_result));

/** Counts a request that did not get the memory it needed. Any thread. */
void budget_note_refusal(void);

/** The figures of this instant. Any thread. */
struct budget_stats budget_stats(void);

/**
 * True if the memory in use is `bytes` or more below its peak. The peak then starts again from
 * here. The caller takes it as a sign that the heap has free memory for the system. One thread
 * only.
 */
bool budget_has_fallen(size_t bytes) __attribute__((warn_unused_result));

#endif
