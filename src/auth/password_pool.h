#ifndef ROSTER_AUTH_PASSWORD_POOL_H
#define ROSTER_AUTH_PASSWORD_POOL_H

#include "base/queue.h"
#include "base/status.h"
#include "crypto/password.h"

/** The only place where passwords are hashed and checked while serving: a bounded pool. */
struct password_pool;

/** One piece of work. The caller owns it and everything in it until `done` was called. */
struct password_job {
    struct queue_item item; /* first */
    struct text password;
    struct text hash;                       /* to verify against; `at` NULL: make a hash */
    void (*done)(struct password_job *job); /* called once, on a thread of the pool */
    bool failed;                            /* memory was short; nothing below is valid */
    enum password_match match;              /* result of a verification */
    char made[PASSWORD_HASH_MAX];           /* result of hashing; also made, as the
                                               replacement, when match is RIGHT_BUT_OLD (which
                                               becomes RIGHT if there is no memory for one) */
};

/**
 * Starts `threads` threads that give way to all others (nice 10), with room for `limit` waiting
 * jobs. NULL when the system refuses.
 */
struct password_pool *password_pool_start(unsigned threads, size_t limit) MUST_CHECK;

/** Finishes what waits, stops the threads, frees. Takes NULL. */
void password_pool_stop(struct password_pool *pool);

/** Queues a job. STATUS_BUSY when too much waits already; then `done` is never called. */
enum status password_pool_submit(struct password_pool *pool, struct password_job *job) MUST_CHECK;

#endif
