#ifndef ROSTER_HTTP_GUARD_H
#define ROSTER_HTTP_GUARD_H

#include "base/status.h"
#include "base/text.h"

/**
 * What decides whether a head means the same to everybody on the way, so that nothing can be
 * smuggled past a proxy (RFC 9112 sections 3.2, 5 and 6). Zeroed, then fed with each header.
 */
struct guard {
    unsigned hosts, lengths, codings;
    bool is_chunked;   /* the only transfer coding is `chunked` */
    bool is_malformed; /* a Content-Length that is no plain number */
    bool has_bad_name, has_bad_value, has_bad_host;
    uint64_t length;
};

void guard_see(struct guard *guard, struct text name, struct text value);

/**
 * STATUS_OK, BAD_INPUT with a sentence in `reason`, or TOO_LARGE when Content-Length is over
 * `body_limit` bytes.
 */
enum status guard_judge(const struct guard *guard, size_t body_limit,
                        const char **reason) MUST_CHECK;

#endif
