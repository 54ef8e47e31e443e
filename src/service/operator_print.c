#include "service/operator_print.h"

#include "base/time.h"
#include "json/json.h"
#include "model/tables.h"

/* The columns of a list. */
static const unsigned columns[] = {
    USER_Id,      USER_Email,     USER_FullName,         USER_Active,
    USER_IsAdmin, USER_APIAccess, USER_TwoFactorEnabled, USER_InvalidLoginAttempts
};

enum { COLUMNS = sizeof columns / sizeof columns[0], NAME_WIDTH = 32 };

static bool is_plain(struct text text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        bool is_c1 = byte == 0xC2 && i + 1 < text.len && (unsigned char)text.at[i + 1] < 0xA0;
        if (byte < 0x20 || byte == 0x7F || is_c1)
            return false;
    }
    return true;
}

/* Text with control characters, which could give orders to a terminal, in JSON's form. */
static void add_text(struct buffer *out, struct text text) {
    if (is_plain(text))
        buffer_add(out, text);
    else
        json_add_string(out, text);
}

static void add_integer(struct buffer *out, const struct field *field, int64_t integer) {
    char time[TIME_TEXT_MAX];
    if (field->type == TYPE_boolean)
        buffer_add(out, integer ? TEXT("yes") : TEXT("no"));
    else if (field->type == TYPE_date)
        buffer_add(out, (struct text){ time, time_format(integer, time) });
    else
        buffer_add_int64(out, integer);
}

static void add_value(struct buffer *out, const struct field *field, const struct value *value) {
    if (field_is_secret(field))
        buffer_add(out, TEXT("(set)"));
    else if (value->kind == VALUE_INTEGER)
        add_integer(out, field, value->integer);
    else
        add_text(out, value_as_text(value));
}

static bool has_value(const struct value *value) {
    return value->kind == VALUE_INTEGER || (value->kind == VALUE_TEXT && value->len);
}

void operator_print_json(struct buffer *out, const struct record *user) {
    json_add_record(out, user);
    buffer_add_char(out, '\n');
}

void operator_print_record(struct buffer *out, const struct record *user) {
    for (unsigned i = 0; i < user->table->count; i++) {
        const struct field *field = &user->table->fields[i];
        if (!field_is_shown(field) || field->flags & TRANSIENT || !has_value(&user->values[i]))
            continue;
        buffer_printf(out, "%-*.*s ", NAME_WIDTH, (int)field->name.len, field->name.at);
        add_value(out, field, &user->values[i]);
        buffer_add_char(out, '\n');
    }
}

void operator_print_done(struct buffer *out, const struct record *user, const char *done) {
    buffer_printf(out, "user %lld (", (long long)record_id(user));
    add_text(out, value_as_text(&user->values[USER_Email]));
    buffer_printf(out, ") %s\n", done);
}

/* ---- Lists ---- */

void operator_print_heading(struct buffer *out) {
    for (unsigned i = 0; i < COLUMNS; i++) {
        if (i)
            buffer_add_char(out, '\t');
        buffer_add(out, user_table.fields[columns[i]].name);
    }
    buffer_add_char(out, '\n');
}

/* The length of the JSON object that the text begins with. */
static size_t object_length(struct text json) {
    size_t at = 0, depth = 0;
    bool in_string = false;
    for (; at < json.len; at++) {
        char c = json.at[at];
        if (in_string && c == '\\')
            at++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && c == '{')
            depth++;
        else if (!in_string && c == '}' && --depth == 0)
            return at + 1;
    }
    return json.len;
}

static void add_row(struct buffer *out, const struct record *user) {
    for (unsigned i = 0; i < COLUMNS; i++) {
        const struct value *value = &user->values[columns[i]];
        if (i)
            buffer_add_char(out, '\t');
        if (has_value(value))
            add_value(out, &user_table.fields[columns[i]], value);
    }
    buffer_add_char(out, '\n');
}

void operator_print_rows(struct buffer *out, struct text page) {
    while (page.len) {
        size_t len = object_length(page);
        struct record user = record_new(&user_table, out->arena);
        struct text own = arena_text(out->arena, (struct text){ page.at, len });
        if (!user.values || !own.at || !json_read_record(own, out->arena, &user))
            out->failed = true;
        if (out->failed)
            return;
        add_row(out, &user);
        len += len < page.len; /* the comma between two */
        page = (struct text){ page.at + len, page.len - len };
    }
}
