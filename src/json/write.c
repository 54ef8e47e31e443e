/* From values to JSON: one loop over the field table, into one buffer.
 *
 * The put_ functions write without checking for room. Their callers reserve the most that a value
 * can take first, which costs less than a check for every byte. */
#include "json/json.h"

#include "base/time.h"

static const char hex[] = "0123456789abcdef";

/* The character after the backslash for a byte that must be escaped; 'u' if it has no short form.
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

/* Room for any value that is no text and no list: the longest is a date in quotes. */
enum { VALUE_MAX = TIME_TEXT_MAX + 2 };

/* These write to `out`, which has room, and return the new end. */

static char *put(char *out, struct text text) {
    if (text.len)
        memcpy(out, text.at, text.len);
    return out + text.len;
}

static size_t string_max(struct text text) {
    return text.len * 6 + 2;
}

/* Bytes without a short form are written as \u00NN. */
static char *put_escaped(char *out, unsigned char byte) {
    char escape = escape_of(byte);
    *out++ = '\\';
    *out++ = escape;
    if (escape == 'u') {
        *out++ = '0';
        *out++ = '0';
        *out++ = hex[byte >> 4];
        *out++ = hex[byte & 15];
    }
    return out;
}

static char *put_string(char *out, struct text text) {
    *out++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (is_plain(byte))
            *out++ = (char)byte;
        else
            out = put_escaped(out, byte);
    }
    *out++ = '"';
    return out;
}

static char *put_date(char *out, int64_t ms) {
    *out++ = '"';
    out += time_format(ms, out);
    *out++ = '"';
    return out;
}

/* The room for a string. A short one is not worth counting; for a long one the worst case, six
 * times its length, would waste memory. */
static size_t string_room(struct text text) {
    enum { LONG = 4096 };
    if (text.len < LONG)
        return string_max(text);
    size_t room = text.len + 2;
    for (size_t i = 0; i < text.len; i++)
        if (!is_plain((unsigned char)text.at[i]))
            room += escape_of((unsigned char)text.at[i]) == 'u' ? 5 : 1;
    return room;
}

void json_add_string(struct buffer *buffer, struct text text) {
    if (buffer_reserve(buffer, string_room(text)))
        buffer->len = (size_t)(put_string(buffer->at + buffer->len, text) - buffer->at);
}

void json_add_date(struct buffer *buffer, int64_t ms) {
    if (buffer_reserve(buffer, VALUE_MAX))
        buffer->len = (size_t)(put_date(buffer->at + buffer->len, ms) - buffer->at);
}

/* For each type: how its values are written, and the JSON for no value. */
enum form { AS_NULL, AS_INTEGER, AS_BOOLEAN, AS_DATE, AS_STRING, AS_LIST };

static const struct {
    enum form form;
    struct text null;
} json_type[FIELD_TYPES] = {
    [TYPE_id] = { AS_INTEGER, { "null", 4 } },
    [TYPE_text] = { AS_STRING, { "null", 4 } },
    [TYPE_email] = { AS_STRING, { "null", 4 } },
    [TYPE_url] = { AS_STRING, { "null", 4 } },
    [TYPE_integer] = { AS_INTEGER, { "0", 1 } },
    [TYPE_boolean] = { AS_BOOLEAN, { "false", 5 } },
    [TYPE_date] = { AS_DATE, { "null", 4 } },
    [TYPE_guid] = { AS_STRING, { "null", 4 } },
    [TYPE_choice] = { AS_INTEGER, { "0", 1 } },
    [TYPE_reference] = { AS_INTEGER, { "null", 4 } },
    [TYPE_links] = { AS_LIST, { "[]", 2 } },
    [TYPE_backlinks] = { AS_LIST, { "[]", 2 } },
    [TYPE_name] = { AS_STRING, { "null", 4 } },
    [TYPE_added] = { AS_NULL, { "null", 4 } },
    [TYPE_removed] = { AS_NULL, { "null", 4 } },
    [TYPE_sealed] = { AS_NULL, { "null", 4 } }, /* secrets are never shown */
    [TYPE_totp] = { AS_NULL, { "null", 4 } },
    [TYPE_password] = { AS_NULL, { "null", 4 } },
    [TYPE_empty] = { AS_NULL, { "null", 4 } },
    [TYPE_no] = { AS_NULL, { "false", 5 } },
};

struct text json_nothing(const struct field *field) {
    return field->flags & TRANSIENT ? TEXT("null") : json_type[field->type].null;
}

static size_t value_max(const struct value *value) {
    return value->kind == VALUE_TEXT ? string_max(value_as_text(value)) : VALUE_MAX;
}

static char *put_value(char *out, const struct field *field, const struct value *value) {
    bool is_null =
        field->flags & TRANSIENT || value->kind == VALUE_NULL || value->kind == VALUE_ABSENT;
    switch (is_null ? AS_NULL : json_type[field->type].form) {
    case AS_INTEGER: return out + text_from_int64(value->integer, out);
    case AS_BOOLEAN: return put(out, value->integer ? TEXT("true") : TEXT("false"));
    case AS_DATE: return put_date(out, value->integer);
    case AS_STRING: return put_string(out, value_as_text(value));
    case AS_LIST: return put(out, value_as_text(value));
    case AS_NULL: break;
    }
    return put(out, json_nothing(field));
}

/* `is_listed`: as in a page, without lists of links. */
static void add_members(struct buffer *buffer, const struct record *record, bool is_listed) {
    char separator = '{';
    for (unsigned i = 0; i < record->table->count; i++) {
        const struct field *field = &record->table->fields[i];
        const struct value *value = &record->values[i];
        if (!field_is_shown(field) || (is_listed && field_is_list(field)))
            continue;
        if (!buffer_reserve(buffer, field->name.len + 4 + value_max(value)))
            return;
        char *out = buffer->at + buffer->len;
        *out++ = separator;
        *out++ = '"';
        out = put(out, field->name);
        *out++ = '"';
        *out++ = ':';
        buffer->len = (size_t)(put_value(out, field, value) - buffer->at);
        separator = ',';
    }
    buffer_add_char(buffer, '}');
}

void json_add_record(struct buffer *buffer, const struct record *record) {
    add_members(buffer, record, false);
}

void json_add_row(struct buffer *buffer, const struct record *record) {
    add_members(buffer, record, false);
    if (!record->unknown.len || buffer->failed)
        return;
    buffer->len--; /* removes the closing brace */
    buffer_add(buffer, record->unknown);
    buffer_add_char(buffer, '}');
}

void json_add_listed(struct buffer *buffer, const struct record *record) {
    add_members(buffer, record, true);
}

void json_add_errors(struct buffer *buffer, const struct error *first) {
    char separator = '[';
    for (const struct error *error = first; error; error = error->next) {
        buffer_add_char(buffer, separator);
        separator = ',';
        buffer_add(buffer, TEXT("{\"AttemptedValue\":"));
        if (!error->attempted && error->attempted_text.at)
            json_add_string(buffer, error->attempted_text);
        else
            json_add_submitted(buffer, error->attempted);
        buffer_add(buffer, TEXT(",\"Message\":"));
        json_add_string(buffer, error->message);
        buffer_add(buffer, TEXT(",\"PropertyName\":"));
        json_add_string(buffer, error->property);
        buffer_add_char(buffer, '}');
    }
    buffer_add_char(buffer, ']');
}
