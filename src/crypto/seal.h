#ifndef ROSTER_CRYPTO_SEAL_H
#define ROSTER_CRYPTO_SEAL_H

#include "base/arena.h"
#include "crypto/token.h"
#include "model/field.h"

/** The key under which sealed fields are kept: 256 bits, lives in memory that is not swapped. */
struct seal_key;

/**
 * Reads the key from the file `path`, or makes the file (mode 0600, synced together with its
 * folder) when it does not exist and `may_create`. NULL on failure, with a reason in `why` (one
 * line, no secret): unreadable, wrong size, readable by others, missing.
 */
struct seal_key *seal_key_open(const char *path, bool may_create, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/** Wipes and frees; takes NULL. */
void seal_key_free(struct seal_key *key);

/** What a sealed field is bound to: "users:7:TwoFactorSecret". `at` NULL when memory is short. */
struct text seal_place(const struct table *table, int64_t id, unsigned field, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * Encrypts with XChaCha20-Poly1305-IETF under a random nonce: nonce, then ciphertext with tag.
 * `bound_to` ("users:7:TwoFactorSecret") is authenticated with it, so that a sealed value moved to
 * another row or column does not open. `at` is NULL when memory is short.
 */
struct text seal(const struct seal_key *key, struct text plain, struct text bound_to,
                 struct arena *arena) __attribute__((warn_unused_result));

/** The opposite. `at` is NULL when it is not authentic, or memory is short. */
struct text unseal(const struct seal_key *key, struct text sealed, struct text bound_to,
                   struct arena *arena) __attribute__((warn_unused_result));

/** A keyed hash (BLAKE2b-256) of a text, under the key that is kept in the file: for recognising
 * it. */
struct token_hash seal_mac(const struct seal_key *key, struct text text);

/** By what a key is known, without telling of it: a hash that no other key has. */
struct token_hash seal_mark(const struct seal_key *key);

#endif
