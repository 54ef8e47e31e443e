#ifndef ROSTER_API_ROUTES_H
#define ROSTER_API_ROUTES_H

#include "http/http.h"
#include "model/field.h"

/*
 * The table of routes, and the search for the route of a request. The rows stand in routes.def;
 * api.c, which names all handlers, expands them once at the start. Handlers and what lies below
 * them know only the table itself, so that none of them depends on the others.
 */

struct request;
struct resource;

/** The needs of a route that needs no permission. */
enum {
    ROUTE_OPEN = -1,  /* nothing */
    ROUTE_CALLER = -2 /* credentials, whatever their permissions */
};

/** The body that a route reads. */
enum route_body {
    BODY_none,
    BODY_create,  /* a record of the route's resource, without Id */
    BODY_update,  /* a record with its Id */
    BODY_replace, /* a record whose Id is in the path */
    BODY_patch,   /* members of a record (RFC 7396) */
    BODY_rows,    /* CSV or JSON Lines */
    BODY_own,     /* what `body_table` has */
    BODY_grant    /* the form of RFC 6749, whose errors the route replies as well */
};

/** "GET", or "OTHER" for a method that no route has. */
const char *method_name(enum method method);

struct route {
    enum method method;
    struct text path; /* {id} stands for an id, once at most; {file} at its end for a name; ends in
                         a NUL byte */
    int permission;   /* that the caller must have; or ROUTE_OPEN, ROUTE_CALLER */
    void (*handler)(struct request *request);
    const char *summary; /* for people */

    /* The columns of routes.def; see there. */
    const char *name;
    const struct resource *resource;
    bool is_search, is_filtered, writes, is_vital, missing_is_null;
    enum route_body body;
    const struct table *body_table;
    const char *reply, *parameters, *statuses;

    bool shows_users; /* also derived from the resource: users' records are shown */

    /* Derived from the resources. */
    const struct resource *area; /* whose path it lies under; NULL: none */
};

/** All routes, in the order of routes.def; set once, before the first request. */
extern const struct route *routes;
extern unsigned route_count;

/** Sets the table. It is not copied. */
void routes_set(const struct route *table, unsigned count);

/**
 * The route of a method and a path as path_normal returns it, compared without regard to case;
 * a slash at the end is ignored. `*id` gets the positive number that stands for {id}. NULL: none.
 */
const struct route *routes_find(enum method method, struct text path, int64_t *id);

/** Is this a route that is served when memory is short, too? The path as sent, exactly. */
bool routes_is_vital(enum method method, struct text path);

/** The methods that are offered at a path ("GET, HEAD, PUT"); `at` NULL: none, or no memory. */
struct text routes_methods(struct text path, struct arena *arena);

/** May the route change something? All may but GETs, and those GETs whose row says `writes`. */
bool route_writes(const struct route *route);

/**
 * The path in one form for all paths that mean the same (RFC 3986 section 6.2.2.2): several slashes
 * become one, and an escaped character that needs no escape becomes itself. `at` NULL: no memory.
 */
struct text path_normal(struct text path, struct arena *arena) MUST_CHECK;

#endif
