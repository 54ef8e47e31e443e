/* The guard of a request's head: lines of `name: value`. */
#include "fuzz.h"

#include "base/text.h"
#include "http/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    enum { LIMIT = 1000 };
    struct guard guard = { 0 };
    struct text rest = { (const char *)bytes, size };
    const char *reason = NULL;
    while (rest.at) {
        struct text value = text_cut(&rest, '\n'), name = text_cut(&value, ':');
        guard_see(&guard, name, text_trim(value));
    }
    enum status status = guard_judge(&guard, LIMIT, &reason);
    require(status != STATUS_OK || (guard.hosts <= 1 && guard.lengths + guard.codings <= 1));
    require(status != STATUS_OK || guard.length <= LIMIT);
    require(status != STATUS_BAD_INPUT || reason);
    return 0;
}
