/* Hashes and verifies passwords on threads of their own, since each costs about 20 ms of a core. */
#include "auth/password_job.h"

#include "base/container_of.h"
#include "crypto/secret.h"
#include "rules/password.h"

#include <stdlib.h>

struct passwords {
    struct pool *own, *dear;
    atomic_uint_fast64_t own_done, dear_done;
};

struct passwords *passwords_start(unsigned threads, size_t limit) {
    struct passwords *passwords = calloc(1, sizeof *passwords);
    if (!passwords)
        return NULL;
    passwords->own = pool_start(threads, limit);
    passwords->dear = pool_start(1, limit);
    if (passwords->own && passwords->dear)
        return passwords;
    passwords_stop(passwords);
    return NULL;
}

void passwords_stop(struct passwords *passwords) {
    if (!passwords)
        return;
    pool_stop(passwords->own);
    pool_stop(passwords->dear);
    free(passwords);
}

struct password_stats passwords_stats(struct passwords *passwords) {
    return (struct password_stats){
        .done = atomic_load_explicit(&passwords->own_done, memory_order_relaxed),
        .waiting = pool_waiting(passwords->own),
        .refused = pool_refused(passwords->own),
        .dear_done = atomic_load_explicit(&passwords->dear_done, memory_order_relaxed),
        .dear_waiting = pool_waiting(passwords->dear),
        .dear_refused = pool_refused(passwords->dear),
    };
}

/* Verifies the password as it was given. If it matches, the hash is of a form that is not
 * normalised and therefore counts as old: the replacement will be of the normal form. */
static enum password_match verify_as_given(const struct password_job *job) {
    enum password_match match = password_verify(job->password, job->hash);
    if (match == PASSWORD_RIGHT && !password_is_cut(job->password, job->hash))
        match = PASSWORD_RIGHT_BUT_OLD;
    return match;
}

/* If there is no memory for a replacement, the password is still right, and the next sign-in makes
 * the replacement. */
static void verify(struct password_job *job, struct text normal) {
    job->match = password_verify(normal, job->hash);
    if (job->match == PASSWORD_WRONG && !text_equal(normal, job->password))
        job->match = verify_as_given(job);
    job->failed = job->match == PASSWORD_UNCHECKED;
    if (job->match == PASSWORD_RIGHT_BUT_OLD && !password_hash(normal, job->made))
        job->match = PASSWORD_RIGHT;
}

static void run_password_job(struct job *base) {
    struct password_job *job = container_of(base, struct password_job, job);
    char room[PASSWORD_NORMAL_MAX];
    struct text normal = password_normal(job->password, room);
    job->failed = !normal.at;
    job->made[0] = '\0';
    if (normal.at && job->hash.at)
        verify(job, normal);
    else if (normal.at)
        job->failed = !password_hash(normal, job->made);
    secret_wipe(room, sizeof room);
    atomic_fetch_add_explicit(job->count, 1, memory_order_relaxed);
    job->done(job); /* `done` may free the job */
}

enum status password_submit(struct passwords *passwords, struct password_job *job) {
    bool is_dear = job->hash.at && password_is_dear(job->password, job->hash);
    job->job.run = run_password_job;
    job->count = is_dear ? &passwords->dear_done : &passwords->own_done;
    return pool_submit(is_dear ? passwords->dear : passwords->own, &job->job);
}
