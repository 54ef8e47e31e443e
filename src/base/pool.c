/* A fixed number of threads over one bounded queue. The threads run at low priority, so a storm of
 * sign-ins slows down nothing but sign-ins. When the queue is full, further jobs are refused at
 * once: they would only wait until their clients have given up. */
#include "base/pool.h"

#include "base/container_of.h"
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

/* On Linux a nice value belongs to a thread, and setpriority takes a thread's id. */
static void lower_priority(void) {
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), NICE) != 0)
        log_warning("cannot lower the priority of a pool's thread: %s", strerrordesc_np(errno));
}

static void *work(void *argument) {
    struct pool *pool = argument;
    lower_priority();
    for (struct queue_item *item; (item = queue_take(&pool->queue)) != NULL;) {
        struct job *job = container_of(item, struct job, item);
        job->run(job); /* may free the job */
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
        (void)pthread_join(pool->threads[i], NULL); /* fails only if misused */
    queue_destroy(&pool->queue);
    free(pool);
}

enum status pool_submit(struct pool *pool, struct job *job) {
    return queue_put(&pool->queue, &job->item) ? STATUS_OK : STATUS_TOO_MANY;
}

size_t pool_waiting(struct pool *pool) {
    return queue_length(&pool->queue);
}

uint64_t pool_refused(struct pool *pool) {
    return queue_refused(&pool->queue);
}
