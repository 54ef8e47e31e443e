#ifndef ROSTER_API_USERS_H
#define ROSTER_API_USERS_H

#include "api/writing.h"

/** Users, with the rules of theirs. */
extern const struct resource user_resource;

#endif
