#ifndef ROSTER_RULES_BASE32_H
#define ROSTER_RULES_BASE32_H

#include "base/text.h"

/** The bytes that a TOTP secret may have: from 80 bits, which old apps make, to 512. */
enum { TOTP_SECRET_MIN = 10, TOTP_SECRET_MAX = 64 };

/**
 * Decodes base32 (RFC 4648 section 6). Padding is optional, case does not matter, and white space
 * of Unicode is skipped, since authenticator apps show secrets in groups. Returns the number of
 * bytes, 0 if it is not base32. Writes the bytes to `out` unless that is NULL.
 */
size_t base32_decode(struct text text, unsigned char *out);

#endif
