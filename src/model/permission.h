#ifndef ROSTER_MODEL_PERMISSION_H
#define ROSTER_MODEL_PERMISSION_H

#include "base/text.h"

/*
 * What a role allows: five operations on each of the entities. A set of permissions is 64 bits; the
 * Id of a row of `roles` is its bit's number plus one, so a user role's Roles are such a set.
 */

enum permission_entity {
#define ENTITY(name, number) ENTITY_##name = (number),
#include "model/tables.def"
};

/* As many as there are; model/permission.c finds out whether a number is missing. */
enum {
    ENTITIES = 0
#define ENTITY(name, number) +1
#include "model/tables.def"
};

enum permission_operation {
#define OPERATION(name) OPERATION_##name,
#include "model/permission.def"
#undef OPERATION
    OPERATIONS
};

enum { PERMISSIONS = ENTITIES * OPERATIONS };
_Static_assert(PERMISSIONS <= 64, "a set of permissions is 64 bits");

/** The bit's number of a permission, as a constant: PERMISSION(User, Edit). */
#define PERMISSION(entity, operation) (ENTITY_##entity * OPERATIONS + OPERATION_##operation)

/** The bit's number of a permission. */
static inline unsigned permission(enum permission_entity entity,
                                  enum permission_operation operation) {
    return entity * OPERATIONS + operation;
}

/** Writes "User-Edit" for a bit's number; NUL-terminated, static size. */
void permission_name(unsigned permission, char out[32]);

/** The set of the permissions that a stored list of role ids ([1,4]) gives. */
uint64_t permissions_from_roles(struct text stored_ids);

#endif
