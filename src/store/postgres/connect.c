/* Connects to PostgreSQL, and refuses a server that Roster could not rely on: one that may lose
 * what it has confirmed, one with another encoding, one whose clock differs, and a pooler that
 * hands each transaction to another connection, since prepared statements and settings belong to
 * one. */
#include "store/postgres/connect.h"

#include "base/log.h"
#include "base/time.h"
#include "store/postgres/hosts.h"
#include "store/postgres/pipeline.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CLOCKS_APART_MS = 2000,
    CONNECTING_MS = 5000,
    IDLE_MS = 2000,
    OLDEST_SERVER = 150000,
    PG_WHY_SIZE = 2048
};

/* ---- The connection string ---- */

bool pg_place_check(const char *url, char *why, size_t why_size) {
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    if (!options) {
        size_t len = message ? strcspn(message, "\n") : 0;
        (void)snprintf(why, why_size, "--database: %.*s", (int)len, message ? message : "");
        PQfreemem(message);
        return false;
    }
    PQconninfoFree(options);
    return true;
}

/* ---- What the server is like ---- */

static const char facts_sql[] =
    "SELECT current_setting('server_version_num'), current_setting('server_encoding'),"
    " current_setting('fsync'), current_setting('full_page_writes'),"
    " coalesce(current_setting('roster.whole_pages', true), ''),"
    " current_setting('synchronous_commit'),"
    " (extract(epoch FROM clock_timestamp()) * 1000)::bigint, pg_backend_pid(),"
    " coalesce(current_schema(), ''), current_user, current_database(),"
    " coalesce(has_schema_privilege(current_schema(), 'USAGE'), false)";

enum fact {
    FACT_VERSION,
    FACT_ENCODING,
    FACT_FSYNC,
    FACT_FULL_PAGES,
    FACT_WHOLE_PAGES,
    FACT_SYNCHRONOUS,
    FACT_CLOCK,
    FACT_PID,
    FACT_SCHEMA,
    FACT_USER,
    FACT_DATABASE,
    FACT_USAGE
};

static bool refuse(struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct connection *connection, const char *format, ...) {
    char why[PG_ERROR_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    pg_fail(connection, PG_FAILED, why);
    return false;
}

static const char *fact(const PGresult *facts, enum fact which) {
    return PQgetvalue(facts, 0, (int)which);
}

static int64_t number(const PGresult *facts, enum fact which) {
    return strtoll(fact(facts, which), NULL, 10);
}

static const char pooler_answers[] =
    "between Roster and the database is a pooler such as PgBouncer, which Roster cannot use; name"
    " the database server itself";

static bool is_direct(struct connection *connection, const PGresult *facts) {
    return number(facts, FACT_PID) == PQbackendPID(connection->pg) ||
           refuse(connection, "%s", pooler_answers);
}

/* A file system that writes a page whole or not at all, such as ZFS, needs no full_page_writes.
 * Only the operator knows it, and says so in the server's or the database's own settings, where all
 * that connect find it. */
static bool writes_whole_pages(struct connection *connection, const PGresult *facts) {
    return strcmp(fact(facts, FACT_FULL_PAGES), "on") == 0 ||
           strcmp(fact(facts, FACT_WHOLE_PAGES), "on") == 0 ||
           refuse(
               connection,
               "the database server has full_page_writes = off: after a power cut half a page may"
               " be on its disk; set it to on, or on ZFS: ALTER DATABASE %s SET"
               " roster.whole_pages = on",
               fact(facts, FACT_DATABASE));
}

static bool is_durable(struct connection *connection, const PGresult *facts,
                       const struct pg_place *place) {
    if (place->is_unsafe)
        return true;
    if (strcmp(fact(facts, FACT_FSYNC), "on") != 0)
        return refuse(connection, "the database server has fsync = off: it would lose data; set it"
                                  " to on, or start with --database-unsafe");
    if (strcmp(fact(facts, FACT_SYNCHRONOUS), "off") == 0)
        return refuse(connection, "the database server has synchronous_commit = off: it would lose"
                                  " what it has confirmed; set it to on");
    return writes_whole_pages(connection, facts);
}

static bool is_in_time(struct connection *connection, const PGresult *facts, int64_t asked_ms) {
    int64_t clock_ms = number(facts, FACT_CLOCK), now_ms = time_now_ms();
    return (clock_ms >= asked_ms - CLOCKS_APART_MS && clock_ms <= now_ms + CLOCKS_APART_MS) ||
           refuse(connection,
                  "the clocks of this machine and of the database server differ by %" PRId64
                  " s; set both by NTP",
                  (clock_ms - now_ms) / 1000);
}

static bool is_usable(struct connection *connection, const PGresult *facts,
                      const struct pg_place *place, int64_t asked_ms) {
    if (number(facts, FACT_VERSION) < OLDEST_SERVER)
        return refuse(connection, "the database server is older than PostgreSQL 15");
    if (strcmp(fact(facts, FACT_ENCODING), "UTF8") != 0)
        return refuse(connection,
                      "the encoding of the database %s is %s; make one with: CREATE DATABASE roster"
                      " ENCODING 'UTF8' TEMPLATE template0",
                      fact(facts, FACT_DATABASE), fact(facts, FACT_ENCODING));
    connection->is_without_schema = !*fact(facts, FACT_SCHEMA);
    if (connection->is_without_schema)
        return refuse(connection, "none of the schemas of the search_path is there: CREATE SCHEMA");
    if (*fact(facts, FACT_USAGE) != 't')
        return refuse(connection, "the role lacks a right: GRANT USAGE, CREATE ON SCHEMA %s TO %s",
                      fact(facts, FACT_SCHEMA), fact(facts, FACT_USER));
    return is_direct(connection, facts) && is_durable(connection, facts, place) &&
           is_in_time(connection, facts, asked_ms);
}

/* Settings of the session. A transaction that stands still is ended, since others may wait for it;
 * so is one whose client is gone while it waits itself. A long reading, for which nobody waits, may
 * stand still for as long as it may take: that of a copy does while its target writes. */
static bool configure(struct connection *connection, const struct pg_place *place) {
    const int64_t reading_ms = connection->may_end_early ? place->search_limit_ms : 0;
    const int64_t idle_ms = reading_ms > IDLE_MS ? reading_ms : IDLE_MS;
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "SET client_min_messages = warning; SET standard_conforming_strings = on;"
                   "SET jit = off; SET default_transaction_isolation = '%s';"
                   "SET default_transaction_read_only = off; SET row_security = on;"
                   "SET idle_in_transaction_session_timeout = %" PRId64 "; SET lock_timeout = 0;"
                   "SET client_connection_check_interval = 1000;"
                   "SET statement_timeout = %" PRId64,
                   connection->is_repeatable ? "repeatable read" : "read committed", idle_ms,
                   reading_ms);
    return pg_run_simple(connection, sql) == PG_FINE;
}

static bool examine(struct connection *connection, const struct pg_place *place) {
    int64_t asked_ms = time_now_ms();
    PGresult *facts = pg_ask(connection, facts_sql);
    bool usable = facts && is_usable(connection, facts, place, asked_ms);
    PQclear(facts);
    return usable && configure(connection, place);
}

/* ---- Connecting ---- */

/* The server warns of what a client should know; during a COMMIT it may mean that the commit is not
 * as durable as it should be. */
static void note_notice(void *argument, const PGresult *notice) {
    struct connection *connection = argument;
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    connection->was_noticed = true;
    log_warning("database: %s", message ? message : "a warning without a text");
}

/* Takes the SQLSTATE out of an error of the server ("FATAL:  3D000: ..."; hosts.c asks for that
 * form). Nothing else of the line may be relied on, since servers speak many languages. Leaves
 * `sqlstate` empty if the line is libpq's own. */
static void take_sqlstate(char *line, char sqlstate[6]) {
    static const char characters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    *sqlstate = '\0';
    for (char *at = strstr(line, ":  "); at && !*sqlstate; at = strstr(at + 1, ":  ")) {
        char *state = at + 3;
        if (strspn(state, characters) != 5 || strncmp(state + 5, ": ", 2) != 0)
            continue;
        (void)snprintf(sqlstate, 6, "%.5s", state);
        memmove(state, state + 7, strlen(state + 7) + 1);
    }
}

/* Does another attempt make sense? libpq's own messages are always in English here. */
static bool may_change(const char *line, const char *sqlstate) {
    if (*sqlstate)
        return pg_meaning_of(sqlstate) == PG_LOST || pg_meaning_of(sqlstate) == PG_AGAIN;
    return !strstr(line, "no password supplied") && !strstr(line, "invalid ");
}

/* PostgreSQL finds no fault in libpq's protocol, but PgBouncer gives all its own errors this code:
 * also that it does not take the `options` of a URL. */
static bool is_of_pooler(const char *sqlstate) {
    return strcmp(sqlstate, PG_PROTOCOL_VIOLATION) == 0;
}

/* Does a line explain the one before? libpq begins it by a tab; the server's is a word, which may
 * be in any language, and two spaces. */
static bool is_addition(const char *line, const char *sqlstate) {
    return *line == '\t' || (!*sqlstate && strstr(line, ":  "));
}

/* The message for a failed connection has a line or more for each host. The last one is kept; if
 * any of them may change, another attempt makes sense. */
static enum pg_meaning fail_to_connect(struct connection *connection, const char *message) {
    char line[PG_ERROR_SIZE], last[PG_ERROR_SIZE] = "", sqlstate[6];
    bool may = false;
    for (size_t len; *message; message += len + (message[len] == '\n')) {
        len = strcspn(message, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)len, message);
        take_sqlstate(line, sqlstate);
        if (!len || is_addition(line, sqlstate))
            continue;
        may |= may_change(line, sqlstate);
        if (is_of_pooler(sqlstate))
            (void)snprintf(last, sizeof last, "%s: %.*s", pooler_answers,
                           (int)(sizeof last - sizeof pooler_answers) - 2, line);
        else
            memcpy(last, line, sizeof last);
    }
    pg_disconnect(connection);
    connection->failed = connection->first_failed = PG_FINE;
    pg_fail(connection, may ? PG_LOST : PG_FAILED, last);
    return connection->failed;
}

enum pg_meaning pg_connect(struct connection *connection, const struct pg_place *place) {
    const int64_t deadline_ms = connection->deadline_ms;
    char why[PG_WHY_SIZE];
    pg_disconnect(connection);
    connection->failed = connection->first_failed = PG_FINE;
    connection->pg = pg_hosts_connect(
        place->hosts, deadline_ms ? deadline_ms - time_monotonic_ms() : INT64_MAX, why, sizeof why);
    if (!connection->pg)
        return fail_to_connect(connection, why);
    (void)PQsetErrorVerbosity(connection->pg, PQERRORS_DEFAULT);
    (void)PQsetNoticeReceiver(connection->pg, note_notice, connection);
    connection->generation++;
    connection->deadline_ms = time_monotonic_ms() + CONNECTING_MS;
    if (deadline_ms && deadline_ms < connection->deadline_ms)
        connection->deadline_ms = deadline_ms;
    bool ready = PQsetnonblocking(connection->pg, 1) == 0 && PQenterPipelineMode(connection->pg) &&
                 examine(connection, place);
    connection->deadline_ms = deadline_ms;
    if (ready)
        return PG_FINE;
    if (connection->failed == PG_FINE)
        pg_fail(connection, PG_LOST, "the connection to the database broke");
    enum pg_meaning meaning = connection->first_failed;
    pg_disconnect(connection);
    return meaning;
}
