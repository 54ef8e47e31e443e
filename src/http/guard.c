/* The head of a request must have one meaning. The HTTP library takes the first of what stands
 * twice, a proxy may take the last: such a request is refused instead. */
#include "http/guard.h"

#include <ctype.h>

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

/* RFC 9110 section 5.6.2. So a blank before the colon is refused too. */
static bool is_token(struct text name) {
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.at[i]) &&
            !(name.at[i] && strchr("!#$%&'*+-.^_`|~", name.at[i])))
            return false;
    return name.len > 0;
}

/* RFC 9110 section 5.5: no control characters. Line breaks above all. */
static bool is_field_value(struct text value) {
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.at[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7F)
            return false;
    }
    return true;
}

/* The characters of a host and port (RFC 3986 section 3.2); which one it is does not matter here.
 */
static bool is_host(struct text value) {
    for (size_t i = 0; i < value.len; i++)
        if (!isalnum((unsigned char)value.at[i]) &&
            !(value.at[i] && strchr("-._~!$&'()*+,;=%:[]", value.at[i])))
            return false;
    return true;
}

void guard_see(struct guard *guard, struct text name, struct text value) {
    guard->has_bad_name |= !is_token(name);
    guard->has_bad_value |= !is_field_value(value);
    if (name.len == 4 && text_equal_nocase(name, TEXT("Host"))) {
        guard->hosts++;
        guard->has_bad_host |= !is_host(text_trim(value));
    } else if (name.len == 14 && text_equal_nocase(name, TEXT("Content-Length"))) {
        see_length(guard, value);
    } else if (name.len == 17 && text_equal_nocase(name, TEXT("Transfer-Encoding"))) {
        guard->codings++;
        guard->is_chunked = text_equal_nocase(value, TEXT("chunked"));
    }
}

enum status guard_judge(const struct guard *guard, size_t body_limit, const char **reason) {
    *reason = NULL;
    if (guard->has_bad_name)
        *reason = "A header has a name that is none, or a blank before its colon.";
    else if (guard->has_bad_value)
        *reason = "A header has a control character in its value.";
    else if (guard->has_bad_host)
        *reason = "The Host header is no host name.";
    else if (guard->hosts > 1)
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
