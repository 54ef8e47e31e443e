/* From the bytes of a body to a change.
 *
 * yyjson parses the body into the arena of the request. One loop then looks up each member in the
 * field table, beginning with the field after the previous one: clients usually send members in the
 * order in which they got them. Bodies that would take far more memory than they have bytes are
 * refused before they are parsed. */
#include "json/json.h"

#include <yyjson.h>

enum {
    DEPTH_MAX = 64,
    VALUES_FREE = 10000,   /* any body may have so many values; one with more of them */
    BYTES_FOR_A_VALUE = 6, /* needs so many bytes for each on average: a value takes 32 in memory */
};

static void *alloc_in_arena(void *arena, size_t size) {
    return arena_alloc(arena, size);
}

static void *grow_in_arena(void *arena, void *old, size_t old_size, size_t size) {
    return arena_grow(arena, old, old_size, size);
}

/* yyjson frees its values one by one; here the arena frees them all at its end. */
static void leave_to_arena(void *arena, void *memory) {
    (void)arena;
    (void)memory;
}

static bool is_nested_within(yyjson_val *value, unsigned levels) {
    if (!yyjson_is_ctn(value))
        return true;
    if (levels == 0)
        return false;
    size_t i, count;
    yyjson_val *key, *member;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, i, count,
                           member) if (!is_nested_within(member, levels - 1)) return false;
    } else {
        yyjson_obj_foreach(value, i, count, key,
                           member) if (!is_nested_within(member, levels - 1)) return false;
    }
    return true;
}

static struct value value_from(yyjson_val *json, struct arena *arena);

/* No field is a list of lists or of objects: such members become VALUE_OTHER, which is invalid. */
static struct value list_from(yyjson_val *json, struct arena *arena) {
    size_t i, count;
    yyjson_val *member;
    struct value *list = arena_calloc(arena, yyjson_arr_size(json), sizeof *list);
    if (!list)
        return (struct value){ .kind = VALUE_OTHER };
    yyjson_arr_foreach(json, i, count, member) {
        list[i].kind = VALUE_OTHER;
        if (!yyjson_is_ctn(member))
            list[i] = value_from(member, arena);
    }
    return (struct value){ .list = list, .len = (uint32_t)count, .kind = VALUE_LIST };
}

static struct value value_from(yyjson_val *json, struct arena *arena) {
    switch (yyjson_get_type(json)) {
    case YYJSON_TYPE_NULL: return value_null();
    case YYJSON_TYPE_BOOL:
        return (struct value){ .integer = yyjson_get_bool(json), .kind = VALUE_BOOLEAN };
    case YYJSON_TYPE_STR:
        return value_text((struct text){ yyjson_get_str(json), yyjson_get_len(json) });
    case YYJSON_TYPE_ARR: return list_from(json, arena);
    case YYJSON_TYPE_NUM:
        if (yyjson_is_sint(json))
            return value_integer(yyjson_get_sint(json));
        if (yyjson_is_uint(json) && yyjson_get_uint(json) <= INT64_MAX)
            return value_integer((int64_t)yyjson_get_uint(json));
        break;
    default: break;
    }
    return (struct value){ .kind = VALUE_OTHER };
}

/* Remembers a name of no writable property, for callers that are strict about them. */
static bool note_unknown(struct error ***last, struct text name, struct arena *arena) {
    struct error *error = arena_calloc(arena, 1, sizeof *error);
    if (!error)
        return false;
    error->property = name;
    **last = error;
    *last = &error->next;
    return true;
}

static bool read_members(yyjson_val *object, bool is_exact, struct change *change,
                         struct arena *arena) {
    size_t i, count;
    yyjson_val *key, *json;
    unsigned expected = 0;
    struct error **last_unknown = &change->unknown;
    yyjson_obj_foreach(object, i, count, key, json) {
        struct text name = { yyjson_get_str(key), yyjson_get_len(key) };
        const struct field *field = table_field(change->table, name, expected);
        if (!field && !is_exact)
            field = table_field_nocase(change->table, name);
        if (!field || !field_is_writable(field)) {
            if (!note_unknown(&last_unknown, name, arena))
                return false;
            continue;
        }
        unsigned at = (unsigned)(field - change->table->fields);
        expected = at + 1;
        if (change->submitted[at]) {
            change->repeated[at / 64] |= UINT64_C(1) << (at % 64);
            continue;
        }
        change->submitted[at] = (const struct json_value *)json;
        change->values[at] = value_from(json, arena);
    }
    return true;
}

struct measure {
    size_t values; /* an upper bound of names and values: all but the first follow , : [ or { */
    size_t depth;
};

/* Counts without parsing: brackets and commas outside strings. */
static struct measure measure(struct text body) {
    struct measure found = { .values = 1 };
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.at[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        if (in_string)
            continue;
        found.values += c == ',' || c == ':' || c == '[' || c == '{';
        if ((c == ']' || c == '}') && depth)
            depth--;
        if ((c == '[' || c == '{') && ++depth > found.depth)
            found.depth = depth;
    }
    return found;
}

/* Why a long body is refused before it is parsed. `at` is NULL if it is not. A body that consists
 * of "0," would otherwise take 28 times its size. */
static struct text find_excess(struct text body) {
    if (body.len <= VALUES_FREE)
        return (struct text){ 0 };
    struct measure found = measure(body);
    if (found.depth > DEPTH_MAX)
        return TEXT("is nested more than 64 levels deep");
    if (found.values > VALUES_FREE && found.values > body.len / BYTES_FOR_A_VALUE)
        return TEXT("has more than 10000 values, and fewer than 6 bytes for each");
    return (struct text){ 0 };
}

/* One error on the whole body. `message.at` NULL: there was no memory for the message. */
static enum status refuse_body(struct errors *errors, struct arena *arena, struct text message) {
    errors_add(errors, arena, &(struct error){ .property = TEXT("Body"), .message = message });
    return errors->failed || !message.at ? STATUS_INTERNAL : STATUS_BAD_INPUT;
}

static struct text place_of(struct text body, const yyjson_read_err *error, struct arena *arena) {
    size_t line = 1, column = 1, character = 0;
    if (!yyjson_locate_pos(body.at, body.len, error->pos, &line, &column, &character))
        line = column = 1;
    return arena_printf(arena, "is not valid JSON: %s at line %zu, column %zu", error->msg, line,
                        column);
}

enum status json_read_change(const struct json_body *body, const struct table *table,
                             struct arena *arena, struct change *change, struct errors *errors) {
    const yyjson_alc memory = { alloc_in_arena, grow_in_arena, leave_to_arena, arena };
    /* RFC 8259 section 8.1: a byte order mark may be ignored. */
    const struct text text = body->is_exact ? body->text : text_without_mark(body->text);
    yyjson_read_err error;

    *change = change_new(table, arena);
    if (!change->values)
        return STATUS_INTERNAL;
    if (text_trim(text).len == 0)
        return refuse_body(errors, arena, TEXT("is empty: a JSON object is required"));
    struct text excess = find_excess(text);
    if (excess.at)
        return refuse_body(errors, arena, excess);
    /* Without YYJSON_READ_INSITU yyjson does not write to the text. */
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)text.at, text.len,
                                            YYJSON_READ_BIGNUM_AS_RAW, &memory, &error);
    if (!document && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return STATUS_INTERNAL;
    if (!document)
        return refuse_body(errors, arena, place_of(text, &error, arena));
    yyjson_val *root = yyjson_doc_get_root(document);
    if (!yyjson_is_obj(root))
        return refuse_body(errors, arena, TEXT("must be a JSON object"));
    if (yyjson_obj_size(root) > JSON_MEMBERS_MAX)
        return refuse_body(errors, arena, TEXT("has more than 1000 members"));
    if (!is_nested_within(root, DEPTH_MAX))
        return refuse_body(errors, arena, TEXT("is nested more than 64 levels deep"));
    return read_members(root, body->is_exact, change, arena) ? STATUS_OK : STATUS_INTERNAL;
}

void json_add_submitted(struct buffer *buffer, const struct json_value *value) {
    const yyjson_alc memory = { alloc_in_arena, grow_in_arena, leave_to_arena, buffer->arena };
    if (!value) {
        buffer_add(buffer, TEXT("null"));
        return;
    }
    size_t len = 0;
    char *json =
        yyjson_val_write_opts((const yyjson_val *)value, YYJSON_WRITE_NOFLAG, &memory, &len, NULL);
    if (json)
        buffer_add(buffer, (struct text){ json, len });
    else
        buffer->failed = true;
}
