/* The thread that writes. It takes all commands that wait and runs them in groups, each of which is
 * one transaction. When a group fails, each of its commands runs again as a group of its own: one
 * that fails does not harm the others. */
#include "store/postgres/writer.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "store/postgres/group.h"

#include <assert.h>

/* The most commands of a group: the others of all processes wait for it. */
enum { GROUP_MAX = 128 };

static struct store_command *command_of(struct queue_item *item) {
    return container_of(item, struct store_command, item);
}

/* ---- Counting ---- */

static void count_group(struct pg_store *store, unsigned size) {
    unsigned at = 0;
    while (at < STORE_GROUP_SIZES - 1 && size > 1U << at)
        at++;
    atomic_fetch_add_explicit(&store->groups[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->grouped, size, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->commits, 1, memory_order_release);
}

/* Tells this process what its own commit has changed; the others read it from the database. */
static void note_kept(struct pg_store *store, const struct pg_group *group) {
    const struct connection *connection = store->writer_connection;
    count_group(store, pg_group_size(group));
    atomic_store(&store->is_full, false);
    if (connection->session.access_changed)
        pg_raise(&store->access_epoch, connection->epoch + 1);
    if (connection->session.outbox_changed)
        pg_raise(&store->outbox_changes, connection->outbox + 1);
}

/* ---- Running ---- */

static enum status status_of(enum pg_outcome outcome) {
    switch (outcome) {
    case PG_KEPT: return STATUS_OK;
    case PG_UNDONE: return STATUS_INTERNAL;
    case PG_AWAY:
    case PG_OUTDATED:
    case PG_DISK_FULL: return STATUS_UNAVAILABLE;
    case PG_UNCLEAR: return STATUS_UNKNOWN;
    }
    return STATUS_INTERNAL;
}

/* Runs a group and ends its commands, unless each of them has to run again alone. */
static bool run_and_end(struct pg_store *store, const struct pg_group *group) {
    int64_t deadline_ms = command_of(group->first)->since_ms + store->place.write_limit_ms;
    enum pg_outcome outcome = pg_group_run(store, group, deadline_ms);
    if (outcome == PG_UNDONE && !group->is_careful)
        return false;
    if (outcome == PG_KEPT)
        note_kept(store, group);
    if (outcome == PG_DISK_FULL)
        atomic_store(&store->is_full, true);
    for (struct queue_item *item = group->first, *next; item != group->end; item = next) {
        struct store_command *command = command_of(item);
        next = item->next; /* `done` may free the command */
        if (outcome != PG_KEPT)
            command->status = status_of(outcome);
        atomic_fetch_add_explicit(&store->commands_run, 1, memory_order_relaxed);
        command->done(command);
    }
    return true;
}

static void run_alone(struct pg_store *store, const struct pg_group *group) {
    for (struct queue_item *item = group->first, *next; item != group->end; item = next) {
        next = item->next;
        const struct pg_group one = { item, next, true };
        (void)run_and_end(store, &one); /* a careful group is always ended */
    }
}

/* Is it a command alone, which waits for each of its statements so that it need not run a second
 * time? One that changes a record which it has read under the turn hardly ever fails, and waits for
 * none. */
static bool is_uncertain(struct queue_item *first, const struct queue_item *end) {
    return first->next == end && !command_of(first)->target.table;
}

static struct queue_item *end_of_group(struct queue_item *first) {
    unsigned size = 0;
    while (first && size++ < GROUP_MAX)
        first = first->next;
    return first;
}

void *pg_writer_run(void *argument) {
    struct pg_store *store = argument;
    struct queue_item *first;
    (void)pthread_setname_np(pthread_self(), "writer"); /* shown by ps and top */
    while ((first = queue_take_all(&store->commands, -1)))
        for (struct queue_item *end; first; first = end) {
            end = end_of_group(first);
            const struct pg_group group = { first, end, .is_careful = is_uncertain(first, end) };
            if (!run_and_end(store, &group))
                run_alone(store, &group);
        }
    return NULL;
}

enum status pg_submit(struct store *base, struct store_command *command, bool must_take) {
    struct pg_store *store = pg_store_of(base);
    assert(command->on_behalf_of && command->run);
    command->since_ms = time_monotonic_ms();
    bool taken = must_take ? queue_put_always(&store->commands, &command->item)
                           : queue_put(&store->commands, &command->item);
    if (taken)
        return STATUS_OK;
    return atomic_load(&store->is_closing) ? STATUS_UNAVAILABLE : STATUS_TOO_MANY;
}
