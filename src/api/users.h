#ifndef ROSTER_API_USERS_H
#define ROSTER_API_USERS_H

#include "api/writing.h"

/**
 * Sets the caller's own password and replies; the reset token with this hash pays for it, and goes
 * with all other tokens of the user.
 */
void user_set_password(struct request *request, struct text password,
                       const struct token_hash *reset);

#endif
