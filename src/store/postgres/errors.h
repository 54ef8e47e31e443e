#ifndef ROSTER_STORE_POSTGRES_ERRORS_H
#define ROSTER_STORE_POSTGRES_ERRORS_H

/* The meaning of PostgreSQL's errors to the store (errors.def). */

#include "base/status.h"

/** The meaning of a failure; the worse of two is the greater. */
enum pg_meaning {
    PG_FINE,
    PG_FAILED,   /* the statement cannot succeed: a command's fault, or the program's */
    PG_TOO_SLOW, /* the statement was cancelled */
    PG_AGAIN,    /* the same transaction may succeed if it runs again */
    PG_FULL,     /* the server has no room: nothing is written until somebody makes some */
    PG_LOST,     /* the connection is of no use any more; another one may be */
};

/** The SQLSTATE of a role that lacks a right. */
#define PG_INSUFFICIENT_PRIVILEGE "42501"
#define PG_LOCK_NOT_AVAILABLE "55P03"

/** The SQLSTATE of each error of PgBouncer's own. */
#define PG_PROTOCOL_VIOLATION "08P01"

/** The SQLSTATE by which statements report that a row was not as it was read (update_rows.h). */
#define PG_DIVISION_BY_ZERO "22012"

/** The meaning of an SQLSTATE. NULL, which libpq gives for its own failures, means PG_LOST. */
enum pg_meaning pg_meaning_of(const char *sqlstate);

/** The status of a statement that failed so. */
enum status pg_status_of(enum pg_meaning meaning);

#endif
