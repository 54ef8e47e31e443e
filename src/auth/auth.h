#ifndef ROSTER_AUTH_AUTH_H
#define ROSTER_AUTH_AUTH_H

#include "auth/attempts.h"
#include "auth/password_job.h"
#include "auth/sign_in_log.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "model/principal.h"
#include "store/store.h"

#include <stdatomic.h>

/** What came of sign-ins: by enum sign_in_result, and those that met a locked account. */
enum { SIGN_IN_LOCKED = 6, SIGN_IN_COUNTS };

struct sign_in_counts {
    atomic_uint_fast64_t of[SIGN_IN_COUNTS];
};

/** What signing in and checking tokens needs; filled in once at start, then only read. */
struct auth {
    struct store *store;
    struct passwords *passwords;
    const struct seal_key *key;
    int64_t token_lifetime_ms;
    int64_t refresh_lifetime_ms;
    int64_t lockout_attempts;
    int64_t lockout_ms;
    struct sign_in_counts *counts;
    struct attempts *attempts; /* NULL: addresses are not counted */
    struct sign_in_log *log;   /* NULL: nothing is told */
};

/**
 * Finds out who a credential stands for, and what they may do, as `view` has it now. In: the
 * principal's credential, its kind and proof; for a password also the user_id. Out: all of it, the
 * e-mail in the arena. STATUS_UNAUTHENTICATED, and nothing is changed: the token is unknown, of
 * another kind or expired, the password is another one or would not do without a code or a new one,
 * or the user is locked (passwords) or not admitted. STATUS_BROKEN.
 */
enum status auth_decide(const struct auth *auth, struct store_view *view, struct arena *arena,
                        struct principal *principal) MUST_CHECK;

/**
 * The same again for a principal found out before, who is about to do something: brings it up to
 * date where the store's access epoch or the running transaction says that anything may have
 * changed, and costs next to nothing where not.
 */
enum status auth_confirm(const struct auth *auth, struct store_view *view, struct arena *arena,
                         struct principal *principal) MUST_CHECK;

/**
 * Finds out what a user may do, whatever they come with. In: the principal's user_id. Out: the
 * rest but the credential and the epoch, the e-mail in the arena. STATUS_UNAUTHENTICATED: the user
 * is gone or not admitted. STATUS_BROKEN.
 */
enum status auth_decide_user(struct store_view *view, struct arena *arena,
                             struct principal *principal) MUST_CHECK;

/** A token as a credential that auth_decide can look at, and a stored password hash as a whole one.
 */
struct credential auth_token_credential(enum credential_kind kind, struct text token);
struct credential auth_password_credential(int64_t user_id, struct text hash);

/** May this user sign in and call at all? */
bool auth_is_admitted(const struct record *user);

/** Have so many sign-ins failed, and so lately, that no password is taken just now? */
bool auth_is_locked(const struct auth *auth, const struct record *user, int64_t now_ms);

/**
 * Remembers, for one I/O thread, which credentials were valid for whom. An entry counts as long as
 * the store's access epoch stands where it stood, so a revocation is seen by the next request.
 */
struct token_cache;

/** NULL when there is no memory. */
struct token_cache *token_cache_new(const struct auth *auth) MUST_CHECK;
void token_cache_free(struct token_cache *cache);

/**
 * Who the hash was remembered for, if it still counts: true, and the principal is copied, its
 * e-mail into the arena.
 */
bool token_cache_get(const struct token_cache *cache, const struct keyed_hash *hash,
                     struct arena *arena, struct principal *principal) MUST_CHECK;

/** Remembers a principal until `expires_ms`, in place of what collides. */
void token_cache_put(struct token_cache *cache, const struct keyed_hash *hash, int64_t expires_ms,
                     const struct principal *principal);

/**
 * Looks a bearer token (RFC 6750) up in the cache, on the cache's thread. STATUS_OK: `principal` is
 * its owner. STATUS_UNAUTHENTICATED: the text is no token. STATUS_NOT_FOUND: the store has to be
 * asked, by auth_decide with `principal`; what it finds is to be remembered under `hash` until the
 * credential expires.
 */
enum status auth_bearer(const struct token_cache *cache, struct text token, struct arena *arena,
                        struct principal *principal, struct keyed_hash *hash) MUST_CHECK;

#endif
