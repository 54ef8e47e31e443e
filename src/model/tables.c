/* The resources' tables, expanded from their .def files; everything else loops over them. */
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

/* What the last column of a FIELD row means depends on its type. */
#define TARGET_id(of) NULL, NULL
#define TARGET_text(of) NULL, NULL
#define TARGET_email(of) NULL, NULL
#define TARGET_url(of) NULL, NULL
#define TARGET_integer(of) NULL, NULL
#define TARGET_boolean(of) NULL, NULL
#define TARGET_date(of) NULL, NULL
#define TARGET_guid(of) NULL, NULL
#define TARGET_sealed(of) NULL, NULL
#define TARGET_totp(of) NULL, NULL
#define TARGET_password(of) NULL, NULL
#define TARGET_empty(of) NULL, NULL
#define TARGET_no(of) NULL, NULL
#define TARGET_choice(of) NULL, of
#define TARGET_reference(of) &of##_table, NULL
#define TARGET_links(of) &of##_table, NULL
#define TARGET_added(of) &of##_table, NULL
#define TARGET_removed(of) &of##_table, NULL
#define TARGET_owners(of) &of##_table, NULL
#define TARGET_name(of) &of##_table, NULL

#define TABLE(name, rows, entity, noun, rights, kept, rules)                                       \
    static const struct field name##_fields[] = {
#define BODY(name, rows, entity, noun) static const struct field name##_fields[] = {
#define FIELD(name, type, max, flags, of)                                                          \
    { { #name, sizeof #name - 1 }, TYPE_##type, max, flags, TARGET_##type(of) },
#define END                                                                                        \
    }                                                                                              \
    ;
#include "model/tables.def"

enum { KEPT_columns = false, KEPT_json = true };

#define TABLE(name_, rows, entity_, noun_, rights_, kept, rules)                                   \
    const struct table name_##_table = {                                                           \
        .name = rows,                                                                              \
        .entity = #entity_,                                                                        \
        .noun = noun_,                                                                             \
        .number = TABLE_##name_,                                                                   \
        .rights = ENTITY_##rights_,                                                                \
        .fields = name_##_fields,                                                                  \
        .count = FIELD_INDEX(PREFIX, FIELDS),                                                      \
        .common = { .id = FIELD_INDEX(PREFIX, Id),                                                 \
                    .created_on = FIELD_INDEX(PREFIX, CreatedOn),                                  \
                    .updated_on = FIELD_INDEX(PREFIX, UpdatedOn),                                  \
                    .updated_by = FIELD_INDEX(PREFIX, UpdatedBy),                                  \
                    .unique_id = FIELD_INDEX(PREFIX, UniqueId),                                    \
                    .to_string_text = FIELD_INDEX(PREFIX, ToStringText) },                         \
        .is_kept_as_json = KEPT_##kept,                                                            \
    };
#define BODY(name_, rows, entity_, noun_)                                                          \
    const struct table name_##_table = {                                                           \
        .name = rows,                                                                              \
        .entity = #entity_,                                                                        \
        .noun = noun_,                                                                             \
        .fields = name_##_fields,                                                                  \
        .count = FIELD_INDEX(PREFIX, FIELDS),                                                      \
    };
#include "model/tables.def"

const struct table *const tables[TABLES] = {
#define TABLE(name, rows, entity, noun, rights, kept, rules) &name##_table,
#include "model/tables.def"
};

unsigned field_other_side(const struct table *table, const struct field *field) {
    unsigned other = 0;
    while (field->target->fields[other].type != TYPE_links ||
           field->target->fields[other].target != table) {
        other++;
        assert(other < field->target->count);
    }
    return other;
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
