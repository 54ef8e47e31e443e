#ifndef ROSTER_RULES_BASE32_H
#define ROSTER_RULES_BASE32_H

#include "base/text.h"

/** What a secret of one-time passwords has, in bytes: 80 bits, which old apps make, to 512. */
enum { TOTP_SECRET_MIN = 10, TOTP_SECRET_MAX = 64 };

/**
 * The number of bytes that a base32 text (RFC 4648 section 6) holds; padding is optional, case does
 * not matter, white space (Unicode) is allowed, between groups as authenticator apps show them. 0
 * when it is not base32. With `out` not NULL also writes the bytes there (room: as many as it
 * said).
 */
size_t base32_decode(struct text text, unsigned char *out);

#endif
