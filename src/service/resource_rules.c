/* The rules of the resources that need few or none, and the list of all. */
#include "service/resources.h"

#include "model/tables.h"
#include "rules/messages.h"
#include "rules/permit.h"

#include <assert.h>

static enum status check_grant(struct mutation *mutation, struct store_session *session,
                               unsigned field, int64_t id) {
    (void)session;
    if (id < 1 || id > PERMISSIONS ||
        permit_grant(mutation->context->caller, UINT64_C(1) << (id - 1)))
        return STATUS_OK;
    mutation_add_error(mutation, field, MESSAGE_TEXT(roles_beyond));
    return STATUS_NOT_FOUND;
}

/* A role that is added to a user role is given to all users who have that user role. */
static enum status permit_roles(struct mutation *mutation, struct store_session *session) {
    enum status status = mutation_each_new_id(mutation, USER_ROLE_Roles, session, check_grant);
    if (status == STATUS_OK)
        status = mutation_each_new_id(mutation, USER_ROLE_AddedRoles, session, check_grant);
    return status;
}

/* To revoke a token of an unrestricted administrator is to edit that user. */
static enum status permit_revoke(struct mutation *mutation, struct store_session *session) {
    const struct principal *caller = mutation->context->caller;
    const struct value *user_id = &mutation->before.values[REFRESH_TOKEN_UserId];
    struct record owner;
    if (caller->is_admin || user_id->integer == caller->user_id)
        return STATUS_OK;
    enum status status =
        store_load(session, &user_table, user_id->integer, mutation->context->arena, &owner);
    if (status == STATUS_OK && value_is_true(&owner.values[USER_IsAdmin]))
        mutation_add_error(mutation, REFRESH_TOKEN_UserId, MESSAGE_TEXT(admin_record));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* With a refresh token goes its family, and what its client has left of earlier sign-ins: access
 * tokens that no refresh token stands for in the list any more. */
static enum status revoke(const struct mutation *mutation, struct store_tx *tx) {
    const struct value *values = mutation->before.values;
    enum status status = store_end_family_of(tx, record_id(&mutation->before));
    if (status == STATUS_OK)
        status = store_revoke_client(tx, values[REFRESH_TOKEN_UserId].integer,
                                     value_as_text(&values[REFRESH_TOKEN_ClientId]), TOKEN_ACCESS);
    struct author author = mutation_author(mutation);
    if (status == STATUS_OK)
        status = store_audit_tokens(tx, values[REFRESH_TOKEN_UserId].integer, TEXT("RefreshTokens"),
                                    TEXT("revoked"), &author);
    return status;
}

/* Each of them has a delivery made, within the transaction, of each change that it waits for. */
enum { WEB_HOOKS_MAX = 100 };

static enum status check_count(struct mutation *mutation, struct store_session *session) {
    int64_t count = 0;
    if (mutation->kind != MUTATION_create)
        return STATUS_OK;
    enum status status = store_count(session, &web_hook_table, &count);
    if (status == STATUS_OK && count >= WEB_HOOKS_MAX)
        mutation_add_error(mutation, WEB_HOOK_URL, MESSAGE_TEXT(web_hooks_full));
    return status;
}

static enum status note_maker(struct mutation *mutation, struct store_session *session) {
    (void)session;
    if (mutation->kind != MUTATION_delete)
        mutation->after.values[WEB_HOOK_MakerId] =
            value_integer(mutation->context->caller->user_id);
    return STATUS_OK;
}

const struct resource user_role_resource = { .table = &user_role_table, .permit = permit_roles };
/* A webhook sends users' records wherever its URL says, and its deliveries have them as Payload. */
const struct resource web_hook_resource = { .table = &web_hook_table,
                                            .check = check_count,
                                            .check_merged = note_maker,
                                            .shows_users =
                                                1 << OPERATION_Create | 1 << OPERATION_Edit };
const struct resource web_hook_delivery_resource = { .table = &web_hook_delivery_table,
                                                     .shows_users = 1 << OPERATION_List |
                                                                    1 << OPERATION_Read |
                                                                    1 << OPERATION_Edit };
/* The trail has what users' members were and are, a refresh token the address of its user. */
const struct resource audit_trail_entry_resource = { .table = &audit_trail_entry_table,
                                                     .order = AUDIT_TRAIL_ENTRY_UpdatedOn,
                                                     .shows_users = 1 << OPERATION_List |
                                                                    1 << OPERATION_Read };
const struct resource refresh_token_resource = { .table = &refresh_token_table,
                                                 .shows_users =
                                                     1 << OPERATION_List | 1 << OPERATION_Read,
                                                 .permit = permit_revoke,
                                                 .erase = revoke };

/* Those that have no rules but their fields'. */
#define RULES_ruled(name)
#define RULES_plain(name) const struct resource name##_resource = { .table = &name##_table };
#define TABLE(prefix, name, entity, rules, ...) RULES_##rules(name)
#include "model/tables.def"

static const struct resource *const resources[] = {
#define TABLE(prefix, name, entity, rules, ...) &name##_resource,
#include "model/tables.def"
};

const struct resource *resource_of(const struct table *table) {
    size_t i = 0;
    while (resources[i]->table != table) {
        i++;
        assert(i < sizeof resources / sizeof resources[0]);
    }
    return resources[i];
}
