/* A picture from an untrusted server. */
#include "fuzz.h"

#include "base/text.h"
#include "fetch/image.h"
#include "fetch/strip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const struct text content = { (const char *)bytes, size };
    struct arena arena = { 0 };
    const char *type = image_type(content);
    require(!type || image_extension(type));
    struct text stripped = image_strip(content, &arena);
    if (stripped.at) { /* it begins as before, and there is nothing left to take away */
        require(image_format(stripped) == image_format(content));
        require(text_equal(image_strip(stripped, &arena), stripped));
        type = image_type(stripped);
        require(!type || type == image_format(content));
    }
    arena_close(&arena);
    return 0;
}
