#ifndef ROSTER_CRYPTO_PASSWORD_H
#define ROSTER_CRYPTO_PASSWORD_H

#include "base/text.h"

/** Room for any stored hash with its NUL. */
enum { PASSWORD_HASH_MAX = 384 };

enum password_form {
    PASSWORD_PLAIN,         /* not a hash: a password to be hashed */
    PASSWORD_HASH,          /* a hash that password_verify can check */
    PASSWORD_HASH_TOO_DEAR, /* a hash whose cost parameters are past what a sign-in may cost */
};

/**
 * What a text given as `Password` is. Hashes are PHC or crypt(3) strings that begin with
 * `$argon2id$`, `$2b$` (also `$2a$`, `$2y$`), `$y$`, `$6$` or `$5$` and are well-formed to the
 * last character. Too dear: bcrypt cost above 14, sha-crypt rounds above 1,000,000, argon2id
 * above 256 MiB or t above 10, yescrypt above the cost that its parameters have at `$y$jDT` or with
 * parameters that crypt(3) itself never writes (another flavour, parallelism, more passes).
 */
enum password_form password_form(struct text text);

/**
 * Hashes a password with argon2id (19 MiB, t=2, p=1) into a NUL-terminated PHC string. Takes about
 * 20 ms and 19 MiB: never on an I/O thread. False when memory is short.
 */
bool password_hash(struct text password, char out[PASSWORD_HASH_MAX])
    __attribute__((warn_unused_result));

enum password_match { PASSWORD_WRONG, PASSWORD_RIGHT, PASSWORD_RIGHT_BUT_OLD, PASSWORD_UNCHECKED };

/**
 * Checks a password against a stored hash of any accepted form. RIGHT_BUT_OLD: right, but the hash
 * is imported or weaker than what password_hash makes today, and should be replaced. An empty or
 * malformed hash, or one too dear, is WRONG after the work of a real check, so that it takes as
 * long. UNCHECKED when memory is short (for imported argon2id that is WRONG: libsodium does not
 * tell). Same threads as password_hash.
 */
enum password_match password_verify(struct text password, struct text hash);

#endif
