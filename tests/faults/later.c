/* The store of rosterd-faulty, which does on demand what SQLite never does (ld --wrap): it answers
 * questions later, on a thread and with a session of its own, the newest first; and it does not
 * know of a command that it kept whether it did. */
#include "control.h"

#include "base/container_of.h"
#include "base/mutex.h"
#include "store/store.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum { GATHER_MS = 2, HELD = 2 };

/* A command whose commit is to be lost sight of. */
struct lost {
    struct lost *next;
    struct store_command *command;
    void (*done)(struct store_command *command);
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    struct queue_item *newest; /* of the questions */
    struct store *store;
    pthread_t thread;
    bool runs, ends;
    struct lost *lost;
} later = { .lock = PTHREAD_MUTEX_INITIALIZER, .asked = PTHREAD_COND_INITIALIZER };

enum status __real_store_ask(struct store_session *session, struct store_command *command);
enum status __wrap_store_ask(struct store_session *session, struct store_command *command);
enum status __real_store_submit(struct store *store, struct store_command *command);
enum status __wrap_store_submit(struct store *store, struct store_command *command);
struct store *__real_store_open(const struct store_options *options, char *why, size_t why_size,
                                int *exit_code);
struct store *__wrap_store_open(const struct store_options *options, char *why, size_t why_size,
                                int *exit_code);
void __real_store_close(struct store *store);
void __wrap_store_close(struct store *store);

/* ---- answers that come later ---- */

/* Waits for a while in which more questions may come, or for as long as the test holds them. */
static void wait_for_more(void) {
    const struct timespec time = { .tv_nsec = GATHER_MS * 1000000L };
    do
        (void)nanosleep(&time, NULL);
    while (atomic_load(&control->answers_later) == HELD);
}

/* All questions that have come by then. NULL: the store is closed. */
static struct queue_item *gather(void) {
    mutex_lock(&later.lock);
    while (!later.newest && !later.ends)
        pthread_cond_wait(&later.asked, &later.lock);
    bool ends = later.ends;
    mutex_unlock(&later.lock);
    if (!ends)
        wait_for_more();
    mutex_lock(&later.lock);
    struct queue_item *newest = later.newest;
    later.newest = NULL;
    mutex_unlock(&later.lock);
    return newest;
}

static void *answer(void *argument) {
    struct store_session *session = store_session_open(argument);
    if (!session)
        abort();
    for (struct queue_item *item; (item = gather());)
        for (struct queue_item *next; item; item = next) {
            struct store_command *command = container_of(item, struct store_command, item);
            next = item->next;
            command->status = __real_store_ask(session, command);
            command->done(command);
        }
    store_session_close(session);
    return NULL;
}

enum status __wrap_store_ask(struct store_session *session, struct store_command *command) {
    if (!atomic_load(&control->answers_later))
        return __real_store_ask(session, command);
    mutex_lock(&later.lock);
    if (!later.runs && pthread_create(&later.thread, NULL, answer, later.store) != 0)
        abort();
    later.runs = true;
    command->item.next = later.newest;
    later.newest = &command->item;
    pthread_cond_signal(&later.asked);
    mutex_unlock(&later.lock);
    atomic_fetch_add(&control->questions, 1);
    return STATUS_PENDING;
}

struct store *__wrap_store_open(const struct store_options *options, char *why, size_t why_size,
                                int *exit_code) {
    return later.store = __real_store_open(options, why, why_size, exit_code);
}

void __wrap_store_close(struct store *store) {
    mutex_lock(&later.lock);
    bool runs = later.runs;
    later.ends = true;
    pthread_cond_signal(&later.asked);
    mutex_unlock(&later.lock);
    if (runs && pthread_join(later.thread, NULL) != 0)
        abort();
    __real_store_close(store);
}

/* ---- commits that are lost sight of ---- */

static struct lost *find(const struct store_command *command) {
    mutex_lock(&later.lock);
    struct lost **place = &later.lost;
    while ((*place)->command != command)
        place = &(*place)->next;
    struct lost *found = *place;
    *place = found->next;
    mutex_unlock(&later.lock);
    return found;
}

static void lose(struct store_command *command) {
    struct lost *lost = find(command);
    command->done = lost->done;
    free(lost);
    if (command->status == STATUS_OK)
        command->status = STATUS_UNKNOWN;
    command->done(command);
}

enum status __wrap_store_submit(struct store *store, struct store_command *command) {
    if (!control_strikes(COMMIT))
        return __real_store_submit(store, command);
    struct lost *lost = malloc(sizeof *lost);
    if (!lost)
        abort();
    mutex_lock(&later.lock);
    *lost = (struct lost){ later.lost, command, command->done };
    later.lost = lost;
    mutex_unlock(&later.lock);
    command->done = lose;
    enum status status = __real_store_submit(store, command);
    if (status != STATUS_OK) {
        command->done = lost->done;
        free(find(command));
    }
    return status;
}
