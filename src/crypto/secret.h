#ifndef ROSTER_CRYPTO_SECRET_H
#define ROSTER_CRYPTO_SECRET_H

#include "base/text.h"

/** Initialises libsodium and draws the keys of keyed_hash. Before anything else of crypto/, and
 * before other threads start. False if the system provides no random numbers. */
bool crypto_start(void) __attribute__((warn_unused_result));

/** Overwrites memory in a way that the compiler does not optimise away. */
void secret_wipe(void *memory, size_t size);

/**
 * Like realloc, from `old_size` bytes to `size`, for secrets: wipes the old memory before it is
 * freed. NULL if there is no memory; `old` is then unchanged. Any thread.
 */
void *secret_grow(void *old, size_t old_size, size_t size) __attribute__((warn_unused_result));

/** Wipes `size` bytes from malloc and frees them. Takes NULL. Any thread. */
void secret_free(void *memory, size_t size);

/** Compares in constant time: the time depends on the length only. */
bool secret_equal(struct text a, struct text b);

/** Fills `out` with cryptographically secure random bytes. Any thread. */
void random_bytes(void *out, size_t size);

/** A random version 4 UUID (RFC 9562 section 5.4), 36 characters in lower case, no NUL. */
void random_guid(char out[36]);

/** The use of a hash. Each use has its own key, so the same text has another hash in each. */
enum keyed_purpose {
    KEYED_BEARER,
    KEYED_BASIC,
    KEYED_ADDRESS,
    KEYED_PAGE_CURSOR,
    KEYED_REQUEST,
    KEYED_PURPOSES
};

struct keyed_hash {
    unsigned char bytes[16];
};

/**
 * A hash (SipHash-2-4, 128 bits) of `text` under a key that crypto_start draws and that never
 * leaves the process. It serves to remember valid credentials in memory, and as the hash of tables
 * whose keys clients choose: nobody can construct collisions without the key. Ten times as fast as
 * SHA-256. Any thread.
 */
struct keyed_hash keyed_hash(enum keyed_purpose purpose, struct text text);

#endif
