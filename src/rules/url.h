#ifndef ROSTER_RULES_URL_H
#define ROSTER_RULES_URL_H

#include "base/arena.h"

/**
 * True for an absolute http or https URL with a host, without user info, blanks or control
 * characters, and with a port of 1 to 65535 if it has one. Where it leads is checked by fetch/.
 */
bool url_is_http(struct text url) __attribute__((warn_unused_result));

/**
 * The content of a picture's data URL, as base64 (RFC 2397), such as the end of
 * "data:image/png;base64,AA==". It is not decoded here. `at` is NULL for all other texts.
 */
struct text url_picture(struct text url) __attribute__((warn_unused_result));

/**
 * Converts an IRI to a URL (RFC 3987 section 3.1): the host to A-labels, other characters beyond
 * ASCII to percent-encoding. If it is no IRI, the result is one that url_is_http refuses. `at` is
 * NULL only if there is no memory.
 */
struct text url_of_iri(struct text iri, struct arena *arena) __attribute__((warn_unused_result));

#endif
