#ifndef ROSTER_CRYPTO_SEAL_H
#define ROSTER_CRYPTO_SEAL_H

#include "base/arena.h"
#include "crypto/token.h"
#include "model/field.h"

/** The key that encrypts sealed fields: 256 bits, in memory that is not swapped out. */
struct seal_key;

/**
 * Reads the key from the file `path`. If the file does not exist and `may_create`, creates it with
 * a new key (mode 0600, synced together with its folder). NULL if it is missing, unreadable, of the
 * wrong size, or accessible to other users; `why` then has one line on it, without secrets. Main
 * thread, at start.
 */
struct seal_key *seal_key_open(const char *path, bool may_create, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/** The file names of a change of keys. */
struct seal_key_paths {
    const char *key;  /* the key in use */
    const char *next; /* the one that is to take its place */
    const char *old;  /* where the one in use is kept */
};

/**
 * Gives the next key the name of the key in use, which keeps its file under another name. At each
 * point of an interruption there is a whole key under the name of the key in use, and both keys
 * have files; calling it again then finishes the change. False with a line in `why`. Main thread,
 * while no server uses the key.
 */
bool seal_key_replace(const struct seal_key_paths *paths, char *why, size_t why_size)
    __attribute__((warn_unused_result));

/** Wipes and frees the key. Takes NULL. */
void seal_key_free(struct seal_key *key);

/** The place of a sealed field, "users:7:TwoFactorSecret". `at` is NULL if there is no memory. */
struct text seal_place(const struct table *table, int64_t id, unsigned field, struct arena *arena)
    __attribute__((warn_unused_result));

/**
 * Encrypts `plain` with XChaCha20-Poly1305-IETF under a random nonce. Returns the nonce, the
 * ciphertext and the tag. `bound_to`, the place of the field, is authenticated with it: a sealed
 * value that somebody moves to another row or column does not decrypt. `at` is NULL if there is no
 * memory. Any thread.
 */
struct text seal(const struct seal_key *key, struct text plain, struct text bound_to,
                 struct arena *arena) __attribute__((warn_unused_result));

/** Decrypts what `seal` returned. `at` is NULL if it is not authentic, or if there is no memory.
 * Any thread. */
struct text unseal(const struct seal_key *key, struct text sealed, struct text bound_to,
                   struct arena *arena) __attribute__((warn_unused_result));

/** A hash (BLAKE2b-256) of `text` under a key derived from this one. It recognises a text after a
 * restart, and tells nothing to those who read the database without the key. */
struct token_hash seal_mac(const struct seal_key *key, struct text text);

/** A hash of the key itself. The database keeps it to recognise its key, and it does not reveal the
 * key. */
struct token_hash seal_mark(const struct seal_key *key);

enum { SEAL_NAME_SIZE = 8 };

/** Writes the name of a key for people: the first digits of its mark, in lower-case hex, and a NUL.
 */
void seal_name(const struct token_hash *mark, char out[SEAL_NAME_SIZE + 1]);

#endif
