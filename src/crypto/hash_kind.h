#ifndef ROSTER_CRYPTO_HASH_KIND_H
#define ROSTER_CRYPTO_HASH_KIND_H

#include "base/text.h"

/**
 * Guesses from the form of a text which kind of password hash it is, well-formed or not, for an
 * error message: "bcrypt", "PBKDF2". NULL if it looks like a password. The known forms are those of
 * crypt(3) and PHC (`$id$...`), LDAP (`{SCHEME}...`), frameworks (`name$...$...`, `name:...:...`),
 * databases, digests in hex, and lines of password files. A DES crypt hash looks like a password
 * of 13 letters, so it is not recognised. The name is static and contains nothing of the text.
 */
const char *hash_kind(struct text text) __attribute__((warn_unused_result));

#endif
