#include "store/postgres/errors.h"

#include <string.h>

static const struct {
    const char *prefix;
    enum pg_meaning meaning;
} errors[] = {
#define ERROR(prefix, meaning) { prefix, meaning },
#include "store/postgres/errors.def"
#undef ERROR
};

enum pg_meaning pg_meaning_of(const char *sqlstate) {
    enum pg_meaning meaning = PG_FAILED;
    size_t longest = 0;
    if (!sqlstate)
        return PG_LOST;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        size_t len = strlen(errors[i].prefix);
        if (len > longest && strncmp(sqlstate, errors[i].prefix, len) == 0) {
            meaning = errors[i].meaning;
            longest = len;
        }
    }
    return meaning;
}

enum status pg_status_of(enum pg_meaning meaning) {
    switch (meaning) {
    case PG_FINE: return STATUS_OK;
    case PG_TOO_SLOW: return STATUS_TOO_SLOW;
    case PG_AGAIN:
    case PG_FULL:
    case PG_LOST: return STATUS_UNAVAILABLE;
    case PG_FAILED: break;
    }
    return STATUS_INTERNAL;
}
