/* From a request to its handler: route, caller, permission, all read from one table. */
#include "api/dispatch.h"

#include "api/cors.h"
#include "api/nexudus/avatar.h"
#include "api/nexudus/resources.h"
#include "api/rate_limit.h"
#include "api/reply.h"
#include "api/wait.h"
#include "auth/sign_in.h"
#include "base/time.h"
#include "crypto/base64.h"

enum rights_of {
#define TABLE(name, rows, entity, noun, rights, kept, rules) RIGHTS_OF_##name = ENTITY_##rights,
#include "model/tables.def"
};

enum {
    OPEN = ROUTE_OPEN,
    CALLER = ROUTE_CALLER,
    BASIC_REMEMBERED_MS = 10 * 60 * 1000,
    STRANGER_BODY = 16 * 1024, /* bytes that may be sent without credentials */
    UNCHECKED_BODIES = 16, /* larger ones that may come before their Basic password is checked */
};

#define PATH(path)                                                                                 \
    { path, sizeof path - 1 }
#define RIGHT(name, operation) (RIGHTS_OF_##name * OPERATIONS + OPERATION_##operation)
#define OF(name, method, path, operation, handler, summary)                                        \
    { METHOD_##method, PATH(path), RIGHT(name, operation), handler, &name##_resource, summary },
#define ROUTE(method, path, permission, handler, summary)                                          \
    { METHOD_##method, PATH(path), permission, handler, NULL, summary },
#define READABLE(path, name)                                                                       \
    OF(name, GET, path "/{id}", Read, resource_get, "Get one by its Id")                           \
    OF(name, GET, path, List, resource_search, "Search")                                           \
    OF(name, GET, path "/commands", List, resource_commands, "List the commands")                  \
    OF(name, POST, path "/runcommand", Edit, resource_run_command, "Run a command")
#define DELETABLE(path, name) OF(name, DELETE, path "/{id}", Delete, resource_delete, "Delete")
#define RESOURCE(path, name)                                                                       \
    OF(name, PUT, path, Edit, resource_put, "Update")                                              \
    OF(name, PUT, path "/{id}", Edit, resource_put_at, "Update")                                   \
    READABLE(path, name)                                                                           \
    OF(name, POST, path, Create, resource_post, "Create")                                          \
    OF(name, PATCH, path "/{id}", Edit, resource_patch, "Update some members")                     \
    DELETABLE(path, name)
const struct route routes[] = {
#include "api/routes.def"
};
#undef OF
#undef ROUTE
#undef RESOURCE
#undef READABLE
#undef DELETABLE
const unsigned route_count = sizeof routes / sizeof routes[0];

static const char *const method_names[] = {
    [METHOD_GET] = "GET, HEAD", [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH",   [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
};

/* How much of both is the same, case aside; a segment that is none of its own ends it. */
static size_t path_common(struct text pattern, struct text path) {
    size_t same = 0;
    while (same < pattern.len && same < path.len && pattern.at[same] != '{' &&
           text_lower(pattern.at[same]) == text_lower(path.at[same]))
        same++;
    return same;
}

/* Without regard to case (docs/contract.md section 3.2). {id} takes a positive number. */
static bool path_matches(struct text pattern, struct text path, int64_t *id) {
    if (path.len > 1 && path.at[path.len - 1] == '/')
        path.len--;
    size_t same = path_common(pattern, path);
    if (same == pattern.len || pattern.at[same] != '{')
        return same == pattern.len && same == path.len;
    struct text rest = { path.at + same, path.len - same }, segment = text_cut(&rest, '/');
    (void)text_cut(&pattern, '}');
    if (!text_to_int64(segment, id) || *id < 1)
        return false;
    path = (struct text){ segment.at + segment.len, path.len - same - segment.len };
    same = path_common(pattern, path); /* no pattern has a second one */
    return same == pattern.len && same == path.len;
}

struct text route_methods(const struct request *request) {
    struct buffer methods;
    int64_t id;
    buffer_init(&methods, request->arena, 64);
    for (unsigned i = 0; i < route_count; i++)
        if (path_matches(routes[i].path, request->path, &id))
            buffer_printf(&methods, "%s%s", methods.len ? ", " : "",
                          method_names[routes[i].method]);
    buffer_add_char(&methods, '\0');
    if (methods.len < 2 || methods.failed)
        return (struct text){ 0 };
    return (struct text){ methods.at, methods.len - 1 };
}

/* Which of the two is missing, a record or all of what lies there, is what a client wants to know
 * first. A target is printable ASCII, so the path can be said again. */
static void refuse_path(struct request *request) {
    enum { SHOWN_MAX = 200 };
    struct text path = request->path;
    bool is_cut = path.len > SHOWN_MAX;
    struct text message =
        arena_printf(request->arena, "Roster has no %.*s%s; what it has is listed at /api/docs.",
                     is_cut ? SHOWN_MAX : (int)path.len, path.at, is_cut ? "..." : "");
    reply_failure(request, STATUS_NOT_FOUND, message.at, NULL);
}

static void refuse_method(struct request *request) {
    struct text allow = route_methods(request);
    if (!allow.at) {
        refuse_path(request);
        return;
    }
    reply_header(request->exchange, "Allow", allow.at);
    reply_failure(request, STATUS_WRONG_METHOD, NULL, NULL);
}

/* Which of two counts would depend on who reads them (RFC 9110 section 5.3: they are no lists). */
static bool is_ambiguous(struct request *request) {
    static const struct {
        const char *header, *message;
    } single[] = { { "Authorization", "A request must have one Authorization header." },
                   { "Content-Type", "A request must have one Content-Type header." } };
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

/* What no handler is asked about. A body in a coding (RFC 9110 section 8.4) is nothing that is
 * understood here. */
static bool is_refused(struct request *request) {
    unsigned count;
    if (is_ambiguous(request))
        return true;
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

bool route_shows_users(const struct route *route) {
    return route->resource &&
           route->resource->shows_users >> ((unsigned)route->permission % OPERATIONS) & 1;
}

static uint64_t needs_of(const struct request *request) {
    const struct route *route = request->route;
    unsigned own = (unsigned)route->permission;
    if (route->permission == CALLER)
        return 0;
    if (route_searches(route) && search_is_batch(request))
        own = permission(route->resource->table->rights, OPERATION_Read);
    return UINT64_C(1) << own | (uint64_t)route_shows_users(route) << PERMISSION(User, Read);
}

bool route_writes(const struct route *route) {
    unsigned operation = (unsigned)route->permission % OPERATIONS;
    return route->method != METHOD_GET ||
           (route->permission >= 0 && operation != OPERATION_Read && operation != OPERATION_List);
}

static void run_if_permitted(struct request *request) {
    const struct route *route = request->route;
    int64_t wait_s = limits_count(request->app->limits, request->principal.user_id,
                                  route_writes(route), time_monotonic_ms());
    if (wait_s) {
        app_note_refusal(request->app, REFUSAL_rate);
        reply_busy(request, wait_s);
        return;
    }
    request->needs = needs_of(request);
    int lacking = request_lacking(request);
    if (lacking < 0)
        route->handler(request);
    else
        reply_forbidden(request, (unsigned)lacking);
}

/* The wait of a Basic call whose password has to be checked. */
struct basic {
    struct sign_in sign_in; /* first */
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
    case SIGN_IN_BUSY: reply_failure(request, STATUS_BUSY, NULL, NULL); break;
    case SIGN_IN_BROKEN: reply_failure(request, STATUS_BROKEN, NULL, NULL); break;
    }
}

static void resume_basic(struct sign_in *sign_in) {
    exchange_resume(((struct basic *)sign_in->owner)->request->exchange);
}

/* RFC 7617. Checking a password costs 20 ms of a core, so a right one is remembered, as a keyed
 * hash, until anybody's access changes. */
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

/* The credentials of a scheme, as Authorization has them; the scheme `at` NULL: there is none. */
static struct text read_authorization(const struct request *request, struct text *credentials) {
    *credentials = text_trim(exchange_header(request->exchange, "Authorization"));
    struct text scheme = text_cut(credentials, ' ');
    *credentials = text_trim(*credentials);
    return scheme;
}

static bool is_basic(const struct request *request, struct text scheme) {
    return text_equal_nocase(scheme, TEXT("Basic")) && request->app->accepts_basic;
}

/* Sets the principal. False: the caller was refused. */
static bool is_bearer(struct request *request, struct text scheme, struct text credentials) {
    enum status status = STATUS_UNAUTHENTICATED;
    if (text_equal_nocase(scheme, TEXT("Bearer")))
        status =
            auth_bearer(request->worker->tokens, credentials, request->arena, &request->principal);
    if (status == STATUS_UNAUTHENTICATED)
        reply_unauthenticated(request, scheme.at ? "invalid_token" : NULL);
    else if (status != STATUS_OK)
        reply_failure(request, status, NULL, NULL);
    return status == STATUS_OK;
}

/* A browser adds the Basic password that it keeps for a host to whatever any page has it send
 * there. So what changes something needs more than that password. */
static bool is_forged(struct request *request) {
    struct text credentials, scheme = read_authorization(request, &credentials);
    if (!is_basic(request, scheme) || !route_writes(request->route) || !cors_is_foreign(request))
        return false;
    reply_failure(request, STATUS_DENIED,
                  "A page of another origin had the browser send this, with a Basic password, which"
                  " it may have added by itself. Use a bearer token, or name the origin in"
                  " --cors-origins.",
                  NULL);
    return true;
}

/* By what holds whatever the body is. */
static bool is_answered(struct request *request) {
    return cors_answer(request) || is_refused(request) || is_forged(request);
}

static void authenticate(struct request *request) {
    struct text credentials, scheme = read_authorization(request, &credentials);
    if (is_basic(request, scheme))
        authenticate_basic(request, credentials);
    else if (is_bearer(request, scheme, credentials))
        run_if_permitted(request);
}

static const struct route *find_route(struct request *request) {
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].method == request->exchange->method &&
            path_matches(routes[i].path, request->path, &request->id))
            return &routes[i];
    return NULL;
}

static void answer(struct request *request) {
    if (is_answered(request))
        return;
    if (request->route->permission == OPEN)
        request->route->handler(request);
    else
        authenticate(request);
}

/* The request of an exchange, made at its first step. NULL: there is no memory, which was replied.
 */
static struct request *request_of(struct exchange *exchange) {
    struct request fallback = { .app = exchange->app,
                                .exchange = exchange,
                                .arena = exchange->arena };
    if (exchange->request)
        return exchange->request;
    struct request *request = arena_calloc(exchange->arena, 1, sizeof *request);
    if (!request) {
        reply_failure(&fallback, STATUS_BROKEN, NULL, NULL);
        return NULL;
    }
    *request = fallback;
    exchange->request = request;
    request->path = path_normal(exchange->path, request->arena);
    request->route = request->path.at ? find_route(request) : NULL;
    request->worker = app_worker(request->app);
    if (request->worker && request->path.at)
        return request;
    reply_failure(request, STATUS_BROKEN, NULL, NULL);
    return NULL;
}

static bool basic_is_remembered(struct request *request, struct text credentials) {
    struct text pair = base64_decode(credentials, request->arena);
    if (!pair.at)
        return false;
    const struct keyed_hash hash = keyed_hash(KEYED_BASIC, pair);
    return token_cache_get(request->worker->tokens, &hash, request->arena, &request->principal);
}

/* To check a password takes long, and has to wait for the body. Until then the caller is a
 * stranger, but one whose body is to be taken all the same: so only a few of them have a large one.
 */
static void admit_unchecked(struct request *request) {
    struct exchange *exchange = request->exchange;
    if (exchange->announced && exchange->announced <= STRANGER_BODY)
        return;
    request->is_unchecked = true;
    if (atomic_fetch_add(&request->app->unchecked, 1) < UNCHECKED_BODIES)
        return;
    app_note_refusal(request->app, REFUSAL_large_body);
    reply_failure(request, STATUS_UNAVAILABLE,
                  "Too many large bodies come with a password that is not known yet. Wait 1 seconds"
                  " and try again.",
                  NULL);
}

/* Are the credentials such that a body may come? How large it may be depends on them. */
static bool admits_body(struct request *request) {
    struct text credentials, scheme = read_authorization(request, &credentials);
    if (!is_basic(request, scheme))
        return is_bearer(request, scheme, credentials);
    if (!basic_is_remembered(request, credentials))
        admit_unchecked(request);
    return !request->exchange->reply.http_status;
}

/* Only what holds whatever the body is. Who may do what is decided when the body is there: a right
 * may end meanwhile. A Basic password takes too long to check twice. */
void dispatch_head(struct exchange *exchange) {
    struct request *request = request_of(exchange);
    if (!request || is_answered(request))
        return;
    if (request->route->permission != OPEN) {
        if (!admits_body(request))
            return;
        request->principal = (struct principal){ 0 };
    } else {
        exchange->body_limit = STRANGER_BODY;
    }
    if (!exchange->reply.http_status)
        exchange->reply = (struct reply){ 0 }; /* CORS has its headers in it */
}

void dispatch(struct exchange *exchange) {
    struct request *request = request_of(exchange);
    if (request)
        answer(request);
}

bool dispatch_is_vital(const struct exchange *exchange) {
    return exchange->method == METHOD_GET && (text_equal(exchange->path, TEXT("/healthz")) ||
                                              text_equal(exchange->path, TEXT("/readyz")) ||
                                              text_equal(exchange->path, TEXT("/metrics")));
}

void dispatch_refusal(struct exchange *exchange, enum status status, const char *reason) {
    struct request request = { .app = exchange->app,
                               .exchange = exchange,
                               .arena = exchange->arena };
    if (status == STATUS_TOO_LARGE && exchange->body_limit == STRANGER_BODY) {
        app_note_refusal(request.app, REFUSAL_body);
        reason = "The body is larger than 16 KiB, and comes without credentials.";
    }
    reply_failure(&request, status, reason, NULL);
}

void dispatch_end(struct exchange *exchange) {
    struct request *request = exchange->request;
    if (!request)
        return;
    let_go(request);
    avatar_release(request->picture);
}
