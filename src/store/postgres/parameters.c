/* Converts parameters: integers and bytes are sent binary, in the order of the network; lists,
 * which record keeping gives as JSON arrays, as array literals. */
#include "store/postgres/parameters.h"

#include "base/buffer.h"
#include "rules/validate.h"

#include <limits.h>

static size_t integer_size(Oid type) {
    switch (type) {
    case PG_TYPE_BOOLEAN: return 1;
    case PG_TYPE_INT2: return 2;
    case PG_TYPE_INT4: return 4;
    case PG_TYPE_INT8: return 8;
    default: return 0;
    }
}

int64_t pg_integer_read(const char *at, size_t size) {
    uint64_t number = size && at[0] & 0x80 && size > 1 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char)at[i];
    return (int64_t)number;
}

static bool integer_fits(int64_t integer, size_t size) {
    switch (size) {
    case 1: return integer == 0 || integer == 1;
    case 2: return integer >= INT16_MIN && integer <= INT16_MAX;
    case 4: return integer >= INT32_MIN && integer <= INT32_MAX;
    default: return size == 8;
    }
}

size_t pg_integer_write(char *at, Oid type, int64_t integer) {
    size_t size = integer_size(type);
    if (!integer_fits(integer, size))
        return 0;
    for (size_t i = 0; i < size; i++)
        at[size - 1 - i] = (char)((uint64_t)integer >> 8 * i);
    return size;
}

static bool make_integer(struct pg_arguments *arguments, int at, Oid type, int64_t integer) {
    size_t size = pg_integer_write(arguments->room[at], type, integer);
    arguments->values[at] = arguments->room[at];
    arguments->lengths[at] = (int)size;
    return size != 0;
}

static bool make_bytes(struct pg_arguments *arguments, int at, struct text bytes) {
    if (bytes.len > INT_MAX)
        return false;
    arguments->values[at] = bytes.at;
    arguments->lengths[at] = (int)bytes.len;
    return true;
}

/* A character of ASCII, but no NUL. */
static bool is_plain(char c) {
    return c && !((unsigned char)c & 0x80);
}

/* PostgreSQL has no texts with a NUL and none that are not UTF-8, and no record has one: only who
 * looks for something can ask for such a text, be it in a transaction that writes, as a sign-in is.
 * It gets control characters in place of the bytes, so that it finds nothing, as it should. */
static bool make_text(struct pg_arguments *arguments, int at, struct text text) {
    if (!text.len || (!memchr(text.at, '\0', text.len) && validate_is_utf8(text)))
        return make_bytes(arguments, at, text);
    struct buffer copy;
    buffer_init(&copy, &arguments->arena, text.len);
    for (size_t i = 0; i < text.len; i++)
        buffer_add_char(&copy, is_plain(text.at[i]) ? text.at[i] : '\x01');
    return !copy.failed && make_bytes(arguments, at, buffer_text(&copy));
}

/* The character that a JSON escape of one letter stands for; 0: there is none. */
static char escaped(char letter) {
    static const char letters[] = "bfnrt\"\\/", characters[] = "\b\f\n\r\t\"\\/";
    const char *found = strchr(letters, letter);
    return letter && found ? characters[found - letters] : '\0';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads an escape, of which only those that json_add_string writes are known: a letter, or four
 * digits for a control character. Returns the character, or 0. */
static char read_escape(struct text json, size_t *at) {
    if (*at + 1 < json.len && json.at[*at + 1] != 'u') {
        *at += 2;
        return escaped(json.at[*at - 1]);
    }
    if (*at + 5 >= json.len || json.at[*at + 2] != '0' || json.at[*at + 3] != '0')
        return '\0';
    int high = hex_digit(json.at[*at + 4]), low = hex_digit(json.at[*at + 5]);
    *at += 6;
    return high < 0 || high > 7 || low < 0 ? '\0' : (char)(high << 4 | low);
}

/* Adds the string that begins at `*at`, in quotes, with `escape` before backslashes, and one before
 * quotes. */
static bool add_string(struct buffer *literal, struct text json, size_t *at, struct text escape) {
    buffer_add_char(literal, '"');
    for (++*at; *at < json.len && json.at[*at] != '"';) {
        char c = json.at[*at];
        if (c == '\\')
            c = read_escape(json, at);
        else
            ++*at;
        if (!c)
            return false;
        if (c == '"')
            buffer_add_char(literal, '\\');
        else if (c == '\\')
            buffer_add(literal, escape);
        buffer_add_char(literal, c);
    }
    buffer_add_char(literal, '"');
    return (*at)++ < json.len;
}

/* An array literal has braces where JSON has brackets; numbers and commas are the same. To bytes, a
 * backslash means something as well. */
static bool make_list(struct pg_arguments *arguments, int at, Oid type, struct text json) {
    const struct text escape = type == PG_TYPE_BYTEA_ARRAY ? TEXT("\\\\\\") : TEXT("\\");
    struct buffer literal;
    buffer_init(&literal, &arguments->arena, json.len + 16);
    buffer_add_char(&literal, '{');
    if (json.len < 2 || json.at[0] != '[' || json.at[json.len - 1] != ']')
        return false;
    for (size_t i = 1; i < json.len - 1;)
        if (json.at[i] != '"')
            buffer_add_char(&literal, json.at[i++]);
        else if (!add_string(&literal, json, &i, escape))
            return false;
    buffer_add(&literal, (struct text){ "}", 2 });
    arguments->values[at] = literal.at;
    arguments->formats[at] = 0;
    return !literal.failed;
}

static bool make_one(struct pg_arguments *arguments, int at, const struct pg_statement *statement) {
    const struct pg_parameter *from = &statement->parameters[statement->order[at]];
    const Oid type = statement->types[at];
    arguments->formats[at] = 1;
    arguments->lengths[at] = 0;
    arguments->values[at] = NULL;
    switch (from->kind) {
    case PG_NULL: return true;
    case PG_INTEGER: return make_integer(arguments, at, type, from->integer);
    case PG_BYTES:
        if (type == PG_TYPE_TEXT)
            return make_text(arguments, at, from->bytes);
        return type == PG_TYPE_BYTEA && make_bytes(arguments, at, from->bytes);
    case PG_LIST: return make_list(arguments, at, type, from->bytes);
    case PG_BINARY: return make_bytes(arguments, at, from->bytes);
    }
    return false;
}

bool pg_arguments_make(struct pg_arguments *arguments, const struct pg_statement *statement) {
    bool made = statement->parameter_count <= PG_PARAMETERS_MAX;
    arguments->arena = (struct arena){ 0 };
    for (int i = 0; made && i < statement->parameter_count; i++)
        made = make_one(arguments, i, statement);
    return made;
}

void pg_arguments_free(struct pg_arguments *arguments) {
    arena_close(&arguments->arena);
}
