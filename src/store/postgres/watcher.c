/* A process that is idle learns here what others have changed: the access epoch, and the outbox of
 * the webhooks, which its deliverer waits for. A request does not rely on it: each batch of reads
 * and each transaction reads the epoch itself. The same thread looks after the office, and how
 * large the database is. */
#include "store/postgres/watcher.h"

#include "base/log.h"
#include "base/time.h"
#include "store/postgres/office.h"
#include "store/postgres/reading.h"
#include "store/postgres/session.h"

/* The size is read once a minute. */
enum { LOOK_MS = 250, LOOKS_A_SIZE = 240, LEAVE_LIMIT_MS = 2000 };

static void look(struct pg_store *store, struct connection *connection) {
    connection->deadline_ms = time_monotonic_ms() + store->place.read_limit_ms;
    enum status status = pg_begin_reading(&connection->session);
    if (status == STATUS_OK) {
        status = pg_read_turn(store, connection);
        pg_finish_reading(&connection->session);
    }
    if (status == STATUS_OK) {
        atomic_store(&store->seen_ms, time_monotonic_ms());
        pg_office_tend(store, connection);
    } else
        log_debug("database: %s", connection->error); /* the next look is another attempt */
}

void *pg_watcher_run(void *argument) {
    struct pg_store *store = argument;
    struct connection *connection = pg_session_new(store);
    (void)pthread_setname_np(pthread_self(), "watcher");
    if (connection)
        connection->has_own_deadline = true;
    for (unsigned looks = 1; !queue_is_done(&store->stop); looks++) {
        if (connection)
            look(store, connection);
        if (connection && connection->pg && looks % LOOKS_A_SIZE == 0)
            pg_note_size(store, connection);
        (void)queue_take_all(&store->stop, LOOK_MS);
    }
    if (connection && connection->pg) {
        connection->deadline_ms = time_monotonic_ms() + LEAVE_LIMIT_MS;
        pg_office_leave(store, connection);
    }
    pg_session_free(connection);
    return NULL;
}
