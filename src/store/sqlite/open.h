#ifndef ROSTER_STORE_SQLITE_OPEN_H
#define ROSTER_STORE_SQLITE_OPEN_H

/* The parts of engine_store (store/engine.h) that concern the store as a whole. */

#include "store/engine.h"

struct store *open_store(const struct engine *engine, const struct store_options *options,
                         char *why, size_t why_size, int *exit_code) MUST_CHECK;
void open_close(struct store *base);
struct store_stats open_stats(struct store *base);

#endif
