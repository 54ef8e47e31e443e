#ifndef ROSTER_STORE_SQLITE_FUNCTIONS_H
#define ROSTER_STORE_SQLITE_FUNCTIONS_H

#include "store/sqlite/connection.h"

/** Registers the SQL functions with a connection. False when memory runs out. */
bool functions_add(struct connection *connection) MUST_CHECK;

#endif
