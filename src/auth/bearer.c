/* Bearer tokens, and a cache of credentials for each I/O thread. The cache belongs to one thread,
 * so it needs no lock; entries become invalid together when the store's access epoch changes. */
#include "auth/auth.h"

#include "base/time.h"

#include <stdlib.h>

enum { SLOTS = 4096 };

struct entry {
    struct keyed_hash hash;
    int64_t since_ms, expires_ms; /* a clock below since_ms was set back */
    struct principal principal;   /* its e-mail is `email` below */
    char email[];
};

struct token_cache {
    const struct auth *auth;
    struct entry *slots[SLOTS];
};

struct token_cache *token_cache_new(const struct auth *auth) {
    struct token_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        cache->auth = auth;
    return cache;
}

void token_cache_free(struct token_cache *cache) {
    for (int i = 0; cache && i < SLOTS; i++)
        free(cache->slots[i]);
    free(cache);
}

/* The bits of a keyed hash are as good as random, so any of them serve as an index. */
static unsigned slot_of(const struct keyed_hash *hash) {
    return (hash->bytes[0] | (unsigned)hash->bytes[1] << 8) % SLOTS;
}

bool token_cache_get(const struct token_cache *cache, const struct keyed_hash *hash,
                     struct arena *arena, struct principal *principal) {
    const struct entry *entry = cache->slots[slot_of(hash)];
    int64_t now_ms = time_coarse_ms();
    if (!entry || entry->principal.epoch != store_access_epoch(cache->auth->store) ||
        now_ms < entry->since_ms || now_ms >= entry->expires_ms ||
        memcmp(entry->hash.bytes, hash->bytes, sizeof hash->bytes) != 0)
        return false;
    *principal = entry->principal;
    principal->email = arena_text(arena, entry->principal.email);
    return principal->email.at != NULL;
}

void token_cache_put(struct token_cache *cache, const struct keyed_hash *hash, int64_t expires_ms,
                     const struct principal *principal) {
    struct entry **slot = &cache->slots[slot_of(hash)];
    struct entry *entry = malloc(sizeof *entry + principal->email.len);
    if (!entry)
        return; /* a cache may miss */
    entry->hash = *hash;
    entry->since_ms = time_coarse_ms();
    entry->expires_ms = expires_ms;
    entry->principal = *principal;
    memcpy(entry->email, principal->email.at, principal->email.len);
    entry->principal.email.at = entry->email;
    free(*slot);
    *slot = entry;
}

enum status auth_bearer(const struct token_cache *cache, struct text token, struct arena *arena,
                        struct principal *principal, struct keyed_hash *hash) {
    if (token.len != TOKEN_TEXT_SIZE)
        return STATUS_UNAUTHENTICATED;
    *hash = keyed_hash(KEYED_BEARER, token);
    if (token_cache_get(cache, hash, arena, principal))
        return STATUS_OK;
    *principal =
        (struct principal){ .credential = auth_token_credential(CREDENTIAL_access, token) };
    return STATUS_NOT_FOUND;
}
