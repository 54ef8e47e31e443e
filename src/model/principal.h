#ifndef ROSTER_MODEL_PRINCIPAL_H
#define ROSTER_MODEL_PRINCIPAL_H

#include "model/permission.h"

enum credential_kind {
    CREDENTIAL_access,   /* an access token */
    CREDENTIAL_reset,    /* a reset token */
    CREDENTIAL_password, /* the user's password */
};

enum { CREDENTIAL_PROOF_SIZE = 32 };

/** What let a caller in. It may end at any moment; who asks again knows it by its proof. */
struct credential {
    enum credential_kind kind;
    /* SHA-256 of the token, or of the stored hash that the password matched */
    unsigned char proof[CREDENTIAL_PROOF_SIZE];
    int64_t expires_ms; /* what is derived from it expires by then too */
    int64_t family;     /* of the token, and what that rests on: see struct token in the store */
    int64_t parent;     /* (for a password: minus the user's Id, and nothing) */
};

/** Who asks: an active user, with what the user may do, as the store had it at one moment. */
struct principal {
    int64_t user_id;
    uint64_t permissions; /* a bit for each permission; all of them for an administrator */
    bool is_admin;        /* full unrestricted administrator */
    struct text email;
    uint64_t epoch; /* the store's access epoch that this is known for; 0: none */
    struct credential credential;
};

static inline bool principal_may(const struct principal *principal, unsigned permission) {
    return principal->permissions >> permission & 1;
}

#endif
