/* A reader's transaction is sent together with its first statement, and its end is not waited for:
 * a reading of one statement takes one journey to the server and back. */
#include "store/postgres/reading.h"

#include "base/log.h"
#include "base/time.h"
#include "store/postgres/connect.h"
#include "store/postgres/pipeline.h"
#include "store/postgres/state.h"

#include <stdlib.h>
#include <unistd.h>

enum { CONNECT_AGAIN_US = 100 * 1000 };

static const char begin_sql[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

static bool is_closing(const struct connection *connection) {
    const struct pg_store *store = pg_store_of(connection->session.store);
    return connection->may_end_early && atomic_load(&store->is_closing);
}

static int64_t next_deadline(const struct connection *connection) {
    return time_monotonic_ms() + pg_store_of(connection->session.store)->place.read_limit_ms;
}

bool pg_is_time_left(const struct connection *connection) {
    return !is_closing(connection) &&
           (!connection->deadline_ms || time_monotonic_ms() < connection->deadline_ms);
}

/* After the deadline there is not even one attempt: the commands that waited behind the first would
 * wait for one each. */
enum status pg_connect_in_time(struct connection *connection) {
    struct pg_store *store = pg_store_of(connection->session.store);
    if (connection->pg)
        return STATUS_OK;
    if (!pg_is_time_left(connection))
        return STATUS_UNAVAILABLE;
    const bool is_open = atomic_load(&store->is_open); /* else whoever starts it says why it ends */
    for (;;) {
        enum pg_meaning meaning = pg_connect(connection, &store->place);
        if (meaning == PG_FINE)
            return STATUS_OK;
        const bool is_over = !connection->deadline_ms || !pg_is_time_left(connection);
        if (is_open && (is_over || meaning != PG_LOST))
            log_warning("database: %s", connection->error);
        if (is_over || (meaning != PG_LOST && !is_open))
            return is_open ? STATUS_UNAVAILABLE : pg_status_of(meaning);
        (void)usleep(CONNECT_AGAIN_US);
    }
}

enum status pg_ensure_connected(struct connection *connection) {
    if (connection->is_writer)
        return connection->pg ? STATUS_OK : STATUS_UNAVAILABLE;
    if (!connection->depth && !connection->has_own_deadline)
        connection->deadline_ms = next_deadline(connection);
    enum status status = pg_connect_in_time(connection);
    if (status == STATUS_OK && connection->depth && !connection->in_transaction &&
        !connection->is_brief) {
        if (connection->is_unsynced) /* else BEGIN would be part of a transaction */
            pg_send_sync(connection);
        pg_send_control(connection, begin_sql);
        connection->in_transaction = true;
    }
    return status;
}

enum status pg_begin_reading(struct store_session *session) {
    struct connection *connection = connection_of(session);
    if (connection->is_writer || connection->depth++)
        return STATUS_OK;
    connection->has_read = connection->was_given_up = false;
    connection->failed = connection->first_failed = PG_FINE;
    if (!connection->has_own_deadline) { /* else it is of a thread that counts its commands */
        connection->deadline_ms = next_deadline(connection);
        atomic_fetch_add_explicit(&pg_store_of(session->store)->readings, 1, memory_order_relaxed);
    }
    return STATUS_OK;
}

void pg_finish_reading(struct store_session *session) {
    struct connection *connection = connection_of(session);
    if (connection->is_writer || --connection->depth)
        return;
    if (connection->pg && connection->in_transaction && connection->failed == PG_FINE) {
        pg_send_control(connection, "COMMIT");
        pg_send_sync(connection);
    } else if (connection->pg && connection->failed != PG_FINE) {
        pg_roll_back(connection);
    }
    connection->in_transaction = false;
}

bool pg_begin_again(struct connection *connection) {
    if (connection->failed != PG_LOST || !pg_is_time_left(connection))
        return false;
    pg_disconnect(connection);
    connection->in_transaction = false;
    connection->failed = connection->first_failed = PG_FINE;
    return true;
}

enum status pg_why_ended(const struct connection *connection) {
    return is_closing(connection) ? STATUS_UNAVAILABLE : STATUS_TOO_SLOW;
}

void pg_note_size(struct pg_store *store, struct connection *connection) {
    PGresult *size = pg_ask(connection, "SELECT pg_database_size(current_database())");
    if (size)
        atomic_store(&store->size, strtoull(PQgetvalue(size, 0, 0), NULL, 10));
    PQclear(size);
}

enum status pg_read_turn(struct pg_store *store, struct connection *connection) {
    struct sql_statement *statement =
        sql_text_statement(&connection->session, "SELECT epoch, outbox, oldest FROM turn");
    enum status status = sql_step(statement);
    if (status == STATUS_OK) {
        connection->epoch = (uint64_t)sql_integer(statement, 0);
        pg_raise(&store->access_epoch, connection->epoch);
        pg_raise(&store->outbox_changes, (uint64_t)sql_integer(statement, 1));
        pg_note_oldest(store, sql_integer(statement, 2));
    }
    sql_done(statement);
    return status == STATUS_NOT_FOUND ? STATUS_INTERNAL : status;
}
