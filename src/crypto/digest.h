#ifndef ROSTER_CRYPTO_DIGEST_H
#define ROSTER_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

enum { DIGEST_HEX_SIZE = 64 };

/**
 * The digest (BLAKE2b-256, what `b2sum -l 256` prints) of the first `bytes` bytes of a file, in
 * lower-case hex with a NUL. Reads it all: about a second for each GB. False, with errno set, if
 * the file cannot be read (EIO: it is shorter). The offset of the descriptor stays as it is.
 */
bool digest_file(int file, int64_t bytes, char out[DIGEST_HEX_SIZE + 1])
    __attribute__((warn_unused_result));

#endif
