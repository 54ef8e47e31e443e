/* Base64 as HTTP's Basic scheme uses it. */
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
