#ifndef ROSTER_CRYPTO_PASSWORD_H
#define ROSTER_CRYPTO_PASSWORD_H

#include "base/text.h"

/** Room for any stored hash and its NUL. */
enum { PASSWORD_HASH_MAX = 384 };

enum password_form {
    PASSWORD_PLAIN,         /* no form of a hash: a password */
    PASSWORD_HASH,          /* a hash that password_verify can check */
    PASSWORD_HASH_TOO_DEAR, /* a hash with parameters that make a check too expensive */
    PASSWORD_HASH_DAMAGED,  /* begins like a hash of a supported kind, but is malformed */
    PASSWORD_HASH_FOREIGN,  /* a hash of a kind that is not supported (crypto/hash_kind.h) */
};

/**
 * Classifies a text that a body gives as `Password`. Supported hashes are well-formed PHC or
 * crypt(3) strings that begin with `$argon2id$`, `$2b$` (also `$2a$`, `$2y$`), `$y$`, `$6$` or
 * `$5$`.
 *
 * A hash is too expensive if a check would take more than about 0.5 s of a core:
 *  - argon2id with memory times passes above 813 MiB, with more than 256 MiB, or more than 64 lanes
 *  - bcrypt with a cost above 13
 *  - SHA-512 crypt with more than 1,136,363 rounds, SHA-256 crypt with more than 1,329,787
 *  - yescrypt above `$y$jDT`, or with parameters that crypt(3) never writes (another flavour,
 *    parallelism, more passes)
 */
enum password_form password_form(struct text text);

/**
 * Writes a hash that is to be stored to `out`, with a NUL: `text` trimmed, and without the base64
 * padding that some programs write. False if the result is not a PASSWORD_HASH.
 */
bool password_import(struct text text, char out[PASSWORD_HASH_MAX])
    __attribute__((warn_unused_result));

/**
 * Hashes a password with argon2id (19 MiB, t=2, p=1) into a NUL-terminated PHC string. Takes about
 * 20 ms of a core and 19 MiB, so it must not run on an I/O thread. False if there is no memory.
 */
bool password_hash(struct text password, char out[PASSWORD_HASH_MAX])
    __attribute__((warn_unused_result));

enum password_match { PASSWORD_WRONG, PASSWORD_RIGHT, PASSWORD_RIGHT_BUT_OLD, PASSWORD_UNCHECKED };

/**
 * Checks a password against a stored hash. Must not run on an I/O thread either.
 *
 * RIGHT_BUT_OLD: the password is right, but the hash is imported or weaker than password_hash makes
 * them, and should be replaced. Not returned if password_is_cut: the rest of the password has not
 * been checked, so a new hash could be that of a wrong password.
 *
 * WRONG also for an empty or malformed hash, and for one that is too expensive (with SHA-crypt that
 * depends on the length of the password too). The function then computes another hash, so that it
 * takes as long as a real check and tells nothing.
 *
 * UNCHECKED: there is no memory for the check. For imported argon2id hashes this is WRONG, because
 * libsodium does not distinguish the two.
 */
enum password_match password_verify(struct text password, struct text hash);

/**
 * The time that this process has spent on password hashes, in microseconds of a core, as estimated
 * from their parameters. Any thread.
 */
uint64_t password_work_us(void);

/** True if this check costs more than a check of one of our own hashes. */
bool password_is_dear(struct text password, struct text hash);

/** True if the hash covers only the beginning of this password: bcrypt reads 72 bytes. */
bool password_is_cut(struct text password, struct text hash);

#endif
