#ifndef ROSTER_BASE_QUEUE_H
#define ROSTER_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** To be the first member of what is queued. */
struct queue_item {
    struct queue_item *next;
};

/** What crosses threads: many put, one or many take; first in, first out. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct queue_item *first;
    struct queue_item **last;
    size_t length;
    size_t limit; /* 0: none */
    uint64_t refused;
    bool closed;
};

/** False when the system refuses a lock. `limit` is the greatest length, 0 for none. */
bool queue_init(struct queue *queue, size_t limit) __attribute__((warn_unused_result));

/**
 * Frees what queue_init took. It should be empty, and nobody may be using it: not even a queue_put
 * of an item that was taken already may still be on its way out.
 */
void queue_destroy(struct queue *queue);

/** Puts an item at the end. False, and the item is still the caller's, when full or closed. */
bool queue_put(struct queue *queue, struct queue_item *item) __attribute__((warn_unused_result));

/** The same whatever the limit, for the few who put on nobody's behalf. False when closed. */
bool queue_put_always(struct queue *queue, struct queue_item *item)
    __attribute__((warn_unused_result));

/** Waits for an item and takes it; NULL once the queue is closed and empty. */
struct queue_item *queue_take(struct queue *queue);

/**
 * Takes all that waits, a list in order. Waits for the first item for at most `timeout_ms`
 * (-1: for ever). NULL when the time ran out, or the queue is closed and empty.
 */
struct queue_item *queue_take_all(struct queue *queue, int timeout_ms);

/** Refuses further items and wakes everyone; what waits can still be taken. */
void queue_close(struct queue *queue);

/** How many items wait. */
size_t queue_length(struct queue *queue);

/** How many items were refused because it was full. */
uint64_t queue_refused(struct queue *queue);

/** Is it closed and empty? */
bool queue_is_done(struct queue *queue);

#endif
