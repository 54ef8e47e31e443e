#ifndef ROSTER_HTTP_BYTES_H
#define ROSTER_HTTP_BYTES_H

#include "base/text.h"

/** Sets of bytes in the grammar of HTTP. */
enum byte_set {
    BYTES_token = 1 << 0, /* tchar (RFC 9110 section 5.6.2) */
    BYTES_value = 1 << 1, /* a header's value: all but control characters, and HTAB (section 5.5) */
    BYTES_target = 1 << 2, /* printable ASCII without blank and `#` */
    BYTES_host = 1 << 3,   /* unreserved and sub-delims (RFC 3986 sections 2.2 and 2.3) */
};

/** True if all bytes of `text` are in the set. The empty text is in every set. */
bool bytes_are(struct text text, enum byte_set set);

#endif
