#ifndef ROSTER_RULES_URL_H
#define ROSTER_RULES_URL_H

#include "base/arena.h"

/**
 * Is this an absolute http or https URL that could be fetched: scheme, a host, no user info, no
 * blanks or control characters, a port of 1 to 65535 if any? Where it leads is not looked at here.
 */
bool url_is_http(struct text url) __attribute__((warn_unused_result));

/**
 * An IRI as the URL that it stands for (RFC 3987 section 3.1): the host in A-labels, what is beyond
 * ASCII elsewhere percent-encoded. What is no IRI comes out as something that url_is_http refuses.
 * `at` NULL only when memory is short.
 */
struct text url_of_iri(struct text iri, struct arena *arena) __attribute__((warn_unused_result));

#endif
