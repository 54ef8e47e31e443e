#ifndef ROSTER_BASE_POOL_H
#define ROSTER_BASE_POOL_H

#include "base/queue.h"
#include "base/status.h"

/** A few threads for what costs much time of a core: passwords, pictures. No I/O thread does it. */
struct pool;

/** To be the first member of a piece of work. */
struct job {
    struct queue_item item; /* first */
    void (*run)(struct job *job);
};

/**
 * Starts `threads` threads that give way to all others (nice 10), with room for `limit` waiting
 * jobs. NULL when the system refuses.
 */
struct pool *pool_start(unsigned threads, size_t limit) MUST_CHECK;

/** Finishes what waits, stops the threads, frees. Takes NULL. */
void pool_stop(struct pool *pool);

/** Queues a job. STATUS_BUSY when too much waits already; then it never runs. */
enum status pool_submit(struct pool *pool, struct job *job) MUST_CHECK;

/** How many jobs wait, apart from those that run. */
size_t pool_waiting(struct pool *pool);

/** How many jobs were refused. */
uint64_t pool_refused(struct pool *pool);

#endif
