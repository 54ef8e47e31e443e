#ifndef ROSTER_MODEL_PRINCIPAL_H
#define ROSTER_MODEL_PRINCIPAL_H

#include "model/permission.h"

/** Who asks: an active user, with what the user may do, as the store had it at one moment. */
struct principal {
    int64_t user_id;
    uint64_t permissions; /* a bit for each permission; all of them for an administrator */
    bool is_admin;        /* full unrestricted administrator */
    struct text email;
    uint64_t epoch; /* the store's access epoch that this is known for */
};

static inline bool principal_may(const struct principal *principal, unsigned permission) {
    return principal->permissions >> permission & 1;
}

#endif
