/* Creates the schema, and compares it with this program's. All of it happens in one transaction
 * that has the turn, so of several processes that start at once one does it. */
#include "store/postgres/schema.h"

#include "base/log.h"
#include "base/time.h"
#include "store/postgres/group.h"
#include "store/postgres/migration.h"
#include "store/postgres/pipeline.h"
#include "store/postgres/schema_check.h"
#include "store/postgres/schema_tables.h"
#include "store/row_compression.h"
#include "store/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* How long the server may take to tell what it has, to make a new schema, and to check one. An
 * upgrade takes as long as its rows do. */
enum { LOOK_LIMIT_MS = 5000, CREATE_LIMIT_MS = 5 * 60 * 1000, CHECK_LIMIT_MS = 60 * 1000 };

/* Another process may have locked the schema, perhaps to upgrade it. The caller asks again, for as
 * long as a start may wait. */
static const char begin_sql[] = "BEGIN; SET LOCAL lock_timeout = '2s'";

/* The version of the tables that schema_tables.c writes out. Those of fields count besides. */
enum { OWN_VERSION = 5 };

int64_t pg_schema_version(void) {
    unsigned newest = 0;
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            if (field_since(&tables[i]->fields[j]) > newest)
                newest = field_since(&tables[i]->fields[j]);
    return OWN_VERSION * PG_FIELD_VERSIONS + newest;
}

static void set_limit(struct connection *connection, int64_t limit_ms) {
    connection->deadline_ms = time_monotonic_ms() + limit_ms;
}

/* ---- Creating ---- */

/* Two processes that create the same table at once get an error even with IF NOT EXISTS; the second
 * attempt finds the table. */
static int ensure_turn(struct connection *connection, char *why, size_t why_size) {
    enum { ATTEMPTS = 5, AGAIN_US = 100 * 1000 };
    for (int i = 0; i < ATTEMPTS; i++) {
        PGresult *found = pg_ask(connection, "SELECT to_regclass(quote_ident(current_schema()) ||"
                                             " '.turn') IS NOT NULL");
        bool is_there = found && *PQgetvalue(found, 0, 0) == 't';
        PQclear(found);
        if (is_there || (found && pg_run_simple(connection, pg_turn_sql) == PG_FINE))
            return EX_OK;
        if (i == ATTEMPTS - 1 || connection->first_failed == PG_LOST)
            break;
        if (strcmp(connection->sqlstate, PG_INSUFFICIENT_PRIVILEGE) == 0)
            break;
        pg_roll_back(connection);
        (void)usleep(AGAIN_US);
    }
    return pg_schema_failed(connection, "does not let its first table be made", why, why_size);
}

static int create(struct connection *connection, char *why, size_t why_size) {
    struct arena arena = { 0 };
    struct buffer sql;
    buffer_init(&sql, &arena, 65536);
    pg_add_everything(&sql);
    buffer_add_char(&sql, '\0');
    set_limit(connection, CREATE_LIMIT_MS);
    bool made = !sql.failed && pg_run_simple(connection, sql.at) == PG_FINE;
    arena_close(&arena);
    return made ? EX_OK
                : pg_schema_failed(connection, "does not let its tables be made", why, why_size);
}

/* The versions in the row `turn`. */
struct versions {
    int64_t schema, oldest; /* its version, and that of the oldest program that may write */
};

/* Records the version of a schema that is now this program's. */
static int note_versions(struct connection *connection, struct versions versions, char *why,
                         size_t why_size) {
    char sql[96];
    (void)snprintf(sql, sizeof sql, "UPDATE turn SET schema = %lld, oldest = %lld",
                   (long long)versions.schema, (long long)versions.oldest);
    return pg_run_simple(connection, sql) == PG_FINE
               ? EX_OK
               : pg_schema_failed(connection, "does not keep its version", why, why_size);
}

static int upgrade(struct connection *connection, struct versions before, char *why,
                   size_t why_size) {
    const int64_t own = pg_schema_version();
    bool is_for_all = false;
    if (before.schema / PG_FIELD_VERSIONS != OWN_VERSION) {
        (void)snprintf(why, why_size,
                       "the database was made by an older version of Roster (schema %lld)"
                       " that this one cannot migrate",
                       (long long)before.schema);
        return EX_CONFIG;
    }
    connection->deadline_ms = 0;
    if (pg_migrate(connection, before.schema, &is_for_all) != STATUS_OK ||
        pg_collect(connection) != PG_FINE)
        return pg_schema_failed(connection, "cannot be upgraded", why, why_size);
    struct versions after = { own, is_for_all ? before.oldest : own };
    log_info("database: its schema %lld becomes %lld; programs from %lld on may write",
             (long long)before.schema, (long long)after.schema, (long long)after.oldest);
    return note_versions(connection, after, why, why_size);
}

static int fail_to_lock(struct connection *connection, char *why, size_t why_size) {
    bool is_locked = strcmp(connection->sqlstate, PG_LOCK_NOT_AVAILABLE) == 0;
    return pg_schema_failed(connection,
                            is_locked ? "is locked by another process, which may be upgrading it"
                                      : "cannot be read",
                            why, why_size);
}

/* Compares the schema's version with this program's, and creates the schema in an empty database.
 */
static int make_current(struct connection *connection, const struct store_options *options,
                        char *why, size_t why_size) {
    if (pg_run_simple(connection, "SELECT pg_advisory_xact_lock(" PG_TURN_KEY ")") != PG_FINE)
        return fail_to_lock(connection, why, why_size);
    PGresult *turn = pg_ask(connection, "SELECT schema, oldest FROM turn FOR UPDATE");
    if (!turn || PQntuples(turn) != 1) {
        PQclear(turn);
        return fail_to_lock(connection, why, why_size);
    }
    const int64_t own = pg_schema_version();
    const struct versions found = { strtoll(PQgetvalue(turn, 0, 0), NULL, 10),
                                    strtoll(PQgetvalue(turn, 0, 1), NULL, 10) };
    PQclear(turn);
    if (found.oldest > own) {
        (void)snprintf(why, why_size,
                       "the database was made by a newer version of Roster; use that"
                       " version");
        return EX_CONFIG;
    }
    if (!found.schema && options->must_exist) {
        (void)snprintf(why, why_size,
                       "the database is empty, while its key is there; is it the right one? --init"
                       " makes a new database beside the key");
        return EX_NOINPUT;
    }
    if (found.schema >= own)
        return EX_OK;
    if (found.schema)
        return upgrade(connection, found, why, why_size);
    int code = create(connection, why, why_size);
    return code != EX_OK ? code
                         : note_versions(connection, (struct versions){ own, own }, why, why_size);
}

static int migrate(struct connection *connection, const struct store_options *options, char *why,
                   size_t why_size) {
    if (pg_run_simple(connection, begin_sql) != PG_FINE)
        return pg_schema_failed(connection, "cannot be changed", why, why_size);
    connection->in_transaction = true;
    int code = make_current(connection, options, why, why_size);
    if (code == EX_OK && row_keep_dictionaries(&connection->session) != STATUS_OK)
        code = pg_schema_failed(connection, "cannot keep its dictionaries", why, why_size);
    if (code == EX_OK) {
        pg_send_commit(connection);
        if (pg_collect(connection) != PG_FINE)
            code = pg_schema_failed(connection, "did not keep its schema", why, why_size);
        connection->in_transaction = false;
    } else {
        pg_roll_back(connection);
    }
    return code;
}

int pg_schema_open(struct connection *connection, const struct store_options *options, char *why,
                   size_t why_size) {
    set_limit(connection, LOOK_LIMIT_MS);
    int code = ensure_turn(connection, why, why_size);
    if (code == EX_OK)
        code = migrate(connection, options, why, why_size);
    set_limit(connection, CHECK_LIMIT_MS);
    if (code == EX_OK)
        code = pg_rights_check(connection, false, why, why_size);
    if (code == EX_OK)
        code = pg_schema_check(connection, NULL, why, why_size);
    connection->deadline_ms = 0;
    return code;
}
