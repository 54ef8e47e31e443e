#ifndef ROSTER_CRYPTO_SECRET_H
#define ROSTER_CRYPTO_SECRET_H

#include "base/text.h"

/** Prepares the cryptographic library; call once before anything else here. False: unusable. */
bool crypto_start(void) __attribute__((warn_unused_result));

/** Overwrites memory in a way that the compiler keeps. */
void secret_wipe(void *memory, size_t size);

/**
 * Like realloc, from `old_size` bytes to `size`, for what may be secret: nothing of it is left in
 * the memory that is given back. NULL when there is no memory; `old` is as it was then. Any thread.
 */
void *secret_grow(void *old, size_t old_size, size_t size) __attribute__((warn_unused_result));

/** Wipes `size` bytes from malloc and frees them. Takes NULL. Any thread. */
void secret_free(void *memory, size_t size);

/** Compares in a time that depends on the length alone. */
bool secret_equal(struct text a, struct text b);

/** Fills `out` with random bytes from the system. */
void random_bytes(void *out, size_t size);

/** A random version 4 UUID (RFC 9562 section 5.4), 36 characters in lower case, no NUL. */
void random_guid(char out[36]);

/** What a keyed hash is for: the same text for another purpose has another one. */
enum keyed_purpose { KEYED_BEARER, KEYED_BASIC, KEYED_ADDRESS, KEYED_WALK, KEYED_PURPOSES };

struct keyed_hash {
    unsigned char bytes[16];
};

/**
 * A keyed hash (SipHash-2-4 of 128 bits) of `text` under a key that is drawn at crypto_start and
 * never leaves the process: for remembering in memory which credentials were right, and for
 * tables that nobody can aim at. It costs a tenth of a SHA-256.
 */
struct keyed_hash keyed_hash(enum keyed_purpose purpose, struct text text);

#endif
