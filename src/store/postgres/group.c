/* Runs groups of commands.
 *
 * Each transaction that writes, of any process, first takes the turn, a lock (PG_TURN_KEY) that it
 * has alone. So commands run one after the other, and what a command decides from what it read
 * still holds when it writes. Only groups of plain commands (plain.h) share the turn with each
 * other. Isolation is READ COMMITTED, in which a statement after the wait for the lock sees what
 * the transaction before has committed. A group that has the turn alone
 * also locks the row of the table `turn`, for sessions that know only that.
 *
 * Each transaction also inserts a marker, a row of random bits. When the connection breaks during
 * the COMMIT, the marker tells whether the transaction was committed: another transaction inserts
 * the same key, as a stone. If that succeeds, the first transaction did not commit and never will.
 * If there is a marker already, it did. If the first one still runs, the insertion waits for it.
 * The stone's transaction always writes a row of its own besides: only so does its commit wait
 * until the marker that it has seen is as durable as a commit is. */
#include "store/postgres/group.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "store/authority.h"
#include "store/postgres/audit_rows.h"
#include "store/postgres/column_arrays.h"
#include "store/postgres/pipeline.h"
#include "store/postgres/plain.h"
#include "store/postgres/prefetch.h"
#include "store/postgres/reading.h"
#include "store/postgres/statement.h"
#include "store/postgres/update_rows.h"

#include <unistd.h>

enum { MARKER_SIZE = 16, AGAIN_US = 20 * 1000 };

struct marker {
    char bytes[MARKER_SIZE];
};

static struct text bytes_of(const struct marker *marker) {
    return (struct text){ marker->bytes, MARKER_SIZE };
}

/* ---- The transaction ---- */

static enum status add_marker(struct connection *connection, const struct marker *marker) {
    struct sql_statement *statement =
        sql_text_statement(&connection->session, "INSERT INTO commits (id, at_ms, is_stone)"
                                                 " VALUES (?1, ?2, 0)");
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, bytes_of(marker));
    sql_bind_integer(statement, 2, time_now_ms());
    return sql_execute(statement);
}

/* Two statements begin a transaction, when it has the turn. They read the numbers in the row
 * `turn`; and how many webhooks there are. */
struct opening {
    struct sql_statement *turn, *webhooks;
};

static enum status take_turn(const struct pg_group *group) {
    return pg_send_only(sql_text_statement(
        &group->writer->connection->session,
        group->writer->is_plain ? "SELECT pg_advisory_xact_lock_shared(" PG_TURN_KEY ")"
                                : "SELECT pg_advisory_xact_lock(" PG_TURN_KEY ")"));
}

/* Each statement begins after the one before has its lock, so it sees what others committed. */
static enum status send_opening(const struct pg_group *group, struct opening *opening) {
    struct store_session *session = &group->writer->connection->session;
    enum status status = take_turn(group);
    if (status != STATUS_OK)
        return status;
    opening->turn = sql_text_statement(
        session, group->writer->is_plain ? "SELECT epoch, outbox, oldest FROM turn"
                                         : "SELECT epoch, outbox, oldest FROM turn FOR UPDATE");
    status = pg_send_only(opening->turn);
    opening->webhooks =
        sql_text_statement(session, "SELECT rows FROM row_counts WHERE kind = 'web_hooks'");
    return status == STATUS_OK ? pg_send_only(opening->webhooks) : status;
}

static enum status read_opening(struct pg_store *store, struct connection *connection,
                                const struct opening *opening) {
    if (pg_collect(connection) != PG_FINE)
        return STATUS_UNAVAILABLE;
    if (pg_show_first(opening->turn) != STATUS_OK || pg_show_first(opening->webhooks) != STATUS_OK)
        return STATUS_INTERNAL;
    connection->epoch = (uint64_t)sql_integer(opening->turn, 0);
    pg_raise(&store->access_epoch, connection->epoch);
    connection->outbox = (uint64_t)sql_integer(opening->turn, 1);
    pg_note_oldest(store, sql_integer(opening->turn, 2));
    /* Another process may have made or deleted webhooks since the last transaction. */
    const bool has_webhooks = sql_integer(opening->webhooks, 0) != 0;
    connection->session.webhooks = has_webhooks ? WEBHOOKS_SOME : WEBHOOKS_NONE;
    atomic_store_explicit(&store->has_webhooks, has_webhooks, memory_order_relaxed);
    return STATUS_OK;
}

/* Takes the turn and reads what the commands will need, in one journey to the server and back. */
static enum status begin(struct pg_store *store, const struct pg_group *group,
                         const struct marker *marker) {
    struct connection *connection = group->writer->connection;
    struct opening opening;
    connection->session.access_changed = connection->session.outbox_changed =
        connection->session.erased = false;
    connection->failed = connection->first_failed = PG_FINE;
    connection->is_careful = false;
    pg_column_arrays_forget(&connection->audit_rows);
    pg_column_arrays_forget(&connection->update_rows.arrays);
    pg_send_control(connection, "BEGIN");
    connection->in_transaction = true;
    enum status status = add_marker(connection, marker);
    if (status == STATUS_OK)
        status = send_opening(group, &opening);
    if (status == STATUS_OK) {
        pg_prefetch_send(connection, group->first, group->end);
        status = read_opening(store, connection, &opening);
    }
    connection->is_careful = group->is_careful;
    return status;
}

static struct store_command *command_of(struct queue_item *item) {
    return container_of(item, struct store_command, item);
}

static bool run_commands(const struct pg_group *group) {
    struct connection *connection = group->writer->connection;
    struct store_tx tx = { &connection->session };
    bool ok = true;
    for (struct queue_item *item = group->first; ok && item != group->end; item = item->next) {
        struct store_command *command = command_of(item);
        command->status = authority_run(&tx, command);
        ok = command->status != STATUS_INTERNAL && connection->failed == PG_FINE;
    }
    return ok;
}

static enum status count_changes(struct connection *connection) {
    const struct store_session *session = &connection->session;
    if (!session->access_changed && !session->outbox_changed)
        return STATUS_OK;
    struct sql_statement *statement = sql_text_statement(
        &connection->session, "UPDATE turn SET epoch = epoch + ?1, outbox = outbox + ?2");
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, session->access_changed);
    sql_bind_integer(statement, 2, session->outbox_changed);
    return sql_execute(statement);
}

/* Deletes some of the markers that nobody can ask for any more, in one of many transactions. */
static enum status drop_old_markers(const struct pg_store *store, struct connection *connection) {
    enum { EVERY = 500, AT_ONCE = 1000 };
    const int64_t kept_ms = INT64_C(24) * 60 * 60 * 1000;
    if (atomic_load(&store->commits) % EVERY)
        return STATUS_OK;
    struct sql_statement *statement = sql_text_statement(
        &connection->session, "DELETE FROM commits WHERE id IN (SELECT id FROM commits"
                              " WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)");
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, time_now_ms() - kept_ms);
    sql_bind_integer(statement, 2, AT_ONCE);
    return sql_execute(statement);
}

/* ---- A commit whose outcome nobody heard ---- */

static enum status add_stone(struct connection *connection, const struct marker *marker,
                             bool is_stone) {
    struct sql_statement *statement = sql_text_statement(
        &connection->session, "INSERT INTO commits (id, at_ms, is_stone) VALUES (?1, ?2, ?3)"
                              " ON CONFLICT DO NOTHING");
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, bytes_of(marker));
    sql_bind_integer(statement, 2, time_now_ms());
    sql_bind_integer(statement, 3, is_stone);
    return sql_execute(statement);
}

/* Whose row has the marker's key? The row of an earlier attempt to resolve is a stone too. */
static enum status read_stone(struct connection *connection, const struct marker *marker,
                              bool *is_stone) {
    struct sql_statement *statement =
        sql_text_statement(&connection->session, "SELECT is_stone FROM commits WHERE id = ?1");
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_bytes(statement, 1, bytes_of(marker));
    enum status status = sql_step(statement);
    if (status == STATUS_OK)
        *is_stone = sql_integer(statement, 0) != 0;
    sql_done(statement);
    return status;
}

static bool try_to_resolve(struct connection *connection, const struct marker *marker,
                           bool *is_stone) {
    struct marker own;
    if (pg_connect_in_time(connection) != STATUS_OK)
        return false;
    random_bytes(own.bytes, sizeof own.bytes);
    connection->failed = connection->first_failed = PG_FINE;
    pg_send_control(connection, "BEGIN");
    connection->in_transaction = true;
    bool known = add_stone(connection, marker, true) == STATUS_OK &&
                 add_stone(connection, &own, false) == STATUS_OK &&
                 read_stone(connection, marker, is_stone) == STATUS_OK;
    if (known)
        pg_send_commit(connection);
    known = known && pg_collect(connection) == PG_FINE && !connection->was_noticed;
    pg_roll_back(connection);
    return known;
}

/* Was the transaction of the marker committed? PG_KEPT, PG_UNDONE or PG_UNCLEAR. */
static enum pg_outcome resolve(struct connection *connection, const struct marker *marker) {
    bool is_stone = false;
    const struct pg_store *store = pg_store_of(connection->session.store);
    connection->deadline_ms = time_monotonic_ms() + store->place.write_limit_ms;
    log_warning("database: it is not known whether a commit was done: %s", connection->error);
    while (!try_to_resolve(connection, marker, &is_stone)) {
        if (time_monotonic_ms() >= connection->deadline_ms)
            return PG_UNCLEAR;
        (void)usleep(AGAIN_US);
    }
    return is_stone ? PG_UNDONE : PG_KEPT;
}

/* ---- Groups ---- */

/* Returns the outcome of an attempt. PG_AWAY: it may be made again. */
static enum pg_outcome judge(struct connection *connection, bool has_sent_commit,
                             const struct marker *marker) {
    enum pg_meaning first = connection->first_failed;
    if (has_sent_commit && (first == PG_LOST || connection->was_noticed)) {
        enum pg_outcome outcome = resolve(connection, marker);
        return outcome == PG_UNDONE ? PG_AWAY : outcome;
    }
    if (has_sent_commit && first == PG_FINE)
        return PG_KEPT;
    pg_roll_back(connection);
    if (first == PG_LOST || first == PG_AGAIN)
        return PG_AWAY;
    return first == PG_FULL ? PG_DISK_FULL : PG_UNDONE;
}

/* Runs the commands, and sends all that they write. */
static bool write_all(const struct pg_store *store, const struct pg_group *group) {
    struct connection *connection = group->writer->connection;
    return (group->writer->is_plain || run_commands(group)) &&
           pg_update_rows_send(connection) == STATUS_OK &&
           pg_audit_rows_send(connection) == STATUS_OK && count_changes(connection) == STATUS_OK &&
           drop_old_markers(store, connection) == STATUS_OK;
}

/* Plain groups commit one after the other, and a small one takes about as long as a large one. So
 * while this COMMIT is under way, the next group is formed when three quarters as many commands
 * wait. */
static void commit(struct pg_store *store, const struct pg_group *group) {
    struct connection *connection = group->writer->connection;
    size_t size = 0;
    for (const struct queue_item *item = group->first; item != group->end; item = item->next)
        size++;
    pg_send_commit(connection);
    if (group->writer->is_plain)
        queue_want(&store->plain, size - size / 4, group->writer);
    pg_pass_on(group->writer);
    (void)pg_collect(connection);
    queue_want_any(&store->plain, group->writer);
}

static enum pg_outcome attempt(struct pg_store *store, const struct pg_group *group) {
    struct connection *connection = group->writer->connection;
    struct marker marker;
    if (pg_connect_in_time(connection) != STATUS_OK)
        return PG_AWAY;
    random_bytes(marker.bytes, sizeof marker.bytes);
    bool ok = begin(store, group, &marker) == STATUS_OK;
    if (ok && atomic_load(&store->is_outdated)) {
        pg_roll_back(connection);
        return PG_OUTDATED;
    }
    if (ok && group->writer->is_plain && !pg_run_plain(group) && connection->failed == PG_FINE) {
        pg_roll_back(connection); /* all of them are put off, so there is nothing to commit */
        return PG_KEPT;
    }
    ok = ok && write_all(store, group);
    /* A row that was not as it was read must not be committed. */
    if (ok && connection->is_unchecked)
        ok = pg_collect(connection) == PG_FINE;
    if (ok)
        commit(store, group);
    enum pg_outcome outcome = judge(connection, ok, &marker);
    connection->in_transaction = false;
    return outcome;
}

enum pg_outcome pg_group_run(struct pg_store *store, const struct pg_group *group,
                             int64_t deadline_ms) {
    enum pg_outcome outcome;
    for (;;) {
        group->writer->connection->deadline_ms = deadline_ms;
        outcome = attempt(store, group);
        if (outcome != PG_AWAY || time_monotonic_ms() >= deadline_ms)
            return outcome;
        (void)usleep(AGAIN_US);
    }
}
