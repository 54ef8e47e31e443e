/* The threads that read what may take long, so that no I/O thread has to wait for it. */
#include "store/sqlite/sqlite.h"

#include "base/log.h"

#include <stdlib.h>

struct reader_pool {
    struct queue commands;
    struct store *store;
    unsigned running;
    pthread_t threads[];
};

static void *read_on(void *argument) {
    struct reader_pool *pool = argument;
    (void)pthread_setname_np(pthread_self(), "reader");
    struct store_view *view = store_view_open(pool->store);
    if (!view)
        log_error("a reader cannot open the database");
    for (struct queue_item *item; (item = queue_take(&pool->commands));) {
        struct store_command *command = (struct store_command *)item;
        command->status = view ? command->run(view, command) : STATUS_BROKEN;
        command->done(command);
    }
    store_view_close(view);
    return NULL;
}

struct reader_pool *readers_start(struct store *store, unsigned threads) {
    struct reader_pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);
    if (!pool || !queue_init(&pool->commands, 0)) {
        free(pool);
        return NULL;
    }
    pool->store = store;
    for (; pool->running < threads; pool->running++)
        if (pthread_create(&pool->threads[pool->running], NULL, read_on, pool) != 0) {
            readers_stop(pool);
            return NULL;
        }
    return pool;
}

void readers_stop(struct reader_pool *pool) {
    if (!pool)
        return;
    queue_close(&pool->commands);
    for (unsigned i = 0; i < pool->running; i++)
        (void)pthread_join(pool->threads[i], NULL); /* it fails for our own mistakes only */
    queue_destroy(&pool->commands);
    free(pool);
}

bool readers_submit(struct reader_pool *pool, struct store_command *command) {
    return queue_put(&pool->commands, &command->item);
}
