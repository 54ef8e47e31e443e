/* The rules on who may change whom, beyond permissions. */
#include "rules/permit.h"

#include "model/tables.h"
#include "rules/messages.h"
#include "rules/validate.h"

static bool gives(const struct change *change, unsigned field) {
    return change->submitted[field] && change->values[field].kind == VALUE_TEXT;
}

void permit_user_change(const struct principal *caller, const struct record *before,
                        const struct change *change, struct arena *arena, struct errors *errors) {
    const struct value *is_admin = &change->values[USER_IsAdmin];
    bool was_admin = value_is_true(&before->values[USER_IsAdmin]);
    if (caller->is_admin)
        return;
    if (was_admin)
        validate_add_error(change, USER_Id, MESSAGE_TEXT(admin_record), arena, errors);
    /* An absent IsAdmin can become false under compatibility = nexudus, and null always does. This
     * makes a difference only for an administrator, whose record is refused above. */
    if (value_is_true(is_admin) != was_admin && change_has(change, USER_IsAdmin))
        validate_add_error(change, USER_IsAdmin, MESSAGE_TEXT(admin_only), arena, errors);
    for (unsigned field = 0; field < change->table->count; field++)
        if (field_is_secret(&change->table->fields[field]) && gives(change, field) &&
            before->version && record_id(before) != caller->user_id)
            validate_add_error(change, field, MESSAGE_TEXT(others_secret), arena, errors);
}

bool permit_grant(const struct principal *caller, uint64_t permissions) {
    return caller->is_admin || (permissions & ~caller->permissions) == 0;
}

static bool is_serving_administrator(const struct record *user) {
    return value_is_true(&user->values[USER_IsAdmin]) && value_is_true(&user->values[USER_Active]);
}

bool permit_ends_administrator(const struct record *before, const struct record *after) {
    return is_serving_administrator(before) && !is_serving_administrator(after);
}
