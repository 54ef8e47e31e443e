#ifndef ROSTER_STORE_POSTGRES_SCHEMA_CHECK_H
#define ROSTER_STORE_POSTGRES_SCHEMA_CHECK_H

/* Compares a database with this program's tables. All functions run on the session's thread, and
 * wait for the network. */

#include "store/maintenance.h"
#include "store/postgres/state.h"

enum { PG_TABLE_COLUMNS = 128 }; /* a table has at most so many fields */

/** The tables and columns that a database has, by the numbers of the field tables. */
struct pg_columns {
    bool has_table[TABLES];
    bool has[TABLES][PG_TABLE_COLUMNS]; /* with the type of the field */
    bool has_members[TABLES];
    char must_be_set[128]; /* a column of no field that needs a value in each row; empty: none */
};

/**
 * Reads which columns there are. `say`, unless NULL, gets a line for each column of no field. OK,
 * otherwise as sql_step.
 */
enum status pg_columns_read(struct connection *connection, struct pg_columns *columns,
                            store_say *say) MUST_CHECK;

/** The first fault of these columns, as a line in `why`; true: there is none. */
bool pg_columns_fit(const struct pg_columns *columns, char *why, size_t why_size) MUST_CHECK;

/**
 * Compares the columns with the field tables, and prepares each statement of statements.def. EX_OK;
 * EX_DATAERR with a line in `why`, or what pg_schema_failed returns.
 */
int pg_schema_check(struct connection *connection, store_say *say, char *why,
                    size_t why_size) MUST_CHECK;

/**
 * Does the role have the rights that a server needs, or a reader? EX_OK, otherwise EX_NOPERM, with
 * a line in `why` that has the GRANT, or what pg_schema_failed returns.
 */
int pg_rights_check(struct connection *connection, bool reads_only, char *why,
                    size_t why_size) MUST_CHECK;

/**
 * Ends the transaction after a statement failed, and says why in a line: "the database", `doing`
 * and the server's message, or which right the role lacks. EX_NOPERM, EX_UNAVAILABLE or EX_DATAERR.
 */
int pg_schema_failed(struct connection *connection, const char *doing, char *why, size_t why_size);

#endif
