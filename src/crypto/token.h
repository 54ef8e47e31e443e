#ifndef ROSTER_CRYPTO_TOKEN_H
#define ROSTER_CRYPTO_TOKEN_H

#include "base/text.h"

enum { TOKEN_HASH_SIZE = 32, TOKEN_TEXT_SIZE = 43 };

/** What is stored and looked up in place of a token: its SHA-256. */
struct token_hash {
    unsigned char bytes[TOKEN_HASH_SIZE];
};

/** Makes a new token: 256 random bits in base64url without padding (RFC 4648 section 5), no NUL. */
void token_generate(char out[TOKEN_TEXT_SIZE]);

/** Makes the token that consists of these bits. */
void token_write(const struct token_hash *bits, char out[TOKEN_TEXT_SIZE]);

/** The SHA-256 of any text, meant for high-entropy ones: tokens. */
struct token_hash token_hash(struct text token);

/** A number for a new family of tokens: a random one from 1 to 2^62. */
int64_t token_family(void);

#endif
