#ifndef ROSTER_STORE_SQLITE_MAINTENANCE_H
#define ROSTER_STORE_SQLITE_MAINTENANCE_H

#include "store/engine.h"

/** Checks, backs up and restores the database of a data folder. */
extern const struct engine_tools maintenance_tools;

#endif
