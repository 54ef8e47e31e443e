/* GET /api/utils/fields: what a form has to know about the fields of an entity. It follows from the
 * field tables, so that a form shows a new field without being changed. */
#include "api/handlers.h"
#include "api/reply.h"
#include "json/json.h"
#include "model/permission.h"
#include "model/tables.h"
#include "rules/filter.h"
#include "rules/messages.h"
#include "service/resources.h"

#include <ctype.h>

static const char *const type_names[] = {
    [TYPE_id] = "Id",           [TYPE_text] = "Text",
    [TYPE_email] = "Email",     [TYPE_url] = "Url",
    [TYPE_integer] = "Integer", [TYPE_boolean] = "Boolean",
    [TYPE_date] = "Date",       [TYPE_guid] = "Guid",
    [TYPE_choice] = "Choice",   [TYPE_reference] = "Reference",
    [TYPE_links] = "Links",     [TYPE_added] = "Links",
    [TYPE_removed] = "Links",   [TYPE_backlinks] = "Links",
    [TYPE_name] = "Text",       [TYPE_sealed] = "Secret",
    [TYPE_totp] = "Secret",     [TYPE_password] = "Secret",
    [TYPE_empty] = "Nothing",   [TYPE_no] = "Nothing",
};

/* Is it a field of forms? Added and Removed lists are another way to set a list, and what Roster
 * does not use is left out. */
static bool is_told(const struct field *field) {
    return !(field->flags & HIDDEN) && field->type != TYPE_added && field->type != TYPE_removed &&
           field->type != TYPE_empty && field->type != TYPE_no;
}

/* The part of a form that a field stands in. */
static const char *group_of(const struct field *field) {
    if (field->flags & NOTICE)
        return "Notifications";
    if (field->type == TYPE_email)
        return "Details";
    if (field->flags & (ACCESS | CONFIDENTIAL) || field_is_secret(field))
        return "Access";
    if (!field_is_writable(field) || field->type == TYPE_id || field->type == TYPE_date ||
        field->type == TYPE_integer || field->type == TYPE_guid)
        return "Status";
    return "Details";
}

/* Adds the permission that a change of the field needs, or that only unrestricted administrators
 * make it. */
static void add_writer(struct buffer *out, const struct table *table, unsigned at) {
    const struct field *field = &table->fields[at];
    char name[32];
    if (!field_is_writable(field) || field->type == TYPE_id) {
        buffer_add(out, TEXT("null"));
        return;
    }
    permission_name(permission(table->permission_entity, OPERATION_Edit), name);
    bool is_admins = table == &user_table && at == USER_IsAdmin;
    buffer_printf(out, "\"%s\"", is_admins ? "Administrator" : name);
}

/* "OnNewBlogComment" becomes On new blog comment, "DefaultBusinessId" Default business. */
static void add_label(struct buffer *out, const struct field *field) {
    struct text name = field_link_name(field);
    buffer_add_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        bool is_upper = isupper((unsigned char)name.at[i]);
        bool in_word = i > 0 && isupper((unsigned char)name.at[i - 1]);
        bool before_word = i + 1 < name.len && islower((unsigned char)name.at[i + 1]);
        bool begins = is_upper && i > 0 && (!in_word || before_word);
        if (begins)
            buffer_add_char(out, ' ');
        buffer_add_char(out, begins && before_word ? text_lower(name.at[i]) : name.at[i]);
    }
    buffer_add_char(out, '"');
}

static void add_help(struct buffer *out, const struct field *field) {
    struct text help = field->type == TYPE_totp       ? MESSAGE_TEXT(totp)
                       : field->type == TYPE_password ? MESSAGE_TEXT(password_too_short)
                                                      : (struct text){ 0 };
    if (help.at)
        json_add_string(out, help);
    else
        buffer_add(out, TEXT("null"));
}

static void add_choices(struct buffer *out, const struct field *field) {
    const char *separator = "";
    if (!field->choices) {
        buffer_add(out, TEXT("null"));
        return;
    }
    buffer_add_char(out, '[');
    for (const struct choice *choice = field->choices; choice->name; choice++) {
        buffer_printf(out, "%s{\"Id\":%lld,\"Name\":\"%s\",\"Label\":\"%s\"}", separator,
                      (long long)choice->number, choice->name, choice->name);
        separator = ",";
    }
    buffer_add_char(out, ']');
}

/* Where the records of a table are searched; NULL: nowhere. */
static const char *path_of(const struct table *table) {
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].is_search && routes[i].resource->table == table)
            return routes[i].path.at;
    return NULL;
}

static void add_target(struct buffer *out, const struct table *target) {
    if (target)
        buffer_printf(out, "{\"Entity\":\"%s\",\"Path\":\"%s\"}", target->entity, path_of(target));
    else
        buffer_add(out, TEXT("null"));
}

static const char *json_bool(bool is_true) {
    return is_true ? "true" : "false";
}

static void add_field(struct buffer *out, const struct table *table, unsigned at) {
    const struct field *field = &table->fields[at];
    unsigned flags = field->flags;
    buffer_add(out, TEXT("{\"Name\":"));
    json_add_string(out, field->name);
    buffer_add(out, TEXT(",\"Label\":"));
    add_label(out, field);
    buffer_printf(out, ",\"Group\":\"%s\",\"Type\":\"%s\",\"Max\":%u", group_of(field),
                  type_names[field->type], field->max);
    buffer_printf(out, ",\"IsRequired\":%s,\"IsFilled\":%s,\"IsMultiLine\":%s",
                  json_bool(flags & (REQUIRED | FILLED)), json_bool(flags & FILLED),
                  json_bool(flags & MULTI_LINE));
    buffer_printf(out, ",\"IsShown\":%s,\"IsOrder\":%s",
                  json_bool(!field_is_secret(field) && !(flags & TRANSIENT)),
                  json_bool(filter_can_order(field)));
    buffer_add(out, TEXT(",\"WrittenBy\":"));
    add_writer(out, table, at);
    buffer_add(out, TEXT(",\"Target\":"));
    add_target(out, field_target(table, field));
    buffer_add(out, TEXT(",\"Choices\":"));
    add_choices(out, field);
    buffer_add(out, TEXT(",\"Help\":"));
    add_help(out, field);
    buffer_add_char(out, '}');
}

static void refuse_name(struct request *request, struct text asked) {
    struct errors errors = { 0 };
    errors_add(&errors, request->arena,
               &(struct error){ .property = TEXT("name"),
                                .message = asked.len ? MESSAGE_TEXT(unknown_entity)
                                                     : MESSAGE_TEXT(required) });
    reply_invalid(request, &errors);
}

static struct text asked_name(const struct request *request) {
    struct text rest = exchange_query(request->exchange), name, value;
    while (form_next(&rest, request->arena, &name, &value))
        if (name.at && value.at && text_equal_nocase(name, TEXT("name")))
            return value;
    return (struct text){ 0 };
}

void fields_get(struct request *request) {
    struct text asked = asked_name(request);
    const struct table *table = tables_find(asked);
    const char *separator = "";
    struct buffer body;
    if (!table) {
        refuse_name(request, asked);
        return;
    }
    buffer_init(&body, request->arena, (size_t)32 * 1024);
    buffer_printf(&body, "{\"Entity\":\"%s\",\"Path\":\"%s\",\"Fields\":[", table->entity,
                  path_of(table));
    for (unsigned i = 0; i < table->count; i++) {
        if (!is_told(&table->fields[i]))
            continue;
        buffer_add(&body, text_of(separator));
        add_field(&body, table, i);
        separator = ",";
    }
    buffer_add(&body, TEXT("]}"));
    reply_json(request, 200, &body);
}
