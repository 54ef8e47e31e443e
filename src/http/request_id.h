#ifndef ROSTER_HTTP_REQUEST_ID_H
#define ROSTER_HTTP_REQUEST_ID_H

/* The Id of a request, by which a reply, the lines of the log and the rows of the audit trail are
 * found that belong together. For the files behind http.h only. */

#include "http/head.h"

enum { REQUEST_ID_MADE = 16 };

/**
 * Makes an Id, 16 hexadecimal digits and a NUL. `of` and `number` together must be new each time;
 * the Id tells nothing of them. Any thread.
 */
void request_id_make(const void *of, uint64_t number, char out[REQUEST_ID_MADE + 1]);

/**
 * The Id that the client, or the proxy before it, gave in X-Request-Id. NULL: there is none, or
 * more than one, or it is not well-formed: 1 to REQUEST_ID_MAX letters, digits and -_.:=+/@
 */
const char *request_id_find(const struct head *head) MUST_CHECK;

#endif
