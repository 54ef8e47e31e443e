#ifndef ROSTER_RULES_PERMIT_H
#define ROSTER_RULES_PERMIT_H

#include "model/change.h"
#include "model/principal.h"
#include "model/record.h"

/**
 * What a caller who is not an unrestricted administrator may not do to a user: change IsAdmin,
 * edit an unrestricted administrator, change or take away a secret of another user, whatever its
 * kind (password, second factor, token). Adds an error that names the property for each; none: it
 * is allowed, as far as roles are not concerned.
 */
void permit_user_change(const struct principal *caller, const struct record *before,
                        const struct change *change, struct arena *arena, struct errors *errors);

/** May the caller give a user role that carries these permissions? */
bool permit_grant(const struct principal *caller, uint64_t permissions);

/** Does the change take an active unrestricted administrator out of service? */
bool permit_ends_administrator(const struct record *before, const struct record *after);

#endif
