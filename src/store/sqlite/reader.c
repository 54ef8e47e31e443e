/* The threads that run reads which may take long, so that no I/O thread waits for them. Each has
 * its own session, and interrupts a read at its deadline. */
#include "store/sqlite/reader.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "store/authority.h"
#include "store/sqlite/session.h"
#include "store/sqlite/state.h"

#include <stdlib.h>

/* The most reads that may wait. One that is further back in the queue would be answered too late to
 * be of use. */
enum { WAITING_MAX = 64 };

struct reader_pool {
    struct queue commands;
    struct sqlite_store *store;
    int64_t limit_ms;
    unsigned running;
    pthread_t threads[];
};

static void *read_on(void *argument) {
    struct reader_pool *pool = argument;
    (void)pthread_setname_np(pthread_self(), "reader");
    struct store_session *session = session_open_limited(pool->store);
    if (!session)
        log_error("a reader cannot open the database");
    for (struct queue_item *item; (item = queue_take(&pool->commands));) {
        struct store_command *command = container_of(item, struct store_command, item);
        if (session)
            connection_of(session)->deadline_ms = time_monotonic_ms() + pool->limit_ms;
        command->status = session ? authority_read(session, command) : STATUS_INTERNAL;
        command->done(command);
    }
    session_close_any(session);
    return NULL;
}

enum status readers_ask(struct store_session *session, struct store_command *command) {
    return authority_read(session, command);
}

struct reader_pool *readers_start(struct sqlite_store *store, unsigned threads, int64_t limit_ms) {
    struct reader_pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);
    if (!pool || !queue_init(&pool->commands, WAITING_MAX)) {
        free(pool);
        return NULL;
    }
    pool->store = store;
    pool->limit_ms = limit_ms;
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
        (void)pthread_join(pool->threads[i], NULL); /* fails only by a mistake of this file */
    queue_destroy(&pool->commands);
    free(pool);
}

enum status readers_submit(struct store *base, struct store_command *command) {
    struct sqlite_store *store = state_of(base);
    if (atomic_load(&store->is_closing))
        return STATUS_UNAVAILABLE;
    return queue_put(&store->reader_pool->commands, &command->item) ? STATUS_OK : STATUS_TOO_MANY;
}

size_t readers_waiting(struct reader_pool *pool) {
    return queue_length(&pool->commands);
}

uint64_t readers_refused(struct reader_pool *pool) {
    return queue_refused(&pool->commands);
}
