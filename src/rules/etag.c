#include "rules/etag.h"

bool etag_is_listed(struct text list, struct text etag, enum etag_comparison how) {
    struct text known;
    while (etag.at && text_next(&list, &known)) {
        if (how == ETAG_WEAK && known.len > 2 && known.at[0] == 'W' && known.at[1] == '/')
            known = (struct text){ known.at + 2, known.len - 2 };
        if (text_equal(known, etag) || text_equal(known, TEXT("*")))
            return true;
    }
    return false;
}
