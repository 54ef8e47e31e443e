/* The sessions of browsers: signing in with a cookie, who is signed in, signing out. The session is
 * a family of tokens like that of any other sign-in (docs/architecture/sign-in.md), and ends with
 * it. Its refresh token is given to nobody: it is the row by which the session is listed and ended
 * at /api/sys/refreshtokens. */
#include "api/body.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/session_cookie.h"
#include "api/wait.h"
#include "auth/sign_in.h"
#include "base/container_of.h"
#include "base/time.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"

/* ---- POST /api/auth/session ---- */

/* How far a sign-in has come; `reset` has the token with which to set the new password. */
static void reply_state(struct request *request, const char *state, struct text reset) {
    struct buffer body;
    buffer_init(&body, request->arena, 128);
    buffer_printf(&body, "{\"State\":\"%s\",\"ResetToken\":", state);
    if (reset.at)
        json_add_string(&body, reset);
    else
        buffer_add(&body, TEXT("null"));
    buffer_add_char(&body, '}');
    reply_json(request, 200, &body);
}

static void begin_session(struct request *request, const struct token_pair *pair) {
    if (session_begin(request, (struct text){ pair->access, TOKEN_TEXT_SIZE }))
        reply_state(request, "SignedIn", (struct text){ 0 });
    else
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
}

static void signed_in(struct exchange *exchange) {
    const struct sign_in *sign_in = exchange->state;
    struct request *request = exchange->request;
    switch (sign_in->result) {
    case SIGN_IN_OK: begin_session(request, &sign_in->pair); break;
    case SIGN_IN_WRONG:
        reply_failure(request, STATUS_BAD_INPUT, message_wrong_user_name, NULL);
        break;
    case SIGN_IN_TWO_FACTOR:
        reply_state(request, sign_in->has_wrong_code ? "CodeWrong" : "CodeNeeded",
                    (struct text){ 0 });
        break;
    case SIGN_IN_MUST_RESET:
        reply_state(request, "PasswordDue", (struct text){ sign_in->pair.access, TOKEN_TEXT_SIZE });
        break;
    case SIGN_IN_BUSY:
    case SIGN_IN_BROKEN: reply_failure(request, sign_in_failure(sign_in), NULL, NULL); break;
    }
}

static void resume_signed_in(struct sign_in *sign_in) {
    exchange_resume(((struct request *)sign_in->owner)->exchange);
}

void session_post(struct request *request) {
    struct change change;
    if (!session_is_asked(request)) {
        reply_failure(request, STATUS_BAD_INPUT, message_session_header, NULL);
        return;
    }
    if (!request_read(request, &session_table, &change))
        return;
    struct sign_in *sign_in = arena_calloc(request->arena, 1, sizeof *sign_in);
    if (!sign_in) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    *sign_in = (struct sign_in){ .auth = &request->app->auth,
                                 .arena = request->arena,
                                 .on_behalf_of = &store_nobody,
                                 .email = request_address(
                                     request, value_as_text(&change.values[SESSION_Email])),
                                 .password = value_as_text(&change.values[SESSION_Password]),
                                 .totp = value_as_text(&change.values[SESSION_Code]),
                                 .client_id = TEXT("browser"),
                                 .wants_tokens = true,
                                 .done = resume_signed_in,
                                 .owner = request };
    request->exchange->state = sign_in;
    request_sign_in(request, sign_in, signed_in);
}

/* ---- GET /api/auth/session ---- */

static void add_permissions(struct buffer *body, uint64_t permissions) {
    const char *separator = "";
    for (unsigned i = 0; i < PERMISSIONS; i++) {
        char name[32];
        if (!(permissions >> i & 1))
            continue;
        permission_name(i, name);
        buffer_printf(body, "%s\"%s\"", separator, name);
        separator = ",";
    }
}

void session_get(struct request *request) {
    const struct principal *caller = &request->principal;
    struct buffer body;
    buffer_init(&body, request->arena, 512);
    buffer_printf(&body, "{\"UserId\":%lld,\"Email\":", (long long)caller->user_id);
    json_add_string(&body, caller->email);
    buffer_printf(&body, ",\"IsAdmin\":%s,\"Permissions\":[", caller->is_admin ? "true" : "false");
    add_permissions(&body, caller->permissions);
    buffer_add(&body, TEXT("]}"));
    reply_json(request, 200, &body);
}

/* ---- DELETE /api/auth/session ---- */

struct sign_out {
    struct store_command command;
    struct request *request;
};

static enum status end_family(struct store_tx *tx, struct store_command *command) {
    const struct sign_out *sign_out = container_of(command, struct sign_out, command);
    return store_end_family(tx, sign_out->request->principal.credential.family);
}

static void resume_signed_out(struct store_command *command) {
    exchange_resume(container_of(command, struct sign_out, command)->request->exchange);
}

static void signed_out(struct exchange *exchange) {
    const struct sign_out *sign_out = exchange->state;
    struct request *request = sign_out->request;
    if (sign_out->command.status != STATUS_OK) {
        reply_failure(request, sign_out->command.status, NULL, NULL);
        return;
    }
    session_forget(request);
    reply_action(request, &(struct action){ .http_status = 200,
                                            .message = MESSAGE_TEXT(signed_out),
                                            .by = { .email = request->principal.email,
                                                    .now_ms = time_now_ms() } });
}

void session_delete(struct request *request) {
    if (request->principal.credential.kind == CREDENTIAL_password) {
        reply_failure(request, STATUS_CONFLICT, message_no_session, NULL);
        return;
    }
    struct sign_out *sign_out = arena_calloc(request->arena, 1, sizeof *sign_out);
    if (!sign_out) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    sign_out->request = request;
    sign_out->command = (struct store_command){ .run = end_family, .done = resume_signed_out };
    request->exchange->state = sign_out;
    request_submit(request, &sign_out->command, signed_out);
}
