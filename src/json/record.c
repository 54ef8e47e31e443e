/* From the JSON of a row, which json_add_row wrote, back to the values of a record.
 *
 * This is not a JSON parser. It relies on how json_add_row writes: no white space, escapes only
 * where they are needed, no objects inside. Texts are not copied; they point into the JSON unless
 * something in them is escaped. Reading a row is then a walk over its bytes, with one comparison
 * for each name, as the fields nearly always come in the order of the table. The version of Roster
 * that wrote the row may have had other fields, in another order. */
#include "json/json.h"

#include "base/time.h"

#include <assert.h>

/* The JSON that is still to be read. The take_ functions move `at` behind what they accept. */
struct reading {
    const char *at, *end;
    struct arena *arena;
};

static bool take(struct reading *reading, struct text expected) {
    if ((size_t)(reading->end - reading->at) < expected.len ||
        memcmp(reading->at, expected.at, expected.len) != 0)
        return false;
    reading->at += expected.len;
    return true;
}

static bool take_char(struct reading *reading, char expected) {
    if (reading->at == reading->end || *reading->at != expected)
        return false;
    reading->at++;
    return true;
}

static int digit_of(char hex) {
    return hex >= 'a' ? hex - 'a' + 10 : hex - '0';
}

/* Decodes one escape. `code` is the text after the backslash. Returns the length of the escape
 * without the backslash, or 0 if it is invalid. */
static size_t unescape_one(struct text code, char *byte) {
    static const char codes[] = "\"\\btnfr", bytes[] = "\"\\\b\t\n\f\r";
    const char *found = code.len ? memchr(codes, *code.at, sizeof codes - 1) : NULL;
    if (found) {
        *byte = bytes[found - codes];
        return 1;
    }
    if (code.len < 5 || *code.at != 'u')
        return 0;
    *byte = (char)(digit_of(code.at[3]) * 16 + digit_of(code.at[4]));
    return 5;
}

static struct text unescape(struct text escaped, struct arena *arena) {
    char *out = arena_alloc(arena, escaped.len + 1);
    size_t len = 0;
    if (!out)
        return (struct text){ 0 };
    for (size_t i = 0; i < escaped.len; len++) {
        out[len] = escaped.at[i++];
        if (out[len] != '\\')
            continue;
        struct text code = { escaped.at + i, escaped.len - i };
        size_t taken = unescape_one(code, &out[len]);
        if (!taken)
            return (struct text){ 0 };
        i += taken;
    }
    out[len] = '\0';
    return (struct text){ out, len };
}

/* Reads a string after its opening quote, without decoding it. */
static bool take_string(struct reading *reading, struct text *text, bool *is_escaped) {
    const char *start = reading->at, *at = start;
    *is_escaped = false;
    for (; at < reading->end && *at != '"'; at++)
        if (*at == '\\') {
            *is_escaped = true;
            if (++at == reading->end)
                return false;
        }
    if (at == reading->end)
        return false;
    *text = (struct text){ start, (size_t)(at - start) };
    reading->at = at + 1;
    return true;
}

/* The same as a text: a part of the JSON if nothing in it is escaped, otherwise decoded. */
static bool read_string(struct reading *reading, struct text *text) {
    bool is_escaped;
    if (!take_string(reading, text, &is_escaped))
        return false;
    if (is_escaped)
        *text = unescape(*text, reading->arena);
    return text->at != NULL;
}

/* Dates are the only values in quotes that are no texts. */
static bool read_quoted(struct reading *reading, const struct field *field, struct value *value) {
    struct text text;
    int64_t ms;
    if (!read_string(reading, &text))
        return false;
    if (field->type != TYPE_date) {
        *value = value_text(text);
        return true;
    }
    if (!time_read(text, &ms))
        return false;
    *value = value_integer(ms);
    return true;
}

/* A list of Ids stays as it is written: records keep lists as JSON text. */
static bool read_list(struct reading *reading, struct value *value) {
    const char *start = reading->at - 1;
    while (reading->at < reading->end &&
           (*reading->at == ',' || (*reading->at >= '0' && *reading->at <= '9')))
        reading->at++;
    if (!take_char(reading, ']'))
        return false;
    *value = value_text((struct text){ start, (size_t)(reading->at - start) });
    return true;
}

static bool read_integer(struct reading *reading, struct value *value) {
    const char *start = reading->at;
    int64_t number;
    while (reading->at < reading->end && *reading->at != ',' && *reading->at != '}')
        reading->at++;
    if (!text_to_int64((struct text){ start, (size_t)(reading->at - start) }, &number))
        return false;
    *value = value_integer(number);
    return true;
}

static bool read_value(struct reading *reading, const struct field *field, struct value *value) {
    if (reading->at == reading->end)
        return false;
    switch (*reading->at) {
    case 'n': *value = value_null(); return take(reading, TEXT("null"));
    case 'f': *value = value_integer(0); return take(reading, TEXT("false"));
    case 't': *value = value_integer(1); return take(reading, TEXT("true"));
    case '"': reading->at++; return read_quoted(reading, field, value);
    case '[': reading->at++; return read_list(reading, value);
    default: return read_integer(reading, value);
    }
}

/* Skips a value and returns its JSON. Fails on objects: no version writes one into a record, and
 * find_member could mistake a member of one for a member of the record. */
static bool take_value(struct reading *reading, struct text *value) {
    const char *start = reading->at;
    unsigned depth = 0;
    while (reading->at < reading->end) {
        char first = *reading->at;
        struct text string;
        bool is_escaped;
        if (!depth && (first == '}' || first == ',')) {
            *value = (struct text){ start, (size_t)(reading->at - start) };
            return value->len > 0;
        }
        reading->at++;
        if (first == '{' || first == '}' || first == ':' || (first == ']' && !depth) ||
            (first == '"' && !take_string(reading, &string, &is_escaped)))
            return false;
        depth += first == '[';
        depth -= first == ']';
    }
    return false;
}

static bool take_name(struct reading *reading, struct text *name) {
    bool is_escaped;
    return take_char(reading, '"') && take_string(reading, name, &is_escaped) && !is_escaped &&
           take_char(reading, ':');
}

/* Texts of records end in a NUL wherever they come from. In JSON it replaces the closing quote. */
static void terminate(struct text json, const struct value *value) {
    if (value->kind == VALUE_TEXT && value->text > json.at &&
        value->text + value->len < json.at + json.len && value->text[value->len] == '"')
        ((char *)(uintptr_t)json.at)[value->text - json.at + value->len] = '\0';
}

/* The field after the previous one, if the next member has its name; otherwise NULL. */
static const struct field *take_expected(struct reading *reading, const struct table *table,
                                         unsigned expected) {
    const char *start = reading->at;
    while (expected < table->count && !field_is_shown(&table->fields[expected]))
        expected++;
    if (expected == table->count)
        return NULL;
    const struct field *field = &table->fields[expected];
    if (take_char(reading, '"') && take(reading, field->name) && take(reading, TEXT("\":")))
        return field;
    reading->at = start;
    return NULL;
}

/* True for the values that a missing member reads as: such a member need not be kept. */
static bool says_nothing(struct text value) {
    return text_equal(value, TEXT("null")) || text_equal(value, TEXT("false")) ||
           text_equal(value, TEXT("0")) || text_equal(value, TEXT("[]"));
}

static bool keep_unknown(struct reading *reading, struct text name, struct buffer *unknown) {
    struct text value;
    if (!take_value(reading, &value))
        return false;
    if (says_nothing(value))
        return true;
    buffer_add(unknown, TEXT(",\""));
    buffer_add(unknown, name);
    buffer_add(unknown, TEXT("\":"));
    buffer_add(unknown, value);
    return !unknown->failed;
}

/* Reads one member. `*expected` is the index of the field that it probably belongs to, and
 * afterwards that of the next one. */
static bool take_member(struct reading *reading, struct text json, struct record *record,
                        unsigned *expected, struct buffer *unknown) {
    struct text name = { 0 };
    struct value value;
    const struct field *field = take_expected(reading, record->table, *expected);
    if (!field) {
        if (!take_name(reading, &name))
            return false;
        field = table_field(record->table, name, *expected);
    }
    if (!field || !field_is_shown(field))
        return keep_unknown(reading, name, unknown);
    unsigned at = (unsigned)(field - record->table->fields);
    if (record->values[at].kind != VALUE_ABSENT || !read_value(reading, field, &value))
        return false;
    terminate(json, &value);
    if (field_is_kept_in_json(field))
        record->values[at] = value;
    *expected = at + 1;
    return true;
}

/* The value of a missing member. An Id must not be missing. */
static bool read_nothing(const struct field *field, struct arena *arena, struct value *value) {
    struct text nothing = json_nothing(field);
    struct reading reading = { nothing.at, nothing.at + nothing.len, arena };
    return field->type != TYPE_id && read_value(&reading, field, value);
}

static bool read_missing(struct record *record, struct arena *arena) {
    for (unsigned i = 0; i < record->table->count; i++)
        if (field_is_kept_in_json(&record->table->fields[i]) &&
            record->values[i].kind == VALUE_ABSENT &&
            !read_nothing(&record->table->fields[i], arena, &record->values[i]))
            return false;
    return true;
}

bool json_read_record(struct text json, struct arena *arena, struct record *record) {
    struct reading reading = { json.at, json.at + json.len, arena };
    struct buffer unknown;
    unsigned expected = 0;
    buffer_init(&unknown, arena, 0);
    for (char separator = '{'; take_char(&reading, separator); separator = ',')
        if (!take_member(&reading, json, record, &expected, &unknown))
            return false;
    record->unknown = buffer_text(&unknown);
    return take_char(&reading, '}') && reading.at == reading.end && read_missing(record, arena);
}

bool json_next_member(struct text *records, struct text *name, struct text *value) {
    struct reading reading = { records->at, records->at + records->len, NULL };
    bool is_member = (take_char(&reading, '{') || take_char(&reading, ',')) &&
                     take_name(&reading, name) && take_value(&reading, value);
    bool is_end = !is_member && take_char(&reading, '}');
    if (is_end)
        (void)take_char(&reading, ','); /* none stands behind the last record */
    *records = is_member || is_end ? (struct text){ reading.at, (size_t)(reading.end - reading.at) }
                                   : (struct text){ 0 };
    return is_member;
}

struct text json_decode(struct text string, struct arena *arena) {
    struct reading reading = { string.at, string.at + string.len, arena };
    struct text text;
    if (!take_char(&reading, '"') || !read_string(&reading, &text))
        return (struct text){ 0 };
    return text;
}

/* The place of a member, at the opening quote of its name; NULL if it is missing. */
static const char *find_member(struct text json, const struct field *field) {
    char name[64];
    size_t len = field->name.len + 3;
    assert(len <= sizeof name);
    name[0] = '"';
    memcpy(name + 1, field->name.at, field->name.len);
    memcpy(name + 1 + field->name.len, "\":", 2);
    /* No text can contain `"Name":`, because a quote in a text has a backslash before it. */
    return json.len ? memmem(json.at, json.len, name, len) : NULL;
}

bool json_read_member(struct text json, const struct field *field, struct arena *arena,
                      struct value *value) {
    const char *found = find_member(json, field);
    if (!found)
        return read_nothing(field, arena, value);
    struct reading reading = { found + field->name.len + 3, json.at + json.len, arena };
    return read_value(&reading, field, value);
}

/* True if a list begins at `bracket`. In a text, a quote before it would have a backslash. */
static bool begins_list(struct text json, const char *bracket) {
    return bracket - json.at > 3 && bracket[-1] == ':' && bracket[-2] == '"' && bracket[-3] != '\\';
}

void json_add_without_links(struct buffer *buffer, struct text json) {
    const char *end = json.at + json.len, *at = json.at;
    while ((at = memchr(at, '[', (size_t)(end - at)))) {
        if (!begins_list(json, at++))
            continue;
        const char *name = memrchr(json.at, '"', (size_t)(at - json.at) - 3);
        at = memchr(at, ']', (size_t)(end - at)); /* lists contain no lists */
        if (!name || name == json.at || !at) {    /* a list is never the first member */
            buffer->failed = true;
            return;
        }
        buffer_add(buffer, (struct text){ json.at, (size_t)(name - json.at) - 1 });
        at++;
        json = (struct text){ at, (size_t)(end - at) };
    }
    buffer_add(buffer, json);
}
