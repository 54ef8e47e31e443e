/* Links changed from their other side. A link is stored with the record that has it, so a change of
 * a list of back links is a change of each record that is added to it or removed from it. The rules
 * of that record permit the change, and it is written as a patch of that record. */
#include "service/backlinks.h"

#include "rules/merge.h"
#include "rules/messages.h"
#include "service/resources.h"

/* Each is loaded, checked and written: more at once would hold up all other changes. */
enum { BACKLINKS_AT_ONCE = 1000 };

/* One record that gets or loses its link to the record of the mutation. */
struct backlink {
    struct mutation *mutation;
    unsigned field;                /* that lists the back links */
    unsigned count;                /* of records visited so far */
    int64_t id;                    /* of the record that has the link */
    bool comes;                    /* it gets the link; false: it loses it */
    struct store_session *session; /* to check by */
    struct store_tx *tx;           /* to write by; NULL: it is only checked */
};

typedef enum status visitor(const struct backlink *backlink);

static bool is_backlinks(const struct field *field) {
    return field->type == TYPE_backlinks && field_is_writable(field);
}

/* Visits each id of `from` that `others` has not. STATUS_TOO_LARGE: there are too many. */
static enum status each_missing(struct backlink *backlink, const struct value *from,
                                const struct value *others, visitor *visit) {
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < from->len; i++) {
        backlink->id = from->ids[i];
        if (ids_sorted_have(others, backlink->id))
            continue;
        status = ++backlink->count > BACKLINKS_AT_ONCE ? STATUS_TOO_LARGE : visit(backlink);
    }
    return status;
}

/* Visits each record that loses its link and then each that gets one, in ascending order of their
 * ids. */
static enum status each_backlink(struct backlink *backlink, visitor *visit) {
    const struct mutation *mutation = backlink->mutation;
    struct arena *arena = mutation->context->arena;
    struct value before = ids_from_stored(&mutation->before.values[backlink->field], arena);
    struct value after = ids_from_stored(&mutation->after.values[backlink->field], arena);
    if (before.ids && after.ids) {
        before = ids_sorted(&before, arena);
        after = ids_sorted(&after, arena);
    }
    if (!before.ids || !after.ids)
        return STATUS_INTERNAL;
    enum status status = each_missing(backlink, &before, &after, visit);
    backlink->comes = true;
    return status == STATUS_OK ? each_missing(backlink, &after, &before, visit) : status;
}

/* Has a change of the linking record add the link, or take it away. */
static bool set_link(const struct backlink *backlink, struct change *change, struct arena *arena) {
    const struct field *backlinks = &backlink->mutation->resource->table->fields[backlink->field];
    unsigned which =
        field_of_list(change->table, backlinks->base, backlink->comes ? TYPE_added : TYPE_removed);
    int64_t *id = arena_alloc(arena, sizeof *id);
    if (!id)
        return false;
    *id = record_id(&backlink->mutation->after);
    change->values[which] = value_ids(id, 1);
    return true;
}

static const struct table *linking_table(const struct backlink *backlink) {
    return backlink->mutation->resource->table->fields[backlink->field].target;
}

/* By the rules for changing the linking record itself. Nobody can have a link to a new record,
 * which has no Id yet; whether its maker may give it to others is a rule of its own resource. */
static enum status check_backlink(const struct backlink *backlink) {
    struct mutation *mutation = backlink->mutation;
    struct arena *arena = mutation->context->arena;
    const struct resource *resource = resource_of(linking_table(backlink));
    unsigned edit = permission(resource->table->permission_entity, OPERATION_Edit);
    if (!principal_may(mutation->context->caller, edit)) {
        mutation_add_error(mutation, backlink->field, MESSAGE_TEXT(backlinks_denied));
        return STATUS_FORBIDDEN_CHANGE;
    }
    struct mutation *patch =
        mutation_new_on(mutation->context, resource, MUTATION_patch, backlink->id);
    if (!patch)
        return STATUS_INTERNAL;
    if (mutation->kind != MUTATION_create && !set_link(backlink, &patch->change, arena))
        return STATUS_INTERNAL;
    enum status status = mutation_permit(patch, backlink->session);
    if (status == STATUS_NOT_FOUND) /* an error on the reference says so */
        return STATUS_OK;
    if (status == STATUS_FORBIDDEN_CHANGE)
        mutation_add_error(mutation, backlink->field,
                           arena_printf(arena, message_backlink_denied, resource->table->noun,
                                        (long long)backlink->id));
    return status;
}

static enum status check_field(struct mutation *mutation, unsigned field,
                               struct store_session *session) {
    struct backlink backlink = { .mutation = mutation, .field = field, .session = session };
    enum status status = each_backlink(&backlink, check_backlink);
    if (status != STATUS_TOO_LARGE)
        return status;
    mutation_add_error(mutation, field, MESSAGE_TEXT(backlinks_at_once));
    return STATUS_BAD_INPUT;
}

enum status backlinks_check(struct mutation *mutation, struct store_session *session) {
    const struct table *table = mutation->resource->table;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++)
        if (is_backlinks(&table->fields[i]))
            status = check_field(mutation, i, session);
    return status;
}

/* In an arena of its own: nothing of it is needed afterwards. */
static enum status write_backlink(const struct backlink *backlink) {
    struct arena arena = { 0 };
    struct record before, after;
    struct author author = mutation_author(backlink->mutation);
    struct rules rules = backlink->mutation->rules;
    struct change change = change_new(linking_table(backlink), &arena);
    enum status status = STATUS_INTERNAL;
    rules.is_patch = true;
    if (change.values && set_link(backlink, &change, &arena))
        status = store_load(backlink->tx->session, linking_table(backlink), backlink->id, &arena,
                            &before);
    if (status == STATUS_OK)
        status = merge(&before, &change, &rules, &arena, &after);
    if (status == STATUS_OK)
        status = store_update(backlink->tx, &before, &after, &author);
    arena_close(&arena);
    return status;
}

enum status backlinks_write(struct mutation *mutation, struct store_tx *tx) {
    const struct table *table = mutation->resource->table;
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < table->count; i++)
        if (is_backlinks(&table->fields[i])) {
            struct backlink backlink = { .mutation = mutation, .field = i, .tx = tx };
            status = each_backlink(&backlink, write_backlink);
        }
    return status;
}
