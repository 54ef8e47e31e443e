/* The names of permissions, and sets of them. */
#include "model/permission.h"

#include <assert.h>
#include <stdio.h>

/* A number of an entity that is past the end does not compile. */
static const char *const entity_names[ENTITIES] = {
#define ENTITY(name, number) [number] = #name,
#include "model/tables.def"
};

static const char *const operation_names[] = {
#define OPERATION(name) #name,
#include "model/permission.def"
#undef OPERATION
};

void permission_name(unsigned permission, char out[32]) {
    assert(permission < PERMISSIONS);
    int len = snprintf(out, 32, "%s-%s", entity_names[permission / OPERATIONS],
                       operation_names[permission % OPERATIONS]);
    assert(len > 0 && len < 32);
    (void)len;
}

uint64_t permissions_from_roles(struct text stored_ids) {
    uint64_t set = 0;
    struct text rest = stored_ids;
    if (rest.len < 2)
        return 0;
    rest = (struct text){ rest.at + 1, rest.len - 2 };
    while (rest.len) {
        int64_t id;
        if (text_to_int64(text_cut(&rest, ','), &id) && id >= 1 && id <= PERMISSIONS)
            set |= UINT64_C(1) << (id - 1);
    }
    return set;
}
