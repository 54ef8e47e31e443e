/* The schemas of the OpenAPI description, from the field tables. One field has several: in a
 * record, in a list, and in the bodies of create, update, replace and patch. */
#include "api/docs/openapi_schemas.h"

#include "json/json.h"
#include "model/tables.h"
#include "rules/messages.h"

static bool is_body(struct openapi_use use) {
    return use.place != IN_RECORD && use.place != IN_LIST;
}

static void add_string(struct buffer *out, const char *name, struct text value) {
    buffer_printf(out, "\"%s\":", name);
    json_add_string(out, value);
}

/* ---- Schemas of fields ---- */

static bool is_shown_empty(const struct field *field, struct openapi_use use) {
    return !is_body(use) && (field_is_secret(field) || field->flags & TRANSIENT);
}

/* In a body null clears a field, or leaves it as it is; in a record it means that there is no
 * value. */
static bool is_nullable(const struct field *field, struct openapi_use use) {
    if (field->type == TYPE_id || field->flags & (REQUIRED | ALWAYS))
        return false;
    return is_body(use) || (field->type != TYPE_boolean && !field_is_list(field));
}

static void add_types(struct buffer *out, const struct field *field, struct openapi_use use,
                      const char *type) {
    buffer_printf(out, is_nullable(field, use) ? "\"type\":[\"%s\",\"null\"]" : "\"type\":\"%s\"",
                  type);
}

static void add_integer(struct buffer *out, const struct field *field, struct openapi_use use) {
    bool is_number = field->type == TYPE_integer;
    add_types(out, field, use, "integer");
    buffer_printf(out, ",\"minimum\":%d", is_number ? 0 : 1);
    if (!is_number)
        buffer_add(out, TEXT(",\"maximum\":9007199254740991"));
    else if (field->max)
        buffer_printf(out, ",\"maximum\":%u", field->max);
}

static void add_ids(struct buffer *out, const struct field *field, struct openapi_use use) {
    const struct field id = { .type = TYPE_id };
    add_types(out, field, use, "array");
    buffer_add(out, TEXT(",\"items\":{"));
    add_integer(out, &id, use);
    buffer_add_char(out, '}');
    if (is_body(use) && field->flags & REQUIRED)
        buffer_add(out, TEXT(",\"minItems\":1"));
    if (is_body(use) && field->max)
        buffer_printf(out, ",\"maxItems\":%u", field->max);
}

/* The numbers are the enum, their names the description. The hosted service also accepts 0. */
static void add_choices(struct buffer *out, const struct field *field, struct openapi_use use) {
    struct buffer names;
    buffer_init(&names, out->arena, 128);
    add_types(out, field, use, "integer");
    buffer_add(out, use.nexudus ? TEXT(",\"enum\":[0,") : TEXT(",\"enum\":["));
    for (uint32_t number = 1; number <= field->max; number++)
        if (!choice_name(field, number).at)
            buffer_printf(out, "%u,", number);
    for (const struct choice *choice = field->choices; choice->name; choice++) {
        const char *separator = names.len ? "," : "";
        buffer_printf(out, "%s%lld", separator, (long long)choice->number);
        buffer_printf(&names, "%s%s%lld: %s", separator, names.len ? " " : "",
                      (long long)choice->number, choice->name);
    }
    buffer_add(out, is_nullable(field, use) ? TEXT(",null],") : TEXT("],"));
    add_string(out, "description", buffer_text(&names));
    out->failed |= names.failed;
}

/* `more`: further keywords of JSON Schema, each after a comma. */
static void add_text(struct buffer *out, const struct field *field, struct openapi_use use,
                     const char *more) {
    add_types(out, field, use, "string");
    buffer_add(out, text_of(more));
    if (!is_body(use))
        return;
    if (field->max)
        buffer_printf(out, ",\"maxLength\":%u", field->max);
    if (field->flags & FILLED)
        buffer_add(out, TEXT(",\"minLength\":1"));
    if (field->flags & FILLED && field->type != TYPE_url)
        buffer_add(out, TEXT(",\"pattern\":\"[^ \\\\t-\\\\r]\""));
}

static void add_described(struct buffer *out, const struct field *field, struct openapi_use use,
                          struct text description) {
    add_text(out, field, use, "");
    buffer_add_char(out, ',');
    add_string(out, "description", description);
}

#define HTTP_PATTERN "[Hh][Tt][Tt][Pp][Ss]?://"
#define PICTURE_PATTERN "[Dd][Aa][Tt][Aa]:[Ii][Mm][Aa][Gg][Ee]/"

/* The keywords of JSON Schema for a value of the field, without the braces. */
static void add_type(struct buffer *out, const struct field *field, struct openapi_use use) {
    switch (field->type) {
    case TYPE_id:
    case TYPE_reference:
    case TYPE_integer: add_integer(out, field, use); break;
    case TYPE_boolean: add_types(out, field, use, "boolean"); break;
    case TYPE_date: add_text(out, field, use, ",\"format\":\"date-time\""); break;
    case TYPE_guid: add_text(out, field, use, ",\"format\":\"uuid\""); break;
    case TYPE_email: add_text(out, field, use, ",\"format\":\"idn-email\""); break;
    case TYPE_url:
        add_text(out, field, use,
                 field->flags & TRANSIENT /* it may be a data URL, see check_url in validate.c */
                     ? ",\"format\":\"uri\",\"pattern\":\"^(" HTTP_PATTERN "|" PICTURE_PATTERN ")\""
                     : ",\"format\":\"uri\",\"pattern\":\"^" HTTP_PATTERN "\"");
        break;
    case TYPE_text:
    case TYPE_sealed:
    case TYPE_name: add_text(out, field, use, ""); break;
    case TYPE_totp: add_described(out, field, use, MESSAGE_TEXT(totp)); break;
    case TYPE_password: add_described(out, field, use, MESSAGE_TEXT(password_too_short)); break;
    case TYPE_choice: add_choices(out, field, use); break;
    case TYPE_links:
    case TYPE_backlinks:
    case TYPE_added:
    case TYPE_removed: add_ids(out, field, use); break;
    case TYPE_no: buffer_add(out, TEXT("\"const\":false")); break;
    case TYPE_empty:
    case FIELD_TYPES:
        buffer_add(out, is_body(use) ? TEXT("\"description\":\"taken, and ignored\"")
                                     : TEXT("\"type\":\"null\""));
        break;
    }
}

static void add_field(struct buffer *out, const struct field *field, struct openapi_use use) {
    json_add_string(out, field->name);
    buffer_add(out, TEXT(":{"));
    if (is_shown_empty(field, use)) {
        buffer_add(out, TEXT("\"type\":\"null\",\"description\":\"never shown\"}"));
        return;
    }
    add_type(out, field, use);
    if (is_body(use) && (field_is_secret(field) || field->flags & TRANSIENT ||
                         field->type == TYPE_added || field->type == TYPE_removed))
        buffer_add(out, TEXT(",\"writeOnly\":true"));
    if (!is_body(use) && !field_is_writable(field))
        buffer_add(out, TEXT(",\"readOnly\":true"));
    buffer_add_char(out, '}');
}

/* ---- Schemas of tables ---- */

static bool is_record(const struct table *table) {
    for (unsigned i = 0; i < TABLES; i++)
        if (tables[i] == table)
            return true;
    return false;
}

/* Does the schema have the field? Members that the server ignores are described only in bodies that
 * are no records. */
static bool is_used(const struct table *table, const struct field *field, struct openapi_use use) {
    if (is_body(use))
        return field_is_writable(field) ? use.place != IN_CREATE || field->type != TYPE_id
                                        : field->type == TYPE_empty && !is_record(table);
    return field_is_shown(field) && !(use.place == IN_LIST && field_is_list(field));
}

static bool is_asked(const struct field *field, struct openapi_use use) {
    if (use.place == IN_REPLACE && field->type == TYPE_id)
        return false; /* the path has it */
    return !is_body(use) || (use.place != IN_PATCH && field->flags & REQUIRED);
}

static void add_properties(struct buffer *out, const struct table *table, struct openapi_use use) {
    const char *separator = "";
    buffer_add(out, TEXT("\"properties\":{"));
    for (unsigned i = 0; i < table->count; i++) {
        if (!is_used(table, &table->fields[i], use))
            continue;
        buffer_add(out, text_of(separator));
        add_field(out, &table->fields[i], use);
        separator = ",";
    }
}

static void add_required(struct buffer *out, const struct table *table, struct openapi_use use) {
    const char *separator = "";
    buffer_add(out, TEXT(",\"required\":["));
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!is_used(table, field, use) || !is_asked(field, use))
            continue;
        buffer_add(out, text_of(separator));
        json_add_string(out, field->name);
        separator = ",";
    }
}

void openapi_add_schema(struct buffer *out, const struct table *table, const char *suffix,
                        struct openapi_use use) {
    buffer_printf(out, ",\"%s%s\":{\"type\":\"object\",", table->entity, suffix);
    add_properties(out, table, use);
    buffer_add_char(out, '}');
    add_required(out, table, use);
    buffer_add(out, is_body(use) ? TEXT("]}") : TEXT("],\"additionalProperties\":false}"));
}

void openapi_add_account_schema(struct buffer *out, bool nexudus) {
    struct openapi_use use = { IN_RECORD, nexudus };
    static const char properties[] = ",\"DefaultBusinessName\":{\"type\":[\"string\",\"null\"]}"
#define MEMBER(name) ",\"" #name "\":{\"type\":\"null\"}"
#include "api/nexudus/account_members.def"
#undef MEMBER
        ;
    static const char names[] = ",\"DefaultBusinessName\""
#define MEMBER(name) ",\"" #name "\""
#include "api/nexudus/account_members.def"
#undef MEMBER
        ;
    buffer_add(out, TEXT(",\"Account\":{\"type\":\"object\","));
    add_properties(out, &user_table, use);
    buffer_printf(out, "%s}", properties);
    add_required(out, &user_table, use);
    buffer_printf(out, "%s],\"additionalProperties\":false}", names);
}

void openapi_add_page_schema(struct buffer *out, const struct table *table, bool nexudus) {
    openapi_add_schema(out, table, "Listed", (struct openapi_use){ IN_LIST, nexudus });
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
