#ifndef ROSTER_CRYPTO_PASSWORD_H
#define ROSTER_CRYPTO_PASSWORD_H

#include "base/text.h"

/** Room for any stored hash with its NUL. */
enum { PASSWORD_HASH_MAX = 384 };

enum password_form {
    PASSWORD_PLAIN,         /* has not the form of a hash: a password to be hashed */
    PASSWORD_HASH,          /* a hash that password_verify can check */
    PASSWORD_HASH_TOO_DEAR, /* one whose cost parameters are past what a sign-in may cost */
    PASSWORD_HASH_DAMAGED,  /* begins like a hash of a kind that can be checked, but is none */
    PASSWORD_HASH_FOREIGN,  /* has the form of a hash of another kind (crypto/hash_kind.h) */
};

/**
 * What a text given as `Password` is. Hashes are PHC or crypt(3) strings that begin with
 * `$argon2id$`, `$2b$` (also `$2a$`, `$2y$`), `$y$`, `$6$` or `$5$` and are well-formed to the
 * last character. Too dear is what takes more than about 0.5 s of a core to check, by the product
 * of its parameters: argon2id above 813 MiB times passes, 256 MiB or 64 lanes, bcrypt above 13,
 * SHA-512 crypt above 1,136,363 rounds and SHA-256 crypt above 1,329,787, yescrypt above `$y$jDT`
 * or with parameters that crypt(3) itself never writes (another flavour, parallelism, more passes).
 */
enum password_form password_form(struct text text);

/**
 * Writes a hash that is to be imported to `out`, with its NUL: `text` without white space at its
 * ends and without the padding of base64. False: what is left is no PASSWORD_HASH.
 */
bool password_import(struct text text, char out[PASSWORD_HASH_MAX])
    __attribute__((warn_unused_result));

/**
 * Hashes a password with argon2id (19 MiB, t=2, p=1) into a NUL-terminated PHC string. Takes about
 * 20 ms and 19 MiB: never on an I/O thread. False when memory is short.
 */
bool password_hash(struct text password, char out[PASSWORD_HASH_MAX])
    __attribute__((warn_unused_result));

enum password_match { PASSWORD_WRONG, PASSWORD_RIGHT, PASSWORD_RIGHT_BUT_OLD, PASSWORD_UNCHECKED };

/**
 * Checks a password against a stored hash of any accepted form. RIGHT_BUT_OLD: right, but the hash
 * is imported or weaker than what password_hash makes today, and should be replaced; never where
 * password_is_cut. An empty or malformed hash, or one too dear (for SHA-crypt also by the length of
 * the password), is WRONG after the work of a real check, so that it takes as long. UNCHECKED when
 * memory is short (for imported argon2id that is WRONG: libsodium does not tell). Same threads as
 * password_hash.
 */
enum password_match password_verify(struct text password, struct text hash);

/**
 * What all that this process computed of password hashes costs, in us of a core: reckoned from the
 * parameters, not measured. Any thread.
 */
uint64_t password_work_us(void);

/** Does this check cost more than one of our own hashes? */
bool password_is_dear(struct text password, struct text hash);

/** Does the kind of the hash see only the beginning of this password? bcrypt sees 72 bytes. */
bool password_is_cut(struct text password, struct text hash);

#endif
