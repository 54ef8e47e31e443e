#ifndef ROSTER_CRYPTO_TOKEN_H
#define ROSTER_CRYPTO_TOKEN_H

#include "base/text.h"

enum { TOKEN_HASH_SIZE = 32, TOKEN_TEXT_SIZE = 43 };

/** The SHA-256 of a token. The database stores it in place of the token. */
struct token_hash {
    unsigned char bytes[TOKEN_HASH_SIZE];
};

/** Writes a new token: 256 random bits in base64url without padding (RFC 4648 section 5), no NUL.
 */
void token_generate(char out[TOKEN_TEXT_SIZE]);

/** Writes the token that has these bits. */
void token_write(const struct token_hash *bits, char out[TOKEN_TEXT_SIZE]);

/** The SHA-256 of a text. For tokens; not for passwords, which could be guessed from it. */
struct token_hash token_hash(struct text token);

/** A random number, from 1 to 2^62, for a new family of tokens. */
int64_t token_family(void);

#endif
