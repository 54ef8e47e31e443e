#ifndef ROSTER_API_BODY_H
#define ROSTER_API_BODY_H

#include "api/request.h"

/**
 * Reads the body as JSON or as a form, whose values are then strings, into the fields of a table.
 * Lists unknown members in X-Ignored-Parameters. STATUS_BAD_INPUT with one error on `Body`, or
 * INTERNAL: no memory.
 */
enum status request_body(struct request *request, const struct table *table, struct change *change,
                         struct errors *errors) MUST_CHECK;

/**
 * The e-mail address of a sign-in. A form may have turned its plus into a blank (email_with_plus),
 * which is undone unless the client prefers handling=strict.
 */
struct text request_address(struct request *request, struct text given);

/**
 * Reads and validates a body that is no record, by its own table. False: it is not valid, and the
 * reply says so.
 */
bool request_read(struct request *request, const struct table *table,
                  struct change *change) MUST_CHECK;

#endif
