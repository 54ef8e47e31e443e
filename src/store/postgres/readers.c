/* An I/O thread must not wait for the network, so its reads run here. A thread takes all questions
 * that wait, reads the access epoch and the records that they name once for all of them, and then
 * answers one after the other: what it reads is at least as new as each question.
 *
 * For most questions that is all. Their two statements are one transaction, without BEGIN and
 * COMMIT: the server takes what is sent up to the next sync for one, and its isolation (connect.c)
 * lets both see the same. A question that turns out to need more runs again in a reading that other
 * statements can be part of. */
#include "store/postgres/readers.h"

#include "base/container_of.h"
#include "base/time.h"
#include "store/authority.h"
#include "store/postgres/prefetch.h"
#include "store/postgres/prefetched.h"
#include "store/postgres/reading.h"
#include "store/postgres/session.h"

#include <assert.h>

static struct store_command *command_of(struct queue_item *item) {
    return container_of(item, struct store_command, item);
}

/* A search that waited while the database failed to answer another one has no more time than that
 * had: else each search in the queue would wait for the database once more. */
static int64_t deadline_of(const struct pg_readers *readers, const struct connection *connection,
                           const struct store_command *command) {
    const bool includes_queue =
        !readers->runs_long || command->since_ms <= connection->unavailable_ms;
    return (includes_queue ? command->since_ms : time_monotonic_ms()) + readers->limit_ms;
}

/* Begins the reading of a batch. After a failure the rest of the batch gets another one. */
static enum status begin_batch(const struct pg_readers *readers, struct connection *connection,
                               struct queue_item *first) {
    if (!connection)
        return STATUS_UNAVAILABLE;
    connection->deadline_ms = deadline_of(readers, connection, command_of(first));
    enum status status = pg_begin_reading(&connection->session);
    if (status == STATUS_OK)
        pg_prefetch_send(connection, first, NULL);
    return status == STATUS_OK ? pg_read_turn(readers->store, connection) : status;
}

static void end_batch(struct connection *connection) {
    if (!connection)
        return;
    pg_prefetch_forget(connection);
    pg_finish_reading(&connection->session);
}

static enum status status_of_failure(const struct connection *connection) {
    return connection->failed == PG_FINE ? STATUS_INTERNAL : pg_status_of(connection->failed);
}

static enum status answer(const struct pg_readers *readers, struct connection *connection,
                          struct store_command *command) {
    connection->deadline_ms = deadline_of(readers, connection, command);
    connection->has_read = false; /* nobody has seen anything for this command */
    enum status status = authority_read(&connection->session, command);
    /* A statement that could not be prepared does not tell its caller why. */
    return status == STATUS_INTERNAL ? status_of_failure(connection) : status;
}

static void end(const struct pg_readers *readers, struct connection *connection,
                struct store_command *command) {
    if (command->status == STATUS_UNAVAILABLE && connection)
        connection->unavailable_ms = time_monotonic_ms();
    atomic_fetch_add_explicit(&readers->store->readings, 1, memory_order_relaxed);
    command->done(command);
}

/* Answers one question of a batch whose transaction has ended. False: it needs a statement. */
static bool answer_without_statements(const struct pg_readers *readers,
                                      struct connection *connection,
                                      struct store_command *command) {
    if (!command->target.table)
        return false;
    connection->is_plain = true;
    connection->is_too_wide = false;
    command->status = answer(readers, connection, command);
    connection->is_plain = false;
    return !connection->is_too_wide;
}

/* Answers what needs no more than was read beforehand. Returns the other questions, in order. */
static struct queue_item *answer_at_once(const struct pg_readers *readers,
                                         struct connection *connection, struct queue_item *first) {
    struct queue_item *others = NULL, **last = &others;
    connection->is_brief = true;
    const bool is_read = begin_batch(readers, connection, first) == STATUS_OK;
    for (struct queue_item *item = first, *next; item; item = next) {
        struct store_command *command = command_of(item);
        next = item->next; /* `done` may free the command */
        if (is_read && answer_without_statements(readers, connection, command)) {
            end(readers, connection, command);
        } else {
            *last = item;
            last = &item->next;
        }
    }
    *last = NULL;
    end_batch(connection);
    connection->is_brief = false;
    return others;
}

static void answer_in_reading(const struct pg_readers *readers, struct connection *connection,
                              struct queue_item *first) {
    enum status status = STATUS_OK;
    for (struct queue_item *item = first, *next; item; item = next) {
        struct store_command *command = command_of(item);
        const bool begins_again = connection && connection->failed != PG_FINE;
        if (item != first && begins_again)
            end_batch(connection);
        if (item == first || begins_again)
            status = begin_batch(readers, connection, item);
        next = item->next; /* `done` may free the command */
        command->status =
            connection && status == STATUS_OK ? answer(readers, connection, command) : status;
        end(readers, connection, command);
    }
    end_batch(connection);
}

/* Cuts the list behind as many items as are read together, and returns the rest. */
static struct queue_item *cut_batch(struct queue_item *first) {
    for (unsigned size = 1; size < PG_PREFETCH_MAX && first->next; size++)
        first = first->next;
    struct queue_item *rest = first->next;
    first->next = NULL;
    return rest;
}

static void answer_all(const struct pg_readers *readers, struct connection *connection,
                       struct queue_item *first) {
    for (struct queue_item *rest; first; first = rest) {
        rest = cut_batch(first);
        if (connection && command_of(first)->target.table)
            first = answer_at_once(readers, connection, first);
        if (first)
            answer_in_reading(readers, connection, first);
    }
}

/* Takes all questions that wait, or one search: other threads shall take the others. */
static struct queue_item *take(struct pg_readers *readers) {
    if (!readers->runs_long)
        return queue_take_all(&readers->commands, -1);
    struct queue_item *item = queue_take(&readers->commands);
    if (item)
        item->next = NULL;
    return item;
}

static void *read_on(void *argument) {
    struct pg_readers *readers = argument;
    struct connection *connection = pg_session_new(readers->store);
    (void)pthread_setname_np(pthread_self(), readers->name);
    if (connection) {
        connection->has_own_deadline = true;
        connection->may_end_early = readers->runs_long;
        connection->is_repeatable = !readers->runs_long;
    }
    for (struct queue_item *first; (first = take(readers));)
        answer_all(readers, connection, first);
    pg_session_free(connection);
    return NULL;
}

bool pg_readers_start(struct pg_readers *readers, unsigned threads, size_t room) {
    assert(threads <= sizeof readers->threads / sizeof readers->threads[0]);
    readers->is_open = queue_init(&readers->commands, room);
    while (readers->is_open && readers->running < threads &&
           pthread_create(&readers->threads[readers->running], NULL, read_on, readers) == 0)
        readers->running++;
    return readers->running == threads;
}

void pg_readers_stop(struct pg_readers *readers) {
    if (!readers->is_open)
        return;
    queue_close(&readers->commands);
    for (unsigned i = 0; i < readers->running; i++)
        (void)pthread_join(readers->threads[i], NULL); /* fails only by a mistake of this file */
    queue_destroy(&readers->commands);
    readers->is_open = false;
}

static enum status put(struct pg_readers *readers, struct store_command *command) {
    assert(command->on_behalf_of && command->read);
    command->since_ms = time_monotonic_ms();
    if (queue_put(&readers->commands, &command->item))
        return STATUS_OK;
    return atomic_load(&readers->store->is_closing) ? STATUS_UNAVAILABLE : STATUS_TOO_MANY;
}

enum status pg_read(struct store *base, struct store_command *command) {
    struct pg_store *store = pg_store_of(base);
    if (atomic_load(&store->is_closing))
        return STATUS_UNAVAILABLE;
    return put(&store->searches, command);
}

enum status pg_ask_later(struct store_session *session, struct store_command *command) {
    enum status status = put(&pg_store_of(session->store)->questions, command);
    return status == STATUS_OK ? STATUS_PENDING : status;
}
