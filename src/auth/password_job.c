/* Hashing and checking passwords, on the threads that are there for it. */
#include "auth/password_job.h"

static void make_hash(struct password_job *job) {
    job->failed = !password_hash(job->password, job->made);
}

/* When there is no memory for a replacement, right is still right; the next sign-in tries again. */
static void verify(struct password_job *job) {
    job->match = password_verify(job->password, job->hash);
    job->failed = job->match == PASSWORD_UNCHECKED;
    if (job->match == PASSWORD_RIGHT_BUT_OLD && !password_hash(job->password, job->made))
        job->match = PASSWORD_RIGHT;
}

static void run(struct job *base) {
    struct password_job *job = (struct password_job *)base;
    job->failed = false;
    job->made[0] = '\0';
    if (job->hash.at)
        verify(job);
    else
        make_hash(job);
    job->done(job); /* after this the job may be gone */
}

enum status password_submit(struct pool *pool, struct password_job *job) {
    job->job.run = run;
    return pool_submit(pool, &job->job);
}
