/* The table of routes, and the search for the route of a request. */
#include "api/routes.h"

#include "base/buffer.h"

#include <assert.h>

const struct route *routes;
unsigned route_count;

/* Looked for with each request, so kept apart from the others. */
enum { VITAL_MAX = 8 };
static const struct route *vital[VITAL_MAX];
static unsigned vital_count;

const char *method_name(enum method method) {
    static const char *const names[] = {
        [METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
        [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
        [METHOD_OTHER] = "OTHER",
    };
    return names[method];
}

void routes_set(const struct route *table, unsigned count) {
    routes = table;
    route_count = count;
    vital_count = 0;
    for (unsigned i = 0; i < count; i++) {
        assert(!table[i].is_vital || vital_count < VITAL_MAX);
        if (table[i].is_vital)
            vital[vital_count++] = &table[i];
    }
}

/* How many characters the two have in common, case aside, up to {id}. */
static size_t common_length(struct text pattern, struct text path) {
    size_t same = 0;
    while (same < pattern.len && same < path.len && pattern.at[same] != '{' &&
           text_lower(pattern.at[same]) == text_lower(path.at[same]))
        same++;
    return same;
}

/* docs/contract.md section 3.2. */
static bool path_matches(struct text pattern, struct text path, int64_t *id) {
    if (path.len > 1 && path.at[path.len - 1] == '/')
        path.len--;
    size_t same = common_length(pattern, path);
    if (same == pattern.len || pattern.at[same] != '{')
        return same == pattern.len && same == path.len;
    struct text rest = { path.at + same, path.len - same }, segment = text_cut(&rest, '/');
    if (text_equal((struct text){ pattern.at + same, pattern.len - same }, TEXT("{file}")))
        return segment.len > 0 && !rest.at;
    (void)text_cut(&pattern, '}');
    if (!text_to_int64(segment, id) || *id < 1)
        return false;
    path = (struct text){ segment.at + segment.len, path.len - same - segment.len };
    same = common_length(pattern, path); /* no pattern has a second {id} */
    return same == pattern.len && same == path.len;
}

const struct route *routes_find(enum method method, struct text path, int64_t *id) {
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].method == method && path_matches(routes[i].path, path, id))
            return &routes[i];
    return NULL;
}

struct text routes_methods(struct text path, struct arena *arena) {
    struct buffer methods;
    int64_t id;
    buffer_init(&methods, arena, 64);
    for (unsigned i = 0; i < route_count; i++)
        if (path_matches(routes[i].path, path, &id))
            buffer_printf(&methods, "%s%s%s", methods.len ? ", " : "",
                          method_name(routes[i].method),
                          routes[i].method == METHOD_GET ? ", HEAD" : "");
    buffer_add_char(&methods, '\0');
    if (methods.len < 2 || methods.failed)
        return (struct text){ 0 };
    return (struct text){ methods.at, methods.len - 1 };
}

bool routes_is_vital(enum method method, struct text path) {
    for (unsigned i = 0; i < vital_count; i++)
        if (vital[i]->method == method && text_equal(vital[i]->path, path))
            return true;
    return false;
}

bool route_writes(const struct route *route) {
    return route->method != METHOD_GET || route->writes;
}
