/* Threads that do nothing but what is heavy. They are few and give way to all others, so that a
 * storm of sign-ins is felt by sign-ins alone; past the limit it is refused, not gathered. */
#include "base/pool.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 10 };

struct pool {
    struct queue queue;
    unsigned running;
    pthread_t threads[];
};

/* On Linux the priority is the thread's, and a thread can be named like a process. */
static void give_way(void) {
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), NICE) != 0)
        log_warning("pool: cannot lower its priority: %s", strerrordesc_np(errno));
}

static void *work(void *argument) {
    struct pool *pool = argument;
    give_way();
    for (struct queue_item *item; (item = queue_take(&pool->queue)) != NULL;) {
        struct job *job = (struct job *)item;
        job->run(job); /* after this the job may be gone */
    }
    return NULL;
}

struct pool *pool_start(unsigned threads, size_t limit) {
    struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
    if (!pool || !queue_init(&pool->queue, limit)) {
        free(pool);
        return NULL;
    }
    for (; pool->running < threads; pool->running++)
        if (pthread_create(&pool->threads[pool->running], NULL, work, pool) != 0) {
            pool_stop(pool);
            return NULL;
        }
    return pool;
}

void pool_stop(struct pool *pool) {
    if (!pool)
        return;
    queue_close(&pool->queue);
    for (unsigned i = 0; i < pool->running; i++)
        (void)pthread_join(pool->threads[i], NULL); /* it fails for our own mistakes only */
    queue_destroy(&pool->queue);
    free(pool);
}

enum status pool_submit(struct pool *pool, struct job *job) {
    return queue_put(&pool->queue, &job->item) ? STATUS_OK : STATUS_BUSY;
}

size_t pool_waiting(struct pool *pool) {
    return queue_length(&pool->queue);
}

uint64_t pool_refused(struct pool *pool) {
    return queue_refused(&pool->queue);
}
