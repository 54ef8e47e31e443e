#ifndef ROSTER_MODEL_PRINCIPAL_H
#define ROSTER_MODEL_PRINCIPAL_H

#include "model/permission.h"

enum credential_kind {
    CREDENTIAL_access,   /* an access token */
    CREDENTIAL_reset,    /* a reset token */
    CREDENTIAL_password, /* the user's password */
};

enum { CREDENTIAL_PROOF_SIZE = 32 };

/** The credential that a caller authenticated with. It may be revoked while a request runs; `proof`
 * identifies it when it is looked up again. */
struct credential {
    enum credential_kind kind;
    /* SHA-256 of the token, or of the stored hash that the password matched */
    unsigned char proof[CREDENTIAL_PROOF_SIZE];
    int64_t expires_ms; /* tokens made with it expire no later */
    int64_t
        family; /* of the token (see struct token in the store); password: minus the user's Id */
    int64_t parent; /* the family that this one depends on; password: 0 */
};

/** The caller of a request: an active user and what the user may do, as of one state of the store.
 */
struct principal {
    int64_t user_id;
    uint64_t permissions; /* a bit for each permission; all of them for an administrator */
    bool is_admin;        /* full unrestricted administrator */
    struct text email;
    uint64_t epoch; /* the store's access epoch at that state; 0: not known */
    struct credential credential;
};

static inline bool principal_may(const struct principal *principal, unsigned permission) {
    return principal->permissions >> permission & 1;
}

#endif
