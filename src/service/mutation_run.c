/* The decision on a mutation and its writing. Decisions that depend on stored records are taken
 * inside the transaction, where nobody can change these meanwhile. An earlier decision only saves
 * work. */
#include "service/mutation_run.h"

#include "base/buffer.h"
#include "model/tables.h"
#include "rules/audit.h"
#include "rules/etag.h"
#include "rules/merge.h"
#include "rules/messages.h"
#include "service/backlinks.h"
#include "service/idempotency.h"

/* ---- The decision ---- */

static enum status check_reference(struct mutation *mutation, struct store_session *session,
                                   unsigned field, int64_t id) {
    const struct table *table = mutation->change.table;
    const struct table *target = field_target(table, &table->fields[field]);
    enum status status = store_exists(session, target, id);
    if (status != STATUS_NOT_FOUND)
        return status;
    mutation_add_error(
        mutation, field,
        arena_printf(mutation->context->arena, message_missing_row, target->noun, (long long)id));
    return STATUS_NOT_FOUND;
}

static enum status check_references(struct mutation *mutation, struct store_session *session) {
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < mutation->change.table->count; i++) {
        const struct value *value = &mutation->change.values[i];
        if (!field_target(mutation->change.table, &mutation->change.table->fields[i]))
            continue;
        if (value->kind == VALUE_IDS)
            status = mutation_each_new_id(mutation, i, session, check_reference);
        else if (value->kind == VALUE_INTEGER && !value_equal(value, &mutation->before.values[i]))
            status = check_reference(mutation, session, i, value->integer);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

/* Records of a table are called by their names only to who may read them. */
static bool may_read(const struct principal *caller, const struct table *table) {
    return principal_may(caller, permission(table->permission_entity, OPERATION_Read));
}

/* "Maria Lopez (87654321), ..." of the first few, or the Ids alone; NUL-terminated. */
static struct text list_referrers(const struct referrers *referrers, bool with_names,
                                  struct arena *arena) {
    struct buffer list;
    buffer_init(&list, arena, 128);
    for (unsigned i = 0; i < REFERRERS_SHOWN && i < referrers->count; i++) {
        const struct referrer *one = &referrers->shown[i];
        const char *comma = i ? ", " : "";
        if (with_names)
            buffer_printf(&list, "%s%.*s (%lld)", comma, (int)one->name.len,
                          one->name.at ? one->name.at : "", (long long)one->id);
        else
            buffer_printf(&list, "%s%lld", comma, (long long)one->id);
    }
    if (referrers->count > REFERRERS_SHOWN)
        buffer_add(&list, TEXT(" and others"));
    buffer_add_char(&list, '\0');
    if (list.failed)
        return (struct text){ 0 };
    return buffer_text(&list);
}

/* A record that others still point to is not deleted. */
static enum status check_referrers(struct mutation *mutation, struct store_session *session) {
    struct arena *arena = mutation->context->arena;
    struct referrers referrers;
    struct text noun = text_of(mutation->resource->table->noun);
    enum status status = store_referrers(session, &mutation->before, arena, &referrers);
    if (status != STATUS_OK || !referrers.count)
        return status;
    struct text list =
        list_referrers(&referrers, may_read(mutation->context->caller, referrers.table), arena);
    if (!list.at)
        return STATUS_INTERNAL;
    mutation->conflict =
        arena_printf(arena, message_still_used, noun.at, (long long)referrers.count,
                     referrers.table->noun, referrers.count == 1 ? "" : "s", list.at);
    return mutation->conflict.at ? STATUS_CONFLICT : STATUS_INTERNAL;
}

/* Has a field another value than the audit trail says that it was given? */
static enum status check_expected(struct mutation *mutation) {
    const struct table *table = mutation->resource->table;
    for (unsigned i = 0; i < mutation->expected_count; i++) {
        const struct expected_value *expected = &mutation->expected[i];
        const struct field *field = &table->fields[expected->field];
        char room[AUDIT_ROOM];
        if (text_equal(audit_text(field, &mutation->before.values[expected->field], room),
                       expected->text))
            continue;
        mutation->conflict =
            arena_printf(mutation->context->arena, message_changed_since, field->name.at);
        return mutation->conflict.at ? STATUS_PRECONDITION_FAILED : STATUS_INTERNAL;
    }
    return STATUS_OK;
}

/* RFC 9110 sections 13.1.1 and 13.1.2. A record that does not exist yet has no ETag. */
static enum status check_conditions(struct mutation *mutation) {
    const struct record *before = &mutation->before;
    struct text etag = { 0 };
    mutation->conflict = (struct text){ 0 };
    if (before->version) {
        etag = record_etag(record_id(before), before->version, mutation->context->arena);
        if (!etag.at)
            return STATUS_INTERNAL;
    }
    if (mutation->context->if_match.at &&
        !etag_is_listed(mutation->context->if_match, etag, ETAG_STRONG))
        return STATUS_PRECONDITION_FAILED;
    if (!etag_is_listed(mutation->context->if_none_match, etag, ETAG_WEAK))
        return check_expected(mutation);
    mutation->conflict = MESSAGE_TEXT(none_match);
    return STATUS_PRECONDITION_FAILED;
}

static enum status merge_after(struct mutation *mutation) {
    struct arena *arena = mutation->context->arena;
    switch (mutation->kind) {
    case MUTATION_create:
        return merge_new(&mutation->change, &mutation->rules, arena, &mutation->after);
    case MUTATION_replace:
    case MUTATION_patch:
        return merge(&mutation->before, &mutation->change, &mutation->rules, arena,
                     &mutation->after);
    case MUTATION_delete: break;
    }
    mutation->after = record_new(mutation->resource->table, arena);
    return mutation->after.values ? STATUS_OK : STATUS_INTERNAL;
}

enum status mutation_decide(struct mutation *mutation, struct store_session *session) {
    const struct resource *resource = mutation->resource;
    enum status status = mutation_permit(mutation, session);
    if (status == STATUS_OK)
        status = check_references(mutation, session);
    if (status == STATUS_OK && resource->check)
        status = resource->check(mutation, session);
    mutation->rules.author = mutation->context->caller->email;
    /* Invalid fields were dropped from the change, so a new record cannot be merged from it. */
    if (status == STATUS_OK && mutation->kind == MUTATION_create && mutation->errors.first)
        return STATUS_BAD_INPUT;
    if (status == STATUS_OK)
        status = merge_after(mutation);
    if (status == STATUS_OK && resource->check_merged)
        status = resource->check_merged(mutation, session);
    if (status == STATUS_OK && mutation->kind != MUTATION_delete)
        status = backlinks_check(mutation, session);
    else if (status == STATUS_OK && !mutation->errors.first)
        status = check_referrers(mutation, session);
    if (status != STATUS_OK)
        return status;
    if (mutation_is_wrong(mutation))
        return STATUS_BAD_INPUT;
    return check_conditions(mutation);
}

/* ---- Writing ---- */

static enum status insert(struct mutation *mutation, struct store_tx *tx,
                          const struct author *author) {
    const struct table *table = mutation->resource->table;
    struct value *values = mutation->after.values;
    int64_t id = mutation->new_id;
    enum status status = id ? STATUS_OK : store_new_id(tx, table, &id);
    if (status != STATUS_OK || !mutation_seal_values(mutation, id, values))
        return STATUS_INTERNAL;
    values[table->common.id] = value_integer(id);
    return store_insert(tx, &mutation->after, author);
}

static enum status write_row(struct mutation *mutation, struct store_tx *tx) {
    struct author author = mutation_author(mutation);
    switch (mutation->kind) {
    case MUTATION_create: return insert(mutation, tx, &author);
    case MUTATION_delete:
        if (mutation->resource->erase)
            return mutation->resource->erase(mutation, tx);
        return store_delete(tx, &mutation->before, &author);
    case MUTATION_replace:
    case MUTATION_patch: break;
    }
    return store_update(tx, &mutation->before, &mutation->after, &author);
}

static struct mutation_result result_of(const struct mutation *mutation) {
    const struct common_fields *common = &mutation->resource->table->common;
    const struct value *after = mutation->after.values;
    if (mutation->kind == MUTATION_delete)
        return (struct mutation_result){ .id = record_id(&mutation->before),
                                         .by = mutation_author(mutation) };
    return (struct mutation_result){ .id = record_id(&mutation->after),
                                     .version = mutation->after.version,
                                     .by = { .email = value_as_text(&after[common->updated_by]),
                                             .now_ms = after[common->updated_on].integer } };
}

enum status mutation_write(struct mutation *mutation, struct store_tx *tx) {
    enum status status = write_row(mutation, tx);
    if (status == STATUS_OK && mutation->kind != MUTATION_delete)
        status = backlinks_write(mutation, tx);
    if (status == STATUS_OK && mutation->resource->write)
        status = mutation->resource->write(mutation, tx);
    if (status != STATUS_OK)
        return STATUS_INTERNAL;
    mutation->result = result_of(mutation);
    status = idempotency_keep(mutation, tx);
    return status == STATUS_OK && !mutation->context->arena->failed ? STATUS_OK : STATUS_INTERNAL;
}

enum status mutation_run(struct mutation *mutation, struct store_tx *tx) {
    enum status status = idempotency_find(mutation, tx->session);
    if (status != STATUS_NOT_FOUND)
        return status;
    mutation->errors = (struct errors){ 0 }; /* none of validation; this may be a second run */
    status = mutation_decide(mutation, tx->session);
    return status == STATUS_OK ? mutation_write(mutation, tx) : status;
}

struct store_target mutation_target(const struct mutation *mutation) {
    const struct table *table = mutation->resource->table;
    const struct value *id = &mutation->change.values[table->common.id];
    if (mutation->kind == MUTATION_create || id->kind != VALUE_INTEGER)
        return (struct store_target){ 0 };
    return (struct store_target){ table, id->integer };
}
