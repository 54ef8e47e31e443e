/* Sends statements to PostgreSQL and collects their results, in libpq's pipeline mode: a statement
 * that writes is sent and not waited for, so that a whole transaction of them takes one or two
 * journeys to the server and back. Results come in the order of the statements.
 *
 * After a failure the server skips what was sent, up to the next sync. The connection remembers the
 * worst failure (`failed`) until its transaction or reading has ended. */
#include "store/postgres/pipeline.h"

#include "base/log.h"
#include "base/time.h"
#include "store/postgres/parameters.h"
#include "store/postgres/state.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_AGAIN_MS = 100, LOG_AGAIN_MS = 1000, GRACE_MS = 2000 };

/* ---- Failures ---- */

/* Logs a failure of the server, but not the same one again within a second. The message says what
 * is wrong, and may contain values of the row (DETAIL is left out for that reason). */
static void log_failure(struct connection *connection, const char *sqlstate, const char *message) {
    int64_t now_ms = time_monotonic_ms();
    if (strncmp(connection->logged, sqlstate, sizeof connection->logged - 1) == 0 &&
        now_ms - connection->logged_ms < LOG_AGAIN_MS)
        return;
    (void)snprintf(connection->logged, sizeof connection->logged, "%s", sqlstate);
    connection->logged_ms = now_ms;
    log_error("database: %s (%s)", message, sqlstate);
}

static void lose(struct connection *connection) {
    const char *why = connection->pg ? PQerrorMessage(connection->pg) : "";
    pg_fail(connection, PG_LOST, *why ? why : "the connection to the database is closed");
}

/* A right that the role lacks at the start ends it, with a line that has the GRANT. */
static bool is_told_at_start(const struct connection *connection, const char *sqlstate) {
    const struct pg_store *store = pg_store_of(connection->session.store);
    return strcmp(sqlstate, PG_INSUFFICIENT_PRIVILEGE) == 0 && !atomic_load(&store->is_open);
}

static void note_failure(struct connection *connection, const PGresult *result) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum pg_meaning meaning = pg_meaning_of(sqlstate);
    if (sqlstate && strcmp(sqlstate, PG_DIVISION_BY_ZERO) == 0) { /* see update_rows.c */
        pg_fail(connection, PG_FAILED, "a row was not as it was read");
        return;
    }
    if (PQstatus(connection->pg) == CONNECTION_BAD)
        meaning = PG_LOST;
    if (sqlstate && (meaning == PG_FAILED || meaning == PG_FULL) &&
        !is_told_at_start(connection, sqlstate))
        log_failure(connection, sqlstate, message ? message : "");
    pg_fail_there(connection, meaning, sqlstate,
                  message ? message : "the connection to the database broke");
}

/* ---- Waiting ---- */

/* May the connection wait no longer, as the store is closing? */
static bool must_end(const struct connection *connection) {
    const struct pg_store *store = pg_store_of(connection->session.store);
    return connection->may_end_early && store && atomic_load(&store->is_closing);
}

/* How long may the connection wait from now on? -1: no longer. A search has a while more, in which
 * the server itself ends a slow statement and the connection stays. */
static int time_left(const struct connection *connection) {
    if (must_end(connection))
        return -1;
    if (!connection->deadline_ms)
        return LOOK_AGAIN_MS;
    int64_t left =
        connection->deadline_ms - time_monotonic_ms() + (connection->may_end_early ? GRACE_MS : 0);
    if (left <= 0)
        return -1;
    return left < LOOK_AGAIN_MS ? (int)left : LOOK_AGAIN_MS;
}

/* Gives a statement up: the connection is closed, and the server ends the statement when it notices
 * (client_connection_check_interval). A request to cancel it would have to be answered, too. */
static void give_up(struct connection *connection) {
    connection->was_given_up = must_end(connection) || connection->has_read;
    pg_fail(connection, PG_LOST, "the database did not answer in time");
}

/* Waits until a result can be read, while the rest of what was sent goes out. */
static bool wait_for_result(struct connection *connection) {
    for (;;) {
        int flushed = PQflush(connection->pg);
        if (flushed < 0)
            return false;
        if (!PQisBusy(connection->pg))
            return true;
        int timeout_ms = time_left(connection);
        if (timeout_ms < 0) {
            give_up(connection);
            return false;
        }
        struct pollfd socket = { .fd = PQsocket(connection->pg),
                                 .events = (short)(POLLIN | (flushed ? POLLOUT : 0)) };
        int ready = poll(&socket, 1, timeout_ms);
        if (ready > 0 && !PQconsumeInput(connection->pg))
            return false;
    }
}

static PGresult *next_result(struct connection *connection) {
    return wait_for_result(connection) ? PQgetResult(connection->pg) : NULL;
}

/* ---- Collecting ---- */

static bool is_good(const PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static int64_t changed_rows(PGresult *result) {
    return strtoll(PQcmdTuples(result), NULL, 10);
}

/* Takes the result of a statement of the caller's. */
static void keep(struct connection *connection, const struct pg_sent *sent, PGresult *result) {
    int64_t changed = changed_rows(result);
    if (sent->must_change_one && changed != 1 && !connection->is_careful)
        pg_fail(connection, PG_FAILED, "a row was not as it was read");
    if (!sent->statement) {
        PQclear(result);
        return;
    }
    sent->statement->changed = changed;
    PQclear(sent->statement->result);
    sent->statement->result = result;
}

/* Collects the result of what was sent first. False: the connection is lost. */
static bool collect_one(struct connection *connection) {
    struct pg_sent sent = connection->sent[connection->first];
    PGresult *result = next_result(connection);
    if (!result)
        return false;
    connection->first = (connection->first + 1) % PG_UNDER_WAY_MAX;
    connection->count--;
    ExecStatusType status = PQresultStatus(result);
    bool is_sync = status == PGRES_PIPELINE_SYNC;
    bool is_skipped = status == PGRES_PIPELINE_ABORTED;
    if (is_good(result) && sent.statement && sent.kind == PG_SENT_STATEMENT) {
        keep(connection, &sent, result);
    } else {
        if (!is_good(result) && !is_sync && !is_skipped)
            note_failure(connection, result);
        else if (sent.kind == PG_SENT_COMMIT && !is_skipped &&
                 strcmp(PQcmdStatus(result), "COMMIT") != 0)
            pg_fail(connection, PG_FAILED, "the database rolled the transaction back");
        PQclear(result);
    }
    if (is_sync != (sent.kind == PG_SENT_SYNC)) {
        pg_fail(connection, PG_LOST, "the results of the database are not in order");
        return false;
    }
    /* A result is followed by its end, a sync is not. */
    PGresult *end = is_sync ? NULL : next_result(connection);
    PQclear(end);
    return PQstatus(connection->pg) != CONNECTION_BAD && !end;
}

static enum pg_meaning collect(struct connection *connection) {
    connection->is_unchecked = false;
    if (!connection->pg)
        lose(connection);
    while (connection->count && connection->pg)
        if (!collect_one(connection)) {
            lose(connection);
            pg_disconnect(connection);
        }
    return connection->failed;
}

static void note_sent(struct connection *connection, struct pg_sent sent) {
    assert(connection->count < PG_UNDER_WAY_MAX);
    connection->is_unsynced = sent.kind != PG_SENT_SYNC;
    connection->sent[(connection->first + connection->count++) % PG_UNDER_WAY_MAX] = sent;
}

void pg_send_sync(struct connection *connection) {
    if (connection->pg && PQpipelineSync(connection->pg))
        note_sent(connection, (struct pg_sent){ .kind = PG_SENT_SYNC });
    else
        lose(connection);
}

/* Asks for the results by a sync, not by a mere flush: between two syncs the server takes a
 * transaction for active, and would not end it if this process stood still
 * (idle_in_transaction_session_timeout). */
enum pg_meaning pg_collect(struct connection *connection) {
    if (connection->pg && connection->count && connection->is_unsynced)
        pg_send_sync(connection);
    return collect(connection);
}

void pg_roll_back(struct connection *connection) {
    char error[PG_ERROR_SIZE];
    memcpy(error, connection->error, sizeof error);
    if (connection->pg) {
        pg_send_sync(connection);
        (void)collect(connection);
    }
    connection->failed = connection->first_failed = PG_FINE;
    if (connection->pg && PQtransactionStatus(connection->pg) != PQTRANS_IDLE) {
        pg_send_control(connection, "ROLLBACK");
        pg_send_sync(connection);
        if (collect(connection) != PG_FINE)
            pg_disconnect(connection);
    }
    connection->in_transaction = false;
    connection->failed = connection->first_failed = PG_FINE;
    memcpy(connection->error, error, sizeof error);
}

/* ---- Sending ---- */

/* Is there room for another statement? Leaves some for the syncs. */
static bool make_room(struct connection *connection) {
    enum { FOR_SYNCS = 8 };
    if (connection->count >= PG_UNDER_WAY_MAX - FOR_SYNCS)
        (void)pg_collect(connection);
    return connection->pg && connection->failed < PG_LOST;
}

void pg_send_control(struct connection *connection, const char *sql) {
    if (make_room(connection) &&
        PQsendQueryParams(connection->pg, sql, 0, NULL, NULL, NULL, NULL, 1))
        note_sent(connection, (struct pg_sent){ .kind = PG_SENT_CONTROL });
    else
        lose(connection);
}

/* A COMMIT goes on if the connection breaks meanwhile. Else the server would end it while it waits
 * for the standby, and others would see what may still be lost. */
void pg_send_commit(struct connection *connection) {
    if (connection->is_writer)
        pg_send_control(connection, "SET LOCAL client_connection_check_interval = 0");
    unsigned before = connection->count;
    connection->was_noticed = false;
    pg_send_control(connection, "COMMIT");
    if (connection->count == before)
        return;
    connection->sent[(connection->first + before) % PG_UNDER_WAY_MAX].kind = PG_SENT_COMMIT;
    pg_send_sync(connection);
}

bool pg_send(struct pg_statement *statement, bool must_change_one) {
    struct connection *connection = statement->connection;
    struct pg_arguments arguments;
    bool sent = false;
    if (!make_room(connection))
        return false;
    if (pg_arguments_make(&arguments, statement))
        sent = PQsendQueryPrepared(connection->pg, statement->name, statement->parameter_count,
                                   arguments.values, arguments.lengths, arguments.formats, 1);
    else
        pg_fail(connection, PG_FAILED, "a parameter cannot be sent");
    pg_arguments_free(&arguments);
    connection->is_unchecked |= must_change_one;
    if (sent)
        note_sent(connection, (struct pg_sent){ PG_SENT_STATEMENT, statement, must_change_one });
    else if (connection->failed == PG_FINE)
        lose(connection);
    return sent;
}

/* ---- Preparing ---- */

static bool take_description(struct pg_statement *statement, const PGresult *described) {
    int count = PQnparams(described);
    if (count > statement->parameter_count)
        return false;
    for (int i = 0; i < count; i++)
        statement->types[i] = PQparamtype(described, i);
    statement->column_count = PQnfields(described);
    return true;
}

/* Asks the server to prepare the statement and to tell its types. */
enum status pg_prepare_there(struct pg_statement *statement) {
    struct connection *connection = statement->connection;
    if (connection->pg && statement->generation == connection->generation)
        return STATUS_OK;
    if (pg_collect(connection) != PG_FINE)
        return pg_status_of(connection->failed);
    if (!PQsendPrepare(connection->pg, statement->name, statement->sql, 0, NULL) ||
        !PQsendDescribePrepared(connection->pg, statement->name)) {
        lose(connection);
        return STATUS_UNAVAILABLE;
    }
    struct pg_sent preparing = { .kind = PG_SENT_CONTROL };
    struct pg_sent describing = { PG_SENT_STATEMENT, statement, false };
    note_sent(connection, preparing);
    note_sent(connection, describing);
    if (pg_collect(connection) == PG_FAILED)
        log_error("database: cannot be prepared: %s", statement->sql); /* it contains no values */
    if (connection->failed != PG_FINE)
        return pg_status_of(connection->failed);
    bool fits = take_description(statement, statement->result);
    PQclear(statement->result);
    statement->result = NULL;
    if (!fits)
        return STATUS_INTERNAL;
    statement->generation = connection->generation;
    return STATUS_OK;
}

/* ---- Without the pipeline ---- */

/* Runs SQL by the simple protocol and returns the last result that was good. */
static PGresult *run_outside(struct connection *connection, const char *sql) {
    PGresult *result, *last = NULL;
    if (!PQsendQuery(connection->pg, sql)) {
        lose(connection);
        return NULL;
    }
    while ((result = next_result(connection))) {
        PQclear(last);
        last = result;
        if (!is_good(result))
            note_failure(connection, result);
    }
    if (PQstatus(connection->pg) == CONNECTION_BAD || PQisBusy(connection->pg))
        lose(connection);
    return last;
}

PGresult *pg_ask(struct connection *connection, const char *sql) {
    if (connection->pg)
        pg_send_sync(connection);
    if (collect(connection) != PG_FINE)
        return NULL;
    if (!PQexitPipelineMode(connection->pg)) {
        lose(connection);
        return NULL;
    }
    PGresult *result = run_outside(connection, sql);
    if (!PQenterPipelineMode(connection->pg))
        lose(connection);
    if (connection->failed == PG_FINE)
        return result;
    PQclear(result);
    return NULL;
}

enum pg_meaning pg_run_simple(struct connection *connection, const char *sql) {
    PQclear(pg_ask(connection, sql));
    return connection->failed;
}
