/* A stranger's picture. */
#include "fuzz.h"

#include "base/text.h"
#include "fetch/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const char *type = image_type((struct text){ (const char *)bytes, size });
    require(!type || image_extension(type));
    return 0;
}
