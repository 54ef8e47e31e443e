#ifndef ROSTER_HTTP_HEAD_CHECK_H
#define ROSTER_HTTP_HEAD_CHECK_H

#include "base/status.h"
#include "base/text.h"

/**
 * Checks that a head means the same to every recipient on the way, so that no request can be
 * smuggled past a proxy (RFC 9112 sections 3.2, 5 and 6), and notes what the headers say about the
 * connection. Begins zeroed; then each header is added. HTTP/2 uses it too, with `minor` 1 and a
 * Host header made of :authority.
 */
struct head_check {
    unsigned minor; /* of HTTP/1.x; to be set before head_check_result */
    unsigned hosts, lengths, codings;
    bool is_chunked;         /* the only transfer coding is `chunked` */
    bool has_unknown_coding; /* a well-formed transfer coding that is not supported */
    bool is_malformed;       /* a Content-Length is no plain number */
    bool is_misread;         /* llhttp sees another framing; to be set before head_check_result */
    bool has_bad_name, has_bad_value, has_bad_host;
    bool says_close, says_keep_alive; /* Connection */
    bool expects_continue, expects_other;
    uint64_t length;
};

/** Takes note of one header. `value` has no white space around it. */
void head_check_add(struct head_check *check, struct text name, struct text value);

/**
 * STATUS_OK, or why the request is refused: BAD_INPUT with a sentence in `reason`, TOO_LARGE
 * (Content-Length exceeds `body_limit` bytes), NOT_IMPLEMENTED (transfer coding) with a sentence,
 * EXPECTATION. `*reason` is NULL where the status alone says why.
 */
enum status head_check_result(const struct head_check *check, size_t body_limit,
                              const char **reason) MUST_CHECK;

/**
 * True for a host with an optional port, as in Host or an authority without user (RFC 3986 section
 * 3.2).
 */
bool head_check_is_host(struct text value) MUST_CHECK;

/** True for a token, of which methods and names of headers consist (RFC 9110 section 5.6.2). */
bool head_check_is_token(struct text name) MUST_CHECK;

#endif
