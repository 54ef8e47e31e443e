#ifndef ROSTER_RULES_ETAG_H
#define ROSTER_RULES_ETAG_H

#include "base/text.h"

/* RFC 9110 section 8.8.3.2 */
enum etag_comparison { ETAG_STRONG, ETAG_WEAK };

/**
 * Is the ETag, or `*`, in the list of If-Match (which compares strongly) or If-None-Match (weakly)?
 * `etag.at` NULL, what is not there, is in none.
 */
bool etag_is_listed(struct text list, struct text etag, enum etag_comparison how);

#endif
