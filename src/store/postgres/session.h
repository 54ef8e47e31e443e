#ifndef ROSTER_STORE_POSTGRES_SESSION_H
#define ROSTER_STORE_POSTGRES_SESSION_H

#include "store/postgres/state.h"

/** Makes a session, which connects when it is first used. NULL when memory is short. */
struct connection *pg_session_new(struct pg_store *store) MUST_CHECK;
void pg_session_free(struct connection *connection);

#endif
