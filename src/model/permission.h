#ifndef ROSTER_MODEL_PERMISSION_H
#define ROSTER_MODEL_PERMISSION_H

#include "base/text.h"

/*
 * A permission is one of five operations on one of the entities, such as User-Edit. A set of
 * permissions is a 64-bit integer. The table `roles` has a row for each permission, whose Id is the
 * number of the bit plus one; so the Roles of a user role are a set of permissions.
 */

enum permission_entity {
#define ENTITY(name, number) ENTITY_##name = (number),
#include "model/tables.def"
};

/* The number of entities. Their numbers run from 0 without a gap. */
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

/** The number of a permission's bit, as a constant: PERMISSION(User, Edit). */
#define PERMISSION(entity, operation) (ENTITY_##entity * OPERATIONS + OPERATION_##operation)

/** The number of a permission's bit. */
static inline unsigned permission(enum permission_entity entity,
                                  enum permission_operation operation) {
    return entity * OPERATIONS + operation;
}

/** Writes the name of a permission, "User-Edit", with a NUL. */
void permission_name(unsigned permission, char out[32]);

/** The set of permissions for a stored list of Ids of `roles`, as "[1,4]". Ignores other Ids. */
uint64_t permissions_from_roles(struct text stored_ids);

#endif
