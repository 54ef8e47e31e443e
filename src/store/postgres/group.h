#ifndef ROSTER_STORE_POSTGRES_GROUP_H
#define ROSTER_STORE_POSTGRES_GROUP_H

/* A group: some commands that write, in one transaction. */

#include "store/postgres/state.h"

enum pg_outcome {
    PG_KEPT,      /* committed, and durable */
    PG_UNDONE,    /* nothing was written, since a command or a statement failed */
    PG_AWAY,      /* nothing was written, since the database was away until the deadline */
    PG_DISK_FULL, /* nothing was written, since the server has no room */
    PG_OUTDATED,  /* nothing was written, since this program is older than it may be */
    PG_UNCLEAR,   /* the connection broke during the commit, and who knows did not answer in time */
};

/* In SQL, the key of the lock that is the turn: each schema has its own. */
#define PG_TURN_KEY "CAST(CAST('turn' AS regclass) AS bigint)"

/**
 * Runs a group until it is committed or has failed, at the latest at `deadline_ms`: a group that
 * the loss of a connection or a deadlock interrupted runs again. Sets the statuses of its commands,
 * which count only if the group was kept. Commands of a plain group that are not plain are PENDING;
 * nothing was written by them. On the writer's thread.
 */
enum pg_outcome pg_group_run(struct pg_store *store, const struct pg_group *group,
                             int64_t deadline_ms) MUST_CHECK;

#endif
