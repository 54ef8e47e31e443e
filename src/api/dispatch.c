/* From a request to its handler.
 *
 * dispatch_head runs when the head of a request has arrived, dispatch when its body has, too. Both
 * go through the same refusals, which need neither the body nor the caller: CORS preflights,
 * unknown paths and methods, encoded bodies, and changes that a page of another site sent with the
 * browser's Basic password. dispatch_head then bounds the body by what is known of the caller.
 * dispatch authenticates the caller (again: a token may have been revoked meanwhile), applies the
 * rate limits, checks the permissions that the route's row names, and calls the route's handler.
 *
 * All of it runs on the request's I/O thread. A Basic password is checked by the password pool, and
 * an unknown token is looked up by the store; the request waits for either. */
#include "api/dispatch.h"

#include "api/cors.h"
#include "api/nexudus/avatar.h"
#include "api/nexudus/search.h"
#include "api/rate_limit.h"
#include "api/reply.h"
#include "api/session_cookie.h"
#include "api/wait.h"
#include "auth/sign_in.h"
#include "base/time.h"
#include "crypto/base64.h"
#include "rules/messages.h"
#include "service/resources.h"

enum {
    BASIC_REMEMBERED_MS = 10 * 60 * 1000,
    STRANGER_BODY = 16 * 1024, /* the largest body, in bytes, without credentials */
    UNCHECKED_BODIES =
        16, /* larger bodies that may arrive before their Basic password was checked */
};

/* The message names the path, so that a client can tell a wrong path from a record that does not
 * exist. A request target is printable ASCII, so the path can be repeated as it is. */
static void refuse_path(struct request *request) {
    enum { SHOWN_MAX = 200 };
    struct text path = request->path;
    bool is_cut = path.len > SHOWN_MAX;
    struct text message =
        arena_printf(request->arena, message_no_route, is_cut ? SHOWN_MAX : (int)path.len, path.at,
                     is_cut ? "..." : "");
    reply_failure(request, STATUS_NOT_FOUND, message.at, NULL);
}

static void refuse_method(struct request *request) {
    struct text allow = routes_methods(request->path, request->arena);
    if (!allow.at) {
        refuse_path(request);
        return;
    }
    reply_header(request->exchange, "Allow", allow.at);
    reply_failure(request, STATUS_METHOD_NOT_ALLOWED, NULL, NULL);
}

/* These headers are no lists (RFC 9110 section 5.3). With two of them, different programs would
 * take different ones. */
static bool is_ambiguous(struct request *request) {
    static const struct {
        const char *header, *message;
    } single[] = { { "Authorization", message_two_authorizations },
                   { "Content-Type", message_two_content_types } };
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        unsigned count;
        (void)exchange_header_list(request->exchange, single[i].header, &count);
        if (count > 1) {
            reply_failure(request, STATUS_BAD_INPUT, single[i].message, NULL);
            return true;
        }
    }
    return false;
}

/* Refuses what no handler could serve, among it a body with a content coding (RFC 9110 section
 * 8.4). */
static bool is_refused(struct request *request) {
    unsigned count;
    if (is_ambiguous(request))
        return true;
    if (exchange_is_monitoring(request->exchange) &&
        !(request->route && request->route->is_vital)) {
        refuse_path(request);
        return true;
    }
    if (!request->route) {
        refuse_method(request);
        return true;
    }
    enum method method = request->route->method;
    if (method != METHOD_POST && method != METHOD_PUT && method != METHOD_PATCH)
        return false;
    struct text codings = exchange_header_list(request->exchange, "Content-Encoding", &count), one;
    while (text_next(&codings, &one))
        if (!text_equal_nocase(one, TEXT("identity"))) {
            reply_header(request->exchange, "Accept-Encoding", "identity");
            reply_failure(request, STATUS_CODING, NULL, NULL);
            return true;
        }
    return false;
}

static uint64_t needs_of(const struct request *request) {
    const struct route *route = request->route;
    unsigned own = (unsigned)route->permission;
    if (route->permission == ROUTE_CALLER)
        return 0;
    if (route->is_search && search_is_batch(request))
        own = permission(route->resource->table->permission_entity, OPERATION_Read);
    return UINT64_C(1) << own | (uint64_t)route->shows_users << PERMISSION(User, Read);
}

static void run_if_permitted(struct request *request) {
    const struct route *route = request->route;
    int64_t wait_s = rate_limit_count(request->app->rate_limit, request->principal.user_id,
                                      route_writes(route), time_monotonic_ms());
    if (wait_s) {
        app_note_refusal(request->app, REFUSAL_rate);
        reply_busy(request, wait_s);
        return;
    }
    request->needs = needs_of(request);
    if (request_lacking(request) < 0)
        route->handler(request);
    else
        request_forbid(request);
}

/* A request with Basic that waits until its password was checked. */
struct basic {
    struct sign_in sign_in;
    struct request *request;
    struct keyed_hash remembered_as;
};

static void let_go(struct request *request) {
    if (request->is_unchecked)
        atomic_fetch_sub(&request->app->unchecked, 1);
    request->is_unchecked = false;
}

static void basic_checked(struct exchange *exchange) {
    struct basic *basic = exchange->state;
    struct request *request = basic->request;
    let_go(request);
    switch (basic->sign_in.result) {
    case SIGN_IN_OK:
        request->principal = basic->sign_in.principal;
        token_cache_put(request->worker->tokens, &basic->remembered_as,
                        time_now_ms() + BASIC_REMEMBERED_MS, &request->principal);
        run_if_permitted(request);
        break;
    case SIGN_IN_WRONG:
    case SIGN_IN_TWO_FACTOR:
    case SIGN_IN_MUST_RESET: reply_unauthenticated(request, "invalid_token"); break;
    case SIGN_IN_BUSY:
    case SIGN_IN_BROKEN:
        reply_failure(request, sign_in_failure(&basic->sign_in), NULL, NULL);
        break;
    }
}

static void resume_basic(struct sign_in *sign_in) {
    exchange_resume(((struct basic *)sign_in->owner)->request->exchange);
}

/* RFC 7617. To check a password takes 20 ms of a core. The worker therefore remembers a valid pair,
 * as a keyed hash, until the access of any user changes. */
static void authenticate_basic(struct request *request, struct text credentials) {
    struct text pair = base64_decode(credentials, request->arena);
    struct text password = pair, email = text_cut(&password, ':');
    struct basic *basic = arena_calloc(request->arena, 1, sizeof *basic);
    if (!basic || !pair.at || !password.at) {
        reply_unauthenticated(request, "invalid_token");
        return;
    }
    basic->remembered_as = keyed_hash(KEYED_BASIC, pair);
    if (token_cache_get(request->worker->tokens, &basic->remembered_as, request->arena,
                        &request->principal)) {
        run_if_permitted(request);
        return;
    }
    basic->request = request;
    basic->sign_in = (struct sign_in){ .auth = &request->app->auth,
                                       .arena = request->arena,
                                       .on_behalf_of = &store_nobody,
                                       .email = email,
                                       .password = password,
                                       .done = resume_basic,
                                       .owner = basic };
    request->exchange->state = basic;
    request_sign_in(request, &basic->sign_in, basic_checked);
}

/* Splits the Authorization header into scheme and credentials. Without that header, the session of
 * a browser counts as a bearer token. The scheme's `at` NULL: there is neither. */
static struct text read_authorization(const struct request *request, struct text *credentials) {
    *credentials = text_trim(exchange_header(request->exchange, "Authorization"));
    struct text scheme = text_cut(credentials, ' ');
    *credentials = text_trim(*credentials);
    if (scheme.at)
        return scheme;
    *credentials = session_token(request);
    return credentials->at ? TEXT("Bearer") : (struct text){ 0 };
}

static bool is_basic(const struct request *request, struct text scheme) {
    return text_equal_nocase(scheme, TEXT("Basic")) && request->app->accepts_basic;
}

/* A bearer token that the store is asked about. */
struct unknown_bearer {
    struct keyed_hash remembered_as;
    void (*then)(struct request *request, enum status status);
};

static enum status decide_bearer(struct store_session *session, struct request *request) {
    return auth_decide(&request->app->auth, session, request->arena, &request->principal);
}

static void remember_bearer(struct request *request, enum status status) {
    const struct unknown_bearer *bearer = request->exchange->state;
    if (status == STATUS_OK)
        token_cache_put(request->worker->tokens, &bearer->remembered_as,
                        request->principal.credential.expires_ms, &request->principal);
    bearer->then(request, status);
}

static void ask_for_bearer(struct request *request, const struct keyed_hash *hash,
                           void (*then)(struct request *request, enum status status)) {
    struct unknown_bearer *bearer = arena_alloc(request->arena, sizeof *bearer);
    if (!bearer) {
        then(request, STATUS_INTERNAL);
        return;
    }
    *bearer = (struct unknown_bearer){ *hash, then };
    request->exchange->state = bearer;
    request_ask_as(request, &store_nobody, decide_bearer, remember_bearer);
}

/* Sets the principal, and calls `then`, perhaps in a later step, with what auth_decide returns. */
static void authenticate_bearer(struct request *request, struct text scheme, struct text token,
                                void (*then)(struct request *request, enum status status)) {
    enum status status = STATUS_UNAUTHENTICATED;
    struct keyed_hash hash;
    if (text_equal_nocase(scheme, TEXT("Bearer")))
        status =
            auth_bearer(request->worker->tokens, token, request->arena, &request->principal, &hash);
    if (status == STATUS_NOT_FOUND)
        ask_for_bearer(request, &hash, then);
    else
        then(request, status);
}

static void refuse_bearer(struct request *request, enum status status) {
    struct text credentials, scheme = read_authorization(request, &credentials);
    if (status == STATUS_UNAUTHENTICATED)
        reply_unauthenticated(request, scheme.at ? "invalid_token" : NULL);
    else
        reply_failure(request, status, NULL, NULL);
}

static void run_for_bearer(struct request *request, enum status status) {
    if (status == STATUS_OK)
        run_if_permitted(request);
    else
        refuse_bearer(request, status);
}

/* A browser that keeps a Basic password for a host adds it to every request that any page sends
 * there. A change therefore needs more than that password. The session of a browser is for pages of
 * this server alone, whatever --cors-origins lists, and also where they only read. */
static bool is_forged(struct request *request) {
    struct text credentials, scheme = read_authorization(request, &credentials);
    if (session_is_asked(request) && !cors_is_own_page(request)) {
        reply_failure(request, STATUS_FORBIDDEN, message_foreign_session, NULL);
        return true;
    }
    if (!is_basic(request, scheme) || !route_writes(request->route) || !cors_is_foreign(request))
        return false;
    reply_failure(request, STATUS_FORBIDDEN, message_foreign_page, NULL);
    return true;
}

/* Answers a request that is refused, or served, whatever its body is. */
static bool is_answered(struct request *request) {
    return cors_answer(request) || is_refused(request) || is_forged(request);
}

static void authenticate(struct request *request) {
    struct text credentials, scheme = read_authorization(request, &credentials);
    if (is_basic(request, scheme))
        authenticate_basic(request, credentials);
    else
        authenticate_bearer(request, scheme, credentials, run_for_bearer);
}

static void answer(struct request *request) {
    if (is_answered(request))
        return;
    if (request->route->permission == ROUTE_OPEN)
        request->route->handler(request);
    else
        authenticate(request);
}

static void refuse_broken(struct exchange *exchange) {
    struct request request = { .app = exchange->app,
                               .exchange = exchange,
                               .arena = exchange->arena };
    reply_failure(&request, STATUS_INTERNAL, NULL, NULL);
}

/* The request of an exchange, made at its first step. NULL: no memory, and the reply says so. */
static struct request *request_of(struct exchange *exchange) {
    if (exchange->request)
        return exchange->request;
    struct request *request = arena_alloc(exchange->arena, sizeof *request);
    if (!request) {
        refuse_broken(exchange);
        return NULL;
    }
    *request =
        (struct request){ .app = exchange->app, .exchange = exchange, .arena = exchange->arena };
    exchange->request = request;
    request->path = path_normal(exchange->path, request->arena);
    request->route =
        request->path.at ? routes_find(exchange->method, request->path, &request->id) : NULL;
    request->worker = app_worker(request->app);
    if (request->worker && request->path.at)
        return request;
    reply_failure(request, STATUS_INTERNAL, NULL, NULL);
    return NULL;
}

static bool basic_is_remembered(struct request *request, struct text credentials) {
    struct text pair = base64_decode(credentials, request->arena);
    if (!pair.at)
        return false;
    const struct keyed_hash hash = keyed_hash(KEYED_BASIC, pair);
    return token_cache_get(request->worker->tokens, &hash, request->arena, &request->principal);
}

/* A Basic password is checked after the body has arrived, because the check takes long. The caller
 * is unknown until then, and yet may send a large body: so only a few such bodies are admitted at
 * once. */
static void admit_unchecked(struct request *request) {
    struct exchange *exchange = request->exchange;
    if (exchange->announced && exchange->announced <= STRANGER_BODY)
        return;
    request->is_unchecked = true;
    if (atomic_fetch_add(&request->app->unchecked, 1) < UNCHECKED_BODIES)
        return;
    app_note_refusal(request->app, REFUSAL_large_body);
    reply_failure(request, STATUS_UNAVAILABLE, message_unchecked_bodies, NULL);
}

/* Permissions are not checked yet: they may end while the body arrives. Nor is a Basic password,
 * which takes too long to check twice. */
static void admit_body(struct request *request) {
    request->principal = (struct principal){ 0 };
    request->exchange->reply =
        (struct reply){ 0 }; /* without the headers of CORS, which dispatch adds again */
}

static void admit_body_of_bearer(struct request *request, enum status status) {
    if (status == STATUS_OK)
        admit_body(request);
    else
        refuse_bearer(request, status);
}

static void admit_body_of_basic(struct request *request, struct text credentials) {
    if (!basic_is_remembered(request, credentials))
        admit_unchecked(request);
    if (!request->exchange->reply.http_status)
        admit_body(request);
}

void dispatch_head(struct exchange *exchange) {
    struct request *request = request_of(exchange);
    if (!request || is_answered(request))
        return;
    struct text credentials, scheme = read_authorization(request, &credentials);
    if (request->route->permission == ROUTE_OPEN) {
        exchange->body_limit = STRANGER_BODY;
        admit_body(request);
    } else if (is_basic(request, scheme)) {
        admit_body_of_basic(request, credentials);
    } else {
        authenticate_bearer(request, scheme, credentials, admit_body_of_bearer);
    }
}

void dispatch(struct exchange *exchange) {
    struct request *request = request_of(exchange);
    if (request)
        answer(request);
}

bool dispatch_is_vital(const struct exchange *exchange) {
    return routes_is_vital(exchange->method, exchange->path);
}

void dispatch_refusal(struct exchange *exchange, enum status status, const char *reason) {
    struct request request = { .app = exchange->app,
                               .exchange = exchange,
                               .arena = exchange->arena };
    if (status == STATUS_TOO_LARGE && exchange->body_limit == STRANGER_BODY) {
        app_note_refusal(request.app, REFUSAL_body);
        reason = message_stranger_body;
    }
    reply_failure(&request, status, reason, NULL);
}

void dispatch_end(struct exchange *exchange) {
    struct request *request = exchange->request;
    if (!request)
        return;
    let_go(request);
    arena_close(&request->piece);
    avatar_release(request->picture);
}
