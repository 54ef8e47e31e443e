/* One-time tokens, for links that sign somebody in: issuing them, and trading one for a pair of
 * tokens (docs/contract.md section 6.6). */
#include "auth/one_time.h"
#include "api/body.h"
#include "api/handlers.h"
#include "api/ignored.h"
#include "api/reply.h"
#include "api/wait.h"
#include "auth/sign_in.h"
#include "base/container_of.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"

enum { DEFAULT_MINUTES = 30, EXCHANGE_MINUTES = 1440, EXCHANGE_MINUTES_MAX = 10080 };

static int64_t minutes_ms(int64_t minutes) {
    return minutes * 60 * 1000;
}

/* ---- Issuing ---- */

static void reply_token(struct request *request, struct text token) {
    struct buffer body;
    buffer_init(&body, request->arena, 512);
    buffer_add(&body, TEXT("{\"Status\":200,\"Message\":null,\"Value\":"));
    json_add_string(&body, token);
    buffer_add(&body, TEXT(",\"Errors\":null,\"WasSuccessful\":true}"));
    reply_json(request, 200, &body);
}

static struct request *request_of(struct exchange *exchange) {
    return exchange->request;
}

static void issued(struct exchange *exchange) {
    struct one_time *one_time = exchange->state;
    struct request *request = request_of(exchange);
    switch (one_time->command.status) {
    case STATUS_OK: reply_token(request, one_time->token); break;
    case STATUS_CONFLICT: reply_failure(request, STATUS_CONFLICT, message_no_sign_in, NULL); break;
    default: reply_failure(request, one_time->command.status, NULL, NULL); break;
    }
}

/* The command comes first in what is waited for, and the exchange is found through its request. */
struct issuing {
    struct one_time one_time;
    struct exchange *exchange;
};

static void resume_issued(struct store_command *command) {
    struct one_time *one_time = container_of(command, struct one_time, command);
    exchange_resume(container_of(one_time, struct issuing, one_time)->exchange);
}

static void issue(struct request *request, int64_t user_id, int64_t lifetime_ms) {
    struct issuing *issuing = arena_calloc(request->arena, 1, sizeof *issuing);
    if (!issuing) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    issuing->exchange = request->exchange;
    issuing->one_time =
        (struct one_time){ .command = { .run = one_time_issue, .done = resume_issued },
                           .auth = &request->app->auth,
                           .arena = request->arena,
                           .user_id = user_id,
                           .lifetime_ms = lifetime_ms,
                           .caller = &request->principal,
                           .request_id = text_of(request->exchange->request_id) };
    request->exchange->state = issuing;
    request_submit(request, &issuing->one_time.command, issued);
}

void one_time_own(struct request *request) {
    issue(request, request->principal.user_id, minutes_ms(DEFAULT_MINUTES));
}

void one_time_of(struct request *request) {
    issue(request, request->id, minutes_ms(DEFAULT_MINUTES));
}

struct asking {
    struct sign_in sign_in;
    struct request *request;
    int64_t lifetime_ms;
};

static void signed_in(struct exchange *exchange) {
    struct asking *asking = exchange->state;
    struct request *request = asking->request;
    switch (asking->sign_in.result) {
    case SIGN_IN_OK:
        request->principal = asking->sign_in.principal;
        request->refuse =
            reply_wrong_password; /* the password may have changed since it was checked */
        issue(request, request->principal.user_id, asking->lifetime_ms);
        break;
    case SIGN_IN_BUSY:
    case SIGN_IN_BROKEN:
        reply_failure(request, sign_in_failure(&asking->sign_in), NULL, NULL);
        break;
    case SIGN_IN_WRONG:
    case SIGN_IN_TWO_FACTOR: /* this request cannot carry a code, so such users are refused */
    case SIGN_IN_MUST_RESET: reply_wrong_password(request); break;
    }
}

static void resume_signed_in(struct sign_in *sign_in) {
    exchange_resume(container_of(sign_in, struct asking, sign_in)->request->exchange);
}

void one_time_by_password(struct request *request) {
    struct change change;
    struct asking *asking = arena_calloc(request->arena, 1, sizeof *asking);
    if (!asking) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    if (!request_read(request, &one_time_request_table, &change))
        return;
    const struct value *minutes = &change.values[ONE_TIME_REQUEST_validityInMinutes];
    bool is_given = minutes->kind == VALUE_INTEGER && minutes->integer > 0;
    asking->request = request;
    asking->lifetime_ms = minutes_ms(is_given ? minutes->integer : DEFAULT_MINUTES);
    asking->sign_in = (struct sign_in){
        .auth = &request->app->auth,
        .arena = request->arena,
        .on_behalf_of = &store_nobody,
        .email = request_address(request, value_as_text(&change.values[ONE_TIME_REQUEST_email])),
        .password = value_as_text(&change.values[ONE_TIME_REQUEST_password]),
        .done = resume_signed_in,
    };
    request->exchange->state = asking;
    request_sign_in(request, &asking->sign_in, signed_in);
}

/* ---- Trading ---- */

struct trading {
    struct one_time_exchange trade;
    struct exchange *exchange;
    struct auth auth; /* with the lifetime that the client asks for */
};

static void traded(struct exchange *exchange) {
    struct trading *trading = exchange->state;
    struct request *request = request_of(exchange);
    enum status status = trading->trade.command.status;
    if (status == STATUS_OK)
        reply_token_pair(request, &trading->trade.pair);
    else if (status == STATUS_UNAUTHENTICATED) {
        const struct log_origin origin = request_origin(request);
        sign_in_log_add(request->app->auth.log, SIGN_IN_EVENT_token, 0, &origin);
        reply_unauthenticated(request, "invalid_token");
    } else
        reply_failure(request, status, NULL, NULL);
}

static void resume_traded(struct store_command *command) {
    struct one_time_exchange *trade = container_of(command, struct one_time_exchange, command);
    exchange_resume(container_of(trade, struct trading, trade)->exchange);
}

/* False: validForInMinutes is not an integer from 1 to EXCHANGE_MINUTES_MAX. */
static bool read_query(struct request *request, struct text *token, int64_t *minutes) {
    struct text rest = exchange_query(request->exchange), name, value;
    struct ignored ignored;
    bool ok = true;
    ignored_init(&ignored, request->arena);
    while (form_next(&rest, request->arena, &name, &value))
        if (text_equal_nocase(name, TEXT("token")))
            *token = value;
        else if (text_equal_nocase(name, TEXT("validForInMinutes")))
            ok = ok && text_to_int64(value, minutes) && *minutes >= 1 &&
                 *minutes <= EXCHANGE_MINUTES_MAX;
        else if (name.len)
            ignored_add(&ignored, name);
    ignored_reply(&ignored, request);
    return ok;
}

void one_time_exchange(struct request *request) {
    struct trading *trading = arena_calloc(request->arena, 1, sizeof *trading);
    struct text token = { 0 };
    int64_t minutes = 0;
    if (!trading) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    if (!read_query(request, &token, &minutes)) {
        struct errors errors = { 0 };
        errors_add(&errors, request->arena,
                   &(struct error){ .property = TEXT("validForInMinutes"),
                                    .message = MESSAGE_TEXT(valid_minutes) });
        reply_invalid(request, &errors);
        return;
    }
    trading->exchange = request->exchange;
    trading->auth = request->app->auth;
    int64_t access_ms = minutes_ms(minutes ? minutes : EXCHANGE_MINUTES);
    if (access_ms < trading->auth.token_lifetime_ms)
        trading->auth.token_lifetime_ms = access_ms;
    trading->trade =
        (struct one_time_exchange){ .command = { .run = one_time_trade, .done = resume_traded },
                                    .auth = &trading->auth,
                                    .arena = request->arena,
                                    .token = token,
                                    .origin = request_origin(request),
                                    .session_ms = minutes ? minutes_ms(minutes) : TOKEN_ENDLESS };
    request->exchange->state = trading;
    request_submit(request, &trading->trade.command, traded);
}
