#ifndef ROSTER_CRYPTO_BASE64_H
#define ROSTER_CRYPTO_BASE64_H

#include "base/arena.h"

/**
 * Decodes base64 (RFC 4648 section 4, padding optional) into the arena. `at` is NULL if it is not
 * base64, or if there is no memory.
 */
struct text base64_decode(struct text text, struct arena *arena)
    __attribute__((warn_unused_result));

/** Encodes in base64url without padding (RFC 4648 section 5). `at` is NULL if there is no memory.
 */
struct text base64url_encode(struct text bytes, struct arena *arena)
    __attribute__((warn_unused_result));

#endif
