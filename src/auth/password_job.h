#ifndef ROSTER_AUTH_PASSWORD_JOB_H
#define ROSTER_AUTH_PASSWORD_JOB_H

#include "base/pool.h"
#include "crypto/password.h"

/**
 * A password to be hashed or checked: only so, never on another thread while serving. The caller
 * owns it and everything in it until `done` was called.
 */
struct password_job {
    struct job job; /* first */
    struct text password;
    struct text hash;                       /* to verify against; `at` NULL: make a hash */
    void (*done)(struct password_job *job); /* called once, on a thread of the pool */
    bool failed;                            /* memory was short; nothing below is valid */
    enum password_match match;              /* result of a verification */
    char made[PASSWORD_HASH_MAX];           /* result of hashing; also made, as the
                                               replacement, when match is RIGHT_BUT_OLD (which
                                               becomes RIGHT if there is no memory for one) */
};

/** Queues a job. STATUS_BUSY when too much waits already; then `done` is never called. */
enum status password_submit(struct pool *pool, struct password_job *job) MUST_CHECK;

#endif
