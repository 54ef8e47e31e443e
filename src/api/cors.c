/* Calls from pages of other origins. */
#include "api/cors.h"

static const char exposed[] = "ETag, X-Ignored-Parameters, Retry-After, WWW-Authenticate";
static const char allowed[] = "Authorization, Content-Type, If-Match, If-None-Match, Prefer,"
                              " Idempotency-Key, client_id";

/* What a listed origin is told; NULL for others. Under `*` nothing the client sent goes back. */
static const char *allowed_origin(struct text list, struct text origin) {
    struct text entry;
    while (text_next(&list, &entry)) {
        if (text_equal(entry, TEXT("*")))
            return "*";
        if (text_equal_nocase(entry, origin))
            return origin.at;
    }
    return NULL;
}

static bool is_preflight(const struct exchange *exchange) {
    return exchange->method == METHOD_OPTIONS &&
           exchange_header(exchange, "Access-Control-Request-Method").at;
}

bool cors_answer(struct request *request) {
    struct exchange *exchange = request->exchange;
    struct text list = text_of(request->app->cors_origins);
    if (!list.len)
        return false;
    struct text origin = exchange_header(exchange, "Origin");
    reply_header(exchange, "Vary", "Origin");
    const char *told = origin.len ? allowed_origin(list, origin) : NULL;
    if (!told)
        return false;
    reply_header(exchange, "Access-Control-Allow-Origin", told);
    if (!is_preflight(exchange)) {
        reply_header(exchange, "Access-Control-Expose-Headers", exposed);
        return false;
    }
    struct text methods = route_methods(request);
    if (!methods.at)
        return false; /* no such path */
    reply_header(exchange, "Access-Control-Allow-Methods", methods.at);
    reply_header(exchange, "Access-Control-Allow-Headers", allowed);
    reply_header(exchange, "Access-Control-Max-Age", "600");
    exchange->reply.http_status = 204;
    return true;
}
