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

#endif
