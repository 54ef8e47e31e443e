/* GET /api/openapi.json: the OpenAPI 3.1 description of this server, derived from the table of
 * routes and the field tables, so that it cannot say anything else than they do. */
#include "api/resources.h"
#include "json/json.h"
#include "model/tables.h"
#include "version.h"

#include <ctype.h>

/* What a schema is for: the same field is another thing in a body than in a record. */
enum use { IN_RECORD, IN_LIST, IN_CHANGE };

static void add_string(struct buffer *out, const char *name, struct text value) {
    buffer_printf(out, "\"%s\":", name);
    json_add_string(out, value);
}

/* ---- Schemas of fields ---- */

/* JSON Schema's words for a type, without the braces; a number's null stands for an empty value. */
static void add_type(struct buffer *out, const struct field *field) {
    switch (field->type) {
    case TYPE_id:
    case TYPE_reference:
        buffer_add(out, TEXT("\"type\":[\"integer\",\"null\"],\"minimum\":1,"
                             "\"maximum\":9007199254740991"));
        break;
    case TYPE_integer:
        buffer_add(out, TEXT("\"type\":[\"integer\",\"null\"],\"minimum\":0"));
        if (field->max)
            buffer_printf(out, ",\"maximum\":%u", field->max);
        break;
    case TYPE_boolean: buffer_add(out, TEXT("\"type\":[\"boolean\",\"null\"]")); break;
    case TYPE_date:
        buffer_add(out, TEXT("\"type\":[\"string\",\"null\"],\"format\":\"date-time\""));
        break;
    case TYPE_guid:
        buffer_add(out, TEXT("\"type\":[\"string\",\"null\"],\"format\":\"uuid\""));
        break;
    case TYPE_email:
        buffer_add(out, TEXT("\"type\":[\"string\",\"null\"],\"format\":\"idn-email\""));
        break;
    case TYPE_url:
        buffer_add(out, TEXT("\"type\":[\"string\",\"null\"],\"format\":\"uri\""));
        break;
    case TYPE_text:
    case TYPE_sealed:
    case TYPE_totp:
    case TYPE_name:
    case TYPE_password: buffer_add(out, TEXT("\"type\":[\"string\",\"null\"]")); break;
    case TYPE_choice: buffer_add(out, TEXT("\"type\":[\"integer\",\"null\"]")); break;
    case TYPE_links:
    case TYPE_owners:
    case TYPE_added:
    case TYPE_removed:
        buffer_add(out, TEXT("\"type\":[\"array\",\"null\"],\"items\":{\"type\":\"integer\","
                             "\"minimum\":1,\"maximum\":9007199254740991}"));
        if (field->max)
            buffer_printf(out, ",\"maxItems\":%u", field->max);
        break;
    case TYPE_no: buffer_add(out, TEXT("\"const\":false")); break;
    case TYPE_empty:
    case FIELD_TYPES: buffer_add(out, TEXT("\"type\":\"null\"")); break;
    }
}

static void add_choices(struct buffer *out, const struct field *field) {
    struct buffer names;
    buffer_init(&names, out->arena, 128);
    buffer_add(out, TEXT(",\"enum\":["));
    for (uint32_t number = 1; number <= field->max; number++)
        if (!choice_name(field, number).at)
            buffer_printf(out, "%u,", number);
    for (const struct choice *choice = field->choices; choice->name; choice++) {
        buffer_printf(out, "%lld,", (long long)choice->number);
        buffer_printf(&names, "%s%lld: %s", names.len ? ", " : "", (long long)choice->number,
                      choice->name);
    }
    buffer_add(out, TEXT("null],"));
    add_string(out, "description", buffer_text(&names));
    out->failed |= names.failed;
}

static bool is_text(const struct field *field) {
    switch (field->type) {
    case TYPE_text:
    case TYPE_email:
    case TYPE_url:
    case TYPE_sealed:
    case TYPE_totp:
    case TYPE_password: return true;
    default: return false;
    }
}

static void add_field(struct buffer *out, const struct field *field, enum use use) {
    json_add_string(out, field->name);
    buffer_add(out, TEXT(":{"));
    if (use != IN_CHANGE && (field_is_secret(field) || field->flags & TRANSIENT)) {
        buffer_add(out, TEXT("\"type\":\"null\",\"description\":\"never shown\"}"));
        return;
    }
    add_type(out, field);
    if (use == IN_CHANGE && is_text(field) && field->max)
        buffer_printf(out, ",\"maxLength\":%u", field->max);
    if (field->choices)
        add_choices(out, field);
    if (use == IN_CHANGE && (field_is_secret(field) || field->flags & TRANSIENT ||
                             field->type == TYPE_added || field->type == TYPE_removed))
        buffer_add(out, TEXT(",\"writeOnly\":true"));
    if (use != IN_CHANGE && !field_is_writable(field))
        buffer_add(out, TEXT(",\"readOnly\":true"));
    buffer_add_char(out, '}');
}

static bool is_used(const struct field *field, enum use use) {
    if (use == IN_CHANGE)
        return field_is_writable(field);
    return field_is_shown(field) && !(use == IN_LIST && field_is_list(field));
}

static void add_required(struct buffer *out, const struct table *table, enum use use) {
    const char *separator = ",\"required\":[";
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        bool is_asked = use != IN_CHANGE || (field->flags & REQUIRED && field->type != TYPE_id);
        if (!is_used(field, use) || !is_asked)
            continue;
        buffer_add(out, text_of(separator));
        json_add_string(out, field->name);
        separator = ",";
    }
    if (*separator == ',' && separator[1] == '\0')
        buffer_add_char(out, ']');
}

static void add_schema(struct buffer *out, const struct table *table, const char *suffix,
                       enum use use) {
    const char *separator = "";
    buffer_printf(out, ",\"%s%s\":{\"type\":\"object\",\"properties\":{", table->entity, suffix);
    for (unsigned i = 0; i < table->count; i++) {
        if (!is_used(&table->fields[i], use))
            continue;
        buffer_add(out, text_of(separator));
        add_field(out, &table->fields[i], use);
        separator = ",";
    }
    buffer_add_char(out, '}');
    add_required(out, table, use);
    if (use != IN_CHANGE)
        buffer_add(out, TEXT(",\"additionalProperties\":false"));
    buffer_add_char(out, '}');
}

/* ---- What is the same for all ---- */

static const char fixed_schemas[] =
    "\"Error\":{\"type\":\"object\",\"properties\":{\"AttemptedValue\":{},\"Message\":{\"type\":"
    "\"string\"},\"PropertyName\":{\"type\":\"string\"}},\"required\":[\"AttemptedValue\","
    "\"Message\",\"PropertyName\"],\"additionalProperties\":false},"
    "\"Envelope\":{\"type\":\"object\",\"description\":\"what every action answers with\","
    "\"properties\":{\"Status\":{\"type\":\"integer\"},\"Message\":{\"type\":[\"string\",\"null\"]}"
    ","
    "\"Value\":{},\"OpenInDialog\":{\"type\":\"boolean\"},\"OpenInWindow\":{\"type\":\"boolean\"},"
    "\"RedirectURL\":{\"type\":\"null\"},\"JavaScript\":{\"type\":\"null\"},\"UpdatedOn\":{"
    "\"type\":"
    "\"string\",\"format\":\"date-time\"},\"UpdatedBy\":{\"type\":[\"string\",\"null\"]},"
    "\"Errors\":{\"type\":"
    "[\"array\",\"null\"],\"items\":{\"$ref\":\"#/components/schemas/Error\"}},\"WasSuccessful\":"
    "{\"type\":\"boolean\"}},\"required\":[\"Status\",\"Message\",\"Value\",\"Errors\","
    "\"WasSuccessful\"],\"additionalProperties\":false},"
    "\"Invalid\":{\"type\":\"object\",\"description\":\"everything that is wrong, at once\","
    "\"properties\":{\"Message\":{\"type\":\"string\"},\"Value\":{\"type\":\"null\"},\"Errors\":"
    "{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/components/schemas/Error\"}},"
    "\"WasSuccessful\":{\"const\":false}},\"required\":[\"Message\",\"Value\",\"Errors\","
    "\"WasSuccessful\"],\"additionalProperties\":false},"
    "\"Grant\":{\"type\":\"object\",\"properties\":{\"access_token\":{\"type\":\"string\"},"
    "\"token_type\":{\"const\":\"bearer\"},\"expires_in\":{\"type\":\"integer\"},\"refresh_token\":"
    "{\"type\":\"string\"}},\"required\":[\"access_token\",\"token_type\",\"expires_in\","
    "\"refresh_token\"],\"additionalProperties\":false},"
    "\"GrantError\":{\"type\":\"object\",\"properties\":{\"error\":{\"type\":\"string\"},"
    "\"error_description\":{\"type\":\"string\"}},\"required\":[\"error\"],"
    "\"additionalProperties\":false},"
    "\"GrantForm\":{\"type\":\"object\",\"properties\":{\"grant_type\":{\"enum\":[\"password\","
    "\"refresh_token\"]},\"username\":{\"type\":\"string\"},\"password\":{\"type\":\"string\"},"
    "\"totp\":{\"type\":\"string\"},\"refresh_token\":{\"type\":\"string\"},\"client_id\":{"
    "\"type\":"
    "\"string\"}},\"required\":[\"grant_type\"]}";

static const struct {
    unsigned status;
    const char *name, *description, *schema;
} replies[] = {
    { 200, "Done", "done, and durable", "Envelope" },
    { 400, "Invalid", "the request is not valid", "Invalid" },
    { 401, "Unauthenticated", "no credentials, or bad ones", "Envelope" },
    { 403, "Denied", "the caller may not do this", "Envelope" },
    { 404, "NotFound", "there is no such record", "Envelope" },
    { 409, "Conflict", "what is stored does not allow it: the message says why", "Envelope" },
    { 412, "Stale", "If-Match names another version", "Envelope" },
    { 413, "TooLarge", "the body is larger than 1 MiB", "Envelope" },
    { 422, "Mismatch", "the Idempotency-Key was used with another body", "Envelope" },
    { 429, "Busy", "wait, then try again", "Envelope" },
    { 500, "Broken", "nothing was done", "Envelope" },
    { 503, "Unavailable", "the server is stopping", "Envelope" },
};
enum { REPLIES = sizeof replies / sizeof replies[0] };

static void add_fixed_replies(struct buffer *out) {
    for (unsigned i = 0; i < REPLIES; i++)
        buffer_printf(out,
                      "%s\"%s\":{\"description\":\"%s\",\"content\":{\"application/json\":{"
                      "\"schema\":{\"$ref\":\"#/components/schemas/%s\"}}}}",
                      i ? "," : "", replies[i].name, replies[i].description, replies[i].schema);
}

/* ---- Operations ---- */

static const struct {
    void (*handler)(struct request *request);
    const struct table *body;
} bodies[] = {
    { resource_run_command, &command_table },
    { credentials_validate, &credentials_table },
    { one_time_by_password, &one_time_request_table },
    { password_reset, &password_reset_table },
};
enum { BODIES = sizeof bodies / sizeof bodies[0] };

static const char *const method_names[] = {
    [METHOD_GET] = "get",     [METHOD_POST] = "post",     [METHOD_PUT] = "put",
    [METHOD_PATCH] = "patch", [METHOD_DELETE] = "delete", [METHOD_OPTIONS] = "options",
};

static bool is_writing(const struct route *route) {
    return route->handler == resource_put || route->handler == resource_post ||
           route->handler == resource_patch;
}

static void add_parameter(struct buffer *out, const char *name, const char *schema) {
    buffer_printf(out, ",{\"name\":\"%s\",\"in\":\"query\",\"schema\":{%s}}", name, schema);
}

/* A reference is called without its Id. */
static struct text name_in_filters(const struct field *field) {
    return (struct text){ field->name.at,
                          field->name.len - (field->type == TYPE_reference ? 2 : 0) };
}

/* Filters by the fields of a table, whose names begin with "User_", or "User_Application_". */
static void add_filters_by(struct buffer *out, const struct table *table, const char *prefix) {
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        bool is_range = field->type == TYPE_date || field->type == TYPE_integer;
        struct text name = name_in_filters(field);
        if (!field_is_shown(field) || !field_is_searchable(field) || !field_is_stored(field))
            continue;
        buffer_printf(out,
                      ",{\"name\":\"%s%.*s\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}}",
                      prefix, (int)name.len, name.at);
        for (int to = 0; is_range && to < 2; to++)
            buffer_printf(
                out, ",{\"name\":\"%s_%s%.*s\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}}",
                to ? "to" : "from", prefix, (int)name.len, name.at);
    }
}

/* The filters that api/search.c derives from the same fields. */
static void add_filters(struct buffer *out, const struct table *table) {
    add_filters_by(out, table, arena_printf(out->arena, "%s_", table->entity).at);
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        struct text name = name_in_filters(field);
        if (field->type == TYPE_reference)
            add_filters_by(
                out, field->target,
                arena_printf(out->arena, "%s_%.*s_", table->entity, (int)name.len, name.at).at);
    }
}

static void add_parameters(struct buffer *out, const struct route *route) {
    bool has_id = strstr(route->path.at, "{id}") != NULL;
    struct buffer list;
    buffer_init(&list, out->arena, 1024);
    if (has_id)
        buffer_add(&list, TEXT(",{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"schema\":{"
                               "\"type\":\"integer\",\"minimum\":1}}"));
    if (route->handler == resource_put || route->handler == resource_patch ||
        route->handler == resource_delete)
        buffer_add(&list, TEXT(",{\"name\":\"If-Match\",\"in\":\"header\",\"schema\":{\"type\":"
                               "\"string\"}}"));
    if (route_searches(route)) {
        add_parameter(&list, "page", "\"type\":\"integer\",\"minimum\":1,\"default\":1");
        add_parameter(&list, "size", "\"type\":\"integer\",\"minimum\":1,\"default\":25");
        add_parameter(&list, "orderBy", "\"type\":\"string\"");
        add_parameter(&list, "dir", "\"type\":\"string\"");
        add_parameter(&list, "id",
                      "\"type\":\"string\",\"description\":\"an Id; a list in"
                      " brackets gives a bare array of whole records\"");
        add_filters(&list, route->resource->table);
    }
    if (route->handler == enums_get)
        add_parameter(&list, "name", "\"type\":\"string\"");
    if (list.len)
        buffer_printf(out, ",\"parameters\":[%.*s]", (int)list.len - 1, list.at + 1);
    out->failed |= list.failed;
}

static void add_body(struct buffer *out, const struct route *route) {
    const char *entity = NULL, *suffix = "";
    if (is_writing(route)) {
        entity = route->resource->table->entity;
        suffix = route->handler == resource_patch ? "Patch" : "Change";
    }
    for (unsigned i = 0; i < BODIES; i++)
        if (bodies[i].handler == route->handler)
            entity = bodies[i].body->entity;
    if (route->handler == token_post)
        entity = "GrantForm";
    if (!entity)
        return;
    const char *type = route->handler == token_post       ? "application/x-www-form-urlencoded"
                       : route->handler == resource_patch ? "application/merge-patch+json"
                                                          : "application/json";
    buffer_printf(out,
                  ",\"requestBody\":{\"required\":true,\"content\":{\"%s\":{\"schema\":{\"$ref\":"
                  "\"#/components/schemas/%s%s\"}}}}",
                  type, entity, suffix);
}

static void add_reply(struct buffer *out, unsigned status) {
    for (unsigned i = 0; i < REPLIES; i++)
        if (replies[i].status == status)
            buffer_printf(out, ",\"%u\":{\"$ref\":\"#/components/responses/%s\"}", status,
                          replies[i].name);
}

static void add_content(struct buffer *out, const char *schema) {
    buffer_printf(
        out, "\"200\":{\"description\":\"OK\",\"content\":{\"application/json\":{\"schema\":%s}}}",
        schema);
}

/* What a success looks like. */
static bool gives_one_time_token(const struct route *route) {
    return route->handler == one_time_by_password || route->handler == one_time_own ||
           route->handler == one_time_of;
}

static void add_success(struct buffer *out, const struct route *route) {
    const char *entity = route->resource ? route->resource->table->entity : NULL;
    struct arena *arena = out->arena;
    if (route->handler == resource_get) {
        struct text schema = arena_printf(arena, "{\"$ref\":\"#/components/schemas/%s\"}", entity);
        add_content(out, schema.at ? schema.at : "{}");
        buffer_add(out, TEXT(",\"304\":{\"description\":\"If-None-Match names this version\"}"));
    } else if (route_searches(route)) {
        struct text schema = arena_printf(
            arena,
            "{\"oneOf\":[{\"$ref\":\"#/components/schemas/%sPage\"},{\"type\":\"array\",\"items\":"
            "{\"$ref\":\"#/components/schemas/%s\"}}]}",
            entity, entity);
        add_content(out, schema.at ? schema.at : "{}");
    } else if (route->handler == token_post || route->handler == one_time_exchange) {
        add_content(out, "{\"$ref\":\"#/components/schemas/Grant\"}");
    } else if (is_writing(route) || route->handler == resource_delete ||
               route->handler == resource_run_command || route->handler == password_reset ||
               route->handler == credentials_validate || gives_one_time_token(route)) {
        buffer_add(out, TEXT("\"200\":{\"$ref\":\"#/components/responses/Done\"}"));
    } else {
        buffer_add(out, TEXT("\"200\":{\"description\":\"OK\"}"));
    }
}

static void add_replies(struct buffer *out, const struct route *route) {
    bool changes = is_writing(route) || route->handler == resource_delete;
    bool has_id = strstr(route->path.at, "{id}") != NULL;
    buffer_add(out, TEXT(",\"responses\":{"));
    add_success(out, route);
    if (route->handler == token_post)
        buffer_add(out,
                   TEXT(",\"400\":{\"description\":\"refused\",\"content\":{\"application/json\":"
                        "{\"schema\":{\"$ref\":\"#/components/schemas/GrantError\"}}}}"));
    else
        add_reply(out, 400);
    if (route->permission != -1 || route->handler == one_time_exchange)
        add_reply(out, 401);
    if (route->permission != -1)
        add_reply(out, 403);
    if (has_id || route->handler == resource_put || route->handler == metrics_get)
        add_reply(out, 404);
    if (changes || gives_one_time_token(route))
        add_reply(out, 409);
    if (changes)
        add_reply(out, 412);
    if (route->method != METHOD_GET)
        add_reply(out, 413);
    if (route->handler == resource_post)
        add_reply(out, 422);
    add_reply(out, 429);
    if (route->handler != token_post) {
        add_reply(out, 500);
        add_reply(out, 503);
    }
    buffer_add_char(out, '}');
}

static void add_operation(struct buffer *out, const struct route *route) {
    const char *tag = route->resource ? route->resource->table->entity : "Server";
    char role[32];
    buffer_printf(out, "\"%s\":{\"tags\":[\"%s\"],", method_names[route->method], tag);
    add_string(out, "summary", text_of(route->summary));
    if (route->permission >= 0) {
        permission_name((unsigned)route->permission, role);
        buffer_printf(out,
                      route_shows_users(route)
                          ? ",\"description\":\"Needs the roles %s and User-Read.\""
                          : ",\"description\":\"Needs the role %s.\"",
                      role);
    }
    buffer_printf(out, ",\"operationId\":\"%s", method_names[route->method]);
    for (size_t i = 0; i < route->path.len; i++)
        if (isalnum((unsigned char)route->path.at[i]))
            buffer_add_char(out, route->path.at[i]);
        else if (route->path.at[i] == '/')
            buffer_add_char(out, '_');
    buffer_add_char(out, '"');
    if (route->permission == -1)
        buffer_add(out, TEXT(",\"security\":[]"));
    add_parameters(out, route);
    add_body(out, route);
    add_replies(out, route);
    buffer_add_char(out, '}');
}

static bool is_first_of_path(unsigned route) {
    for (unsigned i = 0; i < route; i++)
        if (text_equal(routes[i].path, routes[route].path))
            return false;
    return true;
}

static void add_paths(struct buffer *out) {
    const char *separator = "";
    for (unsigned i = 0; i < route_count; i++) {
        if (!is_first_of_path(i))
            continue;
        buffer_printf(out, "%s\"%s\":{", separator, routes[i].path.at);
        separator = "";
        for (unsigned j = i; j < route_count; j++) {
            if (!text_equal(routes[j].path, routes[i].path))
                continue;
            buffer_add(out, text_of(separator));
            add_operation(out, &routes[j]);
            separator = ",";
        }
        buffer_add_char(out, '}');
        separator = ",";
    }
}

static void add_page_schema(struct buffer *out, const struct table *table) {
    add_schema(out, table, "Listed", IN_LIST);
    buffer_printf(out,
                  ",\"%sPage\":{\"type\":\"object\",\"properties\":{\"Records\":{\"type\":"
                  "\"array\",\"items\":{"
                  "\"$ref\":\"#/components/schemas/%sListed\"}}",
                  table->entity, table->entity);
    buffer_add(out,
               TEXT(",\"CurrentPage\":{\"type\":\"integer\"},\"CurrentPageSize\":{\"type\":"
                    "\"integer\"},\"CurrentOrderField\":{\"type\":\"string\"},"
                    "\"CurrentSortDirection\":{\"enum\":[0,1]},\"FirstItem\":{\"type\":"
                    "\"integer\"},\"LastItem\":{\"type\":\"integer\"},\"TotalItems\":{\"type\":"
                    "\"integer\"},\"TotalPages\":{\"type\":\"integer\"},\"HasNextPage\":{"
                    "\"type\":\"boolean\"},\"HasPreviousPage\":{\"type\":\"boolean\"}},"
                    "\"required\":[\"Records\",\"CurrentPage\",\"CurrentPageSize\","
                    "\"CurrentOrderField\",\"CurrentSortDirection\",\"FirstItem\","
                    "\"LastItem\",\"TotalItems\",\"TotalPages\",\"HasNextPage\","
                    "\"HasPreviousPage\"],\"additionalProperties\":false}"));
}

/* A patch is a change of which nothing is required: the same properties, by reference. */
static void add_patch_schema(struct buffer *out, const struct table *table) {
    const char *separator = "";
    buffer_printf(out, ",\"%sPatch\":{\"type\":\"object\",\"properties\":{", table->entity);
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!is_used(field, IN_CHANGE))
            continue;
        buffer_printf(out, "%s\"%s\":{\"$ref\":\"#/components/schemas/%sChange/properties/%s\"}",
                      separator, field->name.at, table->entity, field->name.at);
        separator = ",";
    }
    buffer_add(out, TEXT("}}"));
}

static void add_schemas(struct buffer *out) {
    buffer_add(out, text_of(fixed_schemas));
    for (unsigned i = 0; i < TABLES; i++) {
        add_schema(out, tables[i], "", IN_RECORD);
        add_page_schema(out, tables[i]);
    }
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].handler == resource_put) {
            add_schema(out, routes[i].resource->table, "Change", IN_CHANGE);
            add_patch_schema(out, routes[i].resource->table);
        }
    for (unsigned i = 0; i < BODIES; i++)
        add_schema(out, bodies[i].body, "", IN_CHANGE);
}

void openapi_get(struct request *request) {
    struct buffer out;
    buffer_init(&out, request->arena, (size_t)256 * 1024);
    buffer_add(
        &out,
        TEXT("{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Roster\",\"version\":\"" ROSTER_VERSION
             "\",\"summary\":\"User administration\"},"
             "\"servers\":[{\"url\":\"/\"}],\"security\":[{\"bearer\":[]},"
             "{\"basic\":[]}],\"paths\":{"));
    add_paths(&out);
    buffer_add(&out, TEXT("},\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\","
                          "\"scheme\":\"bearer\"},\"basic\":{\"type\":\"http\",\"scheme\":"
                          "\"basic\"}},\"responses\":{"));
    add_fixed_replies(&out);
    buffer_add(&out, TEXT("},\"schemas\":{"));
    add_schemas(&out);
    buffer_add(&out, TEXT("}}}"));
    reply_json(request, 200, &out);
}
