/* One process at a time has the office of a database. It is a lease: the row `office` has the
 * process's number and a count of renewals, which grows once a second.
 *
 * No clocks are compared, so they may differ. The holder acts for HELD_MS after it sent a renewal
 * that was then confirmed. Another process takes the office when it has seen the row
 * unchanged for FREE_AFTER_MS. It saw the last renewal after that was sent, so the holder has
 * stopped by then, be it killed, stopped or cut off from the database. The time between the two
 * lets the holder notice.
 *
 * Each change of the row is one statement with the condition that the row is as it was read. So of
 * several processes that take the office one succeeds, and no turn is needed. */
#include "store/postgres/office.h"

#include "base/log.h"
#include "base/time.h"
#include "crypto/secret.h"

enum { TEND_MS = 1000, HELD_MS = 4000, FREE_AFTER_MS = 6000 };

static enum status read_seat(struct connection *connection, struct pg_seat *seat) {
    struct sql_statement *statement =
        sql_text_statement(&connection->session, "SELECT owner, renewals FROM office");
    enum status status = statement ? sql_step(statement) : STATUS_INTERNAL;
    if (status == STATUS_OK)
        *seat = (struct pg_seat){ sql_integer(statement, 0), sql_integer(statement, 1) };
    sql_done(statement);
    return status;
}

/* PRECONDITION_FAILED: another process was faster. */
static enum status change_seat(struct connection *connection, const struct pg_seat *from,
                               int64_t owner) {
    struct sql_statement *statement = sql_text_statement(
        &connection->session, "UPDATE office SET owner = ?1, renewals = renewals + 1"
                              " WHERE owner = ?2 AND renewals = ?3");
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, owner);
    sql_bind_integer(statement, 2, from->owner);
    sql_bind_integer(statement, 3, from->renewals);
    return sql_execute_one(statement);
}

static bool is_free(struct pg_office *office, const struct pg_seat *seat) {
    int64_t now_ms = time_monotonic_ms();
    if (seat->owner != office->seen.owner || seat->renewals != office->seen.renewals) {
        office->seen = *seat;
        office->seen_ms = now_ms;
    }
    return !seat->owner || now_ms - office->seen_ms >= FREE_AFTER_MS;
}

static int64_t new_number(void) {
    int64_t number;
    random_bytes(&number, sizeof number);
    return (number & INT64_MAX) | 1; /* not 0, which is nobody */
}

static void note(struct pg_office *office, bool has_it) {
    if (office->had_it != has_it)
        log_info(has_it ? "this process delivers webhooks and deletes expired rows from now on"
                        : "this process no longer delivers webhooks and deletes expired rows");
    office->had_it = has_it;
}

/* Does this process have the office, or has it taken it? */
static bool take(struct pg_office *office, struct connection *connection) {
    struct pg_seat seat = { 0, 0 };
    if (!office->self)
        office->self = new_number();
    if (read_seat(connection, &seat) != STATUS_OK)
        return false;
    return (is_free(office, &seat) || seat.owner == office->self) &&
           change_seat(connection, &seat, office->self) == STATUS_OK;
}

void pg_office_tend(struct pg_store *store, struct connection *connection) {
    struct pg_office *office = &store->office;
    int64_t now_ms = time_monotonic_ms();
    if (!atomic_load(&office->is_sought) || now_ms < office->next_ms)
        return;
    office->next_ms = now_ms + TEND_MS;
    /* A process that cannot write any more could not store how deliveries ended. */
    if (!atomic_load(&store->is_outdated) && take(office, connection))
        atomic_store(&office->until_ms, now_ms + HELD_MS);
    note(office, pg_has_office(&store->base));
}

void pg_office_leave(struct pg_store *store, struct connection *connection) {
    struct pg_office *office = &store->office;
    struct pg_seat seat = { 0, 0 };
    atomic_store(&office->until_ms, 0);
    if (office->self && read_seat(connection, &seat) == STATUS_OK && seat.owner == office->self &&
        change_seat(connection, &seat, 0) != STATUS_OK)
        log_info("the database does not hear that this process ends; another one waits some seconds"
                 " before it delivers webhooks");
}

void pg_seek_office(struct store *base) {
    atomic_store(&pg_store_of(base)->office.is_sought, true);
}

bool pg_has_office(const struct store *base) {
    return time_monotonic_ms() < atomic_load(&pg_store_of_const(base)->office.until_ms);
}
