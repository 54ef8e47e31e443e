#ifndef ROSTER_BASE_LOG_OUTPUT_H
#define ROSTER_BASE_LOG_OUTPUT_H

/* The way of the log's lines to standard error; for log.c. */

#include "base/text.h"

/** Starts the thread that writes. False if the system refuses it. Once. */
bool log_output_start(void) __attribute__((warn_unused_result));

/** Does the thread run? Any thread. */
bool log_output_runs(void);

/**
 * Takes a line, or drops and counts it when too many wait. Without the thread it is written at
 * once. `is_urgent`: the thread does not wait for further lines first. Any thread.
 */
void log_output_add(struct text line, bool is_urgent);

/** Writes what waits and ends the thread; leaves it behind if that takes more than a second. */
void log_output_stop(void);

/** How many lines were dropped so far. Any thread. */
uint64_t log_output_dropped(void);

/** The number of dropped lines that no line of the log has reported yet; they then count as
 * reported. */
uint64_t log_output_take_unreported(void);

#endif
