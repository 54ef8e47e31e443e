#ifndef ROSTER_RULES_PERMIT_H
#define ROSTER_RULES_PERMIT_H

#include "model/change.h"
#include "model/principal.h"
#include "model/record.h"

/**
 * Checks what only an unrestricted administrator may do to a user: change IsAdmin, edit another
 * unrestricted administrator, and change or remove a secret of another user (password, second
 * factor, token). Adds an error on the property for each of these. Permissions are not checked
 * here.
 */
void permit_user_change(const struct principal *caller, const struct record *before,
                        const struct change *change, struct arena *arena, struct errors *errors);

/** True if the caller may grant a user role with these permissions: all of them must be the
 * caller's own, unless the caller is an unrestricted administrator. */
bool permit_grant(const struct principal *caller, uint64_t permissions);

/** True if the change turns an active unrestricted administrator into something else. */
bool permit_ends_administrator(const struct record *before, const struct record *after);

#endif
