/* The envelopes of the API, and the other bodies that the hosted service sends in place of some. */
#include "api/reply.h"

#include "api/session_cookie.h"
#include "api/status.h"
#include "auth/sign_in.h"
#include "base/time.h"
#include "json/json.h"
#include "rules/messages.h"

#include <assert.h>
#include <stdio.h>

static const char json_type[] = "application/json; charset=utf-8";

static void send_json(struct request *request, unsigned http_status, const struct buffer *body) {
    struct reply *reply = &request->exchange->reply;
    reply_header(request->exchange, "Cache-Control", "no-store");
    reply->http_status = http_status;
    reply->content_type = json_type;
    reply->body = buffer_text(body);
}

static void ask_to_retry(struct exchange *exchange) {
    for (unsigned i = 0; i < exchange->reply.header_count; i++)
        if (strcmp(exchange->reply.headers[i].name, "Retry-After") == 0)
            return;
    reply_header(exchange, "Retry-After", "1");
}

/* When the arena has failed, the body may be half a record, or say of valid input that it is not.
 * The client gets an error of the server instead, without the headers of the reply that failed. */
void reply_json(struct request *request, unsigned http_status, const struct buffer *body) {
    struct exchange *exchange = request->exchange;
    if (!request->arena->failed) {
        send_json(request, http_status, body);
        return;
    }
    enum status status = request->arena->is_over_budget ? STATUS_FULL : STATUS_INTERNAL;
    exchange->reply.header_count = request->common_headers;
    send_json(request, status_http(status), body);
    if (status == STATUS_FULL)
        ask_to_retry(exchange);
    exchange->reply.body = status_envelope(status);
}

/* Under nexudus, 401 and 403 are both a 401 without a body, and 404 is a bare string. */
static bool reply_bare(struct request *request, enum status status) {
    struct reply *reply = &request->exchange->reply;
    if (status == STATUS_NOT_FOUND) {
        reply->http_status = 404;
        reply->content_type = json_type;
        reply->body = TEXT("\"Not found\"");
        return true;
    }
    if (status_http(status) != 401 && status_http(status) != 403)
        return false;
    reply->http_status = 401;
    return true;
}

/* `Property: text` of each, joined by "; " (docs/decisions.md section 1.1). */
static void add_summary(struct buffer *body, const struct error *errors) {
    struct buffer summary;
    buffer_init(&summary, body->arena, 256);
    for (const struct error *error = errors; error; error = error->next) {
        if (error != errors)
            buffer_add(&summary, TEXT("; "));
        buffer_add(&summary, error->property);
        buffer_add(&summary, TEXT(": "));
        buffer_add(&summary, error->message);
    }
    body->failed |= summary.failed;
    json_add_string(body, buffer_text(&summary));
}

static void add_failure(struct buffer *body, const struct error *errors) {
    buffer_add(body, TEXT(",\"Value\":null,\"Errors\":"));
    if (errors)
        json_add_errors(body, errors);
    else
        buffer_add(body, TEXT("null"));
    buffer_add(body, TEXT(",\"WasSuccessful\":false}"));
}

void reply_failure(struct request *request, enum status status, const char *message,
                   const struct error *errors) {
    struct buffer body;
    if (request->app->nexudus && reply_bare(request, status))
        return;
    buffer_init(&body, request->arena, 256);
    buffer_printf(&body, "{\"Status\":%u,\"Message\":", status_http(status));
    if (errors)
        add_summary(&body, errors);
    else
        json_add_string(&body, text_of(message ? message : status_message(status)));
    add_failure(&body, errors);
    if (status == STATUS_TOO_MANY || status == STATUS_FULL || status == STATUS_UNAVAILABLE ||
        status == STATUS_TOO_SLOW)
        ask_to_retry(request->exchange);
    reply_json(request, status_http(status), &body);
}

void reply_busy(struct request *request, int64_t wait_s) {
    struct text seconds = arena_printf(request->arena, "%lld", (long long)wait_s);
    struct buffer body;
    buffer_init(&body, request->arena, 256);
    buffer_add(&body, TEXT("{\"Status\":429,\"Message\":"));
    json_add_string(&body, arena_printf(request->arena, message_rate, (long long)wait_s,
                                        wait_s == 1 ? "second" : "seconds"));
    add_failure(&body, NULL);
    if (seconds.at)
        reply_header(request->exchange, "Retry-After", seconds.at);
    reply_json(request, 429, &body);
}

void reply_invalid(struct request *request, const struct errors *errors) {
    struct buffer body;
    if (errors->failed) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    buffer_init(&body, request->arena, 512);
    buffer_add(&body, TEXT("{\"Message\":"));
    add_summary(&body, errors->first);
    add_failure(&body, errors->first);
    reply_json(request, 400, &body);
}

/* Enough for the headers, and a body that grows by doubling and has an e-mail address of which each
 * byte is escaped. */
enum { SUCCESS_MAX = 16 * 1024 };

bool reply_prepare(struct request *request) {
    return arena_reserve(request->arena, SUCCESS_MAX);
}

static void add_json(struct buffer *body, struct text name, struct text json) {
    buffer_add(body, name);
    buffer_add(body, json.at ? json : TEXT("null"));
}

static void add_string(struct buffer *body, struct text text) {
    if (text.at)
        json_add_string(body, text);
    else
        buffer_add(body, TEXT("null"));
}

static void add_action(struct buffer *body, const struct action *action) {
    bool is_done = action->http_status == 200 && !action->errors.at;
    buffer_printf(body, "{\"Status\":%u,\"Message\":", action->http_status);
    add_string(body, action->message);
    add_json(body, TEXT(",\"Value\":"), action->value);
    buffer_add(body, TEXT(",\"OpenInDialog\":false,\"OpenInWindow\":false,\"RedirectURL\":null,"
                          "\"JavaScript\":null,\"UpdatedOn\":"));
    json_add_date(body, action->by.now_ms);
    buffer_add(body, TEXT(",\"UpdatedBy\":"));
    add_string(body, action->by.email);
    add_json(body, TEXT(",\"Errors\":"), action->errors);
    add_json(body, TEXT(",\"WasSuccessful\":"), is_done ? TEXT("true}") : TEXT("false}"));
}

void reply_action(struct request *request, const struct action *action) {
    struct buffer body;
    buffer_init(&body, request->arena,
                1024 + action->message.len + action->value.len + action->errors.len);
    add_action(&body, action);
    reply_json(request, 200, &body);
}

void reply_success(struct request *request, struct text message, int64_t id,
                   const struct author *by) {
    struct buffer value, body;
    buffer_init(&value, request->arena, 32);
    buffer_printf(&value, "{\"Id\":%lld}", (long long)id);
    buffer_init(&body, request->arena, 384);
    add_action(&body, &(struct action){ .http_status = 200,
                                        .message = message,
                                        .value = buffer_text(&value),
                                        .by = *by });
    assert(!value.failed && !body.failed); /* reply_prepare made room */
    send_json(request, 200, &body);
}

void reply_unauthenticated(struct request *request, const char *error) {
    struct text bearer =
        error ? arena_printf(request->arena, "Bearer error=\"%s\"", error) : TEXT("Bearer");
    if (bearer.at)
        reply_header(request->exchange, "WWW-Authenticate", bearer.at);
    /* A browser would ask for a password by itself, over the page that asks for one. */
    if (request->app->accepts_basic && !session_is_asked(request))
        reply_header(request->exchange, "WWW-Authenticate",
                     "Basic realm=\"Roster\", charset=\"UTF-8\"");
    reply_failure(request, STATUS_UNAUTHENTICATED, error ? message_credentials : NULL, NULL);
}

void reply_forbidden(struct request *request, unsigned permission) {
    char name[32];
    permission_name(permission, name);
    struct text challenge =
        arena_printf(request->arena, "Bearer error=\"insufficient_scope\", scope=\"%s\"", name);
    struct text message = arena_printf(request->arena, message_role, name);
    if (challenge.at)
        reply_header(request->exchange, "WWW-Authenticate", challenge.at);
    reply_failure(request, STATUS_FORBIDDEN, message.at, NULL);
}

void reply_wrong_password(struct request *request) {
    reply_action(request, &(struct action){ .http_status = 500,
                                            .message = MESSAGE_TEXT(wrong_password),
                                            .by = { .email = request->principal.email,
                                                    .now_ms = time_now_ms() } });
}

void reply_token_pair(struct request *request, const struct token_pair *pair) {
    struct buffer body;
    buffer_init(&body, request->arena, 256);
    buffer_add(&body, TEXT("{\"access_token\":"));
    json_add_string(&body, (struct text){ pair->access, TOKEN_TEXT_SIZE });
    buffer_add(&body, TEXT(",\"token_type\":\"bearer\",\"expires_in\":"));
    buffer_add_int64(&body, pair->lifetime_ms / 1000);
    buffer_add(&body, TEXT(",\"refresh_token\":"));
    json_add_string(&body, (struct text){ pair->refresh, TOKEN_TEXT_SIZE });
    buffer_add_char(&body, '}');
    reply_header(request->exchange, "Pragma", "no-cache"); /* RFC 6749 section 5.1 */
    reply_json(request, 200, &body);
}
