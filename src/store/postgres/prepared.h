#ifndef ROSTER_STORE_POSTGRES_PREPARED_H
#define ROSTER_STORE_POSTGRES_PREPARED_H

/* A statement of a connection, its parameters and its result. */

#include "store/engine.h"
#include "store/postgres/connection.h"

/** A parameter as it was bound. Its bytes are the caller's. */
struct pg_parameter {
    /* LIST is a JSON array, BINARY a value of any type in PostgreSQL's own form. */
    enum { PG_NULL, PG_INTEGER, PG_BYTES, PG_LIST, PG_BINARY } kind;
    int64_t integer;
    struct text bytes;
};

struct pg_statement {
    struct sql_statement base; /* first, see pg_statement_of */
    struct connection *connection;
    char *sql;    /* as PostgreSQL spells it: $1 */
    char *cursor; /* SQL that declares the cursor from which `sql` fetches; NULL: there is none */
    unsigned declared; /* the connection that has it; 0: none */
    char name[16];
    unsigned generation;             /* the connection that has prepared it; 0: none */
    int room;                        /* the greatest number of a parameter */
    struct pg_parameter *parameters; /* by their numbers in sql.h, from ?1 on */
    int parameter_count, column_count;
    int *order; /* which parameter is $1, and so on: only those that the SQL uses */
    Oid *types; /* of these, as the server derived them */
    PGresult *result;
    const PGresult *rows; /* that the run steps through: its result, or rows read beforehand */
    int row, end;         /* the current one, and where the run ends */
    bool is_running;
    int64_t changed; /* the rows that its last run changed; known once the result is collected */
};

static inline struct pg_statement *pg_statement_of(struct sql_statement *statement) {
    _Static_assert(offsetof(struct pg_statement, base) == 0, "the base is a statement");
    return (struct pg_statement *)statement;
}

#endif
