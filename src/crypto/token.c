/* Bearer tokens: 256 random bits, which only the client keeps. The server keeps a hash. A fast hash
 * is enough, unlike for passwords, because nobody can try 2^256 tokens. */
#include "crypto/token.h"

#include "crypto/secret.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(TOKEN_HASH_SIZE == crypto_hash_sha256_BYTES, "a token's hash is its SHA-256");

void token_write(const struct token_hash *bits, char out[TOKEN_TEXT_SIZE]) {
    char text[TOKEN_TEXT_SIZE + 1];
    (void)sodium_bin2base64(text, sizeof(text), bits->bytes, sizeof(bits->bytes),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(out, text, TOKEN_TEXT_SIZE);
    secret_wipe(text, sizeof(text));
}

void token_generate(char out[TOKEN_TEXT_SIZE]) {
    struct token_hash bits;
    random_bytes(bits.bytes, sizeof(bits.bytes));
    token_write(&bits, out);
    secret_wipe(&bits, sizeof(bits));
}

struct token_hash token_hash(struct text token) {
    struct token_hash hash;
    int failed = crypto_hash_sha256(hash.bytes, (const unsigned char *)token.at, token.len);
    assert(!failed); /* it always returns 0 */
    (void)failed;
    return hash;
}

int64_t token_family(void) {
    uint64_t bits;
    random_bytes((unsigned char *)&bits, sizeof bits);
    return (int64_t)(bits >> 2) + 1;
}
