/* Signatures of messages by a shared secret. */
#include "crypto/hmac.h"

#include "crypto/secret.h"

#include <sodium.h>

_Static_assert(HMAC_HEX_SIZE == 2 * crypto_auth_hmacsha256_BYTES, "two digits a byte");

void hmac_sha256_hex(struct text key, struct text message, char out[HMAC_HEX_SIZE + 1]) {
    static const char digits[] = "0123456789ABCDEF";
    crypto_auth_hmacsha256_state state;
    unsigned char bytes[crypto_auth_hmacsha256_BYTES];
    /* These only fail on sizes that they cannot have here. */
    (void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.at, key.len);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)message.at, message.len);
    (void)crypto_auth_hmacsha256_final(&state, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[HMAC_HEX_SIZE] = '\0';
    secret_wipe(&state, sizeof state);
}
