/* From a stored record and a change to the next record: pure functions, which run on the writer
 * thread inside the transaction. */
#include "rules/merge.h"

#include "base/buffer.h"
#include "model/tables.h"
#include "rules/collections.h"
#include "rules/email.h"

/* A change of a list: its new Ids, those to add, those to remove. NULL: not mentioned. */
struct list_change {
    const struct value *whole, *added, *removed;
};

static const struct value *ids_of(const struct change *change, unsigned field) {
    if (field == change->table->count || change->values[field].kind != VALUE_IDS)
        return NULL;
    return &change->values[field];
}

static struct list_change list_change(const struct change *change, unsigned list) {
    const struct table *table = change->table;
    if (table->fields[list].flags & READ_ONLY)
        return (struct list_change){ 0 };
    return (struct list_change){
        .whole = ids_of(change, list),
        .added = ids_of(change, field_of_list(table, list, TYPE_added)),
        .removed = ids_of(change, field_of_list(table, list, TYPE_removed)),
    };
}

/* VALUE_NULL if there is no memory. */
static struct value merge_list(const struct list_change *change, const struct value *before,
                               struct arena *arena) {
    struct value ids = change->whole ? *change->whole : ids_from_stored(before, arena);
    if (change->added && ids.ids)
        ids = ids_union(&ids, change->added, arena);
    if (change->removed && ids.ids)
        ids = ids_without(&ids, change->removed, arena);
    return ids.ids ? ids_to_stored(&ids, arena) : value_null();
}

static struct value nothing_of(const struct field *field) {
    return field->type == TYPE_boolean ? value_integer(0) : value_null();
}

/* Secrets are not shown, so a client that sends a record back sends null for them: null and omitted
 * secrets stay. Only an empty text clears one. */
static struct value merge_field(const struct field *field, const struct value *before,
                                const struct value *change, const struct rules *rules) {
    bool is_secret = field_is_secret(field);
    if (!field_is_writable(field) || field->type == TYPE_id)
        return *before;
    switch ((enum value_kind)change->kind) {
    case VALUE_ABSENT:
        if (rules->nexudus && !rules->is_patch && !is_secret &&
            !(field->flags & (STICKY | REQUIRED)))
            return nothing_of(field);
        return *before;
    case VALUE_NULL: return is_secret ? *before : nothing_of(field);
    default: return is_secret && change->len == 0 ? value_null() : *change;
    }
}

/* ToStringText: "Full Name - email" for a user (docs/decisions.md section 2), for other resources
 * the name, or nothing. */
static struct value display_text(const struct record *record, struct arena *arena) {
    struct buffer text;
    const struct table *table = record->table;
    if (table != &user_table) {
        const struct value *name =
            &record->values[table_field(table, TEXT("Name"), 0) - table->fields];
        return name->kind == VALUE_TEXT ? *name : value_text(TEXT(""));
    }
    struct text name = value_as_text(&record->values[USER_FullName]);
    struct text email = value_as_text(&record->values[USER_Email]);
    buffer_init(&text, arena, name.len + email.len + 3);
    buffer_add(&text, name);
    buffer_add(&text, TEXT(" - "));
    buffer_add(&text, email);
    return text.failed ? value_null() : value_text(buffer_text(&text));
}

/* The default business stays while it is one of the user's businesses; otherwise it is the first.
 */
static struct value default_business(const struct record *record, struct arena *arena) {
    struct value ids = ids_from_stored(&record->values[USER_Businesses], arena);
    const struct value *stored = &record->values[USER_DefaultBusinessId];
    if (stored->kind == VALUE_INTEGER && ids_have(&ids, stored->integer))
        return *stored;
    return ids.len ? value_integer(ids.ids[0]) : value_null();
}

static bool differs(const struct record *a, const struct record *b, unsigned field) {
    return !value_equal(&a->values[field], &b->values[field]);
}

/* Updates the fields of a user that follow from others, where those have changed. False: no memory.
 */
static bool derive_user(const struct record *before, struct record *after, struct arena *arena) {
    struct value *values = after->values;
    if (differs(before, after, USER_Email)) {
        values[USER_EmailKey] = value_text(email_key(value_as_text(&values[USER_Email]), arena));
        if (values[USER_EmailKey].kind == VALUE_NULL)
            return false;
    }
    if (differs(before, after, USER_Businesses))
        values[USER_DefaultBusinessId] = default_business(after, arena);
    if (differs(before, after, USER_TwoFactorSecret)) {
        values[USER_TwoFactorEnabled] =
            value_integer(values[USER_TwoFactorSecret].kind == VALUE_TEXT);
    }
    if (differs(before, after, USER_FullName) || differs(before, after, USER_Email))
        values[USER_ToStringText] = display_text(after, arena);
    return values[USER_ToStringText].kind == VALUE_TEXT;
}

static bool derive(const struct record *before, struct record *after, struct arena *arena) {
    if (after->table == &user_table)
        return derive_user(before, after, arena);
    struct value text = display_text(after, arena);
    after->values[after->table->common.to_string_text] = text;
    /* Activating a webhook again resets its count of failures. */
    if (after->table == &web_hook_table && !value_is_true(&before->values[WEB_HOOK_Active]))
        after->values[WEB_HOOK_ErrorCount] = value_integer(0);
    return text.kind == VALUE_TEXT;
}

/* `now_ms`, or just after `before` if the clock was set back: UpdatedOn grows with each change. */
static int64_t later_than(const struct value *before, int64_t now_ms) {
    return before->kind == VALUE_INTEGER && before->integer >= now_ms ? before->integer + 1
                                                                      : now_ms;
}

enum status merge(const struct record *before, const struct change *change,
                  const struct rules *rules, struct arena *arena, struct record *after) {
    const struct common_fields *common = &before->table->common;
    *after = record_next(before, arena);
    if (!after->values)
        return STATUS_INTERNAL;
    for (unsigned i = 0; i < before->table->count; i++) {
        const struct field *field = &before->table->fields[i];
        if (field_is_list(field)) {
            struct list_change list = list_change(change, i);
            if (!list.whole && !list.added && !list.removed)
                continue;
            after->values[i] = merge_list(&list, &before->values[i], arena);
            if (after->values[i].kind == VALUE_NULL)
                return STATUS_INTERNAL;
        } else if (field_is_stored(field)) {
            after->values[i] = merge_field(field, &before->values[i], &change->values[i], rules);
        }
    }
    after->values[common->updated_on] =
        value_integer(later_than(&before->values[common->updated_on], rules->now_ms));
    after->values[common->updated_by] = value_text(rules->author);
    return derive(before, after, arena) ? STATUS_OK : STATUS_INTERNAL;
}

enum status merge_new(const struct change *change, const struct rules *rules, struct arena *arena,
                      struct record *created) {
    const struct table *table = change->table;
    struct record nothing = record_new(table, arena);
    if (!nothing.values)
        return STATUS_INTERNAL;
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (field_is_list(field))
            nothing.values[i] = value_text(TEXT("[]"));
        else if (field_is_stored(field))
            nothing.values[i] = nothing_of(field);
    }
    enum status status = merge(&nothing, change, rules, arena, created);
    if (status != STATUS_OK)
        return status;
    created->values[table->common.id] = change->values[table->common.id];
    created->values[table->common.unique_id] = change->values[table->common.unique_id];
    created->values[table->common.created_on] = created->values[table->common.updated_on];
    return STATUS_OK;
}
