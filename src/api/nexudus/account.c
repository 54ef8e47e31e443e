/* What people do with their own account, besides signing in (docs/contract.md section 6.6). */
#include "api/body.h"
#include "api/handlers.h"
#include "api/nexudus/users.h"
#include "api/reply.h"
#include "api/wait.h"
#include "auth/sign_in.h"
#include "base/time.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"

/* ---- GET /api/auth/me ---- */

static const char unknown_members[] =
#define MEMBER(name) ",\"" #name "\":null"
#include "api/nexudus/account_members.def"
#undef MEMBER
    "}";

static enum status add_default_business(struct request *request, const struct record *user,
                                        struct buffer *body) {
    const struct value *id = &user->values[USER_DefaultBusinessId];
    struct record business;
    enum status status = STATUS_NOT_FOUND;
    if (id->kind == VALUE_INTEGER)
        status = store_load(request->worker->view, &business_table, id->integer, request->arena,
                            &business);
    buffer_add(body, TEXT(",\"DefaultBusinessName\":"));
    if (status == STATUS_OK)
        json_add_string(body, value_as_text(&business.values[BUSINESS_Name]));
    else
        buffer_add(body, TEXT("null"));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

void account_get(struct request *request) {
    struct record user;
    struct buffer body;
    enum status status = store_load(request->worker->view, &user_table, request->principal.user_id,
                                    request->arena, &user);
    buffer_init(&body, request->arena, 4096);
    if (status == STATUS_OK) {
        json_add_record(&body, &user);
        body.len -= !body.failed; /* the record's brace */
        status = add_default_business(request, &user, &body);
        buffer_add(&body, text_of(unknown_members));
    }
    if (status == STATUS_OK)
        reply_json(request, 200, &body);
    else
        reply_failure(request, status, NULL, NULL);
}

/* ---- POST /api/sys/users/validate ---- */

static void reply_right(struct request *request, int64_t user_id) {
    struct record user;
    struct buffer value;
    enum status status =
        store_load(request->worker->view, &user_table, user_id, request->arena, &user);
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    buffer_init(&value, request->arena, 4096);
    json_add_record(&value, &user);
    reply_action(request, &(struct action){ .http_status = 200,
                                            .value = buffer_text(&value),
                                            .by = { request->principal.email, time_now_ms() } });
}

static void validated(struct exchange *exchange) {
    struct sign_in *sign_in = exchange->state;
    struct request *request = sign_in->owner;
    switch (sign_in->result) {
    case SIGN_IN_OK:
    case SIGN_IN_TWO_FACTOR: /* in both cases the password was right */
    case SIGN_IN_MUST_RESET: reply_right(request, sign_in->user_id); break;
    case SIGN_IN_WRONG: reply_wrong_password(request); break;
    case SIGN_IN_BUSY: reply_failure(request, STATUS_BUSY, NULL, NULL); break;
    case SIGN_IN_BROKEN: reply_failure(request, STATUS_BROKEN, NULL, NULL); break;
    }
}

static void resume_validated(struct sign_in *sign_in) {
    exchange_resume(((struct request *)sign_in->owner)->exchange);
}

void credentials_validate(struct request *request) {
    struct change change;
    struct sign_in *sign_in = arena_calloc(request->arena, 1, sizeof *sign_in);
    if (!sign_in) {
        reply_failure(request, STATUS_BROKEN, NULL, NULL);
        return;
    }
    if (!request_read(request, &credentials_table, &change))
        return;
    *sign_in = (struct sign_in){ .auth = &request->app->auth,
                                 .arena = request->arena,
                                 .on_behalf_of = request_authority(request),
                                 .email = request_address(
                                     request, value_as_text(&change.values[CREDENTIALS_Email])),
                                 .password = value_as_text(&change.values[CREDENTIALS_Password]),
                                 .done = resume_validated,
                                 .owner = request };
    request->exchange->state = sign_in;
    request_sign_in(request, sign_in, validated);
}

/* ---- POST /api/auth/resetpassword ---- */

static void refuse_token(struct request *request) {
    struct errors errors = { 0 };
    sign_in_log_add(request->app->auth.log, SIGN_IN_EVENT_reset_token, 0,
                    exchange_peer(request->exchange));
    errors_add(&errors, request->arena,
               &(struct error){ .property = TEXT("Token"), .message = MESSAGE_TEXT(reset_token) });
    reply_invalid(request, &errors);
}

/* Whose token it is becomes the caller: the user changes the own password. */
static enum status find_bearer(struct request *request, struct text token) {
    struct principal bearer = { .credential = auth_token_credential(CREDENTIAL_reset, token) };
    enum status status =
        auth_decide(&request->app->auth, request->worker->view, request->arena, &bearer);
    if (status == STATUS_OK)
        request->principal = bearer;
    return status;
}

void account_reset_password(struct request *request) {
    struct change change;
    if (!request_read(request, &password_reset_table, &change))
        return;
    request->refuse = refuse_token; /* it works once, also for two who come at the same time */
    enum status status = find_bearer(request, value_as_text(&change.values[PASSWORD_RESET_Token]));
    if (status == STATUS_UNAUTHENTICATED)
        refuse_token(request);
    else if (status == STATUS_OK)
        user_set_password(request, value_as_text(&change.values[PASSWORD_RESET_NewPassword]));
    else
        reply_failure(request, status, NULL, NULL);
}
