/* The writer thread, the only one that writes. It takes all commands that wait and runs them in one
 * transaction, a group, so that one fsync serves them all. If a command or the commit fails, the
 * group is rolled back, and each of its commands runs again as a group of its own: a command that
 * fails does not harm the others.
 *
 * The writer holds `turn` while it writes a group, and gives it up to the checkpointer when
 * that needs to restart the WAL. */
#include "store/sqlite/writer.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/mutex.h"
#include "store/authority.h"
#include "store/positions.h"
#include "store/sqlite/disk.h"
#include "store/sqlite/state.h"

#include <sys/resource.h>
#include <unistd.h>

enum { WRITER_NICE = -10 };

/* ---- Groups ---- */

static struct store_command *command_of(struct queue_item *item) {
    return container_of(item, struct store_command, item);
}

static void count_group(struct sqlite_store *store, unsigned size) {
    unsigned at = 0;
    while (at < STORE_GROUP_SIZES - 1 && size > 1U << at)
        at++;
    atomic_fetch_add_explicit(&store->groups[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->grouped, size, memory_order_relaxed);
}

/* Runs the commands from `first` up to, but not including, `end` in one transaction. True when it
 * is durable. */
static bool write_group(struct sqlite_store *store, struct queue_item *first,
                        struct queue_item *end) {
    struct connection *connection = store->writer_connection;
    struct store_session *session = &connection->session;
    struct store_tx tx = { session };
    session->access_changed = session->outbox_changed = session->erased = false;
    disk_begin_group(store);
    if (atomic_load(&store->is_broken))
        return false;
    bool ok = connection_execute(connection, CONNECTION_BEGIN) == STATUS_OK;
    unsigned size = 0;
    for (struct queue_item *item = first; ok && item != end; item = item->next, size++) {
        struct store_command *command = command_of(item);
        command->status = authority_run(&tx, command);
        ok = command->status != STATUS_INTERNAL;
    }
    if (ok)
        positions_begin_commit(store->base.positions);
    ok = ok && connection_execute(connection, CONNECTION_COMMIT) == STATUS_OK;
    if (!ok)
        disk_note_failure(store, first->next == end);
    if (!ok && !sqlite3_get_autocommit(connection->db) &&
        connection_execute(connection, CONNECTION_ROLLBACK) != STATUS_OK)
        atomic_store(&store->is_broken, true);
    if (!ok)
        session->webhooks = WEBHOOKS_UNKNOWN; /* the cached answer may have been rolled back */
    if (ok) {
        disk_note_success(store);
        atomic_fetch_add_explicit(&store->commits, 1, memory_order_release);
        count_group(store, size);
    }
    positions_end_commit(store->base.positions, ok);
    if (ok && session->erased)
        atomic_store(&store->must_forget, true);
    if (ok && session->access_changed)
        atomic_fetch_add_explicit(&store->access_epoch, 1, memory_order_release);
    if (ok && session->outbox_changed)
        atomic_fetch_add_explicit(&store->outbox_changes, 1, memory_order_release);
    return ok;
}

static void write_commands(struct sqlite_store *store, struct queue_item *first) {
    bool together = write_group(store, first, NULL);
    for (struct queue_item *item = first, *next; item; item = next) {
        next = item->next;
        if (!together && !write_group(store, item, next))
            command_of(item)->status = STATUS_INTERNAL;
        atomic_fetch_add_explicit(&store->commands_run, 1, memory_order_relaxed);
        command_of(item)->done(command_of(item));
    }
}

/* Every write waits for this one thread, so it runs at a higher priority than the threads that
 * serve requests. The system may refuse (it needs CAP_SYS_NICE or RLIMIT_NICE); the writer then
 * runs at normal priority. */
static void raise_priority(void) {
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), WRITER_NICE);
    (void)pthread_setname_np(pthread_self(), "writer"); /* shown by ps and top */
}

void *writer_run(void *argument) {
    struct sqlite_store *store = argument;
    struct queue_item *first;
    raise_priority();
    while ((first = queue_take_all(&store->commands, -1))) {
        /* A mutex is not fair: without this wait the writer would take it back at once. */
        while (atomic_load(&store->wants_turn))
            (void)usleep(100);
        mutex_lock(&store->turn);
        write_commands(store, first);
        mutex_unlock(&store->turn);
    }
    return NULL;
}

/* ---- Commands ---- */

enum status writer_submit(struct store *base, struct store_command *command, bool must_take) {
    struct sqlite_store *store = state_of(base);
    struct queue *queue = &store->commands;
    if (must_take ? queue_put_always(queue, &command->item) : queue_put(queue, &command->item))
        return STATUS_OK;
    return must_take || atomic_load(&store->is_closing) ? STATUS_UNAVAILABLE : STATUS_TOO_MANY;
}
