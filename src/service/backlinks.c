/* Links changed from their other side. */
#include "service/backlinks.h"

#include "rules/merge.h"
#include "rules/messages.h"

#include <assert.h>

/* Each is loaded, judged and written: more at once would hold up all other changes. */
enum { OWNERS_AT_ONCE = 1000 };

/* One record that gets or loses its link. */
struct owner {
    struct writing *writing; /* of the record that is linked to */
    unsigned field;          /* that has the owners */
    unsigned count;          /* of them so far */
    int64_t id;
    bool comes;
};

typedef enum status step(const struct owner *owner, struct store_view *view);

static bool is_owners(const struct field *field) {
    return field->type == TYPE_owners && field_is_writable(field);
}

enum status owners_load(struct writing *writing, struct store_view *view) {
    const struct table *table = writing->resource->table;
    bool has = false;
    for (unsigned i = 0; i < table->count; i++)
        has |= is_owners(&table->fields[i]);
    return has ? store_complete(view, &writing->before, writing->request->arena) : STATUS_OK;
}

/* Takes a step for each id of `from` that `others` has not. STATUS_TOO_LARGE: there are too many.
 */
static enum status each_missing(struct owner *owner, const struct value *from,
                                const struct value *others, step *take, struct store_view *view) {
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < from->len; i++) {
        owner->id = from->ids[i];
        if (ids_sorted_have(others, owner->id))
            continue;
        status = ++owner->count > OWNERS_AT_ONCE ? STATUS_TOO_LARGE : take(owner, view);
    }
    return status;
}

/* Takes a step for each record that comes or goes, in ascending order of their ids. */
static enum status each_owner(struct writing *writing, unsigned field, step *take,
                              struct store_view *view) {
    struct arena *arena = writing->request->arena;
    struct value before = ids_from_stored(&writing->before.values[field], arena);
    struct value after = ids_from_stored(&writing->after.values[field], arena);
    struct owner owner = { .writing = writing, .field = field };
    if (before.ids && after.ids) {
        before = ids_sorted(&before, arena);
        after = ids_sorted(&after, arena);
    }
    if (!before.ids || !after.ids)
        return STATUS_BROKEN;
    enum status status = each_missing(&owner, &before, &after, take, view);
    owner.comes = true;
    return status == STATUS_OK ? each_missing(&owner, &after, &before, take, view) : status;
}

/* Adds the link to a change of the owner, or takes it away. */
static bool set_link(const struct owner *owner, struct change *change, struct arena *arena) {
    const struct table *table = owner->writing->resource->table;
    unsigned links = field_other_side(table, &table->fields[owner->field]);
    int64_t *id = arena_alloc(arena, sizeof *id);
    if (!id)
        return false;
    *id = record_id(&owner->writing->after);
    change->values[links + (owner->comes ? 1 : 2)] = value_ids(id, 1); /* Added..., Removed... */
    return true;
}

static const struct resource *resource_of(const struct table *table) {
    unsigned i = 0;
    while (!routes[i].resource || routes[i].resource->table != table) {
        i++;
        assert(i < route_count);
    }
    return routes[i].resource;
}

static const struct table *owners_table(const struct owner *owner) {
    return owner->writing->resource->table->fields[owner->field].target;
}

/* By the rules for changing the owner itself. To a new record, which has no Id yet, nobody can be
 * linked already; that its maker may give it to others is for the rules of its own. */
static enum status judge(const struct owner *owner, struct store_view *view) {
    struct request *request = owner->writing->request;
    const struct resource *resource = resource_of(owners_table(owner));
    if (!principal_may(&request->principal, permission(resource->table->rights, OPERATION_Edit))) {
        writing_complain(owner->writing, owner->field, MESSAGE_TEXT(owners_denied));
        return STATUS_DENIED;
    }
    struct writing *change = writing_new_patch(request, resource, owner->id);
    if (!change)
        return STATUS_BROKEN;
    if (owner->writing->kind != WRITING_create && !set_link(owner, &change->change, request->arena))
        return STATUS_BROKEN;
    enum status status = writing_permit(change, view);
    if (status == STATUS_NOT_FOUND) /* who comes was complained about as a reference */
        return STATUS_OK;
    if (status == STATUS_DENIED)
        writing_complain(owner->writing, owner->field,
                         arena_printf(request->arena, message_owner_denied, resource->table->noun,
                                      (long long)owner->id));
    return status;
}

static enum status check_field(struct writing *writing, unsigned field, struct store_view *view) {
    enum status status = each_owner(writing, field, judge, view);
    if (status != STATUS_TOO_LARGE)
        return status;
    writing_complain(writing, field, MESSAGE_TEXT(owners_at_once));
    return STATUS_BAD_INPUT;
}

enum status owners_check(struct writing *writing, struct store_view *view) {
    const struct table *table = writing->resource->table;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++)
        if (is_owners(&table->fields[i]))
            status = check_field(writing, i, view);
    return status;
}

/* Nothing of it is wanted afterwards. */
static enum status write_owner(const struct owner *owner, struct store_view *tx) {
    struct arena arena = { 0 };
    struct record before, after;
    struct author author = writing_author(owner->writing);
    struct rules rules = owner->writing->rules;
    struct change change = change_new(owners_table(owner), &arena);
    enum status status = STATUS_BROKEN;
    rules.is_patch = true;
    if (change.values && set_link(owner, &change, &arena))
        status = store_load(tx, owners_table(owner), owner->id, &arena, &before);
    if (status == STATUS_OK)
        status = merge(&before, &change, &rules, &arena, &after);
    if (status == STATUS_OK)
        status = store_update(tx, &before, &after, &author);
    arena_close(&arena);
    return status;
}

enum status owners_write(struct writing *writing, struct store_view *tx) {
    const struct table *table = writing->resource->table;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++)
        if (is_owners(&table->fields[i]))
            status = each_owner(writing, i, write_owner, tx);
    return status;
}
