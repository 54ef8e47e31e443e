/* Sets of Ids. Bodies may have lists of 10,000, so duplicates are found by sorting: comparing each
 * pair would let a client keep a core busy. */
#include "rules/collections.h"

#include "model/record.h"

#include <stdlib.h>

/* An Id and its place in the list, by which the order is restored after sorting. */
struct place {
    int64_t id;
    size_t at;
};

static int by_id(const void *a, const void *b) {
    const struct place *left = a, *right = b;
    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at;
}

static int by_place(const void *a, const void *b) {
    const struct place *left = a, *right = b;
    return left->at < right->at ? -1 : left->at > right->at;
}

struct value ids_union(const struct value *first, const struct value *second, struct arena *arena) {
    size_t more = second ? second->len : 0, count = 0, total = first->len + more;
    struct place *places = arena_calloc(arena, total + 1, sizeof *places);
    int64_t *ids = arena_calloc(arena, total + 1, sizeof *ids);
    if (!places || !ids)
        return value_ids(NULL, 0);
    for (size_t i = 0; i < total; i++)
        places[i] =
            (struct place){ i < first->len ? first->ids[i] : second->ids[i - first->len], i };
    qsort(places, total, sizeof *places, by_id);
    for (size_t i = 0; i < total; i++)
        if (i == 0 || places[i].id != places[i - 1].id)
            places[count++] = places[i];
    qsort(places, count, sizeof *places, by_place);
    for (size_t i = 0; i < count; i++)
        ids[i] = places[i].id;
    return value_ids(ids, count);
}

struct value ids_without(const struct value *ids, const struct value *removed,
                         struct arena *arena) {
    struct value sorted = ids_sorted(removed, arena);
    int64_t *kept = arena_calloc(arena, (size_t)ids->len + 1, sizeof *kept);
    size_t count = 0;
    if (!sorted.ids || !kept)
        return value_ids(NULL, 0);
    for (uint32_t i = 0; i < ids->len; i++)
        if (!ids_sorted_have(&sorted, ids->ids[i]))
            kept[count++] = ids->ids[i];
    return value_ids(kept, count);
}
