#ifndef ROSTER_STORE_POSTGRES_OPEN_H
#define ROSTER_STORE_POSTGRES_OPEN_H

#include "store/engine.h"

/** The functions of struct engine_store. */
struct store *pg_open(const struct engine *engine, const struct store_options *options, char *why,
                      size_t why_size, int *exit_code);
void pg_close(struct store *base);
struct store_session *pg_session_open(struct store *store);
void pg_session_close(struct store_session *session);

#endif
