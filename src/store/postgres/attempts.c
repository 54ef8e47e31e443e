/* A row of login_attempts counts the attempts of a client in one period. The first attempt after
 * its end begins another one. Commands have the turn, so no two of them count at once. Times are
 * the server's: the processes' clocks may differ. */
#include "store/postgres/attempts.h"

/* The attempts in progress may all turn out right: how long a client waits that has reached the
 * limit with them. */
enum { IN_PROGRESS_WAIT_MS = 1000 };

#define NOW_MS "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
/* A row that begins later than now by more than a period was made while the clock was ahead. */
#define IS_OVER "abs(excluded.since_ms - a.since_ms) >= ?3"

static const char count_sql[] =
    "INSERT INTO login_attempts AS a (client, since_ms, failures, pending)"
    " VALUES (?1, " NOW_MS ", 0, 1) ON CONFLICT (client) DO UPDATE SET"
    " since_ms = CASE WHEN " IS_OVER " THEN excluded.since_ms ELSE a.since_ms END,"
    " failures = CASE WHEN " IS_OVER " THEN 0 ELSE a.failures END,"
    " pending = CASE WHEN " IS_OVER " THEN 1 ELSE a.pending + 1 END"
    " WHERE a.failures + a.pending < ?2 OR " IS_OVER " RETURNING since_ms";

static void bind_client(struct sql_statement *statement, const struct store_attempt *attempt) {
    struct text client = { (const char *)attempt->client.bytes, sizeof attempt->client.bytes };
    sql_bind_bytes(statement, 1, client);
}

/* Deletes more rows than an attempt adds. */
static enum status drop_old(struct store_tx *tx, int64_t period_ms) {
    struct sql_statement *statement = sql_text_statement(
        tx->session, "DELETE FROM login_attempts WHERE client IN (SELECT client FROM login_attempts"
                     " WHERE since_ms < " NOW_MS " - ?1 ORDER BY since_ms LIMIT 2)");
    if (!statement)
        return STATUS_INTERNAL;
    sql_bind_integer(statement, 1, period_ms);
    return sql_execute(statement);
}

/* NOT_FOUND: the client has reached the limit. */
static enum status count(struct store_tx *tx, struct store_attempt *attempt) {
    struct sql_statement *statement = sql_text_statement(tx->session, count_sql);
    if (!statement)
        return STATUS_INTERNAL;
    bind_client(statement, attempt);
    sql_bind_integer(statement, 2, attempt->limit);
    sql_bind_integer(statement, 3, attempt->period_ms);
    enum status status = sql_step(statement);
    if (status == STATUS_OK)
        attempt->since_ms = sql_integer(statement, 0);
    sql_done(statement);
    return status;
}

static enum status read_wait(struct store_tx *tx, struct store_attempt *attempt) {
    struct sql_statement *statement =
        sql_text_statement(tx->session, "SELECT failures, least(since_ms + ?2 - " NOW_MS ", ?2)"
                                        " FROM login_attempts WHERE client = ?1");
    if (!statement)
        return STATUS_INTERNAL;
    bind_client(statement, attempt);
    sql_bind_integer(statement, 2, attempt->period_ms);
    enum status status = sql_step(statement);
    if (status == STATUS_OK)
        attempt->wait_ms = sql_integer(statement, 0) >= attempt->limit ? sql_integer(statement, 1)
                                                                       : IN_PROGRESS_WAIT_MS;
    sql_done(statement);
    if (attempt->wait_ms < 1)
        attempt->wait_ms = 1; /* the period has just ended */
    return status == STATUS_NOT_FOUND ? STATUS_INTERNAL : status;
}

enum status pg_begin_attempt(struct store_tx *tx, struct store_attempt *attempt) {
    attempt->wait_ms = attempt->since_ms = 0;
    enum status status = drop_old(tx, attempt->period_ms);
    if (status == STATUS_OK)
        status = count(tx, attempt);
    return status == STATUS_NOT_FOUND ? read_wait(tx, attempt) : status;
}

enum status pg_end_attempt(struct store_tx *tx, const struct store_attempt *attempt,
                           bool has_failed) {
    struct sql_statement *statement = sql_text_statement(
        tx->session, "UPDATE login_attempts SET pending = pending - 1, failures = failures + ?3"
                     " WHERE client = ?1 AND since_ms = ?2 AND pending > 0");
    if (!statement)
        return STATUS_INTERNAL;
    bind_client(statement, attempt);
    sql_bind_integer(statement, 2, attempt->since_ms);
    sql_bind_integer(statement, 3, has_failed);
    return sql_execute(statement);
}
