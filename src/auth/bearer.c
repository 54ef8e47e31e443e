/* Checking bearer tokens: in memory for those seen before, without a lock. */
#include "auth/auth.h"

#include "base/time.h"

#include <stdlib.h>

enum { SLOTS = 4096 };

struct entry {
    struct keyed_hash hash;
    int64_t expires_ms;
    struct principal principal; /* its e-mail points behind the entry */
    char email[];
};

struct token_cache {
    const struct auth *auth;
    struct store_view *view;
    struct entry *slots[SLOTS];
};

struct token_cache *token_cache_new(const struct auth *auth, struct store_view *view) {
    struct token_cache *cache = calloc(1, sizeof *cache);
    if (cache) {
        cache->auth = auth;
        cache->view = view;
    }
    return cache;
}

void token_cache_free(struct token_cache *cache) {
    for (int i = 0; cache && i < SLOTS; i++)
        free(cache->slots[i]);
    free(cache);
}

/* Hashes are as good as random: any of their bits will do. */
static unsigned slot_of(const struct keyed_hash *hash) {
    return (hash->bytes[0] | (unsigned)hash->bytes[1] << 8) % SLOTS;
}

bool token_cache_get(const struct token_cache *cache, const struct keyed_hash *hash,
                     struct arena *arena, struct principal *principal) {
    const struct entry *entry = cache->slots[slot_of(hash)];
    if (!entry || entry->principal.epoch != store_access_epoch(cache->auth->store) ||
        entry->expires_ms <= time_coarse_ms() ||
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
        return; /* it is only a cache */
    entry->hash = *hash;
    entry->expires_ms = expires_ms;
    entry->principal = *principal;
    memcpy(entry->email, principal->email.at, principal->email.len);
    entry->principal.email.at = entry->email;
    free(*slot);
    *slot = entry;
}

enum status auth_bearer(struct token_cache *cache, struct text token, struct arena *arena,
                        struct principal *principal) {
    if (token.len != TOKEN_TEXT_SIZE)
        return STATUS_UNAUTHENTICATED;
    struct keyed_hash key = keyed_hash(KEYED_BEARER, token);
    if (token_cache_get(cache, &key, arena, principal))
        return STATUS_OK;
    struct token_hash hash = token_hash(token);
    struct token known;
    uint64_t epoch = store_access_epoch(cache->auth->store);
    enum status status = store_token(cache->view, &hash, arena, &known);
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK && (known.kind != TOKEN_ACCESS || known.expires_ms <= time_now_ms())))
        return STATUS_UNAUTHENTICATED;
    if (status == STATUS_OK)
        status = auth_principal(cache->auth, cache->view, known.user_id, arena, principal);
    if (status != STATUS_OK)
        return status;
    principal->epoch = epoch; /* the token was read under this one */
    token_cache_put(cache, &key, known.expires_ms, principal);
    return STATUS_OK;
}
