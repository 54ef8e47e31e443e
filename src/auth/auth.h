#ifndef ROSTER_AUTH_AUTH_H
#define ROSTER_AUTH_AUTH_H

#include "auth/attempts.h"
#include "auth/password_job.h"
#include "crypto/seal.h"
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
    struct pool *pool;
    const struct seal_key *key;
    int64_t token_lifetime_ms;
    int64_t refresh_lifetime_ms;
    int64_t lockout_attempts;
    int64_t lockout_ms;
    struct sign_in_counts *counts;
    struct attempts *attempts; /* NULL: addresses are not counted */
};

/**
 * Finds out what a user may do now. STATUS_UNAUTHENTICATED when nothing: the user does not exist,
 * is not active, or has neither APIAccess nor IsAdmin. STATUS_BROKEN. E-mail in the arena.
 */
enum status auth_principal(const struct auth *auth, struct store_view *view, int64_t user_id,
                           struct arena *arena, struct principal *principal) MUST_CHECK;

/** May this user sign in and call at all? */
bool auth_is_admitted(const struct record *user);

/**
 * Remembers, for one I/O thread, which tokens were valid for whom. An entry counts as long as the
 * store's access epoch stands where it stood, so a revocation is seen by the next request.
 */
struct token_cache;

/** `view` is the thread's own and must outlive the cache. NULL when there is no memory. */
struct token_cache *token_cache_new(const struct auth *auth, struct store_view *view) MUST_CHECK;
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
 * Checks a bearer token (RFC 6750). STATUS_UNAUTHENTICATED when it is unknown, expired or revoked,
 * or its user is not admitted; STATUS_BROKEN.
 */
enum status auth_bearer(struct token_cache *cache, struct text token, struct arena *arena,
                        struct principal *principal) MUST_CHECK;

#endif
