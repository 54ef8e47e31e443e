#ifndef ROSTER_RULES_BASE32_H
#define ROSTER_RULES_BASE32_H

#include "base/text.h"

/**
 * The number of bytes that a base32 text (RFC 4648 section 6) holds; padding is optional, case does
 * not matter, blanks between groups are allowed as authenticator apps show them. 0 when it is not
 * base32. With `out` not NULL also writes the bytes there (room: text.len * 5 / 8).
 */
size_t base32_decode(struct text text, unsigned char *out);

#endif
