/* The threads that write. Each takes all commands that wait in its queue and runs them in groups,
 * each of which is one transaction. When a group fails, each of its commands runs again as a group
 * of its own: one that fails does not harm the others. Commands that turn out not to be plain, and
 * all of a plain group that fails, go to the queue of the writer that has the turn alone. */
#include "store/postgres/writer.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "store/postgres/group.h"
#include "store/postgres/plain.h"
#include "store/postgres/session.h"

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
    const struct connection *connection = group->writer->connection;
    unsigned size = 0;
    for (struct queue_item *item = group->first; item != group->end; item = item->next)
        size += command_of(item)->status != STATUS_PENDING;
    if (!size)
        return;
    count_group(store, size);
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

/* The queue is closed only after the threads of plain groups have ended. */
static void put_off(struct pg_store *store, struct store_command *command) {
    bool taken = queue_put_always(&store->commands, &command->item);
    assert(taken);
    (void)taken;
}

static void end_command(struct pg_store *store, struct store_command *command) {
    atomic_fetch_add_explicit(&store->commands_run, 1, memory_order_relaxed);
    command->done(command);
}

/* Runs a group and ends its commands, unless they have to run again. */
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
        if (command->status == STATUS_PENDING)
            put_off(store, command);
        else
            end_command(store, command);
    }
    return true;
}

static void run_again(struct pg_writer *writer, const struct pg_group *group) {
    for (struct queue_item *item = group->first, *next; item != group->end; item = next) {
        next = item->next;
        if (writer->is_plain) {
            put_off(writer->store, command_of(item));
            continue;
        }
        const struct pg_group one = { writer, item, next, .is_careful = true };
        (void)run_and_end(writer->store, &one); /* a careful group is always ended */
    }
}

/* Is it a command alone, which waits for each of its statements so that it need not run a second
 * time? One that changes a record which it has read under the turn hardly ever fails, and waits for
 * none; nor does one that writes much. */
static bool is_uncertain(struct queue_item *first, const struct queue_item *end) {
    const struct store_command *command = command_of(first);
    return first->next == end && !command->target.table && !command->writes_much;
}

static struct queue_item *end_of_group(struct queue_item *first) {
    unsigned size = 0;
    while (first && size++ < GROUP_MAX)
        first = first->next;
    return first;
}

/* A plain group takes commands when the one before has sent its COMMIT, and nearly as many wait as
 * that one has, or it has ended (group.c): groups are not smaller than they have to be. */
static void wait_to_form(struct pg_writer *writer) {
    if (!writer->is_plain)
        return;
    int failed = pthread_mutex_lock(&writer->store->forming);
    assert(!failed);
    (void)failed;
    writer->is_forming = true;
}

static void run_all(struct pg_writer *writer, struct queue_item *first) {
    for (struct queue_item *end; first; first = end) {
        end = end_of_group(first);
        const struct pg_group group = { writer, first, end,
                                        !writer->is_plain && is_uncertain(first, end) };
        if (!run_and_end(writer->store, &group))
            run_again(writer, &group);
    }
}

static void *write_on(void *argument) {
    struct pg_writer *writer = argument;
    struct queue_item *first;
    (void)pthread_setname_np(pthread_self(), writer->is_plain ? "plain" : "writer"); /* for ps */
    do {
        wait_to_form(writer);
        first = queue_take_all(writer->commands, -1);
        run_all(writer, first);
        pg_pass_on(writer);
    } while (first);
    return NULL;
}

bool pg_writer_make(struct pg_writer *writer, struct pg_store *store, struct queue *commands) {
    *writer = (struct pg_writer){ .store = store,
                                  .commands = commands,
                                  .connection = pg_session_new(store),
                                  .is_plain = commands == &store->plain };
    if (!writer->connection)
        return false;
    writer->connection->is_writer = true;
    return true;
}

bool pg_writer_start(struct pg_writer *writer) {
    writer->runs = pthread_create(&writer->thread, NULL, write_on, writer) == 0;
    return writer->runs;
}

void pg_writer_stop(struct pg_writer *writer) {
    if (writer->runs)
        (void)pthread_join(writer->thread, NULL); /* fails only by a mistake of this file */
    pg_session_free(writer->connection);
}

enum status pg_submit(struct store *base, struct store_command *command, bool must_take) {
    struct pg_store *store = pg_store_of(base);
    assert(command->on_behalf_of && command->run);
    command->since_ms = time_monotonic_ms();
    struct queue *queue = pg_may_be_plain(store, command) ? &store->plain : &store->commands;
    bool taken =
        must_take ? queue_put_always(queue, &command->item) : queue_put(queue, &command->item);
    if (taken)
        return STATUS_OK;
    return atomic_load(&store->is_closing) ? STATUS_UNAVAILABLE : STATUS_TOO_MANY;
}
