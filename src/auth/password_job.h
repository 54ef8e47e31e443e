#ifndef ROSTER_AUTH_PASSWORD_JOB_H
#define ROSTER_AUTH_PASSWORD_JOB_H

#include "base/pool.h"
#include "crypto/password.h"

#include <stdatomic.h>

/**
 * The threads that hash passwords. Imported hashes that are more expensive than our own are
 * verified on one separate thread, so that guesses at them delay no other sign-in.
 */
struct passwords;

/**
 * Starts `threads` threads and the one for expensive hashes, with queues of `limit` jobs. NULL if
 * the system refuses. Main thread, once.
 */
struct passwords *passwords_start(unsigned threads, size_t limit) MUST_CHECK;

/** Finishes the jobs that wait, stops the threads, and frees. Accepts NULL. */
void passwords_stop(struct passwords *passwords);

/** Statistics for /metrics. Any thread. */
struct password_stats {
    uint64_t done, waiting, refused; /* at the cost of our own hashes, since the start */
    uint64_t dear_done, dear_waiting, dear_refused; /* verified at a higher cost */
};

struct password_stats passwords_stats(struct passwords *passwords);

/**
 * A password to be hashed or verified. While the server runs this is done only by jobs, never on
 * another thread. Hashing takes the normal form of the password (rules/password.h). Verifying tries
 * the normal form, then the password as it was given, since an imported hash may be of either. The
 * caller owns the job, and must keep it and everything in it until `done` is called.
 */
struct password_job {
    struct job job;
    struct text password;
    struct text hash;                       /* to verify against; `at` NULL: hash the password */
    void (*done)(struct password_job *job); /* called once, on one of the threads */
    bool failed;                            /* there was no memory; nothing below is valid */
    enum password_match match;              /* result of a verification */
    char made[PASSWORD_HASH_MAX];           /* result of hashing; also made, as the
                                               replacement, when match is RIGHT_BUT_OLD (which
                                               becomes RIGHT if there is no memory for one) */
    atomic_uint_fast64_t *count;            /* internal */
};

/** Queues a job. STATUS_TOO_MANY if its queue is full; `done` is then never called. Any thread. */
enum status password_submit(struct passwords *passwords, struct password_job *job) MUST_CHECK;

#endif
