/* Digests of files, which tell that a file is what it was. */
#include "crypto/digest.h"

#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <unistd.h>

enum { DIGEST_SIZE = 32, AT_ONCE = 64 * 1024 };
_Static_assert(2 * DIGEST_SIZE == DIGEST_HEX_SIZE, "two digits a byte");

bool digest_file(int file, int64_t bytes, char out[DIGEST_HEX_SIZE + 1]) {
    crypto_generichash_state state;
    unsigned char part[AT_ONCE], digest[DIGEST_SIZE];
    /* These fail only for sizes that cannot occur here. */
    (void)crypto_generichash_init(&state, NULL, 0, sizeof digest);
    for (int64_t at = 0; at < bytes;) {
        size_t wanted = bytes - at < AT_ONCE ? (size_t)(bytes - at) : AT_ONCE;
        ssize_t got = pread(file, part, wanted, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got ? errno : EIO;
            return false;
        }
        (void)crypto_generichash_update(&state, part, (unsigned long long)got);
        at += got;
    }
    (void)crypto_generichash_final(&state, digest, sizeof digest);
    (void)sodium_bin2hex(out, DIGEST_HEX_SIZE + 1, digest, sizeof digest);
    return true;
}
