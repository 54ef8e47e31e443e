/* The head of a request must have one meaning. The HTTP library takes the first of what stands
 * twice, a proxy may take the last: such a request is refused instead. */
#include "http/guard.h"

static void see_length(struct guard *guard, struct text value) {
    int64_t length;
    guard->lengths++;
    struct text digits = value;
    while (digits.len > 1 && digits.at[0] == '0')
        digits = (struct text){ digits.at + 1, digits.len - 1 };
    if (!text_to_int64(digits, &length) || length < 0)
        guard->is_malformed = true;
    else
        guard->length = (uint64_t)length;
}

void guard_see(struct guard *guard, struct text name, struct text value) {
    if (name.len == 4 && text_equal_nocase(name, TEXT("Host"))) {
        guard->hosts++;
    } else if (name.len == 14 && text_equal_nocase(name, TEXT("Content-Length"))) {
        see_length(guard, value);
    } else if (name.len == 17 && text_equal_nocase(name, TEXT("Transfer-Encoding"))) {
        guard->codings++;
        guard->is_chunked = text_equal_nocase(value, TEXT("chunked"));
    }
}

enum status guard_judge(const struct guard *guard, size_t body_limit, const char **reason) {
    *reason = NULL;
    if (guard->hosts > 1)
        *reason = "The request has more than one Host header.";
    else if (guard->lengths > 1)
        *reason = "The request has more than one Content-Length header.";
    else if (guard->is_malformed)
        *reason = "Content-Length must be a whole number.";
    else if (guard->lengths && guard->codings)
        *reason = "The request has both Content-Length and Transfer-Encoding.";
    else if (guard->codings > 1 || (guard->codings && !guard->is_chunked))
        *reason = "The only Transfer-Encoding understood here is chunked.";
    if (*reason)
        return STATUS_BAD_INPUT;
    return guard->length > body_limit ? STATUS_TOO_LARGE : STATUS_OK;
}
