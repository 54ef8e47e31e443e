#ifndef ROSTER_API_STATUS_H
#define ROSTER_API_STATUS_H

#include "base/status.h"
#include "base/text.h"

/* The replies that a status becomes, from status.def. Any thread. */

/** The HTTP status code. */
unsigned status_http(enum status status);

/** A sentence for the envelope's Message. Static. */
const char *status_message(enum status status);

/** The whole envelope with that message, for when there is no memory to make one. Static. */
struct text status_envelope(enum status status);

#endif
