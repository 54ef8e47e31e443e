#ifndef ROSTER_API_COLUMNS_H
#define ROSTER_API_COLUMNS_H

#include "model/field.h"

/** Is the field in exports? Secrets are not, nor fields that never have a value. */
static inline bool column_is_exported(const struct field *field) {
    return field_is_shown(field) && !field_is_secret(field) &&
           !(field->flags & (TRANSIENT | CONFIDENTIAL)) && field->type != TYPE_empty &&
           field->type != TYPE_no;
}

#endif
