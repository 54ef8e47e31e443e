/* Reverting changes: from rows of the audit trail to the update that puts their values back. */
#include "service/revert.h"

#include "model/tables.h"
#include "rules/audit.h"
#include "rules/messages.h"

static struct text text_in(const struct record *row, unsigned field) {
    return value_as_text(&row->values[field]);
}

static bool is_same_record(const struct record *a, const struct record *b) {
    return a->values[AUDIT_TRAIL_ENTRY_EntityId].integer ==
               b->values[AUDIT_TRAIL_ENTRY_EntityId].integer &&
           text_equal(text_in(a, AUDIT_TRAIL_ENTRY_EntityShortName),
                      text_in(b, AUDIT_TRAIL_ENTRY_EntityShortName));
}

/* The field that a row is about; NULL: none. */
static const struct field *field_of(const struct record *row) {
    const struct table *table = tables_find(text_in(row, AUDIT_TRAIL_ENTRY_EntityShortName));
    return table ? table_field(table, text_in(row, AUDIT_TRAIL_ENTRY_PropertyName), 0) : NULL;
}

/* Why a row cannot be reverted; `at` NULL: it can be. */
static struct text obstacle(const struct record *row) {
    const struct field *field = field_of(row);
    if (row->values[AUDIT_TRAIL_ENTRY_AuditType].integer != AUDIT_UPDATE)
        return MESSAGE_TEXT(revert_whole);
    if (!field || !field_is_writable(field) || field->type == TYPE_id)
        return MESSAGE_TEXT(revert_fixed);
    if (!field_is_searchable(field))
        return MESSAGE_TEXT(revert_secret);
    if (audit_is_digest(text_in(row, AUDIT_TRAIL_ENTRY_OldValue)))
        return MESSAGE_TEXT(revert_long);
    return (struct text){ 0 };
}

/* The same, beside the rows before it. */
static struct text obstacle_among(const struct revert *revert, unsigned at) {
    const struct record *row = &revert->rows[at];
    if (!is_same_record(row, &revert->rows[0]))
        return MESSAGE_TEXT(revert_other);
    for (unsigned i = 0; i < at; i++)
        if (text_equal(text_in(&revert->rows[i], AUDIT_TRAIL_ENTRY_PropertyName),
                       text_in(row, AUDIT_TRAIL_ENTRY_PropertyName)))
            return MESSAGE_TEXT(revert_twice);
    return obstacle(row);
}

static void check_rows(const struct revert *revert, struct errors *errors) {
    struct arena *arena = revert->context->arena;
    for (unsigned i = 0; i < revert->count; i++) {
        struct text message = obstacle_among(revert, i);
        struct text id = arena_printf(arena, "%lld", (long long)record_id(&revert->rows[i]));
        if (message.at)
            errors_add(errors, arena,
                       &(struct error){
                           .property = TEXT("Ids"), .message = message, .attempted_text = id });
    }
}

/* A list of Ids as a body has it. Kind ABSENT: no memory. */
static struct value list_of(struct text text, struct arena *arena) {
    struct value stored = value_text(text), ids = ids_from_stored(&stored, arena);
    struct value *list = arena_calloc(arena, (size_t)ids.len + 1, sizeof *list);
    if (!ids.ids || !list)
        return (struct value){ .kind = VALUE_ABSENT };
    for (uint32_t i = 0; i < ids.len; i++)
        list[i] = value_integer(ids.ids[i]);
    return (struct value){ .list = list, .len = ids.len, .kind = VALUE_LIST };
}

static bool add_row(struct mutation *mutation, const struct record *row,
                    struct expected_value *expected) {
    const struct field *field = field_of(row);
    struct text before = text_in(row, AUDIT_TRAIL_ENTRY_OldValue);
    struct value value = value_text(before);
    if (before.at && field->type == TYPE_links)
        value = list_of(before, mutation->context->arena);
    expected->field = (unsigned)(field - mutation->resource->table->fields);
    expected->text = text_in(row, AUDIT_TRAIL_ENTRY_NewValue);
    mutation->change.values[expected->field] = value;
    return value.kind != VALUE_ABSENT;
}

struct mutation *revert_mutation(const struct revert *revert, struct errors *errors) {
    const struct mutation_context *context = revert->context;
    const struct record *first = &revert->rows[0];
    int64_t id = first->values[AUDIT_TRAIL_ENTRY_EntityId].integer;
    check_rows(revert, errors);
    if (errors->first || errors->failed)
        return NULL;
    const struct table *table = tables_find(text_in(first, AUDIT_TRAIL_ENTRY_EntityShortName));
    struct expected_value *expected = arena_calloc(context->arena, revert->count, sizeof *expected);
    struct mutation *mutation = mutation_new_on(context, resource_of(table), MUTATION_patch, id);
    bool is_made = mutation && expected;
    for (unsigned i = 0; is_made && i < revert->count; i++)
        is_made = add_row(mutation, &revert->rows[i], &expected[i]);
    if (!is_made || mutation_validate(mutation, id) != STATUS_OK)
        return NULL;
    mutation->expected = expected;
    mutation->expected_count = revert->overwrites ? 0 : revert->count;
    return mutation;
}
