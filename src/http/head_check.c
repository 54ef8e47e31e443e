/* Refuses heads that two recipients could read in different ways. Where the RFCs let recipients
 * choose, a proxy may choose otherwise than this server; such a request is refused. */
#include "http/head_check.h"

#include "http/bytes.h"

#include "base/network.h"

#include <ctype.h>

static void see_length(struct head_check *check, struct text value) {
    int64_t length;
    check->lengths++;
    struct text digits = value;
    while (digits.len > 1 && digits.at[0] == '0')
        digits = (struct text){ digits.at + 1, digits.len - 1 };
    if (!text_to_int64(digits, &length) || length < 0)
        check->is_malformed = true;
    else
        check->length = (uint64_t)length;
}

bool head_check_is_token(struct text name) {
    return name.len && bytes_are(name, BYTES_token);
}

static bool is_port(struct text port) {
    unsigned number = 0;
    for (size_t i = 0; i < port.len; i++) {
        if (!isdigit((unsigned char)port.at[i]))
            return false;
        number = 10 * number + (unsigned)(port.at[i] - '0');
        if (number > 65535)
            return false;
    }
    return true;
}

/* True for a name or an IPv4 address: unreserved, sub-delims and complete escapes. */
static bool is_name(struct text rest) {
    bool is_name = bytes_are(text_cut(&rest, '%'), BYTES_host);
    while (is_name && rest.at) {
        struct text part = text_cut(&rest, '%');
        is_name = part.len >= 2 && isxdigit((unsigned char)part.at[0]) &&
                  isxdigit((unsigned char)part.at[1]) && bytes_are(part, BYTES_host);
    }
    return is_name;
}

static bool is_ipv6(struct text address) {
    struct in6_addr ignored;
    return network_read_address(address, AF_INET6, &ignored);
}

bool head_check_is_host(struct text value) {
    struct text port = value;
    if (!value.len)
        return true; /* empty if the target has no authority (RFC 9110 section 7.2) */
    if (value.at[0] == '[') {
        port = (struct text){ value.at + 1, value.len - 1 };
        struct text address = text_cut(&port, ']');
        if (!port.at || !is_ipv6(address) || (port.len && port.at[0] != ':'))
            return false;
        return !port.len || is_port((struct text){ port.at + 1, port.len - 1 });
    }
    struct text name = text_cut(&port, ':');
    return is_name(name) && is_port(port);
}

/* Transfer-Encoding (RFC 9112 section 6.1). The list of a request must end in `chunked`. */
static void see_codings(struct head_check *check, struct text value) {
    bool is_malformed = !value.len, ends_chunked = false;
    unsigned codings = 0, chunked = 0;
    struct text rest = value;
    while (rest.at) {
        struct text item = text_trim(text_cut(&rest, ','));
        struct text name = text_trim(text_cut(&item, ';'));
        ends_chunked = text_equal_nocase(name, TEXT("chunked"));
        is_malformed |= !head_check_is_token(name) || (ends_chunked && item.at);
        chunked += ends_chunked;
        codings++;
    }
    check->codings++;
    check->is_chunked = text_equal_nocase(value, TEXT("chunked"));
    check->has_unknown_coding =
        !is_malformed && codings > chunked && chunked <= 1 && (!chunked || ends_chunked);
}

static void see_connection(struct head_check *check, struct text value) {
    while (value.at) {
        struct text option = text_trim(text_cut(&value, ','));
        check->says_close |= text_equal_nocase(option, TEXT("close"));
        check->says_keep_alive |= text_equal_nocase(option, TEXT("keep-alive"));
    }
}

void head_check_add(struct head_check *check, struct text name, struct text value) {
    check->has_bad_name |= !head_check_is_token(name);
    check->has_bad_value |= !bytes_are(value, BYTES_value);
    if (name.len == 4 && text_equal_nocase(name, TEXT("Host"))) {
        check->hosts++;
        check->has_bad_host |= !head_check_is_host(value);
    } else if (name.len == 14 && text_equal_nocase(name, TEXT("Content-Length"))) {
        see_length(check, value);
    } else if (name.len == 17 && text_equal_nocase(name, TEXT("Transfer-Encoding"))) {
        see_codings(check, value);
    } else if (name.len == 10 && text_equal_nocase(name, TEXT("Connection"))) {
        see_connection(check, value);
    } else if (name.len == 6 && text_equal_nocase(name, TEXT("Expect"))) {
        bool is_continue = text_equal_nocase(value, TEXT("100-continue"));
        check->expects_continue |= is_continue;
        check->expects_other |= !is_continue;
    }
}

/* A sentence that says what is wrong with the framing of the body; NULL: nothing. */
static const char *misframed(const struct head_check *check) {
    if (check->lengths > 1)
        return "The request has more than one Content-Length header.";
    if (check->is_malformed)
        return "Content-Length must be a whole number.";
    if (check->lengths && check->codings)
        return "The request has both Content-Length and Transfer-Encoding.";
    if (check->codings && check->minor == 0)
        return "HTTP/1.0 has no Transfer-Encoding.";
    if (check->codings > 1 || (check->codings && !check->is_chunked && !check->has_unknown_coding))
        return "Transfer-Encoding must be chunked, once.";
    if (check->is_misread && check->codings == check->is_chunked)
        return "The head could be read in more than one way.";
    return NULL;
}

enum status head_check_result(const struct head_check *check, size_t body_limit,
                              const char **reason) {
    *reason = NULL;
    if (check->has_bad_name)
        *reason = "A header's name must be letters, digits and the like, with no blank before the"
                  " colon.";
    else if (check->has_bad_value)
        *reason = "A header has a control character in its value.";
    else if (check->has_bad_host)
        *reason = "The Host header must be a host name or address, and at most a port.";
    else if (check->hosts > 1)
        *reason = "The request has more than one Host header.";
    else if (!check->hosts && check->minor > 0)
        *reason = "The request has no Host header.";
    else
        *reason = misframed(check);
    if (*reason)
        return STATUS_BAD_INPUT;
    if (check->codings && !check->is_chunked) {
        *reason = "The only Transfer-Encoding understood here is chunked.";
        return STATUS_NOT_IMPLEMENTED;
    }
    if (check->length > body_limit)
        return STATUS_TOO_LARGE;
    return check->expects_other && check->minor > 0 ? STATUS_EXPECTATION : STATUS_OK;
}
