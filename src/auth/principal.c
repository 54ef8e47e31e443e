/* From a user's row to what the user may do. */
#include "auth/auth.h"
#include "model/tables.h"

bool auth_is_admitted(const struct record *user) {
    return value_is_true(&user->values[USER_Active]) &&
           (value_is_true(&user->values[USER_APIAccess]) ||
            value_is_true(&user->values[USER_IsAdmin]));
}

/* A user's permissions are the union of what the user roles carry, wherever they are defined. */
static enum status add_permissions(struct store_view *view, const struct record *user,
                                   struct arena *arena, uint64_t *permissions) {
    struct value ids = ids_from_stored(&user->values[USER_UserRoles], arena);
    if (!ids.ids)
        return STATUS_BROKEN;
    for (uint32_t i = 0; i < ids.len; i++) {
        struct record role;
        enum status status = store_load(view, &user_role_table, ids.ids[i], arena, &role);
        if (status != STATUS_OK)
            return STATUS_BROKEN;
        *permissions |= permissions_from_roles(value_as_text(&role.values[USER_ROLE_Roles]));
    }
    return STATUS_OK;
}

enum status auth_principal(const struct auth *auth, struct store_view *view, int64_t user_id,
                           struct arena *arena, struct principal *principal) {
    struct record user;
    /* The epoch is read first: a change that comes after it makes what is read here out of date. */
    uint64_t epoch = store_access_epoch(auth->store);
    enum status status = store_load(view, &user_table, user_id, arena, &user);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_UNAUTHENTICATED : status;
    if (!auth_is_admitted(&user))
        return STATUS_UNAUTHENTICATED;
    *principal = (struct principal){
        .user_id = user_id,
        .is_admin = value_is_true(&user.values[USER_IsAdmin]),
        .email = value_as_text(&user.values[USER_Email]),
        .epoch = epoch,
    };
    if (!principal->is_admin)
        return add_permissions(view, &user, arena, &principal->permissions);
    principal->permissions = (UINT64_C(1) << PERMISSIONS) - 1;
    return STATUS_OK;
}
