#ifndef ROSTER_STORE_POSTGRES_CHECK_H
#define ROSTER_STORE_POSTGRES_CHECK_H

#include "store/engine.h"

/** `check` of struct engine_tools. */
int pg_check(const struct engine *engine, const char *url, const char *folder, store_say *say);

#endif
