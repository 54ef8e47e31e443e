#ifndef ROSTER_API_METRICS_H
#define ROSTER_API_METRICS_H

#include "http/http.h"

/**
 * What one I/O thread counts of its replies. Only that thread writes, so nothing is shared while
 * requests are served; /metrics adds the threads' figures up.
 */
struct metrics;

/** NULL when there is no memory. */
struct metrics *metrics_new(void) MUST_CHECK;

void metrics_free(struct metrics *metrics);

/** listen_options.replied: counts the reply of an exchange by route, status and time. */
void metrics_count(struct exchange *exchange);

/** listen_options.ended: counts the exchanges whose reply could not be sent. */
void metrics_note_end(struct exchange *exchange, bool was_sent);

#endif
