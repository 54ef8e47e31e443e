#ifndef ROSTER_STORE_POSTGRES_OFFICE_H
#define ROSTER_STORE_POSTGRES_OFFICE_H

/* The office: what only one process of a database may do at a time. */

#include "store/postgres/state.h"

/**
 * Looks after the office once a second: renews it if this process has it, and takes it if it is
 * free. A failure is no error: the office then lapses, and the next call is another attempt. On the
 * watcher's thread and connection, outside of a reading; waits up to the connection's deadline.
 */
void pg_office_tend(struct pg_store *store, struct connection *connection);

/** Leaves the office to another process, at the end of this one. As pg_office_tend. */
void pg_office_leave(struct pg_store *store, struct connection *connection);

/** The functions of engine.h. */
void pg_seek_office(struct store *base);
bool pg_has_office(const struct store *base);

#endif
