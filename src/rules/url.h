#ifndef ROSTER_RULES_URL_H
#define ROSTER_RULES_URL_H

#include "base/text.h"

/**
 * Is this an absolute http or https URL that could be fetched: scheme, a host, no user info, no
 * blanks or control characters, a port of 1 to 65535 if any? Where it leads is not looked at here.
 */
bool url_is_http(struct text url) __attribute__((warn_unused_result));

#endif
