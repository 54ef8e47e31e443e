/* The check of a request's head: lines of `name: value`. */
#include "fuzz.h"

#include "base/text.h"
#include "http/head_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    enum { LIMIT = 1000 };
    struct head_check check = { 0 };
    struct text rest = { (const char *)bytes, size };
    const char *reason = NULL;
    while (rest.at) {
        struct text value = text_cut(&rest, '\n'), name = text_cut(&value, ':');
        head_check_add(&check, name, text_trim(value));
    }
    enum status status = head_check_result(&check, LIMIT, &reason);
    require(status != STATUS_OK || (check.hosts <= 1 && check.lengths + check.codings <= 1));
    require(status != STATUS_OK || check.length <= LIMIT);
    require(status != STATUS_BAD_INPUT || reason);
    return 0;
}
