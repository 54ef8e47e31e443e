/* The decision about an update, and its writing. Everything here looks at the stored record, so
 * the last word is spoken inside the transaction, where nobody can change it meanwhile. */
#include "api/update.h"

#include "model/tables.h"
#include "rules/email.h"
#include "rules/merge.h"
#include "rules/messages.h"
#include "rules/permit.h"

static void complain(struct update *update, unsigned field, struct text message) {
    validate_complain(&update->change, field, message, update->request->arena, &update->errors);
}

/* The caller's rights may have changed since the request came in. */
static enum status refresh_caller(struct update *update, struct store_view *view) {
    struct principal *caller = &update->request->principal;
    const struct auth *auth = &update->request->app->auth;
    if (caller->epoch == store_access_epoch(auth->store))
        return STATUS_OK;
    enum status status =
        auth_principal(auth, view, caller->user_id, update->request->arena, caller);
    if (status != STATUS_OK)
        return status;
    return principal_may(caller, (unsigned)update->request->route->permission) ? STATUS_OK
                                                                               : STATUS_DENIED;
}

/* Calls `judge` with each id that a links field, its Added or its Removed newly names, until it
 * finds one wrong (NOT_FOUND): one error a property is enough. */
static enum status each_new_id(struct update *update, const struct record *before, unsigned field,
                               struct store_view *view,
                               enum status (*judge)(struct update *, struct store_view *, unsigned,
                                                    int64_t)) {
    const struct value *named = &update->change.values[field];
    enum field_type type = update->change.table->fields[field].type;
    unsigned links = field - (type == TYPE_added) - 2 * (type == TYPE_removed);
    if (named->kind != VALUE_IDS || named->len == 0)
        return STATUS_OK;
    struct value present = ids_from_stored(&before->values[links], update->request->arena);
    enum status status = present.ids ? STATUS_OK : STATUS_BROKEN;
    for (uint32_t i = 0; status == STATUS_OK && i < named->len; i++)
        if (!ids_have(&present, named->ids[i]))
            status = judge(update, view, field, named->ids[i]);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status judge_role(struct update *update, struct store_view *view, unsigned field,
                              int64_t id) {
    struct record role;
    enum status status = store_load(view, &user_role_table, id, update->request->arena, &role);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* the references' business */
    uint64_t permissions = permissions_from_roles(value_as_text(&role.values[USER_ROLE_Roles]));
    if (permit_grant(&update->request->principal, permissions))
        return STATUS_OK;
    complain(update, field,
             arena_printf(update->request->arena, message_role_beyond, (long long)id));
    return STATUS_NOT_FOUND;
}

static enum status check_permission(struct update *update, struct store_view *view,
                                    const struct record *before) {
    struct errors invalid = update->errors;
    struct request *request = update->request;
    enum status status = STATUS_OK;
    update->errors = (struct errors){ 0 };
    permit_user_change(&request->principal, before, &update->change, request->arena,
                       &update->errors);
    if (!request->principal.is_admin)
        status = each_new_id(update, before, USER_UserRoles, view, judge_role);
    if (status == STATUS_OK && !request->principal.is_admin)
        status = each_new_id(update, before, USER_AddedUserRoles, view, judge_role);
    if (status != STATUS_OK)
        return status;
    if (update->errors.first || update->errors.failed)
        return STATUS_DENIED;
    update->errors = invalid;
    return STATUS_OK;
}

static enum status judge_reference(struct update *update, struct store_view *view, unsigned field,
                                   int64_t id) {
    const struct table *target = update->change.table->fields[field].target;
    enum status status = store_exists(view, target, id);
    if (status != STATUS_NOT_FOUND)
        return status;
    complain(
        update, field,
        arena_printf(update->request->arena, message_missing_row, target->noun, (long long)id));
    return STATUS_NOT_FOUND;
}

static enum status check_references(struct update *update, struct store_view *view,
                                    const struct record *before) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < update->change.table->count; i++) {
        const struct value *value = &update->change.values[i];
        if (!update->change.table->fields[i].target)
            continue;
        if (value->kind == VALUE_IDS)
            status = each_new_id(update, before, i, view, judge_reference);
        else if (value->kind == VALUE_INTEGER && !value_equal(value, &before->values[i]))
            status = judge_reference(update, view, i, value->integer);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

static enum status check_email(struct update *update, struct store_view *view,
                               const struct record *before) {
    const struct value *email = &update->change.values[USER_Email];
    int64_t owner;
    if (email->kind != VALUE_TEXT || value_equal(email, &before->values[USER_Email]))
        return STATUS_OK;
    struct text key = email_key(value_as_text(email), update->request->arena);
    if (!key.at)
        return STATUS_BROKEN;
    enum status status = store_find_user(view, key, &owner);
    if (status == STATUS_OK && owner != record_id(before))
        complain(update, USER_Email, MESSAGE_TEXT(email_taken));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status check_last_administrator(struct update *update, struct store_view *view,
                                            const struct record *before,
                                            const struct record *after) {
    if (!permit_ends_administrator(before, after))
        return STATUS_OK;
    enum status status = store_other_administrator(view, record_id(before));
    if (status != STATUS_NOT_FOUND)
        return status;
    unsigned field = value_is_true(&after->values[USER_IsAdmin]) ? USER_Active : USER_IsAdmin;
    complain(update, field, MESSAGE_TEXT(last_admin));
    return STATUS_OK;
}

/* RFC 9110 section 13.1.1: `*`, or a list of ETags of which one must be the record's. */
static bool condition_holds(struct update *update, const struct record *before) {
    struct text list = update->if_match;
    if (!list.at || text_equal(text_trim(list), TEXT("*")))
        return true;
    struct text etag = record_etag(record_id(before), before->version, update->request->arena);
    while (list.at)
        if (etag.at && text_equal(text_trim(text_cut(&list, ',')), etag))
            return true;
    return false;
}

/* What the change does to the picture is no value of the body's. */
static void merge_avatar(struct update *update, struct record *after) {
    if (update->avatar.content.at)
        after->values[USER_AvatarFileName] = value_text(update->avatar_file_name);
    else if (value_is_true(&update->change.values[USER_ClearAvatarFile]))
        after->values[USER_AvatarFileName] = value_null();
}

enum status update_decide(struct update *update, struct store_view *view, struct record *before,
                          struct record *after) {
    struct request *request = update->request;
    int64_t id = update->change.values[USER_Id].integer;
    enum status status = store_load(view, &user_table, id, request->arena, before);
    if (status == STATUS_OK)
        status = refresh_caller(update, view);
    if (status == STATUS_OK)
        status = check_permission(update, view, before);
    if (status == STATUS_OK)
        status = check_references(update, view, before);
    if (status == STATUS_OK)
        status = check_email(update, view, before);
    update->rules.author = request->principal.email;
    if (status == STATUS_OK)
        status = merge(before, &update->change, &update->rules, request->arena, after);
    if (status != STATUS_OK)
        return status;
    merge_avatar(update, after);
    status = check_last_administrator(update, view, before, after);
    if (status != STATUS_OK)
        return status;
    if (update->errors.first || update->errors.failed)
        return STATUS_BAD_INPUT;
    return condition_holds(update, before) ? STATUS_OK : STATUS_STALE;
}

static bool falls(const struct record *before, const struct record *after, unsigned field) {
    return value_is_true(&before->values[field]) && !value_is_true(&after->values[field]);
}

/* A changed password, deactivation and demotion end every session (decisions, tokens). */
static bool ends_sessions(const struct record *before, const struct record *after) {
    return !value_equal(&before->values[USER_Password], &after->values[USER_Password]) ||
           falls(before, after, USER_Active) || falls(before, after, USER_IsAdmin);
}

static enum status write_avatar(const struct update *update, struct store_view *tx,
                                const struct record *before, const struct record *after) {
    if (update->avatar.content.at)
        return store_set_avatar(tx, record_id(after), &update->avatar);
    if (value_equal(&before->values[USER_AvatarFileName], &after->values[USER_AvatarFileName]))
        return STATUS_OK;
    return store_set_avatar(tx, record_id(after), NULL);
}

enum status update_run(struct store_view *tx, struct store_command *command) {
    struct update *update = (struct update *)command;
    struct record before, after;
    update->errors = (struct errors){ 0 }; /* none of validation; this may be a second run */
    enum status status = update_decide(update, tx, &before, &after);
    if (status != STATUS_OK)
        return status;
    struct author author = { update->rules.author, update->rules.now_ms };
    status = store_update(tx, &before, &after, &author);
    if (status == STATUS_OK)
        status = write_avatar(update, tx, &before, &after);
    if (status == STATUS_OK && ends_sessions(&before, &after))
        status = store_revoke_all(tx, record_id(&after));
    update->version = after.version;
    update->updated_on_ms = after.values[USER_UpdatedOn].integer;
    return status == STATUS_OK ? STATUS_OK : STATUS_BROKEN;
}
