#ifndef ROSTER_AUTH_AUTH_H
#define ROSTER_AUTH_AUTH_H

#include "auth/login_throttle.h"
#include "auth/password_job.h"
#include "auth/sign_in_log.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "model/principal.h"
#include "store/store.h"

#include <stdatomic.h>

/** Numbers of sign-ins by their result (enum sign_in_result), and of those at locked accounts. */
enum { SIGN_IN_LOCKED = 6, SIGN_IN_COUNTS };

struct sign_in_counts {
    atomic_uint_fast64_t of[SIGN_IN_COUNTS];
};

/** Wrong passwords in a row that lock an account, and for how long. A reload changes it. */
struct lockout {
    atomic_int_fast64_t attempts, ms;
};

/**
 * The parts and settings that signing in and checking tokens need. Filled in once at the start,
 * then only read.
 */
struct auth {
    struct store *store;
    struct passwords *passwords;
    const struct seal_key *key;
    int64_t token_lifetime_ms;
    int64_t refresh_lifetime_ms;
    const struct lockout *lockout;
    struct sign_in_counts *counts;
    struct login_throttle *throttle; /* NULL: no limit for addresses */
    struct sign_in_log *log;         /* NULL: nothing is logged */
};

/**
 * Decides from the data in `session` whose a credential is and what its user may do.
 *
 * In: the principal's credential, with its kind and proof; for a password also the user_id. Out:
 * the whole principal, its e-mail in the arena.
 *
 * STATUS_UNAUTHENTICATED, with the principal unchanged: the token is unknown, of another kind or
 * expired; the password has changed, or a code or a new password is due; or the user is locked
 * (passwords only) or not admitted. STATUS_INTERNAL. On the thread of `session`.
 */
enum status auth_decide(const struct auth *auth, struct store_session *session, struct arena *arena,
                        struct principal *principal) MUST_CHECK;

/**
 * Decides again for a principal that was decided before and is about to act. Cheap if the store's
 * access epoch and the running transaction show that nobody's access has changed; otherwise as
 * auth_decide. On the thread of `session`, before each action, inside its transaction.
 */
enum status auth_confirm(const struct auth *auth, struct store_session *session,
                         struct arena *arena, struct principal *principal) MUST_CHECK;

/**
 * Decides what a user may do, whatever the credential. In: the principal's user_id. Out: the rest
 * except the credential and the epoch, the e-mail in the arena. STATUS_UNAUTHENTICATED: the user is
 * gone or not admitted. STATUS_INTERNAL. On the thread of `session`.
 */
enum status auth_decide_user(struct store_session *session, struct arena *arena,
                             struct principal *principal) MUST_CHECK;

/**
 * Makes a credential for auth_decide: of a token, or of the stored password hash that a password
 * has matched.
 */
struct credential auth_token_credential(enum credential_kind kind, struct text token);
struct credential auth_password_credential(int64_t user_id, struct text hash);

/** True if the user may sign in and call at all: active, with APIAccess or IsAdmin. */
bool auth_is_admitted(const struct record *user);

/**
 * True if the account is locked: too many sign-ins in a row have failed, the last one less than the
 * lock-out time ago.
 */
bool auth_is_locked(const struct auth *auth, const struct record *user, int64_t now_ms);

/**
 * The credentials that one I/O thread has seen to be valid, with their principals. An entry is
 * valid only while the store's access epoch is unchanged, so the next request already notices a
 * revocation. Each cache belongs to one thread.
 */
struct token_cache;

/** NULL if there is no memory. */
struct token_cache *token_cache_new(const struct auth *auth) MUST_CHECK;
void token_cache_free(struct token_cache *cache);

/**
 * Looks up a credential by its hash. True if its entry is still valid; the principal is then
 * copied, its e-mail into the arena.
 */
bool token_cache_get(const struct token_cache *cache, const struct keyed_hash *hash,
                     struct arena *arena, struct principal *principal) MUST_CHECK;

/** Stores a principal until `expires_ms`, in place of an entry that collides. */
void token_cache_put(struct token_cache *cache, const struct keyed_hash *hash, int64_t expires_ms,
                     const struct principal *principal);

/**
 * Looks up a bearer token (RFC 6750) in the cache. STATUS_OK: `principal` is its owner.
 * STATUS_UNAUTHENTICATED: the text is no token. STATUS_NOT_FOUND: the store must be asked, by
 * auth_decide with `principal`; the caller then stores the result under `hash` until the credential
 * expires. The cache's thread.
 */
enum status auth_bearer(const struct token_cache *cache, struct text token, struct arena *arena,
                        struct principal *principal, struct keyed_hash *hash) MUST_CHECK;

#endif
