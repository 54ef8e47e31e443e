/* Base64 in its two alphabets: for Basic credentials, and for JWTs. */
#include "crypto/base64.h"

#include <sodium.h>

struct text base64_decode(struct text text, struct arena *arena) {
    size_t len = 0;
    while (text.len && text.at[text.len - 1] == '=')
        text.len--;
    unsigned char *bytes = arena_alloc(arena, text.len + 1);
    if (!bytes || sodium_base642bin(bytes, text.len + 1, text.at, text.len, NULL, &len, NULL,
                                    sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
        return (struct text){ 0 };
    return (struct text){ (char *)bytes, len };
}

struct text base64url_encode(struct text bytes, struct arena *arena) {
    enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };
    size_t size = sodium_base64_ENCODED_LEN(bytes.len, VARIANT);
    char *out = arena_alloc(arena, size);
    if (!out)
        return (struct text){ 0 };
    (void)sodium_bin2base64(out, size, (const unsigned char *)bytes.at, bytes.len, VARIANT);
    return (struct text){ out, size - 1 };
}
