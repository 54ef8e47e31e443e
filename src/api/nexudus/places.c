/* The business of a host name, which clients ask for before they sign in. */
#include "api/handlers.h"
#include "api/reply.h"
#include "api/wait.h"
#include "json/json.h"
#include "rules/messages.h"

/* The address under which the client reached this server, and should use from now on. A proxy in
 * front may have ended TLS. Its X-Forwarded-Proto is trusted here because the answer only concerns
 * the client that sent the request. */
static struct text web_address(const struct request *request, struct text host) {
    struct text proxied = exchange_header(request->exchange, "X-Forwarded-Proto");
    bool is_secure =
        exchange_is_secure(request->exchange) || text_equal_nocase(proxied, TEXT("https"));
    return is_secure ? host : arena_printf(request->arena, "http://%.*s", (int)host.len, host.at);
}

static struct text find_host(const struct request *request) {
    struct text rest = exchange_query(request->exchange), name, value;
    while (form_next(&rest, request->arena, &name, &value))
        if (name.at && value.len && text_equal_nocase(name, TEXT("host")))
            return value;
    return (struct text){ 0 };
}

static void refuse_host(struct request *request) {
    struct errors errors = { 0 };
    errors_add(&errors, request->arena,
               &(struct error){ .property = TEXT("host"), .message = MESSAGE_TEXT(required) });
    reply_invalid(request, &errors);
}

/* The business that a host name stands for. */
struct place {
    struct text asked, own_host;
    int64_t id;
};

static enum status find_place(struct store_session *session, struct request *request) {
    struct place *place = request->exchange->state;
    return store_find_business(session, place->asked, &place->id);
}

static void reply_place(struct request *request, enum status status) {
    const struct place *place = request->exchange->state;
    struct buffer body;
    if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
        return;
    }
    buffer_init(&body, request->arena, 128);
    buffer_printf(&body, "{\"Id\":%lld,\"WebAddress\":", (long long)place->id);
    json_add_string(&body, web_address(request, place->own_host));
    buffer_add_char(&body, '}');
    reply_json(request, 200, &body);
}

/* The hosted service has a host for each business. This server serves all of them under one. */
void business_by_host(struct request *request) {
    struct text asked = find_host(request), own = exchange_header(request->exchange, "Host");
    if (!asked.at) {
        refuse_host(request);
        return;
    }
    if (!own.len) { /* HTTP/1.0 allows that */
        reply_failure(request, STATUS_BAD_INPUT, message_no_host, NULL);
        return;
    }
    struct place *place = arena_alloc(request->arena, sizeof *place);
    if (!place) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    *place = (struct place){ asked, own, 0 };
    request->exchange->state = place;
    request_ask(request, find_place, reply_place);
}
