/* A user's own account: the calling user, checking a password, and resetting one (docs/contract.md
 * section 6.6). */
#include "api/body.h"
#include "api/handlers.h"
#include "api/nexudus/write.h"
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

static enum status add_default_business(struct store_session *session, const struct record *user,
                                        struct buffer *body) {
    const struct value *id = &user->values[USER_DefaultBusinessId];
    struct record business;
    enum status status = STATUS_NOT_FOUND;
    if (id->kind == VALUE_INTEGER)
        status = store_load(session, &business_table, id->integer, body->arena, &business);
    buffer_add(body, TEXT(",\"DefaultBusinessName\":"));
    if (status == STATUS_OK)
        json_add_string(body, value_as_text(&business.values[BUSINESS_Name]));
    else
        buffer_add(body, TEXT("null"));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status add_account(struct store_session *session, struct request *request) {
    struct buffer *body = request->exchange->state;
    struct record user;
    enum status status =
        store_load(session, &user_table, request->principal.user_id, request->arena, &user);
    if (status != STATUS_OK)
        return status;
    json_add_record(body, &user);
    body->len -= !body->failed; /* the closing brace; more members follow */
    status = add_default_business(session, &user, body);
    buffer_add(body, text_of(unknown_members));
    return status;
}

static void reply_account(struct request *request, enum status status) {
    if (status == STATUS_OK)
        reply_json(request, 200, request->exchange->state);
    else
        reply_failure(request, status, NULL, NULL);
}

void account_get(struct request *request) {
    struct buffer *body = arena_alloc(request->arena, sizeof *body);
    if (!body) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    buffer_init(body, request->arena, 4096);
    request->exchange->state = body;
    request_ask(request, add_account, reply_account);
}

/* ---- POST /api/sys/users/validate ---- */

struct validation {
    struct sign_in sign_in;
    struct record user; /* whose password was right */
};

static enum status load_user(struct store_session *session, struct request *request) {
    struct validation *validation = request->exchange->state;
    return store_load(session, &user_table, validation->sign_in.user_id, request->arena,
                      &validation->user);
}

static void reply_user(struct request *request, enum status status) {
    const struct validation *validation = request->exchange->state;
    struct buffer value;
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    buffer_init(&value, request->arena, 4096);
    json_add_record(&value, &validation->user);
    reply_action(request, &(struct action){ .http_status = 200,
                                            .value = buffer_text(&value),
                                            .by = { .email = request->principal.email,
                                                    .now_ms = time_now_ms() } });
}

static void validated(struct exchange *exchange) {
    const struct validation *validation = exchange->state;
    struct request *request = exchange->request;
    switch (validation->sign_in.result) {
    case SIGN_IN_OK:
    case SIGN_IN_TWO_FACTOR: /* in these two cases, too, the password was right */
    case SIGN_IN_MUST_RESET: request_ask(request, load_user, reply_user); break;
    case SIGN_IN_WRONG: reply_wrong_password(request); break;
    case SIGN_IN_BUSY:
    case SIGN_IN_BROKEN:
        reply_failure(request, sign_in_failure(&validation->sign_in), NULL, NULL);
        break;
    }
}

static void resume_validated(struct sign_in *sign_in) {
    exchange_resume(((struct request *)sign_in->owner)->exchange);
}

void credentials_validate(struct request *request) {
    struct change change;
    struct validation *validation = arena_calloc(request->arena, 1, sizeof *validation);
    if (!validation) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    if (!request_read(request, &credentials_table, &change))
        return;
    validation->sign_in = (struct sign_in){
        .auth = &request->app->auth,
        .arena = request->arena,
        .on_behalf_of = request_authority(request),
        .email = request_address(request, value_as_text(&change.values[CREDENTIALS_Email])),
        .password = value_as_text(&change.values[CREDENTIALS_Password]),
        .done = resume_validated,
        .owner = request
    };
    request->exchange->state = validation;
    request_sign_in(request, &validation->sign_in, validated);
}

/* ---- POST /api/auth/resetpassword ---- */

static void refuse_token(struct request *request) {
    struct errors errors = { 0 };
    const struct log_origin origin = request_origin(request);
    sign_in_log_add(request->app->auth.log, SIGN_IN_EVENT_reset_token, 0, &origin);
    errors_add(&errors, request->arena,
               &(struct error){ .property = TEXT("Token"), .message = MESSAGE_TEXT(reset_token) });
    reply_invalid(request, &errors);
}

struct reset {
    struct principal bearer; /* of the token */
    struct text new_password;
};

static enum status decide_bearer(struct store_session *session, struct request *request) {
    struct reset *reset = request->exchange->state;
    return auth_decide(&request->app->auth, session, request->arena, &reset->bearer);
}

/* The user of the reset token becomes the caller, who then changes the own password. */
static void set_password(struct request *request, enum status status) {
    const struct reset *reset = request->exchange->state;
    if (status == STATUS_UNAUTHENTICATED) {
        refuse_token(request);
    } else if (status == STATUS_OK) {
        request->principal = reset->bearer;
        write_password(request, reset->new_password);
    } else {
        reply_failure(request, status, NULL, NULL);
    }
}

void account_reset_password(struct request *request) {
    struct change change;
    if (!request_read(request, &password_reset_table, &change))
        return;
    request->refuse =
        refuse_token; /* two requests with one token at once: the later one finds it used */
    struct reset *reset = arena_alloc(request->arena, sizeof *reset);
    if (!reset) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    struct text token = value_as_text(&change.values[PASSWORD_RESET_Token]);
    *reset = (struct reset){
        .bearer = { .credential = auth_token_credential(CREDENTIAL_reset, token) },
        .new_password = value_as_text(&change.values[PASSWORD_RESET_NewPassword]),
    };
    request->exchange->state = reset;
    request_ask_as(request, &store_nobody, decide_bearer, set_password);
}
