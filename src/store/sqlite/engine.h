#ifndef ROSTER_STORE_SQLITE_ENGINE_H
#define ROSTER_STORE_SQLITE_ENGINE_H

#include "store/engine.h"

/** SQLite. Only the list of engines in store/engine.c and tests name it. */
extern const struct engine sqlite_engine;

#endif
