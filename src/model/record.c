/* Records, and the lists of Ids in them. */
#include "model/record.h"

#include "base/buffer.h"

#include <stdlib.h>

struct record record_new(const struct table *table, struct arena *arena) {
    return (struct record){
        .table = table,
        .values = arena_calloc(arena, table->count, sizeof(struct value)),
    };
}

/* Copies the values, not the texts that they point to. */
struct record record_next(const struct record *before, struct arena *arena) {
    struct record next = record_new(before->table, arena);
    if (next.values)
        memcpy(next.values, before->values, before->table->count * sizeof *next.values);
    next.version = before->version + 1;
    next.unknown = before->unknown;
    return next;
}

struct value ids_from_stored(const struct value *stored, struct arena *arena) {
    struct text rest = value_as_text(stored);
    int64_t *ids = arena_calloc(arena, rest.len / 2 + 1, sizeof *ids); /* "1," is the shortest */
    size_t count = 0;
    if (rest.len < 2 || !ids)
        return value_ids(ids, 0);
    rest = (struct text){ rest.at + 1, rest.len - 2 };
    while (rest.len) {
        struct text number = text_cut(&rest, ',');
        if (text_to_int64(number, &ids[count]))
            count++;
    }
    return value_ids(ids, count);
}

struct value ids_to_stored(const struct value *ids, struct arena *arena) {
    struct buffer json;
    buffer_init(&json, arena, 2 + (size_t)ids->len * 8);
    buffer_add_char(&json, '[');
    for (uint32_t i = 0; i < ids->len; i++) {
        if (i)
            buffer_add_char(&json, ',');
        buffer_add_int64(&json, ids->ids[i]);
    }
    buffer_add_char(&json, ']');
    return json.failed ? value_null() : value_text(buffer_text(&json));
}

/* For short lists, or a single look-up: see ids_sorted. */
bool ids_have(const struct value *ids, int64_t id) {
    for (uint32_t i = 0; i < ids->len; i++)
        if (ids->ids[i] == id)
            return true;
    return false;
}

static int by_number(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

struct value ids_sorted(const struct value *ids, struct arena *arena) {
    int64_t *sorted = arena_calloc(arena, (size_t)ids->len + 1, sizeof *sorted);
    if (!sorted)
        return value_ids(NULL, 0);
    if (ids->len)
        memcpy(sorted, ids->ids, ids->len * sizeof *sorted);
    qsort(sorted, ids->len, sizeof *sorted, by_number);
    return value_ids(sorted, ids->len);
}

bool ids_sorted_have(const struct value *sorted, int64_t id) {
    return sorted->len && bsearch(&id, sorted->ids, sorted->len, sizeof id, by_number);
}

struct text record_etag(int64_t id, int64_t version, struct arena *arena) {
    struct buffer etag;
    buffer_init(&etag, arena, 2 * INT64_TEXT_MAX + 4);
    buffer_add_char(&etag, '"');
    buffer_add_int64(&etag, id);
    buffer_add_char(&etag, '-');
    buffer_add_int64(&etag, version);
    buffer_add_char(&etag, '"');
    struct text text = buffer_text(&etag);
    buffer_add_char(&etag, '\0'); /* after the length is taken: it does not count */
    if (etag.failed)
        text.at = NULL;
    return text;
}
