#ifndef ROSTER_BASE_POOL_H
#define ROSTER_BASE_POOL_H

#include "base/queue.h"
#include "base/status.h"

/** Threads for jobs that take a core for long (hashing passwords, decoding pictures), which must
 * not run on I/O threads. */
struct pool;

/** A piece of work. The caller embeds it in a structure of its own (base/container_of.h). */
struct job {
    struct queue_item item;
    void (*run)(struct job *job); /* on a thread of the pool, once; it may free the job */
};

/**
 * Starts `threads` threads at low priority (nice 10) and a queue for `limit` waiting jobs. NULL
 * when the system refuses memory, a lock or a thread.
 */
struct pool *pool_start(unsigned threads, size_t limit) MUST_CHECK;

/** Runs the jobs that wait, stops the threads and frees the pool. Takes NULL. */
void pool_stop(struct pool *pool);

/** Queues a job. STATUS_TOO_MANY when the queue is full; the job then never runs. Any thread. */
enum status pool_submit(struct pool *pool, struct job *job) MUST_CHECK;

/** The number of jobs that wait and have not begun. Any thread. */
size_t pool_waiting(struct pool *pool);

/** The number of jobs refused since the start. Any thread. */
uint64_t pool_refused(struct pool *pool);

#endif
