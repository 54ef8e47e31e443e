/* The Ids of requests. One that a client gives goes into the log and the audit trail, so only
 * characters are taken that separate nothing there. */
#include "http/request_id.h"

#include "crypto/secret.h"

static bool is_well_formed(struct text id) {
    if (!id.len || id.len > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = text_lower(id.at[i]);
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_plain && !(c && strchr("-_.:=+/@", c)))
            return false;
    }
    return true;
}

const char *request_id_find(const struct head *head) {
    const char *found = NULL;
    for (unsigned i = 0; i < head->count; i++) {
        if (!text_equal_nocase(head->headers[i].name, TEXT("X-Request-Id")))
            continue;
        if (found || !is_well_formed(head->headers[i].value))
            return NULL;
        found = head->headers[i].value.at;
    }
    return found;
}

/* A plain counter would tell every client how many requests the others make. */
void request_id_make(const void *of, uint64_t number, char out[REQUEST_ID_MADE + 1]) {
    static const char digits[] = "0123456789abcdef";
    const uint64_t unique[] = { (uintptr_t)of, number };
    struct keyed_hash hash =
        keyed_hash(KEYED_REQUEST, (struct text){ (const char *)unique, sizeof unique });
    for (size_t i = 0; i < REQUEST_ID_MADE / 2; i++) {
        out[2 * i] = digits[hash.bytes[i] >> 4];
        out[2 * i + 1] = digits[hash.bytes[i] & 15];
    }
    out[REQUEST_ID_MADE] = '\0';
}
