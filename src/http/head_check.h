#ifndef ROSTER_HTTP_HEAD_CHECK_H
#define ROSTER_HTTP_HEAD_CHECK_H

#include "base/status.h"
#include "base/text.h"

/**
 * Checks that a head has one meaning for every server and proxy on the way, so that no request can
 * be smuggled past a proxy (RFC 9112 sections 3.2, 5 and 6), and decides whether the connection is
 * kept. Zeroed, then fed with each header. HTTP/2 uses it too, with `minor` 1 and a Host made of
 * :authority.
 */
struct head_check {
    unsigned minor; /* HTTP/1.x; set before head_check_result */
    unsigned hosts, lengths, codings;
    bool is_chunked;         /* the only transfer coding is `chunked` */
    bool has_unknown_coding; /* well-formed, but of a kind that is not understood */
    bool is_malformed;       /* a Content-Length that is no plain number */
    bool is_misread;         /* the parser sees another framing; set before head_check_result */
    bool has_bad_name, has_bad_value, has_bad_host;
    bool says_close, says_keep_alive; /* Connection */
    bool expects_continue, expects_other;
    uint64_t length;
};

/** Takes one header into account. `value` is without white space around it. */
void head_check_add(struct head_check *check, struct text name, struct text value);

/**
 * STATUS_OK, or why the request is refused, with a sentence in `reason` where the status alone does
 * not say it: BAD_INPUT, TOO_LARGE (Content-Length is over `body_limit` bytes), NOT_IMPLEMENTED
 * (transfer coding), EXPECTATION.
 */
enum status head_check_result(const struct head_check *check, size_t body_limit,
                              const char **reason) MUST_CHECK;

/** A host and maybe a port, as in Host or an authority without user (RFC 3986 section 3.2). */
bool head_check_is_host(struct text value) MUST_CHECK;

/** A token: what methods and names of headers are made of (RFC 9110 section 5.6.2). */
bool head_check_is_token(struct text name) MUST_CHECK;

#endif
