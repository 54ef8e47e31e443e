/* From values to JSON, into one buffer, in one walk over the field table. */
#include "json/json.h"

#include "base/time.h"

static const char hex[] = "0123456789abcdef";

/* What follows the backslash for a byte that must be escaped; 'u' for those without a short form.
 */
static char escape_of(unsigned char byte) {
    switch (byte) {
    case '"':
    case '\\': return (char)byte;
    case '\b': return 'b';
    case '\t': return 't';
    case '\n': return 'n';
    case '\f': return 'f';
    case '\r': return 'r';
    default: return 'u';
    }
}

static bool is_plain(unsigned char byte) {
    return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F;
}

void json_add_string(struct buffer *buffer, struct text text) {
    if (!buffer_reserve(buffer, text.len * 6 + 2))
        return;
    char *out = buffer->at + buffer->len;
    *out++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (is_plain(byte)) {
            *out++ = (char)byte;
            continue;
        }
        char escape = escape_of(byte);
        *out++ = '\\';
        *out++ = escape;
        if (escape == 'u') {
            *out++ = '0';
            *out++ = '0';
            *out++ = hex[byte >> 4];
            *out++ = hex[byte & 15];
        }
    }
    *out++ = '"';
    buffer->len = (size_t)(out - buffer->at);
}

void json_add_date(struct buffer *buffer, int64_t ms) {
    if (!buffer_reserve(buffer, TIME_TEXT_MAX + 2))
        return;
    buffer->at[buffer->len++] = '"';
    buffer->len += time_format(ms, buffer->at + buffer->len);
    buffer->at[buffer->len++] = '"';
}

static void add_integer(struct buffer *buffer, const struct value *value) {
    buffer_add_int64(buffer, value->integer);
}

static void add_boolean(struct buffer *buffer, const struct value *value) {
    buffer_add(buffer, value->integer ? TEXT("true") : TEXT("false"));
}

static void add_date(struct buffer *buffer, const struct value *value) {
    json_add_date(buffer, value->integer);
}

static void add_text(struct buffer *buffer, const struct value *value) {
    json_add_string(buffer, value_as_text(value));
}

static void add_list(struct buffer *buffer, const struct value *value) {
    buffer_add(buffer, value_as_text(value));
}

static void add_nothing(struct buffer *buffer, const struct value *value) {
    (void)value;
    buffer_add(buffer, TEXT("null"));
}

/* How a value that is not null is written, and what stands for null. Secrets have no writer. */
static const struct {
    void (*add)(struct buffer *buffer, const struct value *value);
    struct text null;
} json_type[FIELD_TYPES] = {
    [TYPE_id] = { add_integer, { "null", 4 } },
    [TYPE_text] = { add_text, { "null", 4 } },
    [TYPE_email] = { add_text, { "null", 4 } },
    [TYPE_url] = { add_text, { "null", 4 } },
    [TYPE_integer] = { add_integer, { "0", 1 } },
    [TYPE_boolean] = { add_boolean, { "false", 5 } },
    [TYPE_date] = { add_date, { "null", 4 } },
    [TYPE_guid] = { add_text, { "null", 4 } },
    [TYPE_choice] = { add_integer, { "0", 1 } },
    [TYPE_reference] = { add_integer, { "null", 4 } },
    [TYPE_links] = { add_list, { "[]", 2 } },
    [TYPE_added] = { add_nothing, { "null", 4 } },
    [TYPE_removed] = { add_nothing, { "null", 4 } },
    [TYPE_sealed] = { add_nothing, { "null", 4 } },
    [TYPE_totp] = { add_nothing, { "null", 4 } },
    [TYPE_password] = { add_nothing, { "null", 4 } },
    [TYPE_empty] = { add_nothing, { "null", 4 } },
    [TYPE_no] = { add_nothing, { "false", 5 } },
};

void json_add_record(struct buffer *buffer, const struct record *record) {
    char separator = '{';
    for (unsigned i = 0; i < record->table->count; i++) {
        const struct field *field = &record->table->fields[i];
        const struct value *value = &record->values[i];
        if (!field_is_shown(field))
            continue;
        if (buffer_reserve(buffer, field->name.len + 4)) {
            char *out = buffer->at + buffer->len;
            out[0] = separator;
            out[1] = '"';
            memcpy(out + 2, field->name.at, field->name.len);
            out[field->name.len + 2] = '"';
            out[field->name.len + 3] = ':';
            buffer->len += field->name.len + 4;
        }
        separator = ',';
        if (field->flags & TRANSIENT)
            buffer_add(buffer, TEXT("null"));
        else if (value->kind == VALUE_NULL || value->kind == VALUE_ABSENT)
            buffer_add(buffer, json_type[field->type].null);
        else
            json_type[field->type].add(buffer, value);
    }
    buffer_add_char(buffer, '}');
}

void json_add_errors(struct buffer *buffer, const struct error *first) {
    char separator = '[';
    for (const struct error *error = first; error; error = error->next) {
        buffer_add_char(buffer, separator);
        separator = ',';
        buffer_add(buffer, TEXT("{\"AttemptedValue\":"));
        json_add_submitted(buffer, error->attempted);
        buffer_add(buffer, TEXT(",\"Message\":"));
        json_add_string(buffer, error->message);
        buffer_add(buffer, TEXT(",\"PropertyName\":"));
        json_add_string(buffer, error->property);
        buffer_add_char(buffer, '}');
    }
    buffer_add_char(buffer, ']');
}
