#ifndef ROSTER_CRYPTO_HASH_KIND_H
#define ROSTER_CRYPTO_HASH_KIND_H

#include "base/text.h"

/**
 * Which kind of password hash a text seems to be, by its form alone and whether it is well-formed
 * or not, for an error to name: "bcrypt", "PBKDF2". NULL: it has the form of none. Forms are those
 * of crypt(3) and PHC (`$id$...`), LDAP (`{SCHEME}...`), frameworks (`name$...$...`,
 * `name:...:...`), databases, digests in hex, and lines of password files. DES crypt has no form of
 * its own: 13 letters are a password. Never a part of the text itself.
 */
const char *hash_kind(struct text text) __attribute__((warn_unused_result));

#endif
