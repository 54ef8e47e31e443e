/* A change of a record up to the question who may make it: what is below deciding and writing
 * (mutation_run.h), for the rules and the back links that take part in both. */
#include "service/mutation.h"

#include "crypto/secret.h"
#include "rules/messages.h"

void mutation_add_error(struct mutation *mutation, unsigned field, struct text message) {
    validate_add_error(&mutation->change, field, message, mutation->context->arena,
                       &mutation->errors);
}

/* ---- Making one ---- */

struct mutation *mutation_new(const struct mutation_context *context,
                              const struct resource *resource, enum mutation_kind kind) {
    struct mutation *mutation = resource->allocate
                                    ? resource->allocate(context->arena)
                                    : arena_calloc(context->arena, 1, sizeof *mutation);
    if (!mutation)
        return NULL;
    mutation->context = context;
    mutation->resource = resource;
    mutation->kind = kind;
    mutation->rules = (struct rules){ .nexudus = context->nexudus,
                                      .strict = context->strict,
                                      .is_new = kind == MUTATION_create,
                                      .is_patch = kind == MUTATION_patch,
                                      .now_ms = context->now_ms };
    return mutation;
}

struct mutation *mutation_new_on(const struct mutation_context *context,
                                 const struct resource *resource, enum mutation_kind kind,
                                 int64_t id) {
    struct mutation *mutation = mutation_new(context, resource, kind);
    if (!mutation)
        return NULL;
    mutation->change = change_new(resource->table, context->arena);
    if (!mutation->change.values)
        return NULL;
    mutation->change.values[resource->table->common.id] = value_integer(id);
    return mutation;
}

/* ---- What needs no stored record ---- */

/* The Id of the record is known, and if the change has one too, it must be the same. */
static void take_id(struct mutation *mutation, int64_t known) {
    unsigned field = mutation->resource->table->common.id;
    struct value *id = &mutation->change.values[field];
    if (id->kind == VALUE_INTEGER && id->integer != known)
        mutation_add_error(mutation, field, MESSAGE_TEXT(other_id));
    *id = value_integer(known);
}

static enum status make_unique_id(struct mutation *mutation) {
    struct value *value = &mutation->change.values[mutation->resource->table->common.unique_id];
    if (value->kind != VALUE_ABSENT)
        return STATUS_OK;
    char *guid = arena_alloc(mutation->context->arena, 36);
    if (!guid)
        return STATUS_INTERNAL;
    random_guid(guid);
    *value = value_text((struct text){ guid, 36 });
    return STATUS_OK;
}

enum status mutation_validate(struct mutation *mutation, int64_t id) {
    struct value *own = &mutation->change.values[mutation->resource->table->common.id];
    bool has_id = mutation->kind != MUTATION_create && id;
    if (has_id && own->kind == VALUE_ABSENT)
        *own = value_integer(id);
    validate(&mutation->change, &mutation->rules, mutation->context->arena, &mutation->errors);
    if (has_id)
        take_id(mutation, id);
    else if (mutation->kind == MUTATION_create)
        return make_unique_id(mutation);
    return own->kind == VALUE_INTEGER ? STATUS_OK : STATUS_BAD_INPUT;
}

/* Puts what is stored in place of what was sent. */
bool mutation_seal_values(const struct mutation *mutation, int64_t id, struct value *values) {
    const struct mutation_context *context = mutation->context;
    const struct table *table = mutation->resource->table;
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (!field_is_sealed(field) || values[i].kind != VALUE_TEXT || values[i].len == 0)
            continue;
        struct text place = seal_place(table, id, i, context->arena);
        values[i] =
            value_text(seal(context->key, value_as_text(&values[i]), place, context->arena));
        if (values[i].kind != VALUE_TEXT)
            return false;
    }
    return true;
}

enum status mutation_seal(struct mutation *mutation) {
    struct value *values = mutation->change.values;
    if (mutation->kind == MUTATION_create)
        return STATUS_OK;
    int64_t id = values[mutation->resource->table->common.id].integer;
    return mutation_seal_values(mutation, id, values) ? STATUS_OK : STATUS_INTERNAL;
}

/* ---- The stored record ---- */

enum status mutation_each_new_id(struct mutation *mutation, unsigned field,
                                 struct store_session *session,
                                 enum status (*check)(struct mutation *, struct store_session *,
                                                      unsigned, int64_t)) {
    const struct value *named = &mutation->change.values[field];
    const struct field *which = &mutation->change.table->fields[field];
    unsigned links = field_has_base(which) ? which->base : field;
    if (named->kind != VALUE_IDS || named->len == 0)
        return STATUS_OK;
    struct arena *arena = mutation->context->arena;
    struct value present = ids_from_stored(&mutation->before.values[links], arena);
    if (present.ids)
        present = ids_sorted(&present, arena);
    enum status status = present.ids ? STATUS_OK : STATUS_INTERNAL;
    for (uint32_t i = 0; status == STATUS_OK && i < named->len; i++)
        if (!ids_sorted_have(&present, named->ids[i]))
            status = check(mutation, session, field, named->ids[i]);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

struct author mutation_author(const struct mutation *mutation) {
    const struct mutation_context *context = mutation->context;
    return (struct author){ context->caller->email, context->now_ms, context->request_id };
}

static bool has_backlinks(const struct table *table) {
    for (unsigned i = 0; i < table->count; i++)
        if (table->fields[i].type == TYPE_backlinks && field_is_writable(&table->fields[i]))
            return true;
    return false;
}

static enum status load_before(struct mutation *mutation, struct store_session *session) {
    const struct table *table = mutation->resource->table;
    struct arena *arena = mutation->context->arena;
    if (mutation->kind != MUTATION_create) {
        enum status status =
            store_load(session, table, mutation->change.values[table->common.id].integer, arena,
                       &mutation->before);
        if (status != STATUS_OK || !has_backlinks(table))
            return status;
        return store_load_derived(session, &mutation->before, arena);
    }
    mutation->before = record_new(table, arena);
    return mutation->before.values ? STATUS_OK : STATUS_INTERNAL;
}

static enum status check_permission(struct mutation *mutation, struct store_session *session) {
    struct errors invalid = mutation->errors;
    if (!mutation->resource->permit)
        return STATUS_OK;
    mutation->errors = (struct errors){ 0 };
    enum status status = mutation->resource->permit(mutation, session);
    if (status != STATUS_OK)
        return status;
    if (mutation->errors.first || mutation->errors.failed)
        return STATUS_FORBIDDEN_CHANGE;
    mutation->errors = invalid;
    return STATUS_OK;
}

enum status mutation_permit(struct mutation *mutation, struct store_session *session) {
    enum status status = load_before(mutation, session);
    return status == STATUS_OK ? check_permission(mutation, session) : status;
}
