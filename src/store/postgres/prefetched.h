#ifndef ROSTER_STORE_POSTGRES_PREFETCHED_H
#define ROSTER_STORE_POSTGRES_PREFETCHED_H

/* The records that prefetch.h has read beforehand: which of them are still valid. */

#include "store/postgres/prepared.h"

/** Which statement of a table the connection's commands load their records by. */
enum table_statement pg_prefetch_kind(const struct connection *connection);

/** A record that was read beforehand: a row of a result that other records are in, too. */
struct pg_prefetched {
    const PGresult *rows;
    int row;
};

/** Finds what the statement would load: true if it was read beforehand and is still valid. */
bool pg_prefetch_find(const struct pg_statement *statement, struct pg_prefetched *found) MUST_CHECK;

/** Is the statement a TABLE_UPDATE of a record that was read beforehand and is still valid? */
bool pg_prefetch_is_updated_by(const struct pg_statement *statement) MUST_CHECK;

/** Forgets what the statement, which is about to be sent, may change. */
void pg_prefetch_note(const struct pg_statement *statement);

/** Forgets all, as when the transaction ends. */
void pg_prefetch_forget(struct connection *connection);

#endif
