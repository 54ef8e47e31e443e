/* Decides from a credential who its user is and what that user may do. The decision is made when a
 * request arrives, and again inside each transaction that acts for the user, so that nothing is
 * done with a credential or a permission that was revoked meanwhile. */
#include "auth/auth.h"

#include "base/time.h"
#include "model/tables.h"

_Static_assert(sizeof(struct token_hash) == CREDENTIAL_PROOF_SIZE, "a proof is a SHA-256");

bool auth_is_admitted(const struct record *user) {
    return value_is_true(&user->values[USER_Active]) &&
           (value_is_true(&user->values[USER_APIAccess]) ||
            value_is_true(&user->values[USER_IsAdmin]));
}

bool auth_is_locked(const struct auth *auth, const struct record *user, int64_t now_ms) {
    int64_t last_ms = value_as_integer(&user->values[USER_LastLoginAttempt]);
    return value_as_integer(&user->values[USER_InvalidLoginAttempts]) >= auth->lockout->attempts &&
           last_ms <= now_ms && now_ms - last_ms < auth->lockout->ms;
}

struct credential auth_token_credential(enum credential_kind kind, struct text token) {
    struct credential credential = { .kind = kind };
    struct token_hash proof = token_hash(token);
    memcpy(credential.proof, proof.bytes, sizeof credential.proof);
    return credential;
}

struct credential auth_password_credential(int64_t user_id, struct text hash) {
    struct credential credential = auth_token_credential(CREDENTIAL_password, hash);
    credential.expires_ms = TOKEN_ENDLESS;
    credential.family = -user_id;
    return credential;
}

/* True if the password still authenticates by itself: it is unchanged, neither a code nor a new
 * password is due, and the account is not locked. */
static bool password_stands(const struct auth *auth, const struct record *user,
                            const struct credential *by) {
    const struct value *stored = &user->values[USER_Password];
    if (auth_is_locked(auth, user, time_now_ms()) || stored->kind != VALUE_TEXT ||
        value_is_true(&user->values[USER_MustResetPassword]) ||
        user->values[USER_TwoFactorSecret].kind == VALUE_TEXT)
        return false;
    struct token_hash proof = token_hash(value_as_text(stored));
    return memcmp(proof.bytes, by->proof, sizeof by->proof) == 0;
}

/* Reads the token: its user, its family and its end. */
static enum status read_token(struct store_session *session, struct arena *arena,
                              struct principal *principal) {
    struct credential *by = &principal->credential;
    enum token_kind kind = by->kind == CREDENTIAL_reset ? TOKEN_RESET : TOKEN_ACCESS;
    struct token_hash hash;
    struct token token;
    memcpy(hash.bytes, by->proof, sizeof hash.bytes);
    enum status status = store_token(session, &hash, arena, &token);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_UNAUTHENTICATED : status;
    if (token.kind != kind || !token_is_current(&token, time_now_ms()))
        return STATUS_UNAUTHENTICATED;
    principal->user_id = token.user_id;
    by->expires_ms = token.expires_ms;
    by->family = token.family;
    by->parent = token.parent;
    return STATUS_OK;
}

/* A user's permissions are the union of what the user roles carry, wherever they are defined. */
static enum status add_permissions(struct store_session *session, const struct record *user,
                                   struct arena *arena, uint64_t *permissions) {
    struct value ids = ids_from_stored(&user->values[USER_UserRoles], arena);
    if (!ids.ids)
        return STATUS_INTERNAL;
    for (uint32_t i = 0; i < ids.len; i++) {
        struct record role;
        enum status status = store_load(session, &user_role_table, ids.ids[i], arena, &role);
        if (status != STATUS_OK)
            return STATUS_INTERNAL;
        *permissions |= permissions_from_roles(value_as_text(&role.values[USER_ROLE_Roles]));
    }
    return STATUS_OK;
}

static enum status read_user(const struct auth *auth, struct store_session *session,
                             struct arena *arena, struct principal *principal) {
    struct record user;
    const struct credential *by = &principal->credential;
    enum status status = store_load(session, &user_table, principal->user_id, arena, &user);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_UNAUTHENTICATED : status;
    if (!auth_is_admitted(&user) ||
        (by->kind == CREDENTIAL_password && !password_stands(auth, &user, by)) ||
        (by->kind == CREDENTIAL_reset && !value_is_true(&user.values[USER_MustResetPassword])))
        return STATUS_UNAUTHENTICATED;
    principal->is_admin = value_is_true(&user.values[USER_IsAdmin]);
    principal->email = value_as_text(&user.values[USER_Email]);
    principal->permissions = 0;
    if (!principal->is_admin)
        return add_permissions(session, &user, arena, &principal->permissions);
    principal->permissions = (UINT64_C(1) << PERMISSIONS) - 1;
    return STATUS_OK;
}

enum status auth_decide_user(struct store_session *session, struct arena *arena,
                             struct principal *principal) {
    struct principal found = { .user_id = principal->user_id };
    /* There is no password to check, so `auth` is not needed. */
    enum status status = read_user(NULL, session, arena, &found);
    if (status == STATUS_OK)
        *principal = found;
    return status;
}

enum status auth_decide(const struct auth *auth, struct store_session *session, struct arena *arena,
                        struct principal *principal) {
    struct principal found = *principal;
    /* The epoch is read first: a change that comes later makes this decision outdated. Changes of a
     * running transaction may still be undone, so the decision is then valid only now (epoch 0). */
    found.epoch = store_access_changes(session) ? 0 : store_session_epoch(session);
    enum status status = STATUS_OK;
    if (found.credential.kind != CREDENTIAL_password)
        status = read_token(session, arena, &found);
    if (status == STATUS_OK)
        status = read_user(auth, session, arena, &found);
    if (status == STATUS_OK)
        *principal = found;
    return status;
}

enum status auth_confirm(const struct auth *auth, struct store_session *session,
                         struct arena *arena, struct principal *principal) {
    if (principal->credential.expires_ms <= time_coarse_ms())
        return STATUS_UNAUTHENTICATED;
    if (store_access_stands(session, principal->epoch))
        return STATUS_OK;
    return auth_decide(auth, session, arena, principal);
}
