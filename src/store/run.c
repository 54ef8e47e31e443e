/* Waits for the end of a command. */
#include "base/container_of.h"
#include "store/engine.h"

#include <assert.h>
#include <semaphore.h>

/* A command that a thread sleeps for, wrapped around the real one. It is a semaphore and not a
 * queue, because the woken thread may destroy a semaphore at once, while the thread that put an
 * item still uses the queue. */
struct waiting {
    struct store_command command;
    struct store_command *real;
    sem_t finished;
};

static enum status run_real(struct store_tx *tx, struct store_command *command) {
    struct waiting *waiting = container_of(command, struct waiting, command);
    return waiting->real->run(tx, waiting->real);
}

static void wake_waiting(struct store_command *command) {
    struct waiting *waiting = container_of(command, struct waiting, command);
    int failed = sem_post(&waiting->finished);
    assert(!failed);
    (void)failed;
}

enum status store_run(struct store *store, struct store_command *command) {
    assert(command->on_behalf_of && command->run);
    struct waiting waiting = {
        .command = { .on_behalf_of = command->on_behalf_of, .run = run_real, .done = wake_waiting },
        .real = command
    };
    if (sem_init(&waiting.finished, 0, 0) != 0)
        return STATUS_INTERNAL;
    enum status status = store->engine->store->submit(store, &waiting.command, true);
    if (status == STATUS_OK) {
        while (sem_wait(&waiting.finished) != 0)
            ; /* interrupted by a signal */
        status = waiting.command.status;
    }
    (void)sem_destroy(&waiting.finished);
    return status;
}
