/* application/x-www-form-urlencoded. */
#include "fuzz.h"

#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena = { 0 };
    struct text rest = { (const char *)bytes, size }, name, value;
    size_t decoded = 0;
    while (form_next(&rest, &arena, &name, &value))
        decoded += name.len + value.len;
    require(decoded <= size);
    arena_close(&arena);
    return 0;
}
