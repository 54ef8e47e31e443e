#ifndef ROSTER_API_REQUEST_H
#define ROSTER_API_REQUEST_H

#include "api/app.h"
#include "base/buffer.h"
#include "model/change.h"
#include "model/record.h"

/** A request on its way through its handler; lives in the exchange's arena. */
struct request {
    struct authority authority; /* first; see request_authority */
    struct app *app;
    struct exchange *exchange;
    struct arena *arena;
    struct worker *worker;         /* of the I/O thread, the same through all steps */
    const struct route *route;     /* NULL: none fits */
    struct text path;              /* as path_normal has it */
    int64_t id;                    /* of {id} in the path */
    struct principal principal;    /* the caller; user_id 0: nobody, or not known yet */
    uint64_t needs;                /* the permissions that it was found to need: a bit for each */
    struct store_command *command; /* that it waits for */
    enum status refusal;           /* what the caller's authority said when it last was to run */
    void (*step)(struct exchange *exchange); /* after the command */
    struct store_command question;           /* of request_ask, one at a time */
    enum status (*ask)(struct store_view *session, struct request *request);
    void (*answered)(struct request *request, enum status status);
    /* Replies to a credential that ended before the command; NULL: as to a bearer token. */
    void (*refuse)(struct request *request);
    bool is_unchecked;       /* counted in app->unchecked */
    struct picture *picture; /* that the reply's body is; api/avatar.h */
};

enum { ROUTE_OPEN = -1, ROUTE_CALLER = -2 };

struct route {
    enum method method;
    struct text path; /* with {id} for an id */
    int permission;   /* the caller must have it; ROUTE_OPEN: to all, ROUTE_CALLER: to any caller */
    void (*handler)(struct request *request);
    const struct resource *resource; /* of the handlers in resources.c */
    const char *summary;
};

/** All routes, from routes.def. */
extern const struct route routes[];
extern const unsigned route_count;

/* The handlers, each where its file name says. */
#define ROUTE(method, path, permission, handler, summary) void handler(struct request *request);
#define OF(name, method, path, operation, handler, summary) void handler(struct request *request);
#define RESOURCE(path, name)
#define READABLE(path, name)
#define DELETABLE(path, name)
#include "api/routes.def"
#undef ROUTE
#undef OF
#undef RESOURCE
#undef READABLE
#undef DELETABLE

/* The handlers of every resource: resources.c, search.c, commands.c. */
void resource_search(struct request *request);
void resource_get(struct request *request);
void resource_post(struct request *request);
void resource_put(struct request *request);
void resource_put_at(struct request *request); /* with the Id in the path */
void resource_patch(struct request *request);
void resource_delete(struct request *request);

void resource_commands(struct request *request);
void resource_run_command(struct request *request);

/**
 * May the route change something? All but GETs do, and a GET that needs more than Read or List: it
 * issues a one-time token.
 */
bool route_writes(const struct route *route);

/** Is what the route gives a page of records? */
bool route_searches(const struct route *route);

/** Does a search ask for a batch of records by their ids? It needs Read instead of List. */
bool search_is_batch(const struct request *request) MUST_CHECK;

/** What searches call a field: 0 is its name, 1 a shorter one that some have; `at` NULL: none. */
struct text search_name(const struct field *field, unsigned which);

/** Can a search go by the field? */
bool search_orders_by(const struct field *field) MUST_CHECK;

/**
 * A path in the form in which others that mean the same are equal (RFC 3986 section 6.2.2.2):
 * several slashes are one, and an escaped character that need not be escaped is itself. `at` NULL:
 * memory is short.
 */
struct text path_normal(struct text path, struct arena *arena) MUST_CHECK;

/** The methods that are offered at the request's path ("GET, HEAD, PUT"); `at` NULL: none. */
struct text route_methods(const struct request *request);

/**
 * Is the ETag, or `*`, in the list of If-Match (which compares strongly) or If-None-Match (weakly:
 * RFC 9110 section 8.8.3.2)? `etag.at` NULL, what is not there, is in none.
 */
enum etag_comparison { ETAG_STRONG, ETAG_WEAK };
bool etag_is_listed(struct text list, struct text etag, enum etag_comparison how);

/** Does the client prefer handling=strict (RFC 7240 section 4.4)? */
bool request_is_strict(const struct request *request);

/** Does the route ask for User-Read besides its own permission? What it does shows users. */
bool route_shows_users(const struct route *route);

/** A permission that the request needs and the caller lacks, the route's own first; -1: none. */
int request_lacking(const struct request *request) MUST_CHECK;

#endif
