/* GET /api/openapi.json: the OpenAPI 3.1 description of this server.
 *
 * It is written once, at the start, from the table of routes and the field tables, so it cannot
 * contradict them. Parts that follow from neither are in components.json and responses.json. It is
 * meant for programs that generate clients: it describes what a client should send, although the
 * server accepts more.
 *
 * The sections below write, in this order, operations with their parameters and bodies, and
 * replies; openapi_make at the end puts them together with the schemas of tables
 * (openapi_schemas.c). Under compatibility = nexudus some statuses have other bodies. */
#include "api/docs/openapi.h"

#include "api/docs/openapi_schemas.h"
#include "api/handlers.h"
#include "api/ops/history.h"
#include "api/reply.h"
#include "json/json.h"
#include "model/tables.h"
#include "rules/filter.h"
#include "service/resources.h"
#include "version.h"

#include <assert.h>
#include <ctype.h>

/* An object, a member a line. Its last one, `schemas`, goes on with the schemas of the tables. */
static const char *const components[] = {
#include "components_json.inc"
};
enum { COMPONENTS = sizeof components / sizeof components[0] };

/* An object of replies, one a line. */
static const char *const responses[] = {
#include "responses_json.inc"
};
enum { RESPONSES = sizeof responses / sizeof responses[0] };

/* ---- Operations ---- */

static const char *const method_names[] = {
    [METHOD_GET] = "get",     [METHOD_POST] = "post",     [METHOD_PUT] = "put",
    [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete", [METHOD_OPTIONS] = "options",
};

static const char *const verbs[] = {
    [METHOD_GET] = "get",     [METHOD_POST] = "create",   [METHOD_PUT] = "update",
    [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete", [METHOD_OPTIONS] = "options",
};

/* "user_roles" becomes UserRoles. */
static void add_plural(struct buffer *out, const char *rows) {
    for (size_t i = 0; rows[i]; i++)
        if (rows[i] != '_')
            buffer_add_char(out, i == 0 || rows[i - 1] == '_'
                                     ? (char)toupper((unsigned char)rows[i])
                                     : rows[i]);
}

static void add_operation_id(struct buffer *out, const struct route *route) {
    const char *name = route->name;
    buffer_printf(out, ",\"operationId\":\"%s",
                  isupper((unsigned char)*name) ? verbs[route->method] : "");
    for (; *name; name++)
        if (*name == '*')
            buffer_add(out, text_of(route->resource->table->entity));
        else if (*name == '+')
            add_plural(out, route->resource->table->name);
        else
            buffer_add_char(out, *name);
    buffer_add_char(out, '"');
}

static bool has_id(const struct route *route) {
    return strstr(route->path.at, "{id}") != NULL;
}

#define IDS                                                                                        \
    "\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},"                                             \
    "{\"type\":\"string\",\"pattern\":\"^[0-9, ]*$|^ *\\\\[[0-9, ]*\\\\] *$"

static const char list_schema[] = IDS "\"}],\"description\":\"an Id, or several\"";

static const char reference_schema[] =
    IDS "|^ *([Nn][Oo][Tt])?[Nn][Uu][Ll][Ll] *$\"}],\"description\":\"an Id, or several; null:"
        " points to nothing; notnull: to something\"";

static const char linked_schema[] =
    "\"type\":\"integer\",\"minimum\":0,\"description\":\"linked to it\"";

static const char date_schema[] =
    "\"type\":\"string\",\"description\":\"a date (2025-01-15), with a time or without, to the"
    " minute or finer; UTC where no offset stands\"";

static const char *const filter_schemas[] = {
    [FILTER_nothing] = "\"type\":\"string\",\"description\":\"finds nothing\"",
    [FILTER_ids] = list_schema,
    [FILTER_reference] = reference_schema,
    [FILTER_linked] = linked_schema,
    [FILTER_backlink] = linked_schema,
    [FILTER_integer] = "\"type\":\"integer\"",
    [FILTER_choice] = "\"type\":\"integer\"",
    [FILTER_boolean] = "\"type\":\"boolean\"",
    [FILTER_date] = date_schema,
    [FILTER_guid] = "\"type\":\"string\",\"format\":\"uuid\"",
    [FILTER_text] = "\"type\":\"string\",\"description\":\"contains it, without case and accents\"",
};

/* The one of a field's names that clients should use. The other one would be the same parameter
 * again, and generators would often give both the same name. */
static struct text parameter_name(const struct field *field) {
    return filter_name(field, field->type == TYPE_reference ? 1 : 0);
}

/* Is there another parameter for the same? Through a reference, the Id is what the reference's own
 * filter asks for. A record's BusinessName is Business_Name, and generators would give both the
 * same name. */
static bool is_said_elsewhere(const struct field *field, bool is_linked) {
    return field->type == (is_linked ? TYPE_id : TYPE_name);
}

/* Filters by the fields of a table. `prefix` is "User_", or "User_Application_" through a
 * reference. Secrets are left out: such a filter finds nothing. */
static void add_filters(struct buffer *out, const struct table *table, struct text prefix,
                        bool is_linked) {
    static const char *const bounds[] = { "", "from_", "to_" };
    out->failed |= !prefix.at;
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct text name = parameter_name(field);
        bool is_range = field->type == TYPE_date || field->type == TYPE_integer;
        if (!field_is_shown(field) || !field_is_searchable(field) ||
            is_said_elsewhere(field, is_linked))
            continue;
        for (unsigned j = 0; j < (is_range ? 3 : 1); j++)
            buffer_printf(out, ",{\"name\":\"%s%.*s%.*s\",\"in\":\"query\",\"schema\":{%s}}",
                          bounds[j], (int)prefix.len, prefix.at, (int)name.len, name.at,
                          filter_schemas[filter_kind(field)]);
    }
}

/* The orders of a search. */
static void add_orders(struct buffer *out, const struct resource *resource) {
    const struct table *table = resource->table;
    unsigned order = resource->order ? resource->order : table->common.id;
    const char *separator = "";
    buffer_printf(out,
                  ",{\"name\":\"orderBy\",\"in\":\"query\",\"schema\":{\"type\":\"string\","
                  "\"default\":\"%s\",\"enum\":[",
                  table->fields[order].name.at);
    for (unsigned i = 0; i < table->count; i++)
        for (unsigned which = 0; which < 2 && filter_can_order(&table->fields[i]); which++) {
            struct text name = filter_name(&table->fields[i], which);
            if (!name.at)
                continue;
            buffer_printf(out, "%s\"%.*s\"", separator, (int)name.len, name.at);
            separator = ",";
        }
    buffer_add(out, TEXT("]}}"));
}

static void add_all_filters(struct buffer *out, const struct table *table) {
    add_filters(out, table, arena_printf(out->arena, "%s_", table->entity), false);
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct text name = parameter_name(field);
        if (field->type == TYPE_reference)
            add_filters(out, field->target,
                        arena_printf(out->arena, "%s_%.*s_", table->entity, (int)name.len, name.at),
                        true);
    }
}

static const char any_body[] = "JSON, whatever Content-Type says, or a form of the same members";

/* The parameters of every search, before the filters of its table. */
static const char search_parameters[] = "Page Size Dir Ids UniqueId Prefer";
static const char filter_parameters[] = "Ids UniqueId Prefer";

static void add_parameters(struct buffer *out, const struct route *route) {
    struct text names = text_of(route->is_search     ? search_parameters
                                : route->is_filtered ? filter_parameters
                                                     : route->parameters);
    struct buffer list;
    buffer_init(&list, out->arena, 1024);
    if (has_id(route))
        buffer_add(&list, TEXT(",{\"$ref\":\"#/components/parameters/PathId\"}"));
    while (names.len) {
        struct text name = text_cut(&names, ' ');
        buffer_printf(&list, ",{\"$ref\":\"#/components/parameters/%.*s\"}", (int)name.len,
                      name.at);
    }
    if (route->is_search)
        add_orders(&list, route->resource);
    if (route->is_search || route->is_filtered)
        add_all_filters(&list, route->resource->table);
    if (list.len)
        buffer_printf(out, ",\"parameters\":[%.*s]", (int)list.len - 1, list.at + 1);
    out->failed |= list.failed;
}

/* By kind of body: the schema's name, which follows that of the body's table, and the media type.
 */
static const struct body {
    const char *schema, *type, *description;
    enum openapi_place place; /* of a record's fields */
} bodies[] = {
    [BODY_none] = { 0 },
    [BODY_rows] = { 0 },
    [BODY_create] = { "Create", "application/json", any_body, IN_CREATE },
    [BODY_update] = { "Update", "application/json", any_body, IN_UPDATE },
    [BODY_replace] = { "Replace", "application/json", any_body, IN_REPLACE },
    [BODY_patch] = { "Patch", "application/merge-patch+json", any_body, IN_PATCH },
    [BODY_own] = { "", "application/json", any_body, IN_CREATE },
    [BODY_grant] = { "GrantForm", "application/x-www-form-urlencoded", "a form", IN_CREATE },
};

/* The table that a body is read by; NULL: none. */
static const struct table *body_table(const struct route *route) {
    if (route->body == BODY_none || route->body == BODY_rows || route->body == BODY_grant)
        return NULL;
    return route->body == BODY_own ? route->body_table : route->resource->table;
}

static void add_body(struct buffer *out, const struct route *route) {
    const struct body *body = &bodies[route->body];
    const struct table *table = body_table(route);
    if (route->body == BODY_rows)
        buffer_add(out,
                   TEXT(",\"requestBody\":{\"required\":true,\"description\":\"CSV with the names"
                        " of fields in the first line (between commas, semicolons or tabs), or a "
                        "JSON object a line, whatever"
                        " Content-Type says\",\"content\":{\"text/csv\":{\"schema\":{\"type\":"
                        "\"string\"}},\"application/jsonl\":{\"schema\":{\"type\":\"string\"}}}}"));
    if (!body->schema)
        return;
    buffer_printf(out,
                  ",\"requestBody\":{\"required\":true,\"description\":\"%s\",\"content\":{\"%s\":"
                  "{\"schema\":{\"$ref\":\"#/components/schemas/%s%s\"}}}}",
                  body->description, body->type, table ? table->entity : "", body->schema);
}

/* ---- Replies ---- */

static void add_record_reply(struct buffer *out, const struct route *route) {
    const char *entity = route->resource->table->entity;
    if (!route->is_search)
        buffer_printf(out,
                      "\"200\":{\"description\":\"the record\",\"headers\":{\"ETag\":{\"$ref\":"
                      "\"#/components/headers/ETag\"}},\"content\":{\"application/json\":{"
                      "\"schema\":{\"$ref\":\"#/components/schemas/%s\"}}}}",
                      entity);
    else
        buffer_printf(out,
                      "\"200\":{\"description\":\"a page, or what a list of Ids in brackets asked"
                      " for\",\"headers\":{\"X-Ignored-Parameters\":{\"$ref\":"
                      "\"#/components/headers/Ignored\"}},\"content\":{\"application/json\":{"
                      "\"schema\":{\"oneOf\":[{\"$ref\":\"#/components/schemas/%sPage\"},{\"type\":"
                      "\"array\",\"items\":{\"$ref\":\"#/components/schemas/%s\"}}]}}}}",
                      entity, entity);
}

/* Replies without a record. Each is a component of this name; its text is the line of that name in
 * responses.json or, under compatibility = nexudus, of the other name. */
static const struct failure {
    const char *status, *name;
    const char *nexudus; /* NULL: there is none */
} failures[] = {
    { "304", "NotModified", "NotModified" },
    { "308", "Moved", "Moved" },
    { "400", "BadRequest", "BadRequest" },
    { "401", "Unauthorized", "EmptyUnauthorized" },
    { "403", "Forbidden", NULL },
    { "404", "NotFound", "BareNotFound" },
    { "409", "Conflict", "Conflict" },
    { "412", "PreconditionFailed", "PreconditionFailed" },
    { "413", "ContentTooLarge", "ContentTooLarge" },
    { "415", "UnsupportedMediaType", "UnsupportedMediaType" },
    { "422", "UnprocessableContent", "UnprocessableContent" },
    { "429", "TooManyRequests", "TooManyRequests" },
    { "500", "InternalError", "InternalError" },
    { "503", "Unavailable", "Unavailable" },
    { "504", "OutcomeUnknown", "OutcomeUnknown" },
    /* POST /api/token has errors of its own for some statuses (RFC 6749 section 5.2). */
    { "400", "GrantBadRequest", "GrantBadRequest" },
    { "429", "GrantTooManyRequests", "GrantTooManyRequests" },
    { "500", "GrantInternalError", "GrantInternalError" },
    { "503", "GrantUnavailable", "GrantUnavailable" },
    { "504", "GrantOutcomeUnknown", "GrantOutcomeUnknown" },
};
enum { FAILURES = sizeof failures / sizeof failures[0] };

/* The object of that name in responses.json. */
static struct text response_text(const char *name) {
    size_t length = strlen(name);
    for (unsigned i = 0; i < RESPONSES; i++) {
        struct text line = text_of(responses[i]);
        if (line.len <= length + 4 || strncmp(line.at + 1, name, length) != 0 ||
            line.at[length + 1] != '"')
            continue;
        line = (struct text){ line.at + length + 4, line.len - length - 4 };
        while (line.at[line.len - 1] != '}')
            line.len--;
        return line;
    }
    assert(!"responses.json has a line for each name");
    return (struct text){ 0 };
}

static const char *failure_name(const struct route *route, struct text status) {
    const char *name = NULL;
    for (unsigned i = 0; i < FAILURES; i++) {
        bool is_grant = text_starts_nocase(text_of(failures[i].name), TEXT("Grant"));
        if (text_equal(text_of(failures[i].status), status) &&
            (!is_grant || route->body == BODY_grant))
            name = failures[i].name;
    }
    assert(name);
    return name;
}

static bool takes_body(const struct route *route) {
    return route->method == METHOD_POST || route->method == METHOD_PUT ||
           route->method == METHOD_PATCH;
}

/* The statuses that an operation may reply besides 200, each after a blank. */
static struct text failures_of(const struct route *route, bool nexudus, struct arena *arena) {
    const char *too_large = takes_body(route)             ? " 413 415"
                            : route->method == METHOD_GET ? ""
                                                          : " 413";
    return arena_printf(arena, "%s%s%s%s%s 400 429 500 503%s",
                        route->statuses ? route->statuses : "",
                        route->permission == ROUTE_OPEN ? "" : " 401", nexudus ? "" : " 403",
                        has_id(route) && !route->missing_is_null ? " 404" : "", too_large,
                        route_writes(route) ? " 504" : "");
}

static void add_replies(struct buffer *out, const struct route *route, bool nexudus) {
    struct text statuses = failures_of(route, nexudus, out->arena);
    out->failed |= !statuses.at;
    buffer_add(out, TEXT(",\"responses\":{"));
    if (route->reply) {
        buffer_add(out, TEXT("\"200\":"));
        buffer_add(out, response_text(route->reply));
    } else {
        add_record_reply(out, route);
    }
    while (statuses.at) {
        struct text status = text_cut(&statuses, ' ');
        if (status.len)
            buffer_printf(out, ",\"%.*s\":{\"$ref\":\"#/components/responses/%s\"}",
                          (int)status.len, status.at, failure_name(route, status));
    }
    buffer_add_char(out, '}');
}

static void add_failures(struct buffer *out, bool nexudus) {
    const char *separator = "";
    buffer_add(out, TEXT("\"responses\":{"));
    for (unsigned i = 0; i < FAILURES; i++) {
        const char *line = nexudus ? failures[i].nexudus : failures[i].name;
        if (!line)
            continue;
        buffer_printf(out, "%s\"%s\":", separator, failures[i].name);
        buffer_add(out, response_text(line));
        separator = ",";
    }
    buffer_add(out, TEXT("},"));
}

static void add_need(struct buffer *out, const struct route *route) {
    char role[32];
    if (route->permission < 0) {
        buffer_add(out, route->permission == ROUTE_OPEN
                            ? TEXT(",\"description\":\"Needs no credentials.\"")
                            : TEXT(",\"description\":\"Needs credentials, and no role.\""));
        return;
    }
    permission_name((unsigned)route->permission, role);
    buffer_printf(out,
                  route->shows_users ? ",\"description\":\"Needs the roles %s and User-Read.\""
                                     : ",\"description\":\"Needs the role %s.\"",
                  role);
}

static void add_operation(struct buffer *out, const struct route *route, bool nexudus) {
    buffer_printf(out, "\"%s\":{\"tags\":[\"%s\"],", method_names[route->method],
                  route->area ? route->area->table->entity : "Server");
    buffer_add(out, TEXT("\"summary\":"));
    json_add_string(out, text_of(route->summary));
    add_need(out, route);
    add_operation_id(out, route);
    if (route->permission == ROUTE_OPEN)
        buffer_add(out, TEXT(",\"security\":[]"));
    add_parameters(out, route);
    add_body(out, route);
    add_replies(out, route, nexudus);
    buffer_add_char(out, '}');
}

static bool is_first_of_path(unsigned route) {
    for (unsigned i = 0; i < route; i++)
        if (text_equal(routes[i].path, routes[route].path))
            return false;
    return true;
}

static void add_paths(struct buffer *out, bool nexudus) {
    const char *separator = "";
    for (unsigned i = 0; i < route_count; i++) {
        if (!routes[i].name || !is_first_of_path(i))
            continue;
        buffer_printf(out, "%s\"%s\":{", separator, routes[i].path.at);
        separator = "";
        for (unsigned j = i; j < route_count; j++) {
            if (!text_equal(routes[j].path, routes[i].path))
                continue;
            buffer_add(out, text_of(separator));
            add_operation(out, &routes[j], nexudus);
            separator = ",";
        }
        buffer_add_char(out, '}');
        separator = ",";
    }
}

static void add_figures(struct buffer *out) {
    buffer_add(out,
               TEXT(",\"DayFigures\":{\"type\":\"object\",\"additionalProperties\":false,"
                    "\"description\":\"lists of the same length, with a value for each sample, the"
                    " oldest first\",\"required\":[\"Until\",\"Seconds\""));
    for (unsigned i = 0; i < HISTORY_COLUMNS; i++)
        buffer_printf(out, ",\"%s\"", history_columns[i].name);
    buffer_add(out,
               TEXT("],\"properties\":{\"Until\":{\"type\":\"array\",\"description\":\"when the"
                    " sample ended\",\"items\":{\"type\":\"string\",\"format\":\"date-time\"}},"
                    "\"Seconds\":{\"type\":\"array\",\"description\":\"how long it was\",\"items\":"
                    "{\"type\":\"number\",\"minimum\":0}}"));
    for (unsigned i = 0; i < HISTORY_COLUMNS; i++)
        buffer_printf(out,
                      ",\"%s\":{\"type\":\"array\",\"description\":\"%s\",\"items\":{\"type\":"
                      "%s,\"minimum\":0}}",
                      history_columns[i].name, history_columns[i].help,
                      history_columns[i].kind == HISTORY_COUNTED ? "\"integer\""
                                                                 : "[\"integer\",\"null\"]");
    buffer_add(out, TEXT("}}"));
}

/* Is it the first route with a body of its table? */
static bool is_first_of_body(unsigned route) {
    for (unsigned i = 0; i < route; i++)
        if (routes[i].body_table == routes[route].body_table)
            return false;
    return true;
}

static void add_schemas(struct buffer *out, bool nexudus) {
    for (unsigned i = 0; i < TABLES; i++) {
        openapi_add_schema(out, tables[i], "", (struct openapi_use){ IN_RECORD, nexudus });
        openapi_add_page_schema(out, tables[i], nexudus);
    }
    openapi_add_account_schema(out, nexudus);
    add_figures(out);
    for (unsigned i = 0; i < route_count; i++)
        for (enum route_body j = BODY_create; j <= BODY_patch && routes[i].body == BODY_update; j++)
            openapi_add_schema(out, routes[i].resource->table, bodies[j].schema,
                               (struct openapi_use){ bodies[j].place, nexudus });
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].body_table && is_first_of_body(i))
            openapi_add_schema(out, routes[i].body_table, "",
                               (struct openapi_use){ IN_CREATE, nexudus });
}

static bool is_first_of_area(unsigned route) {
    for (unsigned i = 0; i < route; i++)
        if (routes[i].area == routes[route].area)
            return false;
    return true;
}

/* One tag for each area, in the order of the routes. */
static void add_tags(struct buffer *out) {
    buffer_add(out, TEXT("\"tags\":[{\"name\":\"Server\",\"description\":\"Tokens, the caller's own"
                         " record, and the server itself\"}"));
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].area && is_first_of_area(i))
            buffer_printf(out, ",{\"name\":\"%s\",\"description\":\"Records of the kind: %s\"}",
                          routes[i].area->table->entity, routes[i].area->table->noun);
    buffer_add(out, TEXT("],"));
}

static const char about[] =
    "Paths, and the names and words of a query, are matched without regard to case. HEAD is "
    "answered"
    " as GET is, without the body. A method that a path does not have is 405, an unknown path 404."
    " Bodies should be sent as described here. The server accepts more: names in any case, numbers"
    " as strings, booleans as 0, 1, True or False, enums by name, an empty string for a value that "
    "is"
    " left out, and forms. Under Prefer: handling=strict it accepts none of these but numbers as"
    " strings. In a query a reference may also be called by its name with Id, and booleans may be 1"
    " and 0.";

static const char about_nexudus[] =
    " This server imitates the hosted service (compatibility = nexudus): a PUT resets the members"
    " that its body leaves out, 401 has no body and also stands for 403, 404 is a string, and 429"
    " answers a caller who sends more requests than the hosted service allows.";

static void add_info(struct buffer *out, bool nexudus) {
    buffer_add(out, TEXT("\"info\":{\"title\":\"Roster\",\"version\":\"" ROSTER_VERSION
                         "\",\"summary\":\"User administration\",\"license\":{\"name\":"
                         "\"Apache License 2.0\",\"identifier\":\"Apache-2.0\"},\"contact\":{"
                         "\"name\":\"The operator of this server\"},\"description\":\""));
    buffer_add(out, text_of(about));
    if (nexudus)
        buffer_add(out, text_of(about_nexudus));
    buffer_add(out, TEXT("\"},"));
}

static void add_schemes(struct buffer *out, bool accepts_basic) {
    buffer_add(out, TEXT("\"securitySchemes\":{"));
    if (accepts_basic)
        buffer_add(out,
                   TEXT("\"basic\":{\"type\":\"http\",\"scheme\":\"basic\",\"description\":\"an"
                        " e-mail address and its password\"},"));
    buffer_add(out, TEXT("\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"an"
                         " access_token of POST /api/token\"}},"));
}

bool openapi_make(struct app *app) {
    struct buffer *out = &app->description;
    buffer_init(out, &app->memory, (size_t)384 * 1024);
    buffer_add(out, TEXT("{\"openapi\":\"3.1.0\","));
    add_info(out, app->nexudus);
    add_tags(out);
    /* Some clients try each scheme and keep the last one, which should be the token. */
    buffer_printf(out, "\"servers\":[{\"url\":\"/\"}],\"security\":[%s{\"bearer\":[]}],\"paths\":{",
                  app->accepts_basic ? "{\"basic\":[]}," : "");
    add_paths(out, app->nexudus);
    buffer_add(out, TEXT("},\"components\":{"));
    add_schemes(out, app->accepts_basic);
    add_failures(out, app->nexudus);
    for (unsigned i = 1; i < COMPONENTS - 1; i++) /* the first line opens, the last one closes */
        buffer_add(out, text_of(components[i]));
    add_schemas(out, app->nexudus);
    buffer_add(out, TEXT("}}}"));
    return !out->failed && !app->memory.failed;
}

void openapi_get(struct request *request) {
    reply_json(request, 200, &request->app->description);
}
