#ifndef ROSTER_BASE_STATUS_H
#define ROSTER_BASE_STATUS_H

/** The result of an operation that can fail. Functions that return one are marked MUST_CHECK. */
enum status {
#define STATUS(name, http, message) STATUS_##name,
#include "base/status.def"
#undef STATUS
};

#define MUST_CHECK __attribute__((warn_unused_result))

/** The HTTP status code that a status becomes. */
unsigned status_http(enum status status);

/** A sentence for the envelope's Message. Static. */
const char *status_message(enum status status);

#endif
