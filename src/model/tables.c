/* The tables of fields, expanded from tables.def. */
#include "model/tables.h"

#include "model/permission.h"

#include <assert.h>

static const struct choice language_choices[] = {
    { 1, "EnglishUS" },
    { 2, "Spanish" },
    { 3, "EnglishUK" },
    { 0, NULL },
};
static const struct choice audit_types[] = {
    { AUDIT_CREATE, "Create" },
    { AUDIT_UPDATE, "Update" },
    { AUDIT_DELETE, "Delete" },
    { 0, NULL },
};
/* Of the hosted service's own, 1 to 90, these are known by name. */
static const struct choice web_hook_actions[] = {
    { 2, "CoworkerUpdate" },
    { 3, "CoworkerCreate" },
    { 50, "CoworkerDelete" },
    { 84, "BusinessUpdate" },
    { ACTION_USER_CREATE, "UserCreate" },
    { ACTION_USER_UPDATE, "UserUpdate" },
    { ACTION_USER_DELETE, "UserDelete" },
    { 0, NULL },
};
static const struct choice delivery_statuses[] = {
    { DELIVERY_PENDING, "Pending" },
    { DELIVERY_DELIVERED, "Delivered" },
    { DELIVERY_FAILED, "Failed" },
    { DELIVERY_CANCELLED, "Cancelled" },
    { 0, NULL },
};

/* All fields of all tables in one array, one table after the other: a row of tables.def cannot open
 * an array of its own and close it in another row. `__VA_ARGS__` is the flags and, after them,
 * .target, .choices or .base. */
static const struct field fields[] = {
#define FIELD(prefix, name_, type_, max_, ...)                                                     \
    { .name = { #name_, sizeof #name_ - 1 },                                                       \
      .type = TYPE_##type_,                                                                        \
      .max = (max_),                                                                               \
      .flags = __VA_ARGS__ },
#include "model/tables.def"
};

/* Where the fields of each table end in that array. The enum counts the fields of all tables: END
 * is the number after the last field of a table, and LAST sets the count back by one, so that the
 * next field gets that number. */
enum {
#define FIELD(prefix, name, type, max, ...) FIELD_INDEX(PLACE, FIELD_INDEX(prefix, name)),
#define TABLE(prefix, name, entity, rules, ...) END_##prefix, LAST_##prefix = END_##prefix - 1,
#define BODY(prefix, name, ...) END_##prefix, LAST_##prefix = END_##prefix - 1,
#include "model/tables.def"
};

#define FIELDS_OF(prefix)                                                                          \
    .fields = &fields[END_##prefix - prefix##_FIELDS], .count = prefix##_FIELDS
#define TABLE(prefix, name_, entity_, rules, ...)                                                  \
    const struct table name_##_table = {                                                           \
        FIELDS_OF(prefix),                                                                         \
        .number = TABLE_##name_,                                                                   \
        .permission_entity = ENTITY_##entity_,                                                     \
        .common = { .id = prefix##_Id,                                                             \
                    .created_on = prefix##_CreatedOn,                                              \
                    .updated_on = prefix##_UpdatedOn,                                              \
                    .updated_by = prefix##_UpdatedBy,                                              \
                    .unique_id = prefix##_UniqueId,                                                \
                    .to_string_text = prefix##_ToStringText },                                     \
        __VA_ARGS__,                                                                               \
    };
#define BODY(prefix, name_, ...)                                                                   \
    const struct table name_##_table = { FIELDS_OF(prefix), __VA_ARGS__ };
#include "model/tables.def"

const struct table *const tables[TABLES] = {
#define TABLE(prefix, name, entity, rules, ...) &name##_table,
#include "model/tables.def"
};

unsigned field_of_list(const struct table *table, unsigned list, enum field_type type) {
    unsigned field = 0;
    while (field < table->count &&
           (table->fields[field].type != type || table->fields[field].base != list))
        field++;
    return field;
}

/* Backlinks are changed through the Added and Removed of the links in the other records. */
static bool can_be_written(const struct table *linking, unsigned links) {
    return field_of_list(linking, links, TYPE_added) < linking->count &&
           field_of_list(linking, links, TYPE_removed) < linking->count;
}

static bool base_fits_type(const struct table *table, const struct field *field) {
    const struct table *of = field->type == TYPE_backlinks ? field->target : table;
    const struct field *base = field->base < of->count ? &of->fields[field->base] : NULL;
    switch (field->type) {
    case TYPE_added:
    case TYPE_removed:
        return base && field_is_list(base) &&
               &table->fields[field_of_list(table, field->base, field->type)] == field;
    case TYPE_backlinks:
        return base && base->type == TYPE_links && base->target == table &&
               (!field_is_writable(field) || can_be_written(of, field->base));
    case TYPE_name: return base && base->type == TYPE_reference;
    default: return field->base == 0;
    }
}

bool field_fits_type(const struct table *table, const struct field *field) {
    bool needs_target = field_is_list(field) || field->type == TYPE_reference;
    return (field->target != NULL) == needs_target &&
           (field->choices != NULL) == (field->type == TYPE_choice) && base_fits_type(table, field);
}

const struct table *tables_find(struct text entity) {
    for (unsigned i = 0; i < TABLES; i++)
        if (text_equal_nocase(entity, text_of(tables[i]->entity)))
            return tables[i];
    return NULL;
}

void tables_check(void) {
    for (unsigned i = 0; i < TABLES; i++)
        for (unsigned j = 0; j < tables[i]->count; j++)
            assert(field_fits_type(tables[i], &tables[i]->fields[j]));
}

struct text choice_name(const struct field *field, int64_t number) {
    for (const struct choice *choice = field->choices; choice->name; choice++)
        if (choice->number == number)
            return text_of(choice->name);
    return (struct text){ 0 };
}

bool choice_number(const struct field *field, struct text name, int64_t *number) {
    for (const struct choice *choice = field->choices; choice->name; choice++)
        if (text_equal_nocase(text_of(choice->name), name)) {
            *number = choice->number;
            return true;
        }
    return false;
}

const struct field *table_field(const struct table *table, struct text name, unsigned hint) {
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[(hint + i) % table->count];
        if (text_equal(field->name, name) && !(field->flags & HIDDEN))
            return field;
    }
    return NULL;
}

const struct field *table_field_nocase(const struct table *table, struct text name) {
    for (unsigned i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        if (field->name.len == name.len && text_equal_nocase(field->name, name) &&
            !(field->flags & HIDDEN))
            return field;
    }
    return NULL;
}
