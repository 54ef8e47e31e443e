#ifndef ROSTER_API_BODY_H
#define ROSTER_API_BODY_H

#include "api/request.h"

/**
 * Reads the body against a table: JSON, or a form, which is JSON of strings then. Names what it
 * ignores in the reply. STATUS_BAD_INPUT with one error on `Body`, or BROKEN: no memory.
 */
enum status request_body(struct request *request, const struct table *table, struct change *change,
                         struct errors *errors) MUST_CHECK;

/** The address that somebody signs in with, which a form may have brought (email_with_plus). */
struct text request_address(struct request *request, struct text given);

/**
 * Reads a small body against a table of its own. False: it is not valid, and that was replied.
 */
bool request_read(struct request *request, const struct table *table,
                  struct change *change) MUST_CHECK;

#endif
