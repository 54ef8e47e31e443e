/* Forms. A form is converted to the JSON that it stands for, which is then read as any other body.
 */
#include "api/form_body.h"

#include "http/http.h"
#include "rules/date.h"
#include "rules/email.h"
#include "rules/messages.h"
#include "rules/validate.h"

#include <assert.h>

/* The values of one field of a form. */
struct given {
    struct text name; /* as it came first */
    struct buffer values;
    unsigned count;
    bool is_list;
};

/* The pieces of the JSON are freed before the JSON is read, and each pair before the next one. So
 * reading a form takes no more memory than reading its JSON. */
struct form {
    const struct table *table;
    struct given *given;  /* one a field, in `pieces` */
    struct buffer others; /* members that are no field's, or come twice; in `pieces` */
    unsigned other_count;
    struct arena pieces, pair;
    struct text wrong; /* `at` NULL: nothing is */
};

static bool takes_list(const struct field *field) {
    return field_is_list(field) || field->type == TYPE_added || field->type == TYPE_removed;
}

/* Keeps a member that will be reported as ignored, or as given twice. */
static void add_other(struct form *form, struct text name) {
    if (++form->other_count > JSON_MEMBERS_MAX) {
        form->wrong = MESSAGE_TEXT(form_members);
        return;
    }
    json_add_string(&form->others, name);
    buffer_add(&form->others, TEXT(":null,"));
}

/* In a form an unescaped plus means a blank. */
static struct text with_plus(struct form *form, const struct field *field, struct text value) {
    value = text_trim(value);
    if (field->type == TYPE_email)
        return email_with_plus(value, &form->pair);
    return date_with_plus(value, &form->pair);
}

static void give(struct form *form, const struct field *field, struct text name,
                 struct text value) {
    struct given *given = &form->given[field - form->table->fields];
    bool is_listed = text_take_brackets(&name);
    if (!given->count) {
        given->name = arena_text(&form->pieces, name);
        buffer_init(&given->values, &form->pieces, 0);
    } else if (!text_equal(given->name, name)) { /* another spelling: a member twice */
        add_other(form, name);
        return;
    } else
        buffer_add_char(&given->values, ',');
    given->is_list |= is_listed || given->count || (takes_list(field) && value.len);
    given->count++;
    if (field->type == TYPE_email || field->type == TYPE_date)
        value = with_plus(form, field, value);
    json_add_string(&given->values, value);
}

static void take_pair(struct form *form, struct text name, struct text value) {
    struct text plain = name;
    if (!name.at || !value.at) {
        form->wrong = MESSAGE_TEXT(form_encoding);
        return;
    }
    if (!validate_is_utf8(name) || !validate_is_utf8(value)) {
        form->wrong = MESSAGE_TEXT(form_utf8);
        return;
    }
    (void)text_take_brackets(&plain);
    const struct field *field = table_field_nocase(form->table, plain);
    if (field)
        give(form, field, name, value);
    else
        add_other(form, name);
}

static void take_pairs(struct form *form, struct text body) {
    struct text rest = body, name, value;
    if (!memchr(rest.at, '=', rest.len))
        form->wrong = MESSAGE_TEXT(form_none);
    while (!form->wrong.at && form_next(&rest, &form->pair, &name, &value)) {
        take_pair(form, name, value);
        if (form->pair.failed)
            return;
        arena_close(&form->pair);
    }
}

static void add_given(struct buffer *json, const struct given *given) {
    json_add_string(json, given->name);
    buffer_add(json, given->is_list ? TEXT(":[") : TEXT(":"));
    buffer_add(json, buffer_text(&given->values));
    buffer_add(json, given->is_list ? TEXT("],") : TEXT(","));
}

/* An object of strings; of what comes several times, or is a list, a list of strings. `at` NULL: it
 * is longer than the form, or there is no memory. */
static struct text join(struct form *form, size_t form_len, struct arena *arena) {
    enum {
        AROUND = 64,           /* a name, quotes and the like */
        LONGER_BY = 64 * 1024, /* what JSON has to escape takes up to six bytes there */
    };
    const struct given *end = form->given + form->table->count;
    size_t size = form->others.len + 2;
    bool failed = form->others.failed;
    for (const struct given *given = form->given; given < end; given++) {
        size += given->count ? given->values.len + AROUND : 0;
        failed |= given->values.failed;
    }
    if (size > form_len + LONGER_BY) {
        form->wrong = MESSAGE_TEXT(form_escapes);
        return (struct text){ 0 };
    }
    struct buffer json;
    buffer_init(&json, arena, size);
    buffer_add_char(&json, '{');
    for (const struct given *given = form->given; given < end; given++)
        if (given->count)
            add_given(&json, given);
    buffer_add(&json, buffer_text(&form->others));
    if (failed || json.failed)
        return (struct text){ 0 };
    assert(json.len > 1);        /* a form has a name, even if it is empty */
    json.at[json.len - 1] = '}'; /* in place of the last comma */
    return buffer_text(&json);
}

/* Closes an arena that was used beside the request's. The reply looks at the request's arena, so a
 * failure is passed on to it. */
static void close_besides(struct arena *own, struct arena *arena) {
    own->failed |= arena->failed;
    own->is_over_budget |= arena->is_over_budget;
    arena_close(arena);
}

/* The JSON that a form stands for, in `whole`. `at` NULL: the form is not valid, or no memory. */
static struct text to_json(struct form *form, struct text body, struct arena *own,
                           struct arena *whole) {
    struct text json = { 0 };
    arena_init_counted(&form->pieces, 0);
    arena_init_counted(&form->pair, 0);
    buffer_init(&form->others, &form->pieces, 0);
    form->given = arena_calloc(&form->pieces, form->table->count, sizeof *form->given);
    if (form->given)
        take_pairs(form, body);
    if (!form->pieces.failed && !form->pair.failed && !form->wrong.at)
        json = join(form, body.len, whole);
    close_besides(own, &form->pair);
    close_besides(own, &form->pieces);
    return json;
}

enum status form_read_change(struct text body, const struct table *table, struct arena *arena,
                             struct change *change, struct errors *errors) {
    struct form form = { .table = table };
    struct arena whole;
    arena_init_counted(&whole, 0);
    const struct json_body json = { .text = to_json(&form, body, arena, &whole) };
    enum status status = STATUS_INTERNAL;
    if (json.text.at) {
        status = json_read_change(&json, table, arena, change, errors);
    } else if (form.wrong.at && !arena->failed) {
        *change = change_new(table, arena);
        errors_add(errors, arena,
                   &(struct error){ .property = TEXT("Body"), .message = form.wrong });
        status = change->values && !errors->failed ? STATUS_BAD_INPUT : STATUS_INTERNAL;
    }
    close_besides(arena, &whole);
    return status;
}
