#ifndef ROSTER_AUTH_PASSWORD_JOB_H
#define ROSTER_AUTH_PASSWORD_JOB_H

#include "base/pool.h"
#include "crypto/password.h"

#include <stdatomic.h>

/**
 * The threads for passwords. Imported hashes that cost more than our own are checked on a single
 * thread of their own, so that guesses at them keep no other sign-in waiting.
 */
struct passwords;

/**
 * Starts `threads` threads, and the one for dear hashes, with room for `limit` waiting jobs each.
 * NULL when the system refuses.
 */
struct passwords *passwords_start(unsigned threads, size_t limit) MUST_CHECK;

/** Finishes what waits, stops the threads, frees. Takes NULL. */
void passwords_stop(struct passwords *passwords);

/** Figures for those who watch over a server. Any thread. */
struct password_figures {
    uint64_t done, waiting, refused; /* hashed or checked at our own cost since the start */
    uint64_t dear_done, dear_waiting, dear_refused; /* checked at a higher one */
};

struct password_figures passwords_figures(struct passwords *passwords);

/**
 * A password to be hashed or checked: only so, never on another thread while serving. Hashed is its
 * normal form (rules/password.h); checked is that form, and then the password as it was given,
 * since an imported hash may be of either. The caller owns it and everything in it until `done` was
 * called.
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
    atomic_uint_fast64_t *count;            /* the machinery's own */
};

/** Queues a job. STATUS_BUSY when too much waits already; then `done` is never called. */
enum status password_submit(struct passwords *passwords, struct password_job *job) MUST_CHECK;

#endif
