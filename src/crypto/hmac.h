#ifndef ROSTER_CRYPTO_HMAC_H
#define ROSTER_CRYPTO_HMAC_H

#include "base/text.h"

enum { HMAC_SIZE = 32, HMAC_HEX_SIZE = 64 };

/** HMAC-SHA256 (RFC 2104) of `message` under a key of any length. */
void hmac_sha256(struct text key, struct text message, unsigned char out[HMAC_SIZE]);

/** The same in upper-case hex, and a NUL. */
void hmac_sha256_hex(struct text key, struct text message, char out[HMAC_HEX_SIZE + 1]);

#endif
