#ifndef ROSTER_STORE_SQLITE_FUNCTIONS_H
#define ROSTER_STORE_SQLITE_FUNCTIONS_H

#include "store/sqlite/connection.h"

/** Gives a connection the functions that its SQL uses. False when memory is short. */
bool functions_add(struct connection *connection) MUST_CHECK;

#endif
