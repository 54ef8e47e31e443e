#ifndef ROSTER_MODEL_PRINCIPAL_H
#define ROSTER_MODEL_PRINCIPAL_H

#include "model/permission.h"

enum { EMAIL_MAX = 254 };

/** Who asks: an active user, with what the user may do, as it was at one moment. */
struct principal {
    int64_t user_id;
    uint64_t permissions; /* a bit for each permission; all for an unrestricted administrator */
    bool is_admin;        /* full unrestricted administrator */
    uint16_t email_len;
    char email[EMAIL_MAX * 4];
};

static inline struct text principal_email(const struct principal *principal) {
    return (struct text){ principal->email, principal->email_len };
}

static inline bool principal_may(const struct principal *principal, unsigned permission) {
    return principal->permissions >> permission & 1;
}

#endif
