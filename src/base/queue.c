/* The way from thread to thread: a linked list under a lock that is held for a few instructions. */
#include "base/queue.h"

#include "base/mutex.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

bool queue_init(struct queue *queue, size_t limit) {
    *queue = (struct queue){ .limit = limit, .least = 1 };
    queue->last = &queue->first;
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    bool ok = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&queue->filled, &monotonic) == 0;
    (void)pthread_condattr_destroy(&monotonic);
    if (!ok)
        return false;
    if (pthread_mutex_init(&queue->lock, NULL) == 0)
        return true;
    (void)pthread_cond_destroy(&queue->filled);
    return false;
}

void queue_destroy(struct queue *queue) {
    assert(!queue->first);
    (void)pthread_cond_destroy(&queue->filled);
    (void)pthread_mutex_destroy(&queue->lock);
}

/* The signal is sent only when the queue was empty, or for the item that makes enough of them, and
 * after unlocking, so that the woken thread does not run into the lock. If several items arrive
 * before it has taken one, take_first passes the signal on. */
static bool put(struct queue *queue, struct queue_item *item, size_t limit) {
    mutex_lock(&queue->lock);
    bool taken = !queue->closed && (!limit || queue->length < limit);
    bool is_awaited = queue->length + 1 == queue->least;
    queue->refused += !taken && !queue->closed;
    if (taken) {
        item->next = NULL;
        *queue->last = item;
        queue->last = &item->next;
        queue->length++;
    }
    mutex_unlock(&queue->lock);
    if (taken && is_awaited)
        (void)pthread_cond_signal(&queue->filled);
    return taken;
}

bool queue_put(struct queue *queue, struct queue_item *item) {
    return put(queue, item, queue->limit);
}

bool queue_put_always(struct queue *queue, struct queue_item *item) {
    return put(queue, item, 0);
}

/* With the lock held. */
static struct queue_item *take_first(struct queue *queue) {
    struct queue_item *item = queue->first;
    if (!item)
        return NULL;
    queue->first = item->next;
    queue->length--;
    if (!queue->first)
        queue->last = &queue->first;
    else
        (void)pthread_cond_signal(&queue->filled); /* for a thread that waits for the next item */
    return item;
}

struct queue_item *queue_take(struct queue *queue) {
    mutex_lock(&queue->lock);
    while (!queue->first && !queue->closed)
        (void)pthread_cond_wait(&queue->filled, &queue->lock);
    struct queue_item *item = take_first(queue);
    mutex_unlock(&queue->lock);
    return item;
}

static struct timespec after_ms(int ms) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

struct queue_item *queue_take_all(struct queue *queue, int timeout_ms) {
    struct timespec until = { 0 };
    if (timeout_ms >= 0)
        until = after_ms(timeout_ms);
    mutex_lock(&queue->lock);
    int failed = 0;
    while (queue->length < queue->least && !queue->closed && failed != ETIMEDOUT)
        failed = timeout_ms < 0 ? pthread_cond_wait(&queue->filled, &queue->lock)
                                : pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
    struct queue_item *items = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    queue->length = 0;
    mutex_unlock(&queue->lock);
    return items;
}

void queue_want(struct queue *queue, size_t least, const void *by) {
    mutex_lock(&queue->lock);
    queue->least = least > 1 ? least : 1;
    queue->wanted_by = by;
    mutex_unlock(&queue->lock);
    (void)pthread_cond_signal(&queue->filled); /* there may be enough now */
}

void queue_want_any(struct queue *queue, const void *by) {
    mutex_lock(&queue->lock);
    if (queue->wanted_by == by) {
        queue->least = 1;
        queue->wanted_by = NULL;
    }
    mutex_unlock(&queue->lock);
    (void)pthread_cond_signal(&queue->filled);
}

void queue_close(struct queue *queue) {
    mutex_lock(&queue->lock);
    queue->closed = true;
    mutex_unlock(&queue->lock);
    (void)pthread_cond_broadcast(&queue->filled);
}

size_t queue_length(struct queue *queue) {
    mutex_lock(&queue->lock);
    size_t length = queue->length;
    mutex_unlock(&queue->lock);
    return length;
}

uint64_t queue_refused(struct queue *queue) {
    mutex_lock(&queue->lock);
    uint64_t refused = queue->refused;
    mutex_unlock(&queue->lock);
    return refused;
}

bool queue_is_done(struct queue *queue) {
    mutex_lock(&queue->lock);
    bool done = queue->closed && !queue->first;
    mutex_unlock(&queue->lock);
    return done;
}
