#ifndef ROSTER_BASE_BUDGET_H
#define ROSTER_BASE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The one account of the bytes that all requests together hold: heads, bodies, what is made of
 * them, replies that nobody has read yet. What one request may hold has bounds of its own; without
 * this one the number of requests would be the bound.
 *
 * Threads take from it in lots, so the figures may be off by 128 KiB for each thread, and by no
 * more than a 2,048th of the bound, or 8 KiB.
 */

struct budget_figures {
    size_t used, limit; /* bytes */
    uint64_t refused;   /* requests that did not get what they needed */
};

/** Sets the bound in bytes; 0: none. Once, before any other thread asks. */
void budget_set(size_t limit);

/** Counts `size` more bytes. False, and nothing is counted, when they pass the bound. Any thread.
 */
bool budget_take(size_t size) __attribute__((warn_unused_result));

/**
 * The same for who is to be served even then: a sixteenth more than the bound is for all of those.
 * Any thread.
 */
bool budget_take_beyond(size_t size) __attribute__((warn_unused_result));

/** Counts `size` more bytes, whether or not they pass the bound. Any thread. */
void budget_force(size_t size);

/** Counts `size` bytes as given back, by whichever thread. */
void budget_give(size_t size);

/** Is so much held that no new request should begin? Those that did may use the rest. Any thread.
 */
bool budget_is_full(void) __attribute__((warn_unused_result));

/** Counts a request that was refused for want of memory. Any thread. */
void budget_note_refusal(void);

struct budget_figures budget_figures(void);

/**
 * Has what is held fallen by `bytes` or more from its greatest since this was last true? Then there
 * is memory to give back to the system. One thread only.
 */
bool budget_has_fallen(size_t bytes) __attribute__((warn_unused_result));

#endif
