/* The handlers that all resources share, and the resources that need few rules or none. */
#include "service/resource_rules.h"

#include "api/handlers.h"
#include "api/reply.h"
#include "api/wait.h"

#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"
#include "rules/permit.h"

bool etag_is_listed(struct text list, struct text etag, enum etag_comparison how) {
    struct text known;
    while (etag.at && text_next(&list, &known)) {
        if (how == ETAG_WEAK && known.len > 2 && known.at[0] == 'W' && known.at[1] == '/')
            known = (struct text){ known.at + 2, known.len - 2 };
        if (text_equal(known, etag) || text_equal(known, TEXT("*")))
            return true;
    }
    return false;
}

/* Bytes of most records; a longer one makes the buffer grow. */
enum { BODY_EXPECTED = 2800 };

/* A record on its way to the reply. */
struct shown {
    struct buffer body;
    int64_t version;
};

static enum status show(struct store_view *session, struct request *request) {
    struct shown *shown = request->exchange->state;
    return store_show(session, request->route->resource->table, request->id, &shown->body,
                      &shown->version);
}

static void reply_shown(struct request *request, enum status status) {
    const struct shown *shown = request->exchange->state;
    unsigned count;
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    struct text etag = record_etag(request->id, shown->version, request->arena);
    if (etag.at)
        reply_header(request->exchange, "ETag", etag.at);
    /* RFC 9110 section 13.2.2: in this order */
    struct text wanted = exchange_header_list(request->exchange, "If-Match", &count);
    struct text known = exchange_header_list(request->exchange, "If-None-Match", &count);
    if (wanted.at && !etag_is_listed(wanted, etag, ETAG_STRONG))
        reply_failure(request, STATUS_STALE, NULL, NULL);
    else if (etag_is_listed(known, etag, ETAG_WEAK))
        request->exchange->reply.http_status = 304;
    else
        reply_json(request, 200, &shown->body);
}

void resource_get(struct request *request) {
    struct shown *shown = arena_alloc(request->arena, sizeof *shown);
    if (!shown) {
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
        return;
    }
    buffer_init(&shown->body, request->arena, BODY_EXPECTED);
    request->exchange->state = shown;
    request_ask(request, show, reply_shown);
}

void resource_post(struct request *request) {
    writing_start(request, WRITING_create);
}

void resource_put(struct request *request) {
    writing_start(request, WRITING_replace);
}

void resource_put_at(struct request *request) {
    writing_start(request, WRITING_replace);
}

void resource_patch(struct request *request) {
    writing_start(request, WRITING_patch);
}

void resource_delete(struct request *request) {
    writing_start(request, WRITING_delete);
}

static enum status judge_grant(struct writing *writing, struct store_view *view, unsigned field,
                               int64_t id) {
    (void)view;
    if (id < 1 || id > PERMISSIONS ||
        permit_grant(&writing->request->principal, UINT64_C(1) << (id - 1)))
        return STATUS_OK;
    writing_complain(writing, field, MESSAGE_TEXT(roles_beyond));
    return STATUS_NOT_FOUND;
}

/* Who adds to a user role gives it to all who have it. */
static enum status permit_roles(struct writing *writing, struct store_view *view) {
    enum status status = writing_each_new_id(writing, USER_ROLE_Roles, view, judge_grant);
    if (status == STATUS_OK)
        status = writing_each_new_id(writing, USER_ROLE_AddedRoles, view, judge_grant);
    return status;
}

/* To sign an unrestricted administrator out is to do something to him. */
static enum status permit_revoke(struct writing *writing, struct store_view *view) {
    const struct principal *caller = &writing->request->principal;
    const struct value *user_id = &writing->before.values[REFRESH_TOKEN_UserId];
    struct record owner;
    if (caller->is_admin || user_id->integer == caller->user_id)
        return STATUS_OK;
    enum status status =
        store_load(view, &user_table, user_id->integer, writing->request->arena, &owner);
    if (status == STATUS_OK && value_is_true(&owner.values[USER_IsAdmin]))
        writing_complain(writing, REFRESH_TOKEN_UserId, MESSAGE_TEXT(admin_record));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* With a refresh token goes its family, and what its client has left of earlier sign-ins: access
 * tokens that no refresh token stands for in the list any more. */
static enum status revoke(const struct writing *writing, struct store_view *tx) {
    const struct value *values = writing->before.values;
    enum status status = store_end_family_of(tx, record_id(&writing->before));
    if (status == STATUS_OK)
        status = store_revoke_client(tx, values[REFRESH_TOKEN_UserId].integer,
                                     value_as_text(&values[REFRESH_TOKEN_ClientId]), TOKEN_ACCESS);
    struct author author = writing_author(writing);
    if (status == STATUS_OK)
        status = store_audit_tokens(tx, values[REFRESH_TOKEN_UserId].integer, TEXT("RefreshTokens"),
                                    TEXT("revoked"), &author);
    return status;
}

/* Each of them has a delivery made, within the transaction, of each change that it waits for. */
enum { WEB_HOOKS_MAX = 100 };

static enum status check_count(struct writing *writing, struct store_view *view) {
    int64_t count = 0;
    if (writing->kind != WRITING_create)
        return STATUS_OK;
    enum status status = store_count(view, &web_hook_table, &count);
    if (status == STATUS_OK && count >= WEB_HOOKS_MAX)
        writing_complain(writing, WEB_HOOK_URL, MESSAGE_TEXT(web_hooks_full));
    return status;
}

static enum status note_maker(struct writing *writing, struct store_view *view) {
    (void)view;
    if (writing->kind != WRITING_delete)
        writing->after.values[WEB_HOOK_MakerId] =
            value_integer(writing->request->principal.user_id);
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
