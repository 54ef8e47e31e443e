/* HMAC-SHA256: signatures of messages with a shared secret. */
#include "crypto/hmac.h"

#include "crypto/secret.h"

#include <sodium.h>

_Static_assert(HMAC_SIZE == crypto_auth_hmacsha256_BYTES, "the library's own size");

void hmac_sha256(struct text key, struct text message, unsigned char out[HMAC_SIZE]) {
    crypto_auth_hmacsha256_state state;
    /* These fail only for sizes that cannot occur here. */
    (void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.at, key.len);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)message.at, message.len);
    (void)crypto_auth_hmacsha256_final(&state, out);
    secret_wipe(&state, sizeof state);
}

void hmac_sha256_hex(struct text key, struct text message, char out[HMAC_HEX_SIZE + 1]) {
    static const char digits[] = "0123456789ABCDEF";
    unsigned char bytes[HMAC_SIZE];
    hmac_sha256(key, message, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[HMAC_HEX_SIZE] = '\0';
}
