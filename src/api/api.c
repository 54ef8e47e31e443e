/* The API as a whole: the rows of routes.def become the table of routes, and the table becomes the
 * description. */
#include "api/api.h"

#include "api/docs/openapi.h"
#include "api/handlers.h"
#include "model/permission.h"
#include "model/tables.h"
#include "service/resources.h"

/* The groups of routes that a resource may offer. */
enum offer { READS = 1, WRITES = 2, DELETES = 4, ALL = READS | WRITES | DELETES };
enum { OPEN = ROUTE_OPEN, CALLER = ROUTE_CALLER };

/* A row of routes.def. */
struct row {
    unsigned offers; /* 0: the row is a route. Else a resource's offers, or what EACH belongs to */
    struct route route;
};

#define PATH(path)                                                                                 \
    { path, sizeof path - 1 }

/* Routes, and resources: a path and a resource. */
static const struct row rows[] = {
#define ROUTE(verb, where, needs, function, text, ...)                                             \
    { .route = { .method = METHOD_##verb,                                                          \
                 .path = PATH(where),                                                              \
                 .permission = needs,                                                              \
                 .handler = function,                                                              \
                 .summary = text,                                                                  \
                 __VA_ARGS__ } },
#define RESOURCE(where, name, what)                                                                \
    { .offers = what, .route = { .path = PATH(where), .resource = &name##_resource } },
#define EACH(...)
#include "api/routes.def"
#undef ROUTE
#undef RESOURCE
#undef EACH
};

/* The routes of a resource, their paths behind its own, their permissions operations. */
static const struct row each[] = {
#define EACH(what, verb, where, operation, function, text, ...)                                    \
    { .offers = what,                                                                              \
      .route = { .method = METHOD_##verb,                                                          \
                 .path = PATH(where),                                                              \
                 .permission = OPERATION_##operation,                                              \
                 .handler = function,                                                              \
                 .summary = text,                                                                  \
                 __VA_ARGS__ } },
#define ROUTE(...)
#define RESOURCE(...)
#include "api/routes.def"
#undef ROUTE
#undef RESOURCE
#undef EACH
};

enum { ROWS = sizeof rows / sizeof rows[0], EACH_ROWS = sizeof each / sizeof each[0] };

/* The resource whose path the route's begins with; NULL: none. */
static const struct resource *area_of(const struct route *route) {
    for (unsigned i = 0; i < ROWS; i++) {
        struct text path = rows[i].route.path;
        if (rows[i].offers && text_starts_nocase(route->path, path) &&
            (route->path.len == path.len || route->path.at[path.len] == '/'))
            return rows[i].route.resource;
    }
    return NULL;
}

static void derive(struct route *route) {
    unsigned operation = (unsigned)route->permission % OPERATIONS;
    route->area = area_of(route);
    route->shows_users |= route->resource && route->resource->shows_users >> operation & 1;
}

/* How many routes a row stands for. */
static unsigned count_of(const struct row *row) {
    unsigned count = !row->offers;
    for (unsigned i = 0; i < EACH_ROWS; i++)
        count += (each[i].offers & row->offers) != 0;
    return count;
}

/* Writes the routes that a resource offers. False: no memory. */
static bool add_resource(struct route *route, const struct row *row, struct arena *memory) {
    const struct resource *resource = row->route.resource;
    for (unsigned i = 0; i < EACH_ROWS; i++) {
        const struct route *one = &each[i].route;
        if (!(each[i].offers & row->offers))
            continue;
        *route = *one;
        route->path = arena_printf(memory, "%s%s", row->route.path.at, one->path.at);
        route->resource = resource;
        route->permission = (int)permission(resource->table->permission_entity,
                                            (enum permission_operation)one->permission);
        if (!route->path.at)
            return false;
        derive(route++);
    }
    return true;
}

static bool make_routes(struct arena *memory) {
    unsigned count = 0, at = 0;
    for (unsigned i = 0; i < ROWS; i++)
        count += count_of(&rows[i]);
    struct route *table = arena_calloc(memory, count, sizeof *table);
    if (!table)
        return false;
    for (unsigned i = 0; i < ROWS; at += count_of(&rows[i]), i++) {
        table[at] = rows[i].route;
        derive(&table[at]);
        if (rows[i].offers && !add_resource(&table[at], &rows[i], memory))
            return false;
    }
    routes_set(table, count);
    return true;
}

bool api_start(struct app *app) {
    return make_routes(&app->memory) && openapi_make(app);
}
