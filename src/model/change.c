/* Changes: what PUT, PATCH, POST, forms and the seed all make of their input. */
#include "model/change.h"

#include <assert.h>

void errors_add(struct errors *errors, struct arena *arena, const struct error *error) {
    struct error *copy = arena_alloc(arena, sizeof *copy);
    if (!copy) {
        errors->failed = true;
        return;
    }
    struct error **place = &errors->first;
    if (errors->last && errors->last->order <= error->order) /* the usual case: at the end */
        place = &errors->last->next;
    while (*place && (*place)->order <= error->order)
        place = &(*place)->next;
    *copy = *error;
    copy->next = *place;
    *place = copy;
    if (!copy->next)
        errors->last = copy;
}

/* `values` is NULL if either array could not be allocated. */
struct change change_new(const struct table *table, struct arena *arena) {
    assert(table->count <= CHANGE_FIELDS_MAX);
    struct change change = {
        .table = table,
        .values = arena_calloc(arena, table->count, sizeof *change.values),
        .submitted = arena_calloc(arena, table->count, sizeof(struct json_value *)),
    };
    if (!change.submitted)
        change.values = NULL;
    return change;
}
