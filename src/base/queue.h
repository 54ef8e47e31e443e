#ifndef ROSTER_BASE_QUEUE_H
#define ROSTER_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A link of the list. The caller embeds it in what it queues (base/container_of.h). */
struct queue_item {
    struct queue_item *next;
};

/** A first-in, first-out queue between threads: any number of them put and take. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct queue_item *first;
    struct queue_item **last;
    size_t length;
    size_t limit; /* 0: none */
    size_t least; /* queue_take_all waits for so many */
    const void *wanted_by;
    uint64_t refused;
    bool closed;
};

/** Makes an empty queue of at most `limit` items (0: any number). False when the system refuses a
 * lock. */
bool queue_init(struct queue *queue, size_t limit) __attribute__((warn_unused_result));

/**
 * Frees what queue_init took. The queue must be empty, and no thread may still be inside one of the
 * functions below: a queue_put may return later than another thread takes its item.
 */
void queue_destroy(struct queue *queue);

/** Adds an item at the end. False if the queue is full or closed; the caller keeps the item. */
bool queue_put(struct queue *queue, struct queue_item *item) __attribute__((warn_unused_result));

/** The same without regard to the limit, for items that no client causes. False if closed. */
bool queue_put_always(struct queue *queue, struct queue_item *item)
    __attribute__((warn_unused_result));

/** Waits for an item and removes it from the front. NULL once the queue is closed and empty. */
struct queue_item *queue_take(struct queue *queue);

/**
 * Removes all items and returns them as a list, in order. Waits up to `timeout_ms` for the first
 * one, or for as many as queue_want says (-1: without limit). NULL if there is none after the
 * timeout, or once the queue is closed.
 */
struct queue_item *queue_take_all(struct queue *queue, int timeout_ms);

/**
 * Lets queue_take_all wait for `least` items, from now on until queue_want_any. The last call
 * counts. For queues of which nobody takes one item.
 */
void queue_want(struct queue *queue, size_t least, const void *by);

/** Lets queue_take_all wait for the first item alone, unless somebody other than `by` has called
 * queue_want since. */
void queue_want_any(struct queue *queue, const void *by);

/** Closes the queue: it takes no further items, and those in it can still be taken. Wakes all
 * threads that wait. */
void queue_close(struct queue *queue);

/** The number of items in the queue. */
size_t queue_length(struct queue *queue);

/** The number of items refused because the queue was full. */
uint64_t queue_refused(struct queue *queue);

/** True once the queue is closed and empty. */
bool queue_is_done(struct queue *queue);

#endif
