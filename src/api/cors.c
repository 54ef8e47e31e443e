/* Requests from pages of other origins (CORS). */
#include "api/cors.h"

static const char exposed[] =
    "ETag, X-Ignored-Parameters, X-Request-Id, Retry-After, WWW-Authenticate";
static const char allowed[] = "Authorization, Content-Type, If-Match, If-None-Match, Prefer,"
                              " Idempotency-Key, client_id";

/* The value of Access-Control-Allow-Origin; NULL: the origin is not in the list. `*` is sent as it
 * is, so that nothing of the request is repeated. */
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

/* Adds the headers that pages of other origins need. False: none may read the reply. */
static bool add_headers(struct exchange *exchange, struct text list) {
    struct text origin = exchange_header(exchange, "Origin");
    reply_header(exchange, "Vary", "Origin");
    const char *told = origin.len ? allowed_origin(list, origin) : NULL;
    if (!told)
        return false;
    reply_header(exchange, "Access-Control-Allow-Origin", told);
    if (!is_preflight(exchange))
        reply_header(exchange, "Access-Control-Expose-Headers", exposed);
    return true;
}

bool cors_answer(struct request *request) {
    struct exchange *exchange = request->exchange;
    struct text list = text_of(request->app->cors_origins);
    if (!list.len)
        return false;
    bool is_allowed = add_headers(exchange, list);
    request->common_headers = exchange->reply.header_count;
    if (!is_allowed || !is_preflight(exchange))
        return false;
    struct text methods = routes_methods(request->path, request->arena);
    if (!methods.at)
        return false; /* no such path */
    reply_header(exchange, "Access-Control-Allow-Methods", methods.at);
    reply_header(exchange, "Access-Control-Allow-Headers", allowed);
    reply_header(exchange, "Access-Control-Max-Age", "600");
    exchange->reply.http_status = 204;
    return true;
}

/* ---- Requests that a browser sent for a page of another origin ---- */

static bool is_named(struct text list, struct text origin) {
    struct text entry;
    while (text_next(&list, &entry))
        if (text_equal_nocase(entry, origin) && !text_equal(entry, TEXT("*")))
            return true;
    return false;
}

struct place {
    struct text host, port;
};

/* Splits `host[:port]` (RFC 3986 section 3.2, where an IPv6 address stands in brackets). */
static struct place place_of(struct text authority, struct text usual_port) {
    size_t end = authority.len;
    while (end && authority.at[end - 1] >= '0' && authority.at[end - 1] <= '9')
        end--;
    if (!end || authority.at[end - 1] != ':')
        return (struct place){ authority, usual_port };
    struct text port = { authority.at + end, authority.len - end };
    return (struct place){ { authority.at, end - 1 }, port.len ? port : usual_port };
}

/* Is the origin this server's own address? The origin has the scheme that the browser uses. A proxy
 * may have ended TLS, so on a connection without TLS either scheme counts. A port that is left out
 * is the default of that scheme. */
static bool is_own(const struct exchange *exchange, struct text origin) {
    const struct text https = TEXT("https://"), http = TEXT("http://");
    bool is_https = text_starts_nocase(origin, https);
    if (!is_https && (exchange_is_secure(exchange) || !text_starts_nocase(origin, http)))
        return false;
    struct text usual_port = is_https ? TEXT("443") : TEXT("80");
    size_t scheme = is_https ? https.len : http.len;
    struct text authority = { origin.at + scheme, origin.len - scheme };
    struct place theirs = place_of(authority, usual_port);
    struct place ours = place_of(exchange_header(exchange, "Host"), usual_port);
    return ours.host.len && text_equal_nocase(theirs.host, ours.host) &&
           text_equal(theirs.port, ours.port);
}

bool cors_is_own_page(const struct request *request) {
    unsigned origins, sites;
    struct text origin = exchange_header_list(request->exchange, "Origin", &origins);
    struct text site = exchange_header_list(request->exchange, "Sec-Fetch-Site", &sites);
    return (!sites || text_equal_nocase(site, TEXT("same-origin"))) &&
           (!origins || is_own(request->exchange, origin));
}

bool cors_is_foreign(const struct request *request) {
    unsigned origins, sites;
    struct text origin = exchange_header_list(request->exchange, "Origin", &origins);
    struct text site = exchange_header_list(request->exchange, "Sec-Fetch-Site", &sites);
    if (origins && is_named(text_of(request->app->cors_origins), origin))
        return false;
    bool is_own_site =
        text_equal_nocase(site, TEXT("same-origin")) ||
        text_equal_nocase(site,
                          TEXT("none")); /* the user typed the address, or opened a bookmark */
    return (sites && !is_own_site) || (origins && !is_own(request->exchange, origin));
}
