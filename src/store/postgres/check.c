/* Checks a database for `rosterd check`. All of it is read in one transaction, so in one snapshot,
 * while servers go on writing. Whether the pages and indexes on the server's disk are whole is for
 * the server's own tools. */
#include "store/postgres/check.h"

#include "store/check.h"
#include "store/check_key.h"
#include "store/postgres/connect.h"
#include "store/postgres/hosts.h"
#include "store/postgres/open.h"
#include "store/postgres/reading.h"
#include "store/postgres/schema.h"
#include "store/postgres/schema_check.h"
#include "store/postgres/session.h"

#include <sysexits.h>

/* Reads a number; 0 for null. */
static enum status read_number(struct connection *connection, const char *sql, int64_t *number) {
    struct sql_statement *statement = sql_text_statement(&connection->session, sql);
    enum status status = sql_step(statement);
    if (status == STATUS_OK)
        *number = sql_integer(statement, 0);
    sql_done(statement);
    return status;
}

static int cannot_read(const struct connection *connection, store_say *say) {
    check_say(say, "the database cannot be read: %s", connection->error);
    return EX_DATAERR;
}

/* An older version that may go on beside a newer one can check what that has made, too. */
static int check_version(struct connection *connection, store_say *say) {
    int64_t has_turn = 0, schema = 0, oldest = 0;
    if (read_number(connection,
                    "SELECT CASE WHEN to_regclass(quote_ident(current_schema()) || '.turn')"
                    " IS NULL THEN 0 ELSE 1 END",
                    &has_turn) != STATUS_OK)
        return cannot_read(connection, say);
    if (has_turn && (read_number(connection, "SELECT schema FROM turn", &schema) != STATUS_OK ||
                     read_number(connection, "SELECT oldest FROM turn", &oldest) != STATUS_OK))
        return cannot_read(connection, say);
    if (!schema) {
        say("no database of Roster, or an empty one");
        return EX_NOINPUT;
    }
    if (oldest > pg_schema_version()) {
        say("a newer version made this");
        return EX_CONFIG;
    }
    if (schema >= pg_schema_version())
        return EX_OK;
    say("an older version made this; rosterd brings it up to date when it starts");
    return EX_CONFIG;
}

/* PostgreSQL itself marks an index that it could not build; searches do not use it. */
static bool indexes_are_valid(struct connection *connection, store_say *say) {
    return check_has_none(
        &connection->session,
        "SELECT relname || ' is not valid: DROP INDEX it, and make it again as it was'"
        " FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))"
        " AND NOT (indisvalid AND indisready)",
        "index", say);
}

/* Without them a bit that flips on the server's disk may be shown as true. */
static void tell_page_sums(struct connection *connection, store_say *say) {
    int64_t has_sums = 0;
    const char sql[] = "SELECT CASE current_setting('data_checksums') WHEN 'on' THEN 1 ELSE 0 END";
    if (read_number(connection, sql, &has_sums) != STATUS_OK)
        check_say(say, "whether pages have checksums cannot be read: %s", connection->error);
    else if (!has_sums)
        say("this PostgreSQL keeps no checksums of its pages, so a flipped bit may not be found:"
            " pg_checksums --enable adds them");
}

static int check_in_snapshot(struct connection *connection, const char *folder, store_say *say) {
    char why[PG_ERROR_SIZE + 128];
    int code = pg_rights_check(connection, true, why, sizeof why);
    if (code == EX_OK && (code = check_version(connection, say)) != EX_OK)
        return code;
    if (code == EX_OK)
        code = pg_schema_check(connection, say, why, sizeof why);
    if (code != EX_OK) {
        say(why);
        return code;
    }
    if (!check_rows(&connection->session, say))
        return EX_DATAERR; /* the other checks look into the rows */
    check_unknown_members(&connection->session, say);
    bool sound = check_agreement(&connection->session, say);
    sound &= indexes_are_valid(connection, say);
    sound &= check_key(&connection->session, folder, "this database", say);
    tell_page_sums(connection, say);
    say("the records were compared with each other; pg_amcheck finds out whether the pages and"
        " indexes on the server's disk are whole");
    return sound ? EX_OK : EX_DATAERR;
}

int pg_check(const struct engine *engine, const char *url, const char *folder, store_say *say) {
    /* A check writes nothing, so a server that may lose writes will do. */
    struct pg_store store = { .base.engine = engine, .place = { .is_unsafe = true } };
    char why[PG_ERROR_SIZE + 64];
    if (!pg_place_check(url, why, sizeof why)) {
        say(why);
        return EX_USAGE;
    }
    store.place.hosts = pg_hosts_new(url);
    struct connection *connection = store.place.hosts ? pg_session_new(&store) : NULL;
    if (!connection) {
        pg_hosts_free(store.place.hosts);
        say("memory is short");
        return EX_OSERR;
    }
    connection->has_own_deadline = true; /* and it has none */
    int code = pg_connect_at_start(connection, why, sizeof why);
    if (code != EX_OK) {
        say(why);
    } else if (pg_begin_reading(&connection->session) == STATUS_OK) {
        code = check_in_snapshot(connection, folder, say);
        pg_finish_reading(&connection->session);
    } else {
        code = cannot_read(connection, say);
    }
    pg_session_free(connection);
    pg_hosts_free(store.place.hosts);
    return code;
}
