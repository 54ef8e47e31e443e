/* A stranger's picture. */
#include "fuzz.h"

#include "base/text.h"
#include "fetch/image.h"
#include "fetch/strip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const types[] = { "image/png", "image/jpeg", "image/gif", "image/webp" };
    const struct text content = { (const char *)bytes, size };
    struct arena arena = { 0 };
    const char *type = image_type(content);
    require(!type || image_extension(type));
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct text stripped = image_strip(content, types[i], &arena);
        /* What is stripped is a picture still, and nothing is left to strip. */
        if (type == NULL || strcmp(type, types[i]) != 0 || !stripped.at)
            continue;
        require(image_type(stripped) != NULL);
        require(text_equal(image_strip(stripped, type, &arena), stripped));
    }
    arena_close(&arena);
    return 0;
}
