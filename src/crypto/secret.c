/* The parts that every use of cryptography needs: starting the library, wiping, comparing, random
 * numbers, and keyed hashes. Keyed hashes are here because their keys are drawn when the library
 * starts. */
#include "crypto/secret.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

/* Global, like libsodium's own state: written once by crypto_start, before there are threads, and
 * only read from then on. Keys that are handed around would pass through rooms that have no use for
 * them. */
static unsigned char process_keys[KEYED_PURPOSES][crypto_shorthash_siphashx24_KEYBYTES];
static bool started;

bool crypto_start(void) {
    if (sodium_init() < 0)
        return false;
    if (!started)
        randombytes_buf(process_keys, sizeof(process_keys));
    started = true;
    return true;
}

void secret_wipe(void *memory, size_t size) {
    if (size)
        sodium_memzero(memory, size);
}

void secret_free(void *memory, size_t size) {
    if (memory)
        secret_wipe(memory, size);
    free(memory);
}

void *secret_grow(void *old, size_t old_size, size_t size) {
    void *memory = malloc(size);
    if (!memory)
        return NULL;
    if (old)
        memcpy(memory, old, old_size < size ? old_size : size);
    secret_free(old, old_size);
    return memory;
}

bool secret_equal(struct text a, struct text b) {
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.at, b.at, a.len) == 0);
}

void random_bytes(void *out, size_t size) {
    randombytes_buf(out, size);
}

void random_guid(char out[36]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    random_bytes(bytes, sizeof(bytes));
    bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80); /* the variant of RFC 9562 */
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 0x0F];
    }
}

_Static_assert(sizeof(struct keyed_hash) == crypto_shorthash_siphashx24_BYTES, "all of it");

struct keyed_hash keyed_hash(enum keyed_purpose purpose, struct text text) {
    assert(started);
    struct keyed_hash hash;
    int failed = crypto_shorthash_siphashx24(hash.bytes, (const unsigned char *)text.at, text.len,
                                             process_keys[purpose]);
    assert(!failed); /* it always returns 0 */
    (void)failed;
    return hash;
}
