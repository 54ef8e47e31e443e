/* Bodies as clients send them: JSON whatever Content-Type says (curl -d calls it a form), or a
 * form, which is made into the JSON that it stands for. */
#include "api/ignored.h"

#include "json/json.h"
#include "rules/date.h"
#include "rules/email.h"
#include "rules/messages.h"
#include "rules/validate.h"

/* The values of one field of a form. */
struct given {
    struct text name; /* as it came first */
    struct buffer values;
    unsigned count;
    bool is_list;
};

struct form {
    struct request *request;
    const struct table *table;
    struct given *given; /* one a field */
    struct buffer json;
    struct text wrong; /* `at` NULL: nothing is */
};

/* No JSON object or array is mistaken for a form: forms escape brackets in names. */
static bool is_form(const struct request *request) {
    struct text type = exchange_header(request->exchange, "Content-Type");
    struct text media = text_trim(text_cut(&type, ';')), body = text_trim(request->exchange->body);
    return text_equal_nocase(media, TEXT("application/x-www-form-urlencoded")) && body.len &&
           !strchr("{[", body.at[0]) && !text_starts_nocase(body, TEXT("\xEF\xBB\xBF"));
}

static bool takes_list(const struct field *field) {
    return field_is_list(field) || field->type == TYPE_added || field->type == TYPE_removed;
}

static void add_member(struct form *form, struct text name, struct text json) {
    buffer_add_char(&form->json, form->json.len > 1 ? ',' : ' ');
    json_add_string(&form->json, name);
    buffer_add_char(&form->json, ':');
    buffer_add(&form->json, json);
}

/* In a form a plus that was not escaped is a blank. */
static struct text with_plus(const struct form *form, const struct field *field,
                             struct text value) {
    value = text_trim(value);
    if (field->type == TYPE_email)
        return email_with_plus(value, form->request->arena);
    return date_with_plus(value, form->request->arena);
}

static void give(struct form *form, const struct field *field, struct text name,
                 struct text value) {
    struct given *given = &form->given[field - form->table->fields];
    bool is_listed = text_take_brackets(&name);
    if (!given->count)
        buffer_init(&given->values, form->request->arena, value.len + 2);
    else if (!text_equal(given->name, name)) { /* another spelling: a member twice */
        add_member(form, name, TEXT("null"));
        return;
    } else
        buffer_add_char(&given->values, ',');
    given->name = name;
    given->is_list |= is_listed || given->count || (takes_list(field) && value.len);
    given->count++;
    if (field->type == TYPE_email || field->type == TYPE_date)
        value = with_plus(form, field, value);
    json_add_string(&given->values, value);
}

static void take_pair(struct form *form, struct text name, struct text value) {
    struct text plain = name;
    if (!name.at || !value.at) {
        form->wrong = TEXT("is a form that is not percent-encoded correctly");
        return;
    }
    if (!validate_is_utf8(name) || !validate_is_utf8(value)) {
        form->wrong = TEXT("is a form whose text is not UTF-8");
        return;
    }
    (void)text_take_brackets(&plain);
    const struct field *field = table_field_nocase(form->table, plain);
    if (field)
        give(form, field, name, value);
    else
        add_member(form, name, TEXT("null")); /* to be named as ignored */
}

/* An object of strings; of what comes several times, or is a list, a list of strings. */
static struct text form_to_json(struct form *form) {
    struct text rest = form->request->exchange->body, name, value;
    buffer_init(&form->json, form->request->arena, rest.len + 64);
    buffer_add_char(&form->json, '{');
    if (!memchr(rest.at, '=', rest.len))
        form->wrong = TEXT("is neither a JSON object nor a form");
    while (!form->wrong.at && form_next(&rest, form->request->arena, &name, &value))
        take_pair(form, name, value);
    for (unsigned i = 0; i < form->table->count; i++) {
        struct given *given = &form->given[i];
        struct text values = buffer_text(&given->values);
        if (given->is_list)
            values = arena_printf(form->request->arena, "[%.*s]", (int)values.len, values.at);
        if (given->count)
            add_member(form, given->name, values);
        form->json.failed |= given->values.failed || (given->count && !values.at);
    }
    buffer_add_char(&form->json, '}');
    if (form->json.failed)
        return (struct text){ 0 };
    return buffer_text(&form->json);
}

static enum status read_form(struct request *request, const struct table *table,
                             struct change *change, struct errors *errors) {
    struct form form = { .request = request,
                         .table = table,
                         .given = arena_calloc(request->arena, table->count, sizeof *form.given) };
    struct json_body body = { .text = form.given ? form_to_json(&form) : (struct text){ 0 } };
    if (request->arena->failed || !body.text.at)
        return STATUS_BROKEN;
    if (!form.wrong.at)
        return json_read_change(&body, table, request->arena, change, errors);
    *change = change_new(table, request->arena);
    errors_add(errors, request->arena,
               &(struct error){ .property = TEXT("Body"), .message = form.wrong });
    return change->values && !errors->failed ? STATUS_BAD_INPUT : STATUS_BROKEN;
}

/* By all replies: whatever became of the rest, this was not looked at. */
static void name_ignored(struct request *request, const struct change *change) {
    struct ignored ignored;
    ignored_init(&ignored, request->arena);
    for (const struct error *unknown = change->unknown; unknown; unknown = unknown->next)
        ignored_add(&ignored, unknown->property);
    ignored_reply(&ignored, request);
}

enum status request_body(struct request *request, const struct table *table, struct change *change,
                         struct errors *errors) {
    bool is_strict = request_is_strict(request);
    struct json_body body = { request->exchange->body, is_strict };
    enum status status = !is_strict && is_form(request)
                             ? read_form(request, table, change, errors)
                             : json_read_change(&body, table, request->arena, change, errors);
    if (status == STATUS_OK)
        name_ignored(request, change);
    return status;
}

struct text request_address(struct request *request, struct text given) {
    return request_is_strict(request) ? given : email_with_plus(text_trim(given), request->arena);
}
