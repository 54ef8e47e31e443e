/* Threads that do nothing but hash. They are few and give way to all others, so that a storm of
   sign-ins is felt by sign-ins alone; past the limit it is refused, not gathered. */
#include "auth/password_pool.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 10 };

struct password_pool {
    struct queue queue;
    unsigned running;
    pthread_t threads[];
};

/* On Linux the priority is the thread's, and a thread can be named like a process. */
static void give_way(void) {
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), NICE) != 0)
        log_warning("password pool: cannot lower its priority: %s", strerrordesc_np(errno));
}

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

static void *work(void *argument) {
    struct password_pool *pool = argument;
    give_way();
    for (struct queue_item *item; (item = queue_take(&pool->queue)) != NULL;) {
        struct password_job *job = (struct password_job *)item;
        job->failed = false;
        job->made[0] = '\0';
        if (job->hash.at)
            verify(job);
        else
            make_hash(job);
        job->done(job); /* after this the job may be gone */
    }
    return NULL;
}

struct password_pool *password_pool_start(unsigned threads, size_t limit) {
    struct password_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    if (!pool || !queue_init(&pool->queue, limit)) {
        free(pool);
        return NULL;
    }
    for (; pool->running < threads; pool->running++)
        if (pthread_create(&pool->threads[pool->running], NULL, work, pool) != 0) {
            password_pool_stop(pool);
            return NULL;
        }
    return pool;
}

void password_pool_stop(struct password_pool *pool) {
    if (!pool)
        return;
    queue_close(&pool->queue);
    for (unsigned i = 0; i < pool->running; i++)
        (void)pthread_join(pool->threads[i], NULL); /* it fails for our own mistakes only */
    queue_destroy(&pool->queue);
    free(pool);
}

enum status password_pool_submit(struct password_pool *pool, struct password_job *job) {
    return queue_put(&pool->queue, &job->item) ? STATUS_OK : STATUS_BUSY;
}
