/* POST /api/token: the password grant and the refresh grant (RFC 6749 sections 4.3 and 6,
 * docs/contract.md section 6.1). */
#include "api/body.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/status.h"
#include "api/wait.h"
#include "auth/sign_in.h"
#include "crypto/base64.h"
#include "json/json.h"
#include "rules/messages.h"
#include "rules/validate.h"

enum { CLIENT_ID_MAX = 255 };

/* The members of the form; `at` NULL: left out. */
struct token_form {
    struct text grant_type, username, password, totp, refresh_token, client_id;
};

static bool read_form(const struct request *request, struct token_form *form) {
    struct text rest = request->exchange->body, name, value;
    if (!request_is_strict(request))
        rest = text_without_mark(rest);
    const struct {
        struct text name;
        struct text *value;
    } members[] = {
        { TEXT("grant_type"), &form->grant_type },       { TEXT("username"), &form->username },
        { TEXT("password"), &form->password },           { TEXT("totp"), &form->totp },
        { TEXT("refresh_token"), &form->refresh_token }, { TEXT("client_id"), &form->client_id },
    };
    while (form_next(&rest, request->arena, &name, &value))
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            if (text_equal(name, members[i].name)) {
                if (members[i].value->at || !value.at)
                    return false; /* RFC 6749 section 3.2: not more than once */
                *members[i].value = value;
            }
    return true;
}

static void reply_error(struct request *request, unsigned http_status, struct text error,
                        struct text description) {
    struct buffer body;
    buffer_init(&body, request->arena, 160);
    buffer_add(&body, TEXT("{\"error\":"));
    json_add_string(&body, error);
    if (description.at) {
        buffer_add(&body, TEXT(",\"error_description\":"));
        json_add_string(&body, description);
    }
    buffer_add_char(&body, '}');
    if (http_status == 429 || http_status == 503)
        reply_header(request->exchange, "Retry-After", "1");
    reply_json(request, http_status, &body);
}

/* The user name in a Basic Authorization header; empty: none. */
static struct text client_of_basic(const struct request *request) {
    struct text basic = exchange_header(request->exchange, "Authorization");
    if (!text_starts_nocase(basic, TEXT("Basic ")))
        return (struct text){ 0 };
    struct text pair =
        base64_decode(text_trim((struct text){ basic.at + 6, basic.len - 6 }), request->arena);
    return text_cut(&pair, ':');
}

/* Finds client_id in the header of that name, in the form, and as the user name of Basic. `at`
 * NULL: in none of them; an empty value counts as left out (RFC 6749 section 3.2). False: they
 * differ, or the value cannot be stored; the reply says so. */
static bool find_client_id(struct request *request, struct text in_form, struct text *client_id) {
    unsigned count;
    const struct text sources[] = { exchange_header_list(request->exchange, "client_id", &count),
                                    in_form, client_of_basic(request) };
    *client_id = (struct text){ 0 };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (!sources[i].len)
            continue;
        if (count > 1 || (client_id->len && !text_equal(*client_id, sources[i]))) {
            reply_error(request, 400, TEXT("invalid_request"), MESSAGE_TEXT(two_client_ids));
            return false;
        }
        *client_id = sources[i];
    }
    if (validate_is_line(*client_id, CLIENT_ID_MAX))
        return true;
    reply_error(request, 400, TEXT("invalid_request"), MESSAGE_TEXT(client_id));
    return false;
}

static void reply_unserved(struct request *request, enum status status) {
    bool is_passing =
        status == STATUS_TOO_MANY || status == STATUS_FULL || status == STATUS_UNAVAILABLE;
    reply_error(request, status_http(status),
                is_passing ? TEXT("temporarily_unavailable") : TEXT("server_error"),
                text_of(status_message(status)));
}

static void signed_in(struct exchange *exchange) {
    struct sign_in *sign_in = exchange->state;
    struct request *request = sign_in->owner;
    switch (sign_in->result) {
    case SIGN_IN_OK: reply_token_pair(request, &sign_in->pair); break;
    case SIGN_IN_WRONG:
        reply_error(request, 400, TEXT("invalid_grant"), MESSAGE_TEXT(wrong_user_name));
        break;
    case SIGN_IN_TWO_FACTOR:
        reply_error(request, 400, TEXT("two_factor_auth_check"), (struct text){ 0 });
        break;
    case SIGN_IN_MUST_RESET:
        reply_error(request, 400, TEXT("must_reset_password"),
                    (struct text){ sign_in->pair.access, TOKEN_TEXT_SIZE });
        break;
    case SIGN_IN_BUSY:
    case SIGN_IN_BROKEN: reply_unserved(request, sign_in_failure(sign_in)); break;
    }
}

static void resume_signed_in(struct sign_in *sign_in) {
    exchange_resume(((struct request *)sign_in->owner)->exchange);
}

static void grant_by_password(struct request *request, const struct token_form *form) {
    struct sign_in *sign_in = arena_calloc(request->arena, 1, sizeof *sign_in);
    if (!sign_in) {
        reply_unserved(request, STATUS_INTERNAL);
        return;
    }
    if (!form->username.len || !form->password.len) {
        reply_error(request, 400, TEXT("invalid_request"), MESSAGE_TEXT(password_grant));
        return;
    }
    struct text client_id;
    if (!find_client_id(request, form->client_id, &client_id))
        return;
    *sign_in = (struct sign_in){ .auth = &request->app->auth,
                                 .arena = request->arena,
                                 .on_behalf_of = &store_nobody,
                                 .email = request_address(request, form->username),
                                 .password = form->password,
                                 .totp = form->totp,
                                 .client_id = client_id,
                                 .wants_tokens = true,
                                 .done = resume_signed_in,
                                 .owner = request };
    request->exchange->state = sign_in;
    request_sign_in(request, sign_in, signed_in);
}

static void refreshed(struct exchange *exchange) {
    struct refresh *refresh = exchange->state;
    struct request *request = refresh->owner;
    if (request->not_taken != STATUS_OK)
        refresh->result = request->not_taken;
    if (refresh->result == STATUS_OK)
        reply_token_pair(request, &refresh->pair);
    else if (refresh->result == STATUS_UNAUTHENTICATED)
        reply_error(request, 400, TEXT("invalid_grant"), (struct text){ 0 });
    else
        reply_unserved(request, refresh->result);
}

static void resume_refreshed(struct refresh *refresh) {
    exchange_resume(((struct request *)refresh->owner)->exchange);
}

static enum status hand_to_refresh(struct request *request, void *refresh) {
    (void)request;
    return refresh_start(refresh);
}

static void grant_by_refresh(struct request *request, const struct token_form *form) {
    struct refresh *refresh = arena_calloc(request->arena, 1, sizeof *refresh);
    if (!refresh) {
        reply_unserved(request, STATUS_INTERNAL);
        return;
    }
    if (!form->refresh_token.len) {
        reply_error(request, 400, TEXT("invalid_request"), MESSAGE_TEXT(refresh_grant));
        return;
    }
    struct text client_id;
    if (!find_client_id(request, form->client_id, &client_id))
        return;
    *refresh = (struct refresh){ .auth = &request->app->auth,
                                 .arena = request->arena,
                                 .token = form->refresh_token,
                                 .client_id = client_id,
                                 .origin = request_origin(request),
                                 .done = resume_refreshed,
                                 .owner = request };
    request->exchange->state = refresh;
    request_wait(request, hand_to_refresh, refresh, refreshed);
}

void token_post(struct request *request) {
    struct token_form form = { 0 };
    if (!read_form(request, &form))
        reply_error(request, 400, TEXT("invalid_request"), MESSAGE_TEXT(form));
    else if (text_equal(form.grant_type, TEXT("password")))
        grant_by_password(request, &form);
    else if (text_equal(form.grant_type, TEXT("refresh_token")))
        grant_by_refresh(request, &form);
    else
        reply_error(request, 400, TEXT("unsupported_grant_type"), (struct text){ 0 });
}
