/* A process that is idle learns here what others have changed: the access epoch, and the outbox of
 * the webhooks, which its deliverer waits for. A request does not rely on it: each batch of reads
 * and each transaction reads the epoch itself. The same thread looks after the office, and how
 * large the database is, and whether a full disk of the server has room again. */
#include "store/postgres/watcher.h"

#include "base/log.h"
#include "base/time.h"
#include "store/postgres/office.h"
#include "store/postgres/pipeline.h"
#include "store/postgres/reading.h"
#include "store/postgres/session.h"

/* The size is read once a minute. */
enum { LOOK_MS = 250, LOOKS_A_SIZE = 240, LEAVE_LIMIT_MS = 2000, LOOKS_A_ROOM = 8 };

/* Sorts more than fits into the memory that it may have, so that the server writes some megabytes
 * to a file where the database lies, and removes it. The role needs no right for that. */
static const char room_sql[] =
    "SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = '';"
    "SELECT count(*) FROM (SELECT n FROM generate_series(1, 100000) AS n ORDER BY n DESC OFFSET 1)"
    " AS sorted";

/* Has the disk room again? A change that was made is no proof, since small ones find room in pages
 * that are there. */
static void look_for_room(struct pg_store *store, struct connection *connection) {
    connection->failed = connection->first_failed = PG_FINE;
    if (pg_run_simple(connection, room_sql) != PG_FINE)
        return; /* the reason has been logged */
    atomic_store(&store->is_full, false);
    log_info("database: the server's disk has room again");
}

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
        if (connection && connection->pg && atomic_load(&store->is_full) &&
            looks % LOOKS_A_ROOM == 0)
            look_for_room(store, connection);
        (void)queue_take_all(&store->stop, LOOK_MS);
    }
    if (connection && connection->pg) {
        connection->deadline_ms = time_monotonic_ms() + LEAVE_LIMIT_MS;
        pg_office_leave(store, connection);
    }
    pg_session_free(connection);
    return NULL;
}
