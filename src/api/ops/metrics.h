#ifndef ROSTER_API_METRICS_H
#define ROSTER_API_METRICS_H

#include "http/http.h"

/** listen_options.replied: counts the reply of an exchange by route, status and time. */
void metrics_count(struct exchange *exchange);

/** listen_options.ended: counts the exchanges whose reply could not be sent. */
void metrics_count_end(struct exchange *exchange, bool was_sent);

#endif
