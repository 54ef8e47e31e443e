#ifndef ROSTER_API_USERS_H
#define ROSTER_API_USERS_H

#include "service/mutation.h"

/** Sets the password of the caller, who came by a reset token, and replies. All tokens go. */
void user_set_password(struct request *request, struct text password);

#endif
